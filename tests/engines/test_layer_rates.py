"""Learning rates of the layers' own: against finite differences, one rate for all, and another parametrization."""

from dataclasses import replace

import numpy as np
import pytest

from initodds.engines import Engine
from initodds.engines.compiled import Compiled
from initodds.engines.matrix import Matrix
from initodds.engines.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from initodds.engines.per_example import PerExample
from initodds.engines.stacked import Stacked
from initodds.networks.network import Layer, Network
from tests.conftest import problem_of

Array = np.ndarray

NETWORK = Network((4, 5, 3, 2))
RATES = [0.5, 0.1, 2.0]
OPTIMIZERS = [
    SGD(0.1),
    SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    SGD(0.1, clip_norm=0.01),
    Adam(0.01, weight_decay=0.1),
    AdamW(0.01),
    RMSprop(0.01, momentum=0.5),
]


def layers_of(network: Network, rng: np.random.Generator) -> list[Layer]:
    return [(rng.normal(size=size), rng.normal(size=size[1])) for size in network.layers]


def mean_cost(layers: list[Layer], x: Array, targets: Array) -> float:
    """The quadratic cost of a network of logistic units, written out."""
    a = x
    for weights, biases in layers:
        a = 1 / (1 + np.exp(-(a @ weights + biases)))
    return float(((a - targets) ** 2).sum() / 2 / len(x))


def numbers_of(layers: list[Layer]) -> list[Array]:
    return [array for layer in layers for array in layer]


def numerical_gradient(layers: list[Layer], x: Array, targets: Array) -> list[Array]:
    """By central differences: of each layer's weights and biases in turn."""
    gradient = []
    for array in numbers_of(layers):
        derivatives = np.empty_like(array)
        for place in np.ndindex(array.shape):
            value, ends = array[place], []
            for step in (1e-5, -1e-5):
                array[place] = value + step
                ends.append(mean_cost(layers, x, targets))
            array[place] = value
            derivatives[place] = (ends[0] - ends[1]) / 2e-5
        gradient.append(derivatives)
    return gradient


@pytest.mark.parametrize("engine", [Stacked, Compiled, Matrix, PerExample])
def test_each_layer_goes_down_the_slope_at_its_own_rate(engine: type[Engine], rng: np.random.Generator):
    layers, x, targets = layers_of(NETWORK, rng), rng.random((6, 4)), rng.random((6, 2))
    made = engine(problem_of(NETWORK, x, targets, learning_rate=np.array([RATES])), [layers])
    made.steps(np.arange(6)[None], np.array([0.5]))
    slopes = numerical_gradient(layers, x, targets)
    rates = np.repeat(RATES, 2) * 0.5
    for before, after, slope, rate in zip(
        numbers_of(layers), numbers_of(made.stack().replicate(0)), slopes, rates, strict=True
    ):
        np.testing.assert_allclose(after, before - rate * slope, rtol=0, atol=1e-9)


@pytest.mark.parametrize("engine", [Stacked, Compiled])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_layer_takes_the_step_that_all_take_at_its_rate(
    engine: type[Engine], optimizer: Optimizer, rng: np.random.Generator
):
    layers, x, targets = layers_of(NETWORK, rng), rng.random((6, 4)), rng.random((6, 2))

    def after_a_step(rate: float | Array) -> list[Layer]:
        made = engine(problem_of(NETWORK, x, targets, optimizer=replace(optimizer, learning_rate=rate)), [layers])
        made.steps(np.arange(6)[None])
        return made.stack().replicate(0)

    together = after_a_step(np.array([RATES]))
    for layer, rate in enumerate(RATES):
        for mine, its in zip(together[layer], after_a_step(rate)[layer], strict=True):
            np.testing.assert_allclose(mine, its, rtol=0, atol=1e-14)


@pytest.mark.parametrize("batch", [4, 70])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_the_two_engines_of_all_optimizers_agree(optimizer: Optimizer, batch: int, rng: np.random.Generator):
    x, targets = rng.random((80, 4)), rng.random((80, 2))
    layers = [layers_of(NETWORK, rng) for _ in range(2)]
    rates = optimizer.learning_rate * np.array([[1.0, 0.1, 3.0], [2.0, 1.0, 0.5]])
    problem = problem_of(NETWORK, x, targets, optimizer=replace(optimizer, learning_rate=rates))
    engines = [kind(problem, layers) for kind in (Stacked, Compiled)]
    rows = rng.integers(80, size=(2, 20, batch))
    for engine in engines:
        engine.steps(rows)
    for r in range(2):
        stacked, compiled = (numbers_of(engine.stack().replicate(r)) for engine in engines)
        for mine, its in zip(stacked, compiled, strict=True):
            np.testing.assert_allclose(mine, its, rtol=0, atol=1e-9)


@pytest.mark.parametrize("engine", [Stacked, Compiled])
def test_they_say_the_mean_field_parametrization(engine: type[Engine], rng: np.random.Generator):
    """f(x) = v tanh(sqrt(2) U x / sqrt(n)) / n, by gradient descent in U and v at rates of their own, as in
    Sohl-Dickstein (2024). With W = s U, dC/dU = s dC/dW, so that W moves by s^2 times U's rate."""
    n, examples, rate_u, rate_v = 8, 30, 2.0, 30.0
    x, y = rng.normal(size=(examples, n)), rng.normal(size=(examples, 1))
    u, v = rng.normal(size=(n, n)), rng.normal(size=(n, 1))
    scales = np.array([np.sqrt(2 / n), 1 / n])
    network = Network((n, n, 1), "tanh", "linear", "mean_squared", bias=False)
    layers = [(scales[0] * u, np.zeros(n)), (scales[1] * v, np.zeros(1))]
    rates = scales**2 * np.array([rate_u, rate_v])
    made = engine(problem_of(network, x, y, learning_rate=rates[None]), [layers])
    made.steps(np.tile(np.arange(examples), (50, 1)))
    for _ in range(50):
        a = np.tanh(np.sqrt(2) * (x @ u) / np.sqrt(n))
        error = 2 * (a @ v / n - y) / examples
        slope_v = a.T @ error / n
        slope_u = x.T @ (error @ v.T / n * (1 - a**2)) * np.sqrt(2) / np.sqrt(n)
        u, v = u - rate_u * slope_u, v - rate_v * slope_v
    for (weights, _), scale, expected in zip(made.stack().replicate(0), scales, (u, v), strict=True):
        np.testing.assert_allclose(weights, scale * expected, rtol=0, atol=1e-10)
