"""What a frame has to have before anything is said of it: its columns, its outcomes, its numbers, its groups.

What it lacks is told in one line that names the argument and the column, before anything is counted.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from initodds.vocabulary import OUTCOMES, InputError

Columns = str | Sequence[str]
"""The name of one column, or those of several."""

NETWORK = ("cell", "replicate")
"""The columns that tell which network a row is of, as `load_replicates` has them."""


def names(columns: Columns) -> list[str]:
    """The names of columns, of which one may be given alone.

    >>> names("init"), names(("init", "seed"))
    (['init'], ['init', 'seed'])
    """
    return [columns] if isinstance(columns, str) else list(columns)


def require_columns(frame: pd.DataFrame, taken: Sequence[str] = (), **arguments: Columns) -> None:
    """Raise InputError where the frame has no row, not these columns, or one of them is named twice.

    taken: names that no column may have, since the result's own columns have them.  arguments: of each argument of the
    caller the columns that it names.

    >>> require_columns(pd.DataFrame({"init": ["half"]}), by=["init", "speed"])
    Traceback (most recent call last):
    ...
    initodds.vocabulary.InputError: by=speed: not a column; the frame has init
    """
    if len(frame) == 0:
        raise InputError("the frame has no replicate")
    seen: set[str] = set()
    for argument, columns in arguments.items():
        for column in names(columns):
            if column not in frame:
                raise InputError(f"{argument}={column}: not a column; the frame has {', '.join(map(str, frame))}")
            if column in taken:
                raise InputError(f"{argument}={column}: a column of the result has this name; rename the frame's")
            if column in seen:
                raise InputError(f"{argument}={column}: named twice; name each column once")
            seen.add(column)


def require_own_columns(frame: pd.DataFrame, *columns: str) -> None:
    """Raise InputError where the frame has not these columns, which no argument names, since every replicate has them.

    >>> require_own_columns(pd.DataFrame({"init": ["half"]}), "outcome")
    Traceback (most recent call last):
    ...
    initodds.vocabulary.InputError: the frame has no column outcome; it has init
    """
    for column in columns:
        if column not in frame:
            raise InputError(f"the frame has no column {column}; it has {', '.join(map(str, frame))}")


def require_outcomes(frame: pd.DataFrame) -> None:
    """Raise InputError where the frame has no column outcome, or anything but `OUTCOMES` in it, as NaN.

    >>> require_outcomes(pd.DataFrame({"outcome": ["stuck", "convergd"]}))
    Traceback (most recent call last):
    ...
    initodds.vocabulary.InputError: outcome=convergd: in 1 of 2 replicates; known are converged, unfinished, partial, \
stuck, diverged
    """
    require_own_columns(frame, "outcome")
    unknown = frame.loc[~frame["outcome"].isin(OUTCOMES), "outcome"]
    if len(unknown):
        raise InputError(
            f"outcome={unknown.iloc[0]}: in {len(unknown)} of {len(frame)} replicates; known are {', '.join(OUTCOMES)}"
        )


def require_outcome(outcome: str) -> None:
    """Raise InputError where this is none of `OUTCOMES`.

    >>> require_outcome("convergd")
    Traceback (most recent call last):
    ...
    initodds.vocabulary.InputError: outcome=convergd: choose from converged, unfinished, partial, stuck, diverged
    """
    if outcome not in OUTCOMES:
        raise InputError(f"outcome={outcome}: choose from {', '.join(OUTCOMES)}")


def numbers(column: pd.Series, name: str) -> np.ndarray:
    """A column (rows,) as float64, each of which has to be a finite number.

    name: what an error calls the column. Raises InputError where there is text, NaN or an infinity in it.

    >>> numbers(pd.Series([1, 2]), "x=init.centre")
    array([1., 2.])
    >>> numbers(pd.Series(["half", 2]), "x=init")
    Traceback (most recent call last):
    ...
    initodds.vocabulary.InputError: x=init: half is no finite number, in 1 of 2 rows
    """
    values = np.asarray(pd.to_numeric(column.astype(object), errors="coerce"), float)
    bad = ~np.isfinite(values)
    if bad.any():
        first = column[bad].iloc[0]
        raise InputError(f"{name}: {first} is no finite number, in {bad.sum()} of {len(bad)} rows")
    return values


def groups(frame: pd.DataFrame, by: Columns) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The rows that agree in the columns `by`, group by group in the order in which they first appear, each with the
    values of `by` that it has. NaN is a value like another; with no column, all rows are one group.

    >>> frame = pd.DataFrame({"init.low": [-1.0, np.nan, -1.0]})
    >>> [(values, len(group)) for values, group in groups(frame, "init.low")]
    [({'init.low': -1.0}, 2), ({'init.low': nan}, 1)]
    """
    columns = names(by)
    if not columns:
        yield {}, frame
        return
    for key, group in frame.groupby(columns, sort=False, observed=True, dropna=False):
        yield dict(zip(columns, key, strict=True)), group


def groups_of_networks(frame: pd.DataFrame, by: Columns) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """`groups` of replicates, in each of which a network is once, however often the frame has it, as under two names of
    one init: where there are the columns of `NETWORK`, rows that agree in them are one.

    >>> frame = pd.DataFrame({"init": ["half", "uniform"], "cell": "c1", "replicate": 0})
    >>> [len(group) for by in ("init", []) for _, group in groups_of_networks(frame, by)]
    [1, 1, 1]
    """
    if all(column in frame for column in NETWORK):
        frame = frame.drop_duplicates(list(dict.fromkeys([*names(by), *NETWORK])))
    yield from groups(frame, by)
