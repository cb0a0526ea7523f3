"""What the two engines of one network have in common: the networks of a stack are trained one after another."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from initodds.engines import Problem
from initodds.engines.optimizers import Optimizer, State
from initodds.networks.network import Layer, Network, Stack
from initodds.vocabulary import InputError

Array = np.ndarray


class One(ABC):
    """One network that takes steps by itself.

    overflows: how often its logistic function, the naive 1 / (1 + exp(-z)), has overflowed so far.
    """

    activations: ClassVar[tuple[str, ...]]
    costs: ClassVar[tuple[str, ...]]

    def __init__(self, layers: Sequence[Layer], cost: str) -> None:
        """`layers` are weights (fan_in, fan_out) and biases (fan_out,) of each layer, as the project has them."""
        self.cost = cost
        self.overflows = 0

    @abstractmethod
    def step(self, x: Array, targets: Array, rates: Array) -> None:
        """Subtract `rates` (layers,), each layer's own, times the batch's SUMMED gradient; `x` is (batch, features),
        `targets` (batch, outputs)."""

    @abstractmethod
    def layers(self) -> list[Layer]:
        """The network's layers as they are now."""

    def logistic(self, z: Array) -> Array:
        """1 / (1 + exp(-z)), the way it is taught. Where exp(-z) overflows to infinity, the result is 0, as it should
        be; what a user sees of it is a warning, and here a count."""
        with np.errstate(over="ignore"):
            exponential = np.exp(-z)
        self.overflows += int(np.isinf(exponential).sum())
        return 1 / (1 + exponential)


class Sequential:
    """See `initodds.engines.Engine`. Supports the activations and costs of its kind `one`, logistic outputs, and plain
    SGD."""

    one: ClassVar[type[One]]
    side_by_side: ClassVar[int] = 1
    in_threads: ClassVar[bool] = False

    def __init__(self, problem: Problem, replicates: Sequence[Sequence[Layer]], states: Sequence[State] = ()) -> None:
        dtype = np.dtype(problem.dtype)
        self.require_support(problem.network, problem.optimizer, dtype)
        self._problem = problem
        self._networks = [
            self.one([(w.astype(dtype), b.astype(dtype)) for w, b in layers], problem.network.cost)
            for layers in replicates
        ]
        self._x, self._targets = problem.x.astype(dtype, copy=False), problem.targets.astype(dtype, copy=False)
        self._rates = problem.optimizer.rates(len(replicates), len(problem.network.sizes) - 1).astype(dtype)

    @classmethod
    def require_support(cls, network: Network, optimizer: Optimizer, dtype: np.dtype) -> None:
        one = cls.one
        for activation in network.activations:
            _require("network.activation", activation.name, one.activations)
        _require("network.output", network.output, ("logistic",))
        _require("network.cost", network.cost, one.costs)
        _require("network.bias", network.bias, (True,))
        _require("optimizer", "plain SGD" if optimizer.fused else type(optimizer).__name__, ("plain SGD",))

    def steps(self, rows: Array, factors: Array | None = None) -> None:
        own = np.broadcast_to(rows, (len(self._networks), *rows.shape[-2:]))
        for network, rates, batches in zip(self._networks, self._rates, own, strict=True):
            for step, batch in enumerate(batches):
                now = rates if factors is None else rates * rates.dtype.type(factors[step])
                now = now / len(batch) if self._problem.reduction == "mean" else now
                network.step(self._x[batch], self._targets[batch], now)

    def stack(self) -> Stack:
        return Stack(self._problem.network, [network.layers() for network in self._networks], self._problem.dtype)

    @property
    def states(self) -> list[State]:
        return [State() for _ in self._networks]  # plain SGD keeps nothing

    @property
    def overflows(self) -> Array:
        return np.array([network.overflows for network in self._networks])


def _require(key: str, given: object, supported: tuple[object, ...]) -> None:
    """Raise InputError where what is given for a key is not supported."""
    if given not in supported:
        names = " or ".join(map(str, supported))
        raise InputError(f"{key}={given}: this engine supports {names}; engine=stacked supports all")
