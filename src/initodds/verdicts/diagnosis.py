"""Why a network did not learn, and what kind of point it sits on: weights and the training set in, a `Diagnosis` out.

Thresholds are relative: of gradients and curvatures to those of a fresh network of the same shape, which would learn;
of an activation's slope to the steepest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from initodds.datasets import Split
from initodds.initializers import VarianceScaling
from initodds.networks.curvature import Landscape, Spectrum, pack, sideways, spectrum
from initodds.networks.images import Images
from initodds.networks.network import Layer, Network, Stack
from initodds.training.loop import NEARLY_ALL, PINNED, SATURATED_SLOPE
from initodds.vocabulary import CAUSES

Array = np.ndarray

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
    """What is seen of M networks on the training set, in numbers: L layers of weights, K classes.

    hidden_saturated: (M,) share of the hidden units that are saturated on nearly all examples.
    hidden_high: (M,) share that are so at the upper end.  hidden_constant: (M,) share that are constant.
    saturated_layer: (M,) 1 if the units of some hidden layer are mostly saturated.
    symmetric: (M,) 1 if in some hidden layer all units have the same weights, in and out.
    outputs_high, outputs_low: (M,) outputs that are pinned high, or low, on nearly all examples.
    named: (M, K) share of the examples that are named as each class.  recall: (M, K) of each class.
    own_output: (M, K) what each output answers, on average, to the examples of its own class.
    gradient: (M, L) norm of the gradient by each layer, in float64.
    gradient_as_trained: (M, L) the same as it is computed in the dtype of the training.
    gradient_zero: (M,) share of that gradient's entries that are exactly zero. Weights of a pixel that no image lights
        have none whatever the network, and do not count.
    growth: (M,) root mean square of the weights, as a multiple of what it was before training; infinite from zeros.
    """

    hidden_saturated: Array
    hidden_high: Array
    hidden_constant: Array
    saturated_layer: Array
    symmetric: Array
    outputs_high: Array
    outputs_low: Array
    named: Array
    recall: Array
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

    dead_recall: a class recognised in under this share of its examples is dead.
    cause: (M,) str, one of `CAUSES`.  point: (M,) str, one of `POINTS`, or "" where it was not asked for.
    symptoms, spectrum: of the same networks; NaN where a network is not finite, or its point was not asked for.
    """

    network: Network
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
    dead_recall: a class recognised in under this share of its examples is dead.
    on_step: called often, with what is being done in a few words.
    """
    curved = np.asarray(curved, bool)
    images, targets = Images(train.x, np.dtype(np.float64)), np.eye(network.sizes[-1])[train.y]
    finite = np.array([all(np.isfinite(array).all() for layer in layers for array in layer) for layers in trained])
    fresh = reference_of(network, images, targets, bool((finite & curved).any()))
    count, layers, classes = len(trained), len(network.layers), network.sizes[-1]
    widths = dict.fromkeys(("named", "recall", "own_output"), (classes,))
    widths |= dict.fromkeys(("gradient", "gradient_as_trained"), (layers,))
    seen = Symptoms(**{f.name: np.full((count, *widths.get(f.name, ())), np.nan) for f in fields(Symptoms)})
    ends = Spectrum(*np.full((len(fields(Spectrum)), count), np.nan))
    for group in groups_of(finite, curved, network, len(train)):
        on_step(f"looking at replicate {replicates[group[0]]}")
        stack = Stack(network, [trained[m] for m in group], np.dtype(np.float64))
        landscape = Landscape(stack.restricted(images.pixels), images, targets)
        found = symptoms_of(landscape, train, np.dtype(dtype))
        found["growth"] = np.array([growth_of(trained[m], initial[m]) for m in group])
        for name, values in found.items():
            getattr(seen, name)[group] = values
        if curved[group[0]]:
            start = np.random.default_rng(0).standard_normal(landscape.gradient.shape)
            spectra = spectrum(landscape.hessian_product, start, lambda step: on_step(f"curvature, step {step}"))
            for field in fields(Spectrum):
                getattr(ends, field.name)[group] = getattr(spectra, field.name)
    return Diagnosis(
        network=network,
        replicates=np.asarray(replicates),
        dead_recall=dead_recall,
        cause=causes_of(seen, finite, converged, fresh, dead_recall),
        point=points_of(seen.gradient_norm, ends, fresh),
        symptoms=seen,
        spectrum=ends,
        reference=fresh,
    )


def causes_of(symptoms: Symptoms, finite: Array, converged: Array, reference: Reference, dead_recall: float) -> Array:
    """(M,) str: the cause of each network's state, the first of these that holds.

    exploded: a weight is not finite.
    symmetric: all units of a hidden layer have the same weights, in and out, so that they are one unit, many times.
    hidden_saturated: the units of a hidden layer are mostly saturated, so that hardly a gradient passes it.
    outputs_saturated: every output is pinned, high or low, so that hardly a gradient comes from it.
    constant_prediction: nearly all examples are named as one class.
    dead_classes: a class is recognised in under `dead_recall` of its examples.
    too_few_steps: it has not converged, and the gradient is not negligible: it is still on its way.
    none: none of these.
    """
    classes = symptoms.recall.shape[1]
    conditions = [
        ~finite,
        symptoms.symmetric == 1,
        symptoms.saturated_layer == 1,
        symptoms.outputs_high + symptoms.outputs_low == classes,
        symptoms.named.max(axis=1) >= NEARLY_ALL,
        (symptoms.recall < dead_recall).any(axis=1),
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


def reference_of(network: Network, images: Images, targets: Array, with_curvature: bool) -> Reference:
    """What a fresh network of this shape has, drawn as LeCun et al. (1998) do, on the images' `pixels`."""
    rng, draw = np.random.default_rng(0), VarianceScaling(gain=1.0, fan="fan_in", distribution="normal")
    stack = Stack(network, [[draw(rng, *shape) for shape in network.layers]], np.dtype(np.float64))
    landscape = Landscape(stack.restricted(images.pixels), images, targets)
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


