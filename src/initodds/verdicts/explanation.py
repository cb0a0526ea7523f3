"""A diagnosis in plain words. What is said of gradients, outputs and units is what was measured, whatever the cost."""

from collections.abc import Callable

import numpy as np

from initodds.datasets.tasks import NEARLY_ALL
from initodds.verdicts.diagnosis import NEGLIGIBLE, Diagnosis


def explain(diagnosis: Diagnosis, member: int) -> str:
    """What is wrong with the network at place `member` of a diagnosis, and what kind of point it sits on, in a few
    sentences."""
    sentences = (CAUSES_IN_WORDS[str(diagnosis.cause[member])](diagnosis, member), _point(diagnosis, member))
    return " ".join(sentence for sentence in sentences if sentence)


def _exploded(diagnosis: Diagnosis, member: int) -> str:
    return "A weight or bias is not a finite number: training has exploded, and nothing is left to be seen."


def _symmetric(diagnosis: Diagnosis, member: int) -> str:
    return (
        f"The {_hidden(diagnosis)} hidden units have the same weights, in and out: they get the same gradient, stay"
        " alike, and are worth one unit. They have to be drawn apart."
    )


def _hidden_saturated(diagnosis: Diagnosis, member: int) -> str:
    """Of a network whose hidden layer passes no gradient: what its hidden units answer, and what that leaves."""
    symptoms, network = diagnosis.symptoms, diagnosis.network
    layer = int(symptoms.saturated_layer[member])
    activation, units = network.activations[layer - 1], network.sizes[layer]
    of_units = "hidden units" if len(network.activations) == 1 else f"units of hidden layer {layer}"
    flat, high = int(symptoms.saturated_units[member]), int(symptoms.saturated_high[member])
    counts = zip((high, flat - high), reversed(activation.ends), strict=True)
    ends = [f"{count} answer {end:.3f}" for count, end in counts if count and end is not None]
    if flat == units and len(ends) == 1:
        what = f"All {units} {of_units} answer {ends[0].split()[-1]} to nearly every example"
    elif ends:
        what = f"{flat} of {units} {of_units} are {activation.flat_word}: {' and '.join(ends)} to nearly every example"
    else:
        what = f"{flat} of {units} {of_units} are {activation.flat_word} on nearly every example"
    zero, trained = symptoms.gradient_zero[member], symptoms.gradient_as_trained[member, 0]
    share = symptoms.gradient[member, 0] / diagnosis.reference.gradient
    rounded = " and exactly 0 as it is computed" if zero == 1 or trained == 0 else ""
    reach = f"hardly a gradient reaches the first layer ({share:.0e} of a fresh network's{rounded})"
    outputs = diagnosis.network.sizes[-1]
    if symptoms.outputs_high[member] + symptoms.outputs_low[member] < outputs:
        rest = f"the {outputs} outputs can only learn one answer to all examples"
    elif _is_negligible(diagnosis, member):
        rest = f"the outputs are pinned too, {_pinned(diagnosis, member)}, and learn as little"
    else:
        rest = f"the outputs are pinned, {_pinned(diagnosis, member)}, but the cost still moves them"
    return f"{what}, so {reach}; {rest}."


def _outputs_saturated(diagnosis: Diagnosis, member: int) -> str:
    what = f"All {diagnosis.network.sizes[-1]} outputs are pinned, {_pinned(diagnosis, member)}, whatever the example"
    if _is_negligible(diagnosis, member):
        return (
            f"{what}; where an output is flat no error comes back from it, and hardly a gradient is left"
            f" ({_relative_gradient(diagnosis, member)})."
        )
    return (
        f"{what}; with this cost an error comes back from them all the same ({_relative_gradient(diagnosis, member)})."
    )


def _constant_prediction(diagnosis: Diagnosis, member: int) -> str:
    return (
        f"It gives nearly every example one answer{_answer(diagnosis, member)}, though neither its hidden units nor its"
        f" outputs are all saturated ({_pinned(diagnosis, member)})."
    )


def _dead_classes(diagnosis: Diagnosis, member: int) -> str:
    """Of a network that lacks parts of the task: which, what their outputs do, and whether they may come yet."""
    symptoms, task = diagnosis.symptoms, diagnosis.task
    dead = np.flatnonzero(symptoms.part_scores[member] < diagnosis.dead_recall)
    names = " and ".join(f"{task.part} {part}{_own_output(diagnosis, member, int(part))}" for part in dead)
    if _is_negligible(diagnosis, member):
        rest = f"Hardly a gradient is left to bring it ({_relative_gradient(diagnosis, member)})"
    else:
        rest = f"A gradient of {_relative_gradient(diagnosis, member)} is left, with which it may come yet"
    return f"It has learned the rest, and hardly anything of {names}. {rest}."


