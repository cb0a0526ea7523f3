"""The command `initodds-report`: the tables and figures of a sweep, as one folder to read."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tabulate import tabulate

from initodds.networks.outputs import OUTPUTS
from initodds.statistics import comparison, figures, frames, rates, survival
from initodds.statistics.rates import CONFIDENCE
from initodds.sweeps import summary
from initodds.tracking import loading, reading
from initodds.vocabulary import OUTCOMES, InputError

CAPTIONS = {
    "converged": "Share converged",
    "stuck": "Share stuck",
    "map": "Both, at a glance",
    "time_to_target": "How long until the target is reached, by {by} (Kaplan-Meier, 95 % bands)",
    "final_costs": "What they end at. Dotted: the best answer that ignores the input{plateaus}",
    "curves": "All networks, coloured by outcome",
}
PLATEAUS = ". Grey: j of the outputs pinned high and the others low, whatever the input"

COSTS = ("network.cost", "data")
"""The settings between which a cost is not the same thing."""

LISTED = 20
"""How many failed cells a report names."""


def main() -> None:
    """The command `initodds-report`: the tables and figures of a sweep as one folder."""
    parser = argparse.ArgumentParser(prog="initodds-report", description=main.__doc__)
    parser.add_argument("--sweep", default="latest", help="its run id, or the first characters (default: %(default)s)")
    parser.add_argument("--out", default="report", help="the folder, made where it is missing (default: report)")
    parser.add_argument("--uri", default=loading.DEFAULT_URI, help="tracking URI (default: %(default)s)")
    parser.add_argument("--experiment", default=loading.DEFAULT_EXPERIMENT, help="default: %(default)s")
    options = parser.parse_args()
    try:
        store = loading.open_store(options.uri, options.experiment, "--uri")
        sweep = loading.find_sweep(store, options.sweep)
        frame = loading.load_replicates(options.uri, options.experiment, sweep)
        curves = loading.load_curves(options.uri, options.experiment, sweep)
        swept = summary.told_apart_by(store, sweep, frame)
    except InputError as error:
        sys.exit(f"initodds-report: {error}")
    folder = Path(options.out)
    failed = reading.failed_cells(store, sweep)
    write_folder(folder, frame, curves, swept, store.client.get_run(sweep), failed)
    print(f"{folder / 'README.md'}: {len(frame)} networks")


def write_folder(
    folder: Path, frame: pd.DataFrame, curves: pd.DataFrame, swept: list[str], run: Any, failed: list[tuple[str, str]]
) -> None:
    """Write a sweep's README.md, its tables as CSV and its figures as PNG and SVG.

    frame, curves: as `load_replicates` and `load_curves` return them.  swept: the settings that its cells were to
        differ in, as `told_apart_by` has them.  run: the sweep's MLflow run.  failed: (name, error) of the cells that
        have not finished.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The rates are told apart by what differs, and where nothing does by everything that might.
    by = differing(frame, swept) or swept
    frame = frame.assign(**{key: frame[key].astype(object).where(frame[key].notna(), "") for key in swept})
    tables = {
        "replicates": frame,
        "rates": rates.rates(frame, by),
        "comparisons": comparison.compare(frame, by[0], within=by[1:]),
        "times": survival.median_time(frame, by),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
    for name, figure in drawn(frame, curves, tables["rates"], by).items():
        for suffix in ("png", "svg"):
            figure.savefig(folder / f"{name}.{suffix}")
    (folder / "README.md").write_text(text(run, tables, by, swept, failed))


def differing(frame: pd.DataFrame, keys: Iterable[str]) -> list[str]:
    """Those of the settings that have several values in the cells; NaN is a value."""
    return [key for key in keys if len(frame[key].unique()) > 1]


def drawn(frame: pd.DataFrame, curves: pd.DataFrame, of_cells: pd.DataFrame, by: list[str]) -> dict[str, Figure]:
    """The figures of a sweep, by the names that `CAPTIONS` has."""
    height = 1.2 + 0.28 * frame.groupby(by).ngroups
    pictures: dict[str, Figure] = {}
    for outcome in ("converged", "stuck"):
        pictures[outcome], (ax,) = figures.panels(1, 8, height)
        figures.rate_dots(of_cells, by, outcome, ax)
    pictures["map"] = figures.sweep_map(of_cells, by)
    pictures["time_to_target"] = times_figure(frame, by)
    pictures["final_costs"] = costs_figure(frame)
    apart = differing(frame, COSTS)
    named = curves.merge(frame[["cell", "replicate", "outcome", *apart]], on=["cell", "replicate"])
    named["replicate"] = named["cell"] + named["replicate"].astype(str)
    pictures["curves"] = figures.outcome_curves(named, "all networks of the sweep", apart)
    return pictures


def costs_figure(frame: pd.DataFrame) -> Figure:
    """The costs that the networks end with, in a panel for each cost and data set, each with its own lines."""
    parts = of_one_cost(frame)
    figure, axes = figures.panels(len(parts), 8 * len(parts), 4)
    for (title, part), ax in zip(parts, axes, strict=True):
        figures.final_costs(part, ax, sorted(part["best_constant_cost"].dropna().unique()), plateaus_of(part))
        ax.set_title(title, fontsize="small", pad=18)  # above the numbers of the plateaus
    return figure


def of_one_cost(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The replicates whose costs can stand on one axis, by what they are called; "" where all can."""
    return [
        (", ".join(figures.short(*pair) for pair in values.items()), part)
        for values, part in frames.groups(frame, differing(frame, COSTS))
    ]


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


def times_figure(frame: pd.DataFrame, by: list[str]) -> Figure:
    """The first setting's values against each other, in a panel for each combination of the others: pooled over them,
    a network that was trained for fewer steps would count as one that might still learn."""
    groups = list(frames.groups(frame, by[1:]))
    figure, axes = figures.panels(len(groups), 1 + 3.2 * len(groups), 3.8)
    for (values, group), ax in zip(groups, axes, strict=True):
        figures.survival_curves(survival.time_to_target(group, by[:1]), by[:1], ax)
        ax.set_title(", ".join(figures.short(*pair) for pair in values.items()), fontsize="small")
        if ax is not axes[0]:
            ax.set_ylabel("")
            ax.legend().remove()
    return figure


def text(
    run: Any, tables: dict[str, pd.DataFrame], by: list[str], swept: list[str], failed: list[tuple[str, str]]
) -> str:
    """The README.md of a sweep's folder; arguments as for `write_folder`, and the settings `by` which the rates are
    told apart."""
    frame, of_cells, tags = tables["replicates"], tables["rates"], run.data.tags
    counts = frame["outcome"].value_counts().reindex(OUTCOMES, fill_value=0)
    shown = dict.fromkeys(["data", "network.hidden", "sgd.epochs", *summary.SHOWN, *swept])
    same = ", ".join(f"{key} {frame[key].iloc[0]}" for key in shown if key not in differing(frame, shown))
    plateaus = PLATEAUS if any(plateaus_of(part) for _, part in of_one_cost(frame)) else ""
    captions = [(name, caption.format(by=by[0], plateaus=plateaus)) for name, caption in CAPTIONS.items()]
    pictures = [f"![{caption}]({name}.png)\n\n*{caption}.*" for name, caption in captions]
    return f"""# Sweep {run.info.run_name}

{summary.in_words(counts)} in {cells(frame, by)}.
The same in all of them: {same}.
{missing(failed, frame["cell"].nunique())}
An outcome is the first of these that holds at the end of training. *diverged*: a weight or the cost is not finite.
*stuck*: the test accuracy cannot be told from always naming one class. *partial*: at least one class is hardly ever
recognised. *converged*: the accuracy is at or over the target, {target(frame)}. *unfinished*: the rest.

## How often

{extremes(of_cells, by)}

{summary.text(of_cells, by, "github", frame["sgd.orders"])}

{(chr(10) * 2).join(pictures)}

## Is one {by[0]} better than another?

{comparisons_text(tables["comparisons"])}

## How long it takes

SGD steps by which half of the networks have reached the target, with 95 % interval; inf: never, in this time.

{markdown(tables["times"].round(1))}

## Where this comes from

Command: `{tags.get("command", "")}`. Seed {", ".join(map(str, frame["seed"].unique()))};
initodds {tags.get("version.initodds", "")}, NumPy
{tags.get("version.numpy", "")}, BLAS {tags.get("blas", "")}; MLflow run {run.info.run_id}. Tables in full:
{", ".join(f"[{name}.csv]({name}.csv)" for name in tables)}. Each figure is there as SVG too.
"""


def cells(frame: pd.DataFrame, by: list[str]) -> str:
    """How many cells there are, and what they differ in: `4 cells that differ in init, sgd.learning_rate`."""
    apart = differing(frame, by)
    return counted(frame["cell"].nunique(), "cell") + (f" that differ in {', '.join(apart)}" if apart else "")


def missing(failed: list[tuple[str, str]], finished: int) -> str:
    """What is to say of the cells that have not finished: their number, names and errors."""
    if not failed:
        return ""
    lines = [f"- `{name}`: {error}" for name, error in failed[:LISTED]]
    if len(failed) > LISTED:
        lines.append(f"- and {len(failed) - LISTED} more")
    of_all = f"{len(failed)} of {counted(len(failed) + finished, 'cell')} did not finish"
    return "\n".join(["", f"**{of_all}**, of which nothing is said below:", "", *lines, ""])


def target(frame: pd.DataFrame) -> str:
    """The accuracy that networks were to reach, or those that the cells have between them: `85 % or 95 %`."""
    return " or ".join(f"{100 * share:.4g} %" for share in sorted(frame["outcome.target"].unique()))


def extremes(of_cells: pd.DataFrame, by: list[str]) -> str:
    """The cells with the greatest and the least share converged, or what all of them have."""
    converged = of_cells[of_cells["outcome"] == "converged"]
    if len(converged) == 1:
        return f"Converged: {spell(converged.iloc[0])}."
    if converged["rate"].max() == converged["rate"].min():
        return f"Converged, in each of {len(converged)} cells alike: {spell(converged.iloc[0])}."
    return f"Most often converged: {extreme(converged, by, 'max')}\nLeast often: {extreme(converged, by, 'min')}"


def extreme(converged: pd.DataFrame, by: list[str], end: str) -> str:
    """The cell with the greatest ("max") or least ("min") share converged, and how many others have the same."""
    alike = converged[converged["rate"] == getattr(converged["rate"], end)()]
    others = f", and {counted(len(alike) - 1, 'other cell')} alike" if len(alike) > 1 else ""
    return f"{cell_name(alike.iloc[0], by)}, {spell(alike.iloc[0])}{others}."


def counted(count: int, noun: str) -> str:
    """How many: `1 cell`, `2 cells`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def cell_name(row: pd.Series, by: list[str]) -> str:
    """A cell by the settings it differs in: `init half, batch_size 10`."""
    return ", ".join(f"{key.split('.')[-1]} {row[key]}" for key in by)


def spell(row: pd.Series) -> str:
    """A rate with its n and interval: `31 of 32, 97 % [84, 99]`."""
    share, low, high = (100 * row[key] for key in ("rate", "low", "high"))
    return f"{row['count']} of {row['n']}, {share:.0f} % [{low:.0f}, {high:.0f}]"


def comparisons_text(compared: pd.DataFrame) -> str:
    """The comparisons that tell two settings apart, as a table, and how to read it."""
    if not len(compared):
        return "There is one value only: nothing to compare."
    apart = compared[compared["p_holm"] < 1 - CONFIDENCE]
    p = ["< 0.001" if value < 0.001 else f"{value:.3f}" for value in apart["p_holm"]]
    shown = apart.drop(columns=["p", "method"]).round(3).assign(p_holm=p)
    return (
        f"Can be told apart: {len(apart)} of {counted(len(compared), 'pair')}"
        f"{', shown here' if len(apart) else ''}; all are in comparisons.csv."
        " Differences of the shares converged, with 95 % interval, and p of a test, adjusted for the number of"
        f" pairs (Holm). Method: {'; '.join(sorted(compared['method'].unique()))}.\n\n"
        + (markdown(shown) if len(shown) else "")
    )


def markdown(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table."""
    return tabulate(frame, headers="keys", tablefmt="github", showindex=False)
