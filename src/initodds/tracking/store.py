"""The tracking store: an MLflow database or server, and the runs that are written there.

MLflow takes seconds to import, so it is imported late.
"""

import errno
import json
import logging
import math
import os
import re
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import Timeout

from initodds.tracking.sqlite import SQLITE, path_of, require_sqlite, sync_rarely
from initodds.tracking.writers import is_alive, is_here, provenance, shown, writer
from initodds.vocabulary import InputError, one_line

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Metric

Result = TypeVar("Result")

DEFAULT_URI, DEFAULT_EXPERIMENT = "sqlite:///mlflow.db", "initodds"
"""Where what is tracked is read from, if nobody says where."""
DATABASES = ("postgresql", "mysql", "mssql")
"""How the addresses of the database servers begin that MLflow knows."""
SECONDS_TO_ANSWER = 10
"""For which a server is waited for."""
SECONDS_BETWEEN_PULSES = 600
SECONDS_OF_SILENCE = 2 * 3600
"""After which a run whose process cannot be looked up, being another host's, counts as left by it. A process that
writes a sweep or a cell says every `SECONDS_BETWEEN_PULSES` that it still does."""
LONGEST_TAG = 8000

FOR_GOOD = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR)
"""Numbers of errors of files that go on however long one waits."""

EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",  # runs and curves, not language models
    "mlflow.note.content": """How often does a network get stuck, given how its weights were drawn?

**How to read it.** A *sweep* has *cells* under it, one for each combination of what was swept; a cell has its
*replicates* under it, networks that differ in their own weights and data order alone. Of a cell, `rate/stuck` is the
share that is stuck, `low/stuck` to `high/stuck` its 95 % interval, and `cause/...` how many suffer from what; its page
says it in words, and its artifacts have the curves. A sweep's page has the table, and its artifacts the whole report,
`report.html`.

- Cells only, most often stuck first: search for `tags.level = 'cell'` and sort by `rate/stuck`; or `initodds-ui`, which
  prints the links.
- Single networks: `tags.level = 'replicate' and tags.outcome = 'stuck'`. What is not a finite number has no metric; the
  tag `not_finite` names it.
- From Python: `initodds.load_replicates()`.
""",
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
    """A tracking store and the experiment in it that the runs go to.

    location: where the artifacts of its runs lie, each run's in a folder of its own.
    """

    client: "MlflowClient"
    experiment_id: str
    location: str


def connect(uri: str, experiment: str) -> Store:
    """Open the store at `uri` to write to it, and make it and its experiment where they do not exist yet.

    Raises as `client_of`.
    """
    client = client_of(uri)
    found = experiment_of(client, uri, experiment)
    return Store(client, found.experiment_id, found.artifact_location)


def connect_at_start(uri: str, experiment: str, patience: float) -> Store:
    """`connect`, as a command begins: an SQLite file that another process has locked is waited for, for `patience`
    seconds, and a server that does not answer is told at once. Raises as `connect`."""
    return patiently(lambda: connect(uri, experiment), patience if uri.startswith("sqlite:") else 0)


def experiment_of(client: "MlflowClient", uri: str, name: str) -> "Experiment":
    """The experiment of this name, made where it is missing: an SQLite file's artifacts go beside it."""
    from mlflow.exceptions import MlflowException

    location = str(path_of(uri).parent / "mlruns" / re.sub(r"\W+", "-", name)) if uri.startswith(SQLITE) else None
    try:
        if found := client.get_experiment_by_name(name):
            return found
        return client.get_experiment(client.create_experiment(name, location, EXPERIMENT_TAGS))
    except MlflowException as error:
        if found := client.get_experiment_by_name(name):  # another process has made it meanwhile
            return found
        raise StoreError(f"tracking.uri={shown(uri)}: {one_line(error)}") from error


