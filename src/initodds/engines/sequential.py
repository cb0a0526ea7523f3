"""What the two engines of one network have in common: the networks of a stack are trained one after another."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from initodds.engines import Reduction
from initodds.networks.network import Layer, Network, Stack
from initodds.vocabulary import InputError

Array = np.ndarray


class One(ABC):
    """One network that takes SGD steps by itself.

    overflows: how often its logistic function, the naive 1 / (1 + exp(-z)), has overflowed so far.
    """

    activations: ClassVar[tuple[str, ...]]
    costs: ClassVar[tuple[str, ...]]

    def __init__(self, layers: Sequence[Layer], cost: str) -> None:
        """`layers` are weights (fan_in, fan_out) and biases (fan_out,) of each layer, as the project has them."""
        self.cost = cost
        self.overflows = 0

    @abstractmethod
    def step(self, x: Array, targets: Array, rate: float) -> None:
        """Subtract `rate` times the batch's SUMMED gradient; `x` is (batch, features), `targets` (batch, outputs)."""

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
    """See `initodds.engines.Engine`. Raises InputError for a network that its kind `one` does not support."""

    one: ClassVar[type[One]]

    def __init__(
        self,
        network: Network,
        replicates: Sequence[Sequence[Layer]],
        x: Array,
        targets: Array,
        learning_rate: float | Array,
        reduction: Reduction,
        dtype: np.dtype,
    ) -> None:
        for key, taken in (("activation", self.one.activations), ("cost", self.one.costs)):
            given = getattr(network, key)
            if given not in taken:
                supported = f"this engine supports {' or '.join(taken)}; engine=stacked supports all"
                raise InputError(f"network.{key}={given}: {supported}")
        self.network, self.dtype = network, np.dtype(dtype)
        self.networks = [
            self.one([(w.astype(dtype), b.astype(dtype)) for w, b in layers], network.cost) for layers in replicates
        ]
        self.x, self.targets = x.astype(dtype, copy=False), targets.astype(dtype, copy=False)
        self.rates = np.broadcast_to(np.asarray(learning_rate, dtype), len(replicates))
        self.reduction = reduction

    def step(self, rows: Array) -> None:
        x, targets = self.x[rows], self.targets[rows]
        for network, rate in zip(self.networks, self.rates, strict=True):
            network.step(x, targets, rate / len(rows) if self.reduction == "mean" else rate)

    def stack(self) -> Stack:
        return Stack(self.network, [network.layers() for network in self.networks], self.dtype)

    @property
    def overflows(self) -> Array:
        return np.array([network.overflows for network in self.networks])
