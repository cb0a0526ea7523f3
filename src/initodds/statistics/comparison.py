"""Is one setting better than another? Differences of rates, with intervals and exact tests."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import binomtest, fisher_exact, norm

from initodds.statistics.rates import CONFIDENCE, interval, require_columns

Z = norm.ppf((1 + CONFIDENCE) / 2)
PAIRED_BY = ("seed", "replicate")
"""Replicates of two cells that agree in these had the same draw, moved and scaled, and the same data order."""


def compare(
    frame: pd.DataFrame, by: str, outcome: str = "converged", within: Sequence[str] = (), paired: bool | None = None
) -> pd.DataFrame:
    """The rate of an outcome in every pair of the values of one setting.

    frame: one row a replicate, with the columns outcome, `by`, `within`, and seed and replicate where paired.
    by: the setting that is compared, as init.  within: settings inside each of whose combinations it is compared, as
        sgd.batch_size; replicates are pooled over all others.
    paired: whether to match the replicates by seed and number; None does so where both values have exactly the same.

    Returns one row a pair: `within`, a, b, n, rate_a, rate_b, difference (rate_a - rate_b) with its 95 % interval low,
    high, p of the exact test, p_holm adjusted for all rows (Holm 1979), and method. Unpaired: Newcombe (1998, method
    10) and Fisher's exact test. Paired: Bonett and Price (2012) and McNemar's exact test. No row where `by` has one
    value. Raises InputError where a column is missing or the frame is empty.
    """
    require_columns(frame, [by, "outcome", *within])
    rows = []
    for key, group in frame.groupby(list(within) or np.zeros(len(frame)), sort=False, observed=True, dropna=False):
        values = dict(zip(within, key, strict=True)) if within else {}
        for a, b in combinations(group[by].unique(), 2):
            of_a, of_b = (group[group[by] == value] for value in (a, b))
            rows.append({**values, "a": a, "b": b, **difference(of_a, of_b, outcome, paired)})
    columns = ["n", "rate_a", "rate_b", "difference", "low", "high", "p", "method"]
    table = pd.DataFrame(rows, columns=[*within, "a", "b", *columns])
    table.insert(table.columns.get_loc("p") + 1, "p_holm", holm(table["p"].to_numpy(float)))
    return table


def difference(a: pd.DataFrame, b: pd.DataFrame, outcome: str, paired: bool | None) -> dict[str, float | str]:
    """The difference of the rates of an outcome in two groups of replicates, as `compare` has it."""
    match = can_be_paired(a, b) if paired is None else paired
    if match:
        together = a.merge(b, on=list(PAIRED_BY), suffixes=("_a", "_b"))
        hit_a, hit_b = ((together[f"outcome{suffix}"] == outcome).to_numpy() for suffix in ("_a", "_b"))
        only_a, only_b, n = int((hit_a & ~hit_b).sum()), int((~hit_a & hit_b).sum()), len(together)
        low, high = paired_interval(only_a, only_b, n)
        p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
        method = "paired: Bonett-Price, McNemar exact"
    else:
        hit_a, hit_b = ((group["outcome"] == outcome).to_numpy() for group in (a, b))
        low, high = newcombe_interval(hit_a.sum(), len(hit_a), hit_b.sum(), len(hit_b))
        p = fisher_exact([[hit_a.sum(), (~hit_a).sum()], [hit_b.sum(), (~hit_b).sum()]]).pvalue
        method, n = "unpaired: Newcombe, Fisher exact", min(len(hit_a), len(hit_b))
    rate_a, rate_b = float(hit_a.mean()), float(hit_b.mean())
    estimate = {"rate_a": rate_a, "rate_b": rate_b, "difference": rate_a - rate_b, "low": low, "high": high}
    return {"n": n, **estimate, "p": float(p), "method": method}


def can_be_paired(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Whether both groups have exactly the same seeds and replicates, each once."""
    if not all(column in a for column in PAIRED_BY):
        return False
    keys = [group.set_index(list(PAIRED_BY)).index for group in (a, b)]
    return all(key.is_unique for key in keys) and len(keys[0]) == len(keys[1]) and keys[0].isin(keys[1]).all()


def newcombe_interval(count_a: int, n_a: int, count_b: int, n_b: int) -> tuple[float, float]:
    """95 % interval of rate_a - rate_b of independent groups (Newcombe 1998, Statistics in Medicine 17, method 10)."""
    a, b = count_a / n_a, count_b / n_b
    (low_a, high_a), (low_b, high_b) = interval(count_a, n_a), interval(count_b, n_b)
    below = np.hypot(a - low_a, high_b - b)
    above = np.hypot(high_a - a, b - low_b)
    return float(a - b - below), float(a - b + above)


def paired_interval(only_a: int, only_b: int, n: int) -> tuple[float, float]:
    """95 % interval of rate_a - rate_b of `n` pairs, of which `only_a` have the outcome in a alone and `only_b` in b
    alone (Bonett and Price 2012, Journal of Educational and Behavioral Statistics 37)."""
    a, b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = Z * np.sqrt((a + b - (a - b) ** 2) / (n + 2))
    return float(max(-1, a - b - half)), float(min(1, a - b + half))


def holm(p: np.ndarray) -> np.ndarray:
    """p values (tests,) adjusted for their number, in their order (Holm 1979, Scandinavian Journal of Statistics 6)."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted
