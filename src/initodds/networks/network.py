"""A stack of R fully connected networks of one shape, side by side: forward, cost, backward, gradient.

Row-major, as a batch of rows: X is (batch, features), W is (fan_in, fan_out), b is a row; Z = X W + b, A = f(Z).

The first layers of all R networks lie next to each other in one (features, R * hidden) matrix, since all R see the same
batch: the largest product of the forward pass, and that of the update, is then one matrix product for all of them.
Every later layer has an input of its own in each network, and is an (R, fan_in, fan_out) array.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Array = np.ndarray
Layer = tuple[Array, Array]
"""One layer of one network: weights (fan_in, fan_out) and biases (fan_out,)."""


@dataclass(frozen=True)
class Network:
    """What is the same in all networks of a stack.

    sizes: units in each layer, the input's features first, the outputs last; at least one hidden layer.
    activation: of the hidden units. Output units are logistic, since the targets are 0 and 1.
    cost: of one example, summed over the outputs: quadratic 1/2 (a - y)^2, or
        cross_entropy -y ln a - (1 - y) ln(1 - a).
    """

    sizes: tuple[int, ...]
    activation: Literal["logistic", "tanh"] = "logistic"
    cost: Literal["quadratic", "cross_entropy"] = "quadratic"

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of each layer of weights."""
        return list(zip(self.sizes[:-1], self.sizes[1:], strict=True))

    @property
    def parameters(self) -> int:
        """Number of weights and biases of one network."""
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in self.layers)


class Buffers:
    """Arrays that one pass of a stack over a batch writes to, allocated once and used again.

    activations[l], errors[l]: (R, batch, units) of layer l, where errors[l] is the derivative of the cost with respect
        to the layer's pre-activations.
    pre_outputs: (R, batch, outputs), the pre-activations of the outputs.
    scratch[l]: (R, batch, units), for intermediate results.
    overflows: (R,) how many evaluations, since the buffers were made, a naive 1 / (1 + exp(-z)) would have overflowed.
    """

    def __init__(self, network: Network, replicates: int, batch: int, dtype: np.dtype) -> None:
        def side_by_side(units: int) -> Array:
            # As the first layer's product writes it: (batch, R * units), seen as (R, batch, units).
            return np.empty((batch, replicates, units), dtype).transpose(1, 0, 2)

        self.batch = batch
        first, *later = network.sizes[1:]

        def of_layers() -> list[Array]:
            return [side_by_side(first), *(np.empty((replicates, batch, units), dtype) for units in later)]

        self.activations = of_layers()
        self.errors = of_layers()
        self.scratch = of_layers()
        self.pre_outputs = np.empty((replicates, batch, network.sizes[-1]), dtype)
        self.overflows = np.zeros(replicates, np.int64)


