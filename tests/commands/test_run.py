"""The command as a user runs it: a sweep end to end, one cell, and what it says of bad input."""

import subprocess
import sys
from pathlib import Path

import pytest

from initodds.commands import run
from initodds.tracking import store as store_module
from tests.processes import command

SMALL = ("data=digits", "network.hidden=[6]", "sgd.epochs=2", "replicates=3")


def runs_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list:
    monkeypatch.chdir(folder)
    store = store_module.connect("sqlite:///mlflow.db", "initodds")
    return list(store.client.search_runs([store.experiment_id], max_results=1000))


def test_help_has_every_option_and_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["initodds", "--help"])
    run.main()
    words = capsys.readouterr().out.replace(",", " ").split()
    assert {"init:", "lecun_uniform", "optimizer:", "rmsprop", "experiment/claims:", "batch_size:", "-m"} <= set(words)


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
    files = {"cells.json", "rates.csv", "rates.md", "rates.png", "report.html"}
    assert {path.name for path in artifacts.iterdir()} == files


def test_a_sweep_of_too_many_cells_for_a_picture_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    xor = ("data=xor", "network.hidden=[2]", "sgd.batch_size=4", "sgd.epochs=1", "tracking.replicates=table")
    done = command(tmp_path, "-m", *xor, "replicates=1", "init=unit,half", "seed=range(7)")
    assert done.returncode == 0, done.stderr
    (sweep,) = [run for run in runs_in(tmp_path, monkeypatch) if run.data.tags["level"] == "sweep"]
    assert not Path(sweep.info.artifact_uri, "rates.png").exists()
    assert Path(sweep.info.artifact_uri, "report.html").exists()


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("init=null",), "init=null: an option of init is chosen by its name"),
        (("data=null",), "data=null: "),
        (("engine=3",), "engine=3: "),
        (("-m", "init=half,unit", "data=null"), "data=null: "),
        (("hydra.run.dir=/proc/no/such",), "No such file or directory: '/proc/no"),
        (("-m", "init=half,unit", "hydra.sweep.dir=/proc/no/such"), "hydra.sweep.dir=/proc/no/such: "),
        (("~init",), "init={}: an option of the group init"),
        (("lerning=3",), "lerning: there is no such key; sgd.learning_rate is near"),
        (("tracking.experiment=Überprüfung",), "tracking.experiment=Überprüfung: cannot be read; "),
        (("data.load._target_=os.getcwd",), "data.load._target_=os.getcwd: gives a str"),
        (
            ("network.hidden=[1000000000]",),
            "network.hidden=[1000000000], sgd.epochs=10, sgd.checkpoints=8: weights and curves take ",
        ),
        (("-m", "seed=interval(0,1)"), "seed=interval(0,1): "),
        (("-m", "hydra.sweeper.max_batch_size=0"), "hydra.sweeper.max_batch_size=0: "),
        (("-m", "hydra.sweeper.max_batch_size=few"), "hydra.sweeper.max_batch_size=few: "),
    ],
)
def test_what_hydra_would_answer_with_a_traceback_is_told_in_one_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # as the command sets it
    monkeypatch.setattr("sys.argv", ["initodds", *arguments])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        run.main()
    message = str(ended.value)
    assert message.startswith("initodds: ")
    assert said in message
    assert "\n" not in message
    assert len(message) < 250


def test_a_folder_that_cannot_be_written_is_told_in_one_line():
    done = command(Path("/proc"), *SMALL, database=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "outputs" in done.stderr
    assert "hydra.run.dir=" in done.stderr


def test_paths_are_seen_from_where_the_command_was_started(tmp_path: Path):
    there = ("hydra.job.chdir=true", "hydra.sweep.dir=out", "hydra.sweeper.max_batch_size=1")
    done = command(tmp_path, "-m", *SMALL, "replicates=1", "init=half,unit,zeros", *there)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[2:5]] == ["half", "unit", "zeros"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0", "1", "2", "multirun.yaml"]
    assert [path.parent for path in tmp_path.rglob("*.db")] == [tmp_path]
    assert [path.parent for path in tmp_path.rglob("mlruns")] == [tmp_path]
    alone = command(tmp_path, *SMALL, "replicates=2", "init=half", "hydra.job.chdir=true", "hydra.run.dir=alone")
    assert alone.returncode == 0, alone.stderr
    assert [path.parent for path in tmp_path.rglob("*.db")] == [tmp_path]
    assert alone.stdout.splitlines()[2].split()[3] == "2"


def test_a_sweep_resolves_relative_to_the_folder_it_runs_in(tmp_path: Path):
    assert command(tmp_path, *SMALL, "replicates=1").returncode == 0
    assert (tmp_path / "mlflow.db").is_file()
