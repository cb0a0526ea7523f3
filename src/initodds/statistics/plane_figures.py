"""A map's frame to pictures: what became of the networks at each point of a plane, and what they cost."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator, ScalarFormatter
from matplotlib.transforms import ScaledTranslation

from initodds.statistics.colours import COLOURS
from initodds.statistics.frames import require_columns
from initodds.statistics.grids import grid_of, is_log, shares
from initodds.statistics.panels import panels
from initodds.vocabulary import OUTCOMES

Array = np.ndarray

DEAREST = 1e6
"""A cost over it is that of a network on its way to infinity: how far it is does not matter, and has no colour."""
BELOW = 0.45
"""How many inches under the Axes its legend begins: the numbers and the name of the axis across are between."""
GREY = "0.75"
"""The colour of what is not finite."""
SAME = 1e-6
"""Numbers that differ by less than this share of theirs are told from each other by rounding alone."""


def plane_map(frame: pd.DataFrame, x: str, y: str, ax: Axes, value: str = "outcome") -> Axes:
    """What became of the networks at each point of a plane, x across and y upwards, a point a square of colour.

    frame: as `load_map` returns it: one row a network, columns x, y, outcome and `value`.
    value: outcome, in the outcomes' colours, mixed where the replicates of a point differ; or a number, as cost, whose
        mean has a colour: of a cost from dark for the least, on a logarithmic scale. What is not finite is grey.

    Above it stands how many networks there are; below it the share of each outcome, or of what is not finite.
    Raises InputError where a column is missing, or a point of the grid.

    >>> frame = pd.DataFrame({"a": [0.0, 1.0, 0.0, 1.0], "b": [0.0, 0.0, 2.0, 2.0], "outcome": "stuck"})
    >>> ax = plane_map(frame, "a", "b", panels(1, 4, 4)[1][0])
    >>> ax.get_title(), [text.get_text() for text in ax.get_legend().get_texts()]
    ('2 x 2 points, n = 4', ['stuck 100 %'])
    """
    require_columns(frame, value=value)
    columns, rows = np.unique(frame[x].to_numpy(float)), np.unique(frame[y].to_numpy(float))
    edges = [_edges(values) for values in (columns, rows)]
    if value == "outcome":
        ax.pcolormesh(*edges, _colours(frame, x, y), rasterized=True)
        seen = {outcome: share for outcome, share in shares(frame).items() if share}
        patches = [Patch(color=COLOURS[outcome], label=f"{outcome} {_percent(seen[outcome])}") for outcome in seen]
    else:
        grid = np.ma.masked_invalid(grid_of(frame, x, y, frame[value].astype(float)))
        patches = _draw_numbers(ax, edges, grid, value)
    ax.legend(
        handles=patches,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + ScaledTranslation(0, -BELOW, ax.figure.dpi_scale_trans),
        ncols=2,  # of three, the legend would be wider than the Axes of a figure of two
        columnspacing=1.2,
        handlelength=1,
        handleheight=1,
        frameon=False,
    )
    for values, axis, scale in ((columns, ax.xaxis, ax.set_xscale), (rows, ax.yaxis, ax.set_yscale)):
        if is_log(values):
            scale("log")
        _set_ticks(axis, values[0], values[-1], is_log(values))
    ax.set(xlabel=x, ylabel=y, title=f"{len(columns)} x {len(rows)} points, n = {len(frame):,}")
    ax.tick_params(direction="out")
    return ax


def pictures(frame: pd.DataFrame, x: str, y: str) -> dict[str, Figure]:
    """The pictures of a map: outcome and cost, each a figure of its own."""
    drawn = {}
    for value, width in (("outcome", 6.0), ("cost", 6.6)):
        figure, (ax,) = panels(1, width, 6.2)
        plane_map(frame, x, y, ax, value)
        drawn[value] = figure
    return drawn


def _draw_numbers(ax: Axes, edges: list[Array], grid: "np.ma.MaskedArray", value: str) -> list[Patch]:
    """Draw the numbers of a grid, with a colour bar where they differ; what else is to be said of a colour."""
    shades = _shades(grid, value)
    mesh = ax.pcolormesh(*edges, grid, rasterized=True, **shades)
    ax.set_facecolor(GREY)
    known, patches = grid.compressed(), []
    if len(known) and not _same(known.min(), known.max()):
        beyond = "max" if known.max() > mesh.norm.vmax else "neither"
        bar = ax.figure.colorbar(mesh, ax=ax, label=value, fraction=0.05, pad=0.03, extend=beyond)
        if "norm" in shades:
            _set_ticks(bar.ax.yaxis, shades["norm"].vmin, shades["norm"].vmax, log=True)
    elif len(known):
        patches.append(Patch(color=tuple(mesh.to_rgba(known[0])), label=f"{value} {known[0]:.3g}"))
    if grid.mask.any():
        patches.append(Patch(color=GREY, label=f"not finite {_percent(grid.mask.mean())}"))
    return patches


def _same(least: float, most: float) -> bool:
    return most - least <= SAME * max(abs(least), abs(most))


def _set_ticks(axis: Axis, low: float, high: float, log: bool) -> None:
    """So few labels, and so short ones, that none lies on the next, and more than one, however long the axis is."""
    if not log or high < 5 * low:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_locator(NullLocator())
    elif high < 150 * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    axis.set_minor_formatter(NullFormatter())


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.2g} %"


def _colours(frame: pd.DataFrame, x: str, y: str) -> Array:
    """(y values, x values, 3), of each point the mean colour of its networks' outcomes."""
    mixed = [grid_of(frame, x, y, frame["outcome"] == outcome) for outcome in OUTCOMES]
    colours = np.array([to_rgb(COLOURS[outcome]) for outcome in OUTCOMES])
    return np.clip(np.stack(mixed, axis=-1) @ colours, 0, 1)


def _edges(values: Array) -> Array:
    """Where the squares of rising numbers meet: halfway, also in logarithms where they are evenly spaced in these."""
    if len(values) == 1:
        return np.array([values[0] - 0.5, values[0] + 0.5])
    at = np.log(values) if is_log(values) else values
    middles = (at[1:] + at[:-1]) / 2
    ends = np.array([2 * at[0] - middles[0], *middles, 2 * at[-1] - middles[-1]])
    return np.exp(ends) if is_log(values) else ends


def _shades(grid: "np.ma.MaskedArray", value: str) -> dict[str, Any]:
    """How numbers are coloured: a cost by its logarithm, where it is over 0; the few largest are cut off."""
    if not grid.count():
        return {"cmap": "magma", "vmin": 0, "vmax": 1}
    known = grid.compressed()
    least, most = float(known.min()), float(np.quantile(known, 0.995))
    most = float(known.max()) if _same(least, most) else most
    if value == "cost" and least > 0 and min(most, DEAREST) > 2 * least:
        return {"cmap": "magma", "norm": LogNorm(least, min(most, DEAREST))}
    return {"cmap": "magma", "vmin": least, "vmax": max(most, least + 1e-12)}
