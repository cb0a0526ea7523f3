"""Tidy frames to Matplotlib Axes, one function a figure. The same colour for the same outcome everywhere."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from initodds.statistics import plane_figures
from initodds.statistics.colours import COLOURS, LOWEST_SHOWN, highest_shown
from initodds.statistics.frames import Columns, groups, names, require_columns, require_outcome, require_own_columns
from initodds.statistics.rates import interval
from initodds.vocabulary import OUTCOMES, SCORES

map = plane_figures.plane_map
"""Of a map of two settings; `panels(1, 6, 6)` has the Axes."""


def panels(count: int, width: float, height: float, across: int | None = None) -> tuple[Figure, list[Axes]]:
    """A figure of this size in inches with so many empty Axes side by side; freed with the last reference to it.

    across: how many stand side by side at most, the others in further rows; width and height are those of one row.

    >>> figure, axes = panels(2, 9, 3.6)
    >>> len(axes), figure.get_size_inches().tolist()
    (2, [9.0, 3.6])
    >>> figure, axes = panels(3, 9, 3.6, across=2)
    >>> len(axes), figure.get_size_inches().tolist()
    (3, [9.0, 7.2])
    """
    columns = min(count, across or count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width, rows * height), layout="constrained", dpi=120)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for idle in axes[count:]:
        idle.remove()
    return figure, axes[:count]


def curves(frame: pd.DataFrame, metric: str, ax: Axes) -> Axes:
    """One line a replicate, coloured by outcome: `metric` over the steps.

    `frame` has the columns replicate, outcome, step, and `metric`; the steps are shown on a scale that is linear up to
    the first and logarithmic beyond. Raises InputError where a column is missing.

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
        ax.set_title(_label(values), fontsize="small")
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


def outcome_map(rates: pd.DataFrame, rows: str, outcome: str, ax: Axes, labelled: bool = True) -> Axes:
    """The rate of one outcome as a map: a row for each value of `rows`, a column for each value of `columns`.

    `rates` has the columns `rows`, columns, outcome, count, n, rate. Each field is annotated with percent and count;
    `labelled` says whether the rows are named. Raises InputError where the outcome is unknown.

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

    >>> table = pd.DataFrame({"init": ["half"] * 2, "outcome": ["converged", "stuck"], "count": 1, "n": 2, "rate": 0.5})
    >>> [ax.get_title() for ax in sweep_map(table, "init").axes]
    ['share converged', 'share stuck']
    """
    require_columns(rates, by=by)
    rows, *others = names(by)
    frame = rates.assign(columns=list(_labels(rates, others, "\n")))
    width = 2 + 1.3 * frame["columns"].nunique()
    height = 1.2 + 0.5 * frame[rows].nunique()
    figure, (left, right) = panels(2, 2 * width, height)
    outcome_map(frame, rows, "converged", left)
    outcome_map(frame, rows, "stuck", right, labelled=False)
    return figure


def rate_dots(rates: pd.DataFrame, by: Columns, outcome: str, ax: Axes) -> Axes:
    """The rate of one outcome in each group as a dot with its 95 % interval, the groups below each other.

    `rates` has the columns `by`, outcome, n, rate, low, high. Raises InputError where one of `by` is missing or the
    outcome is unknown.

    >>> table = pd.DataFrame({"init": ["half"], "outcome": "stuck", "n": 4, "rate": 0.25, "low": 0.05, "high": 0.7})
    >>> rate_dots(table, "init", "stuck", panels(1, 5, 2)[1][0]).get_xlabel()
    'share stuck, with 95 % interval, n = 4 each'
    """
    require_columns(rates, by=by)
    require_outcome(outcome)
    chosen = rates[rates["outcome"] == outcome].iloc[::-1]
    labels = list(_labels(chosen, names(by), ", "))
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


