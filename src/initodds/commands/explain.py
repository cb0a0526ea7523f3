"""The command `initodds-explain`: why is this network stuck? From a run's stored weights, without training again.

What reads tables and what diagnoses take as long to import as `--start` may take, and are imported late.
"""

import argparse
import sys
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from tabulate import tabulate

from initodds.cells import config
from initodds.cells.judging import outcomes_of
from initodds.cells.settings import Settings
from initodds.cells.subject import subject_of
from initodds.commands.manners import Parser, ends_in_a_line, ends_with_its_reader
from initodds.networks.network import Stack
from initodds.networks.weights_files import read_layers
from initodds.tracking.store import DEFAULT_EXPERIMENT, DEFAULT_URI
from initodds.training.evaluation import evaluate
from initodds.verdicts.start import in_words, start_of
from initodds.vocabulary import InputError

if TYPE_CHECKING:
    from initodds.verdicts.diagnosis import Diagnosis

STARTS = 32
"""Networks of a cell that are looked at before their training."""


@ends_with_its_reader()
@ends_in_a_line("initodds-explain")
def main() -> None:
    """The command `initodds-explain`: why a network is stuck, from its stored weights; or what an init does before any
    training."""
    parser = Parser(prog="initodds-explain", description=main.__doc__)
    parser.add_argument(
        "asked",
        metavar="RUN_ID | KEY=VALUE",
        nargs="*",
        help="a replicate's run, or a cell's for all its stored networks; or the first characters of its id. With"
        " --start or --weights, a cell as initodds takes it",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--start", action="store_true", help="look at a cell's networks before any training")
    what.add_argument(
        "--weights",
        metavar="FILE",
        help="look at a trained network from elsewhere, of the cell's data and network: npz, safetensors, .pt or .pth"
        " (a state_dict), .keras, .h5",
    )
    parser.add_argument("--uri", help=f"tracking URI, of a RUN_ID (default: {DEFAULT_URI})")
    parser.add_argument("--experiment", help=f"of a RUN_ID (default: {DEFAULT_EXPERIMENT})")
    parser.add_argument("--data-root", help="folder with the data set's files, where it has any (default: as trained)")
    options = parser.parse_args()
    print(_answer(options))


def _answer(options: argparse.Namespace) -> str:
    """What there is to say. Raises InputError for what is not accepted."""
    is_run = len(options.asked) == 1 and "=" not in options.asked[0]
    if options.start or options.weights:
        flag = "--start" if options.start else "--weights"
        if stray := [text for text in options.asked if "=" not in text]:
            raise InputError(f"{stray[0]}: {flag} takes a cell as initodds does, KEY=VALUE ...")
        if idle := [name for name in ("uri", "experiment") if getattr(options, name)]:
            raise InputError(f"--{idle[0]}: goes with a RUN_ID; {flag} reads nothing that is tracked")
        root = [f"data.root={options.data_root}"] if options.data_root else []
        settings = config.settings_of([*options.asked, *root])
        return report_start(settings) if options.start else report_weights(settings, options.weights)
    if not is_run:
        raise InputError("one RUN_ID is needed; --start KEY=VALUE ... looks at a cell before any training")
    from initodds.commands.stored import diagnose_run, find_run
    from initodds.tracking import loading

    store = loading.open_store(options.uri or DEFAULT_URI, options.experiment or DEFAULT_EXPERIMENT, "--uri")
    diagnosis = diagnose_run(store, find_run(store, options.asked[0]), options.data_root, _show)
    numbers = enumerate(diagnosis.replicates)
    return "\n\n".join(report(diagnosis, member, f"replicate {number}") for member, number in numbers)


def report_weights(settings: Settings, path: str) -> str:
    """What is to say of a network that was trained elsewhere, whose weights are in a file: its outcome, why, and the
    numbers behind it.

    Raises InputError where the data cannot be had, or the file does not have the weights of such a network.
    """
    from initodds.verdicts.diagnosis import diagnose

    subject = subject_of(settings)
    network, task = subject.network, subject.task
    layers = read_layers(path, network)
    dtype = np.dtype(np.float64)
    seen = evaluate(Stack(network, [layers], dtype), subject.data.test, task)
    (outcome,) = outcomes_of(settings, subject, seen, finite=np.ones(1, bool))
    diagnosis = diagnose(
        network,
        task,
        [layers],
        None,
        subject.data.train,
        replicates=[0],
        converged=np.array([outcome == "converged"]),
        curved=np.ones(1, bool),
        dtype=dtype,
        dead_recall=settings.outcome.dead_recall,
        on_step=_show,
    )
    judged_on = "test" if subject.judged_on_sample else "training"
    score = f"{task.score_name} {seen.score[0]:.4g} and cost {seen.cost[0]:.4g} on the {judged_on} set"
    return report(diagnosis, 0, f"{path}: {outcome}, {score}")


def report_start(settings: Settings) -> str:
    """What the init of a cell does before any training: a row a layer, of at most `STARTS` of its networks, and words.

    Raises InputError where the data cannot be had or do not fit.
    """
    subject = subject_of(settings)
    replicates = range(min(settings.replicates, STARTS))
    layers = [subject.drawing.replicate(settings.seed, replicate) for replicate in replicates]
    start = start_of(subject.network, subject.task, layers, subject.data.train)
    names = [*(entry.name or type(entry).__name__ for entry in subject.network.activations), "outputs"]
    flat = [*(entry.flat_word for entry in subject.network.activations), "pinned"]
    rows = [
        [
            f"{layer + 1} {name}",
            subject.network.sizes[layer + 1],
            _median(start.size[:, layer]),
            f"{start.expected_size[:, layer].mean():.3g}",
            _median(start.spread[:, layer]),
            f"{100 * start.flat[:, layer].mean():.0f}% {word}",
            f"{100 * start.flat_examples[:, layer].mean():.0f}%",
            "" if np.isnan(start.expected_flat[0, layer]) else f"{100 * start.expected_flat[:, layer].mean():.0f}%",
            _median(start.gradient[:, layer]),
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


def _median(values: np.ndarray) -> str:
    """`2.1 (1.9 to 2.4)`."""
    return f"{np.median(values):.3g} ({values.min():.3g} to {values.max():.3g})"


def _show(stage: str) -> None:
    """Show what is being done, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{stage:<40}", end="", file=sys.stderr)


def report(diagnosis: "Diagnosis", member: int, name: str) -> str:
    """What is to say of the network at place `member` of a diagnosis: the words, under its name, and the numbers behind
    them."""
    from initodds.tracking import records

    row = records.diagnosis_frame(diagnosis, {}).iloc[member]
    numbers = row.drop(["replicate", "cause", "point", "explanation"]).dropna()
    lines = [f"  {key:24} {value:.4g}" for key, value in numbers.items()]
    head = f"{name}: {row['cause']}" + (f", {row['point']}" if row["point"] else "")
    return "\n".join([head, "", row["explanation"], "", *lines])


if __name__ == "__main__":
    main()
