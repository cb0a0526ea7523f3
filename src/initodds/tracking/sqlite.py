"""MLflow's SQLite file: made by one process, read where it cannot be written, and refused where it is not MLflow's."""

import atexit
import errno
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from filelock import FileLock

from initodds.vocabulary import InputError

SQLITE = "sqlite:///"
SECONDS_TO_LOCK = 5
"""For which an SQLite file is waited for that another process has locked; for longer, `patiently` does it."""
SECONDS_TO_MAKE = 60
"""For which another process that is making the database is waited for."""


def path_of(uri: str) -> Path:
    """The SQLite file at an address."""
    return Path(uri.removeprefix(SQLITE)).absolute()


def require_sqlite(uri: str, to_write: bool) -> str:
    """The address of an SQLite file that MLflow can use, its path made absolute: MLflow keeps what it opened by its
    address. The file is made where it is missing and is `to_write`.

    Raises InputError, OSError or sqlite3.Error where it cannot be used.
    """
    if not uri.startswith(SQLITE) or uri in (SQLITE, f"{SQLITE}:memory:"):
        raise InputError("a file is needed, sqlite:///FILE; a database in memory is lost with the process")
    path = path_of(uri)
    if odd := [mark for mark in "?#%'" if mark in str(path) or (mark == "'" and mark in str(Path.cwd()))]:
        raise InputError(f"MLflow takes no {' or '.join(odd)} in the path of a file or folder, nor options after one")
    if to_write:
        _make_database(path)
    elif path.is_file() and not _can_be_opened(path):
        path = _copied(path)
    with closing(sqlite3.connect(path, timeout=SECONDS_TO_LOCK)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and "experiments" not in tables:
            raise InputError("is a database of another program; name a file of its own, which is made")
        if to_write and not os.access(path, os.W_OK):  # SQLite says so only of the first thing that is written
            raise PermissionError(errno.EACCES, "it may only be read")
        if to_write:
            connection.execute("PRAGMA journal_mode=WAL")  # readers, as the UI, and writers do not wait for each other
            connection.execute("BEGIN IMMEDIATE")
    return f"{SQLITE}{path}"


@cache
def sync_rarely() -> None:
    """Let SQLite not wait for the disk at each of the many small transactions that MLflow writes a run in. With its log
    (WAL) nothing is lost by that when a process is killed, and no file is broken when the power fails: the last
    seconds may then be missing."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def set_pragma(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous=NORMAL")


def _can_be_opened(path: Path) -> bool:
    """Whether SQLite can read a file where it is: one whose log (WAL) is in a folder that cannot be written it cannot,
    unless somebody else has it open."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        return False
    return True


@cache
def _copied(path: Path) -> Path:
    """A copy of an SQLite file and of its log, for as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix="initodds-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for part in (path, path.with_name(f"{path.name}-wal")):
        if part.is_file():
            shutil.copyfile(part, folder / part.name)
    return folder / path.name


def _make_database(path: Path) -> None:
    """Make MLflow's SQLite file where there is none.

    Two processes that make its tables at once would crash, and one that is killed while at it leaves half of them: so
    it is made by one, under another name, and then put in its place.
    """
    if path.exists():
        return
    from mlflow import MlflowClient

    lock = path.with_name(f"{path.name}.lock")
    lock.touch()  # where this cannot be done, the lock would be tried again for ever
    with FileLock(lock, timeout=SECONDS_TO_MAKE):
        if not path.exists():
            new = path.with_name(f"{path.name}.new")
            new.unlink(missing_ok=True)
            MlflowClient(f"{SQLITE}{new}").search_experiments(max_results=1)
            new.rename(path)
    lock.unlink(missing_ok=True)
