"""The training cost around a point: gradient, exact Hessian-vector products, what no eigenvalue of the Hessian exceeds,
and the ends of its spectrum by Lanczos.

In float64 whatever the networks were trained in, over all examples, for R networks at once. A direction is a vector of
P numbers a network: for each layer its weights (fan_in, fan_out), row after row, and then its biases, where it has any.

At a kink, as ReLU's at 0, the second derivative is taken to be that of the side that the slope is taken from: what is
said of the curvature is true of the smooth piece that the point lies on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal

from initodds.networks.features import Batch, Features
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


class Pass(NamedTuple):
    """Forward and backward pass of R networks over one chunk of examples; of each layer l, (R, examples, units).

    pre_activations: z_l.  activations: a_l = f_l(z_l), the outputs last.
    errors: d_l, the derivative of each example's cost by z_l.
    behind: the derivative by a_l, for the hidden layers: d_l = behind_l f_l'(z_l).
    targets: (examples, outputs).
    """

    pre_activations: list[Array]
    activations: list[Array]
    errors: list[Array]
    behind: list[Array]
    targets: Array


class Landscape:
    """The mean cost of a float64 `stack` of R networks over the examples of `features`, of float64 too, with `targets`
    (examples, outputs), around the networks' present weights. The stack's features are those `present`, in that order.

    cost: (R,).  gradient: (R, P).  passes: of each chunk of examples.
    """

    def __init__(self, stack: Stack, features: Features, targets: Array) -> None:
        self.stack, self.features, self.targets = stack, features, targets
        starts = range(0, len(features), CHUNK)
        self.chunks = [features.part(start, start + CHUNK) for start in starts]
        self.passes: list[Pass] = []
        self.cost = np.zeros(stack.replicates)
        weights, biases = zeros_like(stack)
        for start, chunk in zip(starts, self.chunks, strict=True):
            y = targets[start : start + CHUNK]
            one_pass = forward_and_backward(stack, chunk, y)
            self.passes.append(one_pass)
            cost = stack.network.head.cost(one_pass.pre_activations[-1], one_pass.activations[-1], y)
            self.cost += cost.sum(axis=(1, 2)) / len(features)
            chunk.accumulate(flat(one_pass.errors[0]), weights[0])
            for layer, error in enumerate(one_pass.errors):
                if layer:
                    weights[layer] += outer(one_pass.activations[layer - 1], error)
                biases[layer] += error.sum(axis=1, keepdims=True)
        self.gradient = pack(stack.network, weights, biases) / len(features)

    def of(self, members: Array) -> "Landscape":
        """The landscape of the networks at these places (M,) alone."""
        layers = [self.stack.replicate(member) for member in members]
        return Landscape(Stack(self.stack.network, layers, self.stack.dtype), self.features, self.targets)

    def hessian_product(self, vectors: Array) -> Array:
        """The Hessian of each network's cost times its own of the `vectors` (R, P): (R, P).

        Exact, by the R-operator (Pearlmutter 1994, "Fast exact multiplication by the Hessian"): each quantity of the
        forward and of the backward pass is differentiated along the vector. Both passes over the first layer are one
        matrix product for all networks.
        """
        along_weights, along_biases = unpack(self.stack.network, vectors)
        weights, biases = zeros_like(self.stack)
        for chunk, seen, bends in zip(self.chunks, self.passes, self._bends, strict=True):
            moved, shifts = self._forward_along(chunk, seen, bends, along_weights, along_biases)
            turned = self._backward_along(seen, bends, moved, along_weights)
            chunk.accumulate(flat(turned[0]), weights[0])
            for layer, error in enumerate(turned):
                if layer:
                    # (a d)' = a d' + a' d
                    weights[layer] += outer(seen.activations[layer - 1], error)
                    weights[layer] += outer(shifts[layer - 1], seen.errors[layer])
                biases[layer] += error.sum(axis=1, keepdims=True)
        return pack(self.stack.network, weights, biases) / len(self.features)

    def curvature_at_most(self) -> Array:
        """(R,) what no eigenvalue of a network's Hessian exceeds in size: close where the network is flat, as the
        products are then sums of next to nothing, and at the price of none.

        Along a direction of norm 1, whose part in each layer has a norm of at most 1, layer by layer for each example

        |z_1'| <= |(x, 1)|;  |z_l+1'| <= |W_l+1| max|f_l'| |z_l'| + |(a_l, 1)|,

        and the second derivative of its cost is at most |C''| |z_L'|^2, C'' being that by the outputs' z, and from each
        hidden layer max|behind_l f_l''| |z_l'|^2 + 2 |d_l+1| max|f_l'| |z_l'|: see `hessian_product`, whose terms these
        are. The mean over the examples is at most the mean of these.
        """
        network, bias = self.stack.network, float(self.stack.network.bias)
        sizes = [np.linalg.norm(weights, ord=2, axis=(1, 2))[:, None] for weights in self.stack.weights[1:]]
        total = np.zeros(self.stack.replicates)
        for chunk, seen, bends in zip(self.chunks, self.passes, self._bends, strict=True):
            moved = np.sqrt(chunk.squares() + bias)
            for layer, (slope, bend) in enumerate(bends[: len(network.activations)]):
                steepest = np.abs(slope).max(axis=2)
                error = np.linalg.norm(seen.errors[layer + 1], axis=2)
                total += (np.abs(bend).max(axis=2) * moved**2 + 2 * error * steepest * moved).sum(axis=1)
                reach = np.sqrt((seen.activations[layer] ** 2).sum(axis=2) + bias)
                moved = sizes[layer] * steepest * moved + reach
            total += (self._outputs_bend(seen, bends) * moved**2).sum(axis=1)
        return total / len(self.features)

    def _outputs_bend(self, seen: Pass, bends: list[tuple[Array, Array]]) -> Array:
        """(R, examples) the norm of the cost's second derivative by the outputs' z, or of outputs that mix what its
        entries bound it by."""
        z, a, head = seen.pre_activations[-1], seen.activations[-1], self.stack.network.head
        if head.elementwise:
            return np.asarray(np.abs(bends[-1][1]).max(axis=2))
        along = (np.broadcast_to(one, z.shape) for one in np.eye(z.shape[2]))
        squares = sum((head.error_along(z, a, seen.targets, one) ** 2).sum(axis=2) for one in along)
        return np.sqrt(np.asarray(squares))

    @cached_property
    def _bends(self) -> list[list[tuple[Array, Array]]]:
        """Of each chunk and hidden layer, f'(z) and behind f''(z), which are the same for every direction; and last, of
        outputs that do not mix, z and the cost's second derivative by it."""
        network = self.stack.network
        bends = []
        for seen in self.passes:
            hidden = zip(network.activations, seen.pre_activations, seen.behind, strict=False)
            bends.append([(unit.slope(z), behind * unit.second(z)) for unit, z, behind in hidden])
            z, a = seen.pre_activations[-1], seen.activations[-1]
            if network.head.elementwise:
                bends[-1].append((z, network.head.error_along(z, a, seen.targets, np.ones_like(z))))
        return bends

    def _forward_along(
        self, chunk: Batch, seen: Pass, bends: list[tuple[Array, Array]], weights: list[Array], biases: list[Array]
    ) -> tuple[list[Array], list[Array]]:
        """How each layer's z, and each hidden layer's a, move as the weights and biases move along these.

        z' = a' W + a W' + b';  a' = f'(z) z'.
        """
        moved = [first_layer(chunk, weights[0], biases[0])]
        shifts: list[Array] = []
        for layer, (slope, _) in enumerate(bends[: len(self.stack.network.activations)]):
            shifts.append(slope * moved[-1])
            z = shifts[-1] @ self.stack.weights[layer + 1]
            z += seen.activations[layer] @ weights[layer + 1]
            z += biases[layer + 1]
            moved.append(z)
        return moved, shifts

    def _backward_along(
        self, seen: Pass, bends: list[tuple[Array, Array]], moved: list[Array], weights: list[Array]
    ) -> list[Array]:
        """How each layer's error moves, where its z moves as `moved` and the weights along these.

        d' of the outputs is the head's; before, d = behind f'(z), so d' = behind' f'(z) + behind f''(z) z', where
        behind' = d'_next W^T + d_next W'^T.
        """
        head = self.stack.network.head
        if head.elementwise:
            turned = [bends[-1][1] * moved[-1]]
        else:
            turned = [head.error_along(seen.pre_activations[-1], seen.activations[-1], seen.targets, moved[-1])]
        for layer, (slope, bend) in reversed(list(enumerate(bends[: len(self.stack.network.activations)]))):
            error = turned[-1] @ self.stack.weights[layer + 1].transpose(0, 2, 1)
            error += seen.errors[layer + 1] @ weights[layer + 1].transpose(0, 2, 1)
            error *= slope
            error += bend * moved[layer]
            turned.append(error)
        return turned[::-1]


