"""The replicates of a cell: the order, stack, thread and portion that each is trained in."""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock

import numpy as np

from initodds.cells import objects
from initodds.cells.settings import Settings
from initodds.cells.streams import ORDERS, random_stream
from initodds.cells.subject import Subject, problem_of
from initodds.cells.threads import in_threads, threads
from initodds.engines.optimizers import State
from initodds.networks.network import Layer
from initodds.training import loop
from initodds.training.evaluation import evaluate
from initodds.training.history import History, gather

Array = np.ndarray

WORK_AT_ONCE = 2 * 10**11
"""Multiplications, of a pass forward, by the networks of a portion of a cell: a minute or so."""

MEMORY_AT_ONCE = 256 * 10**6
"""Bytes that the weights and curves of a portion may take."""

MOST_AT_ONCE = 1024
"""Networks of a portion: to diagnose so many may take another minute."""


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


def keeps_states(settings: Settings) -> bool:
    """Whether what the optimizer has kept at the end is of use: an escape goes on with it, and a diagnosis asks what
    one more step would do."""
    asks = settings.diagnosis.of != "none" or settings.diagnosis.keep_weights != "none"
    return settings.diagnosis.escape or (asks and objects.optimizer(settings).remembers)


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
