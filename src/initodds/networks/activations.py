"""Activation functions, one entry each: value, slope and second derivative side by side, and what a unit's ends mean.

Nothing else in the house knows an activation by its name. A user's own is a subclass of `Activation` with these three
functions, named by `network.activation._target_`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit, ndtr

from initodds.vocabulary import InputError

Array = np.ndarray

FLAT_SLOPE = 0.04
"""A unit is flat where its slope is under this share of the function's steepest slope: for the logistic function beyond
|z| = 4.6, where its value is within 0.0101 of 0 or 1."""


class Activation(ABC):
    """A function f of a unit's pre-activation z, applied to each element of an array of any shape.

    name: what an option of `network.activation` is called by; a user's own needs none.
    gain: by which the standard deviation of a layer's weights is to be larger than a linear layer's, as PyTorch's
        `calculate_gain` has it; for a function that it does not have, as He et al. (2015) derive ReLU's:
        1 / sqrt(E f(z)^2) for z of the law N(0, 1), so that the next layer's z have the same mean square.
    steepest: the largest slope.  bounded: (least, greatest) value, infinite where there is none.
    can_die: whether a unit answers nothing where it is flat.
    fitting_init: the option of the group init whose variance is made for such units: Glorot and Bengio's (2010), or
        that of He et al. (2015) for those that are steep on one side only.
    needs_pre_activation: whether `times_slope` reads z; where it does not, no array is kept for it.

    ends: what a unit answers where it is flat, at (its lower, its upper) end; None where it is not flat there.

    `value`, `slope` and `second` are the definition, exact also where the function is nearly flat. `activate`,
    `times_slope` and `is_flat` are what training calls; by default they are made of the definition, and an entry whose
    slope can be told from its value has faster ones.
    """

    name: ClassVar[str] = ""
    gain: float = 1.0
    steepest: float = 1.0
    bounded: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    ends: ClassVar[tuple[float | None, float | None]] = (None, None)
    can_die: ClassVar[bool] = False
    fitting_init: ClassVar[str] = "xavier_uniform"
    needs_pre_activation: ClassVar[bool] = True

    @property
    def flat_word(self) -> str:
        """What a unit is called where it is flat."""
        return "dead" if self.can_die else "saturated"

    @abstractmethod
    def value(self, z: Array) -> Array:
        """f(z)."""

    @abstractmethod
    def slope(self, z: Array) -> Array:
        """f'(z)."""

    @abstractmethod
    def second(self, z: Array) -> Array:
        """f''(z)."""

    def tame(self, z: Array) -> Array | None:
        """Where the function as it is taught overflows, bool of the shape of z; None where it does not. Moves these z,
        in place, to where `activate` does not."""
        return None

    def activate(self, z: Array, scratch: Array) -> None:
        """Turn z into f(z), in place; `scratch` is an array of its shape."""
        z[...] = self.value(z)

    def times_slope(self, z: Array | None, a: Array, error: Array, scratch: Array) -> None:
        """Multiply `error` by f'(z), in place, where a = f(z); z is None unless the entry `needs_pre_activation`."""
        assert z is not None
        error *= self.slope(z)

    def is_flat(self, z: Array | None, a: Array) -> Array:
        """Whether each unit is flat, see `FLAT_SLOPE`; arguments as for `times_slope`."""
        assert z is not None
        return np.abs(self.slope(z)) < FLAT_SLOPE * self.steepest


class Logistic(Activation):
    """1 / (1 + e^-z)."""

    name = "logistic"
    steepest = 0.25
    bounded = ends = (0.0, 1.0)
    needs_pre_activation = False

    def value(self, z: Array) -> Array:
        return 1 / (1 + np.exp(-z)) if np.iscomplexobj(z) else expit(z)

    def slope(self, z: Array) -> Array:
        small = _exp_towards_zero(z)
        return small / (1 + small) ** 2  # a (1 - a) is rounded to 0 long before the slope is

    def second(self, z: Array) -> Array:
        small = _exp_towards_zero(z)
        return np.where(z.real > 0, small - 1, 1 - small) * small / (1 + small) ** 3

    def tame(self, z: Array) -> Array | None:
        lowest = LOWEST_LOGISTIC[z.real.dtype]
        overflowing = z < lowest
        if not overflowing.any():
            return None
        np.maximum(z, lowest, out=z)
        return overflowing

    def activate(self, z: Array, scratch: Array) -> None:
        np.negative(z, out=scratch)
        np.exp(scratch, out=scratch)
        scratch += 1
        np.divide(1, scratch, out=z)

    def times_slope(self, z: Array | None, a: Array, error: Array, scratch: Array) -> None:
        np.subtract(1, a, out=scratch)
        scratch *= a
        error *= scratch

    def is_flat(self, z: Array | None, a: Array) -> Array:
        return 4 * a * (1 - a) < FLAT_SLOPE