def heat_map(rates: pd.DataFrame, x: str, y: str, outcome: str, ax: Axes) -> Axes:
    """The rate of one outcome over two swept numbers, x across and y upwards; each field has its percent and n.

    `rates` has the columns x, y, outcome, n, rate, one row a field and outcome. Raises InputError where x or y is
    missing or the outcome is unknown.

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

    rates: columns init.centre, init.half_width, outcome, rate: the share with the outcome is the shade of a square.
    boundaries: columns init.half_width, boundary, low, high, as `boundary` returns them: dots with intervals.
    prediction: (half_widths, centres), each (points,), of a line to compare with.

    Raises InputError where the outcome is unknown.

    >>> table = pd.DataFrame({"init.centre": [0.0], "init.half_width": 1.0, "outcome": "stuck", "rate": 0.0})
    >>> edge = pd.DataFrame({"init.half_width": [1.0], "boundary": 0.05, "low": 0.0, "high": 0.1})
    >>> phase_diagram(table, edge, panels(1, 5, 4)[1][0], outcome="stuck").get_xlabel()
    'centre'
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
    ax.figure.colorbar(squares, ax=ax, label=f"share {outcome}")
    sns.despine(ax=ax)
    return ax


def survival_curves(curves: pd.DataFrame, by: Columns, ax: Axes, among: Sequence[str] = ()) -> Axes:
    """The share of networks that have reached the target over the steps, with its band; one curve a group.

    `curves` has the columns `by`, step, share, low, high, as `time_to_target` returns them.
    among: the labels of all curves that colours are to be given to, where several Axes share them.

    A curve that lies on another one is thinner, so that both are seen; one that has come to 1 goes on there to the last
    step of all. Where nobody has reached the target, words say so. Raises InputError where one of `by` is missing.

    >>> curve = pd.DataFrame({"init": "half", "step": [0, 100], "share": [0.0, 0.5], "low": np.nan, "high": np.nan})
    >>> [line.get_label() for line in survival_curves(curve, "init", panels(1, 5, 4)[1][0]).get_lines()]
    ['half']
    """
    require_columns(curves, by=by)
    of_groups = [(_label(values), curve) for values, curve in groups(curves, by)]
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


def final_costs(
    frame: pd.DataFrame, ax: Axes, best_constants: Sequence[float] = (), plateaus: Mapping[int, float] | None = None
) -> Axes:
    """Histogram of the costs that networks end with, by outcome, with what networks cost that ignore their input.

    frame: one row a replicate, columns cost (one and the same cost, on the same data) and outcome.
    best_constants: the least costs of answers that are the same for every example; a dotted line each.
    plateaus: the cost of a network with j of its outputs pinned high and the others low, by j; a grey line each. Which
        costs and outputs have such is for the caller to know; without any, none are drawn.

    Every network with a finite cost is in it: those that cost far more than the lines are in the last bar, and the axis
    says so. How many costs are not finite is said below. Raises InputError where a column is missing.

    >>> frame = pd.DataFrame({"cost": [0.1, 0.45, 2700.0, np.nan], "outcome": ["converged"] + ["stuck"] * 3})
    >>> final_costs(frame, panels(1, 6, 4)[1][0], best_constants=[0.45]).get_xlabel()
    'final test cost; last bar: 1 over 0.47, up to 2.7e+03; 1 not finite'
    """
    require_own_columns(frame, "cost", "outcome")
    levels = plateaus or {}
    for j, level in levels.items():
        label = None if ax.get_lines() else "j outputs pinned high"
        ax.axvline(level, color="0.7", linewidth=0.8, zorder=0, label=label)
        ax.annotate(f"{j}", (level, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize="small")
    for place, cost in enumerate(best_constants):
        ax.axvline(cost, color="black", linestyle=":", label=None if place else "best constant answer")
    finite = frame[np.isfinite(frame["cost"])]
    usual = _usual_cost(finite["cost"], [*levels.values(), *best_constants])
    width = max(0.05, usual / 200)
    # From -width / 2, so that the plateaus of ten classes, 0.5 + 0.4 j, lie in the middle of their bins.
    bins = np.arange(-width / 2, usual + 1.5 * width, width)
    beyond = finite["cost"] > bins[-1]
    if beyond.any():
        bins = np.append(bins, bins[-1] + 2 * width)
    known = [outcome for outcome in OUTCOMES if (finite["outcome"] == outcome).any()]
    costs = [finite.loc[finite["outcome"] == outcome, "cost"].clip(upper=bins[-1]) for outcome in known]
    if known:
        ax.hist(costs, bins=bins.tolist(), stacked=True, color=[COLOURS[outcome] for outcome in known], label=known)
    notes = ["final test cost"]
    if beyond.any():
        notes.append(f"last bar: {beyond.sum()} over {bins[-2]:.2g}, up to {finite['cost'].max():.2g}")
    if len(finite) < len(frame):
        notes.append(f"{len(frame) - len(finite)} not finite")
    ax.set(xlabel="; ".join(notes), ylabel="networks")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize="small")
    sns.despine(ax=ax)
    return ax


def _usual_cost(costs: pd.Series, lines: Sequence[float]) -> float:
    """The cost up to which an axis shows each: the greatest of the `lines` and of those costs that are not over ten
    times as much, or, without lines, not over ten times the median."""
    scale = max(lines) if lines else costs.median()
    return max([*lines, *costs[costs <= 10 * scale]], default=0.0)


def point_map(frame: pd.DataFrame, kinds: list[str], negligible: float, ax: Axes) -> Axes:
    """Where networks came to rest: the norm of the gradient across, the size of the largest curvature upwards.

    frame: one row a network, columns kind, gradient_relative and curvature_relative, shares of a fresh network's.
    kinds: in the order of the legend.  negligible: the share under which both count as nothing; under it in both lies
    the plateau, which is shaded. Values under 1e-20 stand at the edge. Raises InputError where a column is missing.

    >>> frame = pd.DataFrame({"kind": ["a", "b"], "gradient_relative": [1e-5, 0.5], "curvature_relative": [1e-4, 1.0]})
    >>> ax = point_map(frame, ["a", "b"], 0.01, panels(1, 5, 4)[1][0])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['a (n = 1)', 'b (n = 1)']
    """
    require_own_columns(frame, "kind", "gradient_relative", "curvature_relative")
    least = 1e-20
    ax.axvspan(least / 10, negligible, ymax=1, color="0.95", zorder=0)
    ax.fill_between([least / 10, negligible], least / 10, negligible, color="0.88", zorder=0)
    for kind, colour, marker in zip(kinds, sns.color_palette("viridis", len(kinds)), "osD^v", strict=False):
        of_kind = frame[frame["kind"] == kind]
        at = of_kind["gradient_relative"].clip(lower=least), of_kind["curvature_relative"].clip(lower=least)
        ax.scatter(*at, color=colour, marker=marker, s=14, alpha=0.7, linewidth=0, label=f"{kind} (n = {len(of_kind)})")
    ax.set(xscale="log", yscale="log", xlim=(least / 3, 3), ylim=(least / 3, 3))
    ax.set(xlabel="gradient, as a share of a fresh network's", ylabel="largest curvature, likewise")
    ax.annotate("plateau", (negligible, least), xytext=(-6, 2), textcoords="offset points", ha="right", color="0.4")
    ax.legend(frameon=False, fontsize="small", loc="upper left")
    sns.despine(ax=ax)
    return ax


def escape_dots(frame: pd.DataFrame, kinds: list[str], ways_out: list[str], ax: Axes) -> Axes:
    """Of each kind of network, the share that got out by each way, with its 95 % interval.

    frame: one row a network, columns kind and escaped_... (1 or 0, NaN where it was not tried) for each of `ways_out`.
    Raises InputError where a column is missing.

    >>> frame = pd.DataFrame({"kind": ["a"] * 4, "escaped_noise": [1.0, 1.0, 0.0, np.nan]})
    >>> ax = escape_dots(frame, ["a"], ["noise"], panels(1, 5, 2)[1][0])
    >>> float(ax.get_lines()[0].get_xdata()[0])
    0.6666666666666666
    """
    require_own_columns(frame, "kind", *(f"escaped_{way}" for way in ways_out))
    step = 0.7 / len(ways_out)
    for place, (way, colour) in enumerate(zip(ways_out, sns.color_palette("viridis", len(ways_out)), strict=True)):
        for row, kind in enumerate(kinds):
            out = frame.loc[frame["kind"] == kind, f"escaped_{way}"].dropna()
            if len(out):
                low, high = interval(out.sum(), len(out))
                at = len(kinds) - 1 - row + 0.35 - place * step
                ax.hlines(at, low, high, color=colour, linewidth=2.5)
                ax.plot(out.mean(), at, "o", color=colour, markeredgecolor="black", markersize=5)
        ax.plot([], [], "o", color=colour, label=way)
    ax.set_yticks(range(len(kinds)), kinds[::-1])
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(kinds) - 0.4), xlabel="share that got out, with 95 % interval")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    sns.despine(ax=ax, left=True)
    ax.tick_params(axis="y", length=0)
    return ax


def short(key: str, value: object) -> str:
    """A setting as a label: the value alone for an init, else the key's last word and the value.

    >>> short("init", "half"), short("sgd.batch_size", 10)
    ('half', 'batch_size 10')
    """
    return str(value) if key == "init" else f"{key.split('.')[-1]} {value}"


def _label(values: Mapping[str, object]) -> str:
    """Several settings as one label."""
    return ", ".join(short(key, value) for key, value in values.items())


def _labels(frame: pd.DataFrame, by: list[str], between: str) -> Iterator[str]:
    """The values of `by` of each row as a label; each as its own column has it, 10 beside 0.3 too."""
    for values in frame[by].astype(object).to_numpy():  # of no column, as many empty rows, with every pandas
        yield between.join(short(key, value) for key, value in zip(by, values, strict=True))
