"""The tracking store: an MLflow database or server, the runs that are written there, and who writes them.

MLflow takes seconds to import, so it is imported late.
"""

import atexit
import errno
import getpass
import logging
import os
import re
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil
from filelock import FileLock, Timeout

from initodds import blas
from initodds.vocabulary import InputError, one_line

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

Result = TypeVar("Result")

SQLITE = "sqlite:///"
DATABASES = ("postgresql", "mysql", "mssql")
"""How the addresses of the database servers begin that MLflow knows."""
SECONDS_TO_ANSWER = 10
"""For which a server is waited for."""
SECONDS_TO_MAKE = 60
"""For which another process that is making the database is waited for."""
LONGEST_TAG = 8000

FOR_GOOD = (errno.EROFS, errno.EACCES, errno.EPERM)
"""Numbers of errors of files that go on however long one waits."""

LIBRARIES = ("initodds", "numpy", "scipy", "hydra-core", "mlflow", "pandas")

EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",  # runs and curves, not language models
    "mlflow.note.content": "How often does a network get stuck, given how its weights were drawn? "
    "Sweeps, under each its cells, under each its replicates.",
}


class StoreError(InputError):
    """A store cannot be written or reached; later it may be."""


@cache
def store_errors() -> tuple[type[Exception], ...]:
    """The errors of a store that cannot be written or reached."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError, StoreError, OSError)


@dataclass(frozen=True)
class Store:
    """A tracking store and the experiment in it that the runs go to."""

    client: "MlflowClient"
    experiment_id: str


def connect(uri: str, experiment: str) -> Store:
    """Open the store at `uri` to write to it, and make it and its experiment where they do not exist yet.

    Raises as `client_of`.
    """
    client = client_of(uri)
    return Store(client, experiment_of(client, uri, experiment))


def experiment_of(client: "MlflowClient", uri: str, name: str) -> str:
    """The id of the experiment of this name, made where it is missing: an SQLite file's artifacts go beside it."""
    from mlflow.exceptions import MlflowException

    location = str(_path(uri).parent / "mlruns" / re.sub(r"\W+", "-", name)) if uri.startswith(SQLITE) else None
    try:
        found = client.get_experiment_by_name(name)
        return str(found.experiment_id if found else client.create_experiment(name, location, EXPERIMENT_TAGS))
    except MlflowException as error:
        if found := client.get_experiment_by_name(name):  # another process has made it meanwhile
            return str(found.experiment_id)
        raise StoreError(f"tracking.uri={shown(uri)}: {one_line(error)}") from error


def client_of(uri: str, key: str = "tracking.uri", to_write: bool = True) -> "MlflowClient":
    """MLflow's client of the store at `uri`, an SQLite file being made where it is missing and is `to_write`.

    `key`: what the user calls the address, for messages. Raises StoreError where the store cannot be written or
    reached, InputError where it is none.
    """
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # by itself it would try for minutes; see `patiently`
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # they tell each step of a new database's making
    try:
        if uri.startswith("sqlite:"):
            uri = _require_sqlite(uri, to_write)
        elif uri.startswith(("http://", "https://")):
            import requests

            requests.get(f"{uri.rstrip('/')}/health", timeout=SECONDS_TO_ANSWER).raise_for_status()
        elif uri.startswith(DATABASES):
            _require_database(uri)
        mlflow.set_tracking_uri(uri)
        return MlflowClient(uri)
    except InputError as error:
        raise type(error)(f"{key}={shown(uri)}: {error}") from None
    except (MlflowException, SQLAlchemyError, OSError, sqlite3.Error, Timeout) as error:
        what = "written or reached" if to_write else "read"
        reason = one_line(error)[:300]
        raise StoreError(f"{key}={shown(uri)}: cannot be {what} ({reason})") from error


def shown(uri: str) -> str:
    """The address of a store for a message, without the password that it may have."""
    return re.sub(r"(://[^/@:]*:)[^@/]*@", r"\1***@", uri)


