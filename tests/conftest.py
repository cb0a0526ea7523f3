"""What several tests share: small data, composed settings, free ports."""

import os
import socket
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import requests

import initodds  # noqa: F401  settles BLAS before NumPy loads
from initodds.cells import config
from initodds.cells.cell import Cell
from initodds.cells.drawing import Drawing
from initodds.cells.settings import Settings
from initodds.engines import Problem, Reduction, compiled
from initodds.engines.optimizers import SGD, Optimizer
from initodds.initializers import Initializer
from initodds.networks.network import Layer, Network
from initodds.tracking import records
from initodds.tracking.records import Record

needs_compiler = pytest.mark.skipif(not compiled.available(), reason="there is no C compiler")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Notebooks take long, and cannot be marked themselves."""
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker("soak")


@pytest.fixture(autouse=True)
def _no_sweep_goes_on() -> Iterator[None]:
    """A command that a test runs in this process, where it begins a sweep, does not leave it to the next test's."""
    yield
    for name in ("INITODDS_SWEEP", "INITODDS_SWEEPER", "INITODDS_SWEPT"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def full_mnist() -> str:
    """The folder with full MNIST."""
    root = os.environ.get("INITODDS_DATA")
    if root is None:
        pytest.skip("INITODDS_DATA names no folder with full MNIST")
    return root


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


STORES = Path(__file__).parent / "stores"


@pytest.fixture
def old_store(tmp_path: Path) -> Path:
    """A folder with the store that version 0.1.0 has written, see stores/README.md."""
    folder = tmp_path / "old"
    with tarfile.open(STORES / "0.1.0.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            connection.execute(f"UPDATE {table} SET {column} = replace({column}, '/store/', '{folder}/')")
        connection.commit()
    return folder


def settings_of(*overrides: str) -> Settings:
    """The settings that the command would have with these overrides."""
    return config.settings_of(overrides)


def record_of(
    trained: Cell,
    settings: Settings,
    choices: dict[str, str],
    name: str = "cell",
    parent: str | None = None,
    tags: dict[str, str] | None = None,
) -> Record:
    """The record of a cell that was trained with these settings and options of config groups."""
    params = records.parameters(settings, choices)
    return records.record_of(trained, settings, records.Heading(name, parent, tags or {}, params))


def random_layers(network: Network, replicates: int, rng: np.random.Generator, scale: float = 1.0) -> list[list[Layer]]:
    """Layers for so many networks, normal with this standard deviation."""
    return [
        [(scale * rng.normal(size=shape), scale * rng.normal(size=shape[1])) for shape in network.layers]
        for _ in range(replicates)
    ]


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_server(address: str) -> None:
    """Wait until the MLflow server at this address answers."""
    for _ in range(240):
        try:
            if requests.get(f"{address}/health", timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.5)
    pytest.fail(f"no answer from {address}")


def problem_of(
    network: Network,
    x: np.ndarray,
    targets: np.ndarray,
    learning_rate: float | np.ndarray = 1.0,
    reduction: Reduction = "mean",
    dtype: type = np.float64,
    optimizer: Optimizer | None = None,
) -> Problem:
    """A problem for an engine; by plain SGD, unless an optimizer is given."""
    return Problem(network, x, targets, optimizer or SGD(learning_rate), reduction, np.dtype(dtype))


def drawn(initializer: Initializer, network: Network, seed: int, replicate: int) -> list[Layer]:
    """The layers of a replicate, as a cell draws them."""
    return Drawing(initializer, network).replicate(seed, replicate)


def mini_batches(examples: int, batch_size: int, epochs: int, seed: int) -> Iterator[np.ndarray]:
    """The rows (1, batch) of each mini-batch, in turn."""
    order = np.random.default_rng(seed)
    for _ in range(epochs):
        permutation = order.permutation(examples)
        for start in range(0, examples, batch_size):
            yield permutation[None, start : start + batch_size]
