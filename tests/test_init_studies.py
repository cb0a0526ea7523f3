"""The headlines of the studies of how weights are drawn hold in their committed results, asked of these anew."""

import importlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.ndimage import label
from scipy.stats import norm

from initodds import datasets

FOLDER = Path(__file__).parents[1] / "experiments"


def prose(study: str) -> str:
    """A README with its lines joined, and a number whole where a line is broken within it."""
    return " ".join((FOLDER / study / "README.md").read_text().split())


@pytest.fixture(scope="module")
def claims() -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / "01-thread-claims" / "results.csv")
    return frame.rename(columns=lambda name: name.removeprefix("sgd."))


@pytest.fixture(scope="module")
def phase() -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / "02-phase-diagram" / "results.csv")
    return frame.rename(columns=lambda name: name.rpartition(".")[2])


def textbook(claims: pd.DataFrame) -> pd.DataFrame:
    """The networks at batch size 10 and rate 3, with averaged gradients and the quadratic cost."""
    frame = claims.query("batch_size == 10 and learning_rate == 3 and reduction == 'mean' and dtype == 'float32'")
    return frame[frame["network.cost"] == "quadratic"]


def test_a_range_from_0_is_stuck_every_time_and_a_centred_one_never(claims: pd.DataFrame):
    frame = textbook(claims)
    for epochs in (1, 30):
        stuck = frame[frame["epochs"] == epochs].groupby("init")["outcome"].apply(lambda each: (each == "stuck").sum())
        assert stuck.to_dict() == {"unit": 200, "half": 0, "symmetric": 0, "gaussian": 0}
    gaussian = frame[(frame["init"] == "gaussian")].groupby("epochs")["dead_classes"].apply(lambda n: (n > 0).sum())
    assert gaussian.to_dict() == {1: 55, 3: 26, 30: 7}


def test_the_medians_of_the_claims_are_those_of_the_results(claims: pd.DataFrame):
    medians = textbook(claims).query("epochs == 1").groupby("init")["accuracy"].median()
    assert f"{100 * medians['half']:.1f} % for U[-0.5, 0.5] and {100 * medians['symmetric']:.1f} %" in prose(
        "01-thread-claims"
    )


def test_summed_at_a_tenth_of_the_rate_is_averaged(claims: pd.DataFrame):
    mean = textbook(claims).query("init == 'half' and epochs == 1").set_index("replicate")
    summed = claims.query("reduction == 'sum' and batch_size == 10 and learning_rate == 0.3 and dtype == 'float32'")
    summed = summed.set_index("replicate").loc[mean.index]
    assert (summed["outcome"] == mean["outcome"]).all()
    assert (summed["accuracy"] - mean["accuracy"]).abs().max() < 5e-5


def test_an_overflow_of_exp_leaves_no_more_stuck_than_the_same_in_float64_does(claims: pd.DataFrame):
    key = ["learning_rate", "batch_size", "replicate"]
    summed = claims[claims["reduction"] == "sum"].set_index(key).sort_index()
    single, double = (summed[summed["dtype"] == dtype] for dtype in ("float32", "float64"))
    over = single[single["naive_overflows"] > 0]
    stuck, same = over["outcome"] == "stuck", double.loc[over.index, "outcome"] == "stuck"
    for cell in over.groupby(key[:2]).groups.values():
        assert stuck[cell].sum() <= same[cell].sum()
    harmless = over.loc[(3.0, 1)]
    assert len(harmless) == 200
    assert not (harmless["outcome"] == "stuck").any()
    assert not (claims["outcome"] == "diverged").any()


def test_rounding_moves_networks_and_not_the_rate(claims: pd.DataFrame):
    summed = claims.query("reduction == 'sum' and batch_size == 10 and learning_rate == 3")
    single, double = (summed[summed["dtype"] == dtype].set_index("replicate") for dtype in ("float32", "float64"))
    assert ((single["outcome"] == double["outcome"]).sum(), len(single)) == (181, 200)
    assert [(part["outcome"] == "stuck").sum() for part in (single, double)] == [176, 175]
    assert (100 * (single["accuracy"] - double["accuracy"])).abs().max() == pytest.approx(17, abs=0.005)


