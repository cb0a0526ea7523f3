"""The first layer's two products with the lit pixels of an image alone.

A dark pixel adds nothing to a pre-activation, and its weights have no gradient. Of a digit's 784 pixels 150 are lit, so
that for a mini-batch of one to four images only a part of the weights has to be read and written.
"""

from itertools import pairwise

import numpy as np
from scipy.sparse import _sparsetools, csr_array

Array = np.ndarray


class LitPixels:
    """The lit pixels of the images `x` (examples, features), all real.

    SciPy's public products of sparse matrices return a new array as large as the weights; the routines behind them add
    to the one that they are given.
    """

    def __init__(self, x: Array) -> None:
        self.features = x.shape[1]
        pixels = csr_array(x)
        ends = pixels.indptr
        self.images = [
            (np.array([0, end - start], pixels.indices.dtype), pixels.indices[start:end], pixels.data[start:end])
            for start, end in pairwise(ends)
        ]

    def forward(self, rows: Array, weights: Array, out: Array) -> None:
        """x[rows] @ weights, of shape (features, units), into `out` (batch, units); both are contiguous."""
        out[...] = 0
        units, flat_weights = weights.shape[1], weights.reshape(-1)
        for row, z in zip(rows, out, strict=True):
            _sparsetools.csr_matvecs(1, self.features, units, *self.images[row], flat_weights, z)

    def accumulate(self, rows: Array, errors: Array, weights: Array) -> None:
        """Add x[rows]^T errors, `errors` of shape (batch, units), to `weights` (features, units), in place."""
        units, flat_weights = weights.shape[1], weights.reshape(-1)
        for row, error in zip(rows, errors, strict=True):
            _sparsetools.csc_matvecs(self.features, 1, units, *self.images[row], error, flat_weights)
