"""The training cost around a point: gradient, exact Hessian-vector products, and the ends of the spectrum by Lanczos.

In float64 whatever the networks were trained in, over all examples, for R networks at once. A direction is a vector of
P numbers a network: for each layer its weights (fan_in, fan_out), row after row, and then its biases.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import expit

from initodds.networks.images import Batch, Images
from initodds.networks.network import Network, Stack, flat

Array = np.ndarray
Product = Callable[[Array], Array]
"""Directions (R, P) to their products with each network's Hessian (R, P)."""

# Examples that are looked at together, so that what a layer has on them stays in the processor's cache.
CHUNK = 500

NEAR_ZERO = 0.01
"""An eigenvalue is near zero if its size is under this share of the largest eigenvalue's."""

# The Lanczos iteration ends where both ends are known to this share of the largest eigenvalue's size.
RESOLUTION = NEAR_ZERO / 10
FEWEST_STEPS, MOST_STEPS = 20, 80
# A residual under this share of what it is left of is rounding: the vectors so far hold all that the matrix does.
ROUNDING = 1e-13


class Units(NamedTuple):
    """What a Hessian-vector product needs of one layer's units on a chunk of examples; each is (R, examples, units).

    activation: f(z).  slope: f'(z).  error: the derivative of each example's cost by z.
    bend: the part of the error's own derivative by z that comes from the units' and the cost's second derivatives.
    """

    activation: Array
    slope: Array
    error: Array
    bend: Array


class Landscape:
    """The mean cost of a float64 `stack` of R networks over the `images`, of float64 too, with `targets` (examples,
    outputs), around the networks' present weights. The stack's features are the images' `pixels`, in that order.

    cost: (R,).  gradient: (R, P).  units: of each chunk of examples, those of each layer.
    """

    def __init__(self, stack: Stack, images: Images, targets: Array) -> None:
        self.stack, self.images = stack, images
        starts = range(0, len(images), CHUNK)
        self.chunks = [images.part(start, start + CHUNK) for start in starts]
        self.units: list[list[Units]] = []
        self.cost = np.zeros(stack.replicates)
        weights, biases = zeros_like(stack)
        for start, chunk in zip(starts, self.chunks, strict=True):
            units, cost = linearize(stack, chunk, targets[start : start + CHUNK])
            self.units.append(units)
            self.cost += cost / len(images)
            chunk.accumulate(flat(units[0].error), weights[0])
            for layer, here in enumerate(units):
                if layer:
                    weights[layer] += outer(units[layer - 1].activation, here.error)
                biases[layer] += here.error.sum(axis=1, keepdims=True)
        self.gradient = pack(weights, biases) / len(self.images)

    def hessian_product(self, vectors: Array) -> Array:
        """The Hessian of each network's cost times its own of the `vectors` (R, P): (R, P).

        Exact, by the R-operator (Pearlmutter 1994, "Fast exact multiplication by the Hessian"): each quantity of the
        forward and of the backward pass is differentiated along the vector. Both passes over the first layer are one
        matrix product for all networks.
        """
        along_weights, along_biases = unpack(self.stack.network, vectors)
        weights, biases = zeros_like(self.stack)
        for chunk, units in zip(self.chunks, self.units, strict=True):
            moved = [first_layer(chunk, along_weights[0], along_biases[0])]  # how each z moves
            shifts = []  # ... and each activation
            for layer in range(1, len(units)):
                shifts.append(units[layer - 1].slope * moved[-1])
                z = shifts[-1] @ self.stack.weights[layer]
                z += units[layer - 1].activation @ along_weights[layer]
                z += along_biases[layer]
                moved.append(z)
            error = units[-1].bend * moved[-1]
            for layer in reversed(range(1, len(units))):
                weights[layer] += outer(units[layer - 1].activation, error)
                weights[layer] += outer(shifts[layer - 1], units[layer].error)
                biases[layer] += error.sum(axis=1, keepdims=True)
                error = error @ self.stack.weights[layer].transpose(0, 2, 1)
                error += units[layer].error @ along_weights[layer].transpose(0, 2, 1)
                error *= units[layer - 1].slope
                error += units[layer - 1].bend * moved[layer - 1]
            chunk.accumulate(flat(error), weights[0])
            biases[0] += error.sum(axis=1, keepdims=True)
        return pack(weights, biases) / len(self.images)


