"""Outputs with their cost, one entry a pair: values, cost, error and its own derivative, best constant, what is pinned.

Output and cost belong together: the derivative of the cost by the outputs' pre-activations, the error, is what training
starts from, and for the pairs that are made for each other it is the plain difference a - y. Nothing else in the house
knows an output or a cost by its name. A user's own pair is a subclass of `Output`, named by `network.output._target_`.

Everywhere z, a and moved are (R, batch, outputs), of R networks: pre-activations, the outputs' values, and a direction
in which the pre-activations move; y is (batch, outputs), the targets, or (R, batch, outputs) where each network has
examples of its own.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from scipy.special import xlogy

from initodds.networks.activations import Activation, Linear, Logistic, Relu, Tanh
from initodds.vocabulary import InputError

Array = np.ndarray

PINNED = 0.01
"""An output within this of one end of its range is pinned there, low or high."""


class Output(ABC):
    """The function of a network's output units, and the cost of their values.

    bounded: (least, greatest) value of an output, infinite where there is none.
    needs_shares: whether targets under 0 or over 1 would leave the cost without a least value.
    competing: whether the outputs sum to one, so that there has to be one for each class.
    elementwise: whether an output's error depends on its own z alone, and not on those of the others.
    can_die: whether an output can answer nothing with a slope of 0, see `Activation.can_die`.
    """

    bounded: tuple[float, float] = (-math.inf, math.inf)
    competing: bool = False
    elementwise: bool = False
    can_die: bool = False
    needs_shares: bool = False

    def tame(self, z: Array) -> Array | None:
        """Where the function as it is taught overflows, see `Activation.tame`."""
        return None

    @abstractmethod
    def activate(self, z: Array, scratch: Array) -> None:
        """Turn z into a, in place; `scratch` is an array of its shape."""

    @abstractmethod
    def cost(self, z: Array, a: Array, y: Array) -> Array:
        """What each output adds to the cost of each example, of the shape of z."""

    @abstractmethod
    def error(self, z: Array, a: Array, y: Array, out: Array, scratch: Array) -> None:
        """Write the derivative of each example's cost by z to `out`, an array of the shape of z, as is `scratch`."""

    def exact_error(self, z: Array, a: Array, y: Array) -> Array:
        """The same, exact also where an output is nearly flat."""
        error = np.empty_like(z)
        self.error(z, a, y, error, np.empty_like(z))
        return error

    @abstractmethod
    def error_along(self, z: Array, a: Array, y: Array, moved: Array) -> Array:
        """The error's derivative as z moves along `moved`: the cost's second derivative by z, times it."""

    @abstractmethod
    def best_constant_cost(self, y: Array) -> float:
        """The least mean cost that outputs can have that are the same for every example."""

    def pinned(self, a: Array) -> tuple[Array, Array]:
        """(high, low), bool of the shape of a: whether an output is pinned at the upper, or lower, end of its range."""
        least, greatest = self.bounded
        return a > greatest - PINNED, a < least + PINNED

    def pinned_outputs(self, high: Array, low: Array) -> Array:
        """How many outputs are held by their pins, where so many (of any shape) are pinned `high` and `low` on nearly
        all examples: those of both kinds."""
        return high + low

    def plateau_costs(self, classes: int) -> Array:
        """Costs of networks that answer every example of equally frequent classes alike: (classes + 1,), with 0, 1, ...
        outputs pinned high and the others low; empty where that has no finite cost."""
        return np.empty(0)


