"""Initializers made of others: the biases' rule set apart, another rule for one layer."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from initodds.initializers.places import Initializer, Layer, Place, Placed, draw_layer
from initodds.initializers.rules import require_finite
from initodds.vocabulary import InputError


@dataclass(frozen=True)
class WithBias(Placed):
    """Weights as `rule` draws them, and biases that are a number, or drawn as the initializer `bias` draws its biases.

    The weights are those that `rule` alone would draw if `bias` is a number. Raises InputError where it is not finite.

    >>> from initodds.initializers import Normal
    >>> WithBias(Normal(0.01), 0.5)(np.random.default_rng(0), 2, 3)[1].tolist()
    [0.5, 0.5, 0.5]
    """

    rule: Initializer
    bias: float | Initializer

    def __post_init__(self) -> None:
        if not callable(self.bias):
            require_finite(bias=self.bias)

    def draw_at(self, rng: np.random.Generator, fan_in: int, fan_out: int, place: Place) -> Layer:
        """The layer at this place."""
        weights, _ = draw_layer(self.rule, rng, fan_in, fan_out, place)
        if callable(self.bias):
            return weights, draw_layer(self.bias, rng, fan_in, fan_out, place)[1]
        return weights, np.full(fan_out, float(self.bias))


@dataclass(frozen=True)
class PerLayer(Placed):
    """Layers as `rule` draws them, but for those that `layers` has a rule of its own for.

    layers: by the layer's place, 0 for the first and -1 for the last. Raises InputError, when a network is drawn, for a
    place that it does not have.

    >>> from initodds.initializers import Normal, Zeros, draw_network
    >>> drawn = draw_network(PerLayer(Normal(1.0), {-1: Zeros()}), np.random.default_rng(0), [(2, 3), (3, 1)])
    >>> [bool(weights.any()) for weights, _ in drawn]
    [True, False]
    """

    rule: Initializer
    layers: Mapping[int, Initializer]

    def draw_at(self, rng: np.random.Generator, fan_in: int, fan_out: int, place: Place) -> Layer:
        """The layer at this place."""
        depth = len(place.network)
        for index in self.layers:
            if not -depth <= index < depth:
                accepted = f"0 to {depth - 1} for this network, or -1, its last layer, to {-depth}"
                raise InputError(f"init.layers.{index}: {accepted}")
        of_place = {index % depth: rule for index, rule in self.layers.items()}
        return draw_layer(of_place.get(place.index, self.rule), rng, fan_in, fan_out, place)
