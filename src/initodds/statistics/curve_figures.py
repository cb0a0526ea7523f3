"""Curves to figures: what each network's score and cost do over the steps."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from initodds.statistics.colours import COLOURS, LOWEST_SHOWN, highest_shown
from initodds.statistics.frames import Columns, groups, require_columns, require_own_columns
from initodds.statistics.labels import label_of
from initodds.statistics.panels import panels
from initodds.vocabulary import OUTCOMES, SCORES


def curves(frame: pd.DataFrame, metric: str, ax: Axes) -> Axes:
    """One line a replicate, coloured by outcome: `metric` over the steps.

    `frame` has the columns replicate, outcome, step, and `metric`; the steps are shown on a scale that is linear up to
    the first and logarithmic beyond. Raises InputError where a column is missing.

    >>> from initodds.statistics.panels import panels
    >>> frame = pd.DataFrame({"replicate": 0, "outcome": "stuck", "step": [0, 1, 400], "accuracy": [0.1, 0.1, 0.1]})
    >>> curves(frame, "accuracy", panels(1, 4, 3)[1][0]).get_ylabel()
    'accuracy'
    """
    require_columns(frame, metric=metric)
    require_own_columns(frame, "replicate", "outcome", "step")
    for outcome in OUTCOMES:
        of_outcome = frame[frame["outcome"] == outcome]
        # One artist for all, since a thousand take seconds to draw.
        replicate = pd.factorize(of_outcome["replicate"])[0]
        order = np.argsort(replicate, kind="stable")
        points = of_outcome[["step", metric]].to_numpy(float)[order]
        lines = np.split(points, np.flatnonzero(np.diff(replicate[order])) + 1) if len(points) else []
        drawn = LineCollection(lines, colors=COLOURS[outcome], linewidths=0.8, alpha=0.7, label=outcome)
        drawn.set_rasterized(True)  # in a file of lines they would be megabytes
        ax.add_collection(drawn)
    ax.autoscale_view()
    ax.set_xscale("symlog", linthresh=1)
    ax.set_xlim(left=0)
    ax.set(xlabel="steps", ylabel=metric)
    sns.despine(ax=ax)
    return ax


def outcome_curves(frame: pd.DataFrame, title: str, apart: Columns = ()) -> Figure:
    """Score and cost of all replicates over the steps, coloured by outcome; `frame` as for `curves`, with both.

    apart: settings between which a cost is not the same thing, as network.cost: its costs have a panel for each of
        their combinations. Raises InputError where a column is missing.

    >>> from initodds.statistics.panels import panels
    >>> frame = pd.DataFrame({"replicate": 0, "outcome": "stuck", "step": [0, 1], "accuracy": 0.1, "cost": [0.9, 0.5]})
    >>> [ax.get_ylabel() for ax in outcome_curves(frame, "init unit").axes]
    ['accuracy', 'cost']
    """
    require_columns(frame, apart=apart)
    of_costs = list(groups(frame, apart))
    scores = [name for name in SCORES if name in frame]
    count = len(scores) + len(of_costs)
    across = min(count, 3)
    figure, axes = panels(count, 4.5 * across, 3.6, across)
    for score, ax in zip(scores, axes, strict=False):
        curves(frame.dropna(subset=score), score, ax).set_ylim(LOWEST_SHOWN[score], 1)
    others = axes[len(scores) :]
    for (values, part), ax in zip(of_costs, others, strict=True):
        curves(part, "cost", ax).set_ylim(0, _highest_shown(part, ax))
        ax.set_title(label_of(values), fontsize="small")
    counts = frame.drop_duplicates("replicate")["outcome"].value_counts()
    lines = {f"{counts[o]} {o}": Line2D([], [], color=COLOURS[o], linewidth=3) for o in OUTCOMES if counts.get(o, 0)}
    others[-1].legend(lines.values(), lines.keys(), frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(title)
    return figure


def _highest_shown(frame: pd.DataFrame, ax: Axes) -> float | None:
    """Where the axis of the costs ends, so that a few that are out of all proportion do not flatten the others: the
    greatest cost that is not over ten times what half of the networks begin with, or end with. Says in `ax` how many
    leave it. None where no cost is finite."""
    finite = frame[np.isfinite(frame["cost"])]
    if finite.empty:
        ax.annotate("no cost is finite", (0.5, 0.5), xycoords="axes fraction", ha="center", color="0.4")
        return None
    ends = finite.sort_values("step").groupby("replicate")["cost"].agg(["first", "last"]).median()
    usual = finite.loc[finite["cost"] <= highest_shown(ends["first"], ends["last"]), "cost"].max()
    leaving = finite.loc[finite["cost"] > usual, "replicate"].nunique()
    if leaving:
        note = f"{leaving} beyond, up to {finite['cost'].max():.2g}"
        ax.annotate(note, (1, 1), xycoords="axes fraction", ha="right", va="bottom", fontsize="small", color="0.4")
    return float(1.05 * usual) or None