def forward(stack: Stack, x: Batch) -> tuple[list[Array], list[Array]]:
    """The pre-activations and the activations of each layer on the examples `x`, as a `Pass` has them."""
    z = [first_layer(x, stack.weights[0], stack.biases[0])]
    a: list[Array] = []
    for activation, weights, biases in zip(stack.network.activations, stack.weights[1:], stack.biases[1:], strict=True):
        a.append(activation.value(z[-1]))
        z.append(a[-1] @ weights + biases)
    outputs = z[-1].copy()
    stack.network.head.tame(outputs)
    stack.network.head.activate(outputs, np.empty_like(outputs))
    return z, [*a, outputs]


def forward_and_backward(stack: Stack, x: Batch, targets: Array) -> Pass:
    """Both passes over the examples `x` with `targets` (examples, outputs)."""
    network = stack.network
    z, a = forward(stack, x)
    errors, behind = [network.head.exact_error(z[-1], a[-1], targets)], []
    for layer, activation in reversed(list(enumerate(network.activations))):
        behind.append(errors[-1] @ stack.weights[layer + 1].transpose(0, 2, 1))
        errors.append(behind[-1] * activation.slope(z[layer]))
    return Pass(z, a, errors[::-1], behind[::-1], targets)


def cost_of(stack: Stack, features: Features, targets: Array) -> Array:
    """(R,) the mean cost of a stack over the examples of `features`, as `Landscape` has it, of which it is a part."""
    cost = np.zeros(stack.replicates)
    for start in range(0, len(features), CHUNK):
        z, a = forward(stack, features.part(start, start + CHUNK))
        cost += stack.network.head.cost(z[-1], a[-1], targets[start : start + CHUNK]).sum(axis=(1, 2))
    return cost / len(features)


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


