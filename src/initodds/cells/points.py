"""Training the points of a plane: many settings in one engine, looked at once, when they are done."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from initodds.cells import objects
from initodds.cells.drawing import Drawing
from initodds.cells.judging import outcomes_of
from initodds.cells.plane import LAYER_RATES, RATE, Changes, Plane, drawn, of_rate, shared
from initodds.cells.replicates import orders_of
from initodds.cells.settings import Settings
from initodds.cells.streams import ORDERS, random_stream
from initodds.cells.subject import Subject, problem_of
from initodds.engines import Engine
from initodds.networks.network import Layer
from initodds.training import loop
from initodds.training.evaluation import evaluate

Array = np.ndarray

NUMBERS_TOGETHER = 6_000_000
"""Weights and biases of the networks that are trained in one go: about 100 MB while they are drawn."""
ROWS_TOGETHER = 20_000
"""Training examples that an engine is handed at a time: the epochs of a small set in one call."""
TILES, LEAST_OF_TILE = 64, 32
"""About how many tiles a plane has at least, unless they would have fewer networks than that."""
STEPS_TIMED, EXAMPLES_TIMED = 20, 2000
"""How many steps tell what one takes, and fewer where they would have more examples than that in all."""
DRAWS_KEPT = 4
"""Of how many inits the draws are kept for the points that come next: one a thread, as `Plane.order` has them."""


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
        self._alike: dict[Changes, int] = {}
        self._made = lru_cache(maxsize=DRAWS_KEPT * plane.replicates)(self._drawn)

    @cached_property
    def tile(self) -> int:
        """How many points make a tile: as many as are best trained in one go, and fewer where the plane would have few
        tiles, so that all cores have work and the progress is seen. The machine has no say: what is kept of a map goes
        by the numbers of its tiles."""
        plane = self.plane
        few = max(len(plane.order) // TILES, -(-LEAST_OF_TILE // plane.replicates))
        return int(np.clip(self._together // plane.replicates, 1, few))

    @cached_property
    def _together(self) -> int:
        """How many networks are best trained in one go, by the largest of the corners."""
        largest = max(self.plane.subject(corner).network.parameters for corner in self.plane.corners)
        return int(np.clip(NUMBERS_TOGETHER // largest, 1, 2048))

    def train(self, points: Sequence[int]) -> Results:
        """The networks of these points, (N,) of each in `Results`, in the points' order."""
        groups: dict[Any, list[tuple[int, int]]] = {}
        for point in points:
            members = groups.setdefault(self._apart(point), [])
            members += [(point, number) for number in self.plane.numbers(point)]
        together = self._together
        parts = [
            self._train(members[first : first + together])
            for members in groups.values()
            for first in range(0, len(members), together)
        ]
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}
        place = {point: number for number, point in enumerate(points)}
        order = np.argsort([place[point] for point in joined["point"]], kind="stable")
        return Results(**{name: array[order] for name, array in joined.items()})

    def seconds(self) -> float:
        """About how long the steps of all networks take on one core: from a few steps at each corner, what a step takes
        between them in proportion, and from how many steps each point has.

        Raises InputError where a corner's weights cannot be drawn.
        """
        plane = self.plane
        timed: dict[Changes, float] = {}
        for corner in plane.corners:
            changes = shared(plane.changes(corner))
            timed[changes] = timed.get(changes) or self._seconds_of_step(corner)
        corners = np.array([timed[shared(plane.changes(corner))] for corner in plane.corners])
        corners = np.broadcast_to(corners.reshape(min(plane.size, 2), -1), (2, 2))
        x, y = (_parts(np.array(values)) for values in (plane.x_values, plane.y_values))
        of_step = np.stack([1 - y, y], axis=1) @ corners @ np.stack([1 - x, x])
        size = plane.size
        across, upwards = (list(map(self._steps, points)) for points in (range(size), range(0, size**2, size)))
        steps = np.outer(upwards, across) / across[0]
        return float((of_step * steps).sum() * plane.replicates)

    def _steps(self, point: int) -> int:
        """How many steps a network of this point takes; of data that vary, as if it had as many examples as point 0."""
        sgd = self.plane.settings(point).sgd
        return -(-len(self.plane.subject(0).data.train) // sgd.batch_size) * sgd.epochs

    def _seconds_of_step(self, point: int) -> float:
        """How long a step of a network of this point takes on one core."""
        settings, subject = self.plane.settings(point), self.plane.subject(point)
        layers = [self._draw(point, self.plane.numbers(point)[0])] * 4
        engine = subject.engine(problem_of(settings, subject), layers)
        steps = int(np.clip(EXAMPLES_TIMED // settings.sgd.batch_size, 1, STEPS_TIMED))
        rows = np.random.default_rng(0).integers(0, len(subject.data.train), (steps, settings.sgd.batch_size))
        took = []
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(2):  # what is done for the first time takes longer
                start = time.perf_counter()
                engine.steps(rows)
                took.append((time.perf_counter() - start) / steps / len(layers))
        return min(took)

    def _apart(self, point: int) -> Any:
        """What points that are trained in one engine have in common."""
        changes = self.plane.changes(point)
        rate = [] if self._rates_differ else [value for path, value in changes if of_rate(path)]
        return shared(changes), tuple(rate)

    @cached_property
    def _rates_differ(self) -> bool:
        """Whether networks of one engine may have learning rates of their own: those of a user's optimizer may not."""
        return is_dataclass(objects.optimizer(self.plane.base))

    def _train(self, networks: Sequence[tuple[int, int]]) -> Results:
        """Networks that can be trained together, each the point and the number of a replicate."""
        plane = self.plane
        first = networks[0][0]
        settings, subject = plane.settings(first), plane.subject(first)
        problem = problem_of(settings, subject)
        if self._rates_differ:
            rates = np.array([self._rates(point) for point, _ in networks])
            problem = replace(problem, optimizer=replace(problem.optimizer, learning_rate=rates))
        numbers = np.array([number for _, number in networks])
        engine = subject.engine(problem, [self._draw(point, number) for point, number in networks])
        with np.errstate(over="ignore", invalid="ignore"):
            _take_all_steps(engine, settings, subject, orders_of(settings, numbers))
        stack = engine.stack()
        seen = evaluate(stack, subject.data.test, subject.task, saturation=False)
        return Results(
            np.array([point for point, _ in networks]),
            numbers,
            outcomes_of(settings, subject, seen, stack.finite()),
            seen.score,
            seen.cost,
        )

    def _rates(self, point: int) -> list[float]:
        """The learning rate of a point, or, where they differ, that of each layer."""
        changes, sgd = dict(self.plane.changes(point)), self.plane.base.sgd
        rate = changes.get(RATE, sgd.learning_rate)
        factors = sgd.layer_rates or [1.0]
        return [rate * changes.get((*LAYER_RATES, layer), factor) for layer, factor in enumerate(factors)]

    def _draw(self, point: int, number: int) -> list[Layer]:
        """The layers of a network before training; made once for points whose draws are alike, one after another."""
        return self._made(self._alike.setdefault(drawn(self.plane.changes(point)), point), number)

    def _drawn(self, point: int, number: int) -> list[Layer]:
        """The layers of a network before training, in the dtype that it is trained in."""
        plane, subject = self.plane, self.plane.subject(point)
        settings = plane.settings(point)
        with plane.naming(point):
            drawing = Drawing(plane.initializer(point), subject.network, subject.drawing.batch)
            layers = drawing.replicate(settings.seed, number)
        return [(weights.astype(settings.dtype), biases.astype(settings.dtype)) for weights, biases in layers]


def _parts(values: Array) -> Array:
    """Of rising numbers (k,), how far each is from the first to the last: 0 to 1, float64."""
    return np.asarray((values - values[0]) / max(values[-1] - values[0], np.finfo(float).tiny))


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
