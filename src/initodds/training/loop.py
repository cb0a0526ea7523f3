"""Mini-batch training with checkpoints: an engine, a data order and a way to look in, a `History` out."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from initodds.engines import Engine
from initodds.networks.network import Stack
from initodds.training.history import Checkpoint, History
from initodds.training.schedules import Schedule

Array = np.ndarray

MOST_EPOCHS_LOOKED_AFTER = 100
"""Thousands of epochs, as of XOR's four examples, would otherwise be spent on looking."""

ROWS_AT_ONCE = 2**20
"""So many examples, of all networks, are drawn at once where an epoch has few: a call takes longer than XOR's four."""

MOST_LOG_SPACED = 100_000
"""Log-spaced steps beyond so many fall on the same ones, for any epoch that is ever trained."""


def train(
    engine: Engine,
    examples: int,
    look: Callable[[Stack], Checkpoint],
    *,
    batch_size: int,
    epochs: int,
    checkpoints: int,
    orders: Sequence[np.random.Generator],
    schedule: Schedule = Schedule(),  # noqa: B008  it is frozen
    keep_states: bool = False,
    on_epochs: Callable[[int], None] = lambda epochs: None,
) -> History:
    """Train the engine's networks on `examples` training examples, in an order that is drawn anew each epoch.

    orders: what draws it: one generator for all networks, or one for each, so that each has an order of its own, and
        becomes the same, bit for bit, whatever is beside it. A batch of all examples has no order, and none is drawn.
    keep_states: whether the optimizer is to be gone on with after the end.
    The last mini-batch of an epoch is as short as it comes out. `look` sees the networks before the first step, at
    `checkpoints` log-spaced steps within the first epoch, and after the epochs of `epochs_looked_after`. `on_epochs` is
    told of the epochs that are done, a few at a time where they are short.
    """
    steps_per_epoch = math.ceil(examples / batch_size)
    within, looked_after = first_epoch_checkpoints(steps_per_epoch, checkpoints), epochs_looked_after(epochs)
    stack = engine.stack()
    shared = len(orders) < stack.replicates
    steps, seen = [0], [look(stack)]
    # A network that diverges overflows on its way; that is an outcome here, and not worth a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        epoch = 0
        while epoch < epochs:
            count = 1
            if epoch and examples % batch_size == 0:
                next_look = min(looked for looked in looked_after if looked > epoch)
                count = min(next_look - epoch, max(1, ROWS_AT_ONCE // (len(orders) * examples)))
            rows, first = drawn_rows(orders, examples, batch_size, count), epoch * steps_per_epoch
            stops = [count * steps_per_epoch] if epoch else within
            epoch += count
            for start, stop in pairwise([0, *stops]):
                factors = None
                if not schedule.is_constant:
                    factors = schedule.factors(np.arange(first + start, first + stop), steps_per_epoch, epochs)
                take_steps(engine, rows[0] if shared else rows, start, stop, batch_size, factors)
                if stop < stops[-1] or epoch in looked_after:
                    steps.append(first + stop)
                    seen.append(look(engine.stack()))
            on_epochs(count)
    stack = engine.stack()
    return History(
        steps=np.array(steps),
        score=np.array([checkpoint.score for checkpoint in seen]),
        cost=np.array([checkpoint.cost for checkpoint in seen]),
        part_scores=np.array([checkpoint.part_scores for checkpoint in seen]),
        hidden_saturated=np.array([checkpoint.hidden_saturated for checkpoint in seen]),
        outputs_high=np.array([checkpoint.outputs_high for checkpoint in seen]),
        outputs_low=np.array([checkpoint.outputs_low for checkpoint in seen]),
        finite=stack.finite(),
        overflows=engine.overflows,
        layers=[stack.replicate(r) for r in range(stack.replicates)],
        states=engine.states if keep_states else [],
    )


def take_steps(
    engine: Engine, rows: Array, start: int, stop: int, batch_size: int, factors: Array | None = None
) -> None:
    """Take the steps from number `start` to before `stop` of those that `rows` (examples,), or (R, examples) for each
    network its own, or (1, examples), are cut into, see `Engine.steps`; all whole ones go to the engine at once."""
    *networks, examples = rows.shape
    whole = min(stop, examples // batch_size)
    if whole > start:
        batches = rows[..., start * batch_size : whole * batch_size].reshape(*networks, -1, batch_size)
        engine.steps(batches, None if factors is None else factors[: whole - start])
    if whole < stop:
        engine.steps(rows[..., None, whole * batch_size :], None if factors is None else factors[-1:])


def drawn_rows(orders: Sequence[np.random.Generator], examples: int, batch_size: int, epochs: int) -> Array:
    """The examples in each of R orders of so many epochs, one after another: (R, epochs * examples); or, of batches of
    all examples, (1, epochs * examples)."""
    if batch_size == examples:
        return np.tile(np.arange(examples), epochs)[None]
    rows = np.empty((len(orders), epochs, examples), np.int64)
    for of_network, order in zip(rows, orders, strict=True):
        for of_epoch in of_network:
            of_epoch[:] = order.permutation(examples)
    return rows.reshape(len(rows), -1)


def epochs_looked_after(epochs: int) -> set[int]:
    """The epochs, counted from 1, after which the networks are looked at: all, or where there are more than
    `MOST_EPOCHS_LOOKED_AFTER`, about so many log-spaced ones, the first and the last among them.

    >>> epochs_looked_after(3), len(epochs_looked_after(5000)), max(epochs_looked_after(5000))
    ({1, 2, 3}, 82, 5000)
    """
    if epochs <= MOST_EPOCHS_LOOKED_AFTER:
        return set(range(1, epochs + 1))
    return set(np.geomspace(1, epochs, MOST_EPOCHS_LOOKED_AFTER).round().astype(int).tolist())


def first_epoch_checkpoints(steps_per_epoch: int, checkpoints: int) -> list[int]:
    """The steps to look after in the first epoch, its last one included: `checkpoints` log-spaced ones.

    >>> first_epoch_checkpoints(400, 4)
    [1, 7, 54, 400]
    """
    spaced: list[int] = np.geomspace(1, steps_per_epoch, min(checkpoints, MOST_LOG_SPACED)).round().astype(int).tolist()
    return sorted({*spaced, steps_per_epoch})
