"""Is one setting better than another? Differences of rates, with intervals and tests."""

from collections import Counter
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest, fisher_exact, norm

from initodds.statistics.frames import (
    NETWORK,
    Columns,
    groups,
    groups_of_networks,
    names,
    require_columns,
    require_outcome,
    require_outcomes,
)
from initodds.statistics.rates import CONFIDENCE, wilson
from initodds.vocabulary import InputError

Array = np.ndarray
Z = float(norm.ppf((1 + CONFIDENCE) / 2))
PAIRED_BY = ("seed", "replicate")
"""Replicates of two cells that agree in these had the same draw, moved and scaled, and the same data order."""
RESULT = ("a", "b", "n", "rate_a", "rate_b", "difference", "low", "high", "p", "p_holm", "method")


def compare(
    frame: pd.DataFrame,
    by: str,
    outcome: str = "converged",
    within: Columns = (),
    paired: bool | None = None,
) -> pd.DataFrame:
    """The rate of an outcome in every pair of the values of one setting.

    frame: one row a replicate, with the columns outcome, `by`, `within`, and seed and replicate where paired.
    by: the setting that is compared, as init; NaN, where replicates have no such setting, is one of its values.
    within: settings inside each of whose combinations it is compared, as sgd.batch_size; replicates are pooled over all
        others.
    paired: whether to match the replicates by seed and number, those of either value that have no match left out; None
        does so where both values have exactly the same, each once.

    Returns one row a pair: `within`, a, b, n (of pairs, or of the smaller group), rate_a, rate_b, difference (rate_a -
    rate_b) with its 95 % interval low, high, p of the test, p_holm adjusted for all rows (Holm 1979), and method.
    Unpaired: Newcombe (1998, method 10) and Fisher's exact test. Paired: Bonett and Price (2012) and McNemar's exact
    test. Replicates, or pairs, are taken to be independent, see `rates.given_orders`. No row where `by` has one value,
    and none for two values that share networks, as init=half and init=uniform may, or replicates=3 and 5: there is
    nothing to compare.

    Raises InputError where a column is missing, named twice or called as one of the result, an outcome is unknown, the
    frame is empty, or, where paired, a seed and number is there twice for one value or none is there for both.

    >>> frame = pd.DataFrame({"init": ["half"] * 20 + ["unit"] * 20, "outcome": ["converged"] * 20 + ["stuck"] * 20})
    >>> row = compare(frame, "init").iloc[0]
    >>> row["a"], row["b"], float(row["difference"]), row["method"]
    ('half', 'unit', 1.0, 'unpaired: Newcombe, Fisher exact')
    """
    if not isinstance(by, str):
        raise InputError(f"by={by}: one column's name; settings to compare it in go to within")
    require_columns(frame, RESULT, by=by, within=within)
    require_outcome(outcome)
    require_outcomes(frame)
    if paired:
        require_columns(frame, paired=PAIRED_BY)
    rows = []
    for values, group in groups(frame, within):
        for a, b in combinations(
            [_Side.of(by, of[by], rows, outcome) for of, rows in groups_of_networks(group, by)], 2
        ):
            if not a.networks.isdisjoint(b.networks):
                continue
            pair = {"a": a.value, "b": b.value}
            if a.can_be_paired_with(b) if paired is None else paired:
                rows.append({**values, **pair, **_paired_difference(*_matched(a, b))})
            else:
                rows.append({**values, **pair, **_difference(a.hits, b.hits)})
    table = pd.DataFrame(rows, columns=[*names(within), *RESULT])
    return table.assign(p_holm=holm(table["p"].to_numpy(float)))


class _Side(NamedTuple):
    """One side of a comparison.

    by, value: the setting and its value.  hits: (n,) bool, of which replicates the outcome is.  networks: which ones
    they are, and keys: (n,) by what each can be paired; either empty where the frame does not have its columns.
    """

    by: str
    value: Any
    hits: Array
    networks: frozenset[tuple[Any, ...]]
    keys: list[tuple[Any, ...]]

    @classmethod
    def of(cls, by: str, value: Any, rows: pd.DataFrame, outcome: str) -> "_Side":
        networks, keys = (
            list(zip(*(rows[column].tolist() for column in columns), strict=True)) if {*columns} <= {*rows} else []
            for columns in (NETWORK, PAIRED_BY)
        )
        return cls(by, value, (rows["outcome"] == outcome).to_numpy(bool), frozenset(networks), keys)

    def can_be_paired_with(self, other: "_Side") -> bool:
        """Whether both have exactly the same seeds and replicates, each once."""
        mine, others = set(self.keys), set(other.keys)
        return len(mine) == len(self.hits) and len(others) == len(other.hits) and mine == others


