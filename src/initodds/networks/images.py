"""Images for the first layer's products: pixels that many images light as a matrix, the others as a sparse one.

A dark pixel adds nothing to a pre-activation, and its weights have no gradient. Of MNIST's 784 pixels no image lights
67, and fewer than one image in five lights another 432: a product of all pixels would spend most of its time on zeros.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.linalg.blas import get_blas_funcs
from scipy.sparse import _sparsetools, csr_array

Array = np.ndarray

# A pixel is often lit if at least this share of the images lights it. Measured on MNIST at batch sizes from 1 to 1000
# and stacks of 1 to 64: anything from 0.1 to 0.3 is within 5 % of the best.
OFTEN = 0.2


class Images:
    """The images `x` (examples, features), as `dtype`.

    pixels: (lit,) int, the pixels that any of the images lights, first those that are lit often.
    often: (examples, pixels lit often), and rarely: the same for the other pixels, a CSR array.
    """

    def __init__(self, x: Array, dtype: np.dtype) -> None:
        share = np.count_nonzero(x, axis=0) / len(x)
        often, rarely = np.flatnonzero(share >= OFTEN), np.flatnonzero((share > 0) & (share < OFTEN))
        self.pixels = np.concatenate([often, rarely])
        self.often = np.take(x, often, axis=1).astype(dtype, copy=False)
        self.rarely = csr_array(np.take(x, rarely, axis=1).astype(dtype, copy=False))
        self.counts = np.diff(self.rarely.indptr)

    def __len__(self) -> int:
        return len(self.often)

    def part(self, start: int, stop: int) -> "Batch":
        """The images from number `start` to before `stop`, as a view."""
        ends = self.rarely.indptr[start : stop + 1]
        entries = slice(ends[0], ends[-1])
        return Batch(self.often[start:stop], ends - ends[0], self.rarely.indices[entries], self.rarely.data[entries])

    def take(self, rows: Array, out: Array) -> "Batch":
        """The images `rows` (batch,), of which the pixels that are lit often are written to `out` (batch, pixels)."""
        np.take(self.often, rows, axis=0, out=out, mode="clip")
        pixels, rows = self.rarely, rows.astype(self.rarely.indptr.dtype)
        ends = np.zeros(len(rows) + 1, rows.dtype)
        np.cumsum(self.counts[rows], out=ends[1:])
        indices, values = np.empty(ends[-1], rows.dtype), np.empty(ends[-1], out.dtype)
        _sparsetools.csr_row_index(len(rows), rows, pixels.indptr, pixels.indices, pixels.data, indices, values)
        return Batch(out, ends, indices, values)


class Batch(NamedTuple):
    """A mini-batch X (batch, lit) of `Images`, for weights W (lit, units) that are in the order of their `pixels`.

    often: (batch, pixels lit often).  ends, indices, values: the other pixels, in CSR format: those of image i are at
    indices[ends[i] : ends[i + 1]], and have the values at the same places.
    """

    often: Array
    ends: Array
    indices: Array
    values: Array

    def product(self, weights: Array, out: Array) -> Array:
        """X W, in `out` (batch, units), a contiguous array."""
        often, rarely = weights[: self.often.shape[1]], weights[self.often.shape[1] :]
        dense_product(self.often, often, out)
        # SciPy's public products return a new array; the routines behind them add to one that they are given.
        sums = out.reshape(-1, copy=False)
        shape = (len(self.often), *rarely.shape)
        _sparsetools.csr_matvecs(*shape, self.ends, self.indices, self.values, rarely.reshape(-1), sums)
        return out

    def accumulate(self, errors: Array, weights: Array) -> None:
        """Add X^T E, of the `errors` E (batch, units), in place to W, the `weights`, a contiguous array.

        BLAS's gemm does it in one pass over the weights, and needs no array of their size. It counts columns first, and
        sees the transpose of each of these arrays: W^T += E^T X.
        """
        often, rarely = weights[: self.often.shape[1]], weights[self.often.shape[1] :]
        if len(often):
            gemm_of(weights.dtype)(1.0, errors.T, self.often.T, beta=1.0, c=often.T, trans_b=True, overwrite_c=True)
        sums = rarely.reshape(-1, copy=False)
        shape = (len(rarely), *errors.shape)
        _sparsetools.csc_matvecs(*shape, self.ends, self.indices, self.values, errors.reshape(-1), sums)


@cache
def gemm_of(dtype: np.dtype) -> Callable[..., Array]:
    """BLAS's matrix product for this dtype."""
    return get_blas_funcs("gemm", dtype=dtype)


# OpenBLAS multiplies matrices without copying them first where examples * features * columns is at most this.
SMALL_PRODUCT = 1_000_000
# ... and with fewer columns than this, so many products cost more than the copy.
FEWEST_COLUMNS = 64


def dense_product(x: Array, weights: Array, out: Array) -> None:
    """x @ weights, of shapes (batch, features) and (features, units), into `out` (batch, units).

    A small mini-batch uses each weight a few times only, so that copying them takes as long as multiplying: its product
    is cut into several that are small enough for OpenBLAS to do without.
    """
    columns = SMALL_PRODUCT // max(x.size, 1) // 16 * 16
    if not FEWEST_COLUMNS <= columns < weights.shape[1]:
        np.matmul(x, weights, out=out)
        return
    for start in range(0, weights.shape[1], columns):
        part = slice(start, start + columns)
        np.matmul(x, weights[:, part], out=out[:, part])
