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
from scipy.special import erf

import initodds
from initodds.cells.subject import subject_of
from initodds.networks.activations import ACTIVATIONS

FOLDER = Path(__file__).parents[1] / "experiments"
SUMMARIES = {path.parent.name for path in FOLDER.glob("*/summary.md")}
STUDIES = sorted(path.parent.name for path in FOLDER.glob("*/study.py"))

RATE = re.compile(r"\d+/\d+, [\d.]+ % \[[\d.]+, [\d.]+\]")
ESTIMATE = re.compile(r"\b\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]")
DEPTH = re.compile(r"\b\d+\.\d \[\d+\.\d, \d+\.\d\]")


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
    folders = {study.FOLDER.name, *re.findall(r"\b(\d\d-[a-z-]+)\b", readme)} & SUMMARIES
    summary = " ".join(" ".join((FOLDER / name / "summary.md").read_text() for name in sorted(folders)).split())
    quoted = [quote for kind in (RATE, ESTIMATE, DEPTH) for quote in kind.findall(readme)]
    assert quoted
    assert [text for text in quoted if text not in summary] == []


def test_results_are_one_row_a_replicate_each_in_a_data_order_of_its_own(study: ModuleType):
    if not (study.FOLDER / "results.csv").exists():
        pytest.skip("its results are not one row a replicate of a sweep")
    frame = pd.read_csv(study.FOLDER / "results.csv")
    assert not frame.duplicated([*study.SETTINGS, "seed", "replicate"]).any()
    assert (frame["order"] == frame["replicate"]).all()


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


def test_an_answer_wrong_outright_is_not_taken_for_one_half_for_all_four_which_costs_as_much():
    study = load("07-xor")
    frame = pd.DataFrame({"cost": [0.125, 0.125, 0.125], "wrong": [0, 1, 0], "cost_function": "quadratic"})
    frame["outcome"] = ["partial", "partial", "converged"]
    assert study.kinds(frame).tolist() == ["one half for all four", "wrong outright", "solved"]


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


def xor_failures() -> pd.DataFrame:
    """The results on XOR as they are committed, with whether each network failed."""
    frame = pd.read_csv(FOLDER / "07-xor" / "results.csv.xz", keep_default_na=False)
    return frame.assign(failed=frame["outcome"] != "converged")


def of_range(frame: pd.DataFrame, activation: str, half_width: float, cost: str = "quadratic") -> pd.DataFrame:
    sweep = "range" if cost == "quadratic" else "cost"
    part = frame[(frame["sweep"] == sweep) & (frame["activation"] == activation)]
    return part[part["half_width"] == half_width]


def test_two_logistic_units_solve_xor_in_nearly_nine_of_ten_cases_at_best_and_in_none_at_worst():
    frame = xor_failures()
    best = frame[frame["sweep"] == "best"].groupby("half_width")["failed"].mean()
    assert 0.1 < best.min() < 0.15
    assert best.idxmin() in (0.6, 0.7)
    assert of_range(frame, "logistic", 0.1)["failed"].all()
    assert of_range(frame, "logistic", 16.0)["failed"].mean() > 0.9


def test_two_relu_units_solve_xor_one_time_in_four_or_five_and_time_does_not_help():
    frame = xor_failures()
    for half_width in (0.1, 0.25, 0.5, 1.0, 2.0):
        assert 1 / 5 < 1 - of_range(frame, "relu", half_width)["failed"].mean() < 0.26
    fates = {
        half_width: of_range(frame, "relu", half_width).set_index("replicate")["failed"] for half_width in (0.1, 1)
    }
    assert (fates[0.1] == fates[1]).mean() > 0.9
    points = frame[(frame["sweep"] == "points") & (frame["activation"] == "relu") & (frame["half_width"] == 0.5)]
    for _, group in points.groupby("cost_function"):
        later = group.pivot(index="replicate", columns="epochs", values="failed")
        assert later.loc[later[2000], 20000].all()


def test_from_wide_ranges_most_logistic_failures_are_wrong_outright_and_with_cross_entropy_none_is():
    frame = xor_failures()
    failed = of_range(frame, "logistic", 16.0).query("failed")
    assert (failed["wrong"] > 0).mean() > 0.5
    other = of_range(frame, "logistic", 16.0, "cross_entropy").query("failed")
    assert (other["wrong"] > 0).mean() < 0.01
    assert len(other) < len(failed)


def test_more_than_a_hundred_thousand_different_networks_were_trained_on_xor():
    settings = ["hidden", "activation", "cost_function", "half_width", "rate", "momentum", "seed", "replicate"]
    assert (~xor_failures().duplicated(settings)).sum() > 105_000


def test_the_readme_on_xor_quotes_the_share_at_the_best_range():
    study = load("07-xor")
    assert f"{100 * study.best_range(study.read())[3]:.1f} %" in (study.FOLDER / "README.md").read_text()


def test_the_readme_on_dying_relu_quotes_the_bounds():
    readme = (FOLDER / "08-dying-relu" / "README.md").read_text()
    assert (
        f"| upper bound | {' | '.join(f'{100 * (1 - (7 / 8) ** depth):.3g} %' for depth in (2, 5, 10, 30))} |" in readme
    )
    assert f"{100 * (1 - (31 / 32) ** 30):.3g} %" in readme


