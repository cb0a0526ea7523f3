"""A sweep that searches for edges: the command end to end, and what it does not accept."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from initodds import analysis
from initodds.cells import options
from initodds.statistics.edges import Search
from initodds.sweeps import edges
from initodds.tracking import loading
from initodds.tracking import store as store_module
from initodds.vocabulary import InputError
from tests.conftest import settings_of
from tests.processes import command, launch

# Of these tiny networks, half converge up to a centre of about 0.4.
SMALL = ("data=xor", "network.hidden=[2]", "sgd.batch_size=4", "sgd.epochs=300", "sgd.learning_rate=5", "init=centred")
CHEAP = ("init.half_width=1", "network.hidden=[6]", "diagnosis.of=none", "tracking.replicates=table")
SEARCH = ("-m", *SMALL, *CHEAP, "init.centre=interval(0,8)", "edge.tolerance=3", "edge.most=120")


def sweeps_in(folder: Path) -> list:
    opened = loading.open_store(f"sqlite:///{folder}/mlflow.db", None)
    return store_module.search(opened, "tags.level = 'sweep'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edge")
    done = command(path, *SEARCH)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["init.centre", "95", "%", "interval", "networks"]
    assert lines[-1] == "The init.centre at which 50 % of the networks are converged."
    return path


def test_the_answer_is_a_table_and_a_figure_in_the_sweeps_run(folder: Path):
    (run,) = sweeps_in(folder)
    artifacts = Path(run.info.artifact_uri)
    assert {path.name for path in artifacts.iterdir()} == {"cells.json", "edges.csv", "edges.md", "edges.png"}
    row = pd.read_csv(artifacts / "edges.csv").iloc[0]
    assert row["low"] <= row["init.centre"] <= row["high"]
    assert row["high"] - row["low"] <= 3
    assert row["networks"] == run.data.metrics["networks"] >= 56
    assert "| 95 % interval" in run.data.tags["mlflow.note.content"]


def test_its_cells_are_ordinary_ones(folder: Path):
    """Read by `load_replicates`, and the edge that they have by `boundary` is the one that was found."""
    frame = analysis.load_replicates(f"sqlite:///{folder}/mlflow.db", sweep="latest")
    (run,) = sweeps_in(folder)
    row = pd.read_csv(Path(run.info.artifact_uri) / "edges.csv").iloc[0]
    assert len(frame) == row["networks"]
    by_cell = frame.groupby("cell")["seed"].agg(["nunique", "size"])
    assert (by_cell == [1, 8]).all(axis=None)
    assert frame["seed"].nunique() == len(by_cell)  # no two cells have the same draws
    other = analysis.boundary(frame).iloc[0]
    assert other["low"] <= row["init.centre"] <= other["high"]


def runs_in(folder: Path) -> set[str]:
    opened = loading.open_store(f"sqlite:///{folder}/mlflow.db", None)
    return {run.info.run_id for run in store_module.search(opened, "tags.level != 'replicate'")}


def table_in(folder: Path) -> str:
    (run,) = sweeps_in(folder)
    return Path(run.info.artifact_uri, "edges.csv").read_text()


def test_the_same_search_again_trains_nothing(folder: Path):
    before, table = runs_in(folder), table_in(folder)
    assert len(before) > 7
    done = command(folder, *SEARCH)
    assert done.returncode == 0
    assert runs_in(folder) == before
    assert table_in(folder) == table


def test_interrupted_a_search_goes_on_to_the_same_answer(folder: Path, tmp_path: Path):
    """The cells that were done are not run again."""
    started = launch(tmp_path, *SEARCH)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        while started.returncode is None:
            ((count,),) = database.execute("select count(*) from runs where status = 'FINISHED'")
            if count >= 2:
                break
            time.sleep(0.01)
    os.kill(started.pid, signal.SIGTERM)
    started.wait()
    done_before = finished_cells(tmp_path)
    (run,) = sweeps_in(tmp_path)
    assert run.info.status == "KILLED"
    done = command(tmp_path, *SEARCH)
    assert done.returncode == 0, done.stderr
    assert done_before < finished_cells(tmp_path)
    assert len(finished_cells(tmp_path)) == len(finished_cells(folder))
    assert table_in(tmp_path) == table_in(folder)


def finished_cells(folder: Path) -> set[str]:
    opened = loading.open_store(f"sqlite:///{folder}/mlflow.db", None)
    runs = store_module.search(opened, "tags.level = 'cell' and attributes.status = 'FINISHED'")
    return {run.info.run_id for run in runs}


@pytest.fixture
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(options.directory()), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def asked(loader: ConfigLoader, *overrides: str) -> list[edges.Question]:
    """The questions of a command with these overrides."""
    plain = [text for text in overrides if "interval" not in text and "," not in text]
    config = loader.load_configuration("config", plain, RunMode.MULTIRUN)
    interval = edges.interval_of(overrides, loader)
    assert interval is not None
    return edges.questions_of(interval, overrides, loader, config)


def test_one_question_for_each_combination_of_the_others(loader: ConfigLoader):
    found = asked(
        loader, "init=centred", "init.half_width=0.1,0.5", "init.centre=interval(0,0.3)", "seed=2", "replicates=3"
    )
    assert [question.overrides[1] for question in found] == ["init.half_width=0.1", "init.half_width=0.5"]
    cells = [found[0].cell(value) for value in (0.1, 0.2)]
    assert cells[0] == ["init=centred", "init.half_width=0.1", "init.centre=0.1", "seed=2", "replicates=8"]
    assert cells[1][2:4] == ["init.centre=0.2", "seed=1002"]
    logarithmic = asked(loader, "sgd.learning_rate=tag(log,interval(0.01,100))")[0].search
    assert logarithmic.ask() == pytest.approx(np.geomspace(0.01, 100, 7), rel=0.02)


@pytest.mark.parametrize(
    ("outcome", "share", "told"), [("stuck", 0.5, True), ("stuck", 0.9, False), ("converged", 0.5, False)]
)
def test_theory_is_told_of_what_it_speaks_of(outcome: str, share: float, told: bool):
    overrides = ["init=centred", "init.half_width=0.5"]
    question = edges.Question("init.centre", overrides, 0, Search(0, 0.3))
    for value in question.search.ask():
        question.search.tell(value, 8 if value < 0.1 else 0, 8)
    settings = settings_of(*overrides, "init.centre=0.1")
    table = edges.table_of([question], [settings], ["init.centre"], outcome, share)
    assert table["predicted"].notna().all() == told


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("init.centre=interval(0,1)", "sgd.learning_rate=interval(1,3)"),
            "init.centre, sgd.learning_rate: one interval",
        ),
        (("init.centre=interval(1,0)",), r"interval\(1,0\): two numbers, the lower one first"),
        (("sgd.learning_rate=tag(log,interval(0,1))",), r"interval\(0,1\): two numbers over 0"),
        (("sgd.learning_rate=tag(lin,interval(0,1))",), "the tag log, or none, and not lin"),
        (("init.centre=interval(0,1)", "edge.outcome=convergd"), "edge.outcome=convergd: choose from"),
        (("init.centre=interval(0,1)", "edge.share=1.0"), "edge.share=1.0: input should be less than 1"),
        (("init.centre=interval(0,1)", "edge.tolerance=1e-30"), "edge.tolerance=1e-30: over"),
        (("init.centre=interval(0,1)", "edge.most=20"), "edge.most=20: at least 88"),
        (("init.centre=interval(0,1)", "seed=x"), "seed=x: a whole number"),
    ],
)
def test_what_is_refused(overrides: tuple[str, ...], message: str, loader: ConfigLoader):
    with pytest.raises(InputError, match=message):
        asked(loader, "init=centred", *overrides)


def test_bad_input_is_one_line_before_anything_starts(tmp_path: Path):
    for arguments, message in (
        (("init.centre=interval(0,1)", "init=centred"), "requires --multirun"),
        (
            ("-m", *SMALL, "init.half_width=interval(-1,1)"),
            "init.half_width=-1.0: a number of at least 0",
        ),
    ):
        done = command(tmp_path, *arguments)
        assert done.returncode == 1
        assert message in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
    assert not sweeps_in(tmp_path)
