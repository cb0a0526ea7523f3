"""One cell: data -> init -> train -> judge -> diagnose. Plain arrays and dataclasses out."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np

from initodds.cells import objects
from initodds.cells.drawing import Drawing
from initodds.cells.settings import Settings
from initodds.cells.streams import ORDERS, ORDERS_ONWARD, random_stream
from initodds.cells.threads import in_threads, threads
from initodds.datasets import Dataset
from initodds.datasets.tasks import UNTOLD, Task, task_of
from initodds.engines import Engine, Problem
from initodds.engines.auto import Auto
from initodds.engines.optimizers import State
from initodds.networks.network import Layer, Network
from initodds.training import loop
from initodds.training.evaluation import evaluate
from initodds.training.history import History, gather
from initodds.verdicts import outcomes
from initodds.verdicts.escape import Variant, escapes
from initodds.verdicts.outcomes import Judgement
from initodds.vocabulary import OUTCOMES, InputError

if TYPE_CHECKING:
    from initodds.verdicts.diagnosis import Diagnosis

Array = np.ndarray

logger = logging.getLogger(__name__)

STEPS_TIMED = 5

WORK_AT_ONCE = 2 * 10**11
"""Multiplications, of a pass forward, by the networks of a portion of a cell: a minute or so."""

MEMORY_AT_ONCE = 256 * 10**6
"""Bytes that the weights and curves of a portion may take."""

MOST_AT_ONCE = 1024
"""Networks of a portion: to diagnose so many may take another minute."""

# Training examples that an initializer which looks at data gets to see.
EXAMPLES_DRAWN_WITH = 256


@dataclass(frozen=True, eq=False)
class Subject:
    """What the settings of a cell name, made: what is learned, what learns it, and how."""

    data: Dataset
    task: Task
    network: Network
    drawing: Drawing
    engine: type[Engine]

    def warnings(self) -> list[str]:
        """What may be wrong with it, a line each."""
        targets = self.task.targets(self.data.train.y)
        least, greatest = self.network.head.bounded
        if targets.min() >= least and targets.max() <= greatest:
            return []
        targeted = f"from {targets.min():g} to {targets.max():g}"
        return [f"targets {targeted} are not all in the outputs' range, {least:g} to {greatest:g}: see network.output"]


@dataclass(frozen=True, eq=False, repr=False)
class Cell:
    """A trained and judged cell. R replicates; arrays of length R are in the order of the replicates' numbers.

    settings: what was asked for.  subject: what they name, made.
    replicates: (R,) int, their numbers.  orders: (R,) int, the data order that each was trained in.
    chance_level: the score up to which a network counts as stuck.
    best_constant_cost: the least test cost of outputs that are the same for every example.
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
    chance_level: float
    best_constant_cost: float
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
    chance_level = chance_level_of(settings, subject)
    best_constant_cost = subject.network.head.best_constant_cost(subject.task.targets(subject.data.test.y))
    judgement = outcomes.judge(history, chance_level, rule_of(settings), stuck_cost_of(subject, best_constant_cost))
    trained = Cell(
        settings=settings,
        subject=subject,
        replicates=replicates,
        orders=orders,
        history=history,
        judgement=judgement,
        chance_level=chance_level,
        best_constant_cost=best_constant_cost,
        seconds=seconds,
    )
    members = np.flatnonzero(outcomes.among(trained.judgement.outcome, settings.diagnosis.of))
    if not len(members):
        return trained
    outcome = trained.judgement.outcome[members]
    curved = outcomes.among(outcome, settings.diagnosis.curvature)
    layers = [history.layers[member] for member in members]
    states = [history.states[member] for member in members] if history.states else []
    told = diagnose(settings, subject, layers, replicates[members], outcome, curved, observer.stage, states)
    escaped = escape_of(settings, subject, trained, members, observer) if settings.diagnosis.escape else {}
    return replace(trained, diagnosis=told, escaped=escaped)


