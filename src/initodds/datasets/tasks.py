"""What is asked of a data set, one entry a kind of task: targets, score, parts, and what no answer at all would score.

A task is answered by outputs (R, examples, outputs) of R networks. Its *score* is at most 1, and 1 where every answer
is right; it has *parts*, a class or an output each, whose scores say what of it has been learned.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import scipy  # loads its parts as they are first used, and its statistics take half a second

from initodds.datasets import Dataset
from initodds.vocabulary import InputError

Array = np.ndarray

NEARLY_ALL = 0.99
"""What is so on at least this share of the examples is so on nearly all."""
CONSTANT = 0.01
"""An answer is one to all examples if its standard deviation is under this share of the targets' one."""


UNTOLD = 0.01
"""A network whose cost is lower than the best constant answer's by at most this share is not told from that, where the
examples are no sample."""


class Task(Protocol):
    """What networks with so many `outputs` are asked.

    score_name, part_name: what the score, one of `SCORES`, and a part's, are called in columns and in words.
    part, parts_word: what a part is, and several are, in a word.
    """

    score_name: ClassVar[str]
    part_name: ClassVar[str]
    part: ClassVar[str]
    parts_word: ClassVar[str]

    @property
    def outputs(self) -> int: ...

    def __hash__(self) -> int: ...

    @property
    def parts(self) -> int:
        """How many parts the task has."""

    def targets(self, y: Array) -> Array:
        """What the outputs should be for the answers y of a `Split`: (examples, outputs), float64."""

    def tally(self, outputs: Array, y: Array) -> Array:
        """(R, parts) what the `outputs` (R, batch, outputs) to a batch with the answers y add to each part's tally."""

    def scores(self, tally: Array, y: Array) -> tuple[Array, Array]:
        """The score (R,) and the parts' scores (R, parts), NaN for a part that is not there, of the summed tallies
        (R, parts) of all examples, whose answers are y."""

    def score_in_words(self, score: float) -> str:
        """`an accuracy of 93.1 %`, or `an R^2 of 0.931`."""

    def is_constant(self, outputs: Array, y: Array) -> Array:
        """(R,) bool: whether nearly all examples get one answer, of the `outputs` (R, examples, outputs) to all."""

    def one_answer(self, part_scores: Array) -> str:
        """The one answer that nearly all examples get of a network with these scores (parts,), in words: `class 3`;
        empty where it has no name."""

    def own_outputs(self, outputs: Array, y: Array) -> Array:
        """(R, parts) what each part's output answers, on average, to the examples that are its own; NaN where a part
        has no such output."""

    def chance_level(self, y: Array, standard_errors: float) -> float:
        """The highest score on the answers y that cannot be told from that of one answer to every example, at the
        one-sided level of so many standard errors of a normal distribution: 0.00135 for three."""


@dataclass(frozen=True)
class Classification:
    """To name the class of each example, out of `classes`.

    outputs: one for each class, or 1 where there are two classes.
    values: what an output's target is where it is not the example's class's, and where it is: below and above.

    The class that a network names is its largest output, and the first of them where several are equal; with one output
    it is class 1 where the output is over the middle of `values`. The score is the share named rightly, and a class's
    part its recall.
    """

    classes: int
    outputs: int
    values: tuple[float, float] = (0.0, 1.0)

    score_name: ClassVar[str] = "accuracy"
    part_name: ClassVar[str] = "recall"
    part: ClassVar[str] = "class"
    parts_word: ClassVar[str] = "classes"

    def __post_init__(self) -> None:
        if self.outputs != self.classes and (self.outputs, self.classes) != (1, 2):
            accepted = "1 or 2" if self.classes == 2 else f"{self.classes}, one for each class"
            raise InputError(f"network.outputs={self.outputs}: {accepted}")
        if not (math.isfinite(sum(self.values)) and self.values[0] < self.values[1]):
            raise InputError(f"network.targets=[{self.values[0]}, {self.values[1]}]: two numbers, the lower one first")

    @property
    def parts(self) -> int:
        return self.classes

    def targets(self, y: Array) -> Array:
        """See `Task.targets`.

        >>> Classification(classes=2, outputs=1, values=(0.1, 0.9)).targets(np.array([0, 1])).tolist()
        [[0.1], [0.9]]
        """
        low, high = self.values
        of_class = np.eye(self.classes)[y] if self.outputs > 1 else (y == 1)[:, None].astype(float)
        return np.where(of_class == 1, high, low)

    def named(self, outputs: Array) -> Array:
        """The class that each network names for each example: (R, batch) int, from (R, batch, outputs)."""
        if self.outputs == 1:
            return (outputs[..., 0] > sum(self.values) / 2).astype(np.int64)
        return outputs.argmax(axis=-1)

    def tally(self, outputs: Array, y: Array) -> Array:
        return (self.named(outputs) == y) @ np.eye(self.classes)[y]

    def scores(self, tally: Array, y: Array) -> tuple[Array, Array]:
        with np.errstate(invalid="ignore"):
            return tally.sum(axis=1) / len(y), tally / np.bincount(y, minlength=self.classes)

    def score_in_words(self, score: float) -> str:
        return f"an accuracy of {100 * score:.1f} %"

    def one_answer(self, part_scores: Array) -> str:
        return f"class {np.nanargmax(part_scores)}" if np.nanmax(part_scores) >= NEARLY_ALL else ""

    def is_constant(self, outputs: Array, y: Array) -> Array:
        """See `Task.is_constant`: one class is named, or the outputs are the same, whichever of them is the largest by
        a hair, as on the plateau of XOR, where all are one half."""
        named = np.eye(self.classes)[self.named(outputs)]
        one_class = named.mean(axis=1).max(axis=1) >= NEARLY_ALL
        return np.asarray(one_class | (outputs.std(axis=1) <= CONSTANT * self.targets(y).std(axis=0)).all(axis=1))

    def own_outputs(self, outputs: Array, y: Array) -> Array:
        if self.outputs < self.classes:
            return np.full((len(outputs), self.classes), np.nan)
        of_class = np.eye(self.classes)[y]
        with np.errstate(invalid="ignore"):
            return np.einsum("rek,ek->rk", outputs, of_class) / of_class.sum(axis=0)

    def chance_level(self, y: Array, standard_errors: float) -> float:
        """See `Task.chance_level`: by the binomial distribution of how many examples are of the largest class.

        >>> Classification(classes=2, outputs=1).chance_level(np.array([0, 1] * 50), standard_errors=3)
        0.65
        """
        share = np.bincount(y).max() / len(y)
        return float(scipy.stats.binom.isf(scipy.stats.norm.sf(standard_errors), len(y), share) / len(y))