def _path(uri: str) -> Path:
    """The SQLite file at an address."""
    return Path(uri.removeprefix(SQLITE)).absolute()


def _require_sqlite(uri: str, to_write: bool) -> str:
    """The address of an SQLite file that MLflow can use, its path made absolute: MLflow keeps what it opened by its
    address. The file is made where it is missing and is `to_write`.

    Raises InputError, OSError or sqlite3.Error where it cannot be used.
    """
    if not uri.startswith(SQLITE) or uri in (SQLITE, f"{SQLITE}:memory:"):
        raise InputError("a file is needed, sqlite:///FILE; a database in memory is lost with the process")
    path = _path(uri)
    if odd := [mark for mark in "?#%'" if mark in str(path) or (mark == "'" and mark in str(Path.cwd()))]:
        raise InputError(f"MLflow takes no {' or '.join(odd)} in the path of a file or folder, nor options after one")
    if to_write:
        _make_database(path)
    elif path.is_file() and not _can_be_opened(path):
        path = _copied(path)
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and "experiments" not in tables:
            raise InputError("is a database of another program; name a file of its own, which is made")
        if to_write:
            connection.execute("PRAGMA journal_mode=WAL")  # readers, as the UI, and writers do not wait for each other
            connection.execute("BEGIN IMMEDIATE")
    return f"{SQLITE}{path}"


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


def _require_database(uri: str) -> None:
    """Raise StoreError where the database server at `uri` does not answer, for which MLflow would try for minutes, and
    InputError where nothing here can talk to it."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
    from sqlalchemy.pool import NullPool

    options = {} if uri.startswith("mssql") else {"connect_timeout": SECONDS_TO_ANSWER}
    try:
        create_engine(uri, poolclass=NullPool, connect_args=options).connect().close()
    except (ImportError, NoSuchModuleError) as error:
        raise InputError(f"the Python package that talks to such a database is missing ({one_line(error)})") from error
    except SQLAlchemyError as error:
        raise StoreError(f"cannot be reached ({one_line(error)[:300]})") from error


class Run:
    """A run that is being written."""

    def __init__(self, store: Store, name: str, level: str, parent: str | None, tags: dict[str, str]) -> None:
        tags = {**provenance(), **writer(), "level": level, **tags}
        tags |= {"mlflow.parentRunId": parent} if parent else {}
        self.store, self.client, self.parent = store, store.client, parent
        self.id = str(self.client.create_run(store.experiment_id, tags=tags, run_name=name).info.run_id)

    @classmethod
    def again(cls, store: Store, run_id: str, tags: dict[str, str]) -> "Run":
        """A run that has ended, taken up again by this process; `tags` are set anew."""
        run = cls.__new__(cls)
        run.store, run.client, run.parent, run.id = store, store.client, None, run_id
        for key, value in {**writer(), **tags}.items():
            run.client.set_tag(run_id, key, value)
        run.client.update_run(run_id, status="RUNNING")
        return run

    def log(self, metrics: "list[Metric]", params: dict[str, Any]) -> None:
        from mlflow.entities import Param

        entities = [Param(key, str(value)) for key, value in params.items()]
        self.client.log_batch(self.id, metrics, entities, synchronous=True)

    def describe(self, markdown: str) -> None:
        """Set the run's description, which the UI shows at its top; MLflow takes `LONGEST_TAG` characters of it."""
        if len(markdown) > LONGEST_TAG:
            markdown = markdown[: LONGEST_TAG - 100].rsplit("\n", 1)[0] + "\n\nThe rest is among the artifacts."
        self.client.set_tag(self.id, "mlflow.note.content", markdown)

    @contextmanager
    def ending(self) -> Iterator["Run"]:
        """Ends the run FINISHED, FAILED with the error as a tag, or KILLED, as the `with` block does."""
        try:
            yield self
        except Exception as error:
            self.broken_off("FAILED", error)
            raise
        except BaseException as interruption:  # Ctrl-C, or an exit
            self.broken_off("KILLED", interruption)
            raise
        self.client.set_terminated(self.id, "FINISHED")

    def broken_off(self, status: str, error: BaseException) -> None:
        """End the run with this status and the error as a tag, if the store still takes it."""
        with suppress(*store_errors()):
            self.client.set_tag(self.id, "error", one_line(error)[:1000])
            self.client.set_terminated(self.id, status)


