"""The command as a user runs it: a sweep end to end, one cell, and what it says of bad input."""

import subprocess
import sys
from pathlib import Path

import pytest

from initodds.tracking import store as store_module
from tests.processes import command

SMALL = ("data=digits", "network.hidden=[6]", "sgd.epochs=2", "replicates=3")


def runs_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list:
    monkeypatch.chdir(folder)
    store = store_module.connect("sqlite:///mlflow.db", "initodds")
    return list(store.client.search_runs([store.experiment_id], max_results=1000))


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_sweep_from_the_command_to_the_table(launcher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    grid = ("init=unit,half", "sgd.batch_size=10,100", f"hydra/launcher={launcher}")
    done = command(tmp_path, "-m", *SMALL, *grid)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["init", "sgd.batch_size", "n"]
    assert [line.split()[:3] for line in lines[2:6]] == [
        ["unit", "10", "3"],
        ["unit", "100", "3"],
        ["half", "10", "3"],
        ["half", "100", "3"],
    ]
    assert "4/4 " in done.stderr
    runs = runs_in(tmp_path, monkeypatch)
    assert all(run.info.status == "FINISHED" for run in runs)
    levels = {level: [r for r in runs if r.data.tags["level"] == level] for level in ("sweep", "cell", "replicate")}
    assert {level: len(found) for level, found in levels.items()} == {"sweep": 1, "cell": 4, "replicate": 12}
    (sweep,) = levels["sweep"]
    assert {run.data.tags["mlflow.parentRunId"] for run in levels["cell"]} == {sweep.info.run_id}
    assert {run.data.tags["mlflow.parentRunId"] for run in levels["replicate"]} == {
        r.info.run_id for r in levels["cell"]
    }
    assert "| unit" in sweep.data.tags["mlflow.note.content"]
    artifacts = Path(sweep.info.artifact_uri)
    assert {path.name for path in artifacts.iterdir()} == {"rates.csv", "rates.md", "rates.png"}


def test_one_cell_alone_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = [sys.executable, "-m", "initodds", *SMALL, "init=unit"]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2].split()[:4] == ["unit", "10", "3.0", "3"]
    levels = [run.data.tags["level"] for run in runs_in(tmp_path, monkeypatch)]
    assert sorted(levels) == ["cell", "replicate", "replicate", "replicate"]


def test_a_bad_cell_fails_and_the_others_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    done = command(tmp_path, "-m", *SMALL, "init=half,nowhere", "sgd.batch_size=0,10,5000")
    assert done.returncode != 0
    assert "half" in done.stdout
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 5
    assert any("sgd.batch_size=0: " in line for line in failed)
    assert any("sgd.batch_size=5000: " in line and "1442" in line for line in failed)
    assert any("init/nowhere" in line and "half" in line for line in failed)
    cells = [run for run in runs_in(tmp_path, monkeypatch) if run.data.tags["level"] == "cell"]
    assert sorted(run.info.status for run in cells) == ["FAILED"] * 5 + ["FINISHED"]
    assert all(run.data.tags["error"] for run in cells if run.info.status == "FAILED")


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("sgd.batch_size=0",), "sgd.batch_size=0"),
        (("sgd.batch_size=1443", "data=digits"), "sgd.batch_size=1443"),
        (("init=nowhere",), "init/nowhere"),
        (("sgd.speed=1",), "sgd.speed"),
        (("data=mnist", "data.root=nowhere"), "data.root=nowhere"),
        (("tracking.uri=sqlite:////nowhere/runs.db",), "tracking.uri=sqlite:////nowhere/runs.db"),
        (
            ("-m", "init=unit,half", "tracking.uri=sqlite:////nowhere/runs.db"),
            "tracking.uri=sqlite:////nowhere/runs.db",
        ),
        (("-m", "init=unit,half", "sgd.speed=1,2"), "sgd.speed"),
    ],
)
def test_bad_input_ends_the_command_in_one_line(arguments: tuple[str, ...], key: str, tmp_path: Path):
    done = command(tmp_path, *arguments)
    assert done.returncode != 0
    lines = done.stderr.splitlines()
    assert any(key in line for line in lines)
    refused = [line for line in lines if line.startswith("failed: ")]  # cells of a sweep, a line each
    assert [line.startswith("initodds: ") for line in lines if line not in refused] == [True]
    assert done.stdout == ""


def test_a_sweep_resolves_relative_to_the_folder_it_runs_in(tmp_path: Path):
    assert command(tmp_path, *SMALL, "replicates=1").returncode == 0
    assert (tmp_path / "mlflow.db").is_file()
