"""A stack of R fully connected networks of one shape, side by side: forward, cost, backward, gradient.

Row-major, as a batch of rows: X is (batch, features), W is (fan_in, fan_out), b is a row; Z = X W + b, A = f(Z).

The first layers of all R networks lie next to each other in one (features, R * units) matrix: where all R see the same
batch, the largest product of the forward pass, and that of the update, is then one matrix product for all of them.
Every later layer has an input of its own in each network, and is an (R, fan_in, fan_out) array.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from initodds.networks.activations import Activation, activation_of
from initodds.networks.outputs import Output, output_of
from initodds.vocabulary import InputError

Array = np.ndarray
Layer = tuple[Array, Array]
"""One layer of one network: weights (fan_in, fan_out) and biases (fan_out,)."""


@dataclass(frozen=True)
class Network:
    """What is the same in all networks of a stack.

    sizes: units in each layer, the input's features first, the outputs last.
    activation: of the hidden units, by name or as an entry of `initodds.networks.activations`; one for all hidden
        layers, or one for each.
    output, cost: of the outputs, by their names, see `initodds.networks.outputs`; or output is an entry of it, which
        has a cost of its own.
    bias: whether the units have biases; where not, they are zero and stay so.

    Raises InputError for an unknown name, names that do not fit, or a list of activations of another length.

    >>> Network((784, 30, 10)).parameters
    23860
    """

    sizes: tuple[int, ...]
    activation: str | Activation | tuple[str | Activation, ...] = "logistic"
    output: str | Output = "logistic"
    cost: str = "quadratic"
    bias: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.activation, tuple) and len(self.activation) != len(self.sizes) - 2:
            names = [entry.name if isinstance(entry, Activation) else entry for entry in self.activation]
            given = f"network.activation=[{', '.join(names)}]"
            raise InputError(f"{given}: one for all, or one for each of the {len(self.sizes) - 2} hidden layers")
        self.activations, self.head  # noqa: B018  refused here, not when they are first used
        if self.head.competing and self.sizes[-1] < 2:
            raise InputError(
                f"network.output={self.output}: shares that add up to 1, of two classes at least (network.outputs=2);"
                " numbers are for linear"
            )

    def __hash__(self) -> int:
        """Of the sizes alone, since a user's own activation or output need not be hashable."""
        return hash(self.sizes)

    @cached_property
    def activations(self) -> list[Activation]:
        """The activation of each hidden layer."""
        hidden = len(self.sizes) - 2
        given = self.activation if isinstance(self.activation, tuple) else (self.activation,) * hidden
        return [entry if isinstance(entry, Activation) else activation_of(entry) for entry in given]

    @cached_property
    def head(self) -> Output:
        """The outputs with their cost."""
        return self.output if isinstance(self.output, Output) else output_of(self.output, self.cost)

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of each layer of weights."""
        return list(pairwise(self.sizes))

    @property
    def parameters(self) -> int:
        """Number of weights and biases of one network."""
        return sum((fan_in + self.bias) * fan_out for fan_in, fan_out in self.layers)


class Buffers:
    """Arrays that one pass of a stack over a batch writes to, allocated once and used again.

    activations[l], errors[l]: (R, batch, units) of layer l, where errors[l] is the derivative of the cost with respect
        to the layer's pre-activations.
    pre_activations[l]: (R, batch, units), None for a hidden layer whose activation's slope is told without them.
    scratch[l]: (R, batch, units), for intermediate results.
    overflows: (R,) how many evaluations, since the buffers were made, the functions as they are taught, as
        1 / (1 + exp(-z)), would have overflowed.
    """

    def __init__(self, network: Network, replicates: int, batch: int, dtype: np.dtype, apart: bool = False) -> None:
        def first_of_layers() -> Array:
            if apart:
                return np.empty((replicates, batch, first), dtype)
            # As the first layer's product writes it: (batch, R * units), seen as (R, batch, units).
            return np.empty((batch, replicates, first), dtype).transpose(1, 0, 2)

        self.batch = batch
        first, *later = network.sizes[1:]

        def of_layers() -> list[Array]:
            return [first_of_layers(), *(np.empty((replicates, batch, units), dtype) for units in later)]

        self.activations = of_layers()
        self.errors = of_layers()
        self.scratch = of_layers()
        kept = [*(activation.needs_pre_activation for activation in network.activations), True]
        self.pre_activations = [
            np.empty((replicates, batch, units), dtype) if keep else None
            for units, keep in zip(network.sizes[1:], kept, strict=True)
        ]
        self.overflows = np.zeros(replicates, np.int64)

    @property
    def pre_outputs(self) -> Array:
        """(R, batch, outputs), the pre-activations of the outputs."""
        pre_outputs = self.pre_activations[-1]
        assert pre_outputs is not None
        return pre_outputs


class Stack:
    """R networks of one shape. `replicates[r]` has the layers of network r; all are copied, as `dtype`.

    weights[0]: (features, R * units), network r's at columns r * units and on.
    weights[l]: (R, fan_in, fan_out) for each later layer l.
    biases[l]: (R, 1, fan_out) for every layer l; zero in a network without biases.
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
        if not network.bias:
            for array in self.biases:
                array[...] = 0

    def replicate(self, r: int) -> list[Layer]:
        """The layers of network r: weights (fan_in, fan_out) and biases (fan_out,), as copies."""
        units = self.network.sizes[1]
        first = self.weights[0][:, r * units : (r + 1) * units]
        weights = [first, *(layer[r] for layer in self.weights[1:])]
        return [(w.copy(), b[r, 0].copy()) for w, b in zip(weights, self.biases, strict=True)]

    def zeros(self) -> "Stack":
        """As many networks of this shape, whose weights and biases are all 0."""
        other = copy.copy(self)
        other.weights = [np.zeros_like(array) for array in self.weights]
        other.biases = [np.zeros_like(array) for array in self.biases]
        return other

    def buffers(self, batch: int, apart: bool = False) -> Buffers:
        """Buffers for batches of this many examples. apart: for first layers that are multiplied one by one, so that
        what comes of a network is the same, bit for bit, whatever is beside it."""
        return Buffers(self.network, self.replicates, batch, self.dtype, apart)

    def restricted(self, features: Array) -> "Stack":
        """The same networks with the input `features` (k,) only: their rows of the first layer's weights are copied,
        everything else is shared with this stack."""
        part = copy.copy(self)
        part.network = replace(self.network, sizes=(len(features), *self.network.sizes[1:]))
        part.weights = [self.weights[0][features], *self.weights[1:]]
        return part

    def finite(self) -> Array:
        """(R,) bool: whether all weights and biases of a network are finite."""
        columns = np.isfinite(self.weights[0]).all(axis=0)
        finite = columns.reshape(self.replicates, self.network.sizes[1]).all(axis=1)
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
        units: list[Activation | Output] = [*self.network.activations, self.network.head]
        for layer, unit in enumerate(units):
            if layer:
                np.matmul(a[layer - 1], self.weights[layer], out=a[layer])
            a[layer] += self.biases[layer]
            if (pre_activation := buffers.pre_activations[layer]) is not None:
                pre_activation[...] = a[layer]
            if (overflowing := unit.tame(a[layer])) is not None:
                buffers.overflows += overflowing.sum(axis=(1, 2))
            unit.activate(a[layer], buffers.scratch[layer])
        return a[-1]

    def cost(self, targets: Array, buffers: Buffers) -> Array:
        """Cost of each network on the batch that `forward` saw, the mean over its examples: (R,), float64.

        `targets` is (batch, outputs).
        """
        cost = self.network.head.cost(buffers.pre_outputs, buffers.activations[-1], targets)
        return cost.sum(axis=2).mean(axis=1, dtype=np.promote_types(self.dtype, np.float64))

    def backward(self, targets: Array, buffers: Buffers, scale: Array | float = 1.0) -> list[Array]:
        """Fill the buffers' errors, the derivatives of the batch's SUMMED cost by the pre-activations, times `scale`.

        To be called after `forward`. `targets` is (batch, outputs); `scale` a number, or (R, 1, 1). The gradient is
        linear in the errors, so that scaling these few numbers scales it all.
        """
        a, errors, scratch = buffers.activations, buffers.errors, buffers.scratch
        self.network.head.error(buffers.pre_outputs, a[-1], targets, errors[-1], scratch[-1])
        errors[-1] *= scale
        for layer, activation in reversed(list(enumerate(self.network.activations))):
            np.matmul(errors[layer + 1], self.weights[layer + 1].transpose(0, 2, 1), out=errors[layer])
            activation.times_slope(buffers.pre_activations[layer], a[layer], errors[layer], scratch[layer])
        return errors

    def gradient(self, x: Array, targets: Array) -> tuple[list[Array], list[Array]]:
        """Gradient of the mean cost over the batch `x` (batch, features), `targets` (batch, outputs).

        Returns the derivatives by `weights` and by `biases`, of the same shapes; the latter are zero in a network
        without biases.
        """
        buffers = self.buffers(len(x))
        self.forward(x, buffers)
        errors = self.backward(targets, buffers, scale=1 / len(x))
        later = zip(buffers.activations[:-1], errors[1:], strict=True)
        weights = [x.T @ flat(errors[0]), *(a.transpose(0, 2, 1) @ error for a, error in later)]
        return weights, [error.sum(axis=1, keepdims=True) * self.network.bias for error in errors]


def flat(first: Array) -> Array:
    """The first layer's (R, batch, units) as the (batch, R * units) matrix that it is a view of."""
    replicates, batch, units = first.shape
    return first.transpose(1, 0, 2).reshape(batch, replicates * units)
