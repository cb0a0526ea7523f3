"""The committed summary of a study is what its command prints from its committed results, and its README quotes it."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

FOLDER = Path(__file__).parents[1] / "experiments"
STUDIES = sorted(path.parent.name for path in FOLDER.glob("*/study.py"))

RATE = re.compile(r"\d+/\d+, [\d.]+ % \[[\d.]+, [\d.]+\]")
ESTIMATE = re.compile(r"\b\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]")


@pytest.fixture(scope="module", params=STUDIES)
def study(request: pytest.FixtureRequest) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"study_{request.param[:2]}", FOLDER / request.param / "study.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = path
    return module


def test_the_summary_is_what_the_results_give(study: ModuleType):
    assert study.summary() == (study.FOLDER / "summary.md").read_text()


def test_every_rate_that_a_readme_quotes_stands_in_the_summary(study: ModuleType):
    # A line may be broken within a number's interval.
    readme, summary = (" ".join((study.FOLDER / name).read_text().split()) for name in ("README.md", "summary.md"))
    quoted = RATE.findall(readme) + ESTIMATE.findall(readme)
    assert len(quoted) > 5
    assert [text for text in quoted if text not in summary] == []


def test_results_are_one_row_a_replicate_over_several_data_orders(study: ModuleType):
    frame = pd.read_csv(study.FOLDER / "results.csv")
    assert not frame.duplicated([*study.SETTINGS, "seed", "replicate"]).any()
    assert (frame.groupby(study.SETTINGS)["order"].nunique() == 4).all()


def test_the_summary_of_the_benchmark_is_what_its_results_give(monkeypatch: pytest.MonkeyPatch):
    folder = FOLDER / "04-speed"
    monkeypatch.syspath_prepend(str(folder))
    benchmark = importlib.import_module("benchmark")
    frame, checks = pd.read_csv(folder / "results.csv"), pd.read_json(folder / "checks.json")
    text = benchmark.summary(frame, checks, checks["about"].iloc[0])
    assert text == (folder / "summary.md").read_text()
    readme = " ".join((folder / "README.md").read_text().split())
    medians = frame[(frame["R"] == 32) & (frame["dtype"] == "float32")].groupby(["contender", "batch"])["rate"].median()
    for batch in (1, 10, 32, 100, 1000):
        assert f"| {batch} | {medians['initodds', batch]:.1f} |" in readme
