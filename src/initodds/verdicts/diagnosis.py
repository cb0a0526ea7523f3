"""Why a network did not learn, and what kind of point it sits on: weights and the training set in, a `Diagnosis` out.

Thresholds are relative: of gradients and curvatures to those of a fresh network of the same shape, which would learn;
of an activation's slope to the steepest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from initodds.datasets import Split
from initodds.datasets.tasks import NEARLY_ALL, Task
from initodds.initializers import VarianceScaling
from initodds.networks.curvature import Landscape, Spectrum, pack, sideways, spectrum
from initodds.networks.features import Features
from initodds.networks.network import Layer, Network, Stack
from initodds.training.evaluation import share_of_units
from initodds.vocabulary import CAUSES

Array = np.ndarray
Record = TypeVar("Record", "Symptoms", "Spectrum")

NEGLIGIBLE = 0.01
"""A gradient, or a curvature, is negligible under this share of a fresh network's."""
CLEAR = 0.01
"""A negative eigenvalue is clear from this share of the largest eigenvalue's size on."""
MOSTLY = 0.9
"""A hidden layer is saturated if at least this share of its units is; a point is degenerate if at least this share of
its Hessian's eigenvalues is near zero."""
CONSTANT = 0.01
"""A unit is constant if its activation's standard deviation over the examples is under this."""
ALIKE = 1e-3
"""Units are alike if their weights differ by less than this share of the weights' root mean square."""

# Networks whose units, on all examples, take more than this many bytes are looked at in several goes.
MEMORY = 250e6
# Examples that a gradient in the training's own dtype is computed on at once.
EXAMPLES = 1000


@dataclass(frozen=True)
class Reference:
    """A fresh network of the same shape that would learn, for comparison: the norm of its gradient, and the size of its
    Hessian's largest eigenvalue (NaN where that was not asked for)."""

    gradient: float
    curvature: float