class Stack:
    """R networks of one shape. `replicates[r]` has the layers of network r; all are copied, as `dtype`.

    weights[0]: (features, R * hidden), network r's at columns r * hidden and on.
    weights[l]: (R, fan_in, fan_out) for each later layer l.
    biases[l]: (R, 1, fan_out) for every layer l.
    """

    def __init__(self, network: Network, replicates: Sequence[Sequence[Layer]], dtype: np.dtype) -> None:
        self.network = network
        self.dtype = np.dtype(dtype)
        self.replicates = len(replicates)
        weights = [np.stack(layer) for layer in zip(*([w for w, _ in layers] for layers in replicates), strict=True)]
        biases = [np.stack(layer) for layer in zip(*([b for _, b in layers] for layers in replicates), strict=True)]
        first = weights[0].transpose(1, 0, 2).reshape(network.sizes[0], -1)
        self.weights = [np.array(array, self.dtype, order="C") for array in (first, *weights[1:])]
        self.biases = [np.array(array[:, None, :], self.dtype, order="C") for array in biases]

    def replicate(self, r: int) -> list[Layer]:
        """The layers of network r: weights (fan_in, fan_out) and biases (fan_out,), as copies."""
        hidden = self.network.sizes[1]
        first = self.weights[0][:, r * hidden : (r + 1) * hidden]
        weights = [first, *(layer[r] for layer in self.weights[1:])]
        return [(w.copy(), b[r, 0].copy()) for w, b in zip(weights, self.biases, strict=True)]

    def buffers(self, batch: int) -> Buffers:
        """Buffers for batches of this many examples."""
        return Buffers(self.network, self.replicates, batch, self.dtype)

    def restricted(self, features: Array) -> "Stack":
        """The same networks with the input `features` (k,) only: their rows of the first layer's weights are copied,
        everything else is shared with this stack."""
        part = copy.copy(self)
        part.network = replace(self.network, sizes=(len(features), *self.network.sizes[1:]))
        part.weights = [self.weights[0][features], *self.weights[1:]]
        return part

    def finite(self) -> Array:
        """(R,) bool: whether all weights and biases of a network are finite."""
        hidden = self.network.sizes[1]
        columns = np.isfinite(self.weights[0]).all(axis=0)
        finite = columns.reshape(self.replicates, hidden).all(axis=1)
        for array in (*self.weights[1:], *self.biases):
            finite &= np.isfinite(array).all(axis=(1, 2))
        return finite

    def forward(self, x: Array, buffers: Buffers) -> Array:
        """Fill the buffers' activations for the rows `x` (batch, features); returns the outputs (R, batch, outputs)."""
        np.matmul(x, self.weights[0], out=flat(buffers.activations[0]))
        return self.onward(buffers)

    def onward(self, buffers: Buffers) -> Array:
        """The forward pass from where the first layer's product is in the buffers' first activations."""
        a = buffers.activations
        a[0] += self.biases[0]
        for layer in range(1, len(a)):
            self.activate(a[layer - 1], buffers, layer - 1)
            np.matmul(a[layer - 1], self.weights[layer], out=a[layer])
            a[layer] += self.biases[layer]
        buffers.pre_outputs[...] = a[-1]
        logistic(a[-1], buffers.scratch[-1], buffers.overflows)
        return a[-1]

    def activate(self, z: Array, buffers: Buffers, layer: int) -> None:
        """Turn a hidden layer's pre-activations (R, batch, units) into its activations, in place."""
        if self.network.activation == "tanh":
            np.tanh(z, out=z)
        else:
            logistic(z, buffers.scratch[layer], buffers.overflows)

    def cost(self, targets: Array, buffers: Buffers) -> Array:
        """Cost of each network on the batch that `forward` saw, the mean over its examples: (R,), float64.

        `targets` is (batch, outputs), of 0 and 1.
        """
        if self.network.cost == "quadratic":
            cost = 0.5 * (buffers.activations[-1] - targets) ** 2
        else:
            # ln(1 + e^z) - y z, in the form that does not overflow; z.real, so that complex steps pass through it.
            z = buffers.pre_outputs
            positive = z.real > 0
            cost = np.where(positive, z, 0) - targets * z + np.log1p(np.exp(np.where(positive, -z, z)))
        return cost.sum(axis=2).mean(axis=1, dtype=np.promote_types(self.dtype, np.float64))

    def backward(self, targets: Array, buffers: Buffers, scale: Array | float = 1.0) -> list[Array]:
        """Fill the buffers' errors, the derivatives of the batch's SUMMED cost by the pre-activations, times `scale`.

        To be called after `forward`. `targets` is (batch, outputs); `scale` a number, or (R, 1, 1). The gradient is
        linear in the errors, so that scaling these few numbers scales it all.
        """
        a, errors = buffers.activations, buffers.errors
        np.subtract(a[-1], targets, out=errors[-1])
        if self.network.cost == "quadratic":
            times_slope("logistic", a[-1], errors[-1], buffers.scratch[-1])
        errors[-1] *= scale
        for layer in reversed(range(len(a) - 1)):
            np.matmul(errors[layer + 1], self.weights[layer + 1].transpose(0, 2, 1), out=errors[layer])
            times_slope(self.network.activation, a[layer], errors[layer], buffers.scratch[layer])
        return errors

    def gradient(self, x: Array, targets: Array) -> tuple[list[Array], list[Array]]:
        """Gradient of the mean cost over the batch `x` (batch, features), `targets` (batch, outputs).

        Returns the derivatives by `weights` and by `biases`, of the same shapes.
        """
        buffers = self.buffers(len(x))
        self.forward(x, buffers)
        errors = self.backward(targets, buffers, scale=1 / len(x))
        later = zip(buffers.activations[:-1], errors[1:], strict=True)
        weights = [x.T @ flat(errors[0]), *(a.transpose(0, 2, 1) @ error for a, error in later)]
        return weights, [error.sum(axis=1, keepdims=True) for error in errors]


def flat(first: Array) -> Array:
    """The first layer's (R, batch, units) as the (batch, R * units) matrix that it is a view of."""
    replicates, batch, units = first.shape
    return first.transpose(1, 0, 2).reshape(batch, replicates * units)


def logistic(z: Array, scratch: Array, overflows: Array) -> None:
    """Turn z (R, batch, units) into 1 / (1 + exp(-z)), in place, without overflow.

    Adds to `overflows` (R,) how many of each network's z are so negative that exp(-z) overflows in their dtype; they
    are raised to the last z that does not, where the result is already below 1e-37 (float32; 1e-307 in float64).
    """
    lowest = LOWEST_LOGISTIC[z.real.dtype]
    if (z < lowest).any():
        overflows += (z < lowest).sum(axis=(1, 2))
        np.maximum(z, lowest, out=z)
    np.negative(z, out=scratch)
    np.exp(scratch, out=scratch)
    scratch += 1
    np.divide(1, scratch, out=z)


# The least z for which exp(-z) is finite, as the dtype has it: -88.7 and -709.8. The logarithm is rounded, so one step
# of the dtype towards zero stays on the safe side.
LOWEST_LOGISTIC = {
    np.dtype(real): np.nextafter(-np.log(np.finfo(real).max), real(0)) for real in (np.float32, np.float64)
}


def times_slope(activation: str, a: Array, error: Array, scratch: Array) -> None:
    """Multiply `error`, in place, by the activation function's slope, told from the activations `a` themselves.

    a (1 - a) for the logistic function, 1 - a^2 for tanh; all arrays are (R, batch, units).
    """
    if activation == "tanh":
        np.multiply(a, a, out=scratch)
        np.subtract(1, scratch, out=scratch)
    else:
        np.subtract(1, a, out=scratch)
        scratch *= a
    error *= scratch
