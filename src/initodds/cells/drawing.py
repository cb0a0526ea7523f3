"""Drawing a replicate's layers, and checking them: a user's own initializer may draw anything."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from initodds.cells.streams import WEIGHTS, random_stream
from initodds.initializers import Initializer, Units, draw_network
from initodds.networks.network import Layer, Network
from initodds.vocabulary import InputError, one_line

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Drawing:
    """How the layers of the replicates of a cell are drawn.

    initializer: as `init._target_`, here `target`, names it.
    dtype: what the networks are trained in, whose range the numbers must not leave.
    batch: (examples, features), for the rules that look at data; None where there is none.
    """

    initializer: Initializer
    target: str
    network: Network
    dtype: np.dtype
    batch: Array | None = None

    def replicate(self, seed: int, replicate: int) -> list[Layer]:
        """The layers of a replicate before training, float64. They depend on `seed` and `replicate` alone.

        Raises InputError where the initializer fails, or draws anything but real numbers of the layers' shapes that are
        finite in the dtype.
        """
        rng, network = random_stream(seed, WEIGHTS, replicate), self.network
        units = [Units(entry.name, entry.gain, entry.value) for entry in network.activations]
        try:
            with np.errstate(over="ignore"):
                drawn = draw_network(self.initializer, rng, network.layers, [*units, Units()], self.batch)
            return [self._checked(layer, *shape) for layer, shape in zip(drawn, network.layers, strict=True)]
        except InputError as error:  # the project's own, which names the key
            raise InputError(str(error) if str(error).startswith("init") else f"init.{error}") from error
        except Exception as error:  # whatever a user's code raises
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise InputError(f"init._target_={self.target}: {reason}; {self._needed}") from error

    @property
    def _needed(self) -> str:
        called = (
            "is called with (rng, fan_in, fan_out), and has to draw weights (fan_in, fan_out) and biases (fan_out,)"
        )
        return f"it {called}, finite in {self.dtype}"

    def _checked(self, layer: Any, fan_in: int, fan_out: int) -> Layer:
        weights, biases = layer
        for drawn, shape in ((weights, (fan_in, fan_out)), (biases, (fan_out,))):
            wrong = self._wrong(drawn, shape)
            if wrong:
                called = f"init._target_={self.target}, called with (rng, {fan_in}, {fan_out})"
                raise InputError(f"{called}: {wrong}; {self._needed}")
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