@dataclass(frozen=True)
class Squared(Output):
    """Units of one `activation` with a squared cost: 1/2 (a - y)^2, summed over the outputs, which is quadratic; or, as
    a `mean`, (a - y)^2 averaged over the outputs, which is mean_squared."""

    activation: Activation
    mean: bool = False

    elementwise = True

    @property
    def can_die(self) -> bool:  # type: ignore[override]
        return self.activation.can_die

    @property
    def bounded(self) -> tuple[float, float]:  # type: ignore[override]
        return self.activation.bounded

    def pinned(self, a: Array) -> tuple[Array, Array]:
        """See `Output.pinned`. A unit that can die is steep right beside its end, and pinned at it alone."""
        high, low = super().pinned(a)
        return high, a <= self.bounded[0] if self.can_die else low

    def _weight(self, outputs: int) -> float:
        """The factor of 1/2 (a - y)^2."""
        return 2 / outputs if self.mean else 1.0

    def tame(self, z: Array) -> Array | None:
        return self.activation.tame(z)

    def activate(self, z: Array, scratch: Array) -> None:
        self.activation.activate(z, scratch)

    def cost(self, z: Array, a: Array, y: Array) -> Array:
        cost = 0.5 * (a - y) ** 2
        return cost * self._weight(y.shape[-1]) if self.mean else cost

    def error(self, z: Array, a: Array, y: Array, out: Array, scratch: Array) -> None:
        np.subtract(a, y, out=out)
        self.activation.times_slope(z, a, out, scratch)
        if self.mean:
            out *= self._weight(y.shape[-1])

    def exact_error(self, z: Array, a: Array, y: Array) -> Array:
        return self._weight(y.shape[-1]) * (a - y) * self.activation.slope(z)

    def error_along(self, z: Array, a: Array, y: Array, moved: Array) -> Array:
        # ((a - y) f')' = f'^2 + (a - y) f''
        slope = self.activation.slope(z)
        return self._weight(y.shape[-1]) * (slope * slope + (a - y) * self.activation.second(z)) * moved

    def best_constant_cost(self, y: Array) -> float:
        best = np.clip(y.mean(axis=0), *self.bounded)
        return float(0.5 * self._weight(y.shape[1]) * ((y - best) ** 2).sum(axis=1).mean())

    def plateau_costs(self, classes: int) -> Array:
        if not math.isfinite(self.bounded[0] + self.bounded[1]):
            return np.empty(0)
        # An output pinned low is wrong once in `classes` examples, one pinned high all the other times.
        low, high = ((np.array([1.0, 0.0]) - end) ** 2 @ [1, classes - 1] / classes for end in self.bounded)
        pinned_high = np.arange(classes + 1)
        return 0.5 * self._weight(classes) * (pinned_high * high + (classes - pinned_high) * low)


@dataclass(frozen=True)
class BinaryCrossEntropy(Output):
    """Logistic units, each adding -y ln a - (1 - y) ln(1 - a)."""

    activation: Activation = field(default_factory=Logistic)

    bounded = (0.0, 1.0)
    elementwise = True
    needs_shares = True

    def tame(self, z: Array) -> Array | None:
        return self.activation.tame(z)

    def activate(self, z: Array, scratch: Array) -> None:
        self.activation.activate(z, scratch)

    def cost(self, z: Array, a: Array, y: Array) -> Array:
        # ln(1 + e^z) - y z, in the form that does not overflow; z.real, so that complex steps pass through it.
        positive = z.real > 0
        return np.where(positive, z, 0) - y * z + np.log1p(np.exp(np.where(positive, -z, z)))

    def error(self, z: Array, a: Array, y: Array, out: Array, scratch: Array) -> None:
        np.subtract(a, y, out=out)

    def error_along(self, z: Array, a: Array, y: Array, moved: Array) -> Array:
        return self.activation.slope(z) * moved

    def best_constant_cost(self, y: Array) -> float:
        share = y.mean(axis=0)
        return float(-(xlogy(share, share) + xlogy(1 - share, 1 - share)).sum())


class Softmax(Output):
    """a_k = e^(z_k) / sum_j e^(z_j)."""

    bounded = (0.0, 1.0)
    competing = True

    def pinned_outputs(self, high: Array, low: Array) -> Array:
        """See `Output.pinned_outputs`: none, unless one has the whole. Of many classes each has a small share."""
        return np.where(high > 0, high + low, 0)

    def tame(self, z: Array) -> Array | None:
        overflowing = z > np.log(np.finfo(z.real.dtype).max)
        return overflowing if overflowing.any() else None

    def activate(self, z: Array, scratch: Array) -> None:
        # Moving all z of an example by the same leaves a as it is; the largest at 0 cannot overflow.
        np.subtract(z, z.real.max(axis=-1, keepdims=True), out=scratch)
        np.exp(scratch, out=scratch)
        np.divide(scratch, scratch.sum(axis=-1, keepdims=True), out=z)


class CategoricalCrossEntropy(Softmax):
    """Softmax units with the cost -sum_k y_k ln a_k."""

    needs_shares = True

    def cost(self, z: Array, a: Array, y: Array) -> Array:
        top = z.real.max(axis=-1, keepdims=True)
        return y * (top + np.log(np.exp(z - top).sum(axis=-1, keepdims=True)) - z)

    def error(self, z: Array, a: Array, y: Array, out: Array, scratch: Array) -> None:
        np.multiply(a, y.sum(axis=-1, keepdims=True), out=out)
        out -= y

    def error_along(self, z: Array, a: Array, y: Array, moved: Array) -> Array:
        return y.sum(axis=-1, keepdims=True) * _softmax_along(a, moved)

    def best_constant_cost(self, y: Array) -> float:
        mean = y.mean(axis=0)
        return float(-xlogy(mean, mean / mean.sum()).sum())


@dataclass(frozen=True)
class SoftmaxSquared(Softmax):
    """Softmax units with a squared cost, see `Squared`."""

    mean: bool = False

    def _weight(self, outputs: int) -> float:
        return 2 / outputs if self.mean else 1.0

    def cost(self, z: Array, a: Array, y: Array) -> Array:
        return 0.5 * self._weight(y.shape[-1]) * (a - y) ** 2

    def error(self, z: Array, a: Array, y: Array, out: Array, scratch: Array) -> None:
        np.subtract(a, y, out=out)
        np.multiply(a, out, out=scratch)
        out -= scratch.sum(axis=-1, keepdims=True)
        out *= a
        out *= self._weight(y.shape[-1])

    def exact_error(self, z: Array, a: Array, y: Array) -> Array:
        # a_k sum_j a_j (d_k - d_j): where one output has all, d - <a, d> is rounded to 0 long before this is.
        d = a - y
        return self._weight(y.shape[-1]) * a * (a[..., None, :] * (d[..., :, None] - d[..., None, :])).sum(axis=-1)

    def error_along(self, z: Array, a: Array, y: Array, moved: Array) -> Array:
        # error = w a (d - <a, d>) with d = a - y; both a and d move by da.
        da, d = _softmax_along(a, moved), a - y
        inner = (a * d).sum(axis=-1, keepdims=True)
        inner_along = (da * d + a * da).sum(axis=-1, keepdims=True)
        return self._weight(y.shape[-1]) * (da * (d - inner) + a * (da - inner_along))

    def best_constant_cost(self, y: Array) -> float:
        best = _nearest_shares(y.mean(axis=0))
        return float(0.5 * self._weight(y.shape[1]) * ((y - best) ** 2).sum(axis=1).mean())


def _nearest_shares(values: Array) -> Array:
    """The point nearest to `values` (outputs,) whose coordinates are at least 0 and sum to 1 (Held et al. 1974)."""
    falling = np.sort(values)[::-1]
    excess = (np.cumsum(falling) - 1) / np.arange(1, len(values) + 1)
    return np.maximum(values - excess[np.flatnonzero(falling > excess)[-1]], 0)


def _softmax_along(a: Array, moved: Array) -> Array:
    """How softmax's values a move as z does: a (moved - <a, moved>)."""
    return a * (moved - (a * moved).sum(axis=-1, keepdims=True))


_SQUARED_UNITS: tuple[type[Activation], ...] = (Logistic, Linear, Tanh, Relu)

OUTPUTS: dict[tuple[str, str], Callable[[], Output]] = {
    **{(unit.name, "quadratic"): partial(Squared, unit()) for unit in _SQUARED_UNITS},
    **{(unit.name, "mean_squared"): partial(Squared, unit(), mean=True) for unit in _SQUARED_UNITS},
    ("softmax", "quadratic"): SoftmaxSquared,
    ("softmax", "mean_squared"): partial(SoftmaxSquared, mean=True),
    ("logistic", "cross_entropy"): BinaryCrossEntropy,
    ("softmax", "cross_entropy"): CategoricalCrossEntropy,
}
"""Every pair of an output and a cost by their names."""


def output_of(output: str, cost: str) -> Output:
    """The pair of these names. Raises InputError for unknown names, and for two that do not fit.

    >>> output_of("softmax", "cross_entropy").best_constant_cost(np.eye(2))  # ln 2
    0.6931471805599453
    """
    if (output, cost) in OUTPUTS:
        return OUTPUTS[output, cost]()
    outputs = dict.fromkeys(name for name, _ in OUTPUTS)
    if output not in outputs:
        raise InputError(f"network.output={output}: one of {', '.join(outputs)}")
    fitting = [name for name, other in OUTPUTS if other == cost]
    if not fitting:
        raise InputError(f"network.cost={cost}: one of {', '.join(dict.fromkeys(other for _, other in OUTPUTS))}")
    raise InputError(f"network.cost={cost}: does not fit network.output={output}; it fits {' and '.join(fitting)}")
