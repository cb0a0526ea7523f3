"""Training the points of a plane: many settings in one engine, looked at once, when they are done."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from initodds.cells import cell, objects
from initodds.cells.cell import Subject
from initodds.cells.drawing import Drawing
from initodds.cells.plane import LAYER_RATES, RATE, Plane, of_rate, shared
from initodds.cells.settings import Settings
from initodds.cells.streams import ORDERS, random_stream
from initodds.engines import Engine
from initodds.networks.network import Layer
from initodds.training import loop
from initodds.training.evaluation import evaluate
from initodds.training.history import History
from initodds.verdicts import outcomes

Array = np.ndarray

NUMBERS_TOGETHER = 6_000_000
"""Weights and biases of the networks that are trained in one go: about 100 MB while they are drawn."""
ROWS_TOGETHER = 20_000
"""Training examples that an engine is handed at a time: the epochs of a small set in one call."""
STEPS_TIMED = 20


@dataclass(frozen=True, eq=False)
class Results:
    """What became of N networks of a plane, one after another.

    point, replicate: (N,) int.  outcome: (N,) str.  score, cost: (N,) float, on the test set, after the last step.
    """

    point: Array
    replicate: Array
    outcome: Array
    score: Array
    cost: Array


class Trainer:
    """Trains points of a plane. Threads may share one."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._draw = lru_cache(maxsize=self.together)(self._drawn)

    @property
    def together(self) -> int:
        """How many points are best trained in one go."""
        plane = self.plane
        parameters = plane.subject(0).network.parameters * plane.replicates
        return int(np.clip(NUMBERS_TOGETHER // parameters, 1, 2048))

    def train(self, points: Sequence[int]) -> Results:
        """The networks of these points, in their order."""
        groups: dict[Any, list[int]] = {}
        for point in points:
            groups.setdefault(self._apart(point), []).append(point)
        parts = [self._train(members) for members in groups.values()]
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}
        place = {point: number for number, point in enumerate(points)}
        order = np.argsort([place[point] for point in joined["point"]], kind="stable")
        return Results(**{name: array[order] for name, array in joined.items()})

    def seconds(self) -> float:
        """About how long the steps of all networks take on one core, from a few steps of a few of point 0's."""
        settings, subject = self.plane.settings(0), self.plane.subject(0)
        layers = [self._draw(0, self.plane.numbers(0)[0])] * 4
        engine = subject.engine(cell.problem_of(settings, subject), layers)
        batch, examples = settings.sgd.batch_size, len(subject.data.train)
        rows = np.random.default_rng(0).integers(0, examples, (STEPS_TIMED, batch))
        took = []
        for _ in range(2):  # what is done for the first time takes longer
            start = time.perf_counter()
            engine.steps(rows)
            took.append((time.perf_counter() - start) / STEPS_TIMED / len(layers))
        return min(took) * -(-examples // batch) * settings.sgd.epochs * self.plane.networks

    def _apart(self, point: int) -> Any:
        """What points that are trained in one engine have in common."""
        changes = self.plane.changes(point)
        rate = [] if self._rates_differ else [value for path, value in changes if of_rate(path)]
        return shared(changes), tuple(rate)

    @cached_property
    def _rates_differ(self) -> bool:
        """Whether networks of one engine may have learning rates of their own: those of a user's optimizer may not."""
        return is_dataclass(objects.optimizer(self.plane.base))

    def _train(self, points: Sequence[int]) -> Results:
        """The networks of points that can be trained together."""
        plane = self.plane
        settings, subject = plane.settings(points[0]), plane.subject(points[0])
        networks = [(point, number) for point in points for number in plane.numbers(point)]
        problem = cell.problem_of(settings, subject)
        if self._rates_differ:
            rates = np.array([self._rates(point) for point, _ in networks])
            problem = replace(problem, optimizer=replace(problem.optimizer, learning_rate=rates))
        numbers = np.array([number for _, number in networks])
        engine = subject.engine(problem, [self._draw(point, number) for point, number in networks])
        with np.errstate(over="ignore", invalid="ignore"):
            _take_all_steps(engine, settings, subject, cell.orders_of(settings, numbers))
        history = _ended(engine, subject)
        return Results(
            np.array([point for point, _ in networks]),
            numbers,
            _outcome(settings, subject, history),
            history.score[-1],
            history.cost[-1],
        )

    def _rates(self, point: int) -> list[float]:
        """The learning rate of a point, or, where they differ, that of each layer."""
        changes, sgd = dict(self.plane.changes(point)), self.plane.base.sgd
        rate = changes.get(RATE, sgd.learning_rate)
        factors = sgd.layer_rates or [1.0]
        return [rate * changes.get((*LAYER_RATES, layer), factor) for layer, factor in enumerate(factors)]

    def _drawn(self, point: int, number: int) -> list[Layer]:
        """The layers of a network before training, in the dtype that it is trained in."""
        plane, subject = self.plane, self.plane.subject(point)
        settings = plane.settings(point)
        layers = Drawing(plane.initializer(point), subject.network, subject.drawing.batch).replicate(
            settings.seed, number
        )
        return [(weights.astype(settings.dtype), biases.astype(settings.dtype)) for weights, biases in layers]


def _take_all_steps(engine: Engine, settings: Settings, subject: Subject, orders: Array) -> None:
    """Train an engine's networks, in their data orders (R,), to the end. As `loop.train`, but for the looks."""
    sgd, schedule, examples = settings.sgd, objects.schedule(settings), len(subject.data.train)
    numbers = orders[:1] if (orders == orders[0]).all() else orders
    streams = [random_stream(settings.seed, ORDERS, number) for number in numbers]
    steps = -(-examples // sgd.batch_size)
    # The epochs of a set that mini-batches divide are as one of a longer set.
    at_once = max(1, ROWS_TOGETHER // examples) if examples % sgd.batch_size == 0 else 1
    for first in range(0, sgd.epochs, at_once):
        epochs = min(at_once, sgd.epochs - first)
        rows = loop.drawn_rows(streams, examples, sgd.batch_size, epochs)
        factors = None
        if not schedule.is_constant:
            factors = schedule.factors(np.arange(first * steps, (first + epochs) * steps), steps, sgd.epochs)
        loop.take_steps(engine, rows[0] if len(rows) == 1 else rows, 0, epochs * steps, sgd.batch_size, factors)


def _ended(engine: Engine, subject: Subject) -> History:
    """A history of one checkpoint, the last; the layers are not kept."""
    stack = engine.stack()
    seen = evaluate(stack, subject.data.test, subject.task, saturation=False)
    looks = {name: np.asarray(array)[None] for name, array in vars(seen).items()}
    return History(
        steps=np.array([1]), finite=stack.finite(), overflows=engine.overflows, layers=[], states=[], **looks
    )


def _outcome(settings: Settings, subject: Subject, history: History) -> Array:
    """(R,) str, as `cell.run` has them."""
    best_constant_cost = subject.network.head.best_constant_cost(subject.task.targets(subject.data.test.y))
    return outcomes.judge(
        history,
        cell.chance_level_of(settings, subject),
        cell.rule_of(settings),
        cell.stuck_cost_of(subject, best_constant_cost),
    ).outcome
