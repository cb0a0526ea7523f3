"""An initializer of one's own: every weight is near +distance or near -distance, as if its size were known.

    PYTHONPATH=examples initodds init=zeros init._target_=initializer.TwoSided +init.distance=0.3

Any callable will do; what it is made with, its fields, are keys of the command line.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TwoSided:
    """Called for each layer of each network. All random numbers must come from `rng`, or results are not the same
    twice."""

    distance: float = 0.1
    std: float = 0.05

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights (fan_in, fan_out) and biases (fan_out,)."""
        signs = rng.choice([-1.0, 1.0], (fan_in, fan_out))
        return self.distance * signs + self.std * rng.standard_normal((fan_in, fan_out)), np.zeros(fan_out)
