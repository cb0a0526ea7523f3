"""The rules by which one layer is drawn: what papers propose, and what frameworks draw when nobody asks.

The same generator gives the same underlying numbers to every `Uniform` and `Centred`, so two ranges at one seed are the
same draw, moved and scaled.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from initodds.initializers.places import Array, Layer, Place, Placed
from initodds.vocabulary import InputError

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of N(0, 1) cut off at -2 and 2."""


@dataclass(frozen=True)
class Uniform:
    """Weights and biases from U[low, high].

    Raises InputError where low > high, or one of them is not finite.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        require_finite(low=self.low, high=self.high)
        if not math.isfinite(self.high - self.low):
            raise InputError(f"low={self.low}, high={self.high}: their distance must be a finite number")
        if self.low > self.high:
            raise InputError(f"low={self.low}, high={self.high}: low must not be over high")

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer:
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

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer:
        return Uniform(self.centre - self.half_width, self.centre + self.half_width)(rng, fan_in, fan_out)


@dataclass(frozen=True)
class Normal:
    """Weights and biases from N(0, std^2). With std = 1, what the textbook's `network.py` draws.

    Raises InputError where std is negative or not finite.
    """

    std: float

    def __post_init__(self) -> None:
        require_std(std=self.std)

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer:
        return self.std * rng.standard_normal((fan_in, fan_out)), self.std * rng.standard_normal(fan_out)


@dataclass(frozen=True)
class TruncatedNormal:
    """Weights from N(0, std^2) cut off at -2 std and 2 std, biases 0: Keras' and TensorFlow's TruncatedNormal.

    Their standard deviation is 0.88 std. Raises InputError where std is negative or not finite.
    """

    std: float

    def __post_init__(self) -> None:
        require_std(std=self.std)

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer:
        return self.std * truncated_normal(rng, (fan_in, fan_out)), np.zeros(fan_out)


@dataclass(frozen=True)
class VarianceScaling(Placed):
    """Weights of variance gain / fan, biases from N(0, bias_std^2); bias_std = 0 gives biases of zero.

    `fan` is fan_in, or the average of fan_in and fan_out. LeCun et al. (1998), "Efficient BackProp": gain 1, fan_in.
    Glorot and Bengio (2010), also called Xavier: gain 1, average. He et al. (2015): gain 2, fan_in.
    Nielsen, "Neural Networks and Deep Learning", chapter 3: gain 1, fan_in, bias_std 1.
    gain auto is the square of the gain of the layer's own activation, see `Units`.
    truncated_normal is cut off at two standard deviations of the normal law before the cut, and has the variance after
    it, as in Keras' and JAX's variance_scaling.

    Raises InputError where gain or bias_std is negative or not finite, or where fan or distribution is unknown.

    >>> weights, _ = VarianceScaling(2.0, "fan_in", "uniform")(np.random.default_rng(0), 600, 100)
    >>> bool(abs(weights).max() < 0.1)  # sqrt(3 * 2 / 600)
    True
    """

    gain: float | Literal["auto"]
    fan: Literal["fan_in", "average"]
    distribution: Literal["normal", "uniform", "truncated_normal"]
    bias_std: float = 0.0

    def __post_init__(self) -> None:
        require_gain(self.gain)
        require_std(bias_std=self.bias_std)
        if self.fan not in ("fan_in", "average"):
            raise InputError(f"fan={self.fan}: fan_in or average")
        if self.distribution not in ("normal", "uniform", "truncated_normal"):
            raise InputError(f"distribution={self.distribution}: normal, uniform or truncated_normal")

    def draw_at(self, rng: np.random.Generator, fan_in: int, fan_out: int, place: Place) -> Layer:
        """The layer at this place."""
        gain = place.units.gain**2 if self.gain == "auto" else self.gain
        std = math.sqrt(gain / (fan_in if self.fan == "fan_in" else (fan_in + fan_out) / 2))
        if self.distribution == "normal":
            weights = std * rng.standard_normal((fan_in, fan_out))
        elif self.distribution == "truncated_normal":
            weights = std / TRUNCATED_STD * truncated_normal(rng, (fan_in, fan_out))
        else:
            half_width = math.sqrt(3) * std  # U[-h, h] has the variance h^2 / 3
            weights = rng.uniform(-half_width, half_width, (fan_in, fan_out))
        return weights, self.bias_std * rng.standard_normal(fan_out)


@dataclass(frozen=True)
class TorchLinear:
    """Weights and biases from U[-1 / sqrt(fan_in), 1 / sqrt(fan_in)]: PyTorch's nn.Linear when nobody asks.

    Its kaiming_uniform_ with a = sqrt(5) comes to this range.
    """

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer:
        half_width = 1 / math.sqrt(fan_in)
        return Uniform(-half_width, half_width)(rng, fan_in, fan_out)


@dataclass(frozen=True)
class SklearnMLP(Placed):
    """Weights and biases from U[-h, h], h = sqrt(factor / (fan_in + fan_out)): scikit-learn's MLPClassifier and
    MLPRegressor. factor is 2 in every layer of a network whose first hidden layer is logistic, and 6 otherwise."""

    def draw_at(self, rng: np.random.Generator, fan_in: int, fan_out: int, place: Place) -> Layer:
        """The layer at this place."""
        hidden = place.network[:-1]
        factor = 2 if hidden and hidden[0].activation == "logistic" else 6
        half_width = math.sqrt(factor / (fan_in + fan_out))
        return Uniform(-half_width, half_width)(rng, fan_in, fan_out)


@dataclass(frozen=True)
class Orthogonal(Placed):
    """Weights gain * Q, where the columns of Q (its rows, if there are fewer) are orthonormal, and Q is uniform among
    such matrices (Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning"); biases 0.

    gain auto is the gain of the layer's own activation, see `Units`. Raises InputError where gain is negative or not
    finite.

    >>> weights, _ = Orthogonal(2.0)(np.random.default_rng(0), 5, 3)
    >>> bool(np.allclose(weights.T @ weights, 4 * np.eye(3)))
    True
    """

    gain: float | Literal["auto"] = 1.0

    def __post_init__(self) -> None:
        require_gain(self.gain)

    def draw_at(self, rng: np.random.Generator, fan_in: int, fan_out: int, place: Place) -> Layer:
        """The layer at this place."""
        gain = place.units.gain if self.gain == "auto" else self.gain
        q, r = np.linalg.qr(rng.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out))))
        q = q * np.sign(np.diag(r))  # or the law would hang on the sign that QR happens to choose
        return gain * (q if fan_in >= fan_out else q.T), np.zeros(fan_out)


@dataclass(frozen=True)
class RandomizedAsymmetric:
    """Lu, Shin, Su and Karniadakis (2019), "Dying ReLU and Initialization": for ReLU units that are not to die.

    Of the fan_in + 1 numbers of a unit, weights and bias alike, all are from N(0, 0.6007^2 / fan_in) but for one,
    chosen at random, that is from Beta(2, 1) and so positive.

    >>> weights, biases = RandomizedAsymmetric()(np.random.default_rng(0), 4, 1000)
    >>> bool((np.vstack([weights, biases]).max(axis=0) > 0).all())
    True
    """

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer:
        together = 0.6007 / math.sqrt(fan_in) * rng.standard_normal((fan_in + 1, fan_out))
        together[rng.integers(fan_in + 1, size=fan_out), np.arange(fan_out)] = rng.beta(2, 1, fan_out)
        return together[:-1], together[-1]


@dataclass(frozen=True)
class Lsuv(Placed):
    """Mishkin and Matas (2016), "All you need is a good init": orthonormal weights, then divided so that the layer's
    pre-activations on a batch of data have the variance 1, over examples and units together; biases 0.

    Layer by layer, each on what those before it make of the batch. The division is left out where the variance is
    within `tolerance` of 1; the paper's loop ends after one, since pre-activations are linear in the weights. A layer
    that is given the same zeros for every example has no variance, and stays orthonormal.

    Raises InputError where tolerance is negative or not finite, and when it is called without a batch of data.
    """

    tolerance: float = 0.1

    def __post_init__(self) -> None:
        require_std(tolerance=self.tolerance)

    def draw_at(self, rng: np.random.Generator, fan_in: int, fan_out: int, place: Place) -> Layer:
        """The layer at this place."""
        weights, biases = Orthogonal()(rng, fan_in, fan_out)
        variance = float((place.inputs() @ weights).var())
        if variance > 0 and abs(variance - 1) >= self.tolerance:
            weights = weights / math.sqrt(variance)
        return weights, biases


@dataclass(frozen=True)
class Constant:
    """Weights and biases that are all the same number: all hidden units are alike, and stay so.

    Raises InputError where value is not finite.
    """

    value: float

    def __post_init__(self) -> None:
        require_finite(value=self.value)

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer:
        return np.full((fan_in, fan_out), float(self.value)), np.full(fan_out, float(self.value))


@dataclass(frozen=True)
class Zeros:
    """Weights and biases of zero: all hidden units are alike, and stay so."""

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Layer:
        return np.zeros((fan_in, fan_out)), np.zeros(fan_out)


def truncated_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Numbers from N(0, 1) cut off at -2 and 2: by its inverse distribution function, one uniform number for each."""
    from scipy import special

    low, high = special.ndtr((-2.0, 2.0))
    numbers: Array = special.ndtri(rng.uniform(low, high, shape))
    return numbers


def require_gain(gain: float | str) -> None:
    """Raise InputError where a gain is neither auto nor a finite number of at least 0."""
    if isinstance(gain, str):
        if gain != "auto":
            raise InputError(f"gain={gain}: auto, or a number of at least 0")
    else:
        require_std(gain=gain)


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
