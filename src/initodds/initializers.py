"""How weights are drawn. An initializer is called as `initializer(rng, fan_in, fan_out)`.

It returns `(weights, biases)`, float64 arrays of shapes (fan_in, fan_out) and (fan_out,). Any callable that does so
will do: name it in a config file's `_target_`. The same generator gives the same underlying numbers to every
`Uniform` and `Centred`, so two ranges at one seed are the same draw, moved and scaled.
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from initodds.vocabulary import InputError

Array = np.ndarray


class Initializer(Protocol):
    """Draws one layer: weights (fan_in, fan_out) and biases (fan_out,), float64."""

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> tuple[Array, Array]: ...


@dataclass(frozen=True)
class Uniform:
    """Weights and biases from U[low, high].

    Raises InputError where low > high, or one of them or their distance is not finite.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        require_finite(low=self.low, high=self.high)
        if not math.isfinite(self.high - self.low):
            raise InputError(f"low={self.low}, high={self.high}: their distance must be a finite number")
        if self.low > self.high:
            raise InputError(f"low={self.low}, high={self.high}: low must not be over high")

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> tuple[Array, Array]:
        return rng.uniform(self.low, self.high, (fan_in, fan_out)), rng.uniform(self.low, self.high, fan_out)


@dataclass(frozen=True)
class Centred:
    """Weights and biases from U[centre - half_width, centre + half_width].

    Raises InputError where half_width < 0, or one of them is not finite.
    """

    centre: float
    half_width: float

    def __post_init__(self) -> None:
        require_finite(centre=self.centre, half_width=self.half_width)
        if self.half_width < 0:
            raise InputError(f"half_width={self.half_width}: a number of at least 0")

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> tuple[Array, Array]:
        return Uniform(self.centre - self.half_width, self.centre + self.half_width)(rng, fan_in, fan_out)


@dataclass(frozen=True)
class Normal:
    """Weights and biases from N(0, std^2). With std = 1, what the textbook's `network.py` draws.

    Raises InputError where std is negative or not finite.
    """

    std: float

    def __post_init__(self) -> None:
        require_std(std=self.std)

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> tuple[Array, Array]:
        return self.std * rng.standard_normal((fan_in, fan_out)), self.std * rng.standard_normal(fan_out)


@dataclass(frozen=True)
class VarianceScaling:
    """Weights of variance gain / fan, biases from N(0, bias_std^2); bias_std = 0 gives biases of zero.

    `fan` is fan_in, or the average of fan_in and fan_out. LeCun et al. (1998), "Efficient BackProp": gain 1, fan_in.
    Glorot and Bengio (2010), also called Xavier: gain 1, average. He et al. (2015): gain 2, fan_in.
    Nielsen, "Neural Networks and Deep Learning", chapter 3: gain 1, fan_in, bias_std 1.

    Raises InputError where gain or bias_std is negative or not finite, or where fan or distribution is unknown.
    """

    gain: float
    fan: Literal["fan_in", "average"]
    distribution: Literal["normal", "uniform"]
    bias_std: float = 0.0

    def __post_init__(self) -> None:
        require_std(gain=self.gain, bias_std=self.bias_std)
        if self.fan not in ("fan_in", "average"):
            raise InputError(f"fan={self.fan}: fan_in or average")
        if self.distribution not in ("normal", "uniform"):
            raise InputError(f"distribution={self.distribution}: normal or uniform")

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> tuple[Array, Array]:
        std = math.sqrt(self.gain / (fan_in if self.fan == "fan_in" else (fan_in + fan_out) / 2))
        if self.distribution == "normal":
            weights = std * rng.standard_normal((fan_in, fan_out))
        else:
            half_width = math.sqrt(3) * std  # U[-h, h] has the variance h^2 / 3
            weights = rng.uniform(-half_width, half_width, (fan_in, fan_out))
        return weights, self.bias_std * rng.standard_normal(fan_out)


@dataclass(frozen=True)
class Zeros:
    """Weights and biases of zero: all hidden units are alike, and stay so."""

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> tuple[Array, Array]:
        return np.zeros((fan_in, fan_out)), np.zeros(fan_out)


def require_finite(**values: float) -> None:
    """Raise InputError naming the first of the values that is not a finite number."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{name}={value}: a finite number")


def require_std(**values: float) -> None:
    """Raise InputError naming the first of the values that is not a finite number of at least 0."""
    require_finite(**values)
    for name, value in values.items():
        if value < 0:
            raise InputError(f"{name}={value}: a number of at least 0")
