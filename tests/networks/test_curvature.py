"""Exact second derivatives, against complex steps, brute force and ARPACK."""

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, eigsh

from initodds.networks.activations import ACTIVATIONS
from initodds.networks.curvature import (
    NEAR_ZERO,
    Landscape,
    cost_of,
    pack,
    spectrum,
    unpack,
)
from initodds.networks.features import Features
from initodds.networks.network import Network, Stack
from initodds.networks.outputs import OUTPUTS
from tests.conftest import random_layers

KINDS = [
    *(Network(sizes, activation) for sizes in [(5, 4, 3), (5, 4, 3, 3)] for activation in ACTIVATIONS),
    *(Network(sizes, "tanh", *kind) for sizes in [(5, 3), (5, 4, 3)] for kind in OUTPUTS),
    *(Network((5, 3, 4, 2, 3), "logistic", "logistic", cost) for cost in ("quadratic", "cross_entropy")),
    Network((5, 4, 3, 3), ("gelu", "selu"), "softmax", "cross_entropy"),
    Network((5, 4, 3), bias=False),
]


def landscape_of(network: Network, rng: np.random.Generator, replicates: int = 3, examples: int = 7) -> Landscape:
    stack = Stack(network, random_layers(network, replicates, rng), np.dtype(np.float64))
    x, targets = rng.random((examples, network.sizes[0])), np.eye(network.sizes[-1])[rng.integers(0, 3, examples)]
    return Landscape(stack, Features(x, np.dtype(float)), targets)


def moved(stack: Stack, vectors: np.ndarray, dtype: type) -> Stack:
    """The stack with its weights and biases moved by vectors (R, P)."""
    result = Stack(stack.network, [stack.replicate(r) for r in range(stack.replicates)], np.dtype(np.float64))
    weights, biases = unpack(stack.network, vectors)
    result.dtype = np.dtype(dtype)
    result.weights = [w + v for w, v in zip(result.weights, weights, strict=True)]
    result.biases = [b + v for b, v in zip(result.biases, biases, strict=True)]
    return result


@pytest.mark.parametrize("network", KINDS, ids=lambda kind: f"{kind.sizes}-{kind.activation}-{kind.output}-{kind.cost}")
def test_hessian_products_match_complex_steps_of_the_gradient(network: Network, rng: np.random.Generator):
    stack = Stack(network, random_layers(network, 3, rng), np.dtype(np.float64))
    x, targets = rng.random((7, 5)), np.eye(3)[rng.integers(0, 3, 7)]
    landscape = Landscape(stack, Features(x, np.dtype(float)), targets)
    np.testing.assert_allclose(landscape.gradient, pack(network, *stack.gradient(x, targets)), rtol=0, atol=1e-14)
    vectors = rng.standard_normal(landscape.gradient.shape)
    step = 1e-30
    complex_stack = moved(stack, 1j * step * vectors, complex)
    expected = pack(network, *complex_stack.gradient(x.astype(complex), targets.astype(complex))).imag / step
    np.testing.assert_allclose(landscape.hessian_product(vectors), expected, rtol=1e-8, atol=1e-12)


def test_pixels_that_few_images_light_count_as_the_others(rng: np.random.Generator):
    network = Network((6, 4, 3))
    x, targets = rng.random((12, 6)), np.eye(3)[rng.integers(0, 3, 12)]
    x[1:, 0] = x[2:, 3] = 0
    features = Features(x, np.dtype(float))
    assert features.rarely.shape[1] == 2
    stack = Stack(network, random_layers(network, 2, rng), np.dtype(float)).restricted(features.present)
    landscape = Landscape(stack, features, targets)
    np.testing.assert_allclose(
        landscape.gradient, pack(network, *stack.gradient(x[:, features.present], targets)), atol=1e-14
    )
    vectors, step = rng.standard_normal(landscape.gradient.shape), 1e-30
    complex_stack = moved(stack, 1j * step * vectors, complex)
    expected = (
        pack(network, *complex_stack.gradient(x[:, features.present].astype(complex), targets.astype(complex))).imag
        / step
    )
    np.testing.assert_allclose(landscape.hessian_product(vectors), expected, rtol=1e-8, atol=1e-12)


