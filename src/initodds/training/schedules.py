"""How the learning rate changes over a training: one function a schedule, of how far the training is."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from initodds.vocabulary import InputError

Array = np.ndarray


@dataclass(frozen=True)
class Schedule:
    """By which factor the learning rate is multiplied in each step.

    name: constant; step, which multiplies it by `factor` after every `every` epochs; or cosine (Loshchilov and Hutter
        2017), which takes it from 1 to 0 along half a cosine over all epochs.
    warmup: epochs over which the rate rises in equal steps to what the schedule has, from 0; 0 for none.
    every, factor: of step alone.

    Raises InputError for an unknown name, or a value out of its range.
    """

    name: str = "constant"
    warmup: float = 0.0
    every: int = 10
    factor: float = 0.1

    def __post_init__(self) -> None:
        if self.name not in SCHEDULES:
            raise InputError(f"schedule.name={self.name}: one of {', '.join(SCHEDULES)}")
        if not 0 <= self.warmup < math.inf:
            raise InputError(f"schedule.warmup={self.warmup}: epochs, a number of at least 0")
        if self.every < 1:
            raise InputError(f"schedule.every={self.every}: epochs, a whole number of at least 1")
        if not 0 < self.factor <= 1:
            raise InputError(f"schedule.factor={self.factor}: a number over 0 and up to 1")

    def factors(self, steps: Array, steps_per_epoch: int, epochs: int) -> Array:
        """The factors (k,) of the `steps` (k,), which are counted from 0 over all `epochs`.

        >>> Schedule("cosine").factors(np.array([0, 5]), steps_per_epoch=10, epochs=1).tolist()
        [1.0, 0.5]
        """
        epoch = steps / steps_per_epoch
        warm = np.minimum(1, (steps + 1) / (self.warmup * steps_per_epoch)) if self.warmup else 1.0
        return np.asarray(warm * SCHEDULES[self.name](self, epoch, epochs))

    def ends(self, steps_per_epoch: int, epochs: int) -> tuple[float, float]:
        """The factors of the first step and of the last one of all `epochs`."""
        first, last = self.factors(np.array([0, steps_per_epoch * epochs - 1]), steps_per_epoch, epochs)
        return float(first), float(last)

    @property
    def is_constant(self) -> bool:
        """Whether all factors are 1."""
        return self.name == "constant" and not self.warmup


def _constant(schedule: Schedule, epoch: Array, epochs: int) -> Array:
    return np.ones_like(epoch)


def _step(schedule: Schedule, epoch: Array, epochs: int) -> Array:
    return schedule.factor ** (epoch // schedule.every)


def _cosine(schedule: Schedule, epoch: Array, epochs: int) -> Array:
    return (1 + np.cos(np.pi * epoch / epochs)) / 2


SCHEDULES: dict[str, Callable[[Schedule, Array, int], Array]] = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
}
"""The factor of each schedule, given the epochs that are over, a fraction included, and how many there will be."""