@contextmanager
def open_run(store: Store, name: str, level: str, parent: str | None, tags: dict[str, str]) -> Iterator[Run]:
    """A new run that ends as the `with` block does, see `Run.ending`."""
    with Run(store, name, level, parent, tags).ending() as run:
        yield run


@cache
def provenance() -> dict[str, str]:
    """Tags of every run, by MLflow's names: user, program, and the code's git commit where it has one."""
    tags = {"mlflow.source.name": "initodds", "mlflow.source.type": "LOCAL"}
    with suppress(OSError, KeyError, ImportError):  # a user without a name
        tags["mlflow.user"] = getpass.getuser()
    with suppress(OSError):
        git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        found = subprocess.run(git, capture_output=True, text=True, check=False)
        tags |= {"mlflow.source.git.commit": found.stdout.strip()} if found.returncode == 0 else {}
    return tags


def writer() -> dict[str, str]:
    """Tags that say which process writes a run: its host, and its number and start there."""
    process = psutil.Process()
    return {"host": socket.gethostname(), "process": f"{process.pid} {process.create_time():.0f}"}


def is_alive(process: str) -> bool:
    """Whether the process of this host that `writer` has described is still there."""
    number, _, start = process.partition(" ")
    try:
        return f"{psutil.Process(int(number)).create_time():.0f}" == start
    except (psutil.Error, ValueError):
        return False


def bury(store: Store) -> int:
    """Mark the runs as KILLED whose process, on this host, is gone without having ended them; returns their number."""
    running = search(store, f"attributes.status = 'RUNNING' and tags.host = '{socket.gethostname()}'")
    dead = [run for run in running if not is_alive(run.data.tags.get("process", ""))]
    for run in dead:
        store.client.set_terminated(run.info.run_id, "KILLED")
    return len(dead)


def patiently(action: Callable[[], Result], seconds: float, error: Exception | None = None) -> Result:
    """What `action` returns. While the store fails it is tried again, with longer and longer pauses, for `seconds`.

    Then the store's error is raised; at once, where no waiting would help. `error`: with which it has failed before, so
    that a pause comes first.
    """
    end, pause = time.monotonic() + seconds, 0.5
    while True:
        if error is not None:
            print(f"tracking: {one_line(error)[:200]}; again in {pause:.1f} s", file=sys.stderr)
            time.sleep(pause)
            pause = min(2 * pause, 30.0)
        try:
            return action()
        except store_errors() as failure:
            if time.monotonic() + pause > end or getattr(failure, "errno", None) in FOR_GOOD:
                raise
            error = failure


def environment() -> dict[str, str]:
    """Tags of a sweep and of a cell: what computed it."""
    versions = {f"version.{name}": version(name) for name in LIBRARIES}
    command = shown(shlex.join(["initodds", *sys.argv[1:]]))
    return {"command": command, "python": sys.version.split()[0], "blas": blas.in_use(), **versions}


def now(metrics: dict[str, Any], step: int = 0) -> "list[Metric]":
    """MLflow's metrics, stamped with the present time in milliseconds."""
    from mlflow.entities import Metric

    stamp = int(time.time() * 1000)
    return [Metric(key, float(value), stamp, int(step)) for key, value in metrics.items()]


def search(store: Store, condition: str) -> list[Any]:
    """All of the experiment's runs for which a condition in MLflow's filter language holds, the first started first."""
    runs: list[Any] = []
    token = None
    while True:
        page = store.client.search_runs(
            [store.experiment_id], condition, max_results=5000, order_by=["attributes.start_time ASC"], page_token=token
        )
        runs += page
        token = page.token
        if not token:
            return runs
