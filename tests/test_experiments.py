"""The committed summary of a study is what its command prints from its committed results, and its README quotes it."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import initodds
from initodds.cells.cell import subject_of

FOLDER = Path(__file__).parents[1] / "experiments"
STUDIES = sorted(path.parent.name for path in FOLDER.glob("*/study.py"))

RATE = re.compile(r"\d+/\d+, [\d.]+ % \[[\d.]+, [\d.]+\]")
ESTIMATE = re.compile(r"\b\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]")


@pytest.fixture(scope="module", params=STUDIES)
def study(request: pytest.FixtureRequest) -> ModuleType:
    return load(request.param)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"study_{name[:2]}", FOLDER / name / "study.py")
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
    # A line may be broken within a number's interval. What it quotes of another study stands in that one's.
    readme = " ".join((study.FOLDER / "README.md").read_text().split())
    folders = {study.FOLDER.name, *re.findall(r"\b(\d\d-[a-z-]+)\b", readme)} & set(STUDIES)
    summary = " ".join(" ".join((FOLDER / name / "summary.md").read_text() for name in sorted(folders)).split())
    quoted = RATE.findall(readme) + ESTIMATE.findall(readme)
    assert quoted
    assert [text for text in quoted if text not in summary] == []


def test_results_are_one_row_a_replicate_over_several_data_orders(study: ModuleType):
    if not (study.FOLDER / "results.csv").exists():
        pytest.skip("its networks share no data order")
    frame = pd.read_csv(study.FOLDER / "results.csv")
    assert not frame.duplicated([*study.SETTINGS, "seed", "replicate"]).any()
    assert (frame.groupby(study.SETTINGS)["order"].nunique() == 4).all()


def test_the_results_on_xor_are_one_row_a_network_of_the_cells_that_the_configs_name():
    study = load("07-xor")
    frame = study.read()
    assert not frame.duplicated([*study.SETTINGS, "replicate"]).any()
    for sweep in study.SWEEPS:
        cells = frame[frame["sweep"] == sweep].groupby(study.SETTINGS).size()
        assert len(cells) == len(list(study.cells(sweep)))
        assert (cells == initodds.settings(f"experiment=xor/{sweep}").replicates).all()


def test_a_network_of_the_xor_study_is_what_the_command_trains():
    study = load("07-xor")
    cell = initodds.run("experiment=xor/best", "init.half_width=0.7", "replicates=20")
    frame = study.read()
    part = frame[(frame["sweep"] == "best") & (frame["half_width"] == 0.7)].iloc[:20]
    assert part["outcome"].tolist() == cell.judgement.outcome.tolist()


def test_the_levels_of_xor_are_what_the_best_answers_cost_that_tell_so_few_examples_apart():
    study = load("07-xor")
    for shares in ([0.5] * 4, [0, *[2 / 3] * 3], [0, 1, 0.5, 0.5]):
        a, y = np.array(shares), np.array([0, 1, 1, 0])
        inside = np.where((a > 0) & (a < 1), a, 0.5)
        entropy = np.where((a > 0) & (a < 1), -y * np.log(inside) - (1 - y) * np.log(1 - inside), 0)
        name = {0.5: "one half for all four", 2 / 3: "two thirds for three", 1: "one half for two"}[a[1]]
        assert study.LEVELS["quadratic"][name] == pytest.approx((0.5 * (a - y) ** 2).mean())
        assert study.LEVELS["cross_entropy"][name] == pytest.approx(entropy.mean())


def test_the_best_range_is_found_where_the_odds_have_their_top():
    study = load("07-xor")
    half_width = np.repeat([0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0], 4000)
    odds = np.exp(2 - 3 * np.log(half_width / 0.8) ** 2)
    solved = np.random.default_rng(0).random(len(half_width)) < odds / (1 + odds)
    given = {"sweep": "best", "activation": "logistic", "cost_function": "quadratic"}
    frame = pd.DataFrame({"half_width": half_width, "solved": solved}).assign(**given)
    at, low, high, most = study.best_range(frame)
    assert low < at < high
    assert low < 0.8 < high
    assert most == pytest.approx(np.exp(2) / (1 + np.exp(2)), abs=0.01)


def test_the_networks_drawn_for_the_study_of_dying_relu_are_those_of_the_command():
    study = load("08-dying-relu")
    for init in study.INITS:
        subject = subject_of(initodds.settings(*study.arguments("abs", init, 3, 4)))
        pairs = zip(study.drawn(subject.network, init, 7), subject.drawing.replicate(0, 7), strict=True)
        assert all((mine == its).all() for layers in pairs for mine, its in zip(*layers, strict=True))


def test_deep_narrow_networks_are_born_dead_as_often_as_a_simulation_of_their_own_has_it():
    # Lu, Su and Karniadakis (2018): biases 0, so that the two signs of x are all that such a network sees.
    study, rng, n = load("08-dying-relu"), np.random.default_rng(0), 4000
    born = pd.read_csv(study.BORN)
    for width, depth in ((2, 5), (3, 10)):
        lives = np.maximum(rng.standard_normal((n, 1, width)) * np.array([1.0, -1.0])[:, None], 0)
        for _ in range(depth - 1):
            lives = np.maximum(lives @ rng.standard_normal((n, width, width)), 0)
        expected = (lives.sum(axis=(1, 2)) == 0).mean()
        count, drawn = study.born_dead(born, "abs", "He, biases 0", width, depth)
        low, high = initodds.interval(count, drawn)
        assert low < expected < high
        assert study.lower_bound(width, depth) <= expected <= study.upper_bound(width, depth)


def test_the_bounds_on_being_born_dead_are_exact_where_they_can_be_counted():
    # A single example is lost in each layer with probability 2^-width; two layers lose both sides of a line if the
    # second loses what the first has left of it.
    study, rng, n = load("08-dying-relu"), np.random.default_rng(0), 4000
    for width, depth in ((2, 5), (3, 10), (5, 3)):
        lives = np.abs(rng.standard_normal((n, 1, width)))  # of the example itself, some coordinate is positive
        for _ in range(depth):
            lives = np.maximum(lives @ rng.standard_normal((n, width, width)), 0)
        low, high = initodds.interval(int((lives.sum(axis=(1, 2)) == 0).sum()), n)
        assert low < study.upper_bound(width, depth) < high
    for width in (2, 3, 5, 30):
        p = 0.5**width
        assert study.lower_bound(width, 1) == 0
        assert study.lower_bound(width, 2) == pytest.approx(2 * p * p + (1 - 2 * p) * p**2)


def test_every_rate_among_the_findings_stands_in_the_summary_of_its_study():
    text = (FOLDER.parent / "docs" / "findings.md").read_text()
    items = [" ".join(item.split()) for item in text.replace("\n\n", "\n- ").split("\n- ")]
    findings = [item for item in items if "../experiments/" in item]
    assert len(findings) > 20
    for finding in findings:
        folder = re.findall(r"\.\./experiments/([\w-]+)/README\.md", finding)[-1]
        summary = " ".join((FOLDER / folder / "summary.md").read_text().split())
        assert [rate for rate in RATE.findall(finding) if rate not in summary] == []


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
