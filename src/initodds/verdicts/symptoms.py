"""What is seen of trained networks on their training set, in numbers: a `Landscape` and a start in, `Symptoms` out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from initodds.datasets import Split
from initodds.datasets.tasks import NEARLY_ALL, Task
from initodds.networks.curvature import Landscape, outer, pack, sideways, zeros_like
from initodds.networks.features import Features
from initodds.networks.network import Layer, Network, Stack, flat
from initodds.networks.outputs import PINNED
from initodds.training.evaluation import share_of_units
from initodds.verdicts.steps import Step, after_the_first_step, after_the_next_step, decay_of

Array = np.ndarray

NEGLIGIBLE = 0.01
"""A gradient, or a curvature, is negligible under this share of a fresh network's."""
MOSTLY = 0.9
"""A hidden layer is flat if at least this share of its units is."""
CONSTANT = 0.01
"""A unit is constant if its activation's standard deviation over the examples is under this."""
ALIKE = 1e-3
"""Units are alike if their weights, in, out and the biases, differ by less than this share of the root mean square of
each kind,"""
ROUNDING = 1e-6
"""... or than this share of the largest kind's, which is rounding."""
ALIVE = 2 / 3
"""Units are missing where under this share of a hidden layer's is alive."""
STRAIGHT = 1e-3
"""A unit is straight if a straight line of its pre-activation leaves less than this share of its variance."""
FITTED = 5000
"""Examples that a linear model is fitted to, at most."""
NO_SLOPE = 1e-6
"""An output is dead on an example if less than this share of what is wrong comes back from it."""

# Examples that a gradient in the training's own dtype is computed on at once.
_EXAMPLES = 1000
# Examples that the start, and what one step does, is looked at on, spread evenly over the training set.
_SAMPLE = 500


@dataclass(frozen=True, eq=False)
class Symptoms:
    """What is seen of M networks on the training set, in numbers: L layers of weights, and the parts of the task. All
    are NaN for a network that is not finite.

    hidden_saturated: (M,) share of the hidden units that are flat on nearly all examples.
    hidden_constant: (M,) share that are constant.
    saturated_layer: (M,) the first hidden layer whose units are mostly flat, counted from 1; 0 where there is none.
    flattest_layer: (M,) that, or where there is none the hidden layer with the largest share of flat units; 0 where no
        unit is flat.
    flat_units, flat_high, flat_low, born_units: (M,) how many units of the flattest layer are flat; are so at the upper
        end, or at the lower one, on nearly all examples; are flat, and were before the first step.
    fewest_alive: (M,) of the hidden layers, the least share of units that are not flat on nearly all examples.
    straight: (M,) 1 if there are hidden units, and each is a straight line of its pre-activation on all examples.
    spread, spread_at_start: (M,) the standard deviation of the pre-activations over the examples, of the hidden layer
        where it is least; the root mean square of its units.
    symmetric: (M,) 1 if in some hidden layer all units have the same weights, in and out.
    outputs_high, outputs_low: (M,) outputs that are pinned high, or low, on nearly all examples.
    outputs_dead: (M,) outputs from which hardly anything comes back wherever they are wrong.
    outside: (M,) the share of the targets that no output can reach, being out of the outputs' range.
    constant_answer: (M,) 1 if nearly all examples get one answer.  born_constant: (M,) 1 if it was so at the start.
    score: (M,) the task's, on the training set.
    part_scores: (M, parts), as of a class the share of its examples that are named as it.
    own_output: (M, parts) what each class's output answers, on average, to the examples of it.
    gradient: (M, L) norm of the cost's gradient by each layer, in float64.
    gradient_as_trained: (M, L) the same, as it is computed in the dtype of the training.
    gradient_zero: (M,) share of that gradient's entries that are exactly zero. Weights of a feature that no example has
        have none whatever the network, and do not count.
    gradient_norm: (M,) norm of the whole gradient, that of the weight decay included.
    gradient_at_start: (M,) the same before the first step.
    growth: (M,) root mean square of the weights, as a multiple of what it was before training; infinite from zeros.
    moved: (M,) the way from the first weights to the last, as a share of the first ones' norm, of the layer where that
        share is largest; infinite from zeros.
    gain: (M,) the share of the cost that as many steps as were taken, each like one more now, would take off.
    first_step, next_step: (M,) by what the cost is multiplied by a step of the training, along the gradient over all
        examples: by the first one, and by one more, like the last, of an optimizer that has kept what it has; NaN where
        it is not known how a step is taken, or what was kept.
    """

    hidden_saturated: Array
    hidden_constant: Array
    saturated_layer: Array
    flattest_layer: Array
    flat_units: Array
    flat_high: Array
    flat_low: Array
    born_units: Array
    fewest_alive: Array
    straight: Array
    spread: Array
    spread_at_start: Array
    symmetric: Array
    outputs_high: Array
    outputs_low: Array
    outputs_dead: Array
    outside: Array
    constant_answer: Array
    born_constant: Array
    score: Array
    part_scores: Array
    own_output: Array
    gradient: Array
    gradient_as_trained: Array
    gradient_zero: Array
    gradient_norm: Array
    gradient_at_start: Array
    growth: Array
    moved: Array
    gain: Array
    first_step: Array
    next_step: Array


