"""How long until the target is reached, where some never reach it: Kaplan-Meier and log-rank."""

import warnings
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import CensoredData, ecdf, logrank

from initodds.statistics.comparison import holm
from initodds.statistics.rates import CONFIDENCE, require_columns

Array = np.ndarray


def time_to_target(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The share of networks that have reached the target, over the steps (Kaplan and Meier 1958).

    frame: one row a replicate, with the columns `by`, steps_to_target (NaN where never reached) and steps (at which the
    replicate was last seen). A step is that of the checkpoint where the accuracy was first seen at the target: the
    network may have been there since the checkpoint before.

    Returns, for each group, one row for step 0, for each step at which a network reached the target, and for the last
    step seen: `by`, step, share, low, high (95 % band, log-log; NaN where it is not defined, at shares of 0 and 1).
    Raises InputError where a column is missing or the frame is empty.
    """
    tables = []
    for values, reached, censored in groups_of(frame, by):
        steps = np.unique(reached)
        share = low = high = np.empty(0)
        if len(reached):
            survival = ecdf(censored_data(reached, censored)).sf
            with warnings.catch_warnings():
                # Where the band is not defined it is NaN, as said above.
                warnings.simplefilter("ignore", RuntimeWarning)
                band = survival.confidence_interval(CONFIDENCE, method="log-log")
            share, high, low = (1 - part.evaluate(steps) for part in (survival, band.low, band.high))
        last = max(np.concatenate([reached, censored]))
        columns = {"share": share, "low": low, "high": high}
        extended = {name: [0.0, *column, column[-1] if len(column) else 0.0] for name, column in columns.items()}
        tables.append(pd.DataFrame({**values, "step": [0.0, *steps, last], **extended}).drop_duplicates("step"))
    return pd.concat(tables, ignore_index=True)


def median_time(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The step by which half of the networks have reached the target.

    `frame` as for `time_to_target`. Returns one row a group: `by`, n, reached (how many ever did), median with its 95 %
    interval low, high (Brookmeyer and Crowley 1982: where the band crosses one half); infinite where it is not crossed.
    """
    rows = []
    for values, reached, censored in groups_of(frame, by):
        curve = time_to_target(
            pd.DataFrame(
                {
                    "steps_to_target": np.concatenate([reached, np.full(len(censored), np.nan)]),
                    "steps": np.concatenate([reached, censored]),
                }
            ),
            by=[],
        )
        # Where everyone has reached it the band is not defined, and the share, 1, is past one half all the same.
        curve = curve.fillna({"low": curve["share"], "high": curve["share"]})
        crossed = [curve.loc[curve[name] >= 0.5, "step"].min() for name in ("share", "high", "low")]
        median, low, high = (np.inf if np.isnan(step) else float(step) for step in crossed)
        counts = {"n": len(reached) + len(censored), "reached": len(reached)}
        rows.append({**values, **counts, "median": median, "low": low, "high": high})
    return pd.DataFrame(rows)


def log_rank(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Whether two groups reach the target at different times: the log-rank test of each pair of groups.

    `frame` as for `time_to_target`. Returns one row a pair: a, b (the groups' values, as text), p, p_holm (adjusted for
    the number of pairs). p is 1 where no network of either group ever reached the target.
    """
    groups = [
        (", ".join(map(str, values.values())), censored_data(reached, censored), len(reached))
        for values, reached, censored in groups_of(frame, by)
    ]
    rows = []
    for (name_a, a, reached_a), (name_b, b, reached_b) in combinations(groups, 2):
        p = float(logrank(a, b).pvalue) if reached_a + reached_b else 1.0
        rows.append({"a": name_a, "b": name_b, "p": p})
    table = pd.DataFrame(rows, columns=["a", "b", "p"])
    return table.assign(p_holm=holm(table["p"].to_numpy(float)))


def groups_of(frame: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[dict[str, Any], Array, Array]]:
    """Each group's values of `by`, the steps (reached,) at which the target was reached, and the last steps (censored,)
    of those that never did."""
    require_columns(frame, [*by, "steps_to_target", "steps"])
    for key, group in frame.groupby(list(by) or np.zeros(len(frame)), sort=False, observed=True, dropna=False):
        values = dict(zip(by, key, strict=True)) if by else {}
        never = group["steps_to_target"].isna()
        yield values, group.loc[~never, "steps_to_target"].to_numpy(float), group.loc[never, "steps"].to_numpy(float)


def censored_data(reached: Array, censored: Array) -> CensoredData:
    """SciPy's form of steps at which something happened, and of last steps without it."""
    return CensoredData(uncensored=reached, right=censored)
