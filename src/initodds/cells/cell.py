"""One cell: data -> init -> train -> judge -> diagnose. Plain arrays and dataclasses out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from initodds.cells import judging, objects
from initodds.cells.replicates import orders_of, train
from initodds.cells.settings import Settings
from initodds.cells.streams import ORDERS_ONWARD
from initodds.cells.subject import Subject, engine_of, steps_of, subject_of, warn
from initodds.datasets import Dataset
from initodds.datasets.tasks import Task
from initodds.engines.optimizers import State
from initodds.networks.network import Layer, Network
from initodds.training.history import History
from initodds.verdicts import outcomes
from initodds.verdicts.escape import Variant, escapes
from initodds.verdicts.outcomes import Judgement
from initodds.vocabulary import OUTCOMES

if TYPE_CHECKING:
    from initodds.verdicts.diagnosis import Diagnosis

Array = np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Cell:
    """A trained and judged cell. R replicates; arrays of length R are in the order of the replicates' numbers.

    settings: what was asked for.  subject: what they name, made.
    replicates: (R,) int, their numbers.  orders: (R,) int, the data order that each was trained in.
    seconds: wall time of training, its evaluations included.
    diagnosis: of the replicates that `settings.diagnosis.of` names, None where there is none such.
    escaped: for each way out that was tried, (M,) bool of the M replicates of the diagnosis; empty where none was.
    """

    settings: Settings
    subject: Subject
    replicates: Array
    orders: Array
    history: History
    judgement: Judgement
    seconds: float
    diagnosis: "Diagnosis | None" = None
    escaped: dict[str, Array] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        """The networks' shape and units."""
        return self.subject.network

    @property
    def data(self) -> Dataset:
        """What they were trained and judged on."""
        return self.subject.data

    @property
    def task(self) -> Task:
        """What was asked of them."""
        return self.subject.task

    @property
    def chance_level(self) -> float:
        """The score up to which a network counts as stuck."""
        return judging.chance_level_of(self.settings, self.subject)

    @property
    def best_constant_cost(self) -> float:
        """The least test cost of outputs that are the same for every example."""
        return self.subject.best_constant_cost

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.network.sizes))
        outcome = self.judgement.outcome.tolist()
        counts = ", ".join(f"{outcome.count(name)} {name}" for name in OUTCOMES if name in outcome)
        return f"<Cell: {len(outcome)} networks {sizes} on {self.data.name}: {counts}>"


class Observer(Protocol):
    """Is told how far a cell is."""

    def epoch(self, number: int = 1) -> None:
        """So many more of the `epochs_to_train` are done. Called from any thread, one at a time."""

    def stage(self, name: str) -> None:
        """What is being done after the training, in a few words."""


class Silent:
    """An observer that takes no notice."""

    def epoch(self, number: int = 1) -> None: ...

    def stage(self, name: str) -> None: ...


def run(
    settings: Settings,
    observer: Observer | None = None,
    first: int = 0,
    stop: int | None = None,
    subject: Subject | None = None,
) -> Cell:
    """Train, judge and diagnose the replicates of one cell, from number `first` to before `stop`, or to the last.

    subject: what the settings name, where it is made already, see `subject_of`; and has been warned of, see `warn`.
    Raises InputError where the data cannot be had, do not fit the network, or are fewer than the batch size, or where
    this machine's memory cannot hold so many networks at once.
    """
    observer = observer or Silent()
    if subject is None:
        subject = subject_of(settings)
        warn(settings, subject)
    stop = settings.replicates if stop is None else stop
    objects.require_room(settings, subject.network, stop - first)
    replicates = np.arange(first, stop)
    orders = orders_of(settings, replicates)
    drawn = [subject.drawing.replicate(settings.seed, int(replicate)) for replicate in replicates]
    start = time.perf_counter()
    history = train(settings, subject, drawn, orders, on_epoch=observer.epoch)
    seconds = time.perf_counter() - start
    judgement = judging.judge(settings, subject, history)
    trained = Cell(
        settings=settings,
        subject=subject,
        replicates=replicates,
        orders=orders,
        history=history,
        judgement=judgement,
        seconds=seconds,
    )
    members = np.flatnonzero(outcomes.among(judgement.outcome, settings.diagnosis.of))
    if not len(members):
        return trained
    outcome = judgement.outcome[members]
    curved = outcomes.among(outcome, settings.diagnosis.curvature)
    layers = [history.layers[member] for member in members]
    states = [history.states[member] for member in members] if history.states else []
    told = diagnose(settings, subject, layers, replicates[members], outcome, curved, observer.stage, states)
    escaped = escape_of(settings, subject, trained, members, observer) if settings.diagnosis.escape else {}
    return replace(trained, diagnosis=told, escaped=escaped)


def diagnose(
    settings: Settings,
    subject: Subject,
    layers: Sequence[Sequence[Layer]],
    replicates: Array,
    outcome: Array,
    curved: Array,
    on_step: Callable[[str], None] = lambda stage: None,
    states: Sequence[State] = (),
) -> "Diagnosis":
    """The diagnosis of M trained networks of a cell, from their `layers`.

    replicates: (M,) int, their numbers.  outcome: (M,) str.  curved: (M,) bool, whose point is to be told.
    states: what the optimizer had kept of each of them, empty where that is not known, or nothing was kept.
    on_step: called often, with what is being done in a few words.
    """
    from initodds.verdicts import diagnosis  # late: SciPy's parts that it needs take long to import
    from initodds.verdicts.steps import Step

    steps = steps_of(settings, subject)
    step = Step(
        optimizer=objects.optimizer(settings),
        scale=float(settings.sgd.batch_size) if settings.sgd.reduction == "sum" else 1.0,
        taken=steps,
        factors=objects.schedule(settings).ends(steps // settings.sgd.epochs, settings.sgd.epochs),
        states=states,
    )
    return diagnosis.diagnose(
        subject.network,
        subject.task,
        layers,
        lambda member: subject.drawing.replicate(settings.seed, int(replicates[member])),
        subject.data.train,
        replicates=replicates,
        converged=outcome == "converged",
        curved=curved,
        dtype=np.dtype(settings.dtype),
        dead_recall=settings.outcome.dead_recall,
        step=step,
        on_step=on_step,
    )


def escape_of(settings: Settings, subject: Subject, cell: Cell, members: Array, observer: Observer) -> dict[str, Array]:
    """Which of the networks at the places `members` (M,) of a trained cell get out, by each way that is tried. The
    optimizer goes on with what it had kept; a schedule of the learning rate begins anew."""
    states = [cell.history.states[member] for member in members]

    def retrain(layers: Sequence[Sequence[Layer]], variant: Variant) -> Array:
        observer.stage(f"escape, {variant.name}")
        epochs, rate = settings.sgd.epochs * variant.steps, settings.sgd.learning_rate * variant.rate
        sgd = settings.sgd.model_copy(update={"epochs": epochs, "learning_rate": rate, "checkpoints": 0})
        changed = settings.model_copy(update={"sgd": sgd, "dtype": variant.dtype or settings.dtype})
        trained = replace(subject, engine=engine_of(changed, subject.network))
        after = train(changed, trained, layers, cell.orders[members], ORDERS_ONWARD, states=states)
        return judging.judge(settings, subject, after).outcome

    return escapes([cell.history.layers[member] for member in members], cell.judgement.outcome[members], retrain)
