"""The default engine: R networks at once, and no array the size of the weights but the weights themselves."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy.linalg.blas import get_blas_funcs

from initodds.engines import Reduction
from initodds.engines.lit import LitPixels
from initodds.network import Buffers, Layer, Network, Stack, flat

Array = np.ndarray

# Up to this batch size the first layer is done with the lit pixels alone, if at most this share of the pixels is lit.
FEW, SPARSE = 4, 0.4


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
        self.lit = np.flatnonzero(x.any(axis=0))
        self.part = self.whole.restricted(self.lit)
        self.x = np.ascontiguousarray(x[:, self.lit], self.whole.dtype)
        self.targets = np.ascontiguousarray(targets, self.whole.dtype)
        self.rates = np.broadcast_to(np.asarray(learning_rate, self.whole.dtype), len(replicates))[:, None, None]
        self.reduction = reduction
        self.batches: dict[int, tuple[Array, Array, Buffers]] = {}
        (self.gemm,) = get_blas_funcs(("gemm",), dtype=self.whole.dtype)

    def step(self, rows: Array) -> None:
        x, targets, buffers = self.batch(len(rows))
        np.take(self.targets, rows, axis=0, out=targets, mode="clip")
        pixels = self.lit_pixels if len(rows) <= FEW else None
        if pixels:
            pixels.forward(rows, self.part.weights[0], out=flat(buffers.activations[0]))
            self.part.onward(buffers)
        else:
            np.take(self.x, rows, axis=0, out=x, mode="clip")
            self.part.forward(x, buffers)
        rates = self.rates / len(rows) if self.reduction == "mean" else self.rates
        errors = self.part.backward(targets, buffers, -rates)
        if pixels:
            pixels.accumulate(rows, flat(errors[0]), self.part.weights[0])
        else:
            self.accumulate(x, flat(errors[0]))
        for layer, error in enumerate(errors[1:], start=1):
            self.part.weights[layer] += buffers.activations[layer - 1].transpose(0, 2, 1) @ error
        for biases, error in zip(self.part.biases, errors, strict=True):
            biases += error.sum(axis=1, keepdims=True)

    @cached_property
    def lit_pixels(self) -> LitPixels | None:
        """The lit pixels of each image, where there are few of them."""
        is_sparse = np.count_nonzero(self.x) <= SPARSE * self.x.size
        return LitPixels(self.x) if is_sparse and np.isrealobj(self.x) else None

    def accumulate(self, x: Array, errors: Array) -> None:
        """Add x^T errors to the first layer's weights, in place: BLAS's gemm does it in one pass over them.

        BLAS counts columns first, and sees the transpose of each of these arrays: W^T += errors^T x.
        """
        weights = self.part.weights[0]
        self.gemm(1.0, errors.T, x.T, beta=1.0, c=weights.T, trans_b=True, overwrite_c=True)

    def stack(self) -> Stack:
        self.whole.weights[0][self.lit] = self.part.weights[0]
        return self.whole

    @property
    def overflows(self) -> Array:
        return sum((buffers.overflows for _, _, buffers in self.batches.values()), np.zeros(len(self.rates), np.int64))

    def batch(self, examples: int) -> tuple[Array, Array, Buffers]:
        """The inputs (examples, lit), targets (examples, outputs) and buffers of a batch of this size, to be filled."""
        if examples not in self.batches:
            x = np.empty((examples, len(self.lit)), self.whole.dtype)
            targets = np.empty((examples, self.targets.shape[1]), self.whole.dtype)
            self.batches[examples] = (x, targets, self.whole.buffers(examples))
        return self.batches[examples]
