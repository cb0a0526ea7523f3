"""What an initializer may know of the layer that it draws, and the drawing of a whole network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from initodds.vocabulary import InputError

Array = np.ndarray[Any, Any]
Layer = tuple[Array, Array]
"""One layer: weights (fan_in, fan_out) and biases (fan_out,), float64."""


@dataclass(frozen=True)
class Units:
    """The units that a layer ends in.

    activation: its name.  gain: of the activation, the factor by which it wants the deviation of its
        weights larger than a linear layer does.
    function: the activation itself, of pre-activations (examples, fan_out) to the same shape.
    """

    activation: str = "linear"
    gain: float = 1.0
    function: Callable[[Array], Array] = lambda z: z


def _no_inputs() -> Array:
    raise InputError("init: this rule draws with a batch of data, and there is none here")


@dataclass(frozen=True)
class Place:
    """Where a layer is.

    index: of the layer, from 0.  network: the units of every layer of the network, the outputs last.
    inputs: called, gives what the layer gets to see of a batch of data, through the layers drawn before it: float64
        (examples, fan_in). Raises InputError where there is no batch.
    """

    index: int = 0
    network: tuple[Units, ...] = (Units(),)
    inputs: Callable[[], Array] = _no_inputs

    @property
    def units(self) -> Units:
        """The layer's own units."""
        return self.network[self.index]


ALONE = Place()
"""Of a layer of linear units that is in no network."""


class Initializer(Protocol):
    """Draws one layer: weights (fan_in, fan_out) and biases (fan_out,), float64."""

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer: ...


@runtime_checkable
class PlacedInitializer(Protocol):
    """Draws one layer, and is told its place. Called without one, it draws for a linear layer that is alone."""

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer: ...

    def draw_at(self, rng: np.random.Generator, fan_in: int, fan_out: int, place: Place) -> Layer: ...


class Placed:
    """What the project's own placed initializers have in common: `draw_at` is theirs, the call is this."""

    def draw_at(self, rng: np.random.Generator, fan_in: int, fan_out: int, place: Place) -> Layer:
        """The layer at this place."""
        raise NotImplementedError

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer:
        return self.draw_at(rng, fan_in, fan_out, ALONE)


def draw_layer(initializer: Initializer, rng: np.random.Generator, fan_in: int, fan_out: int, place: Place) -> Layer:
    """One layer by an initializer of either kind."""
    if isinstance(initializer, PlacedInitializer):
        return initializer.draw_at(rng, fan_in, fan_out, place)
    return initializer(rng, fan_in, fan_out)


def draw_network(
    initializer: Initializer,
    rng: np.random.Generator,
    layers: Sequence[tuple[int, int]],
    units: Sequence[Units] | None = None,
    batch: Array | None = None,
) -> list[Layer]:
    """All layers of a network, drawn from the first to the last from one generator.

    layers: (fan_in, fan_out) of each.  units: what each ends in; None for linear units everywhere.
    batch: (examples, features), for the rules that look at data; it is carried forward only where one asks for it.
    Raises InputError where the rule needs what is not there.

    >>> from initodds.initializers import Normal
    >>> [weights.shape for weights, _ in draw_network(Normal(1.0), np.random.default_rng(0), [(2, 3), (3, 1)])]
    [(2, 3), (3, 1)]
    """
    network = tuple(units) if units is not None else (Units(),) * len(layers)
    drawn: list[Layer] = []

    def inputs() -> Array:
        if batch is None:
            return _no_inputs()
        activations = np.asarray(batch, np.float64)
        for (weights, biases), layer_units in zip(drawn, network, strict=False):
            activations = layer_units.function(activations @ weights + biases)
        return activations

    for index, (fan_in, fan_out) in enumerate(layers):
        drawn.append(draw_layer(initializer, rng, fan_in, fan_out, Place(index, network, inputs)))
    return drawn
