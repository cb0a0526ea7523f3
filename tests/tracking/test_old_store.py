"""A store of version 0.1.0 is loaded, resumed, reported and explained."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from initodds import analysis
from initodds.commands import stored
from initodds.tracking import identity, loading, reading
from initodds.tracking import store as store_module
from initodds.tracking.store import Store
from tests.processes import command

SMALL = ("data=digits", "network.hidden=[6]", "sgd.epochs=2", "replicates=3", "sgd.checkpoints=2")
AS_THEN = ("sgd.orders=4", "engine=stacked")
"""What has become another default since."""
SWEEP = ("-m", *SMALL, *AS_THEN, "init=half,unit", "sgd.batch_size=10,5000")
TABLE = "tracking.replicates=table"
FIRST_SWEEP = "45fb99a4"


def uri(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def opened(folder: Path) -> Store:
    return loading.open_store(uri(folder), None)


def runs_of_cells(folder: Path) -> list[str]:
    return [run.info.run_id for run in store_module.search(opened(folder), "tags.level = 'cell'")]


def counts(frame: pd.DataFrame) -> dict[str, int]:
    names = frame["init"] + frame["init._target_"].where(frame["init"] == "zeros", "").str.rpartition(".")[2]
    return names.groupby(names).size().to_dict()


def test_every_network_is_loaded_once(old_store: Path):
    frame = analysis.load_replicates(uri(old_store))
    assert counts(frame) == {"half": 5, "unit": 3, "uniform": 3, "zerosSmall": 3, "gaussian": 2}
    assert not frame.duplicated(["cell", "replicate"]).any()
    uniform = frame[frame["init"] == "uniform"]
    assert (uniform["cause"] != "").all(), "of the three runs the newest, which is diagnosed whole"
    curves = analysis.load_curves(uri(old_store))
    assert not curves.duplicated(["cell", "replicate", "step"]).any()
    assert set(zip(curves["cell"], curves["replicate"], strict=True)) == set(
        zip(frame["cell"], frame["replicate"], strict=True)
    )


def test_a_sweep_is_loaded_with_what_it_asked_for(old_store: Path):
    frame = analysis.load_replicates(uri(old_store), sweep="latest")
    assert counts(frame) == {"half": 3, "unit": 3}
    assert reading.failed_cells(opened(old_store), loading.find_sweep(opened(old_store), FIRST_SWEEP)) == [
        (f"{' '.join(SMALL)} init={init} sgd.batch_size=5000", TOO_LARGE) for init in ("half", "unit")
    ]


TOO_LARGE = "sgd.batch_size=5000: a whole number from 1 to 1442, the training examples of digits"


def test_a_run_is_identified_anew_once(old_store: Path, monkeypatch: pytest.MonkeyPatch):
    first = analysis.load_replicates(uri(old_store))
    tags = [run.data.tags for run in store_module.search(opened(old_store), "tags.level = 'cell'")]
    assert sum(identity.TAG in of_run for of_run in tags) == 8
    monkeypatch.setattr(reading, "read_settings", lambda store, run_id: pytest.fail("read again"))
    pd.testing.assert_frame_equal(analysis.load_replicates(uri(old_store)), first)


def test_a_store_that_cannot_be_written_is_identified_all_the_same(old_store: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*arguments: str) -> None:
        raise OSError("read-only")

    store = opened(old_store)
    monkeypatch.setattr(type(store.client), "set_tag", refuse)
    for _ in range(2):
        assert len(analysis.load_replicates(uri(old_store))) == 16


def test_the_sweep_again_trains_nothing(old_store: Path):
    before = runs_of_cells(old_store)
    again = command(old_store, *SWEEP)
    assert "2 of 4 cells need not be run" in again.stderr
    assert "2 cells failed" in again.stderr
    assert [line.split()[:3] for line in again.stdout.splitlines()[2:4]] == [["half", "10", "3"], ["unit", "10", "3"]]
    assert len(runs_of_cells(old_store)) - len(before) == 2, "those that are refused, again"


def test_more_replicates_train_only_the_new_ones(old_store: Path):
    before = runs_of_cells(old_store)
    done = command(old_store, "-m", *SMALL[:3], SMALL[4], *AS_THEN, TABLE, "init=half,unit,uniform", "replicates=7")
    assert done.returncode == 0, done.stderr
    new = store_module.search(opened(old_store), "tags.level = 'cell'")[len(before) :]
    assert [(run.data.params["init"], run.data.params["first"]) for run in new] == [("half", "5"), ("unit", "3")]
    assert [line.split()[:2] for line in done.stdout.splitlines()[2:5]] == [
        ["half", "7"],
        ["unit", "7"],
        ["uniform", "7"],
    ]
    assert counts(analysis.load_replicates(uri(old_store))) == {
        "half": 7, "unit": 7, "uniform": 3, "zerosSmall": 3, "gaussian": 2,
    }  # fmt: skip


def test_a_users_own_code_whose_hash_nobody_took_is_trained_anew(old_store: Path):
    before = runs_of_cells(old_store)
    own = (*SMALL, TABLE, "init=zeros", "init._target_=drawn.Small")
    done = command(old_store, *own, PYTHONPATH=str(old_store))
    assert done.returncode == 0, done.stderr
    assert len(runs_of_cells(old_store)) == len(before) + 1
    by_name = counts(analysis.load_replicates(uri(old_store)))
    assert (by_name["zerosSmall"], by_name["drawn.Small"]) == (3, 3)  # 0.1.0 knew it by the option's name alone


def test_it_is_reported(old_store: Path):
    program = "from initodds.commands.report import main; main()"
    done = subprocess.run([sys.executable, "-c", program], cwd=old_store, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "6 networks" in done.stdout
    assert "half" in (old_store / "report" / "report.html").read_text()


def test_it_is_explained(old_store: Path):
    store = opened(old_store)
    for init, count in (("gaussian", 2), ("half", 5 - 2)):
        run = store_module.search(store, f"tags.level = 'cell' and params.init = '{init}'")[0]
        arrays = stored.weights_of(store, run.info.run_id, None)
        found = stored.diagnose_run(store, run, None)
        assert found.replicates.tolist() == arrays["replicates"].tolist()
        assert len(found.cause) == len(arrays["replicates"]) <= count


def test_a_run_of_a_later_version_is_one_line_and_left_out(old_store: Path, caplog: pytest.LogCaptureFixture):
    settings = next(old_store.glob("mlruns/1/*/artifacts/settings.json"))
    settings.write_text('{"schema": 9, "all": "new"}')
    said = f"run {settings.parents[1].name}: its settings.json is of schema 9, written by a later version of initodds"
    assert 0 < len(analysis.load_replicates(uri(old_store))) <= 16
    (line,) = caplog.messages
    assert line.startswith(said)
    assert line.endswith("; it is left out")
    done = command(old_store, *SMALL)
    assert done.returncode == 0
    assert [line.startswith(said) for line in done.stderr.splitlines()].count(True) == 1
