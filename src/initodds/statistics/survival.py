"""How long until the target is reached, where some never reach it: Kaplan-Meier and log-rank."""

import warnings
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import CensoredData, ecdf, logrank

from initodds.statistics.comparison import holm
from initodds.statistics.frames import Columns, groups_of_networks, numbers, require_columns, require_own_columns
from initodds.statistics.rates import CONFIDENCE
from initodds.vocabulary import InputError

Array = np.ndarray
Times = tuple[Array, Array]
"""The steps (reached,) at which networks reached the target, and the last steps (censored,) of those that never did."""


def time_to_target(frame: pd.DataFrame, by: Columns) -> pd.DataFrame:
    """The share of networks that have reached the target, over the steps (Kaplan and Meier 1958).

    frame: one row a replicate, with the columns `by`, one or several, steps_to_target (NaN where never reached) and
    steps (at which the replicate was last seen; needed where the target was never reached). A step is that of the
    checkpoint where the accuracy was first seen at the target: the network may have been there since the checkpoint
    before.

    Returns, for each group, one row for step 0, for each step at which a network reached the target, and for the last
    step seen: `by`, step, share, low, high (95 % band, log-log; NaN where it is not defined, at shares of 0 and 1).
    Raises InputError where a column is missing, named twice or called as one of the result, a step is text, negative
    or infinite, or missing where it is needed, or the frame is empty.

    >>> frame = pd.DataFrame({"init": "half", "steps_to_target": [10, 20, 20, np.nan], "steps": 100})
    >>> time_to_target(frame, "init")[["step", "share"]].to_numpy().tolist()
    [[0.0, 0.0], [10.0, 0.25], [20.0, 0.75], [100.0, 0.75]]
    """
    tables = [
        pd.DataFrame({**values, **_curve(times)})
        for values, times in _times(frame, by, ("step", "share", "low", "high"))
    ]
    return pd.concat(tables, ignore_index=True)


def median_time(frame: pd.DataFrame, by: Columns) -> pd.DataFrame:
    """The step by which half of the networks have reached the target.

    `frame` and errors as for `time_to_target`. Returns one row a group: `by`, n, reached (how many ever did), median
    with its 95 % interval low, high (Brookmeyer and Crowley 1982: where the band crosses one half); infinite where it
    is not crossed.

    >>> frame = pd.DataFrame({"init": "half", "steps_to_target": [10, 20, 20, np.nan], "steps": 100})
    >>> median_time(frame, "init").to_numpy().tolist()
    [['half', 4, 3, 20.0, 10.0, inf]]
    """
    rows = []
    for values, times in _times(frame, by, ("n", "reached", "median", "low", "high")):
        curve = _curve(times)
        share = curve["share"]
        # Where all or none have reached it the band is not defined, and the share is on its side of one half all the
        # same.
        low, high = (np.where(np.isnan(curve[end]), share, curve[end]) for end in ("low", "high"))
        first = [_first_step(curve["step"], line) for line in (share, high, low)]
        counts = {"n": sum(map(len, times)), "reached": len(times[0])}
        rows.append({**values, **counts, **dict(zip(("median", "low", "high"), first, strict=True))})
    return pd.DataFrame(rows)


def log_rank(frame: pd.DataFrame, by: Columns) -> pd.DataFrame:
    """Whether two groups reach the target at different times: the log-rank test of each pair of groups.

    `frame` and errors as for `time_to_target`. Returns one row a pair: a, b (the groups' values, as text), p, p_holm
    (adjusted for the number of pairs). p is 1 where the test has nothing to go by: no network of either group ever
    reached the target, or all of both were first seen there at the same step.

    >>> frame = pd.DataFrame({"init": ["half"] * 5 + ["unit"] * 5, "steps_to_target": [80] * 10, "steps": 100})
    >>> frame.loc[frame["init"] == "unit", "steps_to_target"] = np.nan
    >>> log_rank(frame, "init").round(4).to_numpy().tolist()
    [['half', 'unit', 0.0027, 0.0027]]
    """
    timed = [(", ".join(map(str, values.values())), times) for values, times in _times(frame, by)]
    rows = []
    for (name_a, a), (name_b, b) in combinations(timed, 2):
        p = float(logrank(_censored_data(a), _censored_data(b)).pvalue) if _can_differ(a, b) else 1.0
        rows.append({"a": name_a, "b": name_b, "p": p})
    table = pd.DataFrame(rows, columns=["a", "b", "p"])
    return table.assign(p_holm=holm(table["p"].to_numpy(float)))


def _times(frame: pd.DataFrame, by: Columns, taken: Sequence[str] = ()) -> Iterator[tuple[dict[str, Any], Times]]:
    """Each group's values of `by` and its times, float64. `taken`: the result's own columns."""
    require_columns(frame, taken, by=by)
    require_own_columns(frame, "steps_to_target", "steps")
    for values, group in groups_of_networks(frame, by):
        never = group["steps_to_target"].isna()
        reached = _steps(group.loc[~never, "steps_to_target"], "steps_to_target")
        yield values, (reached, _steps(group.loc[never, "steps"], "steps"))


def _steps(column: pd.Series, name: str) -> Array:
    """A column of steps (rows,), float64. Raises InputError where one is no number, or less than 0."""
    steps = numbers(column, name)
    if (steps < 0).any():
        raise InputError(f"{name}={steps.min():g}: a step is not less than 0")
    return steps


def _curve(times: Times) -> dict[str, Array]:
    """step, share, low and high of one group, each (points,), as `time_to_target` has them."""
    reached = times[0]
    step = np.unique([0.0, *reached, np.concatenate(times).max()])
    if not len(reached):
        nowhere = np.full(len(step), np.nan)
        return {"step": step, "share": np.zeros(len(step)), "low": nowhere, "high": nowhere}
    still = ecdf(_censored_data(times)).sf
    with warnings.catch_warnings():
        # Where the band is not defined it is NaN, as `time_to_target` says.
        warnings.simplefilter("ignore", RuntimeWarning)
        band = still.confidence_interval(CONFIDENCE, method="log-log")
    share, high, low = (1 - part.evaluate(step) for part in (still, band.low, band.high))
    nobody = share == 0
    return {"step": step, "share": share, "low": np.where(nobody, np.nan, low), "high": np.where(nobody, np.nan, high)}


def _first_step(step: Array, line: Array) -> float:
    """The first step (points,) at which a line (points,) is at one half or over, infinite where none is."""
    return float(step[line >= 0.5].min(initial=np.inf))


def _can_differ(a: Times, b: Times) -> bool:
    """Whether the log-rank statistic of two groups has a variance: at some step at which the target was reached,
    networks of both were still on the way, and not all of them reached it there."""
    steps, at_once = np.unique([*a[0], *b[0]], return_counts=True)
    on_the_way = [(np.concatenate(group) >= steps[:, None]).sum(axis=1) for group in (a, b)]
    return bool(((np.minimum(*on_the_way) > 0) & (at_once < np.add(*on_the_way))).any())


def _censored_data(times: Times) -> CensoredData:
    """SciPy's form of times."""
    reached, censored = times
    return CensoredData(uncensored=reached, right=censored)