@dataclass(frozen=True)
class Regression:
    """To give each example's numbers, `outputs` of them.

    The score is R^2, 1 - sum (a - y)^2 / sum (y - mean y)^2 over all outputs, and an output's part is its own. An
    output that is the same in all examples is measured against 0 instead of its mean; one that is always 0 is no part.
    """

    outputs: int

    score_name: ClassVar[str] = "r_squared"
    part_name: ClassVar[str] = "r_squared"
    part: ClassVar[str] = "output"
    parts_word: ClassVar[str] = "outputs"

    @property
    def parts(self) -> int:
        return self.outputs

    def targets(self, y: Array) -> Array:
        return y.astype(np.float64)

    def tally(self, outputs: Array, y: Array) -> Array:
        return ((outputs.astype(np.float64) - y) ** 2).sum(axis=1)

    def scores(self, tally: Array, y: Array) -> tuple[Array, Array]:
        y = y.astype(np.float64)
        spread = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
        spread = np.where(spread > 0, spread, (y**2).sum(axis=0))
        asked_for = spread > 0
        parts = np.full(tally.shape, np.nan)
        parts[:, asked_for] = 1 - tally[:, asked_for] / spread[asked_for]
        if not asked_for.any():  # all that is asked for is 0
            return np.where(tally.sum(axis=1) == 0, 1.0, 0.0), parts
        return 1 - tally.sum(axis=1) / spread.sum(), parts

    def score_in_words(self, score: float) -> str:
        return f"an R^2 of {score:.3f}"

    def one_answer(self, part_scores: Array) -> str:
        return ""

    def is_constant(self, outputs: Array, y: Array) -> Array:
        """See `Task.is_constant`. Of an output that should be the same it says nothing that it is."""
        spread = y.std(axis=0)
        is_constant = outputs.std(axis=1) <= CONSTANT * spread
        return np.asarray(is_constant[:, spread > 0].all(axis=1) & (spread > 0).any())

    def own_outputs(self, outputs: Array, y: Array) -> Array:
        return np.full((len(outputs), self.outputs), np.nan)

    def chance_level(self, y: Array, standard_errors: float) -> float:
        """See `Task.chance_level`: one answer to every example has an R^2 of at most 0; answers that have nothing to do
        with y, at best the square of a correlation, which has a beta distribution (Fisher 1915). Where y is no sample,
        being what was learned from, an R^2 of at most `UNTOLD` tells nothing.

        >>> Regression(1).chance_level(np.zeros((1000, 1)), standard_errors=0)
        0.01
        """
        if not standard_errors:
            return UNTOLD
        if len(y) < 3:
            return 0.0
        return float(scipy.stats.beta.isf(2 * scipy.stats.norm.sf(standard_errors), 0.5, (len(y) - 2) / 2))


def task_of(dataset: Dataset, outputs: int | None = None, values: tuple[float, float] = (0.0, 1.0)) -> Task:
    """The task of a data set. outputs: of a classification, None for one for each class.  values: see
    `Classification`. Raises InputError where they do not fit."""
    return TASKS[dataset.task](dataset, outputs, values)


def _classification(dataset: Dataset, outputs: int | None, values: tuple[float, float]) -> Task:
    return Classification(dataset.classes, dataset.classes if outputs is None else outputs, values)


def _regression(dataset: Dataset, outputs: int | None, values: tuple[float, float]) -> Task:
    columns = dataset.train.y.shape[1]
    if outputs not in (None, columns):
        raise InputError(
            f"network.outputs={outputs}: a regression has one for each target, {columns} of {dataset.name}"
        )
    return Regression(columns)


TASKS = {"classification": _classification, "regression": _regression}
"""What makes the task of a data set, by the name that the data set has for it."""
