"""Outcomes to rates, each with its n and an interval. Tidy frames in and out."""

from collections.abc import Iterable
from functools import cache

import numpy as np
import pandas as pd
import scipy  # loads its parts as they are first used, and its statistics take half a second

from initodds.statistics.frames import (
    Columns,
    groups,
    groups_of_networks,
    names,
    require_columns,
    require_outcomes,
    require_own_columns,
)
from initodds.vocabulary import OUTCOMES, InputError

CONFIDENCE = 0.95
METHODS = ("wilson", "exact")
RESULT = ("outcome", "count", "n", "rate", "low", "high")
"""The columns of `rates`, beside those that its rows are told apart by."""


def interval(count: int, n: int, method: str = "wilson") -> tuple[float, float]:
    """The 95 % confidence interval of a rate of which `count` of `n` were seen: (low, high), within [0, 1].

    method: "wilson" (Wilson 1927, the score interval) or "exact" (Clopper and Pearson 1934). For 0 of n the low end is
    0 and for n of n the high end is 1; the other end is what can honestly be said. Raises InputError where the method
    is another, n is less than 1, or `count` not within 0 and n.

    >>> low, high = interval(0, 32)
    >>> f"0 of 32: {low:.3f} to {high:.3f}"
    '0 of 32: 0.000 to 0.107'
    """
    if method not in METHODS:
        raise InputError(f"method={method}: choose from {', '.join(METHODS)}")
    if not 0 <= count <= n or n < 1:
        raise InputError(f"count={count}, n={n}: needs 0 <= count <= n and n at least 1")
    if method == "wilson":
        low, high = wilson(count, n)
        return float(low), float(high)
    proportion = scipy.stats.binomtest(int(count), int(n)).proportion_ci(CONFIDENCE, method=method)
    return float(proportion.low), float(proportion.high)