OF_START = (
    "born_units",
    "born_constant",
    "spread_at_start",
    "gradient_at_start",
    "growth",
    "moved",
    "first_step",
)
"""The symptoms that are told by the weights before training."""


def widths(network: Network, task: Task) -> dict[str, int]:
    """The second dimension of the symptoms that have one."""
    layers, parts = len(network.layers), task.parts
    return {"part_scores": parts, "own_output": parts, "gradient": layers, "gradient_as_trained": layers}


def symptoms_of(
    landscape: Landscape,
    task: Task,
    train: Split,
    dtype: np.dtype,
    trained: Sequence[Sequence[Layer]],
    initial: Sequence[Sequence[Layer]] | None,
    step: Step | None = None,
) -> Symptoms:
    """The symptoms of the networks of a landscape over the examples of `train`, which have the layers `trained` and
    began with the layers `initial`, None where that is not known: what would be told by them is NaN then. `step`: how a
    step of theirs is taken, None where that is not known. What is said of the start, and of steps, is seen on at most
    500 of the examples."""
    if initial is None:
        symptoms = symptoms_of(landscape, task, train, dtype, trained, trained, step)
        return replace(symptoms, **dict.fromkeys(OF_START, np.full(landscape.stack.replicates, np.nan)))
    stack = landscape.stack
    network = stack.network
    layers = [_hidden_units(landscape, layer) for layer in range(len(network.activations))]
    saturated = _first([np.asarray(seen.flat.mean(axis=1) >= MOSTLY) for seen in layers], stack.replicates)
    flattest = np.where(saturated, saturated, _most([seen.flat.mean(axis=1) for seen in layers], stack.replicates))
    outputs = _joined([seen.activations for seen in landscape.passes], -1)
    pinned_high, pinned_low = network.head.pinned(outputs)
    as_trained = _gradient_as_trained(landscape, task, train, dtype)
    sample = Split(*(rows[spread_evenly(len(train))] for rows in (train.x, train.y)))
    start, end = (_sampled(network, networks, task, sample) for networks in (initial, trained))
    at_start, at_end = ([_hidden_units(each, layer) for layer in range(len(layers))] for each in (start, end))
    # A unit's own change, on the same examples: so that a unit that has not moved has not become flat either.
    became = [~before.flat & after.flat for before, after in zip(at_start, at_end, strict=True)]
    targets = task.targets(train.y)
    score, part_scores = task.scores(task.tally(outputs, train.y), train.y)
    next_step = after_the_next_step(end, step)
    least, greatest = network.head.bounded
    return Symptoms(
        hidden_saturated=share_of_units([seen.flat for seen in layers], stack.replicates),
        hidden_constant=share_of_units([seen.constant for seen in layers], stack.replicates),
        saturated_layer=saturated,
        flattest_layer=flattest,
        flat_units=_of_layer(flattest, [seen.flat.sum(axis=1) for seen in layers]),
        flat_high=_of_layer(flattest, [seen.upper.sum(axis=1) for seen in layers]),
        flat_low=_of_layer(flattest, [seen.lower.sum(axis=1) for seen in layers]),
        born_units=_of_layer(
            flattest, [(seen.flat & ~new).sum(axis=1) for seen, new in zip(layers, became, strict=True)]
        ),
        fewest_alive=_least([1 - seen.flat.mean(axis=1) for seen in layers], stack.replicates, 1.0),
        straight=_least([np.asarray(seen.straight.all(axis=1)) for seen in layers], stack.replicates, 0.0),
        spread=_least([_rms(seen.spread) for seen in layers], stack.replicates, np.inf),
        spread_at_start=_least([_rms(seen.spread) for seen in at_start], stack.replicates, np.inf),
        symmetric=symmetric(stack),
        outputs_high=_nearly_all(pinned_high).sum(axis=1),
        outputs_low=_nearly_all(pinned_low).sum(axis=1),
        outputs_dead=_dead_outputs(landscape, outputs, targets),
        outside=np.full(stack.replicates, ((targets < least) | (targets > greatest)).mean()),
        constant_answer=task.is_constant(outputs, train.y),
        born_constant=task.is_constant(_joined([seen.activations for seen in start.passes], -1), sample.y),
        score=score,
        part_scores=part_scores,
        own_output=task.own_outputs(outputs, train.y),
        gradient=norms_by_layer(network, landscape.gradient),
        gradient_as_trained=norms_by_layer(network, as_trained),
        gradient_zero=(as_trained == 0).mean(axis=1),
        gradient_norm=np.linalg.norm(landscape.gradient + decay_of(stack, step), axis=1),
        gradient_at_start=np.linalg.norm(start.gradient + decay_of(start.stack, step), axis=1),
        growth=np.array([_growth(*pair) for pair in zip(trained, initial, strict=True)]),
        moved=np.array([_moved(*pair) for pair in zip(trained, initial, strict=True)]),
        gain=(1 - next_step) * (step.taken if step else np.nan),
        first_step=after_the_first_step(start, step),
        next_step=next_step,
    )