def test_the_whole_hessian_matches_brute_force(rng: np.random.Generator):
    network = Network((4, 3, 2, 3))
    stack = Stack(network, random_layers(network, 2, rng), np.dtype(np.float64))
    x, targets = rng.random((6, 4)), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    landscape = Landscape(stack, Features(x, np.dtype(float)), targets)
    parameters = network.parameters
    identity = np.eye(parameters)
    hessian = np.stack([landscape.hessian_product(np.stack([unit, unit])) for unit in identity], axis=1)
    np.testing.assert_allclose(hessian, hessian.transpose(0, 2, 1), rtol=0, atol=1e-14)
    step = 1e-5
    for k, unit in enumerate(identity):
        up, down = (
            pack(network, *moved(stack, sign * step * np.stack([unit, unit]), float).gradient(x, targets))
            for sign in (1, -1)
        )
        np.testing.assert_allclose(hessian[:, k], (up - down) / (2 * step), rtol=0, atol=1e-9)


def test_the_cost_is_the_stacks_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator):
    network = Network((5, 4, 3))
    stack = Stack(network, random_layers(network, 2, rng), np.dtype(np.float64))
    x, targets = rng.random((23, 5)), np.eye(3)[rng.integers(0, 3, 23)]
    whole = Landscape(stack, Features(x, np.dtype(float)), targets)
    buffers = stack.buffers(23)
    stack.forward(x, buffers)
    np.testing.assert_allclose(whole.cost, stack.cost(targets, buffers), rtol=1e-14)
    vectors = rng.standard_normal(whole.gradient.shape)
    expected = whole.hessian_product(vectors)
    monkeypatch.setattr("initodds.networks.curvature.CHUNK", 4)
    parts = Landscape(stack, Features(x, np.dtype(float)), targets)
    np.testing.assert_allclose(parts.gradient, whole.gradient, rtol=0, atol=1e-15)
    np.testing.assert_allclose(parts.hessian_product(vectors), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(cost_of(stack, Features(x, np.dtype(float)), targets), whole.cost, rtol=1e-14)


def test_a_slope_is_kept_where_one_minus_a_would_round_it_away(rng: np.random.Generator):
    network = Network((1, 1, 2))
    # sigma'(40) is 4e-18, which sigma(40) (1 - sigma(40)) = 1 * 0 has lost.
    layers = [[(np.array([[40.0]]), np.zeros(1)), (np.array([[1.0, -1.0]]), np.zeros(2))]]
    landscape = Landscape(
        Stack(network, layers, np.dtype(np.float64)), Features(np.ones((1, 1)), np.dtype(float)), np.array([[1.0, 0.0]])
    )
    (unit,) = network.activations[0].slope(landscape.passes[0].pre_activations[0]).ravel()
    np.testing.assert_allclose(unit, np.exp(-40), rtol=1e-12)
    assert landscape.gradient[0, 0] != 0


def test_pack_and_unpack_are_inverse(rng: np.random.Generator):
    network = Network((5, 4, 3, 2))
    vectors = rng.standard_normal((3, network.parameters))
    np.testing.assert_array_equal(pack(network, *unpack(network, vectors)), vectors)
    layers = random_layers(network, 3, rng)
    stack = Stack(network, layers, np.dtype(np.float64))
    expected = [np.concatenate([array.ravel() for layer in replicate for array in layer]) for replicate in layers]
    np.testing.assert_array_equal(pack(network, stack.weights, stack.biases), expected)


def test_the_ends_of_the_spectrum_match_arpack(rng: np.random.Generator):
    landscape = landscape_of(Network((30, 10, 3)), rng, replicates=2, examples=40)
    found = spectrum(landscape.hessian_product, rng.standard_normal(landscape.gradient.shape))
    parameters = landscape.gradient.shape[1]
    for r in range(2):

        def one(vector: np.ndarray, r: int = r) -> np.ndarray:
            vectors = np.zeros((2, parameters))
            vectors[r] = vector.ravel()
            return landscape.hessian_product(vectors)[r]

        operator = LinearOperator((parameters, parameters), matvec=one, dtype=float)
        least, greatest = (eigsh(operator, k=1, which=end, return_eigenvectors=False)[0] for end in ("SA", "LA"))
        assert least <= found.least[r] + 1e-12 <= least + found.error[r] + 2e-12
        assert greatest - found.error[r] - 2e-12 <= found.greatest[r] - 1e-12 <= greatest
        assert found.error[r] <= 0.001 * found.largest[r]


def test_the_share_near_zero_is_estimated(rng: np.random.Generator):
    parameters = 4000
    shares = np.array([0.0, 0.3, 0.9, 1.0 - 2 / parameters])
    values = np.zeros((4, parameters))
    for row, share in zip(values, shares, strict=True):
        curved = parameters - round(share * parameters)
        row[:curved] = np.where(np.arange(curved) % 2, 1.0, -0.5)
    rng.permuted(values, axis=1, out=values)
    found = spectrum(lambda vectors: values * vectors, rng.standard_normal(values.shape))
    deviation = np.sqrt(2 * shares * (1 - shares) / parameters)
    assert (np.abs(found.near_zero - shares) <= 4 * deviation + 1e-9).all()
    np.testing.assert_allclose(found.least, [-0.5] * 4, atol=1e-9)
    np.testing.assert_allclose(found.greatest, [1.0, 1.0, 1.0, 1.0], atol=1e-9)


@pytest.mark.parametrize("network", KINDS, ids=lambda kind: f"{kind.sizes}-{kind.activation}-{kind.output}-{kind.cost}")
@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_no_eigenvalue_exceeds_what_is_said(network: Network, scale: float, rng: np.random.Generator):
    stack = Stack(network, random_layers(network, 6, rng, scale), np.dtype(np.float64))
    x, targets = rng.random((9, 5)) * (rng.random((9, 5)) < 0.5), np.eye(3)[rng.integers(0, 3, 9)]
    features = Features(x, np.dtype(float))
    landscape = Landscape(stack.restricted(features.present), features, targets)
    at_most = landscape.curvature_at_most()
    parameters = landscape.gradient.shape[1]
    columns = [landscape.hessian_product(np.tile(one, (6, 1))) for one in np.eye(parameters)]
    sizes = np.abs(np.linalg.eigvalsh(np.stack(columns, axis=2))).max(axis=1)
    assert (sizes <= at_most * (1 + 1e-9)).all()


def test_what_is_said_of_a_flat_place_is_close(rng: np.random.Generator):
    """Hidden units at an end, and outputs nearly so: by as many times as there are outputs at most, each of which has
    its own examples to bend on."""
    network = Network((5, 6, 3))
    (layers,) = random_layers(network, 1, rng)
    layers[0] = (np.abs(layers[0][0]), np.full(6, 40.0))
    layers[1] = (0.1 * layers[1][0], np.array([-6.0, -7.0, -8.0]))
    x, targets = rng.random((50, 5)), np.eye(3)[rng.integers(0, 3, 50)]
    landscape = Landscape(Stack(network, [layers], np.dtype(np.float64)), Features(x, np.dtype(float)), targets)
    largest = spectrum(landscape.hessian_product, rng.standard_normal(landscape.gradient.shape)).largest
    assert 1 <= landscape.curvature_at_most()[0] / largest[0] < 3


def test_near_zero_is_relative_and_a_matrix_of_zeros_is_no_trouble(rng: np.random.Generator):
    scales = np.array([[1e-30], [1e6], [0.0]])
    values = scales * np.concatenate([[1.0, -1.0], np.full(98, NEAR_ZERO / 2)])
    found = spectrum(lambda vectors: values * vectors, rng.standard_normal(values.shape))
    np.testing.assert_allclose(found.largest, scales.ravel(), rtol=1e-9)
    assert (found.near_zero[:2] > 0.9).all()
    assert np.isfinite(found.near_zero).all()
