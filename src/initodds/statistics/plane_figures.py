"""A map's frame to pictures: what became of the networks at each point of a plane, and what they cost."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from initodds.statistics.colours import COLOURS
from initodds.statistics.frames import require_columns
from initodds.statistics.grids import grid_of, is_log, shares
from initodds.statistics.panels import panels
from initodds.vocabulary import OUTCOMES

Array = np.ndarray

DEAREST = 1e6
"""A cost over it is that of a network on its way to infinity: how far it is does not matter, and has no colour."""


def plane_map(frame: pd.DataFrame, x: str, y: str, ax: Axes, value: str = "outcome") -> Axes:
    """What became of the networks at each point of a plane, x across and y upwards, a point a square of colour.

    frame: as `load_map` returns it: one row a network, columns x, y, outcome and `value`.
    value: outcome, in the outcomes' colours, mixed where the replicates of a point differ; or a number, as cost, whose
        mean has a colour: of a cost from dark for the least, on a logarithmic scale. What is not finite is grey.

    Raises InputError where a column is missing, or a point of the grid.

    >>> frame = pd.DataFrame({"a": [0.0, 1.0, 0.0, 1.0], "b": [0.0, 0.0, 2.0, 2.0], "outcome": "stuck"})
    >>> [text.get_text() for text in plane_map(frame, "a", "b", panels(1, 4, 4)[1][0]).get_legend().get_texts()]
    ['stuck 100 %']
    """
    require_columns(frame, value=value)
    columns, rows = np.unique(frame[x].to_numpy(float)), np.unique(frame[y].to_numpy(float))
    edges = [_edges(values) for values in (columns, rows)]
    if value == "outcome":
        ax.pcolormesh(*edges, _colours(frame, x, y), rasterized=True)
        seen = {outcome: share for outcome, share in shares(frame).items() if share}
        patches = [Patch(color=COLOURS[outcome], label=f"{outcome} {_percent(seen[outcome])}") for outcome in seen]
        ax.legend(
            handles=patches,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.09),
            ncols=len(patches) if len(patches) < 5 else 3,
            columnspacing=1.2,
            handlelength=1,
            handleheight=1,
            frameon=False,
        )
    else:
        grid = np.ma.masked_invalid(grid_of(frame, x, y, frame[value].astype(float)))
        shades = _shades(grid, value)
        mesh = ax.pcolormesh(*edges, grid, rasterized=True, **shades)
        ax.set_facecolor("0.75")
        ax.figure.colorbar(mesh, ax=ax, label=value, fraction=0.05, pad=0.03)
    for values, scale in ((columns, ax.set_xscale), (rows, ax.set_yscale)):
        if is_log(values):
            scale("log")
    ax.set(xlabel=x, ylabel=y)
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
    if value == "cost" and least > 0 and min(most, DEAREST) > 2 * least:
        return {"cmap": "magma", "norm": LogNorm(least, min(most, DEAREST))}
    return {"cmap": "magma", "vmin": least, "vmax": max(most, least + 1e-12)}
