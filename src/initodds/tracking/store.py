"""The tracking store: an MLflow database or server, the runs that are written there, and who writes them.

MLflow takes seconds to import, so it is imported late.
"""

import logging
import os
import shlex
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil
from filelock import FileLock

from initodds import blas
from initodds.vocabulary import InputError, one_line

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

Result = TypeVar("Result")

SQLITE = "sqlite:///"
LONGEST_TAG = 8000

LIBRARIES = ("initodds", "numpy", "scipy", "hydra-core", "mlflow", "pandas")

EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",  # runs and curves, not language models
    "mlflow.note.content": "How often does a network get stuck, given how its weights were drawn? "
    "Sweeps, under each its cells, under each its replicates.",
}


@cache
def store_errors() -> tuple[type[Exception], ...]:
    """The errors of a store that cannot be written or reached."""
    from mlflow.exceptions import MlflowException

    return (MlflowException, InputError, OSError)


@dataclass(frozen=True)
class Store:
    """A tracking store and the experiment in it that the runs go to."""

    client: "MlflowClient"
    experiment_id: str


def connect(uri: str, experiment: str) -> Store:
    """Open the store at `uri`, and make it and its experiment where they do not exist yet.

    Raises InputError where it cannot be written or reached.
    """
    client = client_of(uri)
    return Store(client, experiment_of(client, uri, experiment))


def experiment_of(client: "MlflowClient", uri: str, name: str) -> str:
    """The id of the experiment of this name, made where it is missing."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_experiment_by_name(name)
        return found.experiment_id if found else client.create_experiment(name, tags=EXPERIMENT_TAGS)
    except MlflowException as error:
        if found := client.get_experiment_by_name(name):  # another process has made it meanwhile
            return found.experiment_id
        raise InputError(f"tracking.uri={uri}: {one_line(error)}") from error


def client_of(uri: str) -> "MlflowClient":
    """MLflow's client of the store at `uri`, an SQLite file being made where it is missing.

    Raises InputError where it cannot be written or reached.
    """
    uri = absolute(uri)
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # by itself it would try for minutes; see `patiently`
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # they tell each step of a new database's making
    try:
        if uri.startswith(SQLITE):
            make_database(Path(uri.removeprefix(SQLITE)))
        require_reachable(uri)
        mlflow.set_tracking_uri(uri)
        return MlflowClient(uri)
    except (MlflowException, OSError, sqlite3.Error) as error:
        raise InputError(f"tracking.uri={uri}: cannot be written or reached ({one_line(error)})") from error


def make_database(path: Path) -> None:
    """Make MLflow's SQLite file where there is none.

    Two processes that make its tables at once would crash, and one that is killed while at it leaves half of them: so
    it is made by one, under another name, and then put in its place.
    """
    if path.exists() or not path.parent.is_dir():
        return
    from mlflow import MlflowClient

    lock = path.with_name(f"{path.name}.lock")
    with FileLock(lock):
        if not path.exists():
            new = path.with_name(f"{path.name}.new")
            new.unlink(missing_ok=True)
            MlflowClient(f"{SQLITE}{new}").search_experiments(max_results=1)
            new.rename(path)
    lock.unlink(missing_ok=True)


def absolute(uri: str) -> str:
    """The tracking URI, with the path of an SQLite file made absolute: MLflow keeps what it opened by its URI."""
    return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).absolute()}" if uri.startswith(SQLITE) else uri


def require_reachable(uri: str) -> None:
    """Raise OSError or sqlite3.Error where the store at `uri` cannot be written (a file) or reached (a server)."""
    if uri.startswith(SQLITE):
        with closing(sqlite3.connect(uri.removeprefix(SQLITE), timeout=60)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # readers, as the UI, and writers do not wait for each other
            connection.execute("BEGIN IMMEDIATE")
    elif uri.startswith(("http://", "https://")):
        import requests

        requests.get(f"{uri.rstrip('/')}/health", timeout=10).raise_for_status()


class Run:
    """A run that is being written."""

    def __init__(self, store: Store, name: str, level: str, parent: str | None, tags: dict[str, str]) -> None:
        tags = {**provenance(), **writer(), "level": level, **tags}
        tags |= {"mlflow.parentRunId": parent} if parent else {}
        self.store, self.client, self.parent = store, store.client, parent
        self.id = self.client.create_run(store.experiment_id, tags=tags, run_name=name).info.run_id

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
    """Tags of every run, as MLflow itself sets them: user, and the code's git commit where it has one."""
    from mlflow.tracking.context.registry import resolve_tags
    from mlflow.utils.git_utils import get_git_commit

    commit = get_git_commit(str(Path(__file__).parents[1]))
    tags = {**resolve_tags(), "mlflow.source.name": "initodds"}
    return tags | ({"mlflow.source.git.commit": commit} if commit else {})


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

    Then the store's error is raised. `error`: with which it has failed before, so that a pause comes first.
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
            if time.monotonic() + pause > end:
                raise
            error = failure


def environment() -> dict[str, str]:
    """Tags of a sweep and of a cell: what computed it."""
    versions = {f"version.{name}": version(name) for name in LIBRARIES}
    command = shlex.join(["initodds", *sys.argv[1:]])
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
