"""Why a network did not learn, and what kind of point it sits on: weights and the training set in, a `Diagnosis` out.

Thresholds are relative: of gradients and curvatures to those of a fresh network of the same shape, which would learn;
of an activation's slope to the steepest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TypeVar

import numpy as np

from initodds.datasets import Split
from initodds.datasets.tasks import Task
from initodds.initializers import VarianceScaling
from initodds.networks.curvature import MOST_STEPS, Landscape, Spectrum, spectrum, within
from initodds.networks.features import Features
from initodds.networks.network import Layer, Network, Stack
from initodds.verdicts.causes import Evidence, causes_of
from initodds.verdicts.steps import Step, decay_rate
from initodds.verdicts.symptoms import FITTED, NEGLIGIBLE, Symptoms, norms_by_layer, spread_evenly, symptoms_of, widths

Array = np.ndarray
Record = TypeVar("Record", "Symptoms", "Spectrum")

CLEAR = 0.01
"""A negative eigenvalue is clear from this share of the largest eigenvalue's size on."""
DEGENERATE = 0.9
"""A point is degenerate if at least this share of its Hessian's eigenvalues is near zero."""

# Networks whose units, on all examples, or whose vectors of Lanczos take more than this many bytes are looked at in
# several goes.
MEMORY = 250e6
# Draws of which the fresh network is the first that has a gradient.
_DRAWS = 16


@dataclass(frozen=True)
class Reference:
    """A fresh network of the same shape that would learn, for comparison: the norm of its gradient by each layer, and
    the size of its Hessian's largest eigenvalue (NaN where that was not asked for)."""

    by_layer: tuple[float, ...]
    curvature: float

    @property
    def gradient(self) -> float:
        """The norm of its whole gradient."""
        return float(np.linalg.norm(self.by_layer))


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Of M networks, whose numbers in their cell are `replicates` (M,).

    task: what they were asked.  dead_recall: a part of it whose score is under this is dead.
    cause: (M,) str, one of `CAUSES`.  point: (M,) str, one of `POINTS`, or "" where it was not asked for.
    symptoms, spectrum: of the same networks; NaN where a network is not finite, or its point was not asked for. Of a
        plateau the spectrum has no more than what no eigenvalue exceeds.
    straight_score: of a linear model by least squares of at most `FITTED` of the examples, spread evenly, on these; NaN
        where no network is a straight line.
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
    straight_score: float = np.nan

    @property
    def degenerate(self) -> Array:
        """(M,) bool: whether the Hessian is mostly flat."""
        return self.spectrum.near_zero >= DEGENERATE


def diagnose(
    network: Network,
    task: Task,
    trained: Sequence[Sequence[Layer]],
    initial: Callable[[int], Sequence[Layer]] | None,
    train: Split,
    *,
    replicates: Sequence[int] | Array,
    converged: Array,
    curved: Array,
    dtype: np.dtype,
    dead_recall: float = 0.05,
    step: Step | None = None,
    on_step: Callable[[str], None] = lambda stage: None,
) -> Diagnosis:
    """Diagnose M networks from their `trained` layers and the examples they were trained on.

    initial: gives the layers that the network at a place, from 0 to M - 1, started from, which are thus not all held at
        once; None where they are not known.
    replicates: the M networks' numbers, for the result.  converged: (M,) bool, which of them are as they should be.
    curved: (M,) bool, whose point is to be told: that takes up to 80 Hessian-vector products over all examples,
        and none for a plateau.
    dtype: of the training.
    dead_recall: a part of the task whose score is under this is dead.
    step: how the M networks were trained, None where that is not known.
    on_step: called often, with what is being done in a few words.
    """
    curved = np.asarray(curved, bool)
    features, targets = Features(train.x, np.dtype(np.float64)), task.targets(train.y)
    finite = np.array([all(np.isfinite(array).all() for layer in layers for array in layer) for layers in trained])
    fresh = reference_of(network, task, train, bool((finite & curved).any()))
    groups = groups_of(finite, curved, network, len(train))

    def looked_at(group: Array) -> tuple[Symptoms, Spectrum | None]:
        """What is seen of a group. A function of its own, so that a group's landscape is gone before the next one's."""
        on_step(f"looking at replicate {replicates[group[0]]}")
        after = [trained[member] for member in group]
        before = None if initial is None else [initial(member) for member in group]
        stack = Stack(network, after, np.dtype(np.float64)).restricted(features.present)
        with np.errstate(over="ignore", invalid="ignore"):  # finite weights may be too large to be multiplied
            landscape = Landscape(stack, features, targets)
            steps = step.of(group) if step else None
            seen = symptoms_of(landscape, task, train, np.dtype(dtype), after, before, steps)
        return seen, _curvature(landscape, step, fresh, on_step) if curved[group[0]] else None

    looks = [looked_at(group) for group in groups]
    seen = _in_order(Symptoms, [symptoms for symptoms, _ in looks], groups, len(trained), widths(network, task))
    spectra = [(spectrum, group) for (_, spectrum), group in zip(looks, groups, strict=True) if spectrum]
    ends = _in_order(Spectrum, [part for part, _ in spectra], [group for _, group in spectra], len(trained), {})
    evidence = Evidence(network, seen, fresh, dead_recall)
    cause = causes_of(evidence, np.asarray(converged, bool))
    return Diagnosis(
        network=network,
        task=task,
        replicates=np.asarray(replicates),
        dead_recall=dead_recall,
        cause=cause,
        point=points_of(seen.gradient_norm, ends, fresh, on_its_way=cause == "too_few_steps"),
        symptoms=seen,
        spectrum=ends,
        reference=fresh,
        straight_score=_straight_score(task, train) if "straight_line" in cause else np.nan,
    )


