"""The folder that `initodds-report` makes of a sweep of the command."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from initodds import analysis
from initodds.commands import report as report_command
from tests.processes import command

SWEEP = (
    "-m",
    "data=digits",
    "init=unit,half",
    "network.hidden=[8]",
    "sgd.learning_rate=0.01,3.0",
    "sgd.epochs=5",
    "replicates=6",
)


report = partial(command, main=report_command.main, database=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep")
    assert command(path, *SWEEP).returncode == 0
    done = report(path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "report/README.md: 24 networks"
    return path


def test_the_rates_are_those_of_the_replicates(folder: Path):
    table = pd.read_csv(folder / "report" / "rates.csv")
    frame = analysis.load_replicates(f"sqlite:///{folder}/mlflow.db")
    for (init, rate), group in frame.groupby(["init", "sgd.learning_rate"]):
        of_cell = table[(table["init"] == init) & (table["sgd.learning_rate"] == rate)].set_index("outcome")
        assert (of_cell["n"] == 6).all()
        counts = group["outcome"].value_counts()
        assert of_cell["count"].to_dict() == {o: counts[o] for o in of_cell.index}


def test_it_names_what_was_swept_what_was_not_and_where_it_comes_from(folder: Path):
    text = (folder / "report" / "README.md").read_text()
    assert "**24 networks**" in text
    assert "4 cells that differ in init, sgd.learning_rate" in text
    assert "data digits" in text
    assert "Is one init better than another?" in text
    assert "initodds -m data=digits" in text
    assert "nan" not in text.replace("\n", " ").split(" ")


def test_every_picture_and_table_it_points_to_is_there(folder: Path):
    text = (folder / "report" / "README.md").read_text()
    linked = [part.split(")")[0] for part in text.split("](")[1:]]
    assert {"converged.png", "stuck.png", "map.png", "rates.csv", "replicates.csv"} <= set(linked)
    for name in linked:
        path = folder / "report" / name
        assert path.stat().st_size > 0
        if path.suffix == ".png":
            assert path.with_suffix(".svg").stat().st_size > 0


def test_a_sweep_that_is_not_there_is_one_line(folder: Path, tmp_path: Path):
    unknown = report(folder, "--sweep", "zzz")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("initodds-report: sweep=zzz: 0 sweeps found")
    nothing = report(tmp_path)
    assert nothing.returncode == 1
    assert "no such file; run a sweep first" in nothing.stderr
    assert not list(tmp_path.iterdir())
