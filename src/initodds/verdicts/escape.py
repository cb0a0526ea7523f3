"""Does a stuck network get out? From its weights it is trained on, each time with one thing changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from initodds.networks.network import Layer
from initodds.vocabulary import OUTCOMES

Array = np.ndarray

NOISE = 0.01
"""Standard deviation of the noise, as a share of the root mean square of the weights that it is added to."""


@dataclass(frozen=True)
class Variant:
    """What is changed when a stuck network is trained on for as many epochs as it had: `steps` times as many, a
    learning rate `rate` times as large, noise added to the weights (see `NOISE`), another dtype.

    name: that results have for it.  words: the same for people.
    """

    name: str
    words: str
    steps: int = 1
    rate: float = 1.0
    noise: float = 0.0
    dtype: str | None = None


VARIANTS = (
    Variant("unchanged", "nothing changed"),
    Variant("steps_x10", "ten times the steps", steps=10),
    Variant("rate_x10", "ten times the rate", rate=10.0),
    Variant("rate_div10", "a tenth of the rate", rate=0.1),
    Variant("noise", "1 % of noise", noise=NOISE),
    Variant("float64", "float64", dtype="float64"),
)
"""The ways out that are tried. The first is what all but the second are held to: as much time, and nothing else."""

Retrain = Callable[[Sequence[Sequence[Layer]], Variant], Array]
"""Networks' layers, and what to change, to the outcomes (M,) that they have after it."""


def escapes(layers: Sequence[Sequence[Layer]], outcome: Array, retrain: Retrain) -> dict[str, Array]:
    """Whether each of M networks gets out by each of the `VARIANTS`: by name, (M,) bool.

    layers: their weights.  outcome: (M,) what they ended as. A network gets out if it then has a better outcome, in the
    order of `OUTCOMES`.  retrain: trains all of them on, side by side.
    """
    rank = {name: place for place, name in enumerate(OUTCOMES)}
    before = np.array([rank[name] for name in outcome])
    rng = np.random.default_rng(0)
    result = {}
    for variant in VARIANTS:
        start = [perturbed(network, variant.noise, rng) for network in layers] if variant.noise else layers
        result[variant.name] = np.array([rank[after] for after in retrain(start, variant)]) < before
    return result


def perturbed(layers: Sequence[Layer], noise: float, rng: np.random.Generator) -> list[Layer]:
    """A network's layers with normal noise added, `noise` times the root mean square of each layer's weights, or, of
    weights of 0, times that of fresh ones of variance 1 / fan_in."""
    sizes = [noise * (np.sqrt((weights**2).mean()) or len(weights) ** -0.5) for weights, _ in layers]
    return [
        (weights + size * rng.standard_normal(weights.shape), biases + size * rng.standard_normal(biases.shape))
        for (weights, biases), size in zip(layers, sizes, strict=True)
    ]
