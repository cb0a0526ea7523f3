"""A map's frame as arrays: one row a network, the points of a grid of two numbers."""

import numpy as np
import pandas as pd

from initodds.statistics.frames import numbers, require_columns, require_own_columns
from initodds.vocabulary import OUTCOMES, InputError

Array = np.ndarray


def grid_of(frame: pd.DataFrame, x: str, y: str, values: pd.Series) -> Array:
    """The mean of `values` (rows,) at each point of a grid: (y values, x values), float64, from the lowest of each.

    Raises InputError where the frame has no such column, or not every point of the grid.

    >>> frame = pd.DataFrame({"a": [0.0, 1.0, 0.0, 1.0], "b": [0.0, 0.0, 2.0, 2.0], "outcome": "stuck"})
    >>> grid_of(frame, "a", "b", frame["a"] + frame["b"]).tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    require_columns(frame, x=x, y=y)
    columns, rows = np.unique(numbers(frame[x], f"x={x}")), np.unique(numbers(frame[y], f"y={y}"))
    places = np.searchsorted(rows, frame[y]) * len(columns) + np.searchsorted(columns, frame[x])
    counts = np.bincount(places, minlength=len(rows) * len(columns))
    if not counts.all():
        raise InputError(f"x={x}, y={y}: {(counts == 0).sum()} of the {len(counts)} points of the grid are not there")
    sums = np.bincount(places, values.to_numpy(float), len(counts))
    return (sums / counts).reshape(len(rows), len(columns))


def shares(frame: pd.DataFrame) -> dict[str, float]:
    """The share of each of `OUTCOMES` among the networks."""
    require_own_columns(frame, "outcome")
    return {outcome: float((frame["outcome"] == outcome).mean()) for outcome in OUTCOMES}


def is_log(values: Array) -> bool:
    """Whether rising numbers are evenly spaced in their logarithms rather than as they are.

    >>> is_log(np.geomspace(0.01, 100, 9)), is_log(np.linspace(0.01, 100, 9)), is_log(np.array([1.0, 2.0]))
    (True, False, False)
    """
    if len(values) < 3 or values[0] <= 0:
        return False

    def unevenness(steps: Array) -> float:
        return float(steps.std() / steps.mean())

    return unevenness(np.diff(np.log(values))) < unevenness(np.diff(values))
