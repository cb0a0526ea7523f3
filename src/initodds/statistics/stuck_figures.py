"""Networks that are stuck, to figures: at what kind of point, and which ways lead out of it."""

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from initodds.statistics.frames import require_own_columns
from initodds.statistics.rates import interval


def point_map(frame: pd.DataFrame, kinds: list[str], negligible: float, ax: Axes) -> Axes:
    """Where networks came to rest: the norm of the gradient across, the size of the largest curvature upwards.

    frame: one row a network, columns kind, gradient_relative and curvature_relative, shares of a fresh network's.
    kinds: in the order of the legend.  negligible: the share under which both count as nothing; under it in both lies
    the plateau, which is shaded. Values under 1e-20 stand at the edge. Raises InputError where a column is missing.

    >>> from initodds.statistics.panels import panels
    >>> frame = pd.DataFrame({"kind": ["a", "b"], "gradient_relative": [1e-5, 0.5], "curvature_relative": [1e-4, 1.0]})
    >>> ax = point_map(frame, ["a", "b"], 0.01, panels(1, 5, 4)[1][0])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['a (n = 1)', 'b (n = 1)']
    """
    require_own_columns(frame, "kind", "gradient_relative", "curvature_relative")
    least = 1e-20
    ax.axvspan(least / 10, negligible, ymax=1, color="0.95", zorder=0)
    ax.fill_between([least / 10, negligible], least / 10, negligible, color="0.88", zorder=0)
    for kind, colour, marker in zip(kinds, sns.color_palette("colorblind"), "osD^v", strict=False):
        of_kind = frame[frame["kind"] == kind]
        at = of_kind["gradient_relative"].clip(lower=least), of_kind["curvature_relative"].clip(lower=least)
        ax.scatter(*at, color=colour, marker=marker, s=14, alpha=0.7, linewidth=0, label=f"{kind} (n = {len(of_kind)})")
    ax.set(xscale="log", yscale="log", xlim=(least / 3, 3), ylim=(least / 3, 3))
    ax.set(
        xlabel="gradient, as a share of a fresh network's", ylabel="largest curvature, as a share of a fresh network's"
    )
    ax.annotate("plateau", (negligible, least), xytext=(-6, 2), textcoords="offset points", ha="right", color="0.4")
    ax.legend(frameon=False, fontsize="small", loc="upper left")
    sns.despine(ax=ax)
    return ax


def escape_dots(frame: pd.DataFrame, kinds: list[str], ways_out: Mapping[str, str], ax: Axes) -> Axes:
    """Of each kind of network, the share that got out by each way, with its 95 % interval.

    frame: one row a network, columns kind and escaped_... (1 or 0, NaN where it was not tried) for each of `ways_out`.
    kinds: from the top.  ways_out: the name of each way, and its label; ten at most.
    Raises InputError where a column is missing.

    >>> from initodds.statistics.panels import panels
    >>> frame = pd.DataFrame({"kind": ["a"] * 4, "escaped_noise": [1.0, 1.0, 0.0, None]})
    >>> ax = escape_dots(frame, ["a"], {"noise": "1 % of noise"}, panels(1, 5, 2)[1][0])
    >>> float(ax.get_lines()[0].get_xdata()[0])
    0.6666666666666666
    """
    require_own_columns(frame, "kind", *(f"escaped_{way}" for way in ways_out))
    step = 0.7 / len(ways_out)
    sizes = set()
    colours = sns.color_palette("colorblind")
    for place, ((way, label), colour) in enumerate(zip(ways_out.items(), colours, strict=False)):
        for row, kind in enumerate(kinds):
            out = frame.loc[frame["kind"] == kind, f"escaped_{way}"].dropna()
            if len(out):
                sizes.add(len(out))
                low, high = interval(out.sum(), len(out))
                at = len(kinds) - 1 - row + 0.35 - place * step
                ax.hlines(at, low, high, color=colour, linewidth=2.5)
                ax.plot(out.mean(), at, "o", color=colour, markeredgecolor="black", markersize=5)
        ax.plot([], [], "o", color=colour, label=label)
    ax.set_yticks(range(len(kinds)), kinds[::-1])
    ax.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.6, len(kinds) - 0.4),
        xlabel=f"share that got out, with 95 % interval; n = {_range(sizes)}",
    )
    ax.grid(axis="x", alpha=0.3)
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    sns.despine(ax=ax, left=True)
    ax.tick_params(axis="y", length=0)
    return ax


def _range(sizes: set[int]) -> str:
    """Whole numbers in words: `123 to 155`, `128` where they are one, `0` where there is none."""
    least, most = min(sizes, default=0), max(sizes, default=0)
    return f"{least}" if least == most else f"{least} to {most}"
