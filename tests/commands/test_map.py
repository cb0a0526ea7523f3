"""The command `initodds-map` as a user runs it."""

import os
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import initodds
from initodds.cells.axes import axis_of
from initodds.cells.plane import plane_of
from initodds.cells.points import Trainer
from initodds.commands import map as map_command
from initodds.sweeps import tiles
from initodds.tracking import loading, maps
from initodds.tracking import store as store_module
from initodds.vocabulary import InputError
from tests.processes import Command, command, launch

make = partial(command, main=map_command.main)

PLANE = ("data=digits", "network.hidden=[4]", "sgd.epochs=2", "init=centred", "init.half_width=0.5")
AXES = ("--x", "init.centre=-0.2:0.4", "--y", "sgd.learning_rate=0.1:30:log")


def maps_in(folder: Path) -> list:
    opened = loading.open_store(f"sqlite:///{folder}/mlflow.db", None)
    return store_module.search(opened, "tags.level = 'map'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("map")
    done = make(path, *PLANE, *AXES, "--size", "12", "--out", "pictures")
    assert done.returncode == 0, done.stderr
    assert "144 networks" in done.stderr
    assert "**144 networks** at 12 x 12 points of init.centre -0.2:0.4 and sgd.learning_rate 0.1:30:log" in done.stdout
    return path


def test_one_run_has_it_all(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    (run,) = maps_in(folder)
    assert run.info.status == "FINISHED"
    assert run.data.tags["command"].startswith("initodds-map data=digits")
    assert run.data.params["init.centre"] == "-0.2:0.4"
    assert run.data.params["sgd.learning_rate"] == "0.1:30:log"
    assert (run.data.params["seed"], run.data.params["size"], run.data.params["draw"]) == ("0", "12", "same")
    assert run.data.metrics["networks"] == 144
    names = {path.name for path in Path(run.info.artifact_uri).iterdir()}
    assert names == {"map.parquet", "settings.json", "outcome.png", "cost.png"}
    assert {path.name for path in (folder / "pictures").iterdir()} == {"outcome.png", "cost.png"}
    assert not list((folder / map_command.KEPT).iterdir())


def test_the_table_is_that_of_the_cells(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    frame = initodds.load_map()
    assert list(frame) == ["init.centre", "sgd.learning_rate", "replicate", "outcome", "accuracy", "cost"]
    assert len(frame) == 144
    assert frame["outcome"].cat.ordered
    for place in (0, 77, 143):
        row = frame.iloc[place]
        numbers = f"init.centre={row['init.centre']}", f"sgd.learning_rate={row['sgd.learning_rate']}"
        cell = initodds.run(*PLANE, *numbers, "replicates=1", "diagnosis.of=none")
        assert cell.judgement.outcome.tolist() == [row["outcome"]]
        assert cell.history.cost[-1, 0] == pytest.approx(row["cost"], rel=1e-6)


def test_the_same_map_is_not_made_again(folder: Path):
    again = make(folder, *PLANE, *AXES, "--size", "12", "--out", "more/pictures")
    assert again.returncode == 0
    assert "is tracked already" in again.stderr
    assert "**144 networks**" in again.stdout
    assert len(maps_in(folder)) == 1
    for name in ("outcome.png", "cost.png"):
        assert (folder / "more/pictures" / name).read_bytes() == (folder / "pictures" / name).read_bytes()


def test_the_jobs_of_a_launcher_make_the_map_that_threads_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Several tiles, each in a process of joblib's."""
    monkeypatch.chdir(tmp_path)
    tiny = ("data=xor", "network.hidden=[2]", "sgd.batch_size=4", "sgd.epochs=3", "init=centred", "init.half_width=0.5")
    threads = make(tmp_path, *tiny, *AXES, "--size", "10")
    jobs = make(tmp_path, *tiny, *AXES, "--size", "10", "hydra/launcher=joblib", "tracking.experiment=jobs")
    assert threads.returncode == jobs.returncode == 0, jobs.stderr
    assert len(list((tmp_path / "outputs").glob("2*/*/[0-9]*"))) == 4  # 32 points in each
    pd.testing.assert_frame_equal(initodds.load_map(), initodds.load_map(experiment="jobs"))


def test_a_zoom_is_a_map_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch):
    done = make(folder, *PLANE, *AXES, "--size", "2", "--zoom", "-0.1:0.2,1:3", "--replicates", "3", "--draw", "each")
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(folder)
    frame = initodds.load_map()
    assert frame["init.centre"].unique().tolist() == [-0.1, 0.2]
    assert frame["sgd.learning_rate"].unique().tolist() == [1.0, 3.0]
    assert frame["replicate"].tolist() == list(range(12))
    with pytest.raises(InputError, match="run=x: 0 finished maps found"):
        initodds.load_map(run="x")


def test_params_are_those_of_all_points(tmp_path: Path):
    """A setting that others interpolate takes them with it."""
    done = make(tmp_path, *PLANE, "init.centre=0", "--x", "data.target_accuracy=0.5:0.9", *AXES[2:], "--size", "2")
    assert done.returncode == 0, done.stderr
    (run,) = maps_in(tmp_path)
    assert run.data.params["data.target_accuracy"] == "0.5:0.9"
    assert "outcome.target" not in run.data.params
    assert run.data.params["outcome.dead_recall"] == "0.05"
    assert "seconds" not in run.data.metrics


def test_a_folder_that_cannot_be_written_is_told_before_training(tmp_path: Path):
    (tmp_path / "file").touch()
    done = make(tmp_path, *PLANE, *AXES, "--size", "2", "--out", "file")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("initodds-map: --out file: a folder that cannot be written")
    assert list(tmp_path.glob("outputs*")) == []


def test_a_map_that_another_process_makes_is_refused(tmp_path: Path):
    """Until that has ended, of itself or not."""
    arguments = (*PLANE, "sgd.epochs=200", *AXES, "--size", "24")
    started = launch(tmp_path, *arguments, main=map_command.main)
    kept = tmp_path / map_command.KEPT
    while not list(kept.glob("*")) and started.returncode is None:
        time.sleep(0.1)
    try:
        done = make(tmp_path, *arguments)
    finally:
        os.kill(started.pid, signal.SIGKILL)
        started.wait()
    assert done.returncode == 1
    (run,) = maps_in(tmp_path)
    told = f"initodds-map: process {started.pid} is at work on this map, in run {run.info.run_id}"
    assert done.stderr.splitlines()[-1] == told


def test_damaged_tiles_are_missing_and_a_rerun_takes_up_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    x, y = axis_of(AXES[1], "--x"), axis_of(AXES[3], "--y")
    plane = plane_of(PLANE, x, y, 10)
    whole = tiles.train(plane, tmp_path / "kept")
    first, second, third, _ = sorted((tmp_path / "kept").iterdir())
    first.write_bytes(first.read_bytes()[:100])
    second.write_bytes(b"")
    third.write_bytes(third.with_name("tile-000003.npz").read_bytes())
    written: list[str] = []
    write = tiles._write
    monkeypatch.setattr(tiles, "_write", lambda path, results: (written.append(path.name), write(path, results)))
    mended = tiles.train(plane, tmp_path / "kept")
    assert sorted(written) == [first.name, second.name, third.name]
    for name, array in vars(whole).items():
        np.testing.assert_array_equal(getattr(mended, name), array)
    written.clear()
    monkeypatch.chdir(tmp_path)
    key = map_command._key(plane_of([*PLANE, "tracking.rerun=true"], x, y, 10))
    shutil.copytree(tmp_path / "kept", tmp_path / map_command.KEPT / key)
    monkeypatch.setattr("sys.argv", ["initodds-map", *PLANE, *AXES, "--size", "10", "tracking.rerun=true"])
    map_command.main()
    assert len(written) == 4


def test_only_what_cannot_be_written_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plane = plane_of(PLANE, axis_of(AXES[1], "--x"), axis_of(AXES[3], "--y"), 2)

    def fails(self: Trainer, points: object) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(Trainer, "train", fails)
    with pytest.raises(BlockingIOError, match="no more processes"):
        tiles.train(plane, tmp_path / "kept")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: a folder that cannot be written"):
        tiles.train(plane, tmp_path / "file")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--x", "init.centre=0:1"), "required: --y"),
        ((*AXES, "--size", "0"), "--size 0: a whole number of at least 1"),
        ((*AXES, "--replicates", "-2"), "--replicates -2: a whole number of at least 1"),
        ((*AXES, "--size", "1000000"), "days here; a smaller size, or --yes"),
        (("--x", "sgd.epochs=1:1000000", *AXES[2:], "init.centre=0"), "days here; a smaller size, or --yes"),
        ((*AXES, "--zoom", "-1:0,1:2"), "--zoom=-1:0: a part of init.centre=-0.2:0.4"),
        ((*AXES[:2], "--y", "sgd.learning_rate=0:1:log"), "a logarithmic axis is of numbers over 0"),
        ((*AXES, "init.half_width=-1"), "init.half_width=-1: a number of at least 0"),
        ((*AXES, "init.half_width=1,2"), "init.half_width=1,2: one value is needed"),
        ((*AXES, "-m"), "unrecognized arguments: -m"),
    ],
)
def test_bad_input_is_one_line_before_anything_starts(arguments: tuple[str, ...], message: str, tmp_path: Path):
    done = make(tmp_path, *PLANE, *arguments, database=False)
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("initodds-map: ")
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_interrupted_it_goes_on_with_the_same_table(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The tiles that were trained are not trained again, and the table is that of a map made at once."""
    monkeypatch.setattr("initodds.cells.points.NUMBERS_TOGETHER", 6000)
    monkeypatch.setenv("INITODDS_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    arguments = ["initodds-map", *PLANE, *AXES, "--size", "12"]
    monkeypatch.setattr("sys.argv", arguments)
    write, written = tiles._write, []

    def write_some(path: Path, results: object) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        write(path, results)

    monkeypatch.setattr(tiles, "_write", write_some)
    with pytest.raises(SystemExit, match="interrupted; what is trained stays"):
        map_command.main()
    assert [run.info.status for run in maps_in(tmp_path)] == ["KILLED"]
    first = set(written)
    written.clear()
    monkeypatch.setattr(tiles, "_write", lambda path, results: (written.append(path), write(path, results)))
    map_command.main()
    assert written
    assert not first & set(written)
    (run,) = maps_in(tmp_path)
    assert run.info.status == "FINISHED"
    whole = maps.load_map(f"sqlite:///{folder}/mlflow.db", run=_first_map(folder))
    pd.testing.assert_frame_equal(maps.load_map(), whole)


def _first_map(folder: Path) -> str:
    return str(maps_in(folder)[0].info.run_id)


@pytest.mark.soak
def test_killed_it_goes_on(tmp_path: Path):
    """As by the operating system, in the middle of a write perhaps."""
    arguments = (*PLANE, "sgd.epochs=30", *AXES, "--size", "24")
    started = Command(tmp_path, arguments, {}, map_command.main)
    kept = tmp_path / map_command.KEPT
    for _ in range(600):
        if list(kept.glob("*/tile-*.npz")):
            break
        time.sleep(0.1)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    done = make(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert {run.info.status for run in maps_in(tmp_path)} == {"FINISHED"}
    other = tmp_path / "other"
    other.mkdir()
    assert make(other, *arguments).returncode == 0
    both = [maps.load_map(f"sqlite:///{path}/mlflow.db") for path in (tmp_path, other)]
    pd.testing.assert_frame_equal(*both)
    assert np.isfinite(both[0]["cost"]).all()
