"""The page that `initodds-report` makes of a sweep of the command."""

import re
import xml.etree.ElementTree as ET
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from initodds import analysis
from initodds.commands import report as report_command
from initodds.vocabulary import OUTCOMES
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


class Page(HTMLParser):
    """What a page shows: its words, its tables as lists of rows, and the addresses that it takes things from."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.addresses: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        given = {name: value or "" for name, value in attributes}
        self.addresses += [given[name] for name in ("src", "data") if name in given]
        self.links += [given["href"]] if "href" in given else []
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1].append(data)
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep")
    assert command(path, *SWEEP).returncode == 0
    done = report(path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "report/report.html: 24 networks"
    return path


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "report" / "report.html").read_text())


def test_the_rates_are_those_of_the_replicates(folder: Path, page: Page):
    table = pd.read_csv(folder / "report" / "rates.csv")
    frame = analysis.load_replicates(f"sqlite:///{folder}/mlflow.db")
    head, *rows = page.tables[0]
    shown = {(row[0], row[1]): dict(zip(head, row, strict=True)) for row in rows}
    for (init, rate), group in frame.groupby(["init", "sgd.learning_rate"]):
        of_cell = table[(table["init"] == init) & (table["sgd.learning_rate"] == rate)].set_index("outcome")
        assert (of_cell["n"] == 6).all()
        counts = group["outcome"].value_counts()
        assert of_cell["count"].to_dict() == {o: counts[o] for o in of_cell.index}
        row = shown[init, f"{rate:g}"]
        assert {o: int(row[o].split()[0]) for o in OUTCOMES if o in row} == {o: counts[o] for o in OUTCOMES if o in row}
        assert sum(counts[o] for o in OUTCOMES if o in row) == 6


def test_it_names_what_was_swept_what_was_not_and_where_it_comes_from(page: Page):
    assert "24 networks in 4 cells that differ in init, sgd.learning_rate." in page.text
    assert "The same in all of them: data digits" in page.text
    assert "Does init make a difference?" in page.text
    assert "initodds -m data=digits" in page.text
    assert "nan" not in page.text.split(" ")


def test_it_needs_nothing_but_itself(folder: Path, page: Page):
    text = (folder / "report" / "report.html").read_text()
    assert page.addresses
    assert all(address.startswith("data:image/svg+xml;base64,") for address in page.addresses)
    assert not re.findall(r"@import|url\(|<link|<iframe|fetch\(|XMLHttp|https?://(?!www\.w3\.org)", text)
    assert not Page(text).links or not [link for link in page.links if ":" in link]


def test_every_file_it_points_to_is_there(folder: Path, page: Page):
    assert {"rates.svg", "map.svg", "curves.svg", "rates.csv", "replicates.csv"} <= set(page.links)
    for name in page.links:
        content = (folder / "report" / name).read_text()
        assert content
        if name.endswith(".svg"):
            assert ET.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"


def test_the_sweeps_run_has_it_too(folder: Path, page: Page):
    (stored,) = folder.glob("mlruns/initodds/*/artifacts/report.html")
    of_run = Page(stored.read_text())
    assert of_run.tables == page.tables
    assert of_run.links == []  # nothing lies beside it there


def test_a_sweep_that_is_not_there_is_one_line(folder: Path, tmp_path: Path):
    unknown = report(folder, "--sweep", "zzz")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("initodds-report: sweep=zzz: 0 sweeps found")
    nothing = report(tmp_path)
    assert nothing.returncode == 1
    assert "no such file; run a sweep first" in nothing.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_line(folder: Path):
    done = report(folder, "--out", "mlflow.db/report")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("initodds-report: --out=mlflow.db/report: a folder that cannot be written")


@pytest.fixture(scope="module")
def half_failed(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of a sweep of four cells of which one is there."""
    path = tmp_path_factory.mktemp("failed")
    small = ("-m", "data=digits", "network.hidden=[4]", "sgd.epochs=1", "replicates=3")
    done = command(path, *small, "init=half,nothere", "sgd.batch_size=10,9999")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "initodds: 3 cells failed; the others are tracked"
    (stored,) = path.glob("mlruns/initodds/*/artifacts/report.html")
    return Page(stored.read_text())


def test_cells_that_failed_are_named_with_their_errors(half_failed: Page):
    assert "3 cells have not finished ; nothing is said of them below." in half_failed.text
    assert half_failed.text.count("init=nothere") == 2
    assert "sgd.batch_size=9999 : sgd.batch_size=9999: a whole number from 1 to " in half_failed.text


def test_settings_that_do_not_differ_are_not_said_to(half_failed: Page):
    assert "3 networks in 1 cell." in half_failed.text
    assert "init half , sgd.batch_size 10 , " in half_failed.text
    assert "differ" not in half_failed.text
    assert "Converged: " in half_failed.text
    assert "Least often" not in half_failed.text


def test_cells_of_no_sweep_are_reported_on_where_one_asks(tmp_path: Path):
    alone = ("data=digits", "network.hidden=[4]", "sgd.epochs=1", "replicates=3")
    for init in ("half", "unit"):
        assert command(tmp_path, *alone, f"init={init}").returncode == 0
    nothing = report(tmp_path)
    assert nothing.returncode == 1
    (line,) = nothing.stderr.splitlines()
    assert "no sweep is tracked here, but cells that were run alone" in line
    assert "--sweep all" in line
    done = report(tmp_path, "--sweep", "all")
    assert done.returncode == 0, done.stderr
    # What follows from the init is not named beside it.
    assert "6 networks in 2 cells that differ in init." in Page((tmp_path / "report" / "report.html").read_text()).text
