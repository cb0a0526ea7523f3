"""How steps are taken: a `Problem` and layers in, an engine that trains them out.

Four engines take the same steps: `compiled`, `stacked`, `matrix`, `per_example`. `auto` chooses one of the first two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np

from initodds.engines.optimizers import Optimizer, State
from initodds.networks.network import Layer, Network, Stack

Array = np.ndarray
Reduction = Literal["mean", "sum"]


@dataclass(frozen=True, eq=False)
class Problem:
    """What networks are to learn, and how.

    x: (examples, features).  targets: (examples, outputs).
    optimizer: its learning rate is a number, or (R,) for R networks.
    reduction: whether a step follows the mini-batch's mean gradient, or its sum.
    dtype: in which the networks are trained.
    """

    network: Network
    x: Array
    targets: Array
    optimizer: Optimizer
    reduction: Reduction
    dtype: np.dtype


class Engine(Protocol):
    """Takes steps of R networks on one problem. Made as `Engine(problem, replicates)`, where `replicates` has the
    layers of each of the R networks; `states`, what an earlier engine's optimizer had kept of each, goes on from there.

    side_by_side: how many networks of a usual size it is best given at once; 1 for one that trains them in turn.
    in_threads: whether engines may train at the same time, each in a thread of its own.
    """

    side_by_side: ClassVar[int]
    in_threads: ClassVar[bool]

    def __init__(
        self, problem: Problem, replicates: Sequence[Sequence[Layer]], states: Sequence[State] = ()
    ) -> None: ...

    @classmethod
    def require_support(cls, network: Network, optimizer: Optimizer, dtype: np.dtype) -> None:
        """Raise InputError where the engine cannot train such networks so, in this dtype."""

    def steps(self, rows: Array, factors: Array | None = None) -> None:
        """Take a step on each of the mini-batches of training examples `rows`, one after another.

        rows: (R, steps, batch), where network r has rows[r], or (1, steps, batch), the same for all: each becomes the
            same, bit for bit, whatever is beside it; or (steps, batch), the same for all, who may be trained as one.
        factors: (steps,) by which the learning rate is multiplied in each; None for 1.
        """

    def stack(self) -> Stack:
        """The networks as they are now; the caller must not change its arrays."""

    @property
    def states(self) -> list[State]:
        """What the optimizer has kept of each network, as copies."""

    @property
    def overflows(self) -> Array:
        """(R,) how often the functions as they are taught, as 1 / (1 + exp(-z)), would have overflowed so far."""
