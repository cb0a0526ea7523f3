"""The words for each cause, told by what was seen of a network.

What is said of gradients, outputs and units is what was measured, whatever the cost."""

from typing import TYPE_CHECKING

import numpy as np

from initodds.networks.activations import Activation
from initodds.verdicts.symptoms import ALIVE, FITTED, NEGLIGIBLE

MANY = 10
"""From so many times on a share is no longer said in percent."""

if TYPE_CHECKING:
    from initodds.verdicts.diagnosis import Diagnosis


def exploded(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network with a weight that is no number, or a gradient beyond all measure."""
    norm = _cost_gradient(diagnosis, member)
    if np.isnan(norm):
        return "A weight or bias is not a finite number: training has exploded, and nothing is left to be seen."
    measure = of_a_fresh_one(diagnosis, norm) if np.isfinite(norm) else "not a finite number"
    return f"Training has exploded: the gradient is {measure}, and each step throws the weights further."


def symmetric(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network one of whose hidden layers is worth one unit."""
    hidden = diagnosis.network.sizes[1:-1]
    units = f"{hidden[0]} hidden units" if len(hidden) == 1 else "units of a hidden layer"
    return (
        f"The {units} have the same weights, in and out: they get the same gradient, stay alike, and are worth one"
        " unit. They have to be drawn apart."
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
    flat, high, low = (int(count[member]) for count in (symptoms.flat_units, symptoms.flat_high, symptoms.flat_low))
    counts = zip((high, low), reversed(activation.ends), strict=True)
    ends = [f"{count} answer {end:.3f}" for count, end in counts if count and end is not None]
    if flat == units and high + low == flat and len(ends) == 1:
        what = f"All {units} {of_units} answer {ends[0].split()[-1]} to nearly every example"
    else:
        what = f"{flat} of {units} {of_units} are {activation.flat_word} on nearly every example"
        ends += [f"{flat - high - low} jump between their ends"] * (high + low < flat)
        what += f" ({' and '.join(ends)})" if ends else ""
    since = _since(symptoms.born_units[member], flat)
    return f"{what}{since}, {_reach(diagnosis, member)}; {_left_to_outputs(diagnosis, member, units - high - low)}."


def _reach(diagnosis: "Diagnosis", member: int) -> str:
    """What of the gradient reaches the first layer."""
    symptoms = diagnosis.symptoms
    zero, trained = symptoms.gradient_zero[member], symptoms.gradient_as_trained[member, 0]
    share = symptoms.gradient[member, 0] / diagnosis.reference.by_layer[0]
    if share > NEGLIGIBLE:
        return f"though a gradient still reaches the first layer ({_of_fresh(share)})"
    rounded = " and exactly 0 as it is computed" if zero == 1 or trained == 0 else ""
    return f"so hardly a gradient reaches the first layer ({share:.0e} of a fresh network's{rounded})"


def _left_to_outputs(diagnosis: "Diagnosis", member: int, units: int) -> str:
    """What the outputs can learn from a layer of which so many `units` do not answer all examples alike."""
    symptoms, outputs = diagnosis.symptoms, diagnosis.network.sizes[-1]
    if _pinned_outputs(diagnosis, member) < outputs:
        named = "the output" if outputs == 1 else f"the {outputs} outputs"
        if units:
            return f"{named} can learn from {units} {'unit' if units == 1 else 'units'}"
        return f"{named} can only learn one answer to all examples"
    if symptoms.gradient[member, -1] <= NEGLIGIBLE * diagnosis.reference.by_layer[-1]:
        return f"the outputs are pinned too, {_pinned(diagnosis, member)}, and learn as little"
    return f"the outputs are pinned, {_pinned(diagnosis, member)}, but the cost still moves them"


def outputs_saturated(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network whose outputs are at the ends of their range: which, and whether an error comes back from them."""
    outputs, share = diagnosis.network.sizes[-1], _relative_gradient(diagnosis, member)
    subject = "The output is" if outputs == 1 else f"All {outputs} outputs are"
    what = f"{subject} pinned on nearly every example, {_pinned(diagnosis, member)}"
    if _is_negligible(diagnosis, member):
        return f"{what}; where an output is flat no error comes back from it, and hardly a gradient is left ({share})."
    return f"{what}; with this cost an error comes back all the same ({share})."


def constant_prediction(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network that has one answer to everything, and units that could say more."""
    named = diagnosis.task.one_answer(diagnosis.symptoms.part_scores[member])
    answer = f"one answer ({named})" if named else "one answer"
    return (
        f"It gives nearly every example {answer}, though neither its hidden units nor its outputs are all saturated"
        f" ({_pinned(diagnosis, member)})."
    )


def dead_classes(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network that lacks parts of the task: which, what their outputs do, and whether they may come yet."""
    symptoms, task = diagnosis.symptoms, diagnosis.task
    dead = np.flatnonzero(symptoms.part_scores[member] < diagnosis.dead_recall)
    names = " and ".join(f"{task.part} {part}{_own_output(diagnosis, member, int(part))}" for part in dead)
    share = _relative_gradient(diagnosis, member)
    if _is_negligible(diagnosis, member):
        rest = f"Hardly a gradient is left to bring {'it' if len(dead) == 1 else 'them'} ({share})"
    else:
        rest = f"A gradient of {share} is left, with which {'it' if len(dead) == 1 else 'they'} may come yet"
    learned = int((symptoms.part_scores[member] >= 0.5).sum())
    if len(dead) == task.parts:
        what = ""
    elif learned == task.parts - len(dead):
        what = "the rest, and "
    else:
        what = f"{learned} of {task.parts} {task.parts_word} by half or more, and "
    return f"It has learned {what}hardly anything of {names}. {rest}."


def too_few_steps(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network that is on its way: how far it has come, and what is seen besides, as units that are dead. Of one
    whose training is not known, no more than that nothing else is seen."""
    moved = diagnosis.symptoms.moved[member]
    gradient = f"its gradient is {_relative_gradient(diagnosis, member)}"
    besides = _besides(diagnosis, member)
    if np.isnan(moved):
        seen = f"It is seen that {besides}" if besides else "Nothing is seen to be wrong with it"
        return f"{seen}, and {gradient}: it may be on its way, and need more steps."
    way = f"no layer's weights have moved by more than {100 * moved:.2g} % of their size, and " if moved < 1 else ""
    so_far = f"though {besides}" if besides else "and nothing is seen to be wrong with it"
    return f"It is on its way, {so_far}: {way}{gradient}. It needs more steps, or larger ones."


def _besides(diagnosis: "Diagnosis", member: int) -> str:
    """What is to be seen of a network that is on its way, and may pass or not."""
    symptoms, task = diagnosis.symptoms, diagnosis.task
    lacking = int((symptoms.part_scores[member] < diagnosis.dead_recall).sum())
    seen = []
    if symptoms.constant_answer[member] == 1:
        seen.append("it gives nearly every example one answer so far")
    elif lacking:
        seen.append(f"hardly anything is learned yet of {lacking} of {task.parts} {task.parts_word}")
    if symptoms.straight[member] == 1:
        seen.append("every hidden unit is a straight line on all examples so far")
    if symptoms.fewest_alive[member] < ALIVE:
        seen.append(_flat_units(diagnosis, member))
    return " and ".join(seen)


def none(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network with no cause."""
    return "Nothing wrong is seen with it."


def targets_out_of_range(diagnosis: "Diagnosis", member: int) -> str:
    """Of networks that are asked for what their outputs cannot answer."""
    least, greatest = diagnosis.network.head.bounded
    share = 100 * diagnosis.symptoms.outside[member]
    return (
        f"The outputs go from {least:g} to {greatest:g}, and {share:.0f} % of the targets lie outside: no network with"
        " such outputs can answer them."
    )


def outputs_dead(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network some of whose outputs answer nothing for good."""
    dead, outputs = int(diagnosis.symptoms.outputs_dead[member]), diagnosis.network.sizes[-1]
    return (
        f"{dead} of {outputs} outputs are dead: wherever they are wrong they answer 0 with a slope of 0, so that no"
        " error comes back from them, and they stay so."
    )


def vanishing_gradient(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network whose first layers hear nothing of the cost: the gradient by layer."""
    norms = diagnosis.symptoms.gradient[member]
    shares = ", ".join(f"{norm / norms[-1]:.0e}" if norms[-1] else "0" for norm in norms)
    return (
        f"The gradient vanishes on its way back through {len(norms)} layers: by layer it is {shares} of the last one's,"
        f" and {_relative_gradient(diagnosis, member)} in all."
    )


def small_weights(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network that has not left the place next to 0 where it was drawn."""
    symptoms = diagnosis.symptoms
    return (
        "The weights were drawn so small that all hidden units start all but alike, next to 0: their pre-activations"
        f" had a standard deviation of {symptoms.spread_at_start[member]:.1e} over the examples at the start, and have"
        f" one of {symptoms.spread[member]:.1e} now. It sits on the plateau around zero, where a network is a constant."
    )


def units_flat(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network that has not learned with the units that are left: how many of a layer's are flat, since when."""
    symptoms = diagnosis.symptoms
    at_ends = symptoms.flat_high[member] + symptoms.flat_low[member] == symptoms.flat_units[member]
    alike = "answer nearly every example alike and " if at_ends else ""
    return (
        f"{_flat_units(diagnosis, member)}: they {alike}get hardly a gradient, and the others have not done it alone."
    )


def straight_line(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network that is linear on all examples: what a linear model scores."""
    score = diagnosis.task.score_in_words(diagnosis.straight_score)
    return (
        "It has learned a straight line and nothing else: every hidden unit is a straight line on all examples. A"
        f" linear model by least squares, of at most {FITTED} of them, has {score}."
    )


def dead_examples(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network at rest that has not learned all of its training set."""
    score = diagnosis.task.score_in_words(diagnosis.symptoms.score[member])
    return (
        f"It has come to rest with {score} on the training set: hardly a gradient is left"
        f" ({_relative_gradient(diagnosis, member)}) to bring the rest."
    )


def unsteady(diagnosis: "Diagnosis", member: int) -> str:
    """Of a network whose steps raise the cost where it is now."""
    factor = diagnosis.symptoms.next_step[member]
    times = f"multiplies the cost by {factor:.3g}" if np.isfinite(factor) else "makes the cost infinite"
    return f"The steps are too large to come to rest: one more, along the whole gradient, {times}."


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


def _cost_gradient(diagnosis: "Diagnosis", member: int) -> float:
    """The norm of the cost's gradient, the weight decay's left out."""
    return float(np.linalg.norm(diagnosis.symptoms.gradient[member]))


def _is_negligible(diagnosis: "Diagnosis", member: int) -> bool:
    """Whether hardly a gradient of the cost is left."""
    return _cost_gradient(diagnosis, member) <= NEGLIGIBLE * diagnosis.reference.gradient


def _relative_gradient(diagnosis: "Diagnosis", member: int) -> str:
    """The norm of the cost's gradient, in words: `1.3 % of a fresh network's`."""
    return of_a_fresh_one(diagnosis, _cost_gradient(diagnosis, member))


def of_a_fresh_one(diagnosis: "Diagnosis", norm: float) -> str:
    """A gradient's norm beside that of a fresh network, in words."""
    return _of_fresh(norm / diagnosis.reference.gradient)


def _of_fresh(share: float) -> str:
    """A share of what a fresh network has, in percent, or, where it is many, in times."""
    return f"{100 * share:.1f} % of a fresh network's" if share < MANY else f"{share:.3g} times a fresh network's"


def _pinned_outputs(diagnosis: "Diagnosis", member: int) -> int:
    """How many outputs are held by their pins, see `Output.pinned_outputs`."""
    symptoms, head = diagnosis.symptoms, diagnosis.network.head
    return int(head.pinned_outputs(symptoms.outputs_high[member], symptoms.outputs_low[member]))


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
