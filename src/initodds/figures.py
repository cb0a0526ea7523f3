"""Tidy frames to Matplotlib Axes, one function a figure. The same colour for the same outcome everywhere."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from initodds.outcomes import OUTCOMES

# Okabe and Ito's colours, told apart with any kind of colour vision, and by their lightness in print.
COLOURS = dict(zip(OUTCOMES, ("#009E73", "#56B4E9", "#E69F00", "#D55E00", "#000000"), strict=True))


def panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of this size in inches with so many empty Axes side by side; freed with the last reference to it."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def curves(frame: pd.DataFrame, metric: str, ax: Axes) -> Axes:
    """One line a replicate, coloured by outcome: `metric` over the steps.

    `frame` has the columns replicate, outcome, step, and `metric`; the steps are shown on a scale that is linear up to
    the first and logarithmic beyond.
    """
    for outcome in OUTCOMES:
        of_outcome = frame[frame["outcome"] == outcome]
        for _, line in of_outcome.groupby("replicate"):
            ax.plot(line["step"], line[metric], color=COLOURS[outcome], linewidth=0.8, alpha=0.7)
    ax.set_xscale("symlog", linthresh=1)
    ax.set_xlim(left=0)
    ax.set(xlabel="SGD steps", ylabel=metric)
    sns.despine(ax=ax)
    return ax


def outcome_curves(frame: pd.DataFrame, title: str) -> Figure:
    """Accuracy and cost of all replicates over the steps, coloured by outcome; `frame` as for `curves`, with both."""
    figure, (left, right) = panels(2, 9, 3.6)
    curves(frame, "accuracy", left).set_ylim(0, 1)
    curves(frame, "cost", right).set_ylim(bottom=0)
    counts = frame.drop_duplicates("replicate")["outcome"].value_counts()
    lines = {f"{counts[o]} {o}": Line2D([], [], color=COLOURS[o], linewidth=3) for o in OUTCOMES if o in counts}
    right.legend(lines.values(), lines.keys(), frameon=False)
    figure.suptitle(title)
    return figure


def heat_map(rates: pd.DataFrame, rows: str, outcome: str, ax: Axes, labelled: bool = True) -> Axes:
    """The rate of one outcome as a map: a row for each value of `rows`, a column for each value of `columns`.

    `rates` has the columns `rows`, columns, outcome, count, n, rate. Each field is annotated with percent and count;
    `labelled` says whether the rows are named.
    """
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
        ax=ax,
    )
    ax.set(xlabel="", ylabel=rows if labelled else "", title=f"share {outcome}")
    if not labelled:
        ax.set_yticks([])
    ax.tick_params(length=0, rotation=0)
    return ax


def sweep_map(rates: pd.DataFrame, by: list[str]) -> Figure:
    """Shares converged and stuck of a sweep's cells: the first key of `by` downwards, all others across.

    `rates` has the columns `by`, outcome, count, n, rate.
    """
    rows, *others = by
    names = [
        "\n".join(f"{key.removeprefix('sgd.')} {value}" for key, value in zip(others, values, strict=True))
        for values in rates[others].to_numpy()
    ]
    frame = rates.assign(columns=names)
    width = 2 + 1.3 * frame["columns"].nunique()
    height = 1.2 + 0.5 * frame[rows].nunique()
    figure, (left, right) = panels(2, 2 * width, height)
    heat_map(frame, rows, "converged", left)
    heat_map(frame, rows, "stuck", right, labelled=False)
    return figure
