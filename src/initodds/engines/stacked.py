"""The default engine: R networks at once, and no array the size of the weights but the weights themselves."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from initodds.engines import Problem
from initodds.engines.optimizers import Optimizer
from initodds.networks.features import Batch, Features
from initodds.networks.network import Buffers, Layer, Network, Stack, flat

Array = np.ndarray

CLIPPED = 1e-6
"""What PyTorch adds to a norm before it divides by it, so that a gradient of zero can be clipped."""


class Stacked:
    """See `initodds.engines.Engine`."""

    # Measured on 784-30-10: from 32 on the step gains nothing more, and the weights of 32 (2.8 MB) fit the cache of any
    # processor.
    side_by_side: ClassVar[int] = 32

    def __init__(self, problem: Problem, replicates: Sequence[Sequence[Layer]]) -> None:
        self._problem = problem
        self._whole = Stack(problem.network, replicates, problem.dtype)
        # A feature that is zero in every training example adds nothing to a pre-activation, and its weights have no
        # gradient: the steps are taken without it, unless the optimizer shrinks all weights. A test example may have
        # it, so `_whole` has all the weights.
        everything = problem.optimizer.weight_decay > 0
        self._features = Features(problem.x, self._whole.dtype, everything)
        self._part = self._whole.restricted(self._features.present)
        self._targets = np.ascontiguousarray(problem.targets, self._whole.dtype)
        rates = np.asarray(problem.optimizer.learning_rate, self._whole.dtype)
        self._rates = np.broadcast_to(rates, len(replicates))[:, None, None]
        self._batches: dict[int, tuple[Array, Array, Buffers]] = {}
        self._steps = 0
        self._gradients: list[Array] = []
        self._slots: list[list[Array]] = []
        if not problem.optimizer.fused:
            self._gradients = [np.zeros_like(array) for array in self._parameters]
            count = problem.optimizer.slots
            self._slots = [[np.zeros_like(array) for _ in range(count)] for array in self._parameters]

    @classmethod
    def require_support(cls, network: Network, optimizer: Optimizer) -> None:
        """Supports all."""

    @property
    def _parameters(self) -> list[Array]:
        return self._part.weights + (self._part.biases if self._part.network.bias else [])

    def steps(self, rows: Array, factors: Array | None = None) -> None:
        take = self._fused_step if self._problem.optimizer.fused else self._step
        for step, batch in enumerate(rows):
            take(batch, 1.0 if factors is None else float(factors[step]))

    def _forward(self, rows: Array) -> tuple[Batch, Array, Buffers]:
        """The forward pass on a mini-batch: its features, targets, and the buffers that it has filled."""
        often, targets, buffers = self._batch(len(rows))
        x = self._features.take(rows, out=often)
        np.take(self._targets, rows, axis=0, out=targets, mode="clip")
        x.product(self._part.weights[0], out=flat(buffers.activations[0]))
        self._part.onward(buffers)
        return x, targets, buffers

    def _fused_step(self, rows: Array, factor: float) -> None:
        """A step of plain SGD: the rate goes into the errors, and BLAS adds their products straight to the weights."""
        x, targets, buffers = self._forward(rows)
        rates = self._rates / len(rows) if self._problem.reduction == "mean" else self._rates
        if factor != 1.0:
            rates = rates * self._whole.dtype.type(factor)
        errors = self._part.backward(targets, buffers, -rates)
        x.accumulate(flat(errors[0]), self._part.weights[0])
        for layer, error in enumerate(errors[1:], start=1):
            self._part.weights[layer] += buffers.activations[layer - 1].transpose(0, 2, 1) @ error
        if self._part.network.bias:
            for biases, error in zip(self._part.biases, errors, strict=True):
                biases += error.sum(axis=1, keepdims=True)

    def _step(self, rows: Array, factor: float) -> None:
        """A step of any optimizer, which is given the gradient."""
        x, targets, buffers = self._forward(rows)
        scale = 1 / len(rows) if self._problem.reduction == "mean" else 1.0
        errors = self._part.backward(targets, buffers, self._whole.dtype.type(scale))
        weights, biases = self._gradients[: len(errors)], self._gradients[len(errors) :]
        weights[0].fill(0)
        x.accumulate(flat(errors[0]), weights[0])
        for layer, error in enumerate(errors[1:], start=1):
            np.matmul(buffers.activations[layer - 1].transpose(0, 2, 1), error, out=weights[layer])
        for gradient, error in zip(biases, errors, strict=False):  # none where the network has no biases
            error.sum(axis=1, keepdims=True, out=gradient)
        if self._problem.optimizer.clip_norm is not None:
            self._clip(self._problem.optimizer.clip_norm)
        self._steps += 1
        rates = self._rates * self._whole.dtype.type(factor)
        parameters = zip(self._parameters, self._gradients, self._slots, strict=True)
        for number, (parameter, gradient, slots) in enumerate(parameters):
            rate = rates if number else self._side_by_side(rates)
            self._problem.optimizer.update(parameter, gradient, slots, rate, self._steps)

    def _clip(self, norm: float) -> None:
        """Scale each network's gradient down to this norm where it has a larger one."""
        first, *later = self._gradients
        units = self._part.network.sizes[1]
        squares = (first.astype(np.float64) ** 2).sum(axis=0).reshape(-1, units).sum(axis=1)
        for gradient in later:
            squares += (gradient.astype(np.float64) ** 2).sum(axis=(1, 2))
        factors = np.minimum(1, norm / (np.sqrt(squares) + CLIPPED)).astype(self._whole.dtype)[:, None, None]
        first *= self._side_by_side(factors)
        for gradient in later:
            gradient *= factors

    def _side_by_side(self, values: Array) -> Array:
        """Values (R, 1, 1) of the networks, as they belong to the columns of the first layers side by side."""
        return np.repeat(values[:, 0, 0], self._part.network.sizes[1])

    def stack(self) -> Stack:
        self._whole.weights[0][self._features.present] = self._part.weights[0]
        return self._whole

    @property
    def overflows(self) -> Array:
        buffers = (buffers for _, _, buffers in self._batches.values())
        return sum((each.overflows for each in buffers), np.zeros(len(self._rates), np.int64))

    def _batch(self, examples: int) -> tuple[Array, Array, Buffers]:
        """Arrays for a batch of this size: the features often there, targets (examples, outputs), and buffers."""
        if examples not in self._batches:
            often = np.empty((examples, self._features.often.shape[1]), self._whole.dtype)
            targets = np.empty((examples, self._targets.shape[1]), self._whole.dtype)
            self._batches[examples] = (often, targets, self._whole.buffers(examples))
        return self._batches[examples]
