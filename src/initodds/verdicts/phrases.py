"""The words for each cause, told by what was seen of a network.

What is said of gradients, outputs and units is what was measured, whatever the cost."""

from typing import TYPE_CHECKING

import numpy as np

from initodds.datasets.tasks import NEARLY_ALL
from initodds.networks.activations import Activation
from initodds.verdicts.symptoms import ALIVE, FITTED, NEGLIGIBLE

if TYPE_CHECKING:
    from initodds.verdicts.diagnosis import Diagnosis


def exploded(diagnosis: "Diagnosis", member: int) -> str:
    return "A weight or bias is not a finite number: training has exploded, and nothing is left to be seen."


def symmetric(diagnosis: "Diagnosis", member: int) -> str:
    return (
        f"The {_hidden(diagnosis)} hidden units have the same weights, in and out: they get the same gradient, stay"
        " alike, and are worth one unit. They have to be drawn apart."
    )


def step_too_large(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network that its first steps threw to where it is: what they did to the cost, and what is left."""
    symptoms = diagnosis.symptoms
    factor = symptoms.first_step[member]
    times = f"multiplies the cost by {factor:.3g}" if np.isfinite(factor) else "makes the cost infinite"
    if symptoms.saturated_layer[member]:
        flat, born = int(symptoms.flat_units[member]), int(symptoms.born_units[member])
        units, word = _of_units(diagnosis, member), _flattest(diagnosis, member).flat_word
        then = f"{flat} {units} are {word} on nearly every example, of which {born} were at the start"
    else:
        then = "it gives nearly every example one answer, which it did not at the start"
        if symptoms.born_constant[member]:
            then = "it gives nearly every example one answer"
    return f"The steps are too large for inputs of this size: the first, along the whole gradient, {times}; now {then}."


def hidden_flat(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network whose hidden layer passes no gradient: what its hidden units answer, and what that leaves."""
    symptoms, network = diagnosis.symptoms, diagnosis.network
    layer = int(symptoms.saturated_layer[member])
    activation, units = network.activations[layer - 1], network.sizes[layer]
    of_units = "hidden units" if len(network.activations) == 1 else f"units of hidden layer {layer}"
    flat, high = int(symptoms.flat_units[member]), int(symptoms.flat_high[member])
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
        rest = f"the {'output' if outputs == 1 else f'{outputs} outputs'} can only learn one answer to all examples"
    elif _is_negligible(diagnosis, member):
        rest = f"the outputs are pinned too, {_pinned(diagnosis, member)}, and learn as little"
    else:
        rest = f"the outputs are pinned, {_pinned(diagnosis, member)}, but the cost still moves them"
    return f"{what}{_since(symptoms.born_units[member], flat)}, so {reach}; {rest}."


def outputs_saturated(diagnosis: "Diagnosis", member: int) -> str:
    what = f"All {diagnosis.network.sizes[-1]} outputs are pinned, {_pinned(diagnosis, member)}, whatever the example"
    if _is_negligible(diagnosis, member):
        return (
            f"{what}; where an output is flat no error comes back from it, and hardly a gradient is left"
            f" ({relative_gradient(diagnosis, member)})."
        )
    return (
        f"{what}; with this cost an error comes back from them all the same ({relative_gradient(diagnosis, member)})."
    )


def constant_prediction(diagnosis: "Diagnosis", member: int) -> str:
    return (
        f"It gives nearly every example one answer{_answer(diagnosis, member)}, though neither its hidden units nor its"
        f" outputs are all saturated ({_pinned(diagnosis, member)})."
    )


def dead_classes(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network that lacks parts of the task: which, what their outputs do, and whether they may come yet."""
    symptoms, task = diagnosis.symptoms, diagnosis.task
    dead = np.flatnonzero(symptoms.part_scores[member] < diagnosis.dead_recall)
    names = " and ".join(f"{task.part} {part}{_own_output(diagnosis, member, int(part))}" for part in dead)
    if _is_negligible(diagnosis, member):
        rest = f"Hardly a gradient is left to bring it ({relative_gradient(diagnosis, member)})"
    else:
        rest = f"A gradient of {relative_gradient(diagnosis, member)} is left, with which it may come yet"
    learned = int((symptoms.part_scores[member] >= 0.5).sum())
    what = (
        "learned the rest, and"
        if learned == task.parts - len(dead)
        else f"learned {learned} of {task.parts} {task.parts_word} by half or more, and"
    )
    return f"It has {what} hardly anything of {names}. {rest}."


def too_few_steps(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network that is on its way: how far it has come. What else is seen is said too, as units that are dead; of
    one whose training is not known, no more than that nothing else is seen."""
    symptoms = diagnosis.symptoms
    moved = symptoms.moved[member]
    gradient = f"its gradient is {relative_gradient(diagnosis, member)}"
    if np.isnan(moved):
        return f"Nothing is seen to be wrong with it, and {gradient}: it may be on its way, and need more steps."
    way = f"no layer's weights have moved by more than {100 * moved:.2g} % of their size, and " if moved < 1 else ""
    rest = f"{way}{gradient}. It needs more steps, or larger ones."
    if symptoms.fewest_alive[member] < ALIVE:
        return f"It is on its way, though {_flat_units(diagnosis, member)}: {rest}"
    return f"It is on its way, and nothing is seen to be wrong with it: {rest}"


def none(diagnosis: "Diagnosis", member: int) -> str:
    return "Nothing wrong is seen with it."


def targets_out_of_range(diagnosis: "Diagnosis", member: int) -> str:
    least, greatest = diagnosis.network.head.bounded
    share = 100 * diagnosis.symptoms.outside[member]
    return (
        f"The outputs go from {least:g} to {greatest:g}, and {share:.0f} % of the targets lie outside: no network with"
        " such outputs can answer them."
    )


def outputs_dead(diagnosis: "Diagnosis", member: int) -> str:
    dead, outputs = int(diagnosis.symptoms.outputs_dead[member]), diagnosis.network.sizes[-1]
    return (
        f"{dead} of {outputs} outputs are dead: wherever they are wrong they answer 0 with a slope of 0, so that no"
        " error comes back from them, and they stay so."
    )


def vanishing_gradient(diagnosis: "Diagnosis", member: int) -> str:
    norms = diagnosis.symptoms.gradient[member]
    shares = ", ".join(f"{norm / norms[-1]:.0e}" if norms[-1] else "0" for norm in norms)
    return (
        f"The gradient vanishes on its way back through {len(norms)} layers: by layer it is {shares} of the last one's,"
        f" and {_of_a_fresh_one(diagnosis, float(np.linalg.norm(norms)))} in all."
    )


def small_weights(diagnosis: "Diagnosis", member: int) -> str:
    symptoms = diagnosis.symptoms
    return (
        "The weights were drawn so small that all hidden units start all but alike, next to 0: their pre-activations"
        f" had a standard deviation of {symptoms.spread_at_start[member]:.1e} over the examples at the start, and have"
        f" one of {symptoms.spread[member]:.1e} now. It sits on the plateau around zero, where a network is a constant."
    )


def units_flat(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network that has not learned with the units that are left: how many of a layer's are flat, since when."""
    return (
        f"{_flat_units(diagnosis, member)}: they answer nearly every example alike and get hardly a gradient, and the"
        " others have not done it alone."
    )


def straight_line(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network that is linear on all examples: what a linear model scores."""
    task = diagnosis.task
    score = diagnosis.straight_score
    best = f"{100 * score:.1f} %" if task.score_name == "accuracy" else f"{score:.3f}"
    name = "an accuracy" if task.score_name == "accuracy" else "an R^2"
    return (
        "It has learned a straight line and nothing else: every hidden unit is a straight line on all examples,"
        f" none has its bend among them. The best linear model, of at most {FITTED} of them, has {name} of {best}."
    )


def dead_examples(diagnosis: "Diagnosis", member: int) -> str:
    score, task = diagnosis.symptoms.score[member], diagnosis.task
    what = (
        f"{100 * score:.1f} % of the training examples right"
        if task.score_name == "accuracy"
        else f"an R^2 of {score:.3f}"
    )
    return (
        f"It has come to rest with {what}: hardly a gradient is left ({relative_gradient(diagnosis, member)}) to bring"
        " the others."
    )


def unsteady(diagnosis: "Diagnosis", member: int) -> str:
    factor = diagnosis.symptoms.next_step[member]
    times = f"multiplies it by {factor:.3g}" if np.isfinite(factor) else "makes it infinite"
    return (
        f"The cost jumps up and down: one more step along the whole gradient {times}. The steps are too large to"
        " come to rest."
    )


def _since(born: float, flat: int) -> str:
    """Since when so many units are flat, of which so many were before the first step: NaN where that is not known."""
    if np.isnan(born):
        return ""
    if born >= flat:
        return " (so before the first step)"
    return f" ({int(born)} of them before the first step)" if born else " (not so at the start)"


def _flat_units(diagnosis: "Diagnosis", member: int) -> str:
    """How many units of the flattest layer are flat, and since when: `3 of 8 hidden units are dead (not so at the
    start)`."""
    symptoms = diagnosis.symptoms
    flat, word = int(symptoms.flat_units[member]), _flattest(diagnosis, member).flat_word
    since = _since(symptoms.born_units[member], flat)
    return f"{flat} {_of_units(diagnosis, member)} are {word}{since}"


def _flattest(diagnosis: "Diagnosis", member: int) -> Activation:
    """The activation of the flattest layer."""
    return diagnosis.network.activations[int(diagnosis.symptoms.flattest_layer[member]) - 1]


def _of_units(diagnosis: "Diagnosis", member: int) -> str:
    """The units of the flattest layer: `of 8 hidden units`."""
    layer = int(diagnosis.symptoms.flattest_layer[member])
    kind = "hidden units" if len(diagnosis.network.activations) == 1 else f"units of hidden layer {layer}"
    return f"of {diagnosis.network.sizes[layer]} {kind}"


def _hidden(diagnosis: "Diagnosis") -> int:
    """The number of hidden units."""
    return sum(diagnosis.network.sizes[1:-1])


def _is_negligible(diagnosis: "Diagnosis", member: int) -> bool:
    """Whether hardly a gradient is left."""
    return bool(diagnosis.symptoms.gradient_norm[member] <= NEGLIGIBLE * diagnosis.reference.gradient)


def relative_gradient(diagnosis: "Diagnosis", member: int) -> str:
    """The norm of the gradient, in words: `1.3 % of a fresh network's`."""
    return _of_a_fresh_one(diagnosis, diagnosis.symptoms.gradient_norm[member])


def _of_a_fresh_one(diagnosis: "Diagnosis", norm: float) -> str:
    return f"{100 * norm / diagnosis.reference.gradient:.1f} % of a fresh network's"


def _answer(diagnosis: "Diagnosis", member: int) -> str:
    """The class that it names, where there are any: ` (class 3)`."""
    scores = diagnosis.symptoms.part_scores[member]
    return f" ({diagnosis.task.part} {np.nanargmax(scores)})" if np.nanmax(scores) >= NEARLY_ALL else ""


def _own_output(diagnosis: "Diagnosis", member: int, part: int) -> str:
    """What a part's output does, where it has one of its own."""
    own = diagnosis.symptoms.own_output[member, part]
    return "" if np.isnan(own) else f" (to an example of it output {part} answers {own:.3f})"


def _pinned(diagnosis: "Diagnosis", member: int) -> str:
    """How many outputs are pinned: `10 at 1 and 0 at 0`."""
    counts = (diagnosis.symptoms.outputs_high, diagnosis.symptoms.outputs_low)
    ends = reversed(diagnosis.network.head.bounded)
    pairs = [(int(count[member]), end) for count, end in zip(counts, ends, strict=True) if np.isfinite(end)]
    return " and ".join(f"{count} at {end:g}" for count, end in pairs) or "their range has no end"
