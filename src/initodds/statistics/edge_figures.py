"""A searched edge to a picture: what was tried, and where the edge lies."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from initodds.statistics.colours import COLOURS
from initodds.statistics.labels import short
from initodds.statistics.panels import panels
from initodds.statistics.rates import wilson


def edges(
    table: pd.DataFrame, tried: Sequence[pd.DataFrame], key: str, outcome: str, share: float, log: bool = False
) -> Figure:
    """One panel an edge, below each other: the share of the networks that have the outcome at each value that was
    tried, larger where there were more, and the edge with its 95 % interval.

    table: one row an edge: the settings that tell them apart, key, low, high, predicted, networks, note.
    tried: of each edge, columns value, hits, n.
    """
    count = len(table)
    figure, _ = panels(1, 7, 1.4 + 1.25 * count)
    figure.clear()
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    named = [name for name in table if name not in (key, "low", "high", "predicted", "networks", "note")]
    for (_, row), frame, ax in zip(table.iterrows(), tried, axes, strict=True):
        rate = frame["hits"] / frame["n"]
        low, high = wilson(frame["hits"].to_numpy(float), frame["n"].to_numpy(float))
        ax.axhline(share, color="0.8", linewidth=0.8, zorder=0)
        ax.vlines(frame["value"], low, high, color=COLOURS[outcome], alpha=0.3, linewidth=1)
        ax.scatter(frame["value"], rate, s=3 * frame["n"], color=COLOURS[outcome], edgecolor="black", linewidth=0.4)
        words = ", ".join(short(name, row[name]) for name in named) or outcome
        if np.isnan(row[key]):
            words += f": {row['note']}"
        else:
            ax.axvspan(row["low"], row["high"], color="0.6", alpha=0.5, linewidth=0)
            ax.axvline(row[key], color="black", linewidth=1)
            words += f": {row[key]:.4g} [{row['low']:.4g}, {row['high']:.4g}]"
        if np.isfinite(row["predicted"]):
            ax.axvline(row["predicted"], color="black", linestyle=":", linewidth=1)
            words += f", predicted {row['predicted']:.4g} (dotted)"
        ax.set_title(f"{words}; {row['networks']} networks", fontsize="small", loc="left")
        ax.set(ylim=(-0.08, 1.08), yticks=[0, share, 1], ylabel=f"share\n{outcome}")
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    if log:
        axes[-1].set_xscale("log")
    axes[-1].set_xlabel(key)
    return figure