def _curvature(
    landscape: Landscape, step: Step | None, reference: Reference, on_step: Callable[[str], None]
) -> Spectrum:
    """The spectra of the networks of a landscape. Of a plateau it is enough that both its gradient and what no
    eigenvalue exceeds are negligible; the ends of the others' spectra are looked for. NaN where the weights are so
    large that the gradient is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        gradient = np.linalg.norm(landscape.gradient, axis=1)
        at_most = landscape.curvature_at_most() + decay_rate(step)
    is_flat = (gradient <= NEGLIGIBLE * reference.gradient) & (at_most <= NEGLIGIBLE * reference.curvature)
    flat, others = np.flatnonzero(is_flat), np.flatnonzero(~is_flat & np.isfinite(gradient))
    at_once = max(1, int(MEMORY / (8 * MOST_STEPS * landscape.gradient.shape[1])))
    parts = [others[first : first + at_once] for first in range(0, len(others), at_once)]
    spectra = [
        _spectrum(landscape.of(part) if len(part) < len(is_flat) else landscape, step, on_step) for part in parts
    ]
    return _in_order(Spectrum, [within(at_most[flat]), *spectra], [flat, *parts], len(is_flat), {})


def _spectrum(landscape: Landscape, step: Step | None, on_step: Callable[[str], None]) -> Spectrum:
    """The spectrum of the Hessian of what is minimized: the cost, and the weight decay where there is any."""
    decay = decay_rate(step)
    return spectrum(
        lambda vectors: landscape.hessian_product(vectors) + decay * vectors,
        np.random.default_rng(0).standard_normal(landscape.gradient.shape),
        lambda number: on_step(f"curvature, step {number}"),
    )


def _straight_score(task: Task, train: Split) -> float:
    """The score of a linear model by least squares, see `Diagnosis`."""
    rows = spread_evenly(len(train), FITTED)
    x, y = train.x[rows].astype(float), train.y[rows]
    design = np.column_stack([x, np.ones(len(x))])
    answers = design @ np.linalg.lstsq(design, task.targets(y), rcond=None)[0]
    return float(task.scores(task.tally(answers[None], y), y)[0][0])


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


def points_of(gradient_norm: Array, spectrum: Spectrum, reference: Reference, on_its_way: Array) -> Array:
    """(M,) str: the kind of point each network sits on, the first of these that holds; "" where it was not looked at.

    on_its_way: (M,) bool, of which networks the steps still tell that they are at no minimum, however gentle the slope.

    not_stationary: the gradient is not negligible, or what looks like a minimum is on its way.
    flat: the gradient and every curvature are negligible: a plateau.
    saddle: at a stationary point there is a clearly negative eigenvalue: a way down, if only of second order.
    minimum: at a stationary point there is none.
    """
    conditions = [
        np.isnan(spectrum.largest),
        gradient_norm > NEGLIGIBLE * reference.gradient,
        spectrum.largest <= NEGLIGIBLE * reference.curvature,
        spectrum.least < -CLEAR * spectrum.largest,
        on_its_way,
    ]
    return np.select(conditions, ["", "not_stationary", "flat", "saddle", "not_stationary"], "minimum")


@lru_cache(maxsize=2)
def reference_of(network: Network, task: Task, train: Split, with_curvature: bool) -> Reference:
    """What a fresh network of this shape has, on the features that are not 0 throughout: its weights are normal with
    the variance gain^2 / fan_in (LeCun et al. 1998; He et al. 2015), the gain being that of the layer's own activation;
    the first of some draws that has a gradient, since a narrow one may be born dead. The last two are kept, since the
    cells of a sweep often have it in common."""
    features, targets = Features(train.x, np.dtype(np.float64)), task.targets(train.y)
    rng = np.random.default_rng(0)
    gains = [*(activation.gain for activation in network.activations), 1.0]
    for _ in range(_DRAWS):
        layers = [
            VarianceScaling(gain=gain**2, fan="fan_in", distribution="normal")(rng, *shape)
            for gain, shape in zip(gains, network.layers, strict=True)
        ]
        stack = Stack(network, [layers], np.dtype(np.float64)).restricted(features.present)
        landscape = Landscape(stack, features, targets)
        if landscape.gradient.any():
            break
    curvature = np.nan
    if with_curvature:
        curvature = float(spectrum(landscape.hessian_product, rng.standard_normal(landscape.gradient.shape)).largest[0])
    (by_layer,) = norms_by_layer(stack.network, landscape.gradient).tolist()
    return Reference(tuple(by_layer), curvature)


def groups_of(finite: Array, curved: Array, network: Network, examples: int) -> list[Array]:
    """The finite networks in groups that fit in `MEMORY` and are, or are not, to be looked at for their curvature."""
    units_bytes = 8 * 6 * sum(network.sizes[1:]) * examples
    size = int(np.clip(MEMORY / units_bytes, 1, 32))
    kinds = (np.flatnonzero(finite & curved), np.flatnonzero(finite & ~curved))
    return [kind[start : start + size] for kind in kinds for start in range(0, len(kind), size)]
