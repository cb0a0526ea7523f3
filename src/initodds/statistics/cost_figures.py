"""Final costs to a histogram."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from initodds.statistics.colours import COLOURS
from initodds.statistics.frames import require_own_columns
from initodds.vocabulary import OUTCOMES


def final_costs(
    frame: pd.DataFrame, ax: Axes, best_constants: Sequence[float] = (), plateaus: Mapping[int, float] | None = None
) -> Axes:
    """Histogram of the costs that networks end with, by outcome, with what networks cost that ignore their input.

    frame: one row a replicate, columns cost (one and the same cost, on the same data) and outcome.
    best_constants: the least costs of answers that are the same for every example; a dotted line each.
    plateaus: the cost of a network with j of its outputs pinned high and the others low, by j; a grey line each. Which
        costs and outputs have such is for the caller to know; without any, none are drawn.

    Every network with a finite cost is in it: those that cost far more than the lines are in the last bar, and the axis
    says so. How many costs are not finite is said below. Raises InputError where a column is missing.

    >>> from initodds.statistics.panels import panels
    >>> frame = pd.DataFrame({"cost": [0.1, 0.45, 2700.0, np.nan], "outcome": ["converged"] + ["stuck"] * 3})
    >>> final_costs(frame, panels(1, 6, 4)[1][0], best_constants=[0.45]).get_xlabel()
    'final test cost; last bar: 1 over 0.47, up to 2.7e+03; 1 not finite'
    """
    require_own_columns(frame, "cost", "outcome")
    levels = plateaus or {}
    for j, level in levels.items():
        label = None if ax.get_lines() else "j outputs pinned high"
        ax.axvline(level, color="0.7", linewidth=0.8, zorder=0, label=label)
        ax.annotate(f"{j}", (level, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize="small")
    for place, cost in enumerate(best_constants):
        ax.axvline(cost, color="black", linestyle=":", label=None if place else "best constant answer")
    finite = frame[np.isfinite(frame["cost"])]
    usual = _usual_cost(finite["cost"], [*levels.values(), *best_constants])
    width = max(0.05, usual / 200)
    # From -width / 2, so that the plateaus of ten classes, 0.5 + 0.4 j, lie in the middle of their bins.
    bins = np.arange(-width / 2, usual + 1.5 * width, width)
    beyond = finite["cost"] > bins[-1]
    if beyond.any():
        bins = np.append(bins, bins[-1] + 2 * width)
    known = [outcome for outcome in OUTCOMES if (finite["outcome"] == outcome).any()]
    costs = [finite.loc[finite["outcome"] == outcome, "cost"].clip(upper=bins[-1]) for outcome in known]
    if known:
        ax.hist(costs, bins=bins.tolist(), stacked=True, color=[COLOURS[outcome] for outcome in known], label=known)
    notes = ["final test cost"]
    if beyond.any():
        notes.append(f"last bar: {beyond.sum()} over {bins[-2]:.2g}, up to {finite['cost'].max():.2g}")
    if len(finite) < len(frame):
        notes.append(f"{len(frame) - len(finite)} not finite")
    ax.set(xlabel="; ".join(notes), ylabel="networks")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize="small")
    sns.despine(ax=ax)
    return ax


def _usual_cost(costs: pd.Series, lines: Sequence[float]) -> float:
    """The cost up to which an axis shows each: the greatest of the `lines` and of those costs that are not over ten
    times as much, or, without lines, not over ten times the median."""
    scale = max(lines) if lines else costs.median()
    return max([*lines, *costs[costs <= 10 * scale]], default=0.0)