def pack(network: Network, weights: list[Array], biases: list[Array]) -> Array:
    """Arrays laid out as a `Stack` has its weights and biases, as one vector a network: (R, P)."""
    replicates = len(biases[0])
    first = weights[0].reshape(len(weights[0]), replicates, -1).transpose(1, 0, 2)
    layers = zip([first, *weights[1:]], biases, strict=True)
    parts = [array.reshape(replicates, -1) for layer in layers for array in layer[: 1 + network.bias]]
    return np.concatenate(parts, axis=1)


def unpack(network: Network, vectors: Array) -> tuple[list[Array], list[Array]]:
    """Vectors (R, P) as arrays laid out as a `Stack` has its weights and biases: the inverse of `pack`."""
    replicates = len(vectors)
    weights: list[Array] = []
    biases: list[Array] = []
    for fan_in, fan_out in network.layers:
        matrix, vectors = np.split(vectors, [fan_in * fan_out], axis=1)
        weights.append(matrix.reshape(replicates, fan_in, fan_out))
        row, vectors = np.split(vectors, [fan_out * network.bias], axis=1)
        biases.append(row[:, None, :] if network.bias else np.zeros((replicates, 1, fan_out)))
    weights[0] = weights[0].transpose(1, 0, 2).reshape(network.sizes[0], -1)
    return weights, biases


@dataclass(frozen=True, eq=False)
class Spectrum:
    """What is known of R Hessians' eigenvalues; each is (R,).

    least, greatest: the extreme eigenvalues. A Hessian's true least eigenvalue is never above `least`, nor its true
        greatest below `greatest`.  error: how far, at most, an eigenvalue is from each of them.
    near_zero: the share of the eigenvalues that are near zero, as estimated from one random vector.
    largest: the size of the eigenvalue that is furthest from zero. Where nothing else is known, and all others are NaN,
        what no eigenvalue exceeds in size.
    """

    least: Array
    greatest: Array
    error: Array
    near_zero: Array
    largest: Array


def within(bound: Array) -> Spectrum:
    """What is known of R Hessians whose eigenvalues do not exceed the `bound` (R,) in size, and no more."""
    unknown = np.full(len(bound), np.nan)
    return Spectrum(unknown, unknown, unknown, unknown, bound)


def spectrum(
    product: Product, start: Array, on_step: Callable[[int], None] = lambda step: None, most: int = MOST_STEPS
) -> Spectrum:
    """The ends of R symmetric matrices' spectra, and the share of eigenvalues near zero.

    `start` is (R, P), random normal numbers. One Lanczos iteration for all, with the vectors kept orthogonal, gives
    both: its extreme Ritz values (Parlett 1998, "The symmetric eigenvalue problem", chapter 13), and, as the squared
    first components of the Ritz vectors, the weights of stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017). With
    P in the thousands one random vector is enough: its estimate of a share p has a standard deviation of about
    sqrt(2 p (1 - p) / P). It ends where both ends are resolved for all, or after the `most` steps.
    """
    replicates, parameters = start.shape
    most = min(most, parameters)
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
        spectrum = ritz(diagonal, beside, steps)
        resolved = (spectrum.error <= RESOLUTION * spectrum.largest) & (steps >= FEWEST_STEPS)
        if (resolved | exhausted).all():
            break
        # What is left of an exhausted one is rounding, and not orthogonal to anything.
        vector = np.divide(residual, beside[:, [step]], out=np.zeros_like(residual), where=~exhausted[:, None])
    return spectrum


def ritz(diagonal: Array, beside: Array, steps: Array) -> Spectrum:
    """What R tridiagonal matrices of Lanczos say, after as many `steps` (R,) each: `diagonal` (R, most), and `beside`
    (R, most), of which a matrix's last entry is what is left over."""
    ends = []
    for d, b, n in zip(diagonal, beside, steps, strict=True):
        values, vectors = eigh_tridiagonal(d[:n], b[: n - 1])
        near_zero = np.abs(values) < NEAR_ZERO * np.abs(values).max()
        error = b[n - 1] * np.abs(vectors[-1, [0, -1]]).max()
        largest = np.abs(values[[0, -1]]).max()
        ends.append((values[0], values[-1], error, (vectors[0, near_zero] ** 2).sum(), largest))
    return Spectrum(*np.array(ends).T)
