"""Commands as processes of their own, forked from one that has loaded what they load: importing MLflow takes seconds,
and making it a database two more."""

import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from multiprocessing import connection
from pathlib import Path

from initodds.commands import run

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "initodds.commands.run",
        "initodds.commands.explain",
        "initodds.commands.report",
        "hydra_plugins.hydra_joblib_launcher.joblib_launcher",
        "matplotlib.backends.backend_agg",
        "mlflow.store.tracking.sqlalchemy_store",
        "mlflow.store.db.utils",
        "sklearn.datasets",
    ]
)


class Command:
    """A command that has been started in a folder, with what `subprocess.Popen` has of it.

    What it says goes to files, not through pipes: workers that outlive it would keep a pipe open.
    """

    def __init__(
        self, folder: Path, arguments: Sequence[str], environment: Mapping[str, str], main: Callable[[], None]
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="initodds-tests-")
        self._said: dict[int, str] = {}
        for descriptor in (1, 2):
            Path(self._folder.name, str(descriptor)).touch()
        self.args = list(arguments)
        self._process = SERVER.Process(
            target=_run, args=(main, self.args, folder, {**os.environ, **environment}, self._folder.name)
        )
        self._process.start()
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit status, negative where a signal has ended it; None while it is at work."""
        return self._process.exitcode

    @property
    def stdout(self) -> str:
        """What it has said so far."""
        return self._read(1)

    @property
    def stderr(self) -> str:
        """What it has said of its progress and of what is wrong, so far."""
        return self._read(2)

    def _read(self, descriptor: int) -> str:
        return self._said[descriptor] if self._said else Path(self._folder.name, str(descriptor)).read_text()

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; its exit status. Raises subprocess.TimeoutExpired."""
        if not connection.wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self._process.join()
        assert self.returncode is not None
        if not self._said:
            self._said = {descriptor: self._read(descriptor) for descriptor in (1, 2)}
            self._folder.cleanup()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait until it has ended; what it has said to standard output and to standard error."""
        self.wait(timeout)
        return self.stdout, self.stderr


def _run(main: Callable[[], None], arguments: list[str], folder: Path, environment: dict[str, str], said: str) -> None:
    """Be the process of a command."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    for descriptor in (1, 2):
        os.dup2(os.open(Path(said, str(descriptor)), os.O_WRONLY | os.O_APPEND), descriptor)
    # The server ignores SIGINT, as do the tests where they are a shell's background job.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["initodds", *arguments]
    try:
        main()
    finally:
        # As an interpreter ends, and a process of multiprocessing does not: joblib tells its workers to go here.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()


def launch(
    folder: Path, *arguments: str, main: Callable[[], None] = run.main, database: bool = True, **environment: str
) -> Command:
    """Start a command with these arguments in a folder, which gets an empty mlflow.db first where it has none."""
    if database and not (folder / "mlflow.db").exists():
        (folder / "mlflow.db").write_bytes(empty_database())
    return Command(folder, arguments, environment, main)


def command(
    folder: Path, *arguments: str, main: Callable[[], None] = run.main, database: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with these arguments in a folder, which gets an empty mlflow.db first where it has none."""
    process = launch(folder, *arguments, main=main, database=database, **environment)
    returncode = process.wait()
    return subprocess.CompletedProcess(process.args, returncode, process.stdout, process.stderr)


@cache
def empty_database() -> bytes:
    """The file of an MLflow store that nothing has been written to."""
    from mlflow import MlflowClient

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mlflow.db")
        MlflowClient(f"sqlite:///{path}").search_experiments(max_results=1)
        return path.read_bytes()
