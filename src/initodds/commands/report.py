"""The command `initodds-report`: the tables and figures of a sweep, as one folder to read."""

import argparse
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from tabulate import tabulate

from initodds.statistics import comparison, figures, rates, survival
from initodds.statistics.rates import CONFIDENCE
from initodds.sweeps import summary
from initodds.tracking import loading
from initodds.vocabulary import OUTCOMES, InputError

CAPTIONS = {
    "converged": "Share converged",
    "stuck": "Share stuck",
    "map": "Both, at a glance",
    "time_to_target": "How long until the target is reached, by {by} (Kaplan-Meier, 95 % bands)",
    "final_costs": "What they end at. A network stuck with j of ten outputs pinned high costs 0.5 + 0.4 j",
    "curves": "All networks, coloured by outcome",
}


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
    except InputError as error:
        sys.exit(f"initodds-report: {error}")
    folder = Path(options.out)
    write_folder(folder, frame, curves, summary.told_apart_by(store, sweep, frame), store.client.get_run(sweep))
    print(f"{folder / 'README.md'}: {len(frame)} networks")


def write_folder(folder: Path, frame: pd.DataFrame, curves: pd.DataFrame, by: list[str], run: Any) -> None:
    """Write a sweep's README.md, its tables as CSV and its figures as PNG and SVG.

    frame, curves: as `load_replicates` and `load_curves` return them.  by: the settings its cells differ in.  run: the
    sweep's MLflow run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frame = frame.assign(**{key: frame[key].astype(object).where(frame[key].notna(), "") for key in by})
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
    (folder / "README.md").write_text(text(run, tables, by))


def drawn(frame: pd.DataFrame, curves: pd.DataFrame, of_cells: pd.DataFrame, by: list[str]) -> dict[str, Any]:
    """The figures of a sweep, by the names that `CAPTIONS` has."""
    height = 1.2 + 0.28 * frame.groupby(by).ngroups
    pictures: dict[str, Any] = {}
    for outcome in ("converged", "stuck"):
        pictures[outcome], (ax,) = figures.panels(1, 8, height)
        figures.rate_dots(of_cells, by, outcome, ax)
    pictures["map"] = figures.sweep_map(of_cells, by)
    pictures["time_to_target"] = times_figure(frame, by)
    pictures["final_costs"], (ax,) = figures.panels(1, 8, 4)
    figures.final_costs(frame, ax, frame["best_constant_cost"].iloc[0])
    named = curves.merge(frame[["cell", "replicate", "outcome"]], on=["cell", "replicate"])
    named["replicate"] = named["cell"] + named["replicate"].astype(str)
    pictures["curves"] = figures.outcome_curves(named, "all networks of the sweep")
    return pictures


def times_figure(frame: pd.DataFrame, by: list[str]) -> Any:
    """The first setting's values against each other, in a panel for each combination of the others: pooled over them,
    a network that was trained for fewer steps would count as one that might still learn."""
    groups = list(frame.groupby(by[1:], sort=False)) if by[1:] else [((), frame)]
    figure, axes = figures.panels(len(groups), 1 + 3.2 * len(groups), 3.8)
    for (key, group), ax in zip(groups, axes, strict=True):
        figures.survival_curves(survival.time_to_target(group, by[:1]), by[:1], ax)
        ax.set_title(", ".join(figures.short(*pair) for pair in zip(by[1:], key, strict=True)), fontsize="small")
        if ax is not axes[0]:
            ax.set_ylabel("")
            ax.legend().remove()
    return figure


def text(run: Any, tables: dict[str, pd.DataFrame], by: list[str]) -> str:
    """The README.md of a sweep's folder."""
    frame, of_cells = tables["replicates"], tables["rates"]
    first, tags = frame.iloc[0], run.data.tags
    counts = frame["outcome"].value_counts().reindex(OUTCOMES, fill_value=0)
    fixed = [key for key in ("data", "network.hidden", "sgd.epochs", *summary.SHOWN) if key not in by]
    captions = [(name, caption.format(by=by[0])) for name, caption in CAPTIONS.items()]
    pictures = [f"![{caption}]({name}.png)\n\n*{caption}.*" for name, caption in captions]
    return f"""# Sweep {run.info.run_name}

{summary.in_words(counts)} in {frame["cell"].nunique()} cells that differ in {", ".join(by)}.
The same in all cells: {", ".join(f"{key} {first[key]}" for key in fixed)}.

An outcome is the first of these that holds at the end of training. *diverged*: a weight or the cost is not finite.
*stuck*: the test accuracy cannot be told from always naming one class. *partial*: at least one class is hardly ever
recognised. *converged*: the accuracy is at or over the target, {100 * first["outcome.target"]:.0f} %. *unfinished*: the
rest.

## How often

Most often converged: {extreme(of_cells, by, "max")}
Least often: {extreme(of_cells, by, "min")}

{summary.text(of_cells, by, "github")}
{widened(of_cells, by)}
{(chr(10) * 2).join(pictures)}

## Is one {by[0]} better than another?

{comparisons_text(tables["comparisons"])}

## How long it takes

SGD steps by which half of the networks have reached the target, with 95 % interval; inf: never, in this time.

{markdown(tables["times"].round(1))}

## Where this comes from

Command: `{tags.get("command", "")}`. Seed {", ".join(map(str, frame["seed"].unique()))};
{frame["order"].nunique()} data orders; initodds {tags.get("version.initodds", "")}, NumPy
{tags.get("version.numpy", "")}, BLAS {tags.get("blas", "")}; MLflow run {run.info.run_id}. Tables in full:
{", ".join(f"[{name}.csv]({name}.csv)" for name in tables)}. Each figure is there as SVG too.
"""


