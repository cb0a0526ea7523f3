import re

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit, xlogy

from initodds import datasets
from initodds.initializers import Centred
from initodds.networks.activations import FLAT_SLOPE
from initodds.statistics.boundary import boundary, fit
from initodds.verdicts.theory import predict_boundary, saturates_at
from initodds.vocabulary import InputError

X = np.linspace(0, 0.2, 9)


def frame_of(hits: list[int], n: int = 20, x: np.ndarray = X) -> pd.DataFrame:
    """A sweep over x with so many converged of n at each value."""
    outcomes = [["converged"] * k + ["stuck"] * (n - k) for k in hits]
    return pd.DataFrame({"init.centre": np.repeat(x, n), "outcome": np.ravel(outcomes)})


def test_the_fit_is_the_maximum_likelihood_of_an_independent_search():
    hits = np.array([20, 20, 19, 14, 9, 3, 1, 0, 0.0])
    n = np.full(9, 20.0)
    found = fit(X, hits, n)

    def loss(p: np.ndarray) -> float:
        share = expit(np.exp(p[0]) * (p[1] - X))
        return -float((xlogy(hits, share) + xlogy(n - hits, 1 - share)).sum())

    best = minimize(loss, [4.0, 0.1], method="Nelder-Mead")
    assert found["boundary"] == pytest.approx(best.x[1], abs=1e-4)
    assert found["width"] == pytest.approx(2 * np.log(9) / np.exp(best.x[0]), rel=1e-2)


def test_a_rising_share_has_the_same_boundary_as_the_falling_one():
    falling = boundary(frame_of([20, 20, 19, 14, 9, 3, 1, 0, 0])).iloc[0]
    rising = boundary(frame_of([0, 0, 1, 6, 11, 17, 19, 20, 20])).iloc[0]
    for column in ("boundary", "low", "high", "width"):
        assert rising[column] == pytest.approx(falling[column], abs=1e-5)


SLOW = pytest.mark.soak


@pytest.mark.parametrize(
    ("spread", "n"),
    [(0.015, 32), pytest.param(0.004, 32, marks=SLOW), pytest.param(0.0005, 32, marks=SLOW),
     pytest.param(0.06, 16, marks=SLOW)],
)  # fmt: skip
def test_the_interval_covers(spread: float, n: int, rng: np.random.Generator):
    edge = 0.083
    covered, bounded = [], []
    for _ in range(1000):
        found = fit(X, rng.binomial(n, expit((edge - X) / spread)).astype(float), np.full(9, float(n)))
        covered.append(found["low"] <= edge <= found["high"])
        bounded.append(np.isfinite(found["boundary"]))
    assert np.mean(covered) >= 0.93
    assert np.mean(bounded) >= 0.93


def test_perfect_separation_gives_the_bracket():
    row = boundary(frame_of([20, 20, 20, 20, 0, 0, 0, 0, 0])).iloc[0]
    assert (row["low"], row["high"]) == pytest.approx((X[3], X[4]))
    assert row["boundary"] == pytest.approx((X[3] + X[4]) / 2)
    assert row["width"] == 0
    assert "separates perfectly" in row["note"]


def test_a_bracket_of_one_replicate_a_value_is_wider_than_its_gap():
    row = boundary(frame_of([1, 1, 1, 1, 0, 0, 0, 0, 0], n=1)).iloc[0]
    assert row["low"] < X[3]
    assert row["high"] > X[4]


@pytest.mark.parametrize(("hits", "side"), [([20] * 9, "more"), ([0] * 9, "less"), ([15] * 9, "more")])
def test_a_sweep_that_does_not_cross_says_so(hits: list[int], side: str):
    row = boundary(frame_of(hits)).iloc[0]
    assert np.isnan(row["boundary"])
    assert np.isinf([row["low"], row["high"]]).all()
    assert f"not crossed: {side} than half" in row["note"]


