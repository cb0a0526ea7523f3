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
LAYERS = re.compile(r"\b\d+ \[\d+, \d+\]")


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
    quoted = [quote for kind in (RATE, ESTIMATE, DEPTH, LAYERS) for quote in kind.findall(readme)]
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


VARIANCES = {"tanh": [1, 1.3, 1.76, 2.5, 4], "ReLU": [1, 1.5, 1.8, 2, 2.2, 2.5, 3]}
VARIANCES["logistic"] = [1, 4, 16, 36, 64, 100, 200]


@pytest.fixture(scope="module")
def deep() -> pd.DataFrame:
    """The networks of the study of depth, by units, weights, variance, width and depth."""
    frame = pd.read_csv(FOLDER / "09-depth" / "results.csv").replace({"activation": {"relu": "ReLU"}})
    return frame.assign(converged=frame["outcome"] == "converged", variance=frame["variance"].fillna(0))


def rows_of(path: Path, header: str) -> list[list[str]]:
    """The cells of the table with this header."""
    lines = path.read_text().split(header)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]


def depth_cells(part: pd.DataFrame) -> list[str]:
    """Of networks of one setting: how many, up to which depth half converge, and the depths tried around that."""
    found = initodds.boundary(part.assign(layers=np.log(part["depth"])), x="layers").iloc[0]
    middle, low, high = np.exp(found[["boundary", "low", "high"]].astype(float))
    counts = part.groupby("depth")["converged"].agg(["sum", "size"])
    around = [f"{depth}: {count}/{size}" for depth, (count, size) in counts.iterrows()]
    over = 2 * counts["sum"] >= counts["size"]
    if over.all():
        return [str(len(part)), f"over {counts.index[-1]}", around[-1]]
    last = int(over.to_numpy().argmin())
    return [str(len(part)), f"{middle:.0f} [{low:.0f}, {high:.0f}]", ", ".join(around[last - 1 : last + 1])]


def test_the_depths_that_are_set_against_theory_are_those_of_the_results(deep: pd.DataFrame):
    theory, expected = mean_field(), []
    for units, variances in VARIANCES.items():
        for variance in variances:
            part = deep.query("activation == @units and weights == 'normal' and width == 50 and variance == @variance")
            biases = 0.05 if units == "tanh" else 0.0
            scale = theory.depth_scale(units.lower(), variance, biases)
            if units == "ReLU" and variance != 2:
                assert scale == pytest.approx(1 / abs(np.log(variance / 2)))
            found = initodds.boundary(part.assign(layers=np.log(part["depth"])), x="layers").iloc[0]
            middle, low, high = np.exp(found[["boundary", "low", "high"]].astype(float)) / scale
            in_scales = [f"{middle:.1f} [{low:.1f}, {high:.1f}]"] if scale < 1000 else [""]
            shown = f"{scale:.2f}" if scale < 1000 else "infinite"
            n, *cells = depth_cells(part)
            expected.append([units, f"{variance:g}", shown, n, *cells, *in_scales])
    header = "| units | variance | xi | n | half converge up to | layers: converged | in xi |"
    quoted = [[*row, ""][:7] for row in rows_of(FOLDER / "09-depth" / "README.md", header)]
    assert quoted == expected
    ratios = {(units, float(variance)): row[-1].split(" ")[0] for units, variance, *row in expected}
    small = [("tanh", 1), ("tanh", 1.3), ("ReLU", 1), ("ReLU", 1.5), *(("logistic", each) for each in (1, 4, 16, 36))]
    readme, shares = text_of(FOLDER / "09-depth" / "README.md"), [float(ratios[key]) for key in small]
    assert f"carry five to nine scales**, {min(shares)} to {max(shares)}: tanh with variances of 1 and 1.3," in readme
    assert {ratios["tanh", 2.5], ratios["tanh", 4]} == {"2.9"}
    assert "2.9 of it with tanh at both variances" in readme
    slow = re.search(r"unfinished or partial in (\d+ of \d+) settings", text_of(FOLDER / "09-depth" / "summary.md"))
    assert slow is not None
    assert f"unfinished or lack a digit, in {slow[1]} settings" in readme


def test_the_depths_of_other_weights_and_widths_are_those_of_the_results(deep: pd.DataFrame):
    groups = {key: depth_cells(part) for key, part in deep.groupby(["activation", "weights", "variance", "width"])}
    best = {"tanh": 1.76, "ReLU": 2, "logistic": 36}
    expected = {}
    for (units, weights, variance, width), cells in groups.items():
        if weights != "normal":
            expected[units, weights, str(width)] = cells
        elif variance == best[units]:
            expected[units, f"normal, variance {variance:g}", str(width)] = cells
    header = "| units | weights | units a layer | n | half converge up to | layers: converged |"
    quoted = {tuple(row[:3]): row[3:] for row in rows_of(FOLDER / "09-depth" / "README.md", header)}
    assert quoted == expected


