"""The network's derivatives and function, held to complex steps, central differences, and networks of one example."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from initodds.networks.activations import ACTIVATIONS, LOWEST_LOGISTIC, activation_of
from initodds.networks.network import Network, Stack
from initodds.networks.outputs import OUTPUTS
from tests.conftest import random_layers

DEPTHS = [(5, 3), (5, 4, 3), (5, 4, 3, 2), (5, 2, 4, 3, 2)]
every_network = pytest.mark.parametrize(
    "network",
    [
        *(Network(sizes, activation, "logistic", "quadratic") for sizes in DEPTHS[1:] for activation in ACTIVATIONS),
        *(Network(sizes, "tanh", output, cost) for sizes in DEPTHS[:2] for output, cost in OUTPUTS),
        Network((5, 4, 3, 2), ("tanh", "gelu"), "softmax", "cross_entropy"),
        Network((5, 4, 3), bias=False),
    ],
    ids=lambda network: f"{len(network.sizes) - 2}-{network.activation}-{network.output}-{network.cost}",
)
every_batch = pytest.mark.parametrize("batch", [1, 7])


COSTS = {
    **{(soft, "quadratic"): lambda a, y: 0.5 * np.sum((a - y) ** 2) for soft in (False, True)},
    **{(soft, "mean_squared"): lambda a, y: np.mean((a - y) ** 2) for soft in (False, True)},
    (False, "cross_entropy"): lambda a, y: -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a)),
    (True, "cross_entropy"): lambda a, y: -np.log(a[y.argmax()]),
}
"""The costs of one example, as they are taught: by whether the outputs are softmax's, and the cost's name."""


def example_batch(network: Network, batch: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    classes = network.sizes[-1]
    return rng.random((batch, network.sizes[0])), np.eye(classes)[rng.integers(classes, size=batch)]


def costs(stack: Stack, x: np.ndarray, targets: np.ndarray) -> np.ndarray:
    buffers = stack.buffers(len(x))
    stack.forward(x, buffers)
    return stack.cost(targets, buffers)


def owner(stack: Stack, layer: int, index: tuple[int, ...]) -> int:
    """Which network an entry of `stack.weights[layer]` belongs to."""
    return index[1] // stack.network.sizes[1] if layer == 0 else index[0]


@every_network
@every_batch
def test_gradient_equals_complex_steps(network: Network, batch: int, rng: np.random.Generator):
    layers = random_layers(network, 2, rng)
    x, targets = example_batch(network, batch, rng)
    weights, biases = Stack(network, layers, np.float64).gradient(x, targets)
    stack = Stack(network, layers, np.complex128)
    step = 1e-30
    for gradients, arrays, is_weight in ((weights, stack.weights, True), (biases, stack.biases, False)):
        for layer, (gradient, array) in enumerate(zip(gradients, arrays, strict=True)):
            for index in np.ndindex(array.shape):
                array[index] += 1j * step
                derivative = costs(stack, x, targets).imag / step * (network.bias or is_weight)
                array[index] -= 1j * step
                replicate = owner(stack, layer, index) if is_weight else index[0]
                np.testing.assert_allclose(derivative[replicate], gradient[index], rtol=1e-10, atol=1e-14)
                assert derivative[1 - replicate] == 0


@every_network
@every_batch
def test_gradient_equals_central_differences(network: Network, batch: int, rng: np.random.Generator):
    stack = Stack(network, random_layers(network, 1, rng), np.float64)
    x, targets = example_batch(network, batch, rng)
    gradients = stack.gradient(x, targets)
    step = 1e-5
    for of_kind, arrays in zip(gradients, (stack.weights, stack.biases), strict=True):
        for gradient, array in zip(of_kind, arrays, strict=True):
            for index in np.ndindex(array.shape):
                here = array[index]
                array[index] = here + step
                above = costs(stack, x, targets)[0]
                array[index] = here - step
                below = costs(stack, x, targets)[0]
                array[index] = here
                if network.bias or arrays is stack.weights:
                    assert (above - below) / (2 * step) == pytest.approx(gradient[index], rel=1e-5, abs=1e-8)


@every_network
def test_forward_equals_one_network_and_one_example_at_a_time(network: Network, rng: np.random.Generator):
    layers = random_layers(network, 3, rng)
    x, targets = example_batch(network, 6, rng)
    stack = Stack(network, layers, np.float64)
    buffers = stack.buffers(6)
    outputs = stack.forward(x, buffers)
    for r, of_replicate in enumerate(layers):
        costs_of_examples = []
        for example, (row, target) in enumerate(zip(x, targets, strict=True)):
            a = row
            for (weights, biases), activation in zip(of_replicate[:-1], network.activations, strict=True):
                a = activation.value(a @ weights + biases * network.bias)
            z = a @ of_replicate[-1][0] + of_replicate[-1][1] * network.bias
            a = softmax(z) if network.output == "softmax" else activation_of(network.output).value(z)
            np.testing.assert_allclose(outputs[r, example], a, rtol=1e-12)
            costs_of_examples.append(COSTS[network.output == "softmax", network.cost](a, target))
        assert stack.cost(targets, buffers)[r] == pytest.approx(np.mean(costs_of_examples), rel=1e-12)


def test_a_stack_gives_its_replicates_back(rng: np.random.Generator):
    network = Network((6, 4, 3, 2))
    layers = random_layers(network, 5, rng)
    stack = Stack(network, layers, np.float64)
    for r, of_replicate in enumerate(layers):
        for mine, given_layer in zip(stack.replicate(r), of_replicate, strict=True):
            np.testing.assert_array_equal(mine[0], given_layer[0])
            np.testing.assert_array_equal(mine[1], given_layer[1])
    assert network.parameters == sum(weights.size + biases.size for weights, biases in layers[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=20))
def test_the_logistic_function_never_overflows_and_counts_where_a_naive_one_would(dtype: type, values: list[float]):
    # One feature 1, unit weights of these values: the pre-activations are the values themselves.
    network = Network((1, len(values), 1))
    layers = [(np.array([values]), np.zeros(len(values))), (np.zeros((len(values), 1)), np.zeros(1))]
    stack = Stack(network, [layers], dtype)
    buffers = stack.buffers(1)
    with np.errstate(over="raise", invalid="raise"):
        stack.forward(np.ones((1, 1), dtype), buffers)
    z = np.array(values, dtype)
    np.testing.assert_allclose(buffers.activations[0][0, 0], expit(z.astype(np.float64)), rtol=1e-5, atol=1e-37)
    with np.errstate(over="ignore"):
        assert buffers.overflows[0] == np.isinf(np.exp(-z)).sum()


def test_the_border_of_overflow_is_where_the_design_has_it():
    assert LOWEST_LOGISTIC[np.dtype(np.float32)] == pytest.approx(-88.7, abs=0.03)
    assert LOWEST_LOGISTIC[np.dtype(np.float64)] == pytest.approx(-709.8, abs=0.03)


def test_finite_tells_each_network_apart(rng: np.random.Generator):
    network = Network((3, 2, 2, 2))
    stack = Stack(network, random_layers(network, 5, rng), np.float64)
    stack.weights[0][1, 2 * 1] = np.inf
    stack.weights[1][2, 0, 1] = np.nan
    stack.biases[0][4, 0, 0] = -np.inf
    assert stack.finite().tolist() == [True, False, False, True, False]


def test_a_network_that_diverged_leaves_the_others_alone(rng: np.random.Generator):
    network = Network((5, 4, 3))
    layers = random_layers(network, 3, rng)
    x, targets = example_batch(network, 4, rng)
    alone, _ = Stack(network, layers[1:], np.float64).gradient(x, targets)
    layers[0][0][0][:] = np.nan
    with np.errstate(invalid="ignore"):
        beside, _ = Stack(network, layers, np.float64).gradient(x, targets)
    np.testing.assert_allclose(beside[0][:, 4:], alone[0], rtol=1e-12)
    np.testing.assert_allclose(beside[1][1:], alone[1], rtol=1e-12)