def test_the_centre_decides_in_every_setting_of_the_phase_diagram(phase: pd.DataFrame):
    frame = phase[(phase["epochs"] == 10) & (phase["scale"] == "unit")]
    settings = ["batch_size", "learning_rate", "half_width"]
    at_0 = frame[frame["centre"] == 0].groupby(settings)["outcome"].apply(lambda each: (each == "stuck").mean())
    assert (len(at_0), at_0.max()) == (20, 0)
    beyond = frame[(frame["centre"] == 0.2) & (frame["half_width"] <= 0.5)].groupby(settings)["outcome"]
    shares = beyond.apply(lambda each: (each == "stuck").mean())
    assert (len(shares), shares.min()) == (16, 1)
    assert frame["replicate"].nunique() == 32  # the draws, which all of these settings share


def test_an_edge_lies_further_out_at_a_wider_range_and_after_more_steps(phase: pd.DataFrame):
    frame = phase[(phase["scale"] == "unit") & (phase["batch_size"] == 10) & (phase["learning_rate"] == 3)]

    def stuck(data: str, epochs: int, half_width: float, centre: float) -> float:
        part = frame[(frame["data"] == data) & (frame["epochs"] == epochs) & (frame["half_width"] == half_width)]
        return float((part.loc[np.isclose(part["centre"], centre), "outcome"] == "stuck").mean())

    assert (stuck("mnist_5k", 10, 0.1, 0.1), stuck("mnist_5k", 10, 1.0, 0.1)) == (1, 0)
    early, late, full = stuck("mnist_5k", 10, 0.5, 0.12), stuck("mnist_5k", 38, 0.5, 0.12), stuck("mnist", 3, 0.5, 0.12)
    assert early > 0.75 > 0.6 > max(late, full)


def test_how_far_theory_is_off_is_what_the_table_of_edges_gives():
    # From the table that is committed, and not by the function that prints the line beside it.
    lines = (FOLDER / "02-phase-diagram" / "summary.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| mnist_5k | 10 ")]
    assert len(rows) == 20
    edges = np.array([[float(part.strip("[,]")) for part in row[7].split()] for row in rows])
    predicted = np.array([float(row[8]) for row in rows])
    ratio = edges[:, 0] / predicted
    assert ratio.min() == pytest.approx(0.37, abs=0.012)  # of a centre of 0.018
    assert ratio.max() == pytest.approx(1.43, abs=0.012)
    inside = (edges[:, 1] <= predicted) & (predicted <= edges[:, 2])
    assert abs(inside.sum() - 4) <= 1  # of three digits, one lies on its interval's end
    assert "0.37 to 1.43 times the predicted one" in prose("02-phase-diagram")
    assert "inside 4 of 20 intervals" in prose("02-phase-diagram")


def test_the_predicted_edge_is_where_the_luckiest_of_thirty_units_is_saturated_on_the_average_image():
    x = datasets.mnist_5k().train.x.astype(float)
    spread = 0.5 * np.sqrt((1 + (x**2).sum(axis=1).mean()) / 3)
    least = quad(lambda z: z * 30 * norm.pdf(z) * norm.sf(z) ** 29, -10, 10)[0]  # expected of 30 normal numbers
    flat = np.log((1 + np.sqrt(0.96)) / (1 - np.sqrt(0.96)))  # where a (1 - a) = 0.01
    centre = (flat - least * spread) / (1 + x.sum(axis=1).mean())
    assert f"{centre:.3f}" == "0.098"


@pytest.fixture(scope="module")
def reports() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "05-reports" / "results.csv.xz").fillna({"cell": "", "cause": ""})


def test_relu_solves_xor_less_often_than_logistic_units_at_every_width(reports: pd.DataFrame):
    frame = reports[reports["report"] == 4]
    solved = (frame["outcome"] == "converged").groupby(frame["cell"]).sum()
    relu, logistic = (
        [solved[f"network.activation={activation}; network.hidden=[{hidden}]"] for hidden in (2, 3, 5, 8)]
        for activation in ("relu", "logistic")
    )
    assert relu == [68, 112, 203, 273]
    assert logistic == [223, 293, 300, 300]


def test_a_rate_that_fits_one_scale_of_the_inputs_does_not_fit_the_other(reports: pd.DataFrame):
    score = reports[reports["report"] == 5].groupby("cell")["score"]
    raw, unit = "data.scale=raw; sgd.learning_rate=", "data.scale=unit; sgd.learning_rate="
    assert score.max()[f"{raw}0.1"] < 0.12
    assert score.max()[f"{unit}0.001"] < 0.2
    assert score.min()[f"{raw}0.001"] > 0.85
    assert score.min()[f"{unit}0.1"] > 0.85


