"""The command `initodds-explain`: why is this network stuck? From a run's stored weights, without training again."""

import argparse
import os
import re
import sys
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from tabulate import tabulate

from initodds.cells import cell, config
from initodds.cells.settings import Settings
from initodds.commands.pipe import ends_with_its_reader
from initodds.networks.network import Stack
from initodds.networks.weights_files import read_layers
from initodds.tracking import loading, reading, records, stored_settings
from initodds.tracking.store import Store, search
from initodds.training.evaluation import evaluate
from initodds.verdicts import diagnosis
from initodds.verdicts.diagnosis import Diagnosis
from initodds.verdicts.explanation import explain
from initodds.verdicts.start import in_words, start_of
from initodds.vocabulary import InputError, one_line

STARTS = 32
"""Networks of a cell that are looked at before their training."""


@ends_with_its_reader()
def main() -> None:
    """The command `initodds-explain`: why a network is stuck, from its stored weights; or what an init does before any
    training."""
    parser = argparse.ArgumentParser(prog="initodds-explain", description=main.__doc__)
    parser.add_argument(
        "asked",
        metavar="RUN_ID | KEY=VALUE",
        nargs="*",
        help="a replicate's run, or a cell's for all its stored networks; or the first characters of its id. With"
        " --start or --weights, a cell as initodds takes it",
    )
    parser.add_argument("--start", action="store_true", help="look at a cell's networks before any training")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="look at a trained network from elsewhere, of the cell's data and network: npz, safetensors, .pt or .pth"
        " (a state_dict), .keras, .h5",
    )
    parser.add_argument("--uri", default=loading.DEFAULT_URI, help="tracking URI (default: %(default)s)")
    parser.add_argument("--experiment", default=loading.DEFAULT_EXPERIMENT, help="default: %(default)s")
    parser.add_argument("--data-root", help="folder with the data set's files, where it has any (default: as trained)")
    options = parser.parse_args()
    try:
        print(_answer(options))
    except InputError as error:
        sys.exit(f"initodds-explain: {one_line(error)}")


def _answer(options: argparse.Namespace) -> str:
    """What there is to say. Raises InputError for what is not accepted."""
    is_run = len(options.asked) == 1 and "=" not in options.asked[0]
    if options.start or options.weights:
        flag = "--start" if options.start else "--weights"
        if stray := [text for text in options.asked if "=" not in text]:
            raise InputError(f"{stray[0]}: {flag} takes a cell as initodds does, KEY=VALUE ...")
        settings = config.settings_of(options.asked)
        return report_start(settings) if options.start else report_weights(settings, options.weights)
    if not is_run:
        raise InputError("one RUN_ID is needed; --start KEY=VALUE ... looks at a cell before any training")
    store = loading.open_store(options.uri, options.experiment, "--uri")
    found = diagnose_run(store, find_run(store, options.asked[0]), options.data_root)
    return "\n\n".join(report(found, at) for at in range(len(found.replicates)))


def report_weights(settings: Settings, path: str) -> str:
    """What is to say of a network that was trained elsewhere, whose weights are in a file: what it scores, why, and the
    numbers behind it.

    Raises InputError where the data cannot be had, or the file does not have the weights of such a network.
    """
    subject = cell.subject_of(settings)
    layers = read_layers(path, subject.network)
    dtype = np.dtype(np.float64)
    seen = evaluate(Stack(subject.network, [layers], dtype), subject.data.test, subject.task)
    dead = (seen.part_scores < settings.outcome.dead_recall).any(axis=1)
    found = diagnosis.diagnose(
        subject.network,
        subject.task,
        [layers],
        None,
        subject.data.train,
        replicates=[0],
        converged=(seen.score >= settings.outcome.target) & ~dead,
        curved=np.ones(1, bool),
        dtype=dtype,
        dead_recall=settings.outcome.dead_recall,
        on_step=_show,
    )
    score = f"{subject.task.score_name} {seen.score[0]:.4g} and cost {seen.cost[0]:.4g} on the test set"
    return report(found, 0).replace("replicate 0", f"{path}: {score}", 1)


def report_start(settings: Settings) -> str:
    """What the init of a cell does before any training: a row a layer, of at most `STARTS` of its networks, and words.

    Raises InputError where the data cannot be had or do not fit.
    """
    subject = cell.subject_of(settings)
    replicates = range(min(settings.replicates, STARTS))
    layers = [subject.drawing.replicate(settings.seed, replicate) for replicate in replicates]
    start = start_of(subject.network, subject.task, layers, subject.data.train)
    names = [*(entry.name or type(entry).__name__ for entry in subject.network.activations), "outputs"]
    flat = [*(entry.flat_word for entry in subject.network.activations), "pinned"]
    rows = [
        [
            f"{layer + 1} {name}",
            subject.network.sizes[layer + 1],
            _range(start.size[:, layer]),
            f"{start.expected_size[:, layer].mean():.3g}",
            _range(start.spread[:, layer]),
            f"{100 * start.flat[:, layer].mean():.0f}% {word}",
            f"{100 * start.flat_examples[:, layer].mean():.0f}%",
            "" if np.isnan(start.expected_flat[0, layer]) else f"{100 * start.expected_flat[:, layer].mean():.0f}%",
            _range(start.gradient[:, layer]),
        ]
        for layer, (name, word) in enumerate(zip(names, flat, strict=True))
    ]
    headers = ["layer", "units", "size of z", "theory", "spread of z", "units", "examples", "theory", "gradient"]
    table = tabulate(rows, headers, tablefmt="simple", disable_numparse=True)
    count = len(layers)
    note = (
        f"{count} networks before the first step: median (least to greatest). size, spread of z: of pre-activations,"
        " over examples and units, and of a unit over the examples; units: flat on nearly every example; examples: on"
        " which a unit is flat; gradient: its norm by the layer. theory: from the weights' mean and variance alone."
    )
    return "\n\n".join([f"replicate 0: {in_words(start, 0)}", table, fill(note, 120)])


