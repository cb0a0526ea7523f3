"""All engines take the same step."""

from dataclasses import replace

import numpy as np
import pytest

from initodds import datasets
from initodds.engines import Engine
from initodds.engines.compiled import Compiled
from initodds.engines.matrix import Matrix
from initodds.engines.optimizers import SGD, Adam, Optimizer
from initodds.engines.per_example import PerExample
from initodds.engines.sequential import Sequential
from initodds.engines.stacked import Stacked
from initodds.networks.network import Network
from initodds.vocabulary import InputError
from tests.conftest import mini_batches, needs_compiler, problem_of, random_layers


def after_an_epoch(engine: type[Engine], network: Network, layers: list, reduction: str, rate: float) -> list:
    data = datasets.digits().train
    made = engine(problem_of(network, data.x, np.eye(10)[data.y], rate, reduction), layers)
    for rows in mini_batches(len(data), 20, 1, seed=4):  # 1442 examples: the last batch has 2
        made.steps(rows)
    return [made.stack().replicate(r) for r in range(len(layers))]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("hidden", [(7,), (6, 5)])
@pytest.mark.parametrize(
    ("engine", "cost"), [(Matrix, "quadratic"), (Matrix, "cross_entropy"), (PerExample, "quadratic")]
)
def test_an_epoch_of_each_engine_ends_with_the_same_weights(
    engine: type[Engine], cost: str, hidden: tuple[int, ...], reduction: str, rng: np.random.Generator
):
    network = Network((64, *hidden, 10), cost=cost)
    layers = random_layers(network, 2, rng, scale=0.3)
    rate = 1.0 if reduction == "mean" else 0.05
    expected = after_an_epoch(Stacked, network, layers, reduction, rate)
    for mine, reference in zip(after_an_epoch(engine, network, layers, reduction, rate), expected, strict=True):
        for (weights, biases), (reference_weights, reference_biases) in zip(mine, reference, strict=True):
            np.testing.assert_allclose(weights, reference_weights, rtol=0, atol=1e-10)
            np.testing.assert_allclose(biases, reference_biases, rtol=0, atol=1e-10)


@pytest.mark.parametrize("engine", [Matrix, PerExample])
def test_rates_may_differ_and_the_layers_given_stay_as_they_were(engine: type[Engine], rng: np.random.Generator):
    network = Network((5, 4, 3))
    layers = random_layers(network, 2, rng)
    before = [[(w.copy(), b.copy()) for w, b in of_replicate] for of_replicate in layers]
    x, targets = rng.random((6, 5)), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    rates = np.array([0.5, 4.0])
    made = [kind(problem_of(network, x, targets, rates), layers) for kind in (engine, Stacked)]
    for one in made:
        one.steps(np.arange(6)[None])
    for r in range(2):
        np.testing.assert_allclose(made[0].stack().replicate(r)[0][0], made[1].stack().replicate(r)[0][0], atol=1e-13)
        np.testing.assert_array_equal(layers[r][0][0], before[r][0][0])


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(np.array([0.5, 1.0, 2.0])),
        SGD(np.array([[0.5, 1.0], [1.0, 0.2], [2.0, 2.0]])),
        SGD(0.1, momentum=0.9),
        Adam(np.array([[0.01, 0.002]]), clip_norm=0.1),
    ],
)
@pytest.mark.parametrize("engine", [Stacked, pytest.param(Compiled, marks=needs_compiler), Matrix, PerExample])
@pytest.mark.parametrize("present", [0, 20])
def test_networks_with_orders_of_their_own_are_as_networks_alone(
    engine: type[Engine], optimizer: Optimizer, present: int, rng: np.random.Generator
):
    if issubclass(engine, Sequential) and not optimizer.fused:
        pytest.skip("this engine has plain SGD only")
    network = Network((20, 7, 3))
    layers = random_layers(network, 3, rng)
    x = rng.random((30, 20)) * (rng.random((30, 20)) < 0.3) * (np.arange(20) < present)
    targets = np.eye(3)[rng.integers(3, size=30)]
    together = engine(problem_of(network, x, targets, optimizer=optimizer), layers)
    alone = [
        Stacked(problem_of(network, x, targets, optimizer=replace(optimizer, learning_rate=rates[None])), [its])
        for rates, its in zip(optimizer.rates(3, 2), layers, strict=True)
    ]
    # From orders of their own to a shared one and back, with factors, and short batches.
    for batch, own in ((4, True), (1, True), (5, False), (3, True)):
        rows = rng.integers(30, size=(3, 6, batch))
        rows = rows if own else np.repeat(rows[:1], 3, axis=0)
        together.steps(rows if own else rows[0], np.linspace(1, 0.1, 6))
        for one, its in zip(alone, rows, strict=True):
            one.steps(its, np.linspace(1, 0.1, 6))
    for r, one in enumerate(alone):
        for mine, reference in zip(together.stack().replicate(r), one.stack().replicate(0), strict=True):
            np.testing.assert_allclose(mine[0], reference[0], rtol=0, atol=1e-12)
            np.testing.assert_allclose(mine[1], reference[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", [Matrix, PerExample])
def test_a_naive_logistic_function_overflows_as_often_as_the_stack_counts(
    engine: type[Engine], rng: np.random.Generator
):
    network = Network((5, 4, 3))
    layers = random_layers(network, 3, rng, scale=60)
    x, targets = rng.random((50, 5)), np.eye(3)[rng.integers(3, size=50)]
    counts = []
    for kind in (engine, Stacked):
        made = kind(problem_of(network, x, targets, dtype=np.float32), layers)
        made.steps(np.arange(50)[None])
        counts.append(made.overflows.tolist())
    assert counts[0] == counts[1]
    assert sum(counts[0]) > 0


@pytest.mark.parametrize(
    ("engine", "network", "said"),
    [
        (Matrix, Network((5, 4, 3), activation="tanh"), "network.activation=tanh: this engine supports logistic"),
        (PerExample, Network((5, 4, 3), activation="tanh"), "network.activation=tanh: this engine supports logistic"),
        (PerExample, Network((5, 4, 3), cost="cross_entropy"), "network.cost=cross_entropy: this engine supports quad"),
    ],
)
def test_a_network_that_is_not_supported_is_refused_with_what_is(
    engine: type[Sequential], network: Network, said: str, rng: np.random.Generator
):
    with pytest.raises(InputError, match=said):
        engine(problem_of(network, np.zeros((2, 5)), np.zeros((2, 3))), random_layers(network, 1, rng))