@pytest.mark.parametrize("last", [0.2, 0.5, 2.0])
def test_a_value_far_beyond_the_edge_does_not_move_it(last: float):
    x = np.append(X[:-1], last)
    row = boundary(frame_of([20, 20, 20, 15, 4, 0, 0, 0, 0], x=x)).iloc[0]
    assert X[3] < row["low"] < row["boundary"] < row["high"] < X[4]


@pytest.mark.parametrize("hits", [[0, 2, 16, 20, 20, 18, 3, 0, 0], [20, 20, 3, 0, 0, 0, 17, 20, 20]])
def test_two_edges_are_named_and_not_averaged(hits: list[int]):
    row = boundary(frame_of(hits)).iloc[0]
    assert np.isnan(row["boundary"])
    assert "half is passed 2 times" in row["note"]


def test_a_share_that_does_not_change_has_no_edge():
    row = boundary(frame_of([11, 9, 10, 12, 8, 11, 9, 10, 10])).iloc[0]
    assert np.isnan(row["boundary"])
    assert "no edge to be told" in row["note"]


def test_one_value_is_no_sweep():
    assert "one value only" in boundary(frame_of([3], x=X[:1]))["note"].item()


def test_groups_and_a_missing_column():
    frame = pd.concat([frame_of([20] * 5 + [0] * 4).assign(rate=1), frame_of([20] * 3 + [0] * 6).assign(rate=2)])
    table = boundary(frame, by=["rate"])
    assert table["rate"].tolist() == [1, 2]
    assert table["boundary"][0] > table["boundary"][1]
    with pytest.raises(InputError, match=r"x=init\.width: not a column"):
        boundary(frame, x="init.width")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "x=init.centre: nan is no finite number, in 20 of 180 rows"),
        (np.inf, "x=init.centre: inf is no finite number, in 20 of 180 rows"),
        ("wide", "x=init.centre: wide is no finite number, in 20 of 180 rows"),
    ],
)
def test_a_value_that_is_no_number_is_told_and_not_dropped(value: object, message: str):
    frame = frame_of([20, 20, 19, 14, 9, 3, 1, 0, 0]).astype({"init.centre": object})
    frame.loc[frame.index[-20:], "init.centre"] = value
    with pytest.raises(InputError, match=re.escape(message)):
        boundary(frame)


def test_an_unknown_outcome_is_no_edge_that_is_not_crossed():
    frame = frame_of([20] * 5 + [0] * 4)
    with pytest.raises(InputError, match="outcome=convergd: choose from converged, "):
        boundary(frame, outcome="convergd")
    with pytest.raises(InputError, match="outcome=good: in 180 of 180 replicates"):
        boundary(frame.assign(outcome="good"))
    with pytest.raises(InputError, match=r"by=init\.centre: named twice"):
        boundary(frame, by="init.centre")


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_the_prediction_is_where_the_luckiest_unit_saturates(activation: str, rng: np.random.Generator):
    steep = {"logistic": lambda z: expit(z) * expit(-z) / 0.25, "tanh": lambda z: 1 / np.cosh(z) ** 2}
    assert steep[activation](saturates_at(activation)) == pytest.approx(FLAT_SLOPE)
    data = datasets.mnist_5k()
    half_width = 0.5
    centre = float(predict_boundary(data, half_width, activation=activation))
    x = data.train.x[rng.choice(4000, size=300, replace=False)].astype(float)
    least = []
    for _ in range(100):
        weights, biases = Centred(centre, half_width)(rng, 784, 30)
        least.append((x @ weights + biases).min(axis=1).mean())
    assert np.mean(least) == pytest.approx(saturates_at(activation), abs=0.5)
    wide, narrow = predict_boundary(data, np.array([1.0, 0.1]), activation=activation)
    assert wide > centre > narrow > 0


def test_an_activation_without_an_upper_end_has_no_edge():
    data = datasets.xor()
    with pytest.raises(InputError, match=r"^activation=relu: is not flat for any large z.*; one of logistic, tanh$"):
        predict_boundary(data, 0.5, activation="relu")
    with pytest.raises(InputError, match=r"activation=swish: one of logistic, "):
        predict_boundary(data, 0.5, activation="swish")
