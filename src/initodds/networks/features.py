"""Examples for the first layer's products: features that many examples have as a matrix, the others as a sparse one.

A feature that is 0 adds nothing to a pre-activation, and its weights have no gradient. Of MNIST's 784 pixels no image
lights 67, and fewer than one image in five lights another 432: a product of all pixels would spend most of its time on
zeros.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple, cast

import numpy as np
from scipy.linalg.blas import get_blas_funcs
from scipy.sparse import csr_array

from initodds.networks import sparse

Array = np.ndarray

# A feature is often there if at least this share of the examples has it. Measured on MNIST at batch sizes from 1 to
# 1000 and stacks of 1 to 64: anything from 0.1 to 0.3 is within 5 % of the best.
OFTEN = 0.2


class Features:
    """The examples `x` (examples, features), as `dtype`.

    present: (k,) int, the features that are not 0 in some example, or all where `everything` is asked for; first those
        that are often there.
    often: (examples, features often there), and rarely: the same for the other ones, a CSR array.
    """

    def __init__(self, x: Array, dtype: np.dtype, everything: bool = False) -> None:
        share = np.count_nonzero(x, axis=0) / len(x)
        often, rarely = np.flatnonzero(share >= OFTEN), np.flatnonzero((everything | (share > 0)) & (share < OFTEN))
        self.present = np.concatenate([often, rarely])
        self.often = np.take(x, often, axis=1).astype(dtype, copy=False)
        self.rarely = csr_array(np.take(x, rarely, axis=1).astype(dtype, copy=False))
        self._counts = np.diff(self.rarely.indptr)

    def __len__(self) -> int:
        return len(self.often)

    def part(self, start: int, stop: int) -> "Batch":
        """The examples from number `start` to before `stop`, as a view."""
        ends = self.rarely.indptr[start : stop + 1]
        entries = slice(ends[0], ends[-1])
        return Batch(self.often[start:stop], ends - ends[0], self.rarely.indices[entries], self.rarely.data[entries])

    def take(self, rows: Array, out: Array) -> "Batch":
        """The examples `rows` (batch,), whose features that are often there are written to `out` (batch, features)."""
        np.take(self.often, rows, axis=0, out=out, mode="clip")
        return Batch(out, *sparse.take_rows(self.rarely, rows, self._counts))

    def take_each(self, rows: Array, out: Array) -> "Batches":
        """The examples `rows` (R, batch) of R networks, or (1, batch) of all of them, as `take` has them; `out` is
        (R, batch, features) or (1, batch, features)."""
        np.take(self.often, rows, axis=0, out=out, mode="clip")
        ends, indices, values = sparse.take_rows(self.rarely, rows.ravel(), self._counts)
        entries = np.diff(ends[:: rows.shape[1]])
        below = np.arange(len(rows), dtype=indices.dtype) * self.rarely.shape[1]
        return Batches(out, ends, indices + np.repeat(below, entries), values)


class Batch(NamedTuple):
    """A mini-batch X (batch, k) of `Features`, for weights W (k, units) that are in the order of those `present`.

    often: (batch, features often there).  ends, indices, values: the other ones, a CSR matrix, see
    `initodds.networks.sparse`.
    """

    often: Array
    ends: Array
    indices: Array
    values: Array

    def product(self, weights: Array, out: Array) -> Array:
        """X W, in `out` (batch, units), a contiguous array."""
        often, rarely = weights[: self.often.shape[1]], weights[self.often.shape[1] :]
        dense_product(self.often, often, out)
        sparse.add_product(self.ends, self.indices, self.values, rarely, out)
        return out

    def squares(self) -> Array:
        """(batch,) the sum of each row's squares."""
        rows = np.repeat(np.arange(len(self.often)), np.diff(self.ends))
        rarely = np.bincount(rows, self.values**2, minlength=len(self.often))
        return np.asarray((self.often**2).sum(axis=1) + rarely)

    def accumulate(self, errors: Array, weights: Array) -> None:
        """Add X^T E, of the `errors` E (batch, units), in place to W, the `weights`, a contiguous array.

        BLAS's gemm does it in one pass over the weights, and needs no array of their size. It counts columns first, and
        sees the transpose of each of these arrays: W^T += E^T X.
        """
        often, rarely = weights[: self.often.shape[1]], weights[self.often.shape[1] :]
        if len(often):
            _gemm_of(weights.dtype)(1.0, errors.T, self.often.T, beta=1.0, c=often.T, trans_b=True, overwrite_c=True)
        sparse.add_transposed_product(self.ends, self.indices, self.values, errors, rarely)


class Batches(NamedTuple):
    """Mini-batches of R networks, one each, or one for all, for weights W_r (features often there, units) and (other
    ones, units). Each network's products are its own: the same, bit for bit, whatever is beside it.

    often: (R, batch, features often there), or (1, ...).  ends, indices, values: the other ones, as one CSR matrix with
    the mini-batches along its diagonal.
    """

    often: Array
    ends: Array
    indices: Array
    values: Array

    def product(self, often: Array, rarely: Array) -> Array:
        """X_r W_r (R, batch, units), for weights (R, features, units) in two contiguous arrays."""
        out = np.matmul(self.often, often)
        for weights, sums in self._side_by_side(rarely, out):
            sparse.add_product(self.ends, self.indices, self.values, weights, sums)
        return out

    def accumulate(self, errors: Array, often: Array, rarely: Array) -> None:
        """Add X_r^T E_r, of the `errors` (R, batch, units), in place to W_r."""
        errors = np.ascontiguousarray(errors)
        often += self.often.transpose(0, 2, 1) @ errors
        for of_batches, sums in self._side_by_side(errors, rarely):
            sparse.add_transposed_product(self.ends, self.indices, self.values, of_batches, sums)

    def _side_by_side(self, *arrays: Array) -> Iterator[list[Array]]:
        """Of arrays (R, rows, units), those of as many networks as there are mini-batches below each other, as views,
        one after another; none where no example has a feature that is rarely there."""
        count = len(self.often)
        for start in range(0, len(arrays[0]) if len(self.values) else 0, count):
            yield [part[start : start + count].reshape(-1, part.shape[2], copy=False) for part in arrays]


@cache
def _gemm_of(dtype: np.dtype) -> Callable[..., Array]:
    """BLAS's matrix product for this dtype."""
    return cast(Callable[..., Array], get_blas_funcs("gemm", dtype=dtype))


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