def test_what_the_study_of_depth_puts_first_is_what_its_networks_did(deep: pd.DataFrame):
    readme, findings = (
        text_of(FOLDER.parent / name) for name in ("experiments/09-depth/README.md", "docs/findings.md")
    )

    def rate(outcome: str, **setting: object) -> str:
        part = deep[(deep[list(setting)] == list(setting.values())).all(axis=1)]
        return load("09-depth").rate(part["outcome"] == outcome)

    glorot = rate("converged", activation="logistic", weights="Glorot", depth=8)
    large = rate("converged", activation="logistic", variance=36, depth=8)
    assert f"none learns MNIST with Glorot's weights, {glorot}, and all but one" in readme
    assert f"weights of variance 36 / fan_in, {large}" in readme
    assert f"36 / fan_in, {large}, and never with Glorot's, {glorot}." in findings
    deepest = {"activation": "tanh", "depth": 60}
    orthogonal, glorot = (rate("converged", weights=weights, **deepest) for weights in ("orthogonal", "Glorot"))
    assert f"at 60 layers {orthogonal} converge, and of Glorot's {glorot}." in readme
    assert f"at 60 layers {orthogonal} converge, with Glorot's {glorot};" in findings
    edge = {"activation": "ReLU", "variance": 2, "depth": 30}
    narrow, wide = (rate("converged", width=width, **edge) for width in (50, 100))
    for text in (readme, findings):
        assert f"of ReLU networks of 30 layers {narrow} converge with 50 units a layer, and {wide} with 100" in text
    stuck = [rate("stuck", variance=variance, width=50, **deepest) for variance in (1, 1.3)]
    assert f"a variance of 1 at 60 layers {stuck[0]}; with 1.3 that is still too near the limit: {stuck[1]}" in readme
    assert f"{len(deep):,} networks on mnist_5k" in readme