def subject_of(settings: Settings) -> Subject:
    """Raises InputError where the data cannot be had, or do not fit the network or the outcome's rule."""
    data = objects.dataset(settings)
    if settings.outcome.every_example and data.task != "classification":
        accepted = f"false for a {data.task}, as {data.name} is one, whose examples are not right or wrong"
        raise InputError(f"outcome.every_example=true: {accepted}")
    low, high = settings.network.targets
    task = task_of(data, settings.network.outputs, (low, high))
    network = objects.network(settings, data.features, task.outputs)
    targets = task.targets(data.train.y)
    if network.head.needs_shares and (targets.min() < 0 or targets.max() > 1):
        targeted = f"network.cost={settings.network.cost}: targets from {targets.min():g} to {targets.max():g}"
        raise InputError(f"{targeted}; it needs targets from 0 to 1, see network.targets and data.scale_targets")
    drawing = Drawing(objects.initializer(settings), network, data.train.x[:EXAMPLES_DRAWN_WITH])
    return Subject(data, task, network, drawing, engine_of(settings, network))


def engine_of(settings: Settings, network: Network) -> type[Engine]:
    """The engine that trains such networks."""
    engine = objects.engine(settings)
    if issubclass(engine, Auto):
        return engine.choice(network, objects.optimizer(settings), np.dtype(settings.dtype))
    return engine


def chance_level_of(settings: Settings, subject: Subject) -> float:
    """The score up to which a network has learned nothing. What is judged on all that there is to learn, as XOR, is no
    sample of anything, so that any score over it is told from it."""
    is_sample = subject.data.test is not subject.data.train
    return subject.task.chance_level(subject.data.test.y, settings.outcome.standard_errors if is_sample else 0.0)


def stuck_cost_of(subject: Subject, best_constant_cost: float) -> float:
    """The cost under which a network has learned something, whatever its score, see `outcomes.judge`."""
    return (1 - UNTOLD) * best_constant_cost if subject.data.test is subject.data.train else 0.0


def rule_of(settings: Settings) -> outcomes.Rule:
    """The rule that gives the settings' replicates their outcome."""
    return outcomes.Rule(**settings.outcome.model_dump())


def train(
    settings: Settings,
    subject: Subject,
    layers: Sequence[Sequence[Layer]],
    orders: Array,
    stream: int = ORDERS,
    on_epoch: Callable[[int], None] = lambda number: None,
    states: Sequence[State] = (),
) -> History:
    """Train R networks from their `layers`, each in its own of the data `orders` (R,) of a random stream; with the
    optimizer as it is, or as it was left with the `states` of an earlier training."""
    data, task = subject.data, subject.task
    problem = problem_of(settings, subject)
    number = threads() if subject.engine.in_threads else 1
    shared = settings.sgd.orders is not None
    stacks = stacks_of(orders, shared, subject.engine.side_by_side, number)
    one_at_a_time = Lock()

    def train_stack(members: Array, go_on: Callable[[], None]) -> History:
        def on_epochs(epochs: int) -> None:
            go_on()
            with one_at_a_time:
                on_epoch(epochs * len(members))

        kept = {"states": [states[member] for member in members]} if states else {}
        numbers = orders[members][:1] if shared else orders[members]
        with one_at_a_time:
            engine = subject.engine(problem, [layers[member] for member in members], **kept)
        return loop.train(
            engine,
            len(data.train),
            lambda stack: evaluate(stack, data.test, task),
            batch_size=settings.sgd.batch_size,
            epochs=settings.sgd.epochs,
            checkpoints=settings.sgd.checkpoints,
            orders=[random_stream(settings.seed, stream, order) for order in numbers],
            schedule=objects.schedule(settings),
            keep_states=keeps_states(settings),
            on_epochs=on_epochs,
        )

    return gather(in_threads(train_stack, stacks, number), [members.tolist() for members in stacks])


def problem_of(settings: Settings, subject: Subject) -> Problem:
    """What the engine is given."""
    return Problem(
        network=subject.network,
        x=subject.data.train.x,
        targets=subject.task.targets(subject.data.train.y).astype(settings.dtype),
        optimizer=objects.optimizer(settings),
        reduction=settings.sgd.reduction,
        dtype=np.dtype(settings.dtype),
    )


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


def keeps_states(settings: Settings) -> bool:
    """Whether what the optimizer has kept at the end is of use: an escape goes on with it, and a diagnosis asks what
    one more step would do."""
    asks = settings.diagnosis.of != "none" or settings.diagnosis.keep_weights != "none"
    return settings.diagnosis.escape or (asks and objects.optimizer(settings).remembers)


