"""Where is the edge? The value of a swept number at which half of the networks converge."""

import numpy as np
import pandas as pd
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2

from initodds.statistics.frames import (
    Columns,
    groups_of_networks,
    names,
    numbers,
    require_columns,
    require_outcome,
    require_outcomes,
)
from initodds.statistics.rates import CONFIDENCE, wilson

Array = np.ndarray
RESULT = ("boundary", "low", "high", "width", "n", "note")

# Twice the drop of the log-likelihood at which the profile interval ends.
_DROP = float(chi2.ppf(CONFIDENCE, 1) / 2)


def boundary(frame: pd.DataFrame, x: str = "init.centre", by: Columns = (), outcome: str = "converged") -> pd.DataFrame:
    """The value of `x` at which half of the networks have the outcome, in each group.

    frame: one row a replicate, with the columns outcome, x (a finite number in every row) and `by`, one or several. The
    share with the outcome is taken to fall, or to rise, along x. A sweep with two edges has to be cut in two.

    A logistic curve is fitted by maximum likelihood, and the 95 % interval is the profile likelihood's. Where the data
    separate perfectly, no curve is steep enough: the boundary then lies between two neighbouring values of x, and it is
    their middle that is given, with these two as the interval where they have enough replicates. Simulated
    (experiments/10-intervals), it covers the truth in 94 to 99 % of cases with 32 replicates or more at a value, and in
    as few as 90 % with 8.

    Returns one row a group: `by`, boundary, low, high, width (of x, over which the share goes from 10 % to 90 %; 0
    where the data separate), n, note. Where the sweep does not cross the boundary, crosses it more than once, or cannot
    tell it, it is NaN, the interval is infinite, and the note says why. Raises InputError where a column is missing,
    named twice or called as one of the result, x is not a finite number in every row, or an outcome is unknown.

    >>> frame = pd.DataFrame({"init.centre": [0.0] * 8 + [0.1] * 8, "outcome": ["converged"] * 8 + ["stuck"] * 8})
    >>> found = boundary(frame).iloc[0]
    >>> round(found["boundary"], 6), found["n"], found["note"]
    (np.float64(0.05), np.int64(16), 'separates perfectly between 0 and 0.1')
    """
    require_columns(frame, RESULT, by=by)
    require_columns(frame, x=x, by=by)
    require_outcome(outcome)
    require_outcomes(frame)
    values_of_x = pd.Series(numbers(frame[x], f"x={x}"), frame.index)
    rows = []
    for values, group in groups_of_networks(frame.assign(**{x: values_of_x}), by):
        hits = (group["outcome"] == outcome).groupby(group[x]).agg(["sum", "count"])
        fitted = fit(hits.index.to_numpy(float), hits["sum"].to_numpy(float), hits["count"].to_numpy(float))
        rows.append({**values, **fitted, "n": len(group)})
    return pd.DataFrame(rows)[[*names(by), *RESULT]]