# The least z for which exp(-z) is finite, as the dtype has it: -88.7 and -709.8. The logarithm is rounded, so one step
# of the dtype towards zero stays on the safe side.
LOWEST_LOGISTIC = {
    np.dtype(real): np.nextafter(-np.log(np.finfo(real).max), real(0)) for real in (np.float32, np.float64)
}


class Tanh(Activation):
    """tanh z."""

    name = "tanh"
    gain = 5 / 3
    bounded = ends = (-1.0, 1.0)
    needs_pre_activation = False

    def value(self, z: Array) -> Array:
        return np.tanh(z)

    def slope(self, z: Array) -> Array:
        # 1 - tanh^2 is rounded to 0 long before the slope is; cosh would overflow, where the slope is
        # under 1e-33.
        return 1 / np.cosh(np.clip(z, -40, 40)) ** 2

    def second(self, z: Array) -> Array:
        return -2 * np.tanh(z) * self.slope(z)

    def activate(self, z: Array, scratch: Array) -> None:
        np.tanh(z, out=z)

    def times_slope(self, z: Array | None, a: Array, error: Array, scratch: Array) -> None:
        np.multiply(a, a, out=scratch)
        np.subtract(1, scratch, out=scratch)
        error *= scratch

    def is_flat(self, z: Array | None, a: Array) -> Array:
        return 1 - a * a < FLAT_SLOPE


class Linear(Activation):
    """z itself."""

    name = "linear"
    needs_pre_activation = False

    def value(self, z: Array) -> Array:
        return z.copy()

    def slope(self, z: Array) -> Array:
        return np.ones_like(z)

    def second(self, z: Array) -> Array:
        return np.zeros_like(z)

    def activate(self, z: Array, scratch: Array) -> None:
        pass

    def times_slope(self, z: Array | None, a: Array, error: Array, scratch: Array) -> None:
        pass

    def is_flat(self, z: Array | None, a: Array) -> Array:
        return np.zeros(a.shape, bool)


class Relu(Activation):
    """max(0, z); its slope at 0 is taken to be 0."""

    name = "relu"
    gain = math.sqrt(2)
    bounded = (0.0, math.inf)
    ends = (0.0, None)
    can_die = True
    fitting_init = "he_normal"
    needs_pre_activation = False

    def value(self, z: Array) -> Array:
        return np.where(z.real > 0, z, 0)

    def slope(self, z: Array) -> Array:
        return (z.real > 0).astype(z.dtype)

    def second(self, z: Array) -> Array:
        return np.zeros_like(z)

    def activate(self, z: Array, scratch: Array) -> None:
        if np.iscomplexobj(z):
            z[...] = self.value(z)
        else:
            np.maximum(z, 0, out=z)

    def times_slope(self, z: Array | None, a: Array, error: Array, scratch: Array) -> None:
        error *= a.real > 0

    def is_flat(self, z: Array | None, a: Array) -> Array:
        return a <= 0


@dataclass(frozen=True)
class LeakyRelu(Activation):
    """z where it is over 0, else negative_slope * z (Maas et al. 2013). Raises InputError for a slope not in (0, 1)."""

    negative_slope: float = 0.01

    name = "leaky_relu"
    fitting_init = "he_normal"
    needs_pre_activation = False

    def __post_init__(self) -> None:
        if not 0 < self.negative_slope < 1:
            raise InputError(f"network.negative_slope={self.negative_slope}: a number over 0 and under 1")

    @property
    def gain(self) -> float:  # type: ignore[override]
        return math.sqrt(2 / (1 + self.negative_slope**2))

    def value(self, z: Array) -> Array:
        return np.where(z.real > 0, z, self.negative_slope * z)

    def slope(self, z: Array) -> Array:
        return np.where(z.real > 0, 1, self.negative_slope).astype(z.dtype)

    def second(self, z: Array) -> Array:
        return np.zeros_like(z)

    def times_slope(self, z: Array | None, a: Array, error: Array, scratch: Array) -> None:
        error *= self.slope(a)

    def is_flat(self, z: Array | None, a: Array) -> Array:
        return np.zeros(a.shape, bool)  # it goes on, however slowly


class Elu(Activation):
    """z where it is over 0, else e^z - 1 (Clevert et al. 2016)."""

    name = "elu"
    gain = 1.2451983007007066
    bounded = (-1.0, math.inf)
    ends = (-1.0, None)
    fitting_init = "he_normal"
    needs_pre_activation = False
    scale: ClassVar[float] = 1.0
    alpha: ClassVar[float] = 1.0

    @property
    def steepest(self) -> float:  # type: ignore[override]
        return self.scale * max(1.0, self.alpha)

    def value(self, z: Array) -> Array:
        return self.scale * np.where(z.real > 0, z, self.alpha * _exp_minus_one(z))

    def slope(self, z: Array) -> Array:
        return self.scale * np.where(z.real > 0, 1, self.alpha * np.exp(_where_negative(z)))

    def second(self, z: Array) -> Array:
        return self.scale * np.where(z.real > 0, 0, self.alpha * np.exp(_where_negative(z)))

    def times_slope(self, z: Array | None, a: Array, error: Array, scratch: Array) -> None:
        error *= np.where(a.real > 0, self.scale, a + self.scale * self.alpha)

    def is_flat(self, z: Array | None, a: Array) -> Array:
        return (a <= 0) & (a + self.scale * self.alpha < FLAT_SLOPE * self.steepest)


