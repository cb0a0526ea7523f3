import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initodds.engines.stacked import Stacked
from initodds.networks.network import Network, Stack
from tests.conftest import problem_of, random_layers

NETWORKS = [
    Network((12, 5, 3)),
    Network((12, 4, 6, 3), activation="tanh"),
    Network((12, 4, 3), cost="cross_entropy"),
]


def example_set(network: Network, examples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images of which four pixels are never lit, and their targets."""
    x = rng.random((examples, network.sizes[0]))
    x[:, [0, 3, 7, 11]] = 0
    return x, np.eye(network.sizes[-1])[rng.integers(network.sizes[-1], size=examples)]


def steps(engine: Stacked, rng: np.random.Generator, examples: int) -> Stack:
    for size in (7, 7, 1, 3):
        engine.steps(rng.permutation(examples)[None, :size])
    return engine.stack()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_step_is_the_gradient_times_the_rate(network: Network, reduction: str, rng: np.random.Generator):
    x, targets = example_set(network, 20, rng)
    layers = random_layers(network, 3, rng)
    rates = np.array([0.5, 1.0, 2.0])
    engine = Stacked(problem_of(network, x, targets, rates, reduction), layers)
    after = steps(engine, np.random.default_rng(1), 20)
    for r in range(3):
        # Plain gradient descent of one network, on all its pixels.
        alone = Stack(network, [layers[r]], np.float64)
        order = np.random.default_rng(1)
        for size in (7, 7, 1, 3):
            rows = order.permutation(20)[:size]
            weights, biases = alone.gradient(x[rows], targets[rows])
            rate = rates[r] * (size if reduction == "sum" else 1)
            for array, gradient in zip(alone.weights + alone.biases, weights + biases, strict=True):
                array -= rate * gradient
        for mine, reference in zip(after.replicate(r), alone.replicate(0), strict=True):
            np.testing.assert_allclose(mine[0], reference[0], rtol=0, atol=1e-12)
            np.testing.assert_allclose(mine[1], reference[1], rtol=0, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(replicates=st.integers(1, 6), seed=st.integers(0, 2**32 - 1), network=st.sampled_from(NETWORKS))
def test_a_stack_equals_its_replicates_trained_alone(replicates: int, seed: int, network: Network):
    rng = np.random.default_rng(seed)
    x, targets = example_set(network, 20, rng)
    layers = random_layers(network, replicates, rng)
    together = steps(Stacked(problem_of(network, x, targets, 3.0), layers), np.random.default_rng(2), 20)
    for r in range(replicates):
        alone = steps(Stacked(problem_of(network, x, targets, 3.0), [layers[r]]), np.random.default_rng(2), 20)
        for mine, reference in zip(together.replicate(r), alone.replicate(0), strict=True):
            np.testing.assert_allclose(mine[0], reference[0], rtol=0, atol=1e-10)
            np.testing.assert_allclose(mine[1], reference[1], rtol=0, atol=1e-10)


def test_sum_at_a_rate_is_mean_at_the_rate_times_the_batch(rng: np.random.Generator):
    network = NETWORKS[0]
    x, targets = example_set(network, 24, rng)
    layers = random_layers(network, 2, rng)
    summed = Stacked(problem_of(network, x, targets, 0.25, "sum"), layers)
    averaged = Stacked(problem_of(network, x, targets, 2.0), layers)
    for engine in (summed, averaged):
        engine.steps(np.arange(24).reshape(3, 8))
    for mine, reference in zip(summed.stack().weights, averaged.stack().weights, strict=True):
        np.testing.assert_array_equal(mine, reference)


def test_weights_of_a_pixel_that_is_never_lit_stay_and_count_in_a_test_image(rng: np.random.Generator):
    network = NETWORKS[0]
    x, targets = example_set(network, 20, rng)
    layers = random_layers(network, 2, rng)
    engine = Stacked(problem_of(network, x, targets), layers)
    engine.steps(np.arange(20)[None])
    weights = engine.stack().replicate(1)[0][0]
    np.testing.assert_array_equal(weights[[0, 3, 7, 11]], layers[1][0][0][[0, 3, 7, 11]])
    assert (weights[[1, 2, 4]] != layers[1][0][0][[1, 2, 4]]).all()


def test_overflows_are_counted_for_each_network(rng: np.random.Generator):
    network = NETWORKS[0]
    x, targets = np.ones((5, 12)), np.eye(3)[[0, 1, 2, 0, 1]]
    calm, wild = random_layers(network, 2, rng)
    wild[0][0][:, :2] = -1000
    engine = Stacked(problem_of(network, x, targets), [calm, wild])
    engine.steps(np.arange(5)[None])
    engine.steps(np.arange(3)[None])
    assert engine.overflows.tolist() == [0, 2 * 5 + 2 * 3]
