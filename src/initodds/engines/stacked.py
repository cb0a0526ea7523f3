"""The default engine: R networks at once, and no array the size of the weights but the weights themselves."""

from collections.abc import Sequence

import numpy as np

from initodds.engines import Reduction
from initodds.networks.images import Images
from initodds.networks.network import Buffers, Layer, Network, Stack, flat

Array = np.ndarray


class Stacked:
    """See `initodds.engines.Engine`."""

    def __init__(
        self,
        network: Network,
        replicates: Sequence[Sequence[Layer]],
        x: Array,
        targets: Array,
        learning_rate: float | Array,
        reduction: Reduction,
        dtype: np.dtype,
    ) -> None:
        self.whole = Stack(network, replicates, dtype)
        # A pixel that is zero in every training image adds nothing to a pre-activation, and its weights never change:
        # the steps are taken without it. A test image may light it, so `whole` has all the weights.
        self.images = Images(x, self.whole.dtype)
        self.part = self.whole.restricted(self.images.pixels)
        self.targets = np.ascontiguousarray(targets, self.whole.dtype)
        self.rates = np.broadcast_to(np.asarray(learning_rate, self.whole.dtype), len(replicates))[:, None, None]
        self.reduction = reduction
        self.batches: dict[int, tuple[Array, Array, Buffers]] = {}

    def step(self, rows: Array) -> None:
        pixels, targets, buffers = self.batch(len(rows))
        x = self.images.take(rows, out=pixels)
        np.take(self.targets, rows, axis=0, out=targets, mode="clip")
        x.product(self.part.weights[0], out=flat(buffers.activations[0]))
        self.part.onward(buffers)
        rates = self.rates / len(rows) if self.reduction == "mean" else self.rates
        errors = self.part.backward(targets, buffers, -rates)
        x.accumulate(flat(errors[0]), self.part.weights[0])
        for layer, error in enumerate(errors[1:], start=1):
            self.part.weights[layer] += buffers.activations[layer - 1].transpose(0, 2, 1) @ error
        for biases, error in zip(self.part.biases, errors, strict=True):
            biases += error.sum(axis=1, keepdims=True)

    def stack(self) -> Stack:
        self.whole.weights[0][self.images.pixels] = self.part.weights[0]
        return self.whole

    @property
    def overflows(self) -> Array:
        return sum((buffers.overflows for _, _, buffers in self.batches.values()), np.zeros(len(self.rates), np.int64))

    def batch(self, examples: int) -> tuple[Array, Array, Buffers]:
        """Arrays for a batch of this size: the pixels lit often, targets (examples, outputs), and buffers."""
        if examples not in self.batches:
            pixels = np.empty((examples, self.images.often.shape[1]), self.whole.dtype)
            targets = np.empty((examples, self.targets.shape[1]), self.whole.dtype)
            self.batches[examples] = (pixels, targets, self.whole.buffers(examples))
        return self.batches[examples]
