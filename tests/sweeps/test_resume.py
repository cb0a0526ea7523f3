"""Sweeps that are started again, grow, are cut off at any moment, run beside each other, or lose their store."""

import errno
import os
import random
import signal
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from initodds import analysis
from initodds.sweeps import ending
from initodds.tracking import loading, writers
from initodds.tracking import store as store_module
from initodds.vocabulary import InputError
from tests.processes import command, empty_database, launch

SMALL = ("data=digits", "network.hidden=[6]", "sgd.epochs=2")
GRID = ("-m", *SMALL, "init=unit,half", "sgd.batch_size=10,100")


def open_store(folder: Path) -> store_module.Store:
    return loading.open_store(f"sqlite:///{folder}/mlflow.db", None)


def started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list:
    """The runs of sweeps and cells, in the order of their starts."""
    monkeypatch.chdir(folder)
    runs = store_module.search(open_store(folder), "tags.level != 'replicate'")
    return [run for run in runs if run.data.tags["level"] in ("sweep", "cell")]


def replicates(folder: Path) -> pd.DataFrame:
    return analysis.load_replicates(f"sqlite:///{folder}/mlflow.db")


def test_the_same_command_again_does_nothing_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = command(tmp_path, *GRID, "replicates=3")
    before = started(tmp_path, monkeypatch)
    again = command(tmp_path, *GRID, "replicates=3", "hydra/launcher=joblib")
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert "4 of 4 cells need not be run" in again.stderr
    assert [run.info.run_id for run in started(tmp_path, monkeypatch)] == [run.info.run_id for run in before]
    assert {run.info.status for run in started(tmp_path, monkeypatch)} == {"FINISHED"}


def test_results_are_written_again_where_they_would_be_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    xor = ("-m", "data=xor", "network.hidden=[2]", "sgd.batch_size=4", "sgd.epochs=1", "tracking.replicates=table")
    sweep = (*xor, "init=unit,half", "sgd.learning_rate=1,2")

    def results() -> dict[str, str]:
        (page,) = tmp_path.glob("mlruns/initodds/*/artifacts/report.html")
        return {path.name: f"{path.stat().st_mtime_ns} {path.read_text()}" for path in page.parent.glob("r*[mdvl]")}

    def after(*arguments: str) -> dict[str, str]:
        assert command(tmp_path, *(arguments or (*sweep, "replicates=2"))).returncode == 0
        return results()

    first = after()
    assert set(first) == {"rates.md", "rates.csv", "report.html"}
    assert after() == first
    (run,) = [run for run in started(tmp_path, monkeypatch) if run.data.tags["level"] == "sweep"]
    client, page = open_store(tmp_path).client, Path(run.info.artifact_uri, "report.html")

    page.unlink()
    assert after()["report.html"].partition(" ")[2] == first["report.html"].partition(" ")[2]
    written = after()
    client.set_tag(run.info.run_id, ending.TAG, "")  # as one that is killed while it writes leaves it
    assert after() != written
    written = after()
    (cell, *_) = [run for run in started(tmp_path, monkeypatch) if run.data.tags["level"] == "cell"]
    client.delete_run(cell.info.run_id)  # so that it is trained again, in another run
    again = after()
    assert again != written
    assert after() == again
    more = after(*sweep, "replicates=3")
    assert "12 networks" in more["rates.md"]
    fewer = after()  # the same runs, of which fewer replicates are asked for
    assert "8 networks" in fewer["rates.md"]


def test_results_are_made_of_the_code_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module = tmp_path / "initodds" / "sweeps" / "ending.py"
    monkeypatch.setattr(ending, "__file__", str(module))
    states = []
    for content in ("a = 1", "a = 2"):
        module.parent.mkdir(parents=True, exist_ok=True)
        (module.parent / "report.html.j2").write_text(content)
        ending.state_of_code.cache_clear()
        states.append(ending.state_of_code())
    ending.state_of_code.cache_clear()
    assert states[0] != states[1]


