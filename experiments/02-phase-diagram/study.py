"""The edge in the plane of (centre, half_width): sweeps, results.csv, summary.md and the figures.

python experiments/02-phase-diagram/study.py            everything; full MNIST in INITODDS_DATA, or downloaded
python experiments/02-phase-diagram/study.py analyse    the summary and the figures from the committed results
"""

import sys
from collections import Counter
from pathlib import Path

import initodds  # noqa: F401  settles BLAS before NumPy loads

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from studies import rate, read_results, sweep, write_results
from tabulate import tabulate

from initodds import analysis, datasets
from initodds.statistics import figures

FOLDER = Path(__file__).parent
X, Y = "init.centre", "init.half_width"
CELL = ["data", "sgd.epochs", "sgd.batch_size", "sgd.learning_rate"]
SETTINGS = ["data.scale", *CELL, Y, X]


def standardized(frame: pd.DataFrame) -> str:
    """Rates over the centre, with pixels of mean 0 and variance 1, beside those of pixels from 0 to 1."""
    part = frame[(frame["sgd.epochs"] == 10) & (frame["sgd.batch_size"] == 10) & (frame["sgd.learning_rate"] == 3.0)]
    part = part[part[Y] == 0.5]
    rows = []
    for centre, group in part.groupby(X):
        row: dict[str, object] = {"centre": centre}
        for scale, of_scale in (("unit", "pixels 0 to 1"), ("standardize", "standardized")):
            outcome = group.loc[group["data.scale"] == scale, "outcome"]
            row |= {f"{of_scale}: {o}": rate(outcome == o) if len(outcome) else "" for o in ("converged", "stuck")}
        rows.append(row)
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def edges(frame: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """The boundary of an outcome on the side of positive centres, with theory's beside it."""
    table = analysis.boundary(frame[frame[X] >= 0], x=X, by=[*CELL, Y], outcome=outcome)
    return table.assign(predicted=analysis.predict_boundary(datasets.mnist_5k(), table[Y].to_numpy()))


def edge_in_words(row: pd.Series) -> str:
    """A boundary with its 95 % interval, or why there is none."""
    if np.isnan(row["boundary"]):
        return str(row["note"])
    return f"{row['boundary']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def edge_table(frame: pd.DataFrame) -> str:
    """A row for each data set, number of epochs, batch size, rate and half-width."""
    converged, stuck = edges(frame, "converged"), edges(frame, "stuck")
    rows = [
        {
            "data": a["data"],
            "epochs": a["sgd.epochs"],
            "batch": a["sgd.batch_size"],
            "rate": a["sgd.learning_rate"],
            "half-width": a[Y],
            "half converge up to": edge_in_words(a),
            "10 to 90 % within": "" if np.isnan(a["width"]) else f"{a['width']:.3f}",
            "half are stuck from": edge_in_words(b),
            "predicted": f"{a['predicted']:.3f}",
        }
        for (_, a), (_, b) in zip(converged.iterrows(), stuck.iterrows(), strict=True)
    ]
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def sides(frame: pd.DataFrame) -> str:
    """Rates at centres of the same size on both sides, at the textbook's batch and rate."""
    part = frame[(frame["sgd.epochs"] == 10) & (frame["sgd.batch_size"] == 10) & (frame["sgd.learning_rate"] == 3.0)]
    rows = []
    for centre in (0.05, 0.1, 0.15):
        for half_width in (0.1, 0.5, 1.0):
            row: dict[str, object] = {"centre": f"+-{centre}", "half-width": half_width}
            for sign, name in ((1, "positive"), (-1, "negative")):
                outcome = part.loc[np.isclose(part[X], sign * centre) & (part[Y] == half_width), "outcome"]
                row |= {f"{name}: {o}": rate(outcome == o) for o in ("converged", "stuck")}
            rows.append(row)
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def against_theory(frame: pd.DataFrame) -> str:
    """How far the measured edges lie from the predicted ones."""
    lines = []
    for (data, epochs), of_sweep in frame.groupby(["data", "sgd.epochs"], sort=False):
        for outcome in ("converged", "stuck"):
            table = edges(of_sweep, outcome).dropna(subset="boundary")
            ratio = table["boundary"] / table["predicted"]
            inside = ((table["low"] <= table["predicted"]) & (table["predicted"] <= table["high"])).sum()
            correlation = np.corrcoef(table["boundary"], table["predicted"])[0, 1]
            lines.append(
                f"- {data}, {epochs} epochs, edge of {outcome}: measured / predicted from {ratio.min():.2f} to"
                f" {ratio.max():.2f}, median {ratio.median():.2f}, correlation {correlation:.2f}; the"
                f" prediction is inside the 95 % interval of {inside} of {len(table)} edges."
            )
    return "\n".join(lines)


def summary() -> str:
    """summary.md, from the committed results: every number that the README quotes."""
    everything = read_results(FOLDER)
    frame = everything[everything["data.scale"] == "unit"]
    counts = frame.groupby(["data", "sgd.epochs"], sort=False).size()
    sizes = ", ".join(f"{count} on {data} ({epochs} epochs)" for (data, epochs), count in counts.items())
    image = datasets.mnist_5k().train.x.astype(float)
    return f"""# Summary of results.csv

Printed by study.py. Networks: {sizes}; 784-30-10, logistic units, quadratic cost; the same
{everything["replicate"].nunique()} draws and data orders in every setting.
Boundaries with the 95 % interval of the profile likelihood, on the side of positive centres; rates as count/n, percent,
[95 % Wilson interval].

A training image of mnist_5k has a sum x of {image.sum(axis=1).mean():.1f} and a sum x^2 of
{(image**2).sum(axis=1).mean():.1f} on average.

## The edge

{edge_table(frame)}

## Against theory

{against_theory(frame)}

## The two sides, mnist_5k, batch size 10, rate 3.0

{sides(frame)}

## Stuck on mnist_5k after 10 epochs, at each batch size and rate

{stuck(frame)}

## Stuck at half-width 0.1, mnist_5k, batch size 100, rate 3.0, 10 epochs

{terrace(frame)}

## Standardized pixels, half-width 0.5, mnist_5k, batch size 10, rate 3.0, 10 epochs

{standardized(everything)}
"""


def stuck(frame: pd.DataFrame) -> str:
    """U[0, 1], and centre against width, in the settings of mnist_5k, which share their draws: a rate is of one."""
    part = frame[frame["sgd.epochs"] == 10]
    groups = {
        "U[0, 1], centre 0.5 and half-width 0.5": (part[X] == 0.5) & (part[Y] == 0.5),
        "centre 0, every half-width": part[X] == 0,
        "centre 0.2, half-width up to 0.5": (part[X] == 0.2) & (part[Y] <= 0.5),
    }
    lines = []
    for name, group in groups.items():
        rates = Counter(rate(cell["outcome"] == "stuck") for _, cell in part[group].groupby([*CELL, Y, X]))
        lines.append(f"- {name}: {', '.join(f'{text} in each of {count} settings' for text, count in rates.items())}")
    return "\n".join(lines)


def terrace(frame: pd.DataFrame) -> str:
    """How many are stuck at each centre over 0 where there is no edge."""
    part = frame[(frame["sgd.epochs"] == 10) & (frame["sgd.batch_size"] == 100) & (frame["sgd.learning_rate"] == 3.0)]
    part = part[(part[Y] == 0.1) & (part[X] > 0) & (part[X] <= 0.1)]
    return "\n".join(f"- {centre}: {rate(group['outcome'] == 'stuck')}" for centre, group in part.groupby(X))


def draw(frame: pd.DataFrame) -> None:
    """converged.png and stuck.png: mnist_5k by batch size and rate, with the measured and the predicted edge."""
    part = frame[(frame["sgd.epochs"] == 10) & (frame[X] < 0.3)]
    half_widths = np.geomspace(0.05, 1, 50)
    centres = analysis.predict_boundary(datasets.mnist_5k(), half_widths)
    for outcome in ("converged", "stuck"):
        groups = list(part.groupby(["sgd.learning_rate", "sgd.batch_size"]))
        figure, axes = figures.panels(len(groups), 10, 4.2, across=2)
        for ((learning_rate, batch), group), ax in zip(groups, axes, strict=True):
            of_cells = analysis.rates(group, [X, Y])
            measured = analysis.boundary(group[group[X] >= 0], x=X, by=[Y], outcome=outcome)
            figures.phase_diagram(of_cells, measured, ax, (half_widths, centres), outcome)
            ax.set_title(f"batch size {batch}, learning rate {learning_rate:g}")
        figure.savefig(FOLDER / f"{outcome}.png")


def main() -> None:
    if sys.argv[1:] != ["analyse"]:
        sweep(FOLDER, "phase/grid", "phase/full", "phase/steps", "phase/standardized")
        write_results(FOLDER, SETTINGS, ["accuracy", "cost", "dead_classes", "hidden_saturated"])
    text = summary()
    (FOLDER / "summary.md").write_text(text)
    print(text)
    frame = read_results(FOLDER)
    draw(frame[frame["data.scale"] == "unit"])


if __name__ == "__main__":
    main()
