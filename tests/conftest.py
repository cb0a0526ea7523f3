"""What several tests share: small data, composed settings, the command in a folder of its own."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import requests
from hydra import compose, initialize_config_dir

import initodds  # noqa: F401  settles BLAS before NumPy loads
from initodds.cells import config
from initodds.cells.config import Settings
from initodds.networks.network import Layer, Network


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


def settings_of(*overrides: str) -> Settings:
    """The settings that the command would have with these overrides."""
    with initialize_config_dir(str(config.directory()), version_base="1.3"):
        return config.read(compose("config", list(overrides)))


def random_layers(network: Network, replicates: int, rng: np.random.Generator, scale: float = 1.0) -> list[list[Layer]]:
    """Layers for so many networks, normal with this standard deviation."""
    return [
        [(scale * rng.normal(size=shape), scale * rng.normal(size=shape[1])) for shape in network.layers]
        for _ in range(replicates)
    ]


def command(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `initodds` with these arguments in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "initodds", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


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
