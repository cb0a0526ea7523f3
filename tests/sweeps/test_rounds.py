"""Cells that go on until their rates are known: the command end to end."""

from pathlib import Path

import pandas as pd
import pytest

from initodds import analysis
from initodds.statistics.precision import needed
from initodds.tracking import loading
from initodds.tracking.store import search
from initodds.vocabulary import OUTCOMES
from tests.processes import command

SMALL = ("data=xor", "network.hidden=[2]", "sgd.batch_size=4", "sgd.learning_rate=5", "sgd.epochs=300", "replicates=8")
CHEAP = ("diagnosis.of=none", "tracking.replicates=table", "precision=0.15", "replicates_most=40")


def counts_of(frame: pd.DataFrame) -> list[int]:
    counts = frame["outcome"].value_counts()
    return [int(counts.get(outcome, 0)) for outcome in OUTCOMES]


def test_each_cell_gets_as_many_replicates_as_it_needs(tmp_path: Path):
    asked = ("-m", *SMALL, *CHEAP, "init=zeros,unit")
    done = command(tmp_path, *asked)
    assert done.returncode == 0, done.stderr
    frame = analysis.load_replicates(f"sqlite:///{tmp_path}/mlflow.db", sweep="latest")
    for init, cell in frame.groupby("init"):
        assert sorted(cell["replicate"]) == list(range(len(cell)))
        assert needed(counts_of(cell), 0.15, 8, 40) == len(cell), init
    used = frame.groupby("init").size()
    assert used["zeros"] == 16  # all alike; 8 of 8 would be 0.68 to 1
    assert used["unit"] > 16
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("zeros", "unit"))]
    assert {row[0]: int(row[1]) for row in rows} == used.to_dict()
    again = command(tmp_path, *asked)
    assert again.returncode == 0
    assert again.stdout == done.stdout
    assert len(analysis.load_replicates(f"sqlite:///{tmp_path}/mlflow.db")) == len(frame)


def test_one_cell_alone_and_bad_values(tmp_path: Path):
    done = command(tmp_path, *SMALL, *CHEAP, "init=zeros")
    assert done.returncode == 0, done.stderr
    assert " 16 100% " in done.stdout
    for multirun in ((), ("-m",)):
        refused = command(tmp_path, *multirun, *SMALL, "precision=0.7")
        assert refused.returncode == 1
        assert refused.stderr.splitlines()[-1].startswith("initodds: precision=0.7: over 0 and under 0.5")


@pytest.mark.parametrize("multirun", [(), ("-m",)])
def test_a_rerun_trains_the_first_round_once_more_and_not_in_every_round(multirun: tuple[str, ...], tmp_path: Path):
    asked = (*multirun, *SMALL, *CHEAP, "init=zeros")
    assert command(tmp_path, *asked).returncode == 0
    done = command(tmp_path, *asked, "tracking.rerun=true")
    assert done.returncode == 0, done.stderr
    store = loading.open_store(f"sqlite:///{tmp_path}/mlflow.db", None)
    counts = [int(run.data.metrics["replicates"]) for run in search(store, "tags.level = 'cell'")]
    assert counts == [8, 8, 8]  # a run has the replicates that it trained: two rounds, and the first again


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("init=centred", "init.centre=interval(0,1)", "precision=0.1"), "precision=0.1: null beside an interval"),
        (("precision=0.1,0.2",), "precision=0.1,0.2: one value for all cells of a sweep"),
        (("precision=0.1", "replicates_most=100,200"), "replicates_most=100,200: one value for all cells"),
    ],
)
def test_what_would_not_be_heeded_is_refused(arguments: tuple[str, ...], message: str, tmp_path: Path):
    done = command(tmp_path, "-m", *SMALL, *arguments)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"initodds: {message}")
