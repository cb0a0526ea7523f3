"""One cell: data -> init -> train -> judge -> diagnose. Plain arrays and dataclasses out."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from initodds.cells import config
from initodds.cells.config import Settings
from initodds.datasets import Dataset
from initodds.engines.sequential import Sequential
from initodds.initializers import Initializer, draw_network
from initodds.networks.network import Layer, Network
from initodds.training import loop
from initodds.training.loop import History
from initodds.verdicts import outcomes
from initodds.verdicts.escape import Variant, escapes
from initodds.verdicts.outcomes import Judgement

if TYPE_CHECKING:
    from initodds.verdicts.diagnosis import Diagnosis

Array = np.ndarray

logger = logging.getLogger(__name__)

# Replicates trained side by side. Measured on 784-30-10: from 32 on the step gains nothing more, and the weights of 32
# (2.8 MB) fit the cache of any processor.
STACK = 32

STEPS_TIMED = 5

# Random streams of a seed: a replicate's weights, a data order, and a data order for training on after the end.
WEIGHTS, ORDERS, ORDERS_ONWARD = range(3)


@dataclass(frozen=True, eq=False)
class Cell:
    """A trained and judged cell. R replicates; arrays of length R are in the order of the replicates' numbers.

    replicates: (R,) int, their numbers.  orders: (R,) int, the data order that each was trained in.
    chance_level: the accuracy up to which a network counts as stuck.
    best_constant_cost: the least test cost of outputs that do not depend on the image.
    seconds: wall time of training, its evaluations included.
    diagnosis: of the replicates that `settings.diagnosis.of` names, None where there is none such.
    escaped: for each way out that was tried, (M,) bool of the M replicates of the diagnosis; empty where none was.
    """

    network: Network
    data: Dataset
    replicates: Array
    orders: Array
    history: History
    judgement: Judgement
    chance_level: float
    best_constant_cost: float
    seconds: float
    diagnosis: "Diagnosis | None" = None
    escaped: dict[str, Array] = field(default_factory=dict)


class Observer(Protocol):
    """Is told how far a cell is."""

    def epoch(self) -> None:
        """One more of the `epochs_to_train` epochs is done."""

    def stage(self, name: str) -> None:
        """What is being done after the training, in a few words."""


class Silent:
    """An observer that takes no notice."""

    def epoch(self) -> None: ...

    def stage(self, name: str) -> None: ...


def run(settings: Settings, observer: Observer | None = None, first: int = 0) -> Cell:
    """Train, judge and diagnose the replicates of one cell, from number `first` to the last.

    Raises InputError where the data cannot be had, or the batch size is over its number of examples.
    """
    observer = observer or Silent()
    data = config.dataset(settings)
    sizes = (data.features, *settings.network.hidden, data.classes)
    network = Network(sizes, settings.network.activation, settings.network.cost)
    initializer, engine = config.initializer(settings), config.engine(settings)
    replicates = np.arange(first, settings.replicates)
    if issubclass(engine, Sequential) and len(replicates) > 1:
        logger.warning(slowness(settings, network, engine, data))
    start = time.perf_counter()
    initial = [draw(initializer, network, settings.seed, int(replicate)) for replicate in replicates]
    orders = replicates % settings.sgd.orders
    history = train(settings, network, data, initial, orders, on_epoch=observer.epoch)
    seconds = time.perf_counter() - start
    rule = rule_of(settings)
    judgement = outcomes.judge(history, data.test.y, rule)
    trained = Cell(
        network=network,
        data=data,
        replicates=replicates,
        orders=orders,
        history=history,
        judgement=judgement,
        chance_level=outcomes.chance_level(data.test.y, rule.standard_errors),
        best_constant_cost=outcomes.best_constant_cost(data.test.y, network.cost),
        seconds=seconds,
    )
    members = np.flatnonzero(outcomes.among(judgement.outcome, settings.diagnosis.of))
    if not len(members):
        return trained
    found = diagnose(settings, trained, [initial[member] for member in members], members, observer)
    escaped = escape_of(settings, trained, members, observer) if settings.diagnosis.escape else {}
    return replace(trained, diagnosis=found, escaped=escaped)


def rule_of(settings: Settings) -> outcomes.Rule:
    """The rule that gives the settings' replicates their outcome."""
    return outcomes.Rule(settings.outcome.target, settings.outcome.dead_recall, settings.outcome.standard_errors)