def wilson(count: np.ndarray | float, n: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % interval of many rates at once.

    count, n: numbers, or arrays of one shape. Returns (low, high), float64, of that shape.

    >>> low, high = wilson(np.array([16, 8]), np.array([32, 16]))  # the same rate of half as many: wider
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.336, 0.28], [0.664, 0.72])
    """
    z = _quantile()
    share = np.asarray(count) / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # Exact at the ends, where the formula is 0 and 1 but for rounding.
    return np.where(share == 0, 0, middle - half), np.where(share == 1, 1, middle + half)


@cache
def _quantile() -> float:
    """How many standard errors an interval goes to either side."""
    return float(scipy.stats.norm.ppf((1 + CONFIDENCE) / 2))


def rates(frame: pd.DataFrame, by: Columns, method: str = "wilson") -> pd.DataFrame:
    """Rates of every outcome in each group of replicates, which are taken to be independent, see `given_orders`.

    frame: one row a replicate, with a column outcome and the columns `by`, one or several; NaN there is a group too.
    method: of the interval, see `interval`.

    Returns one row for each group and each of `OUTCOMES`, seen or not, with the columns `by`, outcome, count, n, rate,
    low, high (the 95 % interval). Raises InputError where a column is missing, named twice or called as one of the
    result, an outcome is unknown, or there is no replicate.

    >>> frame = pd.DataFrame({"init": ["half"] * 3 + ["unit"] * 2, "outcome": ["converged"] * 3 + ["stuck"] * 2})
    >>> table = rates(frame, "init")
    >>> table.loc[table["outcome"] == "stuck", ["init", "count", "n", "rate"]].to_numpy().tolist()
    [['half', 0, 3, 0.0], ['unit', 2, 2, 1.0]]
    """
    require_columns(frame, RESULT, by=by)
    require_outcomes(frame)
    rows = []
    for values, group in groups_of_networks(frame, by):
        counts = group["outcome"].value_counts()
        rows.append({**values, **{outcome: int(counts.get(outcome, 0)) for outcome in OUTCOMES}})
    return of_counts(pd.DataFrame(rows), by, method)


def given_orders(orders: Iterable[object]) -> str:
    """What has to be said of rates for the values of sgd.orders that their cells have, as numbers or text; nothing
    where none is a number.

    Replicates that share a data order are alike. Of the few orders that are shared no interval can be had that holds
    for others too: with four, each from 8 replicates alike, even one over orders as clusters has 3 degrees of freedom.

    >>> given_orders([4, "None"])
    'Where replicates share data orders (sgd.orders=4), rates and intervals are given these orders.'
    >>> given_orders([None])
    ''
    """
    shared = pd.to_numeric(pd.Series(list(orders), dtype=object), errors="coerce").dropna().unique()
    if not len(shared):
        return ""
    numbers = ", ".join(f"{number:.0f}" for number in sorted(shared))
    return f"Where replicates share data orders (sgd.orders={numbers}), rates and intervals are given these orders."


def of_counts(counts: pd.DataFrame, by: Columns, method: str = "wilson") -> pd.DataFrame:
    """Rates from counts: one row a group, with the columns `by` and one of each of `OUTCOMES`.

    Returns one row for each group and each of `OUTCOMES`, seen or not, with the columns `by`, outcome, count, n, rate,
    low, high: the 95 % interval, see `interval`. Raises InputError where a column is missing, named twice or called as
    one of the result.

    >>> counts = pd.DataFrame({"init": ["half"], **dict.fromkeys(OUTCOMES, 0)}).assign(converged=31, stuck=1)
    >>> of_counts(counts, "init")[["outcome", "count", "n"]].to_numpy().tolist()[0]
    ['converged', 31, 32]
    """
    require_columns(counts, RESULT, by=by)
    require_own_columns(counts, *OUTCOMES)
    by = names(by)
    each = counts[list(OUTCOMES)].to_numpy(int)
    count, n = each.ravel(), np.repeat(each.sum(axis=1), len(OUTCOMES))
    low, high = _intervals(count, n, method)
    long = counts[by].iloc[np.repeat(np.arange(len(counts)), len(OUTCOMES))].reset_index(drop=True)
    outcome = np.tile(np.array(OUTCOMES, dtype=object), len(counts))
    return long.assign(outcome=outcome, count=count, n=n, rate=count / n, low=low, high=high)


def _intervals(count: np.ndarray, n: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """`interval` of many rates, (low, high) of the length of `count` and `n`. Raises InputError as it does."""
    if method == "wilson" and (n > 0).all() and (count >= 0).all():
        return wilson(count, n)
    low, high = zip(*(interval(c, size, method) for c, size in zip(count, n, strict=True)), strict=True)
    return np.array(low), np.array(high)


def in_words(count: int, n: int, low: float, high: float) -> str:
    """A count as it stands in a table, with the rate and its interval in percent.

    >>> in_words(8, 32, *interval(8, 32))
    '8  25% [13, 42]'
    """
    return f"{count} {100 * count / n:3.0f}% [{100 * low:.0f}, {100 * high:.0f}]"


def table(rates: pd.DataFrame, by: Columns) -> tuple[pd.DataFrame, str]:
    """Rates as a table for the eye: one row a group, one column an outcome, cells `in_words`.

    rates: as `rates` or `of_counts` return them for these `by`, which tell the groups apart. An outcome that no group
    has gets no column; the note, which is returned beside the table, has its upper bound.

    >>> frame = pd.DataFrame({"init": ["half"] * 3 + ["unit"] * 2, "outcome": ["converged"] * 3 + ["stuck"] * 2})
    >>> shown, note = table(rates(frame, "init"), "init")
    >>> shown.to_numpy().tolist()
    [['half', 3, '3 100% [44, 100]', '0   0% [0, 56]'], ['unit', 2, '0   0% [0, 66]', '2 100% [34, 100]']]
    >>> note
    'count, percent and 95 % Wilson interval of n replicates. In no cell: unfinished, partial, diverged (0 of 2: at \
most 66 %; 0 of 3: at most 56 %).'
    """
    by = names(by)
    seen = [name for name in OUTCOMES if (rates.loc[rates["outcome"] == name, "count"] > 0).any()]
    columns = ["outcome", "count", "n", "low", "high"]
    rows = []
    for values, group in groups(rates, [*by, "n"]):
        words = {outcome: in_words(*row) for outcome, *row in group[columns].itertuples(index=False)}
        rows.append({**values, **{outcome: words[outcome] for outcome in seen}})
    note = "count, percent and 95 % Wilson interval of n replicates."
    unseen = [name for name in OUTCOMES if name not in seen]
    if unseen:
        bounds = "; ".join(f"0 of {n}: at most {100 * interval(0, n)[1]:.0f} %" for n in sorted(set(rates["n"])))
        note += f" In no cell: {', '.join(unseen)} ({bounds})."
    return pd.DataFrame(rows, columns=[*by, "n", *seen]), note