@dataclass(frozen=True, eq=False)
class Symptoms:
    """What is seen of M networks on the training set, in numbers: L layers of weights, and the parts of the task. All
    are NaN for a network that is not finite.

    hidden_saturated: (M,) share of the hidden units that are flat on nearly all examples.
    hidden_constant: (M,) share that are constant.
    saturated_layer: (M,) the first hidden layer whose units are mostly flat, counted from 1; 0 where there is none.
    saturated_units, saturated_high: (M,) how many units of that layer are flat, and are so at the upper end.
    symmetric: (M,) 1 if in some hidden layer all units have the same weights, in and out.
    outputs_high, outputs_low: (M,) outputs that are pinned high, or low, on nearly all examples.
    constant_answer: (M,) 1 if nearly all examples get one answer.
    part_scores: (M, parts), as of a class the share of its examples that are named as it.
    own_output: (M, parts) what each class's output answers, on average, to the examples of it.
    gradient: (M, L) norm of the gradient by each layer, in float64.
    gradient_as_trained: (M, L) the same as it is computed in the dtype of the training.
    gradient_zero: (M,) share of that gradient's entries that are exactly zero. Weights of a feature that no example has
        have none whatever the network, and do not count.
    growth: (M,) root mean square of the weights, as a multiple of what it was before training; infinite from zeros.
    """

    hidden_saturated: Array
    hidden_constant: Array
    saturated_layer: Array
    saturated_units: Array
    saturated_high: Array
    symmetric: Array
    outputs_high: Array
    outputs_low: Array
    constant_answer: Array
    part_scores: Array
    own_output: Array
    gradient: Array
    gradient_as_trained: Array
    gradient_zero: Array
    growth: Array

    @property
    def gradient_norm(self) -> Array:
        """(M,) norm of the whole gradient."""
        return np.linalg.norm(self.gradient, axis=1)


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Of M networks, whose numbers in their cell are `replicates` (M,).

    task: what they were asked.  dead_recall: a part of it whose score is under this is dead.
    cause: (M,) str, one of `CAUSES`.  point: (M,) str, one of `POINTS`, or "" where it was not asked for.
    symptoms, spectrum: of the same networks; NaN where a network is not finite, or its point was not asked for.
    """

    network: Network
    task: Task
    replicates: Array
    dead_recall: float
    cause: Array
    point: Array
    symptoms: Symptoms
    spectrum: Spectrum
    reference: Reference

    @property
    def degenerate(self) -> Array:
        """(M,) bool: whether the Hessian is mostly flat."""
        return self.spectrum.near_zero >= MOSTLY


def diagnose(
    network: Network,
    task: Task,
    trained: Sequence[Sequence[Layer]],
    initial: Sequence[Sequence[Layer]],
    train: Split,
    *,
    replicates: Sequence[int] | Array,
    converged: Array,
    curved: Array,
    dtype: np.dtype,
    dead_recall: float = 0.05,
    on_step: Callable[[str], None] = lambda stage: None,
) -> Diagnosis:
    """Diagnose M networks from their `trained` and `initial` layers and the examples they were trained on.

    replicates: the M networks' numbers, for the result.  converged: (M,) bool, which of them are as they should be.
    curved: (M,) bool, whose point is to be told: that takes 20 to 80 Hessian-vector products over all examples.
    dtype: of the training.
    dead_recall: a part of the task whose score is under this is dead.
    on_step: called often, with what is being done in a few words.
    """
    curved = np.asarray(curved, bool)
    features, targets = Features(train.x, np.dtype(np.float64)), task.targets(train.y)
    finite = np.array([all(np.isfinite(array).all() for layer in layers for array in layer) for layers in trained])
    fresh = reference_of(network, features, targets, bool((finite & curved).any()))
    groups = groups_of(finite, curved, network, len(train))
    symptoms: list[Symptoms] = []
    spectra: list[Spectrum] = []
    for group in groups:
        on_step(f"looking at replicate {replicates[group[0]]}")
        stack = Stack(network, [trained[member] for member in group], np.dtype(np.float64))
        landscape = Landscape(stack.restricted(features.present), features, targets)
        growth = np.array([growth_of(trained[member], initial[member]) for member in group])
        symptoms.append(symptoms_of(landscape, task, train, np.dtype(dtype), growth))
        if curved[group[0]]:
            start = np.random.default_rng(0).standard_normal(landscape.gradient.shape)
            spectra.append(spectrum(landscape.hessian_product, start, lambda step: on_step(f"curvature, step {step}")))
    seen = _in_order(Symptoms, symptoms, groups, len(trained), _symptom_widths(network, task))
    ends = _in_order(Spectrum, spectra, [group for group in groups if curved[group[0]]], len(trained), {})
    return Diagnosis(
        network=network,
        task=task,
        replicates=np.asarray(replicates),
        dead_recall=dead_recall,
        cause=causes_of(seen, finite, converged, fresh, network.sizes[-1], dead_recall),
        point=points_of(seen.gradient_norm, ends, fresh),
        symptoms=seen,
        spectrum=ends,
        reference=fresh,
    )


def _symptom_widths(network: Network, task: Task) -> dict[str, int]:
    """The second dimension of the symptoms that have one."""
    layers, parts = len(network.layers), task.parts
    return {"part_scores": parts, "own_output": parts, "gradient": layers, "gradient_as_trained": layers}


def _in_order(
    kind: type[Record], parts: Sequence[Record], members: Sequence[Array], count: int, widths: dict[str, int]
) -> Record:
    """One record of `count` networks from those of groups of them, parts[k] of the `members` k; NaN for the others."""

    def whole(name: str) -> Array:
        values = np.full((count, widths[name]) if name in widths else count, np.nan)
        for part, places in zip(parts, members, strict=True):
            values[places] = getattr(part, name)
        return values

    return kind(**{field.name: whole(field.name) for field in fields(kind)})


def causes_of(
    symptoms: Symptoms, finite: Array, converged: Array, reference: Reference, outputs: int, dead_recall: float
) -> Array:
    """(M,) str: the cause of each network's state, the first of these that holds.

    exploded: a weight is not finite.
    symmetric: all units of a hidden layer have the same weights, in and out, so that they are one unit, many times.
    hidden_saturated: the units of a hidden layer are mostly flat, so that hardly a gradient passes it.
    outputs_saturated: every one of the `outputs` is pinned, high or low, whatever the example.
    constant_prediction: nearly all examples get one answer.
    dead_classes: a part of the task, as a class, has a score under `dead_recall`.
    too_few_steps: it has not converged, and the gradient is not negligible: it is still on its way.
    none: none of these.
    """
    conditions = [
        ~finite,
        symptoms.symmetric == 1,
        symptoms.saturated_layer > 0,
        symptoms.outputs_high + symptoms.outputs_low == outputs,
        symptoms.constant_answer == 1,
        (symptoms.part_scores < dead_recall).any(axis=1),
        ~converged & (symptoms.gradient_norm > NEGLIGIBLE * reference.gradient),
    ]
    return np.select(conditions, CAUSES[:-1], CAUSES[-1])


def points_of(gradient_norm: Array, spectrum: Spectrum, reference: Reference) -> Array:
    """(M,) str: the kind of point each network sits on, the first of these that holds; "" where the spectrum is NaN.

    not_stationary: the gradient is not negligible.
    flat: the gradient and every curvature are negligible: a plateau.
    saddle: at a stationary point there is a clearly negative eigenvalue: a way down, if only of second order.
    minimum: at a stationary point there is none.
    """
    conditions = [
        np.isnan(spectrum.least),
        gradient_norm > NEGLIGIBLE * reference.gradient,
        spectrum.largest <= NEGLIGIBLE * reference.curvature,
        spectrum.least < -CLEAR * spectrum.largest,
    ]
    return np.select(conditions, ["", "not_stationary", "flat", "saddle"], "minimum")


def reference_of(network: Network, features: Features, targets: Array, with_curvature: bool) -> Reference:
    """What a fresh network of this shape has, on the features `present`: its weights are normal with the variance
    gain^2 / fan_in (LeCun et al. 1998; He et al. 2015), the gain being that of the layer's own activation."""
    rng = np.random.default_rng(0)
    gains = [*(activation.gain for activation in network.activations), 1.0]
    layers = [
        VarianceScaling(gain=gain**2, fan="fan_in", distribution="normal")(rng, *shape)
        for gain, shape in zip(gains, network.layers, strict=True)
    ]
    stack = Stack(network, [layers], np.dtype(np.float64))
    landscape = Landscape(stack.restricted(features.present), features, targets)
    curvature = np.nan
    if with_curvature:
        curvature = float(spectrum(landscape.hessian_product, rng.standard_normal(landscape.gradient.shape)).largest[0])
    return Reference(float(np.linalg.norm(landscape.gradient)), curvature)