def linearize(stack: Stack, x: Batch, targets: Array) -> tuple[list[Units], Array]:
    """The units of every layer on the images `x` with `targets` (examples, outputs), and their summed cost (R,)."""
    pre_activations: list[Array] = []
    activations: list[Array] = []
    for layer, (weights, biases) in enumerate(zip(stack.weights, stack.biases, strict=True)):
        z = activations[-1] @ weights + biases if layer else first_layer(x, weights, biases)
        is_tanh = stack.network.activation == "tanh" and layer < len(stack.weights) - 1
        pre_activations.append(z)
        activations.append(np.tanh(z) if is_tanh else expit(z))
    z, a = pre_activations[-1], activations[-1]
    slope = a * expit(-z)  # a (1 - a) is rounded to 0 long before the slope is
    if stack.network.cost == "quadratic":
        error, bend = (a - targets) * slope, slope * slope + (a - targets) * slope * (1 - 2 * a)
        cost = 0.5 * ((a - targets) ** 2).sum(axis=(1, 2))
    else:
        error, bend = a - targets, slope
        cost = (np.logaddexp(0, z) - targets * z).sum(axis=(1, 2))
    units = [Units(a, slope, error, bend)]
    for layer in reversed(range(len(stack.weights) - 1)):
        z, a = pre_activations[layer], activations[layer]
        behind = units[0].error @ stack.weights[layer + 1].transpose(0, 2, 1)
        if stack.network.activation == "tanh":
            slope = 1 / np.cosh(np.clip(z, -350, 350)) ** 2
            second = -2 * a * slope
        else:
            slope = a * expit(-z)
            second = slope * (1 - 2 * a)
        units.insert(0, Units(a, slope, behind * slope, behind * second))
    return units, cost


def first_layer(x: Batch, weights: Array, biases: Array) -> Array:
    """The pre-activations (R, examples, units) of a first layer, laid out as a `Stack` has its weights and biases."""
    z = x.product(weights, out=np.empty((len(x.often), weights.shape[1])))
    return sideways(z, len(biases)) + biases


def sideways(first: Array, replicates: int) -> Array:
    """A first layer's product (examples, R * units), seen as (R, examples, units)."""
    return first.reshape(len(first), replicates, -1).transpose(1, 0, 2)


def outer(before: Array, error: Array) -> Array:
    """before^T error, summed over the examples: (R, fan_in, fan_out)."""
    return before.transpose(0, 2, 1) @ error


def zeros_like(stack: Stack) -> tuple[list[Array], list[Array]]:
    """Zeros of the shapes of a stack's weights and biases."""
    return [np.zeros_like(w) for w in stack.weights], [np.zeros_like(b) for b in stack.biases]


def pack(weights: list[Array], biases: list[Array]) -> Array:
    """Arrays laid out as a `Stack` has its weights and biases, as one vector a network: (R, P)."""
    replicates = len(biases[0])
    first = weights[0].reshape(len(weights[0]), replicates, -1).transpose(1, 0, 2)
    layers = zip([first, *weights[1:]], biases, strict=True)
    return np.concatenate([array.reshape(replicates, -1) for layer in layers for array in layer], axis=1)


def unpack(network: Network, vectors: Array) -> tuple[list[Array], list[Array]]:
    """Vectors (R, P) as arrays laid out as a `Stack` has its weights and biases: the inverse of `pack`."""
    replicates, at = len(vectors), 0
    weights: list[Array] = []
    biases: list[Array] = []
    for fan_in, fan_out in network.layers:
        weights.append(vectors[:, at : at + fan_in * fan_out].reshape(replicates, fan_in, fan_out))
        at += fan_in * fan_out
        biases.append(vectors[:, None, at : at + fan_out])
        at += fan_out
    weights[0] = weights[0].transpose(1, 0, 2).reshape(network.sizes[0], -1)
    return weights, biases


