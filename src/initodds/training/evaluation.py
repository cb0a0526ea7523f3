"""A look at networks on a split: a stack and a task in, a `Checkpoint` out."""

from functools import lru_cache

import numpy as np

from initodds.datasets import Split
from initodds.datasets.tasks import NEARLY_ALL, Task
from initodds.networks.features import Features
from initodds.networks.network import Stack
from initodds.training.history import Checkpoint

Array = np.ndarray

# Examples evaluated at once: keeps the activations of a large stack small.
EVALUATION_ROWS = 1000


def evaluate(stack: Stack, split: Split, task: Task, saturation: bool = True) -> Checkpoint:
    """What is seen of R networks on the examples of `split`, to which the `task` is asked.

    saturation: whether `hidden_saturated` is told, which takes a third of the time; 0 where it is not.
    """
    network, replicates, outputs = stack.network, stack.replicates, stack.network.sizes[-1]
    targets = task.targets(split.y).astype(stack.dtype)
    cost = np.zeros(replicates)
    tally = np.zeros((replicates, task.parts))
    flat_units = [np.zeros((replicates, units)) for units in network.sizes[1:-1]]
    high, low = np.zeros((2, replicates, outputs))
    features = _features_of(split, stack.dtype)
    # Of each network by itself, so that what is seen of it is the same, bit for bit, whatever is beside it.
    first = np.ascontiguousarray(by_network(stack.weights[0][features.present], replicates))
    buffers = stack.buffers(min(EVALUATION_ROWS, len(split)), apart=True)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(split), EVALUATION_ROWS):
            rows = slice(start, start + EVALUATION_ROWS)
            x, y = features.part(rows.start, rows.stop), split.y[rows]
            if len(y) != buffers.batch:
                buffers = stack.buffers(len(y), apart=True)
            for weights, pre_activations in zip(first, buffers.activations[0], strict=True):
                x.product(weights, out=pre_activations)
            answers = stack.onward(buffers)
            cost += stack.cost(targets[rows], buffers) * len(y)
            tally += task.tally(answers, y)
            pinned_high, pinned_low = network.head.pinned(answers)
            high += pinned_high.sum(axis=1)
            low += pinned_low.sum(axis=1)
            for layer, activation in enumerate(network.activations if saturation else ()):
                is_flat = activation.is_flat(buffers.pre_activations[layer], buffers.activations[layer])
                flat_units[layer] += is_flat.sum(axis=1)
    nearly_all = NEARLY_ALL * len(split)
    score, part_scores = task.scores(tally, split.y)
    return Checkpoint(
        score=score,
        cost=cost / len(split),
        part_scores=part_scores,
        hidden_saturated=share_of_units([count >= nearly_all for count in flat_units], replicates),
        outputs_high=(high >= nearly_all).sum(axis=1),
        outputs_low=(low >= nearly_all).sum(axis=1),
    )


def by_network(weights: Array, replicates: int) -> Array:
    """The first layers' weights (features, R * units) of R networks, as a view (R, features, units)."""
    return weights.reshape(len(weights), replicates, -1).transpose(1, 0, 2)


def share_of_units(units: list[Array], replicates: int) -> Array:
    """(R,) the share of the hidden units, (R, units) bool of each layer, of which it is true; 0 where none are."""
    return np.concatenate(units, axis=1).mean(axis=1) if units else np.zeros(replicates)


@lru_cache(maxsize=1)
def _features_of(split: Split, dtype: np.dtype) -> Features:
    """The features of a split as `dtype`; kept, since a split is evaluated again and again."""
    return Features(split.x, dtype)