def test_more_replicates_train_only_the_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert command(tmp_path, *GRID, "replicates=3", "dtype=float64").returncode == 0
    few = replicates(tmp_path)
    grown = command(tmp_path, *GRID, "replicates=5", "dtype=float64")
    assert grown.returncode == 0, grown.stderr
    assert [line.split()[2] for line in grown.stdout.splitlines()[2:6]] == ["5"] * 4
    frame = replicates(tmp_path)
    assert frame.groupby("cell")["replicate"].apply(list).tolist() == [[0, 1, 2, 3, 4]] * 4
    kept = frame[frame["replicate"] < 3].reset_index(drop=True)
    assert kept["run_id"].tolist() == few["run_id"].tolist()
    runs = started(tmp_path, monkeypatch)
    assert [run.data.tags["level"] for run in runs].count("sweep") == 1
    whole = tmp_path / "whole"
    whole.mkdir()
    assert command(whole, *GRID, "replicates=5", "dtype=float64").returncode == 0
    np.testing.assert_allclose(frame["cost"], replicates(whole)["cost"], rtol=1e-9)


def test_another_sweep_takes_the_cells_that_it_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert command(tmp_path, "-m", *SMALL, "replicates=3", "init=unit,half").returncode == 0
    other = command(tmp_path, "-m", *SMALL, "replicates=3", "init=half,zeros,unit")
    assert "2 of 3 cells need not be run" in other.stderr
    assert [line.split()[0] for line in other.stdout.splitlines()[2:5]] == ["half", "zeros", "unit"]
    monkeypatch.chdir(tmp_path)
    frame = analysis.load_replicates(sweep="latest")
    assert frame["init"].unique().tolist() == ["half", "zeros", "unit"]
    assert len(replicates(tmp_path)) == 9


def test_done_again_on_request_and_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert command(tmp_path, *SMALL, "replicates=2").returncode == 0
    assert command(tmp_path, *SMALL, "replicates=2", "tracking.rerun=true").returncode == 0
    assert len(started(tmp_path, monkeypatch)) == 2
    assert len(replicates(tmp_path)) == 2