@pytest.mark.parametrize(("page", "least"), [("docs/findings.md", 20), ("README.md", 3)])
def test_every_rate_of_a_finding_stands_in_the_summary_of_its_study(page: str, least: int):
    items = (FOLDER.parent / page).read_text().replace("\n\n", "\n- ").split("\n- ")
    findings = [" ".join(item.split()) for item in items if re.search(r"\(\[\d\d\]\(.*experiments/", item)]
    assert len(findings) >= least
    for finding in findings:
        folder = re.findall(r"experiments/([\w-]+)/README\.md", finding)[-1]
        summary = text_of(FOLDER / folder / "summary.md")
        quoted = [quote for kind in (RATE, ESTIMATE, DEPTH, LAYERS) for quote in kind.findall(finding)]
        assert [quote for quote in quoted if quote not in summary] == []
        assert quoted or page != "README.md"


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the benchmark, whose modules can be imported."""
    monkeypatch.syspath_prepend(str(FOLDER / "04-speed"))
    return FOLDER / "04-speed"


def text_of(path: Path) -> str:
    return " ".join(path.read_text().split())


def test_the_summaries_of_the_benchmark_are_what_its_results_give(speed: Path):
    frame, checks = pd.read_csv(speed / "results.csv"), pd.read_json(speed / "checks.json")
    text = importlib.import_module("benchmark").summary(frame, checks, checks["about"].iloc[0])
    assert text == (speed / "summary.md").read_text()
    assert (
        importlib.import_module("small").summary(pd.read_csv(speed / "small.csv")) == (speed / "small.md").read_text()
    )


def test_the_speed_that_is_claimed_is_that_of_the_results():
    frame = pd.read_csv(FOLDER / "04-speed" / "results.csv").dropna(subset="batch")
    readme, findings = text_of(FOLDER / "04-speed" / "README.md"), text_of(FOLDER.parent / "docs" / "findings.md")
    assert "(83.8 times)" in text_of(FOLDER / "01-thread-claims" / "README.md")
    claims, of_loop = {}, [83.8]
    fastest = {}
    for batch, part in frame.groupby("batch"):
        rounds = part.groupby(["contender", "R"])["rate"].agg(["median", "max"])
        ours, loop = rounds.loc["initodds"].max(), rounds.loc["per-example loop"].max()
        peers = rounds[~rounds.index.isin(["initodds", "initodds, NumPy", "per-example loop"], level="contender")]
        name, count = peers["median"].idxmax()
        ratios = [f"{each:.1f}" for each in ours / peers.max()]
        row = f"{batch:.0f} | {ours['median']:.1f} | {name}, R = {count:.0f}: {peers['median'].max():.1f} | "
        assert row + " | ".join(ratios) in readme
        assert " | ".join(f"{each:.0f}" for each in ours / loop) + " |" in readme[readme.index(row) :][:150]
        claims[batch] = " to ".join(dict.fromkeys(sorted(ratios, key=float)))
        fastest[batch] = ours["median"]
        of_loop += [*(ours / loop)]
    assert f"That is {claims[1]} times the best of PyTorch, JAX and scikit-learn at batch size 1, " in readme
    others = ", ".join(f"{claims[batch]} at {batch}" for batch in (10, 32, 100))
    assert f"{others} and {claims[1000]} at 1000, and" in readme
    assert f"trains {min(fastest.values()):.0f} to {max(fastest.values()):.0f} networks 784-30-10" in readme
    assert f"{fastest[10]:.1f} network-epochs of MNIST a second at batch size 10" in findings
    assert f"{claims[10]} times the best peer" in findings
    for text in (readme, findings):
        assert f"{min(of_loop):.0f} to {max(of_loop):.0f} times the textbook's loop" in text


def test_the_small_networks_take_the_seconds_that_are_said():
    frame = pd.read_csv(FOLDER / "04-speed" / "small.csv")
    seconds = frame.groupby(["task", "who"])["seconds"].min()
    readme = text_of(FOLDER / "04-speed" / "README.md")

    def cells(*keys: tuple[str, str]) -> str:
        return " | ".join(f"{seconds[key]:.3f}" if key in seconds else "" for key in keys)

    xor, adam = "300 networks 2-2-1, 5,000 steps", "32 networks 784-128-64-10, Adam, 100 steps of 64"
    whole, single = "JAX jit(vmap(scan))", "JAX jit(scan), one after another"
    assert f"examples | {cells((xor, 'initodds'), (xor, 'initodds, NumPy'), (xor, whole), (xor, single))} |" in readme
    optax = f"{whole}, optax"
    assert f"64 | {cells((adam, 'initodds'), (adam, 'initodds, NumPy'), (adam, optax))} | |" in readme
    same = "the same, standardized pixels"
    assert f"{same} | {seconds[same, 'initodds']:.3f} | | {seconds[same, optax]:.3f} | |" in readme
    assert f"is {seconds[xor, 'initodds'] / seconds[xor, whole]:.1f} times faster on XOR" in readme
    ratios = [seconds[task, optax] / seconds[task, "initodds"] for task in (adam, same)]
    assert f"we have {ratios[0]:.1f} times JAX's speed, and {ratios[1]:.1f} with" in readme
    ratios = []
    for batch in (10, 32, 100, 1000):
        side, alone = (f"784-30-10, standardized pixels, batch size {batch}, R = {count}" for count in (32, 1))
        peers = [(side, whole), (alone, whole), (side, "PyTorch stacked by hand"), (alone, "PyTorch loop")]
        ours = [(side, "initodds"), (alone, "initodds")]
        ratios.append(min(seconds[key] for key in peers) / min(seconds[key] for key in ours))
        assert f"| {batch} | {cells(*ours, *peers)} | {ratios[-1]:.1f} |" in readme
    assert f"we are {min(ratios):.1f} to {max(ratios):.1f} times as fast as JAX" in readme


def test_what_a_sweep_costs_is_what_was_measured():
    measured = (FOLDER / "04-speed" / "sweep.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (.+?) \|(?: (.+?) \|)?", measured, re.MULTILINE)
    found = {name: (first, second) for name, first, second in reversed(rows)}  # the first of a name stands
    readme = text_of(FOLDER / "04-speed" / "README.md")
    said = [
        f"{float(found['1'][0]):.0f} s in one process and {float(found['2'][0]):.0f} s in two",
        f"training takes {found['training, evaluation included'][1]}, its evaluations included",
        f"tracking {found['tracking'][1]} and the diagnosis {found['diagnosis'][1]}",
        f"takes {float(found['10000'][0]):.0f} s and {float(found['10000'][1]) / 1000:.2f} GB",
    ]
    of_threads = {name: first.replace(", ", " and ") for name, first, _ in rows if ", " in first}
    said += [f"takes {of_threads['1']} s in one thread, and {of_threads['2']} in two"]
    assert [text for text in said if text not in readme] == []
