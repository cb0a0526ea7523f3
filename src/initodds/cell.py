"""One cell: data -> init -> train -> judge. Plain arrays and dataclasses out."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from initodds import config, outcomes, training
from initodds.config import Settings
from initodds.datasets import Dataset
from initodds.engines.sequential import Sequential
from initodds.initializers import Initializer
from initodds.network import Layer, Network
from initodds.outcomes import Judgement
from initodds.training import History

Array = np.ndarray

logger = logging.getLogger(__name__)

# Replicates trained side by side. Measured on 784-30-10: from 32 on the step gains nothing more, and the weights of 32
# (2.8 MB) fit the cache of any processor.
STACK = 32

STEPS_TIMED = 5


@dataclass(frozen=True, eq=False)
class Cell:
    """A trained and judged cell. R replicates; arrays of length R are in the order of the replicates' numbers.

    orders: (R,) int, the number of the data order that each replicate was trained in.
    chance_level: the accuracy up to which a network counts as stuck.
    best_constant_cost: the least test cost of outputs that do not depend on the image.
    seconds: wall time of training, its evaluations included.
    """

    network: Network
    data: Dataset
    orders: Array
    history: History
    judgement: Judgement
    chance_level: float
    best_constant_cost: float
    seconds: float


def run(settings: Settings, on_epoch: Callable[[], None] = lambda: None) -> Cell:
    """Train and judge the replicates of one cell.

    `on_epoch` is called `epochs_to_train(settings)` times. Raises InputError where the data cannot be had, or the batch
    size is over its number of examples.
    """
    data = config.dataset(settings)
    sizes = (data.features, *settings.network.hidden, data.classes)
    network = Network(sizes, settings.network.activation, settings.network.cost)
    initializer, engine = config.initializer(settings), config.engine(settings)
    targets = np.eye(data.classes, dtype=settings.dtype)[data.train.labels]
    if issubclass(engine, Sequential) and settings.replicates > 1:
        logger.warning(slowness(settings, network, engine, data))
    start = time.perf_counter()
    stacks = list(stacks_of(settings))
    histories = [
        training.train(
            engine(
                network,
                [draw(initializer, network, settings.seed, replicate) for replicate in replicates],
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
            order=order_generator(settings.seed, order),
            on_epoch=on_epoch,
        )
        for order, replicates in stacks
    ]
    history = training.gather(histories, [replicates for _, replicates in stacks])
    rule = outcomes.Rule(settings.outcome.target, settings.outcome.dead_recall, settings.outcome.standard_errors)
    return Cell(
        network=network,
        data=data,
        orders=np.arange(settings.replicates) % settings.sgd.orders,
        history=history,
        judgement=outcomes.judge(history, data.test.labels, rule),
        chance_level=outcomes.chance_level(data.test.labels, rule.standard_errors),
        best_constant_cost=outcomes.best_constant_cost(data.test.labels, network.cost),
        seconds=time.perf_counter() - start,
    )


def slowness(settings: Settings, network: Network, engine: type[Sequential], data: Dataset) -> str:
    """What to say of an engine that trains the replicates one after another: how long that will take, from a few steps
    of one network."""
    rows = np.arange(settings.sgd.batch_size)
    targets = np.eye(data.classes)[data.train.labels[rows]]
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


def stacks_of(settings: Settings) -> Iterator[tuple[int, range]]:
    """(data order, replicates) of each stack that is trained: replicate r belongs to order r mod `sgd.orders`."""
    orders = settings.sgd.orders
    for order in range(min(orders, settings.replicates)):
        replicates = range(order, settings.replicates, orders)
        for start in range(0, len(replicates), STACK):
            yield order, replicates[start : start + STACK]


def epochs_to_train(settings: Settings) -> int:
    """How many epochs of one stack each the cell consists of: the unit of its progress."""
    return len(list(stacks_of(settings))) * settings.sgd.epochs


def draw(initializer: Initializer, network: Network, seed: int, replicate: int) -> list[Layer]:
    """The layers of a replicate before training. They depend on `seed` and `replicate` alone."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, replicate)))
    return [initializer(rng, fan_in, fan_out) for fan_in, fan_out in network.layers]


def order_generator(seed: int, order: int) -> np.random.Generator:
    """What draws the permutations of data order number `order`."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, order)))
