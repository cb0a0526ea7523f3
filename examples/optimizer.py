"""An optimizer of one's own: Lion (Chen et al. 2023), which steps by signs, every weight as far.

    PYTHONPATH=examples initodds optimizer._target_=optimizer.Lion +optimizer.beta1=0.95 sgd.learning_rate=0.0003

The fields are keys of the command line; `sgd.learning_rate` is the learning rate, whatever the optimizer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from initodds.engines.optimizers import Optimizer


@dataclass(frozen=True)
class Lion(Optimizer):
    """w <- w - rate (sign(beta1 m + (1 - beta1) g) + weight_decay w); m <- beta2 m + (1 - beta2) g.

    The learning rate, weight_decay and clip_norm are every optimizer's; `slots` is how many arrays are kept of each
    parameter from step to step, here one, m. They begin as zeros.
    """

    beta1: float = 0.9
    beta2: float = 0.99

    slots: ClassVar[int] = 1

    def update(
        self,
        parameter: np.ndarray,
        gradient: np.ndarray,
        slots: Sequence[np.ndarray],
        rate: np.ndarray | float,
        step: int,
    ) -> None:
        (mean,) = slots
        parameter -= rate * (np.sign(self.beta1 * mean + (1 - self.beta1) * gradient) + self.weight_decay * parameter)
        mean *= self.beta2
        mean += (1 - self.beta2) * gradient
