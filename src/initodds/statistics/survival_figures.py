"""Times to the target to a figure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from initodds.statistics.frames import Columns, groups, require_columns
from initodds.statistics.labels import label_of


def survival_curves(curves: pd.DataFrame, by: Columns, ax: Axes, among: Sequence[str] = ()) -> Axes:
    """The share of networks that have reached the target over the steps, with its band; one curve a group.

    `curves` has the columns `by`, step, share, low, high, as `time_to_target` returns them.
    among: the labels of all curves that colours are to be given to, where several Axes share them.

    A curve that lies on another one is thinner, so that both are seen; one that has come to 1 goes on there to the last
    step of all. Where nobody has reached the target, words say so. Raises InputError where one of `by` is missing.

    >>> from initodds.statistics.panels import panels
    >>> curve = pd.DataFrame({"init": "half", "step": [0, 100], "share": [0.0, 0.5], "low": np.nan, "high": np.nan})
    >>> [line.get_label() for line in survival_curves(curve, "init", panels(1, 5, 4)[1][0]).get_lines()]
    ['half']
    """
    require_columns(curves, by=by)
    of_groups = [(label_of(values), curve) for values, curve in groups(curves, by)]
    labels = list(among) or [label for label, _ in of_groups]
    # A palette apart from the outcomes' colours, which mean something else.
    colours = dict(zip(labels, sns.color_palette("viridis", len(labels)), strict=True))
    widths = dict(zip(labels, np.linspace(4.5, 1.5, len(labels)), strict=True))
    last = curves["step"].max()
    for label, curve in of_groups:
        step, share = curve["step"].to_numpy(float), curve["share"].to_numpy(float)
        if share[-1] == 1:
            step, share = np.append(step, last), np.append(share, 1.0)
        ax.step(step, share, where="post", color=colours[label], linewidth=widths[label], label=label)
        band = {"step": "post", "color": colours[label], "alpha": 0.2, "linewidth": 0}
        ax.fill_between(curve["step"], curve["low"], curve["high"], **band)
    if curves["share"].max() == 0:
        ax.annotate("nobody has reached it", (0.5, 0.5), xycoords="axes fraction", ha="center", color="0.4")
    ax.set_xscale("symlog", linthresh=1)
    ax.set(xlabel="steps", ylabel="share that has reached the target", xlim=(0, None), ylim=(-0.02, 1.02))
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    sns.despine(ax=ax)
    return ax