class _Units(NamedTuple):
    """Of the units of a hidden layer, (M, units): whether each is flat on nearly all examples, is so at its upper end,
    or at its lower one, is constant, and is straight; and its pre-activation's standard deviation over the examples."""

    flat: Array
    upper: Array
    lower: Array
    constant: Array
    straight: Array
    spread: Array


def _hidden_units(landscape: Landscape, layer: int) -> _Units:
    activation = landscape.stack.network.activations[layer]
    z = _joined([seen.pre_activations for seen in landscape.passes], layer)
    a = _joined([seen.activations for seen in landscape.passes], layer)
    is_flat = activation.is_flat(z, a)
    # What a straight line of z leaves of a: the variance that is not explained.
    dz, da = z - z.mean(axis=1, keepdims=True), a - a.mean(axis=1, keepdims=True)
    zz, za, aa = (np.einsum("reu,reu->ru", *pair) for pair in ((dz, dz), (dz, da), (da, da)))
    with np.errstate(invalid="ignore", divide="ignore"):
        left = aa - np.where(zz > 0, za**2 / zz, 0)
    examples = z.shape[1]
    constant = np.sqrt(aa / examples) < CONSTANT
    return _Units(
        flat=_nearly_all(is_flat),
        upper=_nearly_all(is_flat & (z > 0)),
        lower=_nearly_all(is_flat & (z <= 0)),
        constant=constant,
        straight=left <= STRAIGHT * aa + 1e-300,
        spread=np.sqrt(zz / examples),
    )


def _joined(layers: Sequence[Sequence[Array]], layer: int) -> Array:
    """(M, examples, units) of one layer, from those of each chunk of examples."""
    return np.concatenate([arrays[layer] for arrays in layers], axis=1)


def _nearly_all(true: Array) -> Array:
    """Of (M, examples, units) bool: (M, units), whether it is so on nearly all examples."""
    return np.asarray(true.mean(axis=1) >= NEARLY_ALL)


def _first(layers: list[Array], replicates: int) -> Array:
    """(M,) the first of the hidden layers, counted from 1, of which it is true; 0 where it is true of none."""
    return np.select(layers, range(1, len(layers) + 1), 0) if layers else np.zeros(replicates)


def _most(layers: list[Array], replicates: int) -> Array:
    """(M,) the hidden layer, counted from 1, that has most of what each has (M,); 0 where none has any."""
    if not layers:
        return np.zeros(replicates)
    return np.where(np.max(layers, axis=0) > 0, np.argmax(layers, axis=0) + 1, 0)


def _of_layer(layer: Array, counts: list[Array]) -> Array:
    """(M,) the count of each network's `layer` (M,), counted from 1, of the counts (M,) of each; 0 for layer 0."""
    return np.select([layer == number for number in range(1, len(counts) + 1)], counts, 0) if counts else layer


def _least(layers: list[Array], replicates: int, of_none: float) -> Array:
    """(M,) the least over the hidden layers of what each has (M,); `of_none` where there is no hidden layer."""
    return np.min(layers, axis=0).astype(float) if layers else np.full(replicates, of_none)


def _rms(values: Array) -> Array:
    """(M,) the root mean square over the units of (M, units)."""
    return np.sqrt((values**2).mean(axis=1))