def client_of(uri: str, key: str = "tracking.uri", to_write: bool = True) -> "MlflowClient":
    """MLflow's client of the store at `uri`, an SQLite file being made where it is missing and is `to_write`.

    `key`: what the user calls the address, for messages. Raises StoreError where the store cannot be written or
    reached, InputError where it is none.
    """
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it takes time, and tells others
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # by itself it would try for minutes; see `patiently`
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # they tell each step of a new database's making
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # shows whole what it raises, and we tell
    try:
        if uri.startswith("sqlite:"):
            uri = require_sqlite(uri, to_write)
            sync_rarely()
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
    """A run that is being written. `tags`: those that it began with."""

    def __init__(self, store: Store, name: str, level: str, parent: str | None, tags: dict[str, str]) -> None:
        tags = {**provenance(), **writer(), "level": level, **tags}
        tags |= {"mlflow.parentRunId": parent} if parent else {}
        self.store, self.client, self.parent, self.tags = store, store.client, parent, tags
        info = self.client.create_run(store.experiment_id, tags=tags, run_name=name).info
        self.id, self._artifacts = str(info.run_id), str(info.artifact_uri)

    @classmethod
    def again(cls, store: Store, run_id: str, tags: dict[str, str]) -> "Run":
        """A run that has ended, taken up again by this process; `tags` are set anew."""
        run = cls.__new__(cls)
        run.store, run.client, run.parent, run.id = store, store.client, None, run_id
        run.tags = tags
        run._artifacts = str(store.client.get_run(run_id).info.artifact_uri)
        for key, value in {**writer(), **tags}.items():
            run.client.set_tag(run_id, key, value)
        run.client.update_run(run_id, status="RUNNING")
        return run

    def log(self, metrics: "list[Metric]", params: dict[str, Any], tags: dict[str, str] | None = None) -> None:
        """Write metrics, params and tags, all in one call."""
        from mlflow.entities import Param, RunTag

        entities = [Param(key, str(value)) for key, value in params.items()]
        named = [RunTag(key, value) for key, value in (tags or {}).items()]
        self.client.log_batch(self.id, metrics, entities, named, synchronous=True)

    def describe(self, markdown: str) -> None:
        """Set the run's `description`."""
        self.log([], {}, description(markdown))

    def log_data(self, name: str, sha256: str) -> None:
        """Say which data the run is of, as the UI's column Dataset and its filter have it."""
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.exceptions import MlflowException

        source = json.dumps({"data": name, "sha256": sha256})
        dataset = Dataset(name=name[:500], digest=sha256[:8], source_type="code", source=source)
        inputs = [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
        try:
            self.client.log_inputs(self.id, inputs)
        except MlflowException:  # another process has written the same data in this moment: now they are there
            self.client.log_inputs(self.id, inputs)

    @contextmanager
    def artifacts(self) -> Iterator[Path]:
        """A folder, whose files at the end of the `with` block are artifacts of the run: the one where they lie, if it
        is on this machine, so that they need not be copied."""
        if self._artifacts.startswith("/"):
            folder = Path(self._artifacts)
            folder.mkdir(parents=True, exist_ok=True)
            yield folder
        else:
            with tempfile.TemporaryDirectory() as name:
                yield Path(name)
                self.client.log_artifacts(self.id, name)

    @contextmanager
    def pulse(self) -> Iterator[None]:
        """While the `with` block runs, the run says now and then that its process is there."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(SECONDS_BETWEEN_PULSES):
                with suppress(*store_errors()):
                    self.client.set_tag(self.id, "pulse", f"{time.time():.0f}")

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

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


def description(markdown: str) -> dict[str, str]:
    """The tag with a run's description, which the UI shows at its top; MLflow takes `LONGEST_TAG` characters of it."""
    if len(markdown) > LONGEST_TAG:
        markdown = markdown[: LONGEST_TAG - 100].rsplit("\n", 1)[0] + "\n\nThe rest is among the artifacts."
    return {"mlflow.note.content": markdown}


def bury(store: Store) -> int:
    """Mark the runs as KILLED whose process is gone without having ended them; returns their number.

    Of processes of other hosts, those that have been silent for `SECONDS_OF_SILENCE`: one that still writes is not.
    """
    dead = [run for run in search(store, "attributes.status = 'RUNNING'") if _is_left(run.data.tags)]
    for run in dead:
        store.client.set_terminated(run.info.run_id, "KILLED")
    return len(dead)


def _is_left(tags: Mapping[str, str]) -> bool:
    """Whether the process that these tags of `writer` describe is gone, as far as can be told from here."""
    if "host" not in tags:  # no run of ours
        return False
    if is_here(tags):
        return not is_alive(tags.get("process", ""))
    return "pulse" in tags and time.time() - float(tags["pulse"]) > SECONDS_OF_SILENCE


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
            if time.monotonic() + pause > end or getattr(failure.__cause__ or failure, "errno", None) in FOR_GOOD:
                raise
            error = failure


def now(metrics: dict[str, Any], step: int = 0) -> "list[Metric]":
    """MLflow's metrics, stamped with the present time in milliseconds; of finite numbers alone, since MLflow keeps NaN
    as 0 and then finds a diverged network by `cost < 0.1`."""
    from mlflow.entities import Metric

    stamp = int(time.time() * 1000)
    return [Metric(key, float(value), stamp, int(step)) for key, value in metrics.items() if math.isfinite(value)]


def not_finite(metrics: Mapping[str, Any]) -> dict[str, str]:
    """The tag that names those that `now` leaves out; no tag where it leaves none."""
    left_out = [key for key, value in metrics.items() if not math.isfinite(value)]
    return {"not_finite": ", ".join(left_out)} if left_out else {}


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
