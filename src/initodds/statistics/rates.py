"""Outcomes to rates, each with its n and an interval. Tidy frames in and out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest, chi2_contingency, norm

from initodds.vocabulary import OUTCOMES, InputError

CONFIDENCE = 0.95


def interval(count: int, n: int, method: str = "wilson") -> tuple[float, float]:
    """The 95 % confidence interval of a rate of which `count` of `n` were seen: (low, high), within [0, 1].

    method: "wilson" (Wilson 1927, the score interval) or "exact" (Clopper and Pearson 1934). For 0 of n the low end is
    0 and for n of n the high end is 1; the other end is what can honestly be said.
    """
    proportion = binomtest(int(count), int(n)).proportion_ci(CONFIDENCE, method=method)
    return float(proportion.low), float(proportion.high)


def wilson(count: np.ndarray | float, n: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % interval where `count` and `n` need not be whole, as after a division by a dispersion."""
    z = norm.ppf((1 + CONFIDENCE) / 2)
    share = np.asarray(count) / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def rates(frame: pd.DataFrame, by: Sequence[str], method: str = "wilson", widen: bool = True) -> pd.DataFrame:
    """Rates of every outcome in each group of replicates.

    frame: one row a replicate, with a column outcome and the columns `by`.
    method: of the interval, see `interval`.  widen: where there is a column order and the replicates of one data order
        agree more than chance has it (see `dispersion`), the interval is that of so many fewer replicates, by Wilson.

    Returns one row for each group and each of `OUTCOMES`, seen or not, with the columns `by`, outcome, count, n, rate,
    low, high (the 95 % interval), and dispersion (1 where nothing was widened). Raises InputError where a column is
    missing or there is no replicate.
    """
    require_columns(frame, [*by, "outcome"])
    groups = frame.groupby(list(by) or np.zeros(len(frame)), sort=False, observed=True, dropna=False)
    rows = []
    for key, group in groups:
        counts = group["outcome"].value_counts()
        values = dict(zip(by, key, strict=True)) if by else {}
        rows.append({**values, **{o: int(counts.get(o, 0)) for o in OUTCOMES}, "dispersion": dispersion(group)})
    counts = pd.DataFrame(rows)
    table = of_counts(counts, by, method)
    table["dispersion"] = np.repeat(counts["dispersion"].to_numpy() if widen else 1.0, len(OUTCOMES))
    low, high = wilson(table["count"] / table["dispersion"], table["n"] / table["dispersion"])
    wider = table["dispersion"] > 1
    return table.assign(low=table["low"].where(~wider, low), high=table["high"].where(~wider, high))


def dispersion(group: pd.DataFrame) -> float:
    """By how much the outcomes of one cell vary more between its data orders than independent replicates would.

    Pearson's chi-squared of outcome against order over its degrees of freedom (McCullagh and Nelder 1989, section 4.5),
    where that is more than chance has it at the 5 % level; else, and where there is one order or one outcome, 1.
    A rate of n such replicates is as uncertain as one of n / dispersion independent ones.
    """
    if "order" not in group:
        return 1.0
    table = pd.crosstab(group["order"], group["outcome"].astype(str))
    if min(table.shape) < 2:
        return 1.0
    test = chi2_contingency(table, correction=False)
    return max(1.0, test.statistic / test.dof) if test.pvalue < 1 - CONFIDENCE else 1.0


def of_counts(counts: pd.DataFrame, by: Sequence[str], method: str = "wilson") -> pd.DataFrame:
    """Rates from counts: one row a group, with the columns `by` and one of each of `OUTCOMES`.

    Returns one row for each group and each of `OUTCOMES`, seen or not, with the columns `by`, outcome, count, n, rate,
    low, high: the 95 % interval, see `interval`.
    """
    n = counts[list(OUTCOMES)].sum(axis=1)
    long = counts.assign(n=n).melt([*by, "n"], OUTCOMES, "outcome", "count", ignore_index=False)
    long = long.sort_index(kind="stable").reset_index(drop=True).astype({"count": int, "n": int})
    bounds = [interval(count, size, method) for count, size in zip(long["count"], long["n"], strict=True)]
    low, high = zip(*bounds, strict=True)
    long = long.assign(rate=long["count"] / long["n"], low=low, high=high)
    return long[[*by, "outcome", "count", "n", "rate", "low", "high"]]


def require_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise InputError where the frame has no row, or not these columns."""
    if len(frame) == 0:
        raise InputError("the frame has no replicate")
    missing = [column for column in columns if column not in frame]
    if missing:
        raise InputError(f"by={missing[0]}: not a column; the frame has {', '.join(map(str, frame.columns))}")


def in_words(count: int, n: int, low: float, high: float) -> str:
    """A count as it stands in a table, with the rate and its interval in percent: `8  25% [13, 42]`."""
    return f"{count} {100 * count / n:3.0f}% [{100 * low:.0f}, {100 * high:.0f}]"


def table(rates: pd.DataFrame, by: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Rates as a table for the eye: one row a group, one column an outcome, cells `in_words`.

    An outcome that no group has gets no column; the note, which is returned beside the table, has its upper bound.
    """
    columns = [rates[name] for name in ("count", "n", "low", "high")]
    wide = rates.assign(text=[in_words(*row) for row in zip(*columns, strict=True)])
    seen = [name for name in OUTCOMES if (rates.loc[rates["outcome"] == name, "count"] > 0).any()]
    shown = wide.pivot_table(index=[*by, "n"], columns="outcome", values="text", aggfunc="first", sort=False)
    note = "count, percent and 95 % Wilson interval of n replicates."
    unseen = [name for name in OUTCOMES if name not in seen]
    if unseen:
        bounds = "; ".join(f"0 of {n}: at most {100 * interval(0, n)[1]:.0f} %" for n in sorted(set(rates["n"])))
        note += f" In no cell: {', '.join(unseen)} ({bounds})."
    return shown[seen].reset_index().rename_axis(columns=None), note