def train(
    settings: Settings,
    network: Network,
    data: Dataset,
    layers: Sequence[Sequence[Layer]],
    orders: Array,
    stream: int = ORDERS,
    on_epoch: Callable[[], None] = lambda: None,
) -> History:
    """Train R networks from their `layers`, each in its own of the data `orders` (R,) of a random stream."""
    engine, targets = config.engine(settings), np.eye(data.classes, dtype=settings.dtype)[data.train.y]
    stacks = list(stacks_of(orders))
    histories = [
        loop.train(
            engine(
                network,
                [layers[member] for member in members],
                data.train.x,
                targets,
                settings.sgd.learning_rate,
                settings.sgd.reduction,
                np.dtype(settings.dtype),
            ),
            len(data.train),
            data.test,
            batch_size=settings.sgd.batch_size,
            epochs=settings.sgd.epochs,
            checkpoints=settings.sgd.checkpoints,
            order=random_stream(settings.seed, stream, order),
            on_epoch=on_epoch,
        )
        for order, members in stacks
    ]
    return loop.gather(histories, [members.tolist() for _, members in stacks])


def diagnose(
    settings: Settings, cell: Cell, initial: Sequence[Sequence[Layer]], members: Array, observer: Observer
) -> "Diagnosis":
    """The diagnosis of the networks at the places `members` (M,) of a trained cell, which began as `initial`."""
    from initodds.verdicts import diagnosis  # late: SciPy's parts that it needs take long to import

    outcome = cell.judgement.outcome[members]
    return diagnosis.diagnose(
        cell.network,
        [cell.history.layers[member] for member in members],
        initial,
        cell.data.train,
        replicates=cell.replicates[members],
        converged=outcome == "converged",
        curved=outcomes.among(outcome, settings.diagnosis.curvature),
        dtype=np.dtype(settings.dtype),
        dead_recall=settings.outcome.dead_recall,
        on_step=observer.stage,
    )


def escape_of(settings: Settings, cell: Cell, members: Array, observer: Observer) -> dict[str, Array]:
    """Which of the networks at the places `members` (M,) of a trained cell get out, by each way that is tried."""

    def retrain(layers: Sequence[Sequence[Layer]], variant: Variant) -> Array:
        observer.stage(f"escape, {variant.name}")
        epochs, rate = settings.sgd.epochs * variant.steps, settings.sgd.learning_rate * variant.rate
        sgd = settings.sgd.model_copy(update={"epochs": epochs, "learning_rate": rate, "checkpoints": 0})
        changed = settings.model_copy(update={"sgd": sgd, "dtype": variant.dtype or settings.dtype})
        after = train(changed, cell.network, cell.data, layers, cell.orders[members], ORDERS_ONWARD)
        return outcomes.judge(after, cell.data.test.y, rule_of(settings)).outcome

    return escapes([cell.history.layers[member] for member in members], cell.judgement.outcome[members], retrain)


def slowness(settings: Settings, network: Network, engine: type[Sequential], data: Dataset) -> str:
    """What to say of an engine that trains the replicates one after another: how long that will take, from a few steps
    of one network."""
    rows = np.arange(settings.sgd.batch_size)
    targets = np.eye(data.classes)[data.train.y[rows]]
    layers = draw(config.initializer(settings), network, settings.seed, 0)
    rate, reduction, dtype = settings.sgd.learning_rate, settings.sgd.reduction, np.dtype(settings.dtype)
    trial = engine(network, [layers], data.train.x[rows], targets, rate, reduction, dtype)
    start = time.perf_counter()
    for _ in range(STEPS_TIMED):
        trial.step(rows)
    seconds = (time.perf_counter() - start) / STEPS_TIMED
    steps = -(-len(data.train) // settings.sgd.batch_size) * settings.sgd.epochs * settings.replicates
    return (
        f"engine {engine.__name__} trains the {settings.replicates} replicates one after another, which will take about"
        f" {seconds * steps:.0f} s; engine=stacked trains them side by side"
    )


def stacks_of(orders: Array) -> Iterator[tuple[int, Array]]:
    """(data order, places) of each stack that R networks with these data orders (R,) are trained in."""
    for order in np.unique(orders):
        places = np.flatnonzero(orders == order)
        for start in range(0, len(places), STACK):
            yield int(order), places[start : start + STACK]


def epochs_to_train(settings: Settings, first: int = 0) -> int:
    """How many epochs of one stack each the cell consists of: the unit of its progress."""
    orders = np.arange(first, settings.replicates) % settings.sgd.orders
    return len(list(stacks_of(orders))) * settings.sgd.epochs


def draw(initializer: Initializer, network: Network, seed: int, replicate: int) -> list[Layer]:
    """The layers of a replicate before training. They depend on `seed` and `replicate` alone."""
    rng = random_stream(seed, WEIGHTS, replicate)
    return draw_network(initializer, rng, network.layers)


def random_stream(seed: int, stream: int, number: int) -> np.random.Generator:
    """The random numbers number `number` of one of the streams `WEIGHTS`, `ORDERS`, `ORDERS_ONWARD`."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, int(number))))