def test_deep_networks_of_three_units_are_born_dead_and_those_of_ten_are_not():
    born = pd.read_csv(FOLDER / "08-dying-relu" / "born.csv")
    on_a_line = born[(born["data"] == "abs") & (born["layer"].between(1, 10))]
    dead = on_a_line.groupby(["init", "width"])["networks"].sum() / 1000
    assert dead["He, biases 0", 3] > 0.6
    assert dead["torch's own", 3] > 0.6
    assert dead["He, biases 0.1", 3] < dead["He, biases 0", 3] / 2
    assert dead["randomized asymmetric", 3] < 0.1
    assert dead["He, biases 0", 10] < 0.01


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


def test_to_be_alive_is_not_to_learn_at_three_units_and_ten_layers():
    died = pd.read_csv(FOLDER / "08-dying-relu" / "died.csv.xz")
    died["converged"] = died["outcome"] == "converged"
    on_a_line = died[(died["data"] == "abs") & (died["depth"] == 10) & (died["rate"] == 0.1)]
    share = on_a_line.groupby(["width", "init"])[["born", "died", "converged"]].mean()
    he, remedy = share.loc[3, "He, biases 0"], share.loc[3, "randomized asymmetric"]
    assert he["born"] - remedy["born"] > 0.5
    assert abs(he["converged"] - remedy["converged"]) < 0.03
    assert share.loc[3, "He, biases 0.1"]["converged"] > 1.5 * he["converged"]
    assert (share.loc[10]["born"] == 0).all()
    torch = died[(died["depth"] == 10) & (died["init"] == "torch's own")]
    assert not torch["converged"].any()


def test_biases_kill_or_save_by_their_sign():
    born = pd.read_csv(FOLDER / "08-dying-relu" / "born.csv")
    narrow = born[(born["width"] == 3) & born["layer"].between(1, 10)]
    for _, of in narrow.groupby("data"):
        dead = of.groupby("init")["networks"].sum()
        kinds = ["He, biases 0.1", "He, biases N(0, 0.1^2)", "He, biases 0", "He, biases -0.1"]
        assert dead[kinds].is_monotonic_increasing


def mean_field() -> ModuleType:
    return load("09-depth").mean_field


def test_the_edge_of_chaos_is_where_it_has_been_published():
    theory = mean_field()
    assert theory.edge("tanh", 1e-12, (0.9, 3.0)) == pytest.approx(1, abs=1e-3)  # Poole et al. (2016)
    assert theory.edge("tanh", 0.05, (1.0, 3.0)) == pytest.approx(1.76, abs=0.005)  # Schoenholz et al. (2017)
    assert theory.edge("tanh", 2.01e-5, (1.0, 3.0)) == pytest.approx(1.05, abs=0.005)  # Xiao et al. (2018)
    assert theory.depth_scale("relu", 2.0, 0.0) == np.inf  # He et al. (2015)


def test_a_correlation_is_carried_on_as_closed_forms_and_its_own_derivative_have_it():
    theory = mean_field()
    for c in (0.0, 0.3, 0.9):
        for q in (0.5, 4.0):  # Williams (1997)
            exact = 2 / np.pi * np.arcsin(2 * q * c / (1 + 2 * q))
            assert theory.product(erf, q, c) == pytest.approx(exact, abs=1e-9)
        assert theory.product(np.sin, 2.0, c) == pytest.approx(np.exp(-2.0) * np.sinh(2.0 * c), abs=1e-12)
    for activation, q in (("tanh", 1.3), ("logistic", 60.0)):
        value = ACTIVATIONS[activation]().value
        c, step = 0.4, 1e-4
        rise = (theory.product(value, q, c + step) - theory.product(value, q, c - step)) / (2 * step * q)
        assert theory.slope(activation, 3.0, q, c) == pytest.approx(3.0 * rise, rel=1e-4)


def test_wide_random_networks_have_the_size_and_the_similarity_of_theory():
    theory, rng, width, weights, biases = mean_field(), np.random.default_rng(0), 300, 4.0, 0.05
    found = []
    for _ in range(100):
        z = np.sqrt(2) * rng.standard_normal((2, width))
        for _ in range(25):
            w, b = rng.standard_normal((width, width)), np.sqrt(biases) * rng.standard_normal(width)
            z = np.sqrt(weights / width) * np.tanh(z) @ w + b
        found.append(((z**2).mean(), (z[0] * z[1]).mean() / (z**2).mean()))
    expected = theory.size("tanh", weights, biases), theory.similarity("tanh", weights, biases)
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (abs(np.mean(found, axis=0) - expected) < 3 * error).all()
    assert (error < 0.02).all()


def test_every_rate_among_the_findings_stands_in_the_summary_of_its_study():
    text = (FOLDER.parent / "docs" / "findings.md").read_text()
    items = [" ".join(item.split()) for item in text.replace("\n\n", "\n- ").split("\n- ")]
    findings = [item for item in items if "../experiments/" in item]
    assert len(findings) > 20
    for finding in findings:
        folder = re.findall(r"\.\./experiments/([\w-]+)/README\.md", finding)[-1]
        summary = " ".join((FOLDER / folder / "summary.md").read_text().split())
        quoted = [quote for kind in (RATE, ESTIMATE, DEPTH) for quote in kind.findall(finding)]
        assert [quote for quote in quoted if quote not in summary] == []


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
