"""Networks that are asked for in several ways are trained once and counted once, and have every name they were asked
for with."""

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from initodds import analysis
from initodds.commands import report, run
from initodds.sweeps import jobs
from initodds.tracking import loading
from initodds.tracking import store as store_module
from initodds.vocabulary import OUTCOMES

SMALL = ("data=digits", "network.hidden=[6]", "sgd.epochs=2", "tracking.replicates=table")

Said = Callable[..., tuple[str, str]]


@pytest.fixture
def initodds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """Runs the command in this process and in a folder of its own; returns what it says on both outputs."""
    monkeypatch.chdir(tmp_path)
    for name in (jobs.SWEEP, jobs.SWEEPER):
        monkeypatch.setenv(name, "")  # so that what the command sets is gone after the test
    monkeypatch.setattr(jobs, "end_on_sigterm", lambda: None)

    def command(*arguments: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["initodds", *arguments])
        for name in (jobs.SWEEP, jobs.SWEEPER):
            monkeypatch.delenv(name, raising=False)
        run.main()
        said = capsys.readouterr()
        return said.out, said.err

    return command


def rows(table: str) -> list[list[str]]:
    """The first two words of each row of a table."""
    lines = table.splitlines()[2:]
    return [line.split()[:2] for line in lines[: lines.index("")]]


def trained() -> list[tuple[int, int]]:
    """(first replicate, number of replicates) of each run of a cell."""
    store = loading.open_store(None, None)
    runs = store_module.search(store, "tags.level = 'cell'")
    return [(int(one.data.params["first"]), int(one.data.metrics["replicates"])) for one in runs]


def test_two_options_that_come_to_the_same_are_two_rows_of_the_same_networks(initodds: Said):
    table, said = initodds("-m", *SMALL, "replicates=3", "init=half,unit,uniform")
    assert rows(table) == [["half", "3"], ["unit", "3"], ["uniform", "3"]]
    assert "1 of 3 cells need not be run" in said
    assert trained() == [(0, 3), (0, 3)]
    assert rows(initodds("-m", *SMALL, "replicates=3", "init=half,unit,uniform")[0]) == rows(table)
    assert rows(initodds(*SMALL, "replicates=3", "init=uniform")[0]) == [["uniform", "10"]]

    store = loading.open_store(None, None)
    (sweep,) = store_module.search(store, "tags.level = 'sweep'")
    assert "6 networks" in sweep.data.tags["mlflow.note.content"]
    assert sum(sweep.data.metrics[f"count/{outcome}"] for outcome in OUTCOMES) == 6

    of_sweep = analysis.load_replicates(sweep="latest")
    assert of_sweep["init"].tolist() == ["half"] * 3 + ["unit"] * 3 + ["uniform"] * 3
    assert of_sweep.loc[of_sweep["init"] == "half", "cost"].tolist() == of_sweep.loc[
        of_sweep["init"] == "uniform", "cost"].tolist()  # fmt: skip
    by_init = analysis.rates(of_sweep, ["init"])
    assert (by_init["n"] == 3).all()
    assert set(by_init["init"]) == {"half", "unit", "uniform"}
    curves = analysis.load_curves(sweep="latest")
    assert not curves.duplicated(["cell", "replicate", "step"]).any()
    everything = analysis.load_replicates()
    assert everything["init"].tolist() == ["half"] * 3 + ["unit"] * 3

    assert analysis.rates(of_sweep, [])["n"].unique().tolist() == [6]
    pairs = analysis.compare(of_sweep, "init")[["a", "b"]].to_numpy().tolist()
    assert pairs == [["half", "unit"], ["unit", "uniform"]]


def test_a_value_written_twice_is_one_cell(initodds: Said):
    table, _ = initodds("-m", *SMALL, "replicates=2", "sgd.learning_rate=3,3.0,1")
    assert [row[0] for row in rows(table)] == ["3.0", "1.0"]
    assert len(analysis.load_replicates(sweep="latest")) == 4


def test_numbers_of_replicates_are_rows_that_share_networks(initodds: Said):
    table, _ = initodds("-m", *SMALL, "replicates=3,5")
    assert rows(table) == [["3", "3"], ["5", "5"]]
    assert trained() == [(0, 5)]
    frame = analysis.load_replicates(sweep="latest")
    assert frame["replicates"].tolist() == [3] * 3 + [5] * 5
    assert analysis.load_replicates()["replicate"].tolist() == [0, 1, 2, 3, 4]
    assert rows(initodds("-m", *SMALL, "replicates=3,7")[0]) == [["3", "3"], ["7", "7"]]
    assert trained() == [(0, 5), (5, 2)]
    assert rows(initodds("-m", *SMALL, "replicates=3")[0])[0][0] == "half"


def test_no_network_counts_twice_however_its_cell_was_asked_for(initodds: Said):
    ends = ("init=uniform", "replicates=3")
    initodds(*SMALL, *ends, "init.low=-1", "init.high=1")
    _, said = initodds(*SMALL, *ends, "init.low=-1.0", "init.high=1.0")
    assert "the cell is tracked already, and was not trained again" in said
    initodds(*SMALL, *ends, "init.low=-1.0", "init.high=1.0", "diagnosis.of=all", "diagnosis.escape=true")
    initodds(*SMALL, "init=symmetric", "replicates=2")
    frame = analysis.load_replicates()
    assert len(frame) == 3
    assert (frame["cause"] != "").all()
    assert frame["escaped_noise"].notna().all()
    assert trained() == [(0, 3), (0, 3)], "once more, for the escape"


def test_a_sweep_over_what_is_diagnosed_names_its_rows_by_it(initodds: Said):
    table, _ = initodds("-m", *SMALL, "replicates=3", "diagnosis.of=none,all")
    assert rows(table) == [["none", "3"], ["all", "3"]]
    assert len(analysis.load_replicates()) == 3


def test_a_report_has_the_rows_of_the_sweep(initodds: Said, monkeypatch: pytest.MonkeyPatch):
    initodds("-m", *SMALL, "replicates=3", "init=half,uniform")
    monkeypatch.setattr(sys, "argv", ["initodds-report"])
    report.main()
    table = pd.read_csv("report/rates.csv")
    assert table.groupby("init")["n"].first().to_dict() == {"half": 3, "uniform": 3}
    page = Path("report/report.html").read_text()
    assert "3 networks" in page
    assert "6 networks" not in page