def groups_of(finite: Array, curved: Array, network: Network, examples: int) -> list[Array]:
    """The finite networks in groups that fit in `MEMORY` and are, or are not, to be looked at for their curvature."""
    units_bytes = 8 * 4 * sum(network.sizes[1:]) * examples
    size = int(np.clip(MEMORY / units_bytes, 1, 32))
    kinds = (np.flatnonzero(finite & curved), np.flatnonzero(finite & ~curved))
    return [kind[start : start + size] for kind in kinds for start in range(0, len(kind), size)]


def symptoms_of(landscape: Landscape, task: Task, train: Split, dtype: np.dtype, growth: Array) -> Symptoms:
    """The symptoms of the networks of a landscape over the examples of `train`, whose weights have grown by `growth`
    (M,)."""
    stack = landscape.stack
    layers = [_hidden_units(landscape, layer) for layer in range(len(stack.network.activations))]
    first = _first([is_flat.mean(axis=1) >= MOSTLY for is_flat, _, _ in layers], stack.replicates)
    outputs = np.concatenate([seen.activations[-1] for seen in landscape.passes], axis=1)
    pinned_high, pinned_low = stack.network.head.pinned(outputs)
    as_trained = gradient_as_trained(landscape, task, train, dtype)
    return Symptoms(
        hidden_saturated=share_of_units([is_flat for is_flat, _, _ in layers], stack.replicates),
        hidden_constant=share_of_units([constant for _, _, constant in layers], stack.replicates),
        saturated_layer=first,
        saturated_units=_of_layer(first, [is_flat.sum(axis=1) for is_flat, _, _ in layers]),
        saturated_high=_of_layer(first, [upper.sum(axis=1) for _, upper, _ in layers]),
        symmetric=symmetric(stack),
        outputs_high=nearly_all(pinned_high).sum(axis=1),
        outputs_low=nearly_all(pinned_low).sum(axis=1),
        constant_answer=task.is_constant(outputs, train.y),
        part_scores=task.scores(task.tally(outputs, train.y), train.y)[1],
        own_output=task.own_outputs(outputs, train.y),
        gradient=norms_by_layer(stack.network, landscape.gradient),
        gradient_as_trained=norms_by_layer(stack.network, as_trained),
        gradient_zero=(as_trained == 0).mean(axis=1),
        growth=growth,
    )


