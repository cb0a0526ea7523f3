"""The command `initodds-explain` on what the command `initodds` has tracked."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from initodds.tracking import loading, reading, records
from initodds.tracking import store as store_module
from tests.conftest import command

PROGRAM = "from initodds.commands.explain import main; main()"


def explain(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tracked")
    small = ("data=digits", "network.hidden=[8]", "sgd.epochs=20", "replicates=3")
    assert command(path, *small, "init=uniform", "init.low=3", "init.high=4").returncode == 0
    assert command(path, *small, "init=half", "sgd.epochs=60").returncode == 0
    return path


def runs(folder: Path, condition: str) -> list:
    return store_module.search(loading.open_store(f"sqlite:///{folder}/mlflow.db", None), condition)


def cell_of(folder: Path, init: str) -> str:
    return runs(folder, f"tags.level = 'cell' and params.init = '{init}'")[0].info.run_id


def test_a_stuck_replicate_is_explained_as_its_run_is(folder: Path, monkeypatch: pytest.MonkeyPatch):
    stuck = runs(folder, "tags.outcome = 'stuck' and params.replicate = '1'")[0]
    done = explain(folder, stuck.info.run_id)
    assert done.returncode == 0, done.stderr
    words, *numbers = done.stdout.split("\n\n")[1:]
    assert words == stuck.data.tags["mlflow.note.content"]
    assert words.startswith("All 8 hidden units answer 1.000 to nearly every image")
    assert done.stdout.startswith("replicate 1: hidden_saturated, ")
    assert f"gradient_norm            {stuck.data.metrics['gradient_norm']:.4g}" in numbers[0]
    assert (stuck.data.tags["cause"], stuck.data.tags["point"]) == ("hidden_saturated", "flat")


def test_a_cell_is_explained_whole_and_says_it_in_its_description(folder: Path):
    done = explain(folder, cell_of(folder, "uniform"))
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line.startswith("replicate ")] == [
        "replicate 0",
        "replicate 1",
        "replicate 2",
    ]
    (cell,) = runs(folder, "tags.level = 'cell' and params.init = 'uniform'")
    assert "All 8 hidden units answer 1.000" in cell.data.tags["mlflow.note.content"]
    assert cell.data.metrics["cause/hidden_saturated"] == 3


def test_stored_weights_are_the_trained_ones_of_those_that_failed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    store = loading.open_store(None, None)
    arrays = reading.read_arrays(store, cell_of(folder, "uniform"), records.WEIGHTS)
    assert arrays["replicates"].tolist() == [0, 1, 2]
    assert {name: array.shape for name, array in arrays.items()} == {
        "replicates": (3,),
        "weights_1": (3, 64, 8),
        "biases_1": (3, 8),
        "weights_2": (3, 8, 10),
        "biases_2": (3, 10),
    }
    assert np.abs(arrays["weights_1"] - 3.5).max() < 1


def test_what_cannot_be_explained_is_said_in_a_line(folder: Path):
    converged = runs(folder, "tags.outcome = 'converged'")[0].info.run_id
    for run_id, message in (
        (converged, "its weights were not kept; diagnosis.keep_weights says whose are"),
        (cell_of(folder, "half"), "its weights were not kept"),
        ("0" * 32, "there is no such run"),
    ):
        done = explain(folder, run_id)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("initodds-explain: RUN_ID")
        assert message in line


def test_other_data_than_it_was_trained_on_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch):
    other = "from initodds import datasets; datasets.digits = datasets.mnist_5k; " + PROGRAM
    program = [sys.executable, "-c", other, cell_of(folder, "uniform")]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is not the one that it was trained on any more" in done.stderr
