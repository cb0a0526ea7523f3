"""One cell from Python: asked for in the command line's words, run in this process, and tracked nowhere."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from initodds.cells import cell, config
from initodds.cells.cell import Cell
from initodds.cells.settings import Settings
from initodds.vocabulary import InputError

if TYPE_CHECKING:
    from initodds.verdicts.diagnosis import Diagnosis


def settings(*overrides: str) -> Settings:
    """The settings that `initodds` has with these overrides, in the same words: every key, whatever was not set too.

    Raises InputError for the first that is not accepted.

    >>> asked = settings("init=unit", "sgd.batch_size=100")
    >>> asked.init["low"], asked.init["high"], asked.sgd.batch_size, asked.sgd.learning_rate
    (0.0, 1.0, 100, 3.0)
    """
    return config.settings_of(overrides)


def run(*asked: str | Settings) -> Cell:
    """Train, judge and diagnose the networks of one cell: as `settings` has it, or as these overrides do.

    What the command does, number for number, but that nothing is tracked. Raises InputError for what is not accepted,
    and where the data cannot be had or do not fit the network.

    >>> xor = "data=xor", "sgd.batch_size=4", "sgd.learning_rate=5", "sgd.epochs=1000"
    >>> run(*xor, "network.hidden=[8]", "replicates=5")
    <Cell: 5 networks 2-8-1 on xor: 5 converged>
    """
    if len(asked) == 1 and isinstance(asked[0], Settings):
        return cell.run(asked[0])
    overrides = [text for text in asked if isinstance(text, str)]
    if len(overrides) < len(asked):
        raise InputError(
            "run takes overrides, as run('init=unit', 'replicates=8'), or settings alone, as run(settings)"
        )
    return cell.run(config.settings_of(overrides))


def diagnose(trained: Cell, replicates: Iterable[int] | None = None, curvature: bool = True) -> "Diagnosis":
    """The diagnosis of the networks of a trained cell: of all, or of the replicates with these numbers, in their order.

    curvature: whether the kind of point is told that each sits on, which takes most of the time: up to 0.2 s a network
        on mnist_5k.

    `explain` has it in words. Raises InputError where the cell has no replicate of a number, or none is named.

    >>> trained = run("data=xor", "network.hidden=[2]", "init=zeros", "sgd.batch_size=4", "replicates=2")
    >>> diagnose(trained, [1], curvature=False).cause.tolist()
    ['symmetric']
    """
    numbers = trained.replicates if replicates is None else np.array(list(replicates), int)
    unknown = np.setdiff1d(numbers, trained.replicates)
    if len(unknown) or not len(numbers):
        known = f"{trained.replicates[0]} to {trained.replicates[-1]}"
        raise InputError(f"replicates={numbers.tolist()}: numbers of the cell's replicates, {known}")
    places = np.searchsorted(trained.replicates, numbers)
    history, outcome = trained.history, trained.judgement.outcome[places]
    layers, states = history.layers, history.states
    return cell.diagnose(
        trained.settings,
        trained.subject,
        [layers[place] for place in places],
        numbers,
        outcome,
        curved=np.full(len(places), curvature),
        states=[states[place] for place in places] if states else [],
    )
