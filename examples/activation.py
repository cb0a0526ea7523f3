"""An activation of one's own: softsign (Bergstra et al. 2009), which saturates as tanh does, and far more slowly.

    PYTHONPATH=examples initodds 'network.activation={_target_:activation.Softsign}'
    PYTHONPATH=examples initodds 'network.activation={_target_:activation.Softsign,width:2}'

Its fields stand beside its name.
"""

from dataclasses import dataclass

import numpy as np

from initodds.networks.activations import Activation


@dataclass(frozen=True)
class Softsign(Activation):
    """z / (width + |z|): from -1 to 1, and at half of that where |z| = width.

    `value`, `slope` and `second` are all that is needed. What stands before them makes words and figures right: between
    which values a unit is, what it answers at its flat ends, how steep it is at most.
    """

    width: float = 1.0

    bounded = ends = (-1.0, 1.0)

    @property
    def steepest(self) -> float:  # type: ignore[override]
        return 1 / self.width

    def value(self, z: np.ndarray) -> np.ndarray:
        return z / (self.width + np.abs(z))

    def slope(self, z: np.ndarray) -> np.ndarray:
        return self.width / (self.width + np.abs(z)) ** 2

    def second(self, z: np.ndarray) -> np.ndarray:
        return -2 * self.width * np.sign(z) / (self.width + np.abs(z)) ** 3
