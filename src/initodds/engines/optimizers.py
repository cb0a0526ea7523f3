"""How a gradient becomes a step: one small entry an optimizer, with the formulas and the defaults of PyTorch 2.

A parameter, its gradient and its slots are arrays of one shape, in which any number of networks lie side by side;
`rate` is a number or broadcasts to that shape. `compiled.c` has the same formulas, for one network at a time. A user's
own is a subclass of `Optimizer`, named by `optimizer._target_`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from initodds.networks.network import Layer
from initodds.vocabulary import InputError

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class State:
    """What an optimizer has kept of one network: how many steps it has taken, and its slots, each with arrays of the
    shapes of the network's layers."""

    steps: int = 0
    slots: Sequence[Sequence[Layer]] = ()


@dataclass(frozen=True)
class Optimizer(ABC):
    """What every optimizer has.

    learning_rate: over 0; a number; or (R,) for R networks; or (R, L) for the L layers of each, where R may be 1.
    weight_decay: of at least 0, see each optimizer; it shrinks the biases too, as PyTorch's does.
    clip_norm: where a network's gradient, by all its weights and biases, has a larger norm, it is scaled down to this
        one before anything else; None leaves it.
    slots: how many arrays of a parameter's shape are kept from one step to the next; they begin as zeros.

    Raises InputError for a value out of its range.
    """

    learning_rate: float | Array
    weight_decay: float = 0.0
    clip_norm: float | None = None

    slots: ClassVar[int] = 0

    def __post_init__(self) -> None:
        rates = np.asarray(self.learning_rate)
        if rates.dtype.kind not in "iuf" or not ((rates > 0) & (rates < math.inf)).all():
            raise InputError(f"learning_rate={self.learning_rate}: a number over 0, or an array of such")
        _require_at_least_0(weight_decay=self.weight_decay)
        if self.clip_norm is not None and not (_is_number(self.clip_norm) and 0 < self.clip_norm < math.inf):
            raise InputError(f"optimizer.clip_norm={self.clip_norm}: a number over 0, or null for none")

    @property
    def fused(self) -> bool:
        """Whether a step is no more than the gradient times -rate, so that no gradient has to be kept."""
        return False

    @property
    def remembers(self) -> bool:
        """Whether a step depends on those before it."""
        return self.slots > 0

    @property
    def gradient_decay(self) -> float:
        """The weight decay that is part of the gradient, which is that of gradient_decay / 2 |w|^2 beside the cost."""
        return self.weight_decay

    @property
    def moves_without_gradient(self) -> bool:
        """Whether weights change that have no gradient, as those of a feature that no example has."""
        return self.weight_decay > 0

    def rates(self, replicates: int, layers: int) -> Array:
        """(replicates, layers) float, the learning rate of each layer of each network; a view that must not be written
        to."""
        given = np.asarray(self.learning_rate, float)
        return np.broadcast_to(given if given.ndim == 2 else given.reshape(-1, 1), (replicates, layers))

    @abstractmethod
    def update(self, parameter: Array, gradient: Array, slots: Sequence[Array], rate: Array | float, step: int) -> None:
        """Take a step: change `parameter` and `slots` in place. `gradient` may be overwritten.

        rate: the learning rate of this step.  step: its number, from 1.
        """


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: g <- g + weight_decay w; v <- momentum v + g; w <- w - rate v.

    momentum: from 0 to under 1 (Rumelhart, Hinton and Williams 1986).  nesterov: w <- w - rate (g + momentum v) instead
    (Sutskever et al. 2013, in PyTorch's form).
    """

    momentum: float = 0.0
    nesterov: bool = False

    slots: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_share(momentum=self.momentum)
        if not isinstance(self.nesterov, bool):
            raise InputError(f"optimizer.nesterov={self.nesterov}: true or false")
        if self.nesterov and not self.momentum:
            raise InputError("optimizer.nesterov=true: needs a momentum; optimizer.momentum=0.9")

    @property
    def fused(self) -> bool:
        return not self.momentum and not self.weight_decay and self.clip_norm is None

    @property
    def remembers(self) -> bool:
        return self.momentum > 0

    def update(self, parameter: Array, gradient: Array, slots: Sequence[Array], rate: Array | float, step: int) -> None:
        (velocity,) = slots
        _add_decay(gradient, parameter, self.weight_decay)
        velocity *= self.momentum
        velocity += gradient
        if self.nesterov:
            gradient += self.momentum * velocity
        else:
            gradient = velocity
        parameter -= rate * gradient


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), with the weight decay as part of the gradient.

    m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2;
    w <- w - rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon), in step t.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    slots: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_share(beta1=self.beta1, beta2=self.beta2)
        _require_over_0(epsilon=self.epsilon)

    def update(self, parameter: Array, gradient: Array, slots: Sequence[Array], rate: Array | float, step: int) -> None:
        _add_decay(gradient, parameter, self.weight_decay)
        self._move(parameter, gradient, slots, rate, step)

    def _move(self, parameter: Array, gradient: Array, slots: Sequence[Array], rate: Array | float, step: int) -> None:
        mean, square = slots
        mean *= self.beta1
        mean += (1 - self.beta1) * gradient
        square *= self.beta2
        np.multiply(gradient, gradient, out=gradient)
        gradient *= 1 - self.beta2
        square += gradient
        np.sqrt(square, out=gradient)
        gradient /= math.sqrt(1 - self.beta2**step)
        gradient += self.epsilon
        np.divide(mean, gradient, out=gradient)
        gradient *= rate / (1 - self.beta1**step)
        parameter -= gradient


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with the weight decay apart from the gradient (Loshchilov and Hutter 2019): first w <- (1 - rate
    weight_decay) w, and then Adam's step."""

    weight_decay: float = 0.01

    @property
    def gradient_decay(self) -> float:
        return 0.0

    def update(self, parameter: Array, gradient: Array, slots: Sequence[Array], rate: Array | float, step: int) -> None:
        parameter *= 1 - rate * self.weight_decay
        self._move(parameter, gradient, slots, rate, step)


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012), with the weight decay as part of the gradient.

    v <- alpha v + (1 - alpha) g^2; u <- momentum u + g / (sqrt(v) + epsilon); w <- w - rate u.
    """

    alpha: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0

    slots: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_share(alpha=self.alpha, momentum=self.momentum)
        _require_over_0(epsilon=self.epsilon)

    def update(self, parameter: Array, gradient: Array, slots: Sequence[Array], rate: Array | float, step: int) -> None:
        square, velocity = slots
        _add_decay(gradient, parameter, self.weight_decay)
        square *= self.alpha
        square += (1 - self.alpha) * gradient * gradient
        gradient /= np.sqrt(square) + self.epsilon
        velocity *= self.momentum
        velocity += gradient
        parameter -= rate * velocity


def _add_decay(gradient: Array, parameter: Array, weight_decay: float) -> None:
    """Add the gradient of weight_decay / 2 |w|^2, in place."""
    if weight_decay:
        gradient += weight_decay * parameter


def _require_at_least_0(**values: float) -> None:
    for name, value in values.items():
        if not (_is_number(value) and 0 <= value < math.inf):
            raise InputError(f"optimizer.{name}={value}: a number of at least 0")


def _require_over_0(**values: float) -> None:
    for name, value in values.items():
        if not (_is_number(value) and 0 < value < math.inf):
            raise InputError(f"optimizer.{name}={value}: a number over 0")


def _require_share(**values: float) -> None:
    for name, value in values.items():
        if not (_is_number(value) and 0 <= value < 1):
            raise InputError(f"optimizer.{name}={value}: a number of at least 0 and under 1")


def _is_number(value: object) -> bool:
    """Whether a value that a user has set is a number: YAML has true, null and text as well."""
    return isinstance(value, int | float) and not isinstance(value, bool)
