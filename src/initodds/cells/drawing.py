"""What an initializer draws, checked: a user's own may draw anything."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from initodds.initializers import Initializer
from initodds.networks.network import Layer
from initodds.vocabulary import InputError, one_line

Array = np.ndarray


@dataclass(frozen=True)
class Checked:
    """The initializer that `init._target_` names, each layer that it draws being checked.

    dtype: what the networks are trained in, whose range the numbers must not leave.
    """

    initializer: Initializer
    target: str
    dtype: np.dtype

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer:
        """One layer: weights (fan_in, fan_out) and biases (fan_out,), float64.

        Raises InputError where the initializer fails, or draws anything but real numbers in these shapes that are
        finite in the dtype.
        """
        try:
            with np.errstate(over="ignore"):
                weights, biases = self.initializer(rng, fan_in, fan_out)
            return self._array(weights, (fan_in, fan_out)), self._array(biases, (fan_out,))
        except Exception as error:  # whatever a user's own code raises
            kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            called = f"init._target_={self.target}, called with (rng, {fan_in}, {fan_out}): {kind}{one_line(error)}"
            needed = f"weights (fan_in, fan_out) and biases (fan_out,) are needed, finite numbers in {self.dtype}"
            raise InputError(f"{called}; {needed}") from error

    def _array(self, drawn: Any, shape: tuple[int, ...]) -> Array:
        """Numbers that were drawn, as a float64 array. Raises InputError where they are not as they should be."""
        array = np.asarray(drawn)
        if array.shape != shape:
            raise InputError(f"shape {array.shape} instead of {shape}")
        if array.dtype.kind not in "iuf":
            raise InputError(f"numbers of dtype {array.dtype}")
        array = array.astype(np.float64, copy=False)
        if not (np.abs(array) <= np.finfo(self.dtype).max).all():  # nor is NaN
            raise InputError(f"numbers from {array.min():.3g} to {array.max():.3g}")
        return array