class Selu(Elu):
    """1.0507 times an ELU of alpha 1.6733 (Klambauer et al. 2017, whose weights have LeCun's variance)."""

    name = "selu"
    fitting_init = "lecun_normal"
    gain = 0.75
    scale = 1.0507009873554804934193349852946
    alpha = 1.6732632423543772848170429916717
    bounded = (-scale * alpha, math.inf)
    ends = (-scale * alpha, None)


class Gelu(Activation):
    """z times the normal distribution function of z (Hendrycks and Gimpel 2016), in its exact form."""

    name = "gelu"
    gain = 1.5335304411955353
    steepest = 1.1289
    bounded = (-0.16997, math.inf)
    ends = (0.0, None)
    can_die = True
    fitting_init = "he_normal"

    def value(self, z: Array) -> Array:
        return z * _normal_distribution(z)

    def slope(self, z: Array) -> Array:
        return _normal_distribution(z) + z * _normal_density(z)

    def second(self, z: Array) -> Array:
        return (2 - z * z) * _normal_density(z)

    def is_flat(self, z: Array | None, a: Array) -> Array:
        return _flat_towards_its_end(self, z, a)


class Silu(Activation):
    """z / (1 + e^-z), also called swish (Ramachandran et al. 2017)."""

    name = "silu"
    gain = 1.6765324703310907
    steepest = 1.0998
    bounded = (-0.27846, math.inf)
    ends = (0.0, None)
    can_die = True
    fitting_init = "he_normal"

    def value(self, z: Array) -> Array:
        return z * _LOGISTIC.value(z)

    def slope(self, z: Array) -> Array:
        return _LOGISTIC.value(z) + z * _LOGISTIC.slope(z)

    def second(self, z: Array) -> Array:
        return 2 * _LOGISTIC.slope(z) + z * _LOGISTIC.second(z)

    def is_flat(self, z: Array | None, a: Array) -> Array:
        return _flat_towards_its_end(self, z, a)


def _flat_towards_its_end(activation: Activation, z: Array | None, a: Array) -> Array:
    """Where a function that has a least value is flat for good, and not where it turns round: it falls there."""
    assert z is not None
    return Activation.is_flat(activation, z, a) & (activation.second(z) <= 0)


class Softplus(Activation):
    """ln(1 + e^z) (Dugas et al. 2001)."""

    name = "softplus"
    gain = 1.0418668355353016
    bounded = (0.0, math.inf)
    ends = (0.0, None)
    can_die = True
    needs_pre_activation = False

    def value(self, z: Array) -> Array:
        positive = z.real > 0
        return np.where(positive, z, 0) + np.log1p(np.exp(np.where(positive, -z, z)))

    def slope(self, z: Array) -> Array:
        return _LOGISTIC.value(z)

    def second(self, z: Array) -> Array:
        return _LOGISTIC.slope(z)

    def times_slope(self, z: Array | None, a: Array, error: Array, scratch: Array) -> None:
        error *= -_exp_minus_one(-a)

    def is_flat(self, z: Array | None, a: Array) -> Array:
        return -np.expm1(-a) < FLAT_SLOPE


_LOGISTIC = Logistic()


def _exp_towards_zero(z: Array) -> Array:
    """e^-|z|, of a complex z by the sign of its real part."""
    return np.exp(np.where(z.real > 0, -z, z) if np.iscomplexobj(z) else -np.abs(z))


def _where_negative(z: Array) -> Array:
    """z where it is under 0, else 0: the exponential of what is returned does not overflow."""
    return np.where(z.real < 0, z, 0)


def _exp_minus_one(z: Array) -> Array:
    """e^z - 1 where z is under 0, else 0."""
    return np.expm1(_where_negative(z))


def _normal_distribution(z: Array) -> Array:
    return ndtr(z)


def _normal_density(z: Array) -> Array:
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


ACTIVATIONS: dict[str, type[Activation]] = {
    entry.name: entry for entry in (Logistic, Tanh, Relu, LeakyRelu, Elu, Selu, Gelu, Silu, Softplus, Linear)
}
"""Every activation by its name."""


def activation_of(name: str) -> Activation:
    """The activation of this name. Raises InputError for an unknown one.

    >>> activation_of("relu").value(np.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    if name not in ACTIVATIONS:
        raise InputError(f"network.activation={name}: one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()
