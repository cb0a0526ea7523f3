"""Outcomes to rates, each with its n and an interval. Tidy frames in and out."""

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
RESULT = ("outcome", "count", "n", "rate", "low", "high", "dispersion")
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
    proportion = scipy.stats.binomtest(int(count), int(n)).proportion_ci(CONFIDENCE, method=method)
    return float(proportion.low), float(proportion.high)


def wilson(count: np.ndarray | float, n: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % interval where `count` and `n` need not be whole, as after a division by a dispersion.

    count, n: numbers, or arrays of one shape. Returns (low, high), float64, of that shape.

    >>> low, high = wilson(np.array([16, 8]), np.array([32, 16]))  # the same rate of half as many: wider
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.336, 0.28], [0.664, 0.72])
    """
    z = scipy.stats.norm.ppf((1 + CONFIDENCE) / 2)
    share = np.asarray(count) / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def rates(frame: pd.DataFrame, by: Columns, method: str = "wilson", widen: bool = True) -> pd.DataFrame:
    """Rates of every outcome in each group of replicates.

    frame: one row a replicate, with a column outcome and the columns `by`, one or several; NaN there is a group too.
    method: of the interval, see `interval`.  widen: where there is a column order and the replicates of one data order
        agree more than chance has it (see `dispersion`), the interval is that of so many fewer replicates, by Wilson.

    Returns one row for each group and each of `OUTCOMES`, seen or not, with the columns `by`, outcome, count, n, rate,
    low, high (the 95 % interval), and dispersion (1 where nothing was widened). Raises InputError where a column is
    missing, named twice or called as one of the result, an outcome is unknown, or there is no replicate.

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
        rows.append({**values, **{o: int(counts.get(o, 0)) for o in OUTCOMES}, "dispersion": dispersion(group)})
    counts = pd.DataFrame(rows)
    table = of_counts(counts, by, method)
    table["dispersion"] = np.repeat(counts["dispersion"].to_numpy() if widen else 1.0, len(OUTCOMES))
    low, high = wilson(table["count"] / table["dispersion"], table["n"] / table["dispersion"])
    wider = table["dispersion"] > 1
    return table.assign(low=table["low"].where(~wider, low), high=table["high"].where(~wider, high))


def dispersion(group: pd.DataFrame) -> float:
    """By how much the outcomes of one cell vary more between its data orders than independent replicates would.

    group: one row a replicate, columns outcome, order and seed. Two replicates have the same data order where order and
    seed are the same: order 0 of one seed is another than order 0 of the next. Without a column seed all have one seed;
    without a column order none share an order.

    Pearson's chi-squared of outcome against order over its degrees of freedom (McCullagh and Nelder 1989, section 4.5),
    where that is more than chance has it at the 5 % level; else, and where there is one order or one outcome, 1.
    A rate of n such replicates is as uncertain as one of n / dispersion independent ones.

    >>> group = pd.DataFrame({"seed": 0, "order": [0] * 8 + [1] * 8, "outcome": ["converged"] * 8 + ["stuck"] * 8})
    >>> dispersion(group)
    16.0
    """
    if "order" not in group:
        return 1.0
    order, outcome = orders_of(group), pd.factorize(group["outcome"])[0]
    table = np.zeros((order.max() + 1, outcome.max() + 1))
    np.add.at(table, (order, outcome), 1)
    if min(table.shape) < 2:
        return 1.0
    chi_squared = scipy.stats.chi2_contingency(table, correction=False).statistic
    return beyond_chance(chi_squared, (len(table) - 1) * (table.shape[1] - 1))


def orders_of(frame: pd.DataFrame) -> np.ndarray:
    """The number, from 0, of the data order of each row (rows,): columns order and, where there is one, seed.

    >>> orders_of(pd.DataFrame({"seed": [7, 7, 8, 8], "order": [0, 0, 0, 1]})).tolist()
    [0, 0, 1, 2]
    """
    columns = [column for column in ("seed", "order") if column in frame]
    return np.asarray(frame.groupby(columns, observed=True, dropna=False).ngroup())


def beyond_chance(statistic: float, dof: int) -> float:
    """A statistic that is chi-squared by chance, over its degrees of freedom, where it is more than chance has it at
    the 5 % level; else 1.

    >>> beyond_chance(30.0, 10), beyond_chance(15.0, 10)
    (3.0, 1.0)
    """
    return max(1.0, float(statistic) / dof) if scipy.stats.chi2.sf(statistic, dof) < 1 - CONFIDENCE else 1.0


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
    n = counts[list(OUTCOMES)].sum(axis=1)
    long = counts.assign(n=n).melt([*by, "n"], OUTCOMES, "outcome", "count", ignore_index=False)
    long = long.sort_index(kind="stable").reset_index(drop=True).astype({"count": int, "n": int})
    bounds = [interval(count, size, method) for count, size in zip(long["count"], long["n"], strict=True)]
    low, high = zip(*bounds, strict=True)
    long = long.assign(rate=long["count"] / long["n"], low=low, high=high)
    return long[[*by, "outcome", "count", "n", "rate", "low", "high"]]


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
