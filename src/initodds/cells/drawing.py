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
            wrong = self._wrong(weights, (fan_in, fan_out)) or self._wrong(biases, (fan_out,))
        except InputError as error:  # the project's own, which names the key
            raise InputError(str(error) if str(error).startswith("init") else f"init.{error}") from error
        except Exception as error:  # whatever a user's code raises
            raise self._refused(fan_in, fan_out, f"{type(error).__name__}: {one_line(error)}") from error
        if wrong:
            raise self._refused(fan_in, fan_out, wrong)
        return np.asarray(weights, np.float64), np.asarray(biases, np.float64)

    def _wrong(self, drawn: Any, shape: tuple[int, ...]) -> str:
        """What is wrong with numbers that were drawn; "" where nothing is."""
        array = np.asarray(drawn)
        if array.shape != shape:
            return f"shape {array.shape} instead of {shape}"
        if array.dtype.kind not in "iuf":
            return f"dtype {array.dtype}"
        if not (np.abs(array) <= np.finfo(self.dtype).max).all():  # nor is NaN
            return f"numbers from {array.min():.3g} to {array.max():.3g}"
        return ""

    def _refused(self, fan_in: int, fan_out: int, reason: str) -> InputError:
        called = f"init._target_={self.target}, called with (rng, {fan_in}, {fan_out}): {reason}"
        return InputError(
            f"{called}; weights (fan_in, fan_out) and biases (fan_out,) are needed, finite in {self.dtype}"
        )