def _difference(a: Array, b: Array) -> dict[str, float | str]:
    """The difference of the rates of an outcome in two groups of replicates, each (n,) bool, as `compare` has it
    unpaired."""
    n, hits = np.array([len(a), len(b)]), np.array([a.sum(), b.sum()])
    rate_a, rate_b = (hits / n).tolist()
    low, high = newcombe_interval(hits[0], n[0], hits[1], n[1])
    p = fisher_exact(np.array([hits, n - hits])).pvalue
    return _row(int(n.min()), rate_a, rate_b, low, high, float(p), "unpaired: Newcombe, Fisher exact")


def _paired_difference(a: Array, b: Array) -> dict[str, float | str]:
    """The difference of the rates of an outcome in pairs of replicates, (n,) bool of either side, as `compare` has it
    paired."""
    only_a, only_b, n = int((a & ~b).sum()), int((~a & b).sum()), len(a)
    low, high = paired_interval(only_a, only_b, n)
    p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    method = "paired: Bonett-Price, McNemar exact"
    return _row(n, float(a.mean()), float(b.mean()), low, high, float(p), method)


def _matched(a: _Side, b: _Side) -> tuple[Array, Array]:
    """The hits of the pairs of two groups, (pairs,) bool of either.

    Raises InputError where a seed and replicate is there twice in one group, or none is in both.
    """
    for side in (a, b):
        if twice := [key for key, count in Counter(side.keys).items() if count > 1]:
            seed, replicate = twice[0]
            raise InputError(
                f"paired=True: replicate {replicate} of seed {seed} is there more than once with"
                f" {side.by}={side.value}; name in within what else these replicates differ in"
            )
    hits_b = dict(zip(b.keys, b.hits.tolist(), strict=True))
    pairs = [(hit, hits_b[key]) for key, hit in zip(a.keys, a.hits.tolist(), strict=True) if key in hits_b]
    if not pairs:
        values = " and ".join(f"{side.by}={side.value}" for side in (a, b))
        raise InputError(f"paired=True: {values} have no seed and replicate in common")
    hit_a, hit_b = np.array(pairs).T
    return hit_a, hit_b


def _row(
    n: int, rate_a: float, rate_b: float, low: float, high: float, p: float, method: str
) -> dict[str, float | str]:
    """One row of `compare`, without what it is told apart by."""
    rates = {"n": n, "rate_a": rate_a, "rate_b": rate_b, "difference": rate_a - rate_b}
    return {**rates, "low": low, "high": high, "p": p, "method": method}


def newcombe_interval(count_a: float, n_a: float, count_b: float, n_b: float) -> tuple[float, float]:
    """95 % interval of rate_a - rate_b of independent groups (Newcombe 1998, Statistics in Medicine 17, method 10).

    count_a of n_a and count_b of n_b have the outcome.

    >>> low, high = newcombe_interval(56, 70, 48, 80)
    >>> f"{low:.4f} to {high:.4f}"
    '0.0524 to 0.3339'
    """
    a, b = count_a / n_a, count_b / n_b
    (low_a, high_a), (low_b, high_b) = wilson(count_a, n_a), wilson(count_b, n_b)
    below = np.hypot(a - low_a, high_b - b)
    above = np.hypot(high_a - a, b - low_b)
    return float(a - b - below), float(a - b + above)


def paired_interval(only_a: float, only_b: float, n: float) -> tuple[float, float]:
    """95 % interval of rate_a - rate_b of `n` pairs, of which `only_a` have the outcome in a alone and `only_b` in b
    alone (Bonett and Price 2012, Journal of Educational and Behavioral Statistics 37).

    >>> low, high = paired_interval(8, 1, 20)
    >>> f"{low:.3f} to {high:.3f}"
    '0.054 to 0.582'
    """
    a, b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = Z * np.sqrt((a + b - (a - b) ** 2) / (n + 2))
    return float(max(-1, a - b - half)), float(min(1, a - b + half))


def holm(p: Array) -> Array:
    """p values (tests,), float64, adjusted for their number, in their order (Holm 1979, Scandinavian Journal of
    Statistics 6).

    >>> holm(np.array([0.04, 0.01, 0.5])).tolist()
    [0.08, 0.03, 0.5]
    """
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted
