"""What an init does before any training, against plain NumPy and closed forms."""

import numpy as np
import pytest

from initodds.datasets import Split
from initodds.datasets.tasks import Regression
from initodds.initializers import Constant, Normal, Uniform
from initodds.networks.network import Network
from initodds.verdicts.start import in_words, normal_points, start_of
from tests.conftest import drawn


@pytest.fixture
def train(rng: np.random.Generator) -> Split:
    return Split(rng.uniform(size=(200, 50)), rng.uniform(size=(200, 1)))


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "gelu"])
def test_theory_agrees_with_wide_layers(activation: str, train: Split):
    network = Network((50, 400, 300, 1), activation, "linear")
    start = start_of(network, Regression(1), [drawn(Normal(0.1), network, 0, r) for r in range(4)], train)
    np.testing.assert_allclose(start.size[:, :2].mean(axis=0), start.expected_size[:, :2].mean(axis=0), rtol=0.05)
    np.testing.assert_allclose(start.flat_examples[:, :2].mean(0), start.expected_flat[:, :2].mean(0), atol=0.03)


def test_what_is_measured_is_what_numpy_says(train: Split):
    network = Network((50, 3, 1), "tanh", "linear")
    layers = drawn(Uniform(-1.0, 1.0), network, 0, 0)
    start = start_of(network, Regression(1), [layers], train)
    z = train.x @ layers[0][0] + layers[0][1]
    a = np.tanh(z)
    assert start.size[0, 0] == pytest.approx(np.sqrt((z**2).mean()))
    assert start.spread[0, 0] == pytest.approx(np.sqrt((z.std(axis=0) ** 2).mean()))
    assert start.flat_examples[0, 0] == pytest.approx((1 - a**2 < 0.04).mean())
    error = a @ layers[1][0] + layers[1][1] - train.y
    into_first = (error @ layers[1][0].T * (1 - a**2)) / len(train)
    norm = np.sqrt(((train.x.T @ into_first) ** 2).sum() + (into_first.sum(axis=0) ** 2).sum())
    assert start.gradient[0, 0] == pytest.approx(norm)


def test_all_thirty_are_saturated_from_0_to_1(train: Split):
    network = Network((50, 30, 1))
    start = start_of(network, Regression(1), [drawn(Uniform(0.0, 1.0), network, 0, 0)], train)
    assert start.flat[0, 0] == 1
    assert in_words(start, 0).startswith(
        "All 30 units of the hidden layer are saturated on nearly every example before"
    )
    good = start_of(network, Regression(1), [drawn(Uniform(-0.2, 0.2), network, 0, 0)], train)
    assert good.flat[0, 0] == 0
    assert in_words(good, 0).startswith("Nothing wrong")


def test_expectations_are_those_of_a_normal_number():
    """E relu(z)^2 is half of E z^2 for z of mean 0 (He et al. 2015); E z^4 is 3 sd^4."""
    z, chances = normal_points(np.zeros(1), np.array([4.0]))
    assert (np.maximum(z[0], 0) ** 2 @ chances) == pytest.approx(2)
    assert (z[0] ** 4 @ chances) == pytest.approx(48)


def test_units_that_are_all_alike_are_told_before_anything_else(train: Split):
    network = Network((50, 3, 1))
    alike, apart = (
        start_of(network, Regression(1), [drawn(rule, network, 0, 0)], train) for rule in (Constant(0.1), Normal(0.1))
    )
    assert alike.symmetric.tolist() == [True]
    assert in_words(alike, 0).startswith("The units of a hidden layer have the same weights")
    assert apart.symmetric.tolist() == [False]


def test_weights_are_small_by_what_they_answer_and_not_for_having_one_example(train: Split):
    """One example has no spread, however large the weights are."""
    one = Split(train.x[:1], train.y[:1])
    network = Network((50, 4, 1), "tanh", "linear")
    large, small = (start_of(network, Regression(1), [drawn(Normal(std), network, 0, 0)], one) for std in (0.2, 1e-3))
    assert large.spread[0, 0] == 0
    assert in_words(large, 0).startswith("Nothing wrong")
    assert in_words(small, 0).startswith("The weights are small")
