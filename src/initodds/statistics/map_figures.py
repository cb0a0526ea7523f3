"""Rates to maps: the share of an outcome over two settings, or of a sweep's cells."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from initodds.statistics.colours import COLOURS
from initodds.statistics.frames import Columns, names, require_columns, require_outcome
from initodds.statistics.labels import labels_of
from initodds.statistics.panels import panels


def outcome_map(rates: pd.DataFrame, rows: str, outcome: str, ax: Axes, labelled: bool = True) -> Axes:
    """The rate of one outcome as a map: a row for each value of `rows`, a column for each value of `columns`.

    `rates` has the columns `rows`, columns, outcome, count, n, rate. Each field is annotated with percent and count;
    `labelled` says whether the rows are named. Raises InputError where the outcome is unknown.

    >>> from initodds.statistics.panels import panels
    >>> table = pd.DataFrame({"init": ["half"], "columns": "", "outcome": "stuck", "count": 1, "n": 4, "rate": 0.25})
    >>> [text.get_text() for text in outcome_map(table, "init", "stuck", panels(1, 3, 2)[1][0]).texts]
    ['25 %\\n1 of 4']
    """
    require_outcome(outcome)
    chosen = rates[rates["outcome"] == outcome]
    order = {"index": chosen[rows].unique(), "columns": chosen["columns"].unique()}
    rate = chosen.pivot(index=rows, columns="columns", values="rate").reindex(**order)
    counts = zip(chosen["rate"], chosen["count"], chosen["n"], strict=True)
    text = chosen.assign(text=[f"{100 * rate:.0f} %\n{count} of {n}" for rate, count, n in counts])
    sns.heatmap(
        rate,
        annot=text.pivot(index=rows, columns="columns", values="text").reindex(**order),
        fmt="",
        vmin=0,
        vmax=1,
        cmap=sns.light_palette(COLOURS[outcome], as_cmap=True),
        linewidths=1,
        cbar=False,
        # By itself seaborn would look whether they overlap, label by label, in seconds for a large map.
        xticklabels=False,
        yticklabels=False,
        ax=ax,
    )
    ax.set(xlabel="", ylabel=rows if labelled else "", title=f"share {outcome}")
    ax.set_xticks(np.arange(rate.shape[1]) + 0.5, [str(value) for value in rate.columns])
    if labelled:
        ax.set_yticks(np.arange(len(rate)) + 0.5, [str(value) for value in rate.index])
    ax.tick_params(length=0, rotation=0)
    return ax


def sweep_map(rates: pd.DataFrame, by: Columns) -> Figure:
    """Shares converged and stuck of a sweep's cells: the first key of `by` downwards, all others across.

    `rates` has the columns `by`, outcome, count, n, rate. Raises InputError where one of `by` is missing.

    >>> from initodds.statistics.panels import panels
    >>> table = pd.DataFrame({"init": ["half"] * 2, "outcome": ["converged", "stuck"], "count": 1, "n": 2, "rate": 0.5})
    >>> [ax.get_title() for ax in sweep_map(table, "init").axes]
    ['share converged', 'share stuck']
    """
    require_columns(rates, by=by)
    rows, *others = names(by)
    frame = rates.assign(columns=list(labels_of(rates, others, "\n")))
    width = 2 + 1.3 * frame["columns"].nunique()
    height = 1.2 + 0.5 * frame[rows].nunique()
    figure, (left, right) = panels(2, 2 * width, height)
    outcome_map(frame, rows, "converged", left)
    outcome_map(frame, rows, "stuck", right, labelled=False)
    return figure


def heat_map(rates: pd.DataFrame, x: str, y: str, outcome: str, ax: Axes) -> Axes:
    """The rate of one outcome over two swept numbers, x across and y upwards; each field has its percent and n.

    `rates` has the columns x, y, outcome, n, rate, one row a field and outcome. Raises InputError where x or y is
    missing or the outcome is unknown.

    >>> from initodds.statistics.panels import panels
    >>> table = pd.DataFrame({"x": [0.0, 1.0], "y": 1.0, "outcome": "stuck", "n": 4, "rate": [0.25, 1.0]})
    >>> [text.get_text() for text in heat_map(table, "x", "y", "stuck", panels(1, 4, 2)[1][0]).texts]
    ['25 %\\nn 4', '100 %\\nn 4']
    """
    require_columns(rates, x=x, y=y)
    require_outcome(outcome)
    chosen = rates[rates["outcome"] == outcome]
    rate, n = (chosen.pivot(index=y, columns=x, values=value).sort_index(ascending=False) for value in ("rate", "n"))
    text = [
        ["" if np.isnan(r) else f"{100 * r:.0f} %\nn {int(k)}" for r, k in zip(*rows, strict=True)]
        for rows in zip(rate.to_numpy(), n.to_numpy(), strict=True)
    ]
    colours = sns.light_palette(COLOURS[outcome], as_cmap=True)
    sns.heatmap(rate, annot=np.array(text), fmt="", vmin=0, vmax=1, cmap=colours, linewidths=0.5, cbar=False, ax=ax)
    ax.set(xlabel=x, ylabel=y, title=f"share {outcome}")
    ax.tick_params(length=0, rotation=0)
    return ax


def phase_diagram(
    rates: pd.DataFrame,
    boundaries: pd.DataFrame,
    ax: Axes,
    prediction: tuple[np.ndarray, np.ndarray] | None = None,
    outcome: str = "converged",
) -> Axes:
    """Where networks have an outcome in the plane of (centre, half_width) of a uniform init.

    rates: columns init.centre, init.half_width, outcome, n, rate: the share with the outcome is the shade of a square.
    boundaries: columns init.half_width, boundary, low, high, as `boundary` returns them: dots with intervals.
    prediction: (half_widths, centres), each (points,), of a line to compare with.

    Raises InputError where the outcome is unknown.

    >>> from initodds.statistics.panels import panels
    >>> table = pd.DataFrame({"init.centre": [0.0], "init.half_width": 1.0, "outcome": "stuck", "n": 4, "rate": 0.0})
    >>> edge = pd.DataFrame({"init.half_width": [1.0], "boundary": 0.05, "low": 0.0, "high": 0.1})
    >>> [ax.get_ylabel() for ax in phase_diagram(table, edge, panels(1, 5, 4)[1][0], outcome="stuck").figure.axes]
    ['half-width', 'share stuck, n = 4 each']
    """
    require_outcome(outcome)
    chosen = rates[rates["outcome"] == outcome]
    shades = sns.light_palette(COLOURS[outcome], as_cmap=True)
    style = {"marker": "s", "s": 70, "edgecolor": "0.6", "linewidth": 0.3, "vmin": 0, "vmax": 1, "cmap": shades}
    squares = ax.scatter(chosen["init.centre"], chosen["init.half_width"], c=chosen["rate"], **style)
    measured = boundaries.dropna(subset="boundary")
    off = [measured["boundary"] - measured["low"], measured["high"] - measured["boundary"]]
    at = (measured["boundary"], measured["init.half_width"])
    ax.errorbar(*at, xerr=off, fmt="o", color="black", capsize=3, label=f"half {outcome} (95 % interval)")
    if prediction is not None:
        half_widths, centres = prediction
        ax.plot(centres, half_widths, "--", color="0.3", label="predicted")
    ax.set_yscale("log")
    ticks = sorted(chosen["init.half_width"].unique())
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set(xlabel="centre", ylabel="half-width")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize="small", frameon=False)
    least, most = chosen["n"].min(), chosen["n"].max()
    each = f"{most} each" if least == most else f"{least} to {most}"
    ax.figure.colorbar(squares, ax=ax, label=f"share {outcome}, n = {each}")
    sns.despine(ax=ax)
    return ax