def test_iris_at_a_rate_of_1_answers_a_third_to_everything(reports: pd.DataFrame):
    cell = "data.scale=raw; network.activation=relu; sgd.batch_size=150; sgd.learning_rate=1.0; sgd.epochs=300"
    frame = reports[(reports["report"] == 10) & (reports["cell"] == cell)]
    assert len(frame) == 32
    assert (frame["outcome"] == "stuck").all()
    np.testing.assert_allclose(frame["cost"], np.log(3), atol=5e-4)
    outputs = reports[reports["report"] == 8]["outcome"]
    assert ((outputs == "converged").sum(), len(outputs)) == (69, 1000)


def test_what_decides_is_said_of_each_report_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER / "05-reports"))
        study = importlib.import_module("reports")
    assert sorted(report for named in study.DECIDED.values() for report in named) == sorted(study.COMMANDS)
    assert sorted(study.DECIDED["the start"]) == [1, 3, 4, 8, 11]
    rates = study.advised()
    assert rates.groupby("report").size().eq(2).all()
    assert rates["report"].nunique() == len(study.COMMANDS)


MAPS = FOLDER / "06-the-map" / "results"


def converged(name: str) -> np.ndarray:
    """(rows, columns) bool: where the networks of a map converge."""
    frame = pd.read_parquet(MAPS / f"{name}.parquet")
    x, y = list(frame)[:2]
    return frame.pivot(index=y, columns=x, values="outcome").to_numpy() == "converged"


def box_counting(where: np.ndarray) -> float:
    """The slope of the number of boxes that hold a piece of the border, laid at random, from 1 to 31 points."""
    four = where[:-1, :-1] * 1 + where[:-1, 1:] + where[1:, :-1] + where[1:, 1:]
    places, rng = np.argwhere((four > 0) & (four < 4)), np.random.default_rng(0)
    sizes = np.array([1, 2, 3, 4, 6, 8, 11, 16, 23, 31])
    counts = [
        np.mean([len(np.unique((places + rng.integers(0, size, 2)) // size, axis=0)) for _ in range(20)])
        for size in sizes
    ]
    return float(-np.polyfit(np.log(sizes), np.log(counts), 1)[0])


@pytest.mark.parametrize(
    ("name", "share", "dimension", "zoomed"),
    [("centre-rate", 6.5, 1.30, 1.75), ("width-rate", 19.4, 1.32, 1.68), ("centre-width", 14.1, 1.13, 1.53)],
)
def test_the_planes_have_the_shares_and_the_dimensions_that_are_told(name, share, dimension, zoomed):
    assert f"{100 * converged(name).mean():.1f}" == f"{share:.1f}"
    assert box_counting(converged(name)) == pytest.approx(dimension, abs=0.06)
    assert box_counting(converged(f"{name}-zoom")) == pytest.approx(zoomed, abs=0.06)


def test_what_converges_is_all_but_one_region_and_leans_to_negative_centres():
    where = converged("centre-rate")
    regions, _ = label(where, np.ones((3, 3)))
    assert f"{100 * np.bincount(regions[where]).max() / where.sum():.1f} % of them" in prose("06-the-map")
    rows = np.flatnonzero(where.any(axis=1))[-5:]  # the five highest rates
    centres = np.linspace(-0.3, 0.3, 256)
    assert all(centres[where[row]].max() < 0 for row in rows)


def test_search_and_grid_agree_but_where_the_share_is_no_logistic_curve():
    searched = pd.read_csv(FOLDER / "06-the-map" / "searched.csv")
    frame = searched[(searched["search"] == 1) & (searched["data"] == "mnist_5k") & (searched["epochs"] == 10)]
    assert frame.groupby("outcome")["networks"].sum().to_dict() == {"converged": 2672, "stuck": 6560}
    assert frame["centre"].isna().sum() == 7
    grid = 20 * 32 * len(np.arange(0, 0.3 + 1e-9, 0.005))
    assert (grid, round(grid / 2672), round(grid / 6560)) == (39040, 15, 6)


def test_every_searched_edge_that_is_quoted_stands_in_the_summary():
    summary = (FOLDER / "06-the-map" / "summary.md").read_text()
    quoted = re.findall(r"\d\.\d{4} \[\d\.\d{4}, \d\.\d{4}\]", prose("06-the-map"))
    assert len(quoted) >= 8
    assert [edge for edge in quoted if edge not in summary] == []
