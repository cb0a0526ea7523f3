"""The pictures of a report: which there are of a sweep, and why one is not there."""

import io
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from initodds.networks.outputs import OUTPUTS
from initodds.statistics import figures, frames, survival
from initodds.statistics.labels import label_of

COSTS = (
    "data",
    "data.scale_targets",
    "data.autoencode",
    "network.output",
    "network.cost",
    "network.outputs",
    "network.targets",
)
"""The settings between which a cost is not the same thing."""

MOST_CELLS = 60
"""As many cells as can be told apart in a picture of all."""
MOST_COLUMNS = 6
"""... and as many columns, in a map of them."""
MOST_PANELS = 12
MOST_VALUES = 24
"""Of a setting, whose lines can be told apart in a panel."""
MOST_LINES = 2000
"""Of more networks than this, every second or third is drawn, and so on."""
PANEL = (4.2, 3.6)
"""Width and height of one of several panels, in inches."""


def of_rates(of_cells: pd.DataFrame, by: list[str]) -> Figure | str:
    """Shares converged and stuck of all cells, or all outcomes of one. `of_cells`: their `rates`."""
    cells = len(of_cells) // of_cells["outcome"].nunique()
    if cells == 1:
        figure, (ax,) = figures.panels(1, 7, 2.2)
        figures.outcome_dots(of_cells, ax)
        return figure
    if cells > MOST_CELLS:
        return f"{cells} cells are too many to tell apart in a picture; the table can be sorted."
    shown = ["converged", *["stuck"] * bool(of_cells.loc[of_cells["outcome"] == "stuck", "count"].any())]
    figure, axes = figures.panels(len(shown), 2 + 4.5 * len(shown), 1.2 + 0.25 * cells)
    figure.set_layout_engine("constrained", wspace=0.08)
    for outcome, ax in zip(shown, axes, strict=True):
        figures.rate_dots(of_cells, by, outcome, ax)
        if ax is not axes[0]:
            ax.set_yticklabels([])
    return figure


def of_map(of_cells: pd.DataFrame, by: list[str]) -> Figure | str:
    """Shares converged and stuck as a map, where there are several cells."""
    columns = len(of_cells[by[1:]].drop_duplicates()) if by[1:] else 1
    cells = len(of_cells) // of_cells["outcome"].nunique()
    if cells == 1 or cells > 4 * MOST_CELLS or columns > MOST_COLUMNS:
        return ""
    return figures.sweep_map(of_cells, by)


def of_times(frame: pd.DataFrame, by: list[str]) -> Figure | str:
    """The first setting's values against each other, in a panel for each combination of the others: pooled over them,
    a network that was trained for fewer steps would count as one that might still learn."""
    if frame["steps_to_target"].isna().all():
        return "No network has reached the target."
    groups = list(frames.groups(frame, by[1:]))
    if len(groups) > MOST_PANELS:
        return f"{len(groups)} combinations of {', '.join(by[1:])} are too many for a picture; the table has them."
    labels = [figures.short(by[0], value) for value in frame[by[0]].unique()]
    if len(labels) > MOST_VALUES:
        return f"{len(labels)} values of {by[0]} are too many to tell apart in a picture; the table has them."
    across = 2 if len(groups) == 4 else min(len(groups), 3)
    figure, axes = figures.panels(len(groups), 1.5 + PANEL[0] * across, PANEL[1], across)
    for (values, group), ax in zip(groups, axes, strict=True):
        figures.survival_curves(survival.time_to_target(group, by[:1]), by[:1], ax, labels)
        ax.set_title(label_of(values) if len(groups) > 1 else "", fontsize="small")
        if own := ax.get_legend():
            own.remove()
    if len(labels) == 1:
        return figure
    handles = {str(line.get_label()): line for ax in axes for line in ax.get_lines()}
    lines, words = list(handles.values()), list(handles)
    figure.legend(lines, words, frameon=False, fontsize="small", loc="outside right center")
    return figure


def of_costs(frame: pd.DataFrame) -> Figure | str:
    """The costs that the networks end with, in a panel for each kind of cost, each with its own lines."""
    parts = of_one_cost(frame)
    if len(parts) > MOST_PANELS:
        return f"{len(parts)} kinds of cost are too many for a picture."
    if not np.isfinite(frame["cost"]).any():
        return "No network has a finite cost."
    across = 1 if len(parts) == 1 else 2
    figure, axes = figures.panels(len(parts), 8 if across == 1 else 13, 3.8, across)
    for (title, part), ax in zip(parts, axes, strict=True):
        figures.final_costs(part, ax, sorted(part["best_constant_cost"].dropna().unique()), plateaus_of(part))
        ax.set_title(title, fontsize="small", pad=18)  # above the numbers of the plateaus
    return figure


def of_curves(frame: pd.DataFrame, curves: pd.DataFrame) -> Figure | str:
    """Scores and costs of all networks over the steps, coloured by outcome."""
    apart = differing(frame, present(frame, COSTS))
    if len(of_one_cost(frame)) > MOST_PANELS:
        return f"{len(of_one_cost(frame))} kinds of cost are too many for a picture."
    keys = frame[["cell", "replicate", "outcome", *apart]].drop_duplicates(["cell", "replicate"])
    named = curves.merge(keys, on=["cell", "replicate"])
    named["replicate"] = named["cell"] + named["replicate"].astype(str)
    every = -(-len(keys) // MOST_LINES)
    if every > 1:
        chosen = named["replicate"].unique()[::every]
        named = named[named["replicate"].isin(chosen)]
    return figures.outcome_curves(named, f"one network in {every}" if every > 1 else "", apart)


def of_one_cost(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The replicates whose costs can stand on one axis, by what they are called; "" where all can."""
    return [(label_of(values), part) for values, part in frames.groups(frame, differing(frame, present(frame, COSTS)))]


def plateaus_of(frame: pd.DataFrame) -> dict[int, float]:
    """What a network costs that has j of its outputs pinned high and the others low, by j; none where that depends on
    which ones are pinned, or on how far.

    frame: replicates of one output and cost, on one data set, whose classes have to be equally frequent: see
    `Output.plateau_costs`.
    """
    classes = sum(bool(frame[key].notna().any()) for key in frame if key.startswith("recall_"))
    names = (frame.get("network.output", pd.Series("logistic", frame.index)).iloc[0], frame["network.cost"].iloc[0])
    if not classes or names not in OUTPUTS:  # a regression, or an output of the user's own
        return {}
    head = OUTPUTS[names]()
    # The best constant answer costs most where all classes are equally frequent.
    if not np.allclose(frame["best_constant_cost"], head.best_constant_cost(np.eye(classes)), rtol=0.005):
        return {}
    return dict(enumerate(head.plateau_costs(classes).tolist()))


def differing(frame: pd.DataFrame, keys: Iterable[str]) -> list[str]:
    """Those of the settings that have several values in the cells; NaN is a value."""
    return [key for key in keys if len(frame[key].unique()) > 1]


def present(frame: pd.DataFrame, keys: Iterable[str]) -> list[str]:
    """Those of the settings that the frame has: a store of an earlier version may lack the later ones."""
    return [key for key in keys if key in frame]


def drawn(figure: Figure) -> str:
    """A figure as the text of an SVG file, the same whenever it is drawn."""
    kept = io.StringIO()
    if engine := figure.get_layout_engine():  # by itself `savefig` would draw all twice, once for the layout
        engine.execute(figure)
        figure.set_layout_engine(None)
    with rc_context({"svg.hashsalt": "initodds"}):
        figure.savefig(kept, format="svg", metadata={"Date": None})
    return kept.getvalue()