def fit(x: Array, hits: Array, n: Array) -> dict[str, float | str]:
    """The boundary of one group: `hits` of `n` replicates at each of the values of `x`, which ascend.

    x, hits, n: (values,), float64. Returns boundary, low, high, width and note, as `boundary` has them.

    >>> found = fit(np.array([0.0, 0.1, 0.2]), np.array([20.0, 10.0, 0.0]), np.full(3, 20.0))
    >>> round(found["boundary"], 4), found["note"]
    (0.1, '')
    """
    rates = hits / n
    nowhere = {"boundary": np.nan, "low": -np.inf, "high": np.inf, "width": np.nan}
    if len(x) < 2:
        return {**nowhere, "note": "one value only: nothing to cross"}
    if (rates > 0.5).all() or (rates < 0.5).all():
        side = "more" if rates[0] > 0.5 else "less"
        return {**nowhere, "note": f"not crossed: {side} than half at every value from {x[0]:g} to {x[-1]:g}"}
    passes = _clear_passes(hits, n)
    if passes > 1:
        return {**nowhere, "note": f"half is passed {passes} times: cut the sweep so that each part has one edge"}
    middles = np.union1d(x, (x[1:] + x[:-1]) / 2)
    likelihoods = {rising: _profiles(middles, x, n - hits if rising else hits, n) for rising in (False, True)}
    rising = likelihoods[True].max() > likelihoods[False].max()
    if rising:
        hits = n - hits
    edge = _separation(x, hits, n)
    if edge is None:
        # Along the boundary the profile likelihood has one maximum, but may be level away from it.
        around = int(likelihoods[rising].argmax())
        bounds = (middles[max(around - 1, 0)], middles[min(around + 1, len(middles) - 1)])
        middle = minimize_scalar(lambda m: -_profile(m, x, hits, n), bounds=bounds, method="bounded").x
        width = 2 * np.log(9) / _steepness(middle, x, hits, n)
        note = ""
    else:
        middle, width = float(np.mean(edge)), 0.0
        note = f"separates perfectly between {edge[0]:g} and {edge[1]:g}"
    best = _profile(middle, x, hits, n)
    if best - _log_likelihood(0.0, middle, x, hits, n) < _DROP:
        return {**nowhere, "note": "no edge to be told: the share does not clearly change along x"}
    inside = edge or (middle, middle)
    span = x[-1] - x[0]
    low = _crossing(inside[0], -span, best, x, hits, n)
    high = _crossing(inside[1], span, best, x, hits, n)
    return {"boundary": float(middle), "low": low, "high": high, "width": float(width), "note": note}


def _clear_passes(hits: Array, n: Array) -> int:
    """How often the share passes half along x, of the values whose 95 % interval does not hold half."""
    low, high = wilson(hits, n)
    above = (low > 0.5)[(low > 0.5) | (high < 0.5)]
    return int((above[1:] != above[:-1]).sum())


def _separation(x: Array, hits: Array, n: Array) -> tuple[float, float] | None:
    """The neighbouring values of x up to which all hit and from which none does; None where there are none such."""
    all_hit, none_hit = hits == n, hits == 0
    first_none = int(np.argmax(none_hit)) if none_hit.any() else len(x)
    if 0 < first_none < len(x) and all_hit[:first_none].all() and none_hit[first_none:].all():
        return float(x[first_none - 1]), float(x[first_none])
    return None


def _log_likelihood(steepness: float, middle: float, x: Array, hits: Array, n: Array) -> float:
    """Of hits that fall along x as 1 / (1 + exp(steepness * (x - middle)))."""
    z = steepness * (middle - x)
    return float(-(hits * np.logaddexp(0, -z) + (n - hits) * np.logaddexp(0, z)).sum())


def _steepness(middle: float, x: Array, hits: Array, n: Array) -> float:
    """The steepness that fits best to a boundary at `middle`, not negative; searched over its logarithm."""
    scale = np.diff(x).min()
    found = minimize_scalar(
        lambda s: -_log_likelihood(np.exp(s) / scale, middle, x, hits, n), bounds=(-12, 7), method="bounded"
    )
    return float(np.exp(found.x) / scale)


def _profile(middle: float, x: Array, hits: Array, n: Array) -> float:
    """The greatest log-likelihood of a boundary at `middle`, whatever the steepness."""
    flat = _log_likelihood(0.0, middle, x, hits, n)
    return max(flat, _log_likelihood(_steepness(middle, x, hits, n), middle, x, hits, n))


def _profiles(middles: Array, x: Array, hits: Array, n: Array) -> Array:
    """`_profile` at each of the `middles`."""
    return np.array([_profile(middle, x, hits, n) for middle in middles])


def _crossing(start: float, span: float, best: float, x: Array, hits: Array, n: Array) -> float:
    """Where, from `start` in the direction of `span`, the profile log-likelihood has dropped by `_DROP` from `best`."""

    def above(middle: float) -> float:
        return _profile(middle, x, hits, n) - best + _DROP

    if above(start) <= 0:
        return start
    end = start + 3 * span
    return float(brentq(above, start, end, xtol=1e-6 * abs(span))) if above(end) < 0 else float(np.sign(span) * np.inf)
