"""How rough a border is: box counting."""

from dataclasses import dataclass

import numpy as np

from initodds.vocabulary import InputError

Array = np.ndarray

OFFSETS = 4
"""Places along each side at which the boxes of a size are laid, at most: how they fall is chance, and is averaged."""

COARSEST = 8
"""The largest boxes are this part of the picture's shorter side: larger ones see the picture's own shape."""


@dataclass(frozen=True, eq=False)
class Dimension:
    """The box-counting dimension of a set of cells.

    dimension: NaN where nothing is counted.
    scatter: the standard deviation of the slopes between neighbouring sizes, over the square root of their number: a
        set that is not alike at all scales has a larger one. No standard error: all counts are of one picture.
    sizes: (k,) of the boxes, in cells.  counts: (k,) how many of them hold a cell of the set.
    """

    dimension: float
    scatter: float
    sizes: Array
    counts: Array

    def __str__(self) -> str:
        return "none" if np.isnan(self.dimension) else f"{self.dimension:.2f} +- {self.scatter:.2f}"


def border(inside: Array) -> Array:
    """Where the border of a set of points runs: the cells between four neighbouring points that are not all alike.

    inside: (rows, columns) bool, whether each point of a grid is in the set. Returns (rows - 1, columns - 1) bool.

    >>> border(np.array([[True, True, False], [True, True, False]])).tolist()
    [[False, True]]
    """
    corners = np.stack([inside[:-1, :-1], inside[:-1, 1:], inside[1:, :-1], inside[1:, 1:]])
    return np.asarray(corners.any(axis=0) & ~corners.all(axis=0))


def box_dimension(cells: Array) -> Dimension:
    """The box-counting dimension of a set of cells: -d log N / d log s, of the N boxes of s by s cells that hold any.

    cells: (rows, columns) bool. The slope is that of a straight line through the counts (least squares), for s from 1
    up to an eighth of the shorter side, in steps of about the square root of 2. For each s the boxes are laid at some
    places, and a box that the picture's edge cuts counts by its part within.

    Falconer (2003), "Fractal Geometry", chapter 3. Raises InputError where there are fewer than 32 cells along a side.

    >>> round(box_dimension(np.ones((64, 64), bool)).dimension, 6)
    2.0
    """
    if cells.ndim != 2 or min(cells.shape) < 4 * COARSEST:
        raise InputError(f"cells of shape {cells.shape}: at least {4 * COARSEST} along each of two sides")
    most = min(cells.shape) // COARSEST
    sizes = np.unique(np.round(2 ** np.arange(0, np.log2(most) + 1e-9, 0.5)).astype(int))
    counts = np.array([_boxes(cells, int(size)) for size in sizes])
    if not cells.any():
        return Dimension(np.nan, np.nan, sizes, counts)
    x, y = np.log(sizes), np.log(counts)
    off = x - x.mean()
    slope = float(off @ y / (off @ off))
    slopes = np.diff(y) / np.diff(x)
    return Dimension(-slope, float(slopes.std(ddof=1) / np.sqrt(len(slopes))), sizes, counts)


def _boxes(cells: Array, size: int) -> float:
    """How many boxes of this size hold a cell, on average over where the boxes lie."""
    starts = np.unique(np.linspace(0, size, OFFSETS, endpoint=False).astype(int))
    return float(np.mean([_at(cells, size, row, column) for row in starts for column in starts]))


def _at(cells: Array, size: int, row: int, column: int) -> float:
    """How many boxes of this size hold a cell, those at the edges counted by their part within; a box's corner lies at
    this row and column."""
    rows, columns = (_bounds(length, size, start) for length, start in zip(cells.shape, (row, column), strict=True))
    held = np.maximum.reduceat(np.maximum.reduceat(cells, rows, axis=0), columns, axis=1)
    parts = [np.diff([*starts, length]) / size for starts, length in zip((rows, columns), cells.shape, strict=True)]
    return float(parts[0] @ held @ parts[1])


def _bounds(length: int, size: int, start: int) -> Array:
    """Where the boxes of a size begin along a side, one of them at `start`."""
    return np.unique([0, *range(start, length, size)])
