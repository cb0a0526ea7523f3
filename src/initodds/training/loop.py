"""Mini-batch SGD with checkpoints: an engine, a data set and a data order in, a `History` out."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from initodds.datasets import Split
from initodds.engines import Engine
from initodds.networks.images import Images
from initodds.networks.network import Layer, Stack, flat

Array = np.ndarray

# A unit is saturated where its activation function's slope is under this share of the function's steepest slope:
# beyond |z| = 4.6 for the logistic function, where its value is within 0.0101 of 0 or 1.
SATURATED_SLOPE = 0.04
# ... and it counts as saturated, or pinned high or low, if it is so on at least this share of the test examples.
NEARLY_ALL = 0.99
# An output within this of 0 or of 1 is pinned there, low or high.
PINNED = 0.01
# Test examples evaluated at once: keeps the activations of a large stack small.
EVALUATION_ROWS = 1000


@dataclass(frozen=True, eq=False)
class History:
    """What was seen at the checkpoints; C checkpoints, R replicates, K classes. Evaluated on the test set.

    steps: (C,) SGD steps taken so far.  accuracy, cost: (C, R).  recall: (C, R, K), the share of each class's examples
        that are named as it; NaN for a class that the test set does not have.
    hidden_saturated: (C, R), the share of hidden units that are saturated on nearly all examples.
    outputs_high, outputs_low: (C, R), how many outputs are pinned above 0.99, or below 0.01, on nearly all examples.
    At the end: finite (R,) bool, whether all weights are; overflows (R,), how often a naive logistic function would
        have overflowed in training; layers, per replicate the trained weights and biases.
    """

    steps: Array
    accuracy: Array
    cost: Array
    recall: Array
    hidden_saturated: Array
    outputs_high: Array
    outputs_low: Array
    finite: Array
    overflows: Array
    layers: list[list[Layer]]

    @property
    def replicates(self) -> int:
        """R."""
        return len(self.finite)


def train(
    engine: Engine,
    examples: int,
    test: Split,
    *,
    batch_size: int,
    epochs: int,
    checkpoints: int,
    order: np.random.Generator,
    on_epoch: Callable[[], None] = lambda: None,
) -> History:
    """Train the engine's networks on `examples` training examples, in an order drawn anew from `order` each epoch.

    The last mini-batch of an epoch is as short as it comes out. A checkpoint is taken before the first step, at
    `checkpoints` log-spaced steps within the first epoch, and at the end of every epoch. `on_epoch` is called after
    each epoch.
    """
    steps_per_epoch = math.ceil(examples / batch_size)
    due = checkpoint_steps(steps_per_epoch, epochs, checkpoints)
    seen = [evaluate(engine.stack(), test)]
    # A network that diverges overflows on its way; that is an outcome here, and not worth a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        for step, rows in enumerate(mini_batches(examples, batch_size, epochs, order), start=1):
            engine.step(rows)
            if step in due:
                seen.append(evaluate(engine.stack(), test))
            if step % steps_per_epoch == 0:
                on_epoch()
    stack = engine.stack()
    return History(
        steps=np.array(sorted(due)),
        **{name: np.array([checkpoint[name] for checkpoint in seen]) for name in seen[0]},
        finite=stack.finite(),
        overflows=engine.overflows,
        layers=[stack.replicate(r) for r in range(stack.replicates)],
    )


def mini_batches(examples: int, batch_size: int, epochs: int, order: np.random.Generator) -> Iterator[Array]:
    """The rows (batch,) of each mini-batch of all the epochs, in turn."""
    for _ in range(epochs):
        permutation = order.permutation(examples)
        for start in range(0, examples, batch_size):
            yield permutation[start : start + batch_size]


def checkpoint_steps(steps_per_epoch: int, epochs: int, checkpoints: int) -> set[int]:
    """The steps to evaluate after: 0, `checkpoints` log-spaced ones in the first epoch, and each epoch's last."""
    within = np.geomspace(1, steps_per_epoch, checkpoints).round().astype(int).tolist() if checkpoints else []
    return {0, *within, *range(steps_per_epoch, epochs * steps_per_epoch + 1, steps_per_epoch)}


def evaluate(stack: Stack, split: Split) -> dict[str, Array]:
    """A checkpoint of R networks on the examples of `split`: the arrays that `History` has for it, without their C.

    The class that a network names is its largest output, and the first of them where several are equal.
    """
    replicates, classes = stack.replicates, stack.network.sizes[-1]
    slope = {"logistic": lambda a: 4 * a * (1 - a), "tanh": lambda a: 1 - a * a}[stack.network.activation]
    one_hot = np.eye(classes, dtype=stack.dtype)
    cost = np.zeros(replicates)
    right = np.zeros((replicates, classes))
    saturated = [np.zeros((replicates, units)) for units in stack.network.sizes[1:-1]]
    high, low = np.zeros((2, replicates, classes))
    images = images_of(split, stack.dtype)
    part = stack.restricted(images.pixels)
    buffers = stack.buffers(min(EVALUATION_ROWS, len(split)))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(split), EVALUATION_ROWS):
            x = images.part(start, start + EVALUATION_ROWS)
            labels = split.y[start : start + EVALUATION_ROWS]
            if len(labels) != buffers.batch:
                buffers = stack.buffers(len(labels))
            x.product(part.weights[0], out=flat(buffers.activations[0]))
            outputs = part.onward(buffers)
            cost += stack.cost(one_hot[labels], buffers) * len(labels)
            named_right = outputs.argmax(axis=2) == labels
            right += named_right @ one_hot[labels]
            high += (outputs > 1 - PINNED).sum(axis=1)
            low += (outputs < PINNED).sum(axis=1)
            for count, a in zip(saturated, buffers.activations, strict=False):
                count += (slope(a) < SATURATED_SLOPE).sum(axis=1)
    of_class = np.bincount(split.y, minlength=classes)
    nearly_all = NEARLY_ALL * len(split)
    with np.errstate(invalid="ignore"):
        recall = right / of_class
    return {
        "accuracy": right.sum(axis=1) / len(split),
        "cost": cost / len(split),
        "recall": recall,
        "hidden_saturated": (np.concatenate(saturated, axis=1) >= nearly_all).mean(axis=1),
        "outputs_high": (high >= nearly_all).sum(axis=1),
        "outputs_low": (low >= nearly_all).sum(axis=1),
    }


@lru_cache(maxsize=1)
def images_of(split: Split, dtype: np.dtype) -> Images:
    """The images of a split as `dtype`; kept, since a split is evaluated again and again."""
    return Images(split.x, dtype)


def gather(histories: Sequence[History], members: Sequence[Sequence[int]]) -> History:
    """One history of the replicates of several, which must have the same checkpoints.

    members[k] has the numbers of the replicates of history k; together they are 0 .. R - 1, the order of the result.
    """
    place = np.argsort(np.concatenate(members))
    layers = [layers for history in histories for layers in history.layers]
    along = {"steps": None, "layers": None, "finite": 0, "overflows": 0}
    return History(
        steps=histories[0].steps,
        layers=[layers[at] for at in place],
        **{
            field.name: np.concatenate([getattr(h, field.name) for h in histories], axis=axis).take(place, axis=axis)
            for field in fields(History)
            if (axis := along.get(field.name, 1)) is not None
        },
    )
