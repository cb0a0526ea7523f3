"""Was it a local minimum? Sweeps, results.csv, summary.md and the figures.

python experiments/03-local-minimum/study.py            everything; full MNIST in INITODDS_DATA, or downloaded
python experiments/03-local-minimum/study.py analyse    the summary and the figures from the committed results
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import initodds  # noqa: F401  settles BLAS before NumPy loads

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from studies import rate, read_results, sweep, write_results
from tabulate import tabulate

from initodds.cells.subject import subject_of
from initodds.networks.curvature import Landscape, spectrum
from initodds.networks.features import Features
from initodds.networks.network import Stack
from initodds.statistics import figures
from initodds.tracking import loading, reading, records, stored_settings
from initodds.verdicts.diagnosis import NEGLIGIBLE
from initodds.verdicts.escape import VARIANTS
from initodds.vocabulary import CAUSES, POINTS

FOLDER = Path(__file__).parent
WAYS_OUT = {variant.name: variant.words for variant in VARIANTS}
SETTINGS = ["data", "init", "sgd.epochs", "sgd.batch_size", "sgd.learning_rate", "sgd.reduction"]
MEASURED = [
    "accuracy",
    "cost",
    "dead_classes",
    "hidden_saturated",
    "outputs_high",
    "outputs_low",
    "cause",
    "point",
    "gradient_relative",
    "gradient_zero",
    "eigenvalue_least",
    "eigenvalue_greatest",
    "curvature_relative",
    "eigenvalues_near_zero",
    *(f"escaped_{name}" for name in WAYS_OUT),
]
ENDS = ["eigenvalue_least", "eigenvalue_greatest", "eigenvalues_near_zero"]
STEPS, AT_ONCE = 10, 8
KINDS = ["U[0, 1]", "U[-0.5, 0.5], summed", "N(0, 1), a dead digit", "zeros", "healthy"]
EXPERIMENTS = ("why/saturated", "why/summed", "why/digit", "why/healthy")


def with_plateau_ends(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with the ends of the spectra of the networks on a plateau, which a diagnosis tells without them: by
    `STEPS` steps of Lanczos, from the weights that were kept."""
    store = loading.open_store(f"sqlite:///{FOLDER}/runs.db", None)
    frame = frame.set_index(["cell", "replicate"])
    flat = set(frame.index[frame["point"] == "flat"])
    for tracked in loading.finished_cells(store, None):
        fingerprint = tracked.asked.fingerprint
        for part in tracked.parts if any(cell_of == fingerprint for cell_of, _ in flat) else ():
            settings = stored_settings.validated(reading.read_settings(store, part.run.id), part.run.id)
            subject = subject_of(settings)
            train = subject.data.train
            features, targets = Features(train.x, np.dtype(np.float64)), subject.task.targets(train.y)
            arrays = reading.read_arrays(store, part.run.id, records.WEIGHTS)
            networks = zip(arrays["replicates"].tolist(), records.layers_of(arrays), strict=True)
            of_flat = [(replicate, layers) for replicate, layers in networks if (fingerprint, replicate) in flat]
            for first in range(0, len(of_flat), AT_ONCE):
                replicates, layers = zip(*of_flat[first : first + AT_ONCE], strict=True)
                stack = Stack(subject.network, layers, np.dtype(np.float64)).restricted(features.present)
                landscape = Landscape(stack, features, targets)
                start = np.random.default_rng(0).standard_normal(landscape.gradient.shape)
                ends = spectrum(landscape.hessian_product, start, most=STEPS)
                rows = [(fingerprint, replicate) for replicate in replicates]
                frame.loc[rows, ENDS] = np.column_stack([ends.least, ends.greatest, ends.near_zero])
    return frame.reset_index()


def results() -> pd.DataFrame:
    """The committed results, with the kind of each network; those of N(0, 1) that have no dead digit, and those of the
    others that are not as their kind is meant, are left out."""
    frame = read_results(FOLDER).fillna({"cause": "", "point": ""})
    failed = frame["outcome"] != "converged"
    is_summed = frame["sgd.reduction"] == "sum"
    conditions = [
        (frame["init"] == "unit") & failed,
        is_summed & (frame["outcome"] == "stuck"),
        (frame["init"] == "gaussian") & (frame["outcome"] == "partial"),
        (frame["init"] == "zeros") & failed,
        (frame["init"] == "half") & ~is_summed & ~failed,
    ]
    frame["kind"] = np.select(conditions, KINDS, "")
    return frame[frame["kind"] != ""]


