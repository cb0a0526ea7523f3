"""Rates to dots, each with its interval."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from initodds.statistics.colours import COLOURS
from initodds.statistics.frames import Columns, names, require_columns, require_outcome, require_own_columns
from initodds.statistics.labels import labels_of


def rate_dots(rates: pd.DataFrame, by: Columns, outcome: str, ax: Axes) -> Axes:
    """The rate of one outcome in each group as a dot with its 95 % interval, the groups below each other.

    `rates` has the columns `by`, outcome, n, rate, low, high. Raises InputError where one of `by` is missing or the
    outcome is unknown.

    >>> from initodds.statistics.panels import panels
    >>> table = pd.DataFrame({"init": ["half"], "outcome": "stuck", "n": 4, "rate": 0.25, "low": 0.05, "high": 0.7})
    >>> rate_dots(table, "init", "stuck", panels(1, 5, 2)[1][0]).get_xlabel()
    'share stuck, with 95 % interval, n = 4 each'
    """
    require_columns(rates, by=by)
    require_outcome(outcome)
    chosen = rates[rates["outcome"] == outcome].iloc[::-1]
    labels = list(labels_of(chosen, names(by), ", "))
    sizes = chosen["n"].unique()
    if len(sizes) > 1:
        labels = [f"{label} (n = {n})" for label, n in zip(labels, chosen["n"], strict=True)]
    at = range(len(chosen))
    ax.hlines(at, chosen["low"], chosen["high"], color=COLOURS[outcome], linewidth=2.5)
    ax.plot(chosen["rate"], at, "o", color=COLOURS[outcome], markeredgecolor="black")
    ax.set_yticks(at, labels)
    each = f", n = {sizes[0]} each" if len(sizes) == 1 else ""
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.7, len(chosen) - 0.3), xlabel=f"share {outcome}, with 95 % interval{each}")
    ax.grid(axis="x", alpha=0.3)
    sns.despine(ax=ax, left=True)
    ax.tick_params(axis="y", length=0)
    return ax


def outcome_dots(rates: pd.DataFrame, ax: Axes) -> Axes:
    """The rates of all outcomes of one cell, each as a dot with its 95 % interval and in its colour.

    `rates` has the columns outcome, n, rate, low, high, one row an outcome.

    >>> from initodds.statistics.panels import panels
    >>> table = pd.DataFrame({"outcome": ["stuck"], "n": 4, "rate": 0.25, "low": 0.05, "high": 0.7})
    >>> outcome_dots(table, panels(1, 5, 2)[1][0]).get_xlabel()
    'share of 4 networks, with 95 % interval'
    """
    require_own_columns(rates, "outcome", "n", "rate", "low", "high")
    chosen = rates.iloc[::-1]
    at, colours = range(len(chosen)), [COLOURS[outcome] for outcome in chosen["outcome"]]
    ax.hlines(at, chosen["low"], chosen["high"], color=colours, linewidth=2.5)
    ax.scatter(chosen["rate"], at, color=colours, edgecolor="black", zorder=3)
    ax.set_yticks(at, list(chosen["outcome"]))
    size = int(chosen["n"].iloc[0])
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.7, len(chosen) - 0.3), xlabel=f"share of {size} networks, with 95 % interval")
    ax.grid(axis="x", alpha=0.3)
    sns.despine(ax=ax, left=True)
    ax.tick_params(axis="y", length=0)
    return ax
