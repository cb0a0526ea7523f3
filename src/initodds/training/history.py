"""What was seen of networks while they were trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from initodds.engines.optimizers import State
from initodds.networks.network import Layer

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What is seen of R networks at one moment, on the test set; K outputs, and the parts of the task.

    score: (R,), see `initodds.datasets.tasks`: the accuracy of a classification.  cost: (R,).
    part_scores: (R, parts): of a classification the share of each class's examples that are named as it; NaN for a part
        that the test set does not have.
    hidden_saturated: (R,), the share of hidden units that are flat on nearly all examples.
    outputs_high, outputs_low: (R,), how many outputs are pinned at the upper, or the lower, end of their range on
        nearly all examples.
    """

    score: Array
    cost: Array
    part_scores: Array
    hidden_saturated: Array
    outputs_high: Array
    outputs_low: Array


@dataclass(frozen=True, eq=False)
class History:
    """The checkpoints of R networks, C of them, and what the networks have become.

    steps: (C,) steps taken so far.  The others as in `Checkpoint`, with C in front: score (C, R), part_scores
        (C, R, parts), and so on.
    At the end: finite (R,) bool, whether all weights are; overflows (R,), how often the functions as they are taught,
        as 1 / (1 + exp(-z)), would have overflowed in training; layers, per replicate the trained weights and biases;
        states, per replicate what the optimizer has kept, empty where it was not asked for.
    """

    steps: Array
    score: Array
    cost: Array
    part_scores: Array
    hidden_saturated: Array
    outputs_high: Array
    outputs_low: Array
    finite: Array
    overflows: Array
    layers: list[list[Layer]]
    states: list[State] = field(default_factory=list)

    @property
    def replicates(self) -> int:
        """R."""
        return len(self.finite)


def gather(histories: Sequence[History], members: Sequence[Sequence[int]]) -> History:
    """One history of the replicates of several, which must have the same checkpoints.

    members[k] has the numbers of the replicates of history k; together they are 0 .. R - 1, the order of the result.
    """
    order = np.argsort(np.concatenate(members))
    layers = [layers for history in histories for layers in history.layers]
    states = [state for history in histories for state in history.states]

    def joined(name: str, axis: int) -> Array:
        return np.concatenate([getattr(history, name) for history in histories], axis).take(order, axis)

    return History(
        steps=histories[0].steps,
        score=joined("score", 1),
        cost=joined("cost", 1),
        part_scores=joined("part_scores", 1),
        hidden_saturated=joined("hidden_saturated", 1),
        outputs_high=joined("outputs_high", 1),
        outputs_low=joined("outputs_low", 1),
        finite=joined("finite", 0),
        overflows=joined("overflows", 0),
        layers=[layers[place] for place in order],
        states=[states[place] for place in order] if states else [],
    )
