"""NumPy's engine: R networks at once, and no array the size of the weights but the weights themselves.

Where all networks see the same mini-batches, the first layer is one product for all of them; where each sees its own,
NumPy multiplies them in turn.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from initodds.engines import Problem
from initodds.engines.optimizers import Optimizer, State
from initodds.networks.features import Batch, Batches, Features
from initodds.networks.network import Buffers, Layer, Network, Stack, flat

Array = np.ndarray

CLIPPED = 1e-6
"""What PyTorch adds to a norm before it divides by it, so that a gradient of zero can be clipped."""


class Stacked:
    """See `initodds.engines.Engine`."""

    # Measured on 784-30-10: from 32 on the step gains nothing more, and the weights of 32 (2.8 MB) fit the cache of any
    # processor.
    side_by_side: ClassVar[int] = 32

    in_threads: ClassVar[bool] = False

    def __init__(self, problem: Problem, replicates: Sequence[Sequence[Layer]], states: Sequence[State] = ()) -> None:
        self._problem = problem
        self._whole = Stack(problem.network, replicates, problem.dtype)
        # A feature that is zero in every training example adds nothing to a pre-activation, and its weights have no
        # gradient: the steps are taken without it, unless the optimizer shrinks all weights. A test example may have
        # it, so `_whole` has all the weights.
        everything = problem.optimizer.moves_without_gradient
        self._features = Features(problem.x, self._whole.dtype, everything)
        self._part = self._whole.restricted(self._features.present)
        # The first layers' weights: (k, R * units) in one array; or, apart, (R, features, units) in two, for the
        # features that are often there and the other ones.
        self._apart = False
        self._first = [self._part.weights[0]]
        self._targets = np.ascontiguousarray(problem.targets, self._whole.dtype)
        rates = problem.optimizer.rates(len(replicates), len(problem.network.sizes) - 1)
        self._rates = rates.T.astype(self._whole.dtype)[:, :, None, None]  # (layers, R, 1, 1)
        # The rate goes into the outputs' errors, from which those of all layers are made.
        self._fused = problem.optimizer.fused and bool((rates == rates[:, :1]).all())
        self._batches: dict[tuple[int, ...], tuple[Array, Array, Buffers]] = {}
        self._steps = states[0].steps if states else 0
        self._gradients: list[Array] = []
        self._slots: list[list[Array]] = []
        if not self._fused:
            self._gradients = [np.zeros_like(array) for array in self._parameters]
            self._slots = [[] for _ in self._parameters]
            for slot in range(problem.optimizer.slots):
                kept = [state.slots[slot] for state in states]
                stack = Stack(problem.network, kept, problem.dtype) if kept else self._whole.zeros()
                for slots, array in zip(
                    self._slots, self._arrays(stack.restricted(self._features.present)), strict=True
                ):
                    slots.append(array)

    @classmethod
    def require_support(cls, network: Network, optimizer: Optimizer, dtype: np.dtype) -> None:
        """Supports all."""

    @property
    def _parameters(self) -> list[Array]:
        return [*self._first, *self._arrays(self._part)[1:]]

    @staticmethod
    def _arrays(part: Stack) -> list[Array]:
        """What is trained of networks: the weights of each layer, and then their biases, where they have any."""
        return [*part.weights, *(part.biases if part.network.bias else [])]

    def steps(self, rows: Array, factors: Array | None = None) -> None:
        self._lay_out(apart=rows.ndim == 3)
        take = self._fused_step if self._fused else self._step
        for step, batch in enumerate(rows.swapaxes(0, 1) if self._apart else rows):
            take(batch, 1.0 if factors is None else float(factors[step]))

    def _lay_out(self, apart: bool) -> None:
        """Have the first layers' weights, and what an optimizer keeps for them, in one array or apart."""
        if apart == self._apart:
            return
        change, count = self._separated if apart else self._joined, len(self._first)
        self._apart, self._first = apart, change(self._first)
        if self._gradients:
            self._gradients[:count] = change(self._gradients[:count])
            # Slots of each parameter, as slots of all of the first layers' parameters and back.
            self._slots[:count] = map(list, zip(*map(change, zip(*self._slots[:count], strict=True)), strict=True))

    def _separated(self, arrays: Sequence[Array]) -> list[Array]:
        (joined,) = arrays
        each = self._each(joined)
        often = self._features.often.shape[1]
        return [np.ascontiguousarray(each[:, :often]), np.ascontiguousarray(each[:, often:])]

    def _joined(self, arrays: Sequence[Array]) -> list[Array]:
        each = np.concatenate(arrays, axis=1)
        return [each.transpose(1, 0, 2).reshape(each.shape[1], len(each) * each.shape[2])]

    def _each(self, joined: Array) -> Array:
        """An array (k, R * units), as a view (R, k, units)."""
        return joined.reshape(len(joined), self._whole.replicates, self._part.network.sizes[1]).transpose(1, 0, 2)

    def _forward(self, rows: Array) -> tuple[Batch | Batches, Array, Buffers]:
        """The forward pass on mini-batches: their features, targets, and the buffers that it has filled."""
        often, targets, buffers = self._batch(rows.shape)
        np.take(self._targets, rows, axis=0, out=targets, mode="clip")
        x: Batch | Batches
        if self._apart:
            x = self._features.take_each(rows, out=often)
            buffers.activations[0][...] = x.product(*self._first)
        else:
            x = self._features.take(rows, out=often)
            x.product(self._first[0], out=flat(buffers.activations[0]))
        self._part.onward(buffers)
        return x, targets, buffers

    def _accumulate(self, x: Batch | Batches, errors: Array, arrays: Sequence[Array]) -> None:
        """Add the first layers' gradient, of their `errors` (R, batch, units), to `arrays`."""
        x.accumulate(errors if self._apart else flat(errors), *arrays)

    def _fused_step(self, rows: Array, factor: float) -> None:
        """A step of plain SGD: the rate goes into the errors, and BLAS adds their products straight to the weights."""
        x, targets, buffers = self._forward(rows)
        rates = self._rates[0] / rows.shape[-1] if self._problem.reduction == "mean" else self._rates[0]
        if factor != 1.0:
            rates = rates * self._whole.dtype.type(factor)
        errors = self._part.backward(targets, buffers, -rates)
        self._accumulate(x, errors[0], self._first)
        for layer, error in enumerate(errors[1:], start=1):
            self._part.weights[layer] += buffers.activations[layer - 1].transpose(0, 2, 1) @ error
        if self._part.network.bias:
            for biases, error in zip(self._part.biases, errors, strict=True):
                biases += error.sum(axis=1, keepdims=True)

    def _step(self, rows: Array, factor: float) -> None:
        """A step of any optimizer, which is given the gradient."""
        x, targets, buffers = self._forward(rows)
        scale = 1 / rows.shape[-1] if self._problem.reduction == "mean" else 1.0
        errors = self._part.backward(targets, buffers, self._whole.dtype.type(scale))
        count = len(self._first)
        first, later = self._gradients[:count], self._gradients[count:]
        weights, biases = later[: len(errors) - 1], later[len(errors) - 1 :]
        for gradient in first:
            gradient.fill(0)
        self._accumulate(x, errors[0], first)
        for gradient, a, error in zip(weights, buffers.activations, errors[1:], strict=False):  # the last a feeds none
            np.matmul(a.transpose(0, 2, 1), error, out=gradient)
        for gradient, error in zip(biases, errors, strict=False):  # none where the network has no biases
            error.sum(axis=1, keepdims=True, out=gradient)
        if self._problem.optimizer.clip_norm is not None:
            self._clip(self._problem.optimizer.clip_norm)
        self._steps += 1
        rates = self._rates * self._whole.dtype.type(factor)
        # The layers of `_parameters`: the first one's weights, the later ones', and the biases of all.
        layers = [*[0] * count, *range(1, len(errors)), *range(len(errors))]
        parameters = zip(layers, self._parameters, self._gradients, self._slots, strict=False)
        for number, (layer, parameter, gradient, slots) in enumerate(parameters):
            rate = rates[layer] if number or self._apart else self._side_by_side(rates[0])
            self._problem.optimizer.update(parameter, gradient, slots, rate, self._steps)

    def _clip(self, norm: float) -> None:
        """Scale each network's gradient down to this norm where it has a larger one."""
        gradients = list(self._gradients)
        if not self._apart:  # seen as those of the other layers are
            gradients[0] = self._each(gradients[0])
        squares = sum((gradient.astype(np.float64) ** 2).sum(axis=(1, 2)) for gradient in gradients)
        factors = np.minimum(1, norm / (np.sqrt(squares) + CLIPPED)).astype(self._whole.dtype)
        for gradient in gradients:
            gradient *= factors[:, None, None]

    def _side_by_side(self, values: Array) -> Array:
        """Values (R, 1, 1) of the networks, as they belong to the columns of the first layers side by side."""
        return np.repeat(values[:, 0, 0], self._part.network.sizes[1])

    def stack(self) -> Stack:
        (first,) = self._joined(self._first) if self._apart else self._first
        self._whole.weights[0][self._features.present] = first
        return self._whole

    @property
    def states(self) -> list[State]:
        self._lay_out(apart=False)
        kept = []
        for slot in zip(*self._slots, strict=True):
            whole = self._whole.zeros()
            part = whole.restricted(self._features.present)
            for mine, array in zip(self._arrays(part), slot, strict=True):
                mine[...] = array
            whole.weights[0][self._features.present] = part.weights[0]
            kept.append(whole)
        return [State(self._steps, [stack.replicate(r) for stack in kept]) for r in range(self._whole.replicates)]

    @property
    def overflows(self) -> Array:
        buffers = (buffers for _, _, buffers in self._batches.values())
        return sum((each.overflows for each in buffers), np.zeros(self._whole.replicates, np.int64))

    def _batch(self, shape: tuple[int, ...]) -> tuple[Array, Array, Buffers]:
        """Arrays for mini-batches of this shape, (batch,) or (R, batch): the features often there, the targets, and
        buffers."""
        if shape not in self._batches:
            often = np.empty((*shape, self._features.often.shape[1]), self._whole.dtype)
            targets = np.empty((*shape, self._targets.shape[1]), self._whole.dtype)
            self._batches[shape] = (often, targets, self._whole.buffers(shape[-1], apart=len(shape) == 2))
        return self._batches[shape]
