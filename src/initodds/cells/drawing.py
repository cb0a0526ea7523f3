"""Drawing a replicate's layers, and checking them: a user's own initializer may draw anything."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from initodds.cells.streams import WEIGHTS, random_stream
from initodds.initializers import Initializer, Place, Placed, Units, draw_layer, draw_network
from initodds.networks.network import Layer, Network
from initodds.vocabulary import InputError, one_line

Array = np.ndarray


@dataclass(frozen=True)
class Checked(Placed):
    """The initializer that `init._target_`, here `target`, names, each layer that it draws being checked.

    dtype: what the networks are trained in, whose range the numbers must not leave.
    """

    initializer: Initializer
    target: str
    dtype: np.dtype

    @property
    def own_shape(self) -> bool:
        """Whether it draws networks of one shape only, and cannot be tried on another."""
        return bool(getattr(self.initializer, "own_shape", False))

    def draw_at(self, rng: np.random.Generator, fan_in: int, fan_out: int, place: Place) -> Layer:
        """The layer at this place: weights (fan_in, fan_out) and biases (fan_out,), float64.

        Raises InputError where the initializer fails, or draws anything but real numbers in these shapes that are
        finite in the dtype.
        """
        try:
            with np.errstate(over="ignore"):
                weights, biases = draw_layer(self.initializer, rng, fan_in, fan_out, place)
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


@dataclass(frozen=True, eq=False)
class Drawing:
    """How the layers of the replicates of a cell are drawn.

    batch: (examples, features), for the rules that look at data; None where there is none.
    """

    initializer: Initializer
    network: Network
    batch: Array | None = None

    def replicate(self, seed: int, replicate: int) -> list[Layer]:
        """The layers of a replicate before training, float64. They depend on `seed` and `replicate` alone."""
        rng, network = random_stream(seed, WEIGHTS, replicate), self.network
        units = [Units(entry.name, entry.gain, entry.value) for entry in network.activations]
        return draw_network(self.initializer, rng, network.layers, [*units, Units()], self.batch)
