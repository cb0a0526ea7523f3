"""An output with its cost of one's own: linear outputs with the pseudo-Huber cost, which forgives what is far off.

    PYTHONPATH=examples initodds data=diabetes 'network.output={_target_:output.PseudoHuber}' sgd.learning_rate=0.1

The outputs' function and their cost are one part, since the error that training starts from is of both.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from initodds.networks.outputs import Output


@dataclass(frozen=True)
class PseudoHuber(Output):
    """delta^2 (sqrt(1 + (d / delta)^2) - 1) for d = a - y: d^2 / 2 near 0, and delta |d| far from it.

    z are the outputs' pre-activations and a their values, (networks, examples, outputs); y (examples, outputs) are the
    targets. What is asked for here is the cost as a function of z, and its first two derivatives.
    """

    delta: float = 1.0

    def activate(self, z: np.ndarray, scratch: np.ndarray) -> None:
        """Turn z into a, in place: linear outputs are what they are."""

    def cost(self, z: np.ndarray, a: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self.delta**2 * (np.sqrt(1 + ((a - y) / self.delta) ** 2) - 1)

    def error(self, z: np.ndarray, a: np.ndarray, y: np.ndarray, out: np.ndarray, scratch: np.ndarray) -> None:
        """Write the cost's derivative by z to `out`."""
        np.subtract(a, y, out=out)
        out /= np.sqrt(1 + (out / self.delta) ** 2)

    def error_along(self, z: np.ndarray, a: np.ndarray, y: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """How that derivative moves as z moves along `moved`."""
        return moved / (1 + ((a - y) / self.delta) ** 2) ** 1.5

    def best_constant_cost(self, y: np.ndarray) -> float:
        """The least mean cost of an answer that is the same for every example, output by output."""
        return sum(minimize_scalar(lambda a, own=own: self.cost(a, a, own).mean()).fun for own in y.T)