def _range(values: np.ndarray) -> str:
    """`2.1 (1.9 to 2.4)`."""
    return f"{np.median(values):.3g} ({values.min():.3g} to {values.max():.3g})"


def diagnose_run(store: Store, run: Any, data_root: str | None) -> Diagnosis:
    """The diagnosis, curvature included, of the networks whose weights a replicate's or a cell's run of MLflow's has.

    Raises InputError where its weights were not kept, or the data are no longer the same.
    """
    is_replicate = run.data.tags.get("level") == "replicate"
    cell_id = run.data.tags["mlflow.parentRunId"] if is_replicate else run.info.run_id
    arrays = weights_of(store, cell_id, int(run.data.params["replicate"]) if is_replicate else None)
    stored = reading.read_settings(store, cell_id)
    settings = with_data_root(stored_settings.validated(stored, f"run {cell_id}"), data_root)
    subject = cell.subject_of(settings)
    data = subject.data
    if data.sha256 != stored.data_sha256:
        raise InputError(f"RUN_ID={cell_id}: the data set {data.name} is not the one that it was trained on any more")
    rows = reading.read_replicates(store, cell_id).set_index("replicate").loc[arrays["replicates"]]
    outcome = rows["outcome"].to_numpy(dtype=str)
    curved = np.ones(len(rows), bool)
    return cell.diagnose(settings, subject, records.layers_of(arrays), arrays["replicates"], outcome, curved, _show)


def _show(stage: str) -> None:
    """Show what is being done, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{stage:<40}", end="", file=sys.stderr)


def weights_of(store: Store, cell_id: str, replicate: int | None) -> dict[str, np.ndarray]:
    """The arrays of a cell's `records.weights_arrays`, of one replicate or of all that it has.

    Raises InputError where they were not kept.
    """
    not_kept = "its weights were not kept; diagnosis.keep_weights says whose are"
    if records.WEIGHTS not in [file.path for file in store.client.list_artifacts(cell_id)]:
        raise InputError(f"RUN_ID={cell_id}: {not_kept}")
    arrays = reading.read_arrays(store, cell_id, records.WEIGHTS)
    if replicate is None:
        return arrays
    chosen = arrays["replicates"] == replicate
    if not chosen.any():
        raise InputError(f"RUN_ID={cell_id}: replicate {replicate}: {not_kept}")
    return {name: array[chosen] for name, array in arrays.items()}


def find_run(store: Store, beginning: str) -> Any:
    """The finished run of a cell or a replicate whose id begins so.

    Raises InputError where there is none, several, or the cell has not come to its end.
    """
    runs = search(store, f"attributes.run_id LIKE '{beginning}%'") if re.fullmatch("[0-9a-f]+", beginning) else []
    if not runs:
        raise InputError(f"RUN_ID={beginning}: there is no such run; the id of a replicate's or a cell's")
    if len(runs) > 1:
        ids = ", ".join(run.info.run_id for run in runs[:5])
        raise InputError(f"RUN_ID={beginning}: {len(runs)} runs begin so, {ids}; more of the id is needed")
    (run,) = runs
    level, status = run.data.tags.get("level", "run"), run.info.status
    if level not in ("cell", "replicate"):
        raise InputError(f"RUN_ID={beginning}: is a {level}; a replicate's or a cell's is needed")
    if status != "FINISHED":
        error = run.data.tags.get("error", "")
        raise InputError(
            f"RUN_ID={beginning}: was not trained to its end: {status.lower()}" + f", {error}" * bool(error)
        )
    return run


def with_data_root(settings: Settings, data_root: str | None) -> Settings:
    """The settings with the folder of the data as it is here: `data_root`, or the one that they were trained from while
    it is there, or the one that INITODDS_DATA names."""
    trained_from = settings.data.root or settings.data.load.get("root")
    if data_root is None and not (trained_from and Path(trained_from).is_dir()):
        data_root = os.environ.get("INITODDS_DATA")
    root = data_root or trained_from
    load = {**settings.data.load, "root": root} if "root" in settings.data.load else settings.data.load
    return settings.model_copy(update={"data": settings.data.model_copy(update={"root": root, "load": load})})


def report(found: Diagnosis, at: int) -> str:
    """What is to say of one network: its number, the words, and the numbers behind them."""
    row = records.diagnosis_frame(found, {}).iloc[at]
    numbers = row.drop(["replicate", "cause", "point", "explanation"]).dropna()
    lines = [f"  {name:24} {value:.4g}" for name, value in numbers.items()]
    head = f"replicate {row['replicate']}: {row['cause']}" + (f", {row['point']}" if row["point"] else "")
    return "\n".join([head, "", explain(found, at), "", *lines])


if __name__ == "__main__":
    main()
