"""Outcomes to rates, each with its n and an interval. Tidy frames in and out."""

from collections.abc import Sequence

import pandas as pd
from scipy.stats import binomtest

from initodds.outcomes import OUTCOMES

CONFIDENCE = 0.95


def interval(count: int, n: int, method: str = "wilson") -> tuple[float, float]:
    """The 95 % confidence interval of a rate of which `count` of `n` were seen: (low, high), within [0, 1].

    method: "wilson" (Wilson 1927, the score interval) or "exact" (Clopper and Pearson 1934). For 0 of n and n of n it
    is one-sided in effect: [0, high] and [low, 1].
    """
    proportion = binomtest(int(count), int(n)).proportion_ci(CONFIDENCE, method=method)
    return float(proportion.low), float(proportion.high)


def rates(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Rates of every outcome in each group of replicates.

    `frame` has one row a replicate, a column `outcome`, and the columns `by`. Returned as by `of_counts`.
    """
    outcome = pd.Categorical(frame["outcome"], categories=OUTCOMES)
    keys = [frame[column] for column in by]
    counts = pd.get_dummies(outcome).set_index(frame.index).groupby(keys, sort=False, observed=True).sum()
    return of_counts(counts.reset_index(), by)


def of_counts(counts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Rates from counts: one row a group, with the columns `by` and one of each of `OUTCOMES`.

    Returns one row for each group and each of `OUTCOMES`, seen or not, with the columns `by`, outcome, count, n, rate,
    low, high: the 95 % Wilson interval.
    """
    n = counts[list(OUTCOMES)].sum(axis=1)
    long = counts.assign(n=n).melt([*by, "n"], OUTCOMES, "outcome", "count", ignore_index=False)
    long = long.sort_index(kind="stable").reset_index(drop=True).astype({"count": int, "n": int})
    bounds = [interval(count, size) for count, size in zip(long["count"], long["n"], strict=True)]
    low, high = zip(*bounds, strict=True)
    long = long.assign(rate=long["count"] / long["n"], low=low, high=high)
    return long[[*by, "outcome", "count", "n", "rate", "low", "high"]]


def in_words(count: int, n: int) -> str:
    """A count as it stands in a table: `8  25% [13, 42]`, with the 95 % Wilson interval in percent."""
    low, high = interval(count, n)
    return f"{count} {100 * count / n:3.0f}% [{100 * low:.0f}, {100 * high:.0f}]"


def table(rates: pd.DataFrame, by: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Rates as a table for the eye: one row a group, one column an outcome, cells `in_words`.

    An outcome that no group has gets no column; the note, which is returned beside the table, has its upper bound.
    """
    wide = rates.assign(text=[in_words(c, n) for c, n in zip(rates["count"], rates["n"], strict=True)])
    seen = [name for name in OUTCOMES if (rates.loc[rates["outcome"] == name, "count"] > 0).any()]
    shown = wide.pivot_table(index=[*by, "n"], columns="outcome", values="text", aggfunc="first", sort=False)
    note = "count, percent and 95 % Wilson interval of n replicates."
    unseen = [name for name in OUTCOMES if name not in seen]
    if unseen:
        bounds = "; ".join(
            f"0 of {size}: at most {100 * interval(0, size)[1]:.0f} %" for size in sorted(set(rates["n"]))
        )
        note += f" In no cell: {', '.join(unseen)} ({bounds})."
    return shown[seen].reset_index().rename_axis(columns=None), note