def nearly_all(true: Array) -> Array:
    """Of (M, examples, units) bool: (M, units), whether it is so on nearly all examples."""
    return np.asarray(true.mean(axis=1) >= NEARLY_ALL)


def _first(layers: list[Array], replicates: int) -> Array:
    """(M,) the first of the hidden layers, counted from 1, of which it is true; 0 where it is true of none."""
    return np.select(layers, range(1, len(layers) + 1), 0) if layers else np.zeros(replicates)


def _of_layer(layer: Array, counts: list[Array]) -> Array:
    """(M,) the count of each network's `layer` (M,), counted from 1, of the counts (M,) of each; 0 for layer 0."""
    return np.select([layer == number for number in range(1, len(counts) + 1)], counts, 0) if counts else layer


def _hidden_units(landscape: Landscape, layer: int) -> tuple[Array, Array, Array]:
    """Whether each unit of a hidden layer is flat, is so at its upper end, and is constant: (M, units)."""
    activation = landscape.stack.network.activations[layer]
    z = np.concatenate([seen.pre_activations[layer] for seen in landscape.passes], axis=1)
    a = np.concatenate([seen.activations[layer] for seen in landscape.passes], axis=1)
    is_flat = activation.is_flat(z, a)
    upper = is_flat & (z > 0) & (activation.ends[1] is not None)
    return nearly_all(is_flat), nearly_all(upper), a.std(axis=1) < CONSTANT


def symmetric(stack: Stack) -> Array:
    """(M,) bool: whether in some hidden layer, of two units or more, all have the same weights, in and out."""
    result = np.zeros(stack.replicates, bool)
    for layer, units in enumerate(stack.network.sizes[1:-1]):
        into = sideways(stack.weights[0], stack.replicates) if layer == 0 else stack.weights[layer]
        unit = np.concatenate([into, stack.biases[layer], stack.weights[layer + 1].transpose(0, 2, 1)], axis=1)
        apart = np.abs(unit - unit.mean(axis=2, keepdims=True)).max(axis=(1, 2))
        result |= (units > 1) & (apart <= ALIKE * np.sqrt((unit**2).mean(axis=(1, 2))))
    return result


def gradient_as_trained(landscape: Landscape, task: Task, train: Split, dtype: np.dtype) -> Array:
    """(M, P) the gradient over all examples as the training computes it, in `dtype`, layer by layer."""
    stack, present = landscape.stack, landscape.features.present
    as_trained = Stack(stack.network, [stack.replicate(r) for r in range(stack.replicates)], dtype)
    targets = task.targets(train.y).astype(dtype)
    total = np.zeros(())
    for start in range(0, len(train), EXAMPLES):
        rows = slice(start, start + EXAMPLES)
        x = train.x[rows, present].astype(dtype)
        gradient = pack(stack.network, *as_trained.gradient(x, targets[rows]))
        total = total + gradient * dtype.type(len(x) / len(train))
    return total


def norms_by_layer(network: Network, vectors: Array) -> Array:
    """Norms (M, L) of the parts of vectors (M, P) that belong to each layer, weights and biases together."""
    ends = np.cumsum([(fan_in + network.bias) * fan_out for fan_in, fan_out in network.layers])
    return np.stack([np.linalg.norm(part, axis=1) for part in np.split(vectors.astype(float), ends[:-1], axis=1)], 1)


def growth_of(trained: Sequence[Layer], initial: Sequence[Layer]) -> float:
    """Root mean square of one network's weights after training, as a multiple of that before it; infinite from 0."""
    after, before = (sum(float((weights**2).sum()) for weights, _ in layers) for layers in (trained, initial))
    return float(np.sqrt(after / before)) if before else np.inf
