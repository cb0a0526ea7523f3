"""An MLflow server with PostgreSQL behind it, which serves the artifacts too: both are started here, on loopback."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from initodds import analysis
from initodds.tracking import loading, unsent
from initodds.tracking import store as store_module
from initodds.vocabulary import InputError
from tests.conftest import free_port, wait_for_server
from tests.processes import command

pytestmark = pytest.mark.soak

GRID = ("-m", "data=digits", "network.hidden=[6]", "sgd.epochs=2", "replicates=3", "init=unit,half", "tracking=server")


def postgresql(program: str) -> str | None:
    """The path of one of PostgreSQL's programs, which Debian keeps off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    return shutil.which(program) or (str(found[-1]) if found else None)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    initdb, server = postgresql("initdb"), postgresql("postgres")
    if initdb is None or server is None:
        pytest.skip("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(prefix="initodds-postgresql-") as folder:
        as_user: dict[str, Any] = {"cwd": folder}
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            shutil.chown(folder, "postgres")
            as_user |= {"user": "postgres", "group": "postgres", "extra_groups": []}
        data, port = f"{folder}/data", free_port()
        making = [initdb, "-D", data, "-A", "trust", "-U", "postgres"]
        subprocess.run(making, check=True, capture_output=True, **as_user)
        options = ["-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        with open(f"{folder}/log", "w+") as log:
            process = subprocess.Popen([server, *options], stderr=log, **as_user)
            while "ready to accept connections" not in Path(log.name).read_text():
                assert process.poll() is None, Path(log.name).read_text()
                time.sleep(0.1)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
            process.send_signal(signal.SIGINT)  # at SIGTERM it would wait for its clients to go
            process.wait(timeout=30)


@contextmanager
def serving(database: str, folder: Path, port: int) -> Iterator[str]:
    """An MLflow server on that database, its artifacts in the folder; its address."""
    options = ["--backend-store-uri", database, "--artifacts-destination", folder / "artifacts", "--serve-artifacts"]
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (folder / "log").open("w") as log:
        program = [sys.executable, "-m", "mlflow", "server", *options, *where]
        process = subprocess.Popen(program, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    wait_for_server(address)
    yield address
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=30)


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server."""
    with serving(database, tmp_path_factory.mktemp("server"), free_port()) as address:
        yield address


def test_a_sweep_to_a_server_and_back(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    done = command(tmp_path, *GRID, "hydra/launcher=joblib", database=False, MLFLOW_TRACKING_URI=server)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "mlflow.db").exists()
    assert not (tmp_path / "mlruns").exists()
    monkeypatch.chdir(tmp_path)
    frame = analysis.load_replicates(server, sweep="latest")
    assert frame.groupby("init")["replicate"].apply(list).tolist() == [[0, 1, 2]] * 2
    assert (frame["run_id"] != "").all()
    curves = analysis.load_curves(server, sweep="latest")
    assert set(curves["cell"]) == set(frame["cell"])
    again = command(tmp_path, *GRID, database=False, MLFLOW_TRACKING_URI=server)
    assert again.stdout == done.stdout
    assert "2 of 2 cells need not be run" in again.stderr


def test_a_local_sweep_and_a_servers_are_the_same(server: str, tmp_path: Path):
    here = command(tmp_path, *GRID, "tracking=sqlite")
    there = command(tmp_path, *GRID, database=False, MLFLOW_TRACKING_URI=server)
    assert here.returncode == there.returncode == 0
    assert here.stdout == there.stdout


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path):
    done = command(tmp_path, *GRID, database=False, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{free_port()}")
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("initodds: tracking.uri=http://127.0.0.1:")


def test_a_server_that_goes_away_loses_nothing(database: str, tmp_path: Path):
    cell = (
        "data=digits",
        "network.hidden=[6]",
        "sgd.epochs=300",
        "sgd.orders=1",
        "replicates=4",
        "tracking.experiment=away",
        "tracking=server",
    )
    port = free_port()
    with serving(database, tmp_path, port) as address:
        options = {**os.environ, "MLFLOW_TRACKING_URI": address}
        program = [sys.executable, "-m", "initodds", *cell, "tracking.patience=2"]
        process = subprocess.Popen(program, cwd=tmp_path, env=options, stderr=subprocess.PIPE, text=True)
        while not running_cells(address):
            time.sleep(0.2)
    _, said = process.communicate(timeout=120)
    assert process.returncode != 0
    (message,) = [line for line in said.splitlines() if line.startswith("initodds: tracking.uri=")]
    assert "could not be written for 2 s" in message
    assert "will be written at the next start" in message
    assert "Traceback" not in said
    assert len(list((tmp_path / unsent.FOLDER).iterdir())) == 1
    with serving(database, tmp_path, port) as address:
        again = command(tmp_path, *cell, database=False, MLFLOW_TRACKING_URI=address)
        assert again.returncode == 0, again.stderr
        assert "which was kept on disk, is written" in again.stderr
        assert not list((tmp_path / unsent.FOLDER).iterdir())
        assert analysis.load_replicates(address, "away")["replicate"].tolist() == [0, 1, 2, 3]


def running_cells(address: str) -> list:
    """The runs of cells that are being written."""
    try:
        store = loading.open_store(address, "away")
    except InputError:
        return []
    return store_module.search(store, "tags.level = 'cell' and attributes.status = 'RUNNING'")