def symptoms_of(landscape: Landscape, train: Split, dtype: np.dtype) -> dict[str, Array]:
    """The fields of `Symptoms`, without growth, of the networks of a landscape over the examples of `train`."""
    stack = landscape.stack
    layers = [hidden_units(landscape, layer) for layer in range(len(stack.weights) - 1)]
    saturated, high, constant = (np.concatenate(kind, axis=1) for kind in zip(*layers, strict=True))
    outputs = np.concatenate([units[-1].activation for units in landscape.units], axis=1)
    one_hot = np.eye(outputs.shape[2])
    named = one_hot[outputs.argmax(axis=2)]
    of_class = one_hot[train.y] / np.bincount(train.y, minlength=outputs.shape[2])
    as_trained = gradient_as_trained(landscape, train, dtype)
    return {
        "hidden_saturated": saturated.mean(axis=1),
        "hidden_high": high.mean(axis=1),
        "hidden_constant": constant.mean(axis=1),
        "saturated_layer": np.any([layer[0].mean(axis=1) >= MOSTLY for layer in layers], axis=0),
        "symmetric": symmetric(stack),
        "outputs_high": nearly_all(outputs > 1 - PINNED).sum(axis=1),
        "outputs_low": nearly_all(outputs < PINNED).sum(axis=1),
        "named": named.mean(axis=1),
        "recall": np.einsum("rek,ek->rk", named, of_class),
        "own_output": np.einsum("rek,ek->rk", outputs, of_class),
        "gradient": norms_by_layer(stack.network, landscape.gradient),
        "gradient_as_trained": norms_by_layer(stack.network, as_trained),
        "gradient_zero": (as_trained == 0).mean(axis=1),
    }


def nearly_all(true: Array) -> Array:
    """Of (M, examples, units) bool: (M, units), whether it is so on nearly all examples."""
    return true.mean(axis=1) >= NEARLY_ALL


def hidden_units(landscape: Landscape, layer: int) -> tuple[Array, Array, Array]:
    """Whether each unit of a hidden layer is saturated, is saturated at the upper end, and is constant: (M, units)."""
    is_tanh = landscape.stack.network.activation == "tanh"
    steepest, middle = (1.0, 0.0) if is_tanh else (0.25, 0.5)
    slope = np.concatenate([units[layer].slope for units in landscape.units], axis=1)
    activation = np.concatenate([units[layer].activation for units in landscape.units], axis=1)
    saturated = slope < SATURATED_SLOPE * steepest
    return nearly_all(saturated), nearly_all(saturated & (activation > middle)), activation.std(axis=1) < CONSTANT


def symmetric(stack: Stack) -> Array:
    """(M,) bool: whether in some hidden layer, of two units or more, all have the same weights, in and out."""
    result = np.zeros(stack.replicates, bool)
    for layer, units in enumerate(stack.network.sizes[1:-1]):
        into = sideways(stack.weights[0], stack.replicates) if layer == 0 else stack.weights[layer]
        unit = np.concatenate([into, stack.biases[layer], stack.weights[layer + 1].transpose(0, 2, 1)], axis=1)
        apart = np.abs(unit - unit.mean(axis=2, keepdims=True)).max(axis=(1, 2))
        result |= (units > 1) & (apart <= ALIKE * np.sqrt((unit**2).mean(axis=(1, 2))))
    return result


def gradient_as_trained(landscape: Landscape, train: Split, dtype: np.dtype) -> Array:
    """(M, P) the gradient over all examples as the training computes it, in `dtype`, layer by layer."""
    stack, pixels = landscape.stack, landscape.images.pixels
    as_trained = Stack(stack.network, [stack.replicate(r) for r in range(stack.replicates)], dtype)
    one_hot = np.eye(stack.network.sizes[-1], dtype=dtype)
    total = np.zeros(())
    for at in range(0, len(train), EXAMPLES):
        x, labels = train.x[at : at + EXAMPLES, pixels].astype(dtype), train.y[at : at + EXAMPLES]
        total = total + pack(*as_trained.gradient(x, one_hot[labels])) * dtype.type(len(x) / len(train))
    return total


def norms_by_layer(network: Network, vectors: Array) -> Array:
    """Norms (M, L) of the parts of vectors (M, P) that belong to each layer, weights and biases together."""
    ends = np.cumsum([(fan_in + 1) * fan_out for fan_in, fan_out in network.layers])
    return np.stack([np.linalg.norm(part, axis=1) for part in np.split(vectors.astype(float), ends[:-1], axis=1)], 1)


def growth_of(trained: Sequence[Layer], initial: Sequence[Layer]) -> float:
    """Root mean square of one network's weights after training, as a multiple of that before it; infinite from 0."""
    after, before = (sum(float((weights**2).sum()) for weights, _ in layers) for layers in (trained, initial))
    return float(np.sqrt(after / before)) if before else np.inf