def escape_of(settings: Settings, subject: Subject, cell: Cell, members: Array, observer: Observer) -> dict[str, Array]:
    """Which of the networks at the places `members` (M,) of a trained cell get out, by each way that is tried. The
    optimizer goes on with what it had kept; a schedule of the learning rate begins anew."""
    stuck_cost = stuck_cost_of(subject, cell.best_constant_cost)
    states = [cell.history.states[member] for member in members]

    def retrain(layers: Sequence[Sequence[Layer]], variant: Variant) -> Array:
        observer.stage(f"escape, {variant.name}")
        epochs, rate = settings.sgd.epochs * variant.steps, settings.sgd.learning_rate * variant.rate
        sgd = settings.sgd.model_copy(update={"epochs": epochs, "learning_rate": rate, "checkpoints": 0})
        changed = settings.model_copy(update={"sgd": sgd, "dtype": variant.dtype or settings.dtype})
        trained = replace(subject, engine=engine_of(changed, subject.network))
        after = train(changed, trained, layers, cell.orders[members], ORDERS_ONWARD, states=states)
        return outcomes.judge(after, cell.chance_level, rule_of(settings), stuck_cost).outcome

    return escapes([cell.history.layers[member] for member in members], cell.judgement.outcome[members], retrain)


def steps_of(settings: Settings, subject: Subject) -> int:
    """How many steps a replicate is trained for."""
    return -(-len(subject.data.train) // settings.sgd.batch_size) * settings.sgd.epochs


def warn(settings: Settings, subject: Subject) -> None:
    """Log what may be wrong with a cell, before its first replicates are trained."""
    lines = subject.warnings()
    if subject.engine.side_by_side == 1 and settings.replicates > 1:
        lines.insert(0, slowness(settings, subject))
    for line in lines:
        logger.warning(line)


def slowness(settings: Settings, subject: Subject) -> str:
    """What to say of an engine that trains the replicates one after another: how long that will take, from a few steps
    of one network."""
    rows = np.arange(settings.sgd.batch_size)[None]
    trial = subject.engine(problem_of(settings, subject), [subject.drawing.replicate(settings.seed, 0)])
    start = time.perf_counter()
    trial.steps(np.repeat(rows, STEPS_TIMED, axis=0))
    seconds = (time.perf_counter() - start) / STEPS_TIMED
    steps = steps_of(settings, subject) * settings.replicates
    return (
        f"engine {subject.engine.__name__} trains the {settings.replicates} replicates one after another, which will"
        f" take about {seconds * steps:.0f} s; engine=auto takes the same steps faster"
    )


def orders_of(settings: Settings, replicates: Array) -> Array:
    """The number of the data order of each of the replicates (R,): its own, or one of `sgd.orders` that they share."""
    return replicates if settings.sgd.orders is None else replicates % settings.sgd.orders


def stacks_of(orders: Array, shared: bool, side_by_side: int, threads: int = 1) -> list[Array]:
    """The places of each stack that R networks with these data orders (R,) are trained in: up to `side_by_side`, all of
    one order where orders are `shared`, and so many stacks that each thread has as much to do."""
    groups = [np.flatnonzero(orders == order) for order in np.unique(orders)] if shared else [np.arange(len(orders))]
    stacks = []
    for group in groups:
        number = -(-len(group) // side_by_side)
        stacks += np.array_split(group, min(len(group), -(-number // threads) * threads))
    return stacks


def portions(settings: Settings, subject: Subject, first: int = 0) -> Iterator[tuple[int, int]]:
    """The replicates of a cell from number `first` on, cut into portions, each from a number to before another, that
    are to be trained and kept one after another: so few that memory does not grow with their number, and that not much
    is lost where the training is interrupted."""
    sgd = settings.sgd
    multiplications = subject.network.parameters * len(subject.data.train) * sgd.epochs
    by_work = max(WORK_AT_ONCE // multiplications, subject.engine.side_by_side)
    size = max(1, min(by_work, MOST_AT_ONCE, MEMORY_AT_ONCE // objects.memory(settings, subject.network, 1)))
    for start in range(first, settings.replicates, size):
        yield start, min(start + size, settings.replicates)


def epochs_to_train(settings: Settings, first: int = 0) -> int:
    """How many epochs the cell consists of from replicate `first` on, each counted once for each network: the unit of
    its progress."""
    return (settings.replicates - first) * settings.sgd.epochs
