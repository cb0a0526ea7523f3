"""A diagnosis in plain words."""

import numpy as np

from initodds.training.loop import NEARLY_ALL
from initodds.verdicts.diagnosis import NEGLIGIBLE, Diagnosis


def explain(diagnosis: Diagnosis, at: int) -> str:
    """What is wrong with the network at place `at` of a diagnosis, and what kind of point it sits on, in a few
    sentences."""
    return " ".join(part for part in (cause_in_words(diagnosis, at), point_in_words(diagnosis, at)) if part)


def cause_in_words(diagnosis: Diagnosis, at: int) -> str:
    """What is wrong, told by what was seen."""
    hidden, classes = sum(diagnosis.network.sizes[1:-1]), diagnosis.network.sizes[-1]
    match str(diagnosis.cause[at]):
        case "exploded":
            return "A weight or bias is not a finite number: training has exploded, and nothing is left to be seen."
        case "symmetric":
            return (
                f"The {hidden} hidden units have the same weights, in and out: they get the same gradient, stay"
                " alike, and are worth one unit. They have to be drawn apart."
            )
        case "hidden_saturated":
            return hidden_saturated(diagnosis, at)
        case "outputs_saturated":
            return (
                f"All {classes} outputs are pinned, {pinned(diagnosis, at)}, whatever the image; where an output is"
                " flat no error comes back from it, and hardly a gradient is left."
            )
        case "constant_prediction":
            return (
                f"It names nearly every image a {diagnosis.symptoms.named[at].argmax()}, though neither its hidden"
                f" units nor its outputs are all saturated ({pinned(diagnosis, at)})."
            )
        case "dead_classes":
            return dead_classes(diagnosis, at)
        case "too_few_steps":
            return (
                f"Nothing is wrong with it: it is on its way, with a gradient of {relative_gradient(diagnosis, at)}."
                " It needs more steps, or larger ones."
            )
    return "Nothing wrong is seen with it."


def relative_gradient(diagnosis: Diagnosis, at: int) -> str:
    """The norm of the gradient, in words: `1.3 % of a fresh network's`."""
    share = diagnosis.symptoms.gradient_norm[at] / diagnosis.reference.gradient
    return f"{100 * share:.1f} % of a fresh network's"


def hidden_saturated(diagnosis: Diagnosis, at: int) -> str:
    """Of a network whose hidden layer passes no gradient: what its hidden units answer, and what that leaves."""
    symptoms, hidden = diagnosis.symptoms, sum(diagnosis.network.sizes[1:-1])
    saturated, high = (round(hidden * share[at]) for share in (symptoms.hidden_saturated, symptoms.hidden_high))
    low_end = "-1.000" if diagnosis.network.activation == "tanh" else "0.000"
    ends = [f"{count} answer {end}" for count, end in ((high, "1.000"), (saturated - high, low_end)) if count]
    if saturated == hidden and len(ends) == 1:
        what = f"All {hidden} hidden units answer {ends[0].split()[-1]} to nearly every image"
    else:
        what = f"{saturated} of {hidden} hidden units are saturated: {' and '.join(ends)} to nearly every image"
    zero, trained = symptoms.gradient_zero[at], symptoms.gradient_as_trained[at, 0]
    share = symptoms.gradient[at, 0] / diagnosis.reference.gradient
    rounded = " and exactly 0 as it is computed" if zero == 1 or trained == 0 else ""
    reach = f"hardly a gradient reaches the first layer ({share:.0e} of a fresh network's{rounded})"
    outputs = symptoms.outputs_high[at] + symptoms.outputs_low[at]
    if outputs >= diagnosis.network.sizes[-1]:
        rest = f"the outputs are pinned too, {pinned(diagnosis, at)}, and learn as little"
    else:
        rest = f"the {diagnosis.network.sizes[-1]} outputs can only learn the class shares"
    return f"{what}, so {reach}; {rest}."


def dead_classes(diagnosis: Diagnosis, at: int) -> str:
    """Of a network that does not know some classes: which, what their outputs do, and whether they may come yet."""
    symptoms = diagnosis.symptoms
    dead = np.flatnonzero(symptoms.recall[at] < diagnosis.dead_recall)
    names = " and ".join(f"{k} (to one of those its output {k} answers {symptoms.own_output[at, k]:.3f})" for k in dead)
    if symptoms.gradient_norm[at] > NEGLIGIBLE * diagnosis.reference.gradient:
        rest = f"A gradient of {relative_gradient(diagnosis, at)} is left, with which it may come yet"
    else:
        rest = f"Hardly a gradient is left to bring it ({relative_gradient(diagnosis, at)})"
    return f"It has learned the other classes, and hardly ever names {names}. {rest}."


def pinned(diagnosis: Diagnosis, at: int) -> str:
    """How many outputs are pinned: `10 at 1 and 0 at 0`."""
    high, low = (int(count[at]) for count in (diagnosis.symptoms.outputs_high, diagnosis.symptoms.outputs_low))
    return f"{high} at 1 and {low} at 0"


def point_in_words(diagnosis: Diagnosis, at: int) -> str:
    """The kind of point, with the numbers that it is told by; empty where it was not asked for."""
    spectrum = diagnosis.spectrum
    ends = f"least eigenvalue {spectrum.least[at]:.1e}, greatest {spectrum.greatest[at]:.1e}"
    match str(diagnosis.point[at]):
        case "flat":
            return "It is a flat plateau, not a local minimum: gradient and curvature vanish."
        case "saddle":
            return f"It is a saddle, not a local minimum: along one direction the cost curves down ({ends})."
        case "minimum":
            kind = "a degenerate minimum" if diagnosis.degenerate[at] else "a minimum"
            flat = f"{100 * spectrum.near_zero[at]:.1f} % of its directions are flat"
            return f"It is {kind}, as far as the curvature tells: no direction curves down ({ends}), and {flat}."
        case "not_stationary":
            share = relative_gradient(diagnosis, at)
            rest = ", nearly all of it by the output layer" if by_outputs(diagnosis, at) else ""
            return f"It is no resting point, and so no local minimum: its gradient is {share}{rest}."
    return ""


def by_outputs(diagnosis: Diagnosis, at: int) -> bool:
    """Whether nearly all of the gradient is by the output layer's weights and biases."""
    by_layer = diagnosis.symptoms.gradient[at]
    return bool(by_layer[-1] ** 2 >= NEARLY_ALL * (by_layer**2).sum())


def summarize(diagnosis: Diagnosis) -> str:
    """What became of all networks of a diagnosis, as Markdown: of each cause and kind of point how many, and the words
    for one of them."""
    pairs = [(str(cause), str(point)) for cause, point in zip(diagnosis.cause, diagnosis.point, strict=True)]
    lines = []
    for pair in sorted(set(pairs), key=pairs.count, reverse=True):
        cause, point = pair
        members = [at for at, found in enumerate(pairs) if found == pair]
        kind = f"{cause}, {point}" if point else cause
        lines.append(
            f"- {len(members)} of {len(pairs)}: **{kind}**. Replicate {diagnosis.replicates[members[0]]}:"
            f" {explain(diagnosis, members[0])}"
        )
    return "\n".join(lines)