def groups(frame: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """(data, kind, networks) in the order in which they are shown."""
    return [
        (data, kind, group)
        for data in ("mnist_5k", "mnist")
        for kind in KINDS
        if len(group := frame[(frame["data"] == data) & (frame["kind"] == kind)])
    ]


def shares(frame: pd.DataFrame, column: str, values: tuple[str, ...]) -> str:
    """A row for each data set and kind: of the networks, how many have each value of a column."""
    rows = []
    for data, kind, group in groups(frame):
        row = {"data": data, "kind": kind, "n": len(group)}
        for value in values:
            if (frame[column] == value).any():
                row[value] = rate(group[column] == value)
        rows.append(row)
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def spectra(frame: pd.DataFrame) -> str:
    """A row for each data set and kind: medians, with the range of the middle 95 %, of gradient and curvature."""
    rows = []
    for data, kind, group in groups(frame):
        row = {"data": data, "kind": kind}
        for name in ("gradient_relative", "curvature_relative", "eigenvalue_least", "eigenvalue_greatest"):
            low, middle, high = np.nanquantile(group[name], [0.025, 0.5, 0.975])
            row[name] = f"{middle:.1e} [{low:.1e}, {high:.1e}]"
        row["near zero, median"] = f"{100 * group['eigenvalues_near_zero'].median():.1f} %"
        row["gradient exactly 0, median"] = f"{100 * group['gradient_zero'].median():.1f} %"
        rows.append(row)
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def escapes(frame: pd.DataFrame) -> str:
    """A row for each data set and kind: of the networks, how many have a better outcome after each way out."""
    rows = []
    for data, kind, group in groups(frame):
        tried = group.dropna(subset=[f"escaped_{name}" for name in WAYS_OUT])
        if len(tried):
            of_variant = {words: rate(tried[f"escaped_{name}"] == 1) for name, words in WAYS_OUT.items()}
            rows.append({"data": data, "kind": kind, **of_variant})
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def clearly_minimum(frame: pd.DataFrame) -> str:
    """How many of the networks that did not converge sit on a local minimum, as far as the curvature tells."""
    failed = frame[frame["kind"] != "healthy"]
    return "\n".join(
        [
            f"- of all that did not converge: {rate(failed['point'] == 'minimum')} on a minimum,"
            f" {rate(failed['point'] == 'flat')} on a plateau",
            *(
                f"- of {kind}, both data sets: {rate(group['point'] == 'minimum')} on a minimum,"
                f" {rate(group['point'] == 'flat')} on a plateau"
                for kind, group in failed.groupby("kind", sort=False)
            ),
        ]
    )


def thresholds(frame: pd.DataFrame) -> str:
    """How many networks from U[0, 1] are under other thresholds, both data sets together."""
    part = frame[frame["kind"] == KINDS[0]]
    larger = part[["gradient_relative", "curvature_relative"]].max(axis=1)
    return "\n".join(f"- both under {limit:g}: {rate(larger < limit)}" for limit in (1e-3, NEGLIGIBLE, 1e-1))


def summary() -> str:
    """summary.md, from the committed results: every number that the README quotes."""
    frame = results()
    sizes = "\n".join(f"- {len(group)} {kind}, on {data}" for data, kind, group in groups(frame))
    return f"""# Summary of results.csv

Printed by study.py. Networks 784-30-10 of logistic units, quadratic cost, rate 3.0:

{sizes}

Rates as count/n, percent, [95 % Wilson interval]. Gradient and curvature (the size of the largest eigenvalue) are
shares of a fresh network's; under {NEGLIGIBLE} they are negligible. Medians with the range of the middle 95 %.

## Is it a minimum?

{clearly_minimum(frame)}

## What kind of point

{shares(frame, "point", POINTS)}

## What is wrong

{shares(frame, "cause", CAUSES)}

## Gradient and curvature

{spectra(frame)}

Of the networks from U[0, 1], with other thresholds than {NEGLIGIBLE}:

{thresholds(frame)}

## Who gets out

{escapes(frame)}
"""


def draw(frame: pd.DataFrame) -> None:
    """points.png: each network by its gradient and its curvature; escapes.png: who gets out, and how."""
    figure, axes = figures.panels(2, 12, 4.6)
    for data, ax in zip(("mnist_5k", "mnist"), axes, strict=True):
        figures.point_map(frame[frame["data"] == data], KINDS, NEGLIGIBLE, ax)
        ax.set_title(data)
    figure.savefig(FOLDER / "points.png")
    figure, axes = figures.panels(2, 12, 4)
    for data, ax in zip(("mnist_5k", "mnist"), axes, strict=True):
        figures.escape_dots(frame[frame["data"] == data], KINDS[:-1], WAYS_OUT, ax)
        ax.set_title(data)
    axes[1].set_yticklabels([])
    axes[0].get_legend().remove()
    figure.savefig(FOLDER / "escapes.png")


def main() -> None:
    if sys.argv[1:] != ["analyse"]:
        # Two at a time: most have one cell, which one process trains and looks at.
        with ThreadPoolExecutor(2) as pool:
            for overrides in ([], ["data=mnist", "sgd.epochs=1"]):
                list(pool.map(lambda experiment: sweep(FOLDER, experiment, overrides=overrides), EXPERIMENTS))  # noqa: B023
        write_results(FOLDER, SETTINGS, MEASURED, with_plateau_ends)
    text = summary()
    (FOLDER / "summary.md").write_text(text)
    print(text)
    draw(results())


if __name__ == "__main__":
    main()
