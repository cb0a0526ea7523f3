"""What the settings of a cell name, made, and what may be wrong with it."""

import logging
import time
from dataclasses import dataclass

import numpy as np

from initodds.cells import objects
from initodds.cells.drawing import Drawing
from initodds.cells.settings import Settings
from initodds.datasets import Dataset
from initodds.datasets.tasks import Task, task_of
from initodds.engines import Engine, Problem
from initodds.engines.auto import Auto
from initodds.networks.network import Network
from initodds.vocabulary import InputError

logger = logging.getLogger(__name__)

STEPS_TIMED = 5

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

    @property
    def judged_on_sample(self) -> bool:
        """Whether the test set is a sample of what is to be learned, and not all of it, as XOR's four examples are."""
        return self.data.test is not self.data.train

    @property
    def best_constant_cost(self) -> float:
        """The least test cost of outputs that are the same for every example."""
        return self.network.head.best_constant_cost(self.task.targets(self.data.test.y))

    def warnings(self) -> list[str]:
        """What may be wrong with it, a line each."""
        targets = self.task.targets(self.data.train.y)
        least, greatest = self.network.head.bounded
        if targets.min() >= least and targets.max() <= greatest:
            return []
        targeted = f"from {targets.min():g} to {targets.max():g}"
        return [f"targets {targeted} are not all in the outputs' range, {least:g} to {greatest:g}: see network.output"]


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