def _too_few_steps(diagnosis: Diagnosis, member: int) -> str:
    return (
        f"Nothing is wrong with it: it is on its way, with a gradient of {_relative_gradient(diagnosis, member)}."
        " It needs more steps, or larger ones."
    )


def _none(diagnosis: Diagnosis, member: int) -> str:
    return "Nothing wrong is seen with it."


CAUSES_IN_WORDS: dict[str, Callable[[Diagnosis, int], str]] = {
    "exploded": _exploded,
    "symmetric": _symmetric,
    "hidden_saturated": _hidden_saturated,
    "outputs_saturated": _outputs_saturated,
    "constant_prediction": _constant_prediction,
    "dead_classes": _dead_classes,
    "too_few_steps": _too_few_steps,
    "none": _none,
}
"""What is wrong, told by what was seen, for each cause."""


def _hidden(diagnosis: Diagnosis) -> int:
    """The number of hidden units."""
    return sum(diagnosis.network.sizes[1:-1])


def _is_negligible(diagnosis: Diagnosis, member: int) -> bool:
    """Whether hardly a gradient is left."""
    return bool(diagnosis.symptoms.gradient_norm[member] <= NEGLIGIBLE * diagnosis.reference.gradient)


def _relative_gradient(diagnosis: Diagnosis, member: int) -> str:
    """The norm of the gradient, in words: `1.3 % of a fresh network's`."""
    share = diagnosis.symptoms.gradient_norm[member] / diagnosis.reference.gradient
    return f"{100 * share:.1f} % of a fresh network's"


def _answer(diagnosis: Diagnosis, member: int) -> str:
    """The class that it names, where there are any: ` (class 3)`."""
    scores = diagnosis.symptoms.part_scores[member]
    return f" ({diagnosis.task.part} {np.nanargmax(scores)})" if np.nanmax(scores) >= NEARLY_ALL else ""


def _own_output(diagnosis: Diagnosis, member: int, part: int) -> str:
    """What a part's output does, where it has one of its own."""
    own = diagnosis.symptoms.own_output[member, part]
    return "" if np.isnan(own) else f" (to an example of it output {part} answers {own:.3f})"


def _pinned(diagnosis: Diagnosis, member: int) -> str:
    """How many outputs are pinned: `10 at 1 and 0 at 0`."""
    counts = (diagnosis.symptoms.outputs_high, diagnosis.symptoms.outputs_low)
    ends = reversed(diagnosis.network.head.bounded)
    pairs = [(int(count[member]), end) for count, end in zip(counts, ends, strict=True) if np.isfinite(end)]
    return " and ".join(f"{count} at {end:g}" for count, end in pairs) or "their range has no end"


def _point(diagnosis: Diagnosis, member: int) -> str:
    """The kind of point, with the numbers that it is told by; empty where it was not asked for."""
    spectrum = diagnosis.spectrum
    ends = f"least eigenvalue {spectrum.least[member]:.1e}, greatest {spectrum.greatest[member]:.1e}"
    match str(diagnosis.point[member]):
        case "flat":
            return "It is a flat plateau, not a local minimum: gradient and curvature vanish."
        case "saddle":
            return f"It is a saddle, not a local minimum: along one direction the cost curves down ({ends})."
        case "minimum":
            kind = "a degenerate minimum" if diagnosis.degenerate[member] else "a minimum"
            flat = f"{100 * spectrum.near_zero[member]:.1f} % of its directions are flat"
            return f"It is {kind}, as far as the curvature tells: no direction curves down ({ends}), and {flat}."
        case "not_stationary":
            share = _relative_gradient(diagnosis, member)
            rest = ", nearly all of it by the output layer" if _by_outputs(diagnosis, member) else ""
            return f"It is no resting point, and so no local minimum: its gradient is {share}{rest}."
    return ""


def _by_outputs(diagnosis: Diagnosis, member: int) -> bool:
    """Whether nearly all of the gradient is by the output layer's weights and biases, where there are other layers."""
    by_layer = diagnosis.symptoms.gradient[member]
    return bool(len(by_layer) > 1 and by_layer[-1] ** 2 >= NEARLY_ALL * (by_layer**2).sum())


def summarize(diagnosis: Diagnosis) -> str:
    """What became of all networks of a diagnosis, as Markdown: of each cause and kind of point how many, and the words
    for one of them."""
    pairs = [(str(cause), str(point)) for cause, point in zip(diagnosis.cause, diagnosis.point, strict=True)]
    lines = []
    for pair in sorted(set(pairs), key=pairs.count, reverse=True):
        cause, point = pair
        members = [member for member, other in enumerate(pairs) if other == pair]
        kind = f"{cause}, {point}" if point else cause
        lines.append(
            f"- {len(members)} of {len(pairs)}: **{kind}**. Replicate {diagnosis.replicates[members[0]]}:"
            f" {explain(diagnosis, members[0])}"
        )
    return "\n".join(lines)
