"""The three sparse products that every step takes, in place where SciPy has them so.

SciPy's public products return new arrays. The routines behind them add to an array that they are given, which saves a
third of a step; they are private, so they are named here and nowhere else, and where a SciPy has them no more the
public ones do the same, slower. A CSR matrix X (rows, columns) is `ends` (rows + 1,), `indices` and `values`: the
entries of row i are at indices[ends[i] : ends[i + 1]], and have the values at the same places.
"""

import numpy as np
from scipy.sparse import csr_array

try:
    from scipy.sparse import _sparsetools as _routines
except ImportError:  # pragma: no cover  as in a SciPy to come
    _routines = None

Array = np.ndarray


def take_rows(matrix: csr_array, rows: Array, counts: Array) -> tuple[Array, Array, Array]:
    """(ends, indices, values) of these `rows` (k,) of a matrix whose rows have so many `counts` (rows,) of entries."""
    if _routines is None:
        taken = matrix[rows]
        return taken.indptr, taken.indices, taken.data
    rows = rows.astype(matrix.indptr.dtype)
    ends = np.zeros(len(rows) + 1, rows.dtype)
    np.cumsum(counts[rows], out=ends[1:])
    indices, values = np.empty(ends[-1], rows.dtype), np.empty(ends[-1], matrix.data.dtype)
    _routines.csr_row_index(len(rows), rows, matrix.indptr, matrix.indices, matrix.data, indices, values)
    return ends, indices, values


def add_product(ends: Array, indices: Array, values: Array, weights: Array, out: Array) -> None:
    """Add X W to `out` (rows, units), for W `weights` (columns, units); both contiguous."""
    shape = (len(ends) - 1, *weights.shape)
    if _routines is None:
        out += csr_array((values, indices, ends), shape[:2]) @ weights
    else:
        sums = out.reshape(-1, copy=False)
        _routines.csr_matvecs(*shape, ends, indices, values, weights.reshape(-1), sums)


def add_transposed_product(ends: Array, indices: Array, values: Array, errors: Array, out: Array) -> None:
    """Add X^T E to `out` (columns, units), for E `errors` (rows, units); both contiguous."""
    shape = (len(out), len(ends) - 1, out.shape[1])
    if _routines is None:
        out += csr_array((values, indices, ends), (shape[1], shape[0])).T @ errors
    else:
        # A CSR matrix is its transpose as CSC.
        sums = out.reshape(-1, copy=False)
        _routines.csc_matvecs(*shape, ends, indices, values, errors.reshape(-1), sums)