@dataclass(frozen=True, eq=False)
class Spectrum:
    """What is known of R Hessians' eigenvalues; each is (R,).

    least, greatest: the extreme eigenvalues. A Hessian's true least eigenvalue is never above `least`, nor its true
        greatest below `greatest`.  error: how far, at most, an eigenvalue is from each of them.
    near_zero: the share of the eigenvalues that are near zero, as estimated from one random vector.
    """

    least: Array
    greatest: Array
    error: Array
    near_zero: Array

    @property
    def largest(self) -> Array:
        """(R,) the size of the eigenvalue that is furthest from zero."""
        return np.maximum(np.abs(self.least), np.abs(self.greatest))


def spectrum(product: Product, start: Array, on_step: Callable[[int], None] = lambda step: None) -> Spectrum:
    """The ends of R symmetric matrices' spectra, and the share of eigenvalues near zero.

    `start` is (R, P), random normal numbers. One Lanczos iteration for all, with the vectors kept orthogonal, gives
    both: its extreme Ritz values (Parlett 1998, "The symmetric eigenvalue problem", chapter 13), and, as the squared
    first components of the Ritz vectors, the weights of stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017). With
    P in the thousands one random vector is enough: its estimate of a share p has a standard deviation of about
    sqrt(2 p (1 - p) / P). It ends where both ends are resolved for all, or after `MOST_STEPS`.
    """
    replicates, parameters = start.shape
    most = min(MOST_STEPS, parameters)
    basis = np.zeros((replicates, most, parameters))
    diagonal, beside = np.zeros((2, replicates, most))
    steps = np.zeros(replicates, int)  # that were of use: a matrix of few different eigenvalues is soon exhausted
    exhausted = np.zeros(replicates, bool)
    vector = start / np.linalg.norm(start, axis=1, keepdims=True)
    for step in range(most):
        basis[:, step] = vector
        residual = product(vector)
        size = np.linalg.norm(residual, axis=1)
        diagonal[:, step] = (residual * vector).sum(axis=1)
        so_far = basis[:, : step + 1]
        for _ in range(2):  # once leaves a remainder, twice is enough
            residual -= (so_far.transpose(0, 2, 1) @ (so_far @ residual[:, :, None]))[:, :, 0]
        beside[:, step] = np.linalg.norm(residual, axis=1)
        steps[~exhausted] += 1
        exhausted |= beside[:, step] <= ROUNDING * np.maximum(size, np.abs(diagonal).max(axis=1))
        on_step(step + 1)
        found = ritz(diagonal, beside, steps)
        resolved = (found.error <= RESOLUTION * found.largest) & (steps >= FEWEST_STEPS)
        if (resolved | exhausted).all():
            break
        # What is left of an exhausted one is rounding, and not orthogonal to anything.
        vector = np.divide(residual, beside[:, [step]], out=np.zeros_like(residual), where=~exhausted[:, None])
    return found


def ritz(diagonal: Array, beside: Array, steps: Array) -> Spectrum:
    """What R tridiagonal matrices of Lanczos say, after as many `steps` (R,) each: `diagonal` (R, most), and `beside`
    (R, most), of which a matrix's last entry is what is left over."""
    ends = []
    for d, b, n in zip(diagonal, beside, steps, strict=True):
        values, vectors = eigh_tridiagonal(d[:n], b[: n - 1])
        near_zero = np.abs(values) < NEAR_ZERO * np.abs(values).max()
        error = b[n - 1] * np.abs(vectors[-1, [0, -1]]).max()
        ends.append((values[0], values[-1], error, (vectors[0, near_zero] ** 2).sum()))
    return Spectrum(*np.array(ends).T)