def symmetric(stack: Stack) -> Array:
    """(M,) bool: in which networks all units of a hidden layer, of two or more, have the same weights, in and out."""
    result = np.zeros(stack.replicates, bool)
    for layer, units in enumerate(stack.network.sizes[1:-1]):
        into = sideways(stack.weights[0], stack.replicates) if layer == 0 else stack.weights[layer]
        kinds = (into, stack.biases[layer], stack.weights[layer + 1].transpose(0, 2, 1))
        sizes = [np.sqrt((kind**2).mean(axis=(1, 2))) for kind in kinds]
        rounding = ROUNDING * np.max(sizes, axis=0)
        alike = np.full(stack.replicates, units > 1)
        for kind, size in zip(kinds, sizes, strict=True):
            apart = np.abs(kind - kind.mean(axis=2, keepdims=True)).max(axis=(1, 2))
            alike &= apart <= np.maximum(ALIKE * size, rounding)
        result |= alike
    return result


def _dead_outputs(landscape: Landscape, outputs: Array, targets: Array) -> Array:
    """(M,) how many outputs are dead wherever they are wrong, of units that can be: see `Activation.can_die`."""
    head = landscape.stack.network.head
    if not head.can_die:
        return np.zeros(len(outputs))
    wrong = np.abs(outputs - targets)
    error = np.abs(_joined([seen.errors for seen in landscape.passes], -1))
    is_wrong = wrong > PINNED
    return (is_wrong.any(axis=1) & ((error <= NO_SLOPE * wrong) | ~is_wrong).all(axis=1)).sum(axis=1)


def _gradient_as_trained(landscape: Landscape, task: Task, train: Split, dtype: np.dtype) -> Array:
    """(M, P) the gradient over all examples as the training computes it, in `dtype`, layer by layer."""
    features, targets = Features(train.x, dtype), task.targets(train.y).astype(dtype)
    stack = Stack(landscape.stack.network, [landscape.stack.replicate(r) for r in range(len(landscape.cost))], dtype)
    weights, biases = zeros_like(stack)
    for start in range(0, len(train), _EXAMPLES):
        x, y = features.part(start, start + _EXAMPLES), targets[start : start + _EXAMPLES]
        buffers = stack.buffers(len(y))
        x.product(stack.weights[0], out=flat(buffers.activations[0]))
        stack.onward(buffers)
        errors = stack.backward(y, buffers, 1 / len(train))
        x.accumulate(flat(errors[0]), weights[0])
        for layer, error in enumerate(errors):
            if layer:
                weights[layer] += outer(buffers.activations[layer - 1], error)
            biases[layer] += error.sum(axis=1, keepdims=True)
    return pack(stack.network, weights, biases)


def norms_by_layer(network: Network, vectors: Array) -> Array:
    """Norms (M, L) of the parts of vectors (M, P) that belong to each layer, weights and biases together."""
    ends = np.cumsum([(fan_in + network.bias) * fan_out for fan_in, fan_out in network.layers])
    return np.stack([np.linalg.norm(part, axis=1) for part in np.split(vectors.astype(float), ends[:-1], axis=1)], 1)


def _growth(trained: Sequence[Layer], initial: Sequence[Layer]) -> float:
    """Root mean square of one network's weights after training, as a multiple of that before it; infinite from 0."""
    after, before = (
        sum(float(np.square(weights, dtype=float).sum()) for weights, _ in layers) for layers in (trained, initial)
    )
    return float(np.sqrt(after / before)) if before else np.inf


def _moved(trained: Sequence[Layer], initial: Sequence[Layer]) -> float:
    """How far the weights of a network's layer have moved, as a share of their norm, where that is most; infinite from
    weights of 0."""
    ways = []
    for (after, _), (before, _) in zip(trained, initial, strict=True):
        norm, way = np.linalg.norm(before), np.linalg.norm(after.astype(float) - before)
        ways.append(way / norm if norm else np.inf if way else 0.0)
    return float(max(ways))


def spread_evenly(examples: int, most: int = _SAMPLE) -> Array:
    """The rows of at most so many of the examples."""
    return np.unique(np.linspace(0, examples - 1, min(examples, most)).round().astype(int))


def _sampled(network: Network, layers: Sequence[Sequence[Layer]], task: Task, sample: Split) -> Landscape:
    """The landscape of networks over a sample of the examples."""
    features = Features(sample.x, np.dtype(np.float64), everything=True)
    network = replace(network, sizes=(sample.x.shape[1], *network.sizes[1:]))
    stack = Stack(network, layers, np.dtype(np.float64))
    return Landscape(stack.restricted(features.present), features, task.targets(sample.y))
