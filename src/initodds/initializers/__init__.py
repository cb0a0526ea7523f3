"""How weights are drawn. An initializer is called as `initializer(rng, fan_in, fan_out)`.

It returns `(weights, biases)`, float64 arrays of shapes (fan_in, fan_out) and (fan_out,). Any callable that does so
will do: name it in a config file's `_target_`. One that wants to know more of the network, its activations or what the
layer gets to see of the data, is a `PlacedInitializer`. `draw_network` draws all layers of a network by either.
"""

from initodds.initializers.composition import PerLayer, WithBias
from initodds.initializers.elsewhere import FromFunction
from initodds.initializers.places import (
    Initializer,
    Layer,
    Place,
    Placed,
    PlacedInitializer,
    Units,
    draw_layer,
    draw_network,
)
from initodds.initializers.rules import (
    Centred,
    Constant,
    Lsuv,
    Normal,
    Orthogonal,
    RandomizedAsymmetric,
    SklearnMLP,
    TorchLinear,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
    Zeros,
)

__all__ = [
    "Centred",
    "Constant",
    "FromFunction",
    "Initializer",
    "Layer",
    "Lsuv",
    "Normal",
    "Orthogonal",
    "PerLayer",
    "Place",
    "Placed",
    "PlacedInitializer",
    "RandomizedAsymmetric",
    "SklearnMLP",
    "TorchLinear",
    "TruncatedNormal",
    "Uniform",
    "Units",
    "VarianceScaling",
    "WithBias",
    "Zeros",
    "draw_layer",
    "draw_network",
]