def extreme(of_cells: pd.DataFrame, by: list[str], end: str) -> str:
    """The cell with the greatest ("max") or least ("min") share converged, and how many others have the same."""
    converged = of_cells[of_cells["outcome"] == "converged"]
    alike = converged[converged["rate"] == getattr(converged["rate"], end)()]
    others = f", and {len(alike) - 1} other cells alike" if len(alike) > 1 else ""
    return f"{cell_name(alike.iloc[0], by)}, {spell(alike.iloc[0])}{others}."


def cell_name(row: pd.Series, by: list[str]) -> str:
    """A cell by the settings it differs in: `init half, batch_size 10`."""
    return ", ".join(f"{key.split('.')[-1]} {row[key]}" for key in by)


def spell(row: pd.Series) -> str:
    """A rate with its n and interval: `31 of 32, 97 % [84, 99]`."""
    share, low, high = (100 * row[key] for key in ("rate", "low", "high"))
    return f"{row['count']} of {row['n']}, {share:.0f} % [{low:.0f}, {high:.0f}]"


def widened(of_cells: pd.DataFrame, by: list[str]) -> str:
    """What is to say of cells in which the data orders differ."""
    cells = of_cells[of_cells["dispersion"] > 1].groupby(by).ngroups
    if not cells:
        return ""
    return (
        f"\nIn {cells} of the cells, the replicates of one data order agree more than chance has it; their intervals"
        " are widened for it.\n"
    )


def comparisons_text(compared: pd.DataFrame) -> str:
    """The comparisons that tell two settings apart, as a table, and how to read it."""
    if not len(compared):
        return "There is one value only: nothing to compare."
    apart = compared[compared["p_holm"] < 1 - CONFIDENCE]
    p = ["< 0.001" if value < 0.001 else f"{value:.3f}" for value in apart["p_holm"]]
    shown = apart.drop(columns=["p", "method"]).round(3).assign(p_holm=p)
    return (
        f"{len(apart)} of {len(compared)} pairs can be told apart, and are shown here; all are in comparisons.csv."
        " Differences of the shares converged, with 95 % interval, and p of an exact test, adjusted for the number of"
        f" pairs (Holm). Method: {'; '.join(sorted(compared['method'].unique()))}.\n\n"
        + (markdown(shown) if len(shown) else "")
    )


def markdown(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table."""
    return tabulate(frame, headers="keys", tablefmt="github", showindex=False)