def test_a_cell_that_failed_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = ("-m", *SMALL, "replicates=2", "init=zeros", "init._target_=initodds.initializers.Zeros,mine.Draw")
    program = "import numpy as np, os\nclass Draw:\n    def __call__(self, rng, fan_in, fan_out):\n"
    fails = program + "        if fan_in > 3:\n            raise RuntimeError('not yet')\n"
    draws = "        return np.zeros((fan_in, fan_out)), np.zeros(fan_out)\n"
    (tmp_path / "mine.py").write_text(fails + draws)
    failed = command(tmp_path, *own, PYTHONPATH=str(tmp_path))
    assert failed.returncode != 0
    assert "not yet" in failed.stderr
    errors = [run.data.tags.get("error") for run in started(tmp_path, monkeypatch) if run.info.status == "FAILED"]
    assert [error for error in errors if "not yet" in str(error)]
    (tmp_path / "mine.py").write_text(program + draws)
    mended = command(tmp_path, *own, PYTHONPATH=str(tmp_path))
    assert mended.returncode == 0, mended.stderr
    assert "1 of 2 cells need not be run" in mended.stderr
    assert len(replicates(tmp_path)) == 4
    (tmp_path / "mine.py").write_text(program + draws.replace("zeros", "ones"))
    edited = command(tmp_path, *own, PYTHONPATH=str(tmp_path))
    assert "1 of 2 cells need not be run" in edited.stderr, "edited code is trained anew"
    assert len(replicates(tmp_path)) == 6


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_marked_and_the_rest_done_later(sign: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    long = (
        "-m",
        *SMALL[:2],
        "sgd.epochs=200",
        "sgd.orders=1",
        "engine=stacked",
        "init=unit,half",
        "replicates=8",
        "diagnosis.of=none",
    )
    process = launch(tmp_path, *long)
    wait_for(lambda: (tmp_path / "mlflow.db").is_file() and statuses(tmp_path).count("RUNNING") == 2)
    os.kill(process.pid, sign)
    _, said = process.communicate(timeout=60)
    assert process.returncode not in (0, None), said
    assert "Traceback" not in said
    assert set(statuses(tmp_path)) == {"KILLED"}
    done = command(tmp_path, *long)
    assert done.returncode == 0, done.stderr
    assert sorted(statuses(tmp_path)) == ["FINISHED"] * 3 + ["KILLED"]
    assert len(replicates(tmp_path)) == 16


def statuses(folder: Path) -> list[str]:
    """Of the runs of sweeps and cells."""
    store = open_store(folder)
    runs = [run for level in ("sweep", "cell") for run in store_module.search(store, f"tags.level = '{level}'")]
    return [run.info.status for run in runs]


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except InputError:
            pass
        time.sleep(0.2)
    raise TimeoutError


TABLES = (*GRID, "replicates=3", "tracking.replicates=table")
KILLED_GRID = (*TABLES, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, pd.DataFrame, float]:
    """(table, replicates, seconds) of the sweep that the others are cut off from."""
    folder = tmp_path_factory.mktemp("undisturbed")
    begin = time.monotonic()
    done = command(folder, *KILLED_GRID, database=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, replicates(folder), time.monotonic() - begin


@pytest.mark.soak
@pytest.mark.parametrize("number", range(20))
def test_killed_at_any_moment_it_ends_with_the_same_table(
    number: int, undisturbed: tuple[str, pd.DataFrame, float], tmp_path: Path
):
    table, frame, seconds = undisturbed
    chance = random.Random(number)
    process = launch(tmp_path, *KILLED_GRID, database=False)
    time.sleep(chance.uniform(0.0, 1.0) * seconds)
    family = [process.pid, *(child.pid for child in children_of(process.pid))]
    # The parent alone, one of its workers, or all of them.
    for pid in chance.choice([family[:1], family[-1:], family]):
        with_kill(pid)
    process.wait(timeout=120)
    done = command(tmp_path, *TABLES)
    assert done.returncode == 0, done.stderr
    assert done.stdout == table
    again = replicates(tmp_path)
    columns = ["init", "sgd.batch_size", "replicate", "outcome", "accuracy", "cost"]
    pd.testing.assert_frame_equal(again[columns], frame[columns])


@pytest.mark.soak
def test_no_worker_outlives_a_sweep_that_was_killed(tmp_path: Path):
    """By 30 seconds and what a busy machine adds, though it be in the middle of a cell that takes minutes."""
    long = ("-m", *SMALL[:2], "sgd.epochs=100000", "init=unit,half", "replicates=8", "diagnosis.of=none")
    process = launch(tmp_path, *long, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    wait_for(lambda: (tmp_path / "mlflow.db").is_file() and statuses(tmp_path).count("RUNNING") == 3, seconds=120)
    family = children_of(process.pid)
    assert len(family) >= 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive
    store = open_store(tmp_path)
    store_module.bury(store)
    assert set(statuses(tmp_path)) == {"KILLED"}


def children_of(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def with_kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_a_run_whose_process_is_gone_is_marked_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    store = store_module.connect("sqlite:///mlflow.db", "initodds")
    mine = store_module.Run(store, "mine", "cell", None, {})
    monkeypatch.setattr(store_module, "writer", lambda: store_module_writer | {"process": "999999999 1"})
    dead = store_module.Run(store, "dead", "cell", None, {})
    monkeypatch.setattr(store_module, "writer", lambda: {"host": "another", "process": "1 1"})
    elsewhere = store_module.Run(store, "elsewhere", "cell", None, {})
    assert store_module.bury(store) == 1
    states = {name: store.client.get_run(run.id).info.status for name, run in
              {"mine": mine, "dead": dead, "elsewhere": elsewhere}.items()}  # fmt: skip
    assert states == {"mine": "RUNNING", "dead": "KILLED", "elsewhere": "RUNNING"}


def test_hosts_of_one_name_are_told_apart_and_a_silent_one_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").write_bytes(empty_database())
    store = store_module.connect("sqlite:///mlflow.db", "initodds")
    gone = writers.writer() | {"process": "999999999 1"}
    silent = {"pulse": f"{time.time() - store_module.SECONDS_OF_SILENCE - 60:.0f}"}
    heard = {"pulse": f"{time.time() - store_module.SECONDS_OF_SILENCE + 600:.0f}"}
    written_by = {
        "gone": gone,
        "rebooted or a namesake": gone | {"boot": "another"},
        "in another container": gone | {"container": "pid:[1]"},
        "a silent namesake": gone | {"boot": "another"} | silent,
        "silent elsewhere": gone | {"host": "another"} | silent,
        "heard elsewhere": gone | {"host": "another"} | heard,
        "silent here": writers.writer() | silent,  # its process is there: it is at work
        "of 0.1.0, elsewhere": {"host": "another", "process": "1 1"},
    }
    runs = {}
    for name, tags in written_by.items():
        monkeypatch.setattr(store_module, "writer", lambda tags=tags: tags)
        runs[name] = store_module.Run(store, name, "cell", None, {}).id
    assert store_module.bury(store) == 3
    killed = {name for name, run_id in runs.items() if store.client.get_run(run_id).info.status == "KILLED"}
    assert killed == {"gone", "a silent namesake", "silent elsewhere"}


def test_a_run_says_now_and_then_that_it_is_still_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").write_bytes(empty_database())
    monkeypatch.setattr(store_module, "SECONDS_BETWEEN_PULSES", 0.05)
    store = store_module.connect("sqlite:///mlflow.db", "initodds")
    monkeypatch.setattr(store_module, "writer", lambda: writers.writer() | {"pulse": "0"})
    run = store_module.Run(store, "long", "cell", None, {})

    def pulse() -> float:
        return float(store.client.get_run(run.id).data.tags["pulse"])

    assert pulse() == 0
    with run.pulse():
        for _ in range(200):
            if pulse() > 0:
                break
            time.sleep(0.05)
    assert pulse() == pytest.approx(time.time(), abs=60)


store_module_writer = writers.writer()


def test_several_sweeps_at_once_on_a_database_that_does_not_exist(tmp_path: Path):
    grids = [
        ("-m", *SMALL, "replicates=3", f"init={init}", "sgd.batch_size=10,50") for init in ("unit", "half", "zeros")
    ]
    processes = [launch(tmp_path, *grid, database=False) for grid in grids]
    for process in processes:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
        assert "locked" not in said
    assert len(replicates(tmp_path)) == 18


@pytest.mark.soak
@pytest.mark.parametrize("workers", [4, 8])
def test_many_workers_on_one_file_lose_nothing(workers: int, tmp_path: Path):
    grid = ("-m", *SMALL, "replicates=4", "init=unit,half", "sgd.batch_size=10,50,100,200")
    done = command(tmp_path, *grid, "hydra/launcher=joblib", f"hydra.launcher.n_jobs={workers}")
    assert done.returncode == 0, done.stderr
    assert "locked" not in done.stderr
    assert "again in" not in done.stderr
    assert len(replicates(tmp_path)) == 32
    store = open_store(tmp_path)
    runs = store_module.search(store, "tags.level = 'replicate'")
    assert sorted(run.info.status for run in runs) == ["FINISHED"] * 32


@pytest.mark.soak  # MLflow itself waits for 20 s, twice
def test_a_locked_file_is_waited_for(tmp_path: Path):
    cell = (*SMALL[:2], "sgd.epochs=200", "sgd.orders=1", "engine=stacked", "replicates=4")
    process = launch(tmp_path, *cell)
    wait_for(lambda: statuses(tmp_path) == ["RUNNING"])
    with closing(sqlite3.connect(tmp_path / "mlflow.db", timeout=60)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        wait_for(lambda: "again in" in process.stderr)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert len(replicates(tmp_path)) == 4


def test_a_store_that_comes_back_in_time_is_written(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    failures = iter([OSError("away"), store_module.StoreError("still away")])

    def action() -> str:
        for failure in failures:
            raise failure
        return "written"

    assert store_module.patiently(action, 60) == "written"
    with pytest.raises(OSError, match="for good"):
        store_module.patiently(lambda: (_ for _ in ()).throw(OSError("for good")), 0.0)


@pytest.mark.parametrize("error", [InputError("no such thing"), OSError(errno.EROFS, "read-only")])
def test_what_no_waiting_would_mend_is_not_waited_for(error: Exception):
    tried = []

    def action() -> None:
        tried.append(error)
        raise error

    with pytest.raises(type(error)):
        store_module.patiently(action, 60)
    assert tried == [error]
