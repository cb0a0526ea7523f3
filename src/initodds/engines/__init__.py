"""Three ways to take the same SGD step: `stacked`, `matrix`, `per_example`.

Each engine is made for R networks and one training set, and offers

- `step(rows)`: one SGD step of all R networks on the training examples `rows` (batch,);
- `stack()`: the networks as they are now, a `Stack` whose arrays the caller must not change;
- `overflows`: (R,) how often a naive logistic function would have overflowed in the steps so far.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from initodds.networks.network import Layer, Network, Stack

Array = np.ndarray
Reduction = Literal["mean", "sum"]


class Engine(Protocol):
    """Takes SGD steps of R networks on the examples of one training set."""

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
        """Made from `replicates`, the layers of each of the R networks.

        `x` is (examples, features), `targets` (examples, outputs); `learning_rate` a number or (R,).
        `reduction`: whether a step follows the mini-batch's mean gradient, or its sum.
        """

    def step(self, rows: Array) -> None: ...

    def stack(self) -> Stack: ...

    @property
    def overflows(self) -> Array: ...
