"""A diagnosis in plain words. What is said of gradients, outputs and units is what was measured, whatever the cost."""

from initodds.datasets.tasks import NEARLY_ALL
from initodds.verdicts.causes import BY_NAME
from initodds.verdicts.diagnosis import Diagnosis
from initodds.verdicts.phrases import of_a_fresh_one
from initodds.verdicts.symptoms import NEGLIGIBLE


def explain(diagnosis: Diagnosis, member: int) -> str:
    """What is wrong with the network at place `member` of a diagnosis, and what kind of point it sits on, in a few
    sentences."""
    sentences = (BY_NAME[str(diagnosis.cause[member])].words(diagnosis, member), _point(diagnosis, member))
    return " ".join(sentence for sentence in sentences if sentence)


def _point(diagnosis: Diagnosis, member: int) -> str:
    """The kind of point, with the numbers that it is told by; empty where it was not asked for."""
    spectrum = diagnosis.spectrum
    ends = f"least eigenvalue {spectrum.least[member]:.1e}, greatest {spectrum.greatest[member]:.1e}"
    match str(diagnosis.point[member]):
        case "flat":
            if diagnosis.symptoms.score[member] == 1:  # all that it was trained on is right, and little cost left
                return "It is flat there: gradient and curvature vanish."
            return "It is a flat plateau, not a local minimum: gradient and curvature vanish."
        case "saddle":
            return f"It is a saddle, not a local minimum: along one direction the cost curves down ({ends})."
        case "minimum":
            kind = "a degenerate minimum" if diagnosis.degenerate[member] else "a minimum"
            flat = f"{100 * spectrum.near_zero[member]:.1f} % of its directions are flat"
            return (
                f"It is {kind}, as far as the curvature tells: no direction clearly curves down ({ends}), and {flat}."
            )
        case "not_stationary":
            share = of_a_fresh_one(diagnosis, diagnosis.symptoms.gradient_norm[member])
            if diagnosis.symptoms.gradient_norm[member] <= NEGLIGIBLE * diagnosis.reference.gradient:
                return "It is no resting point, and so no local minimum: steps still take the cost down."
            rest = ", nearly all of it by the output layer" if _by_outputs(diagnosis, member) else ""
            return f"It is no resting point, and so no local minimum: its gradient is {share}{rest}."
    return ""


def _by_outputs(diagnosis: Diagnosis, member: int) -> bool:
    """Whether nearly all of the gradient is by the output layer's weights and biases, where there are other layers."""
    by_layer = diagnosis.symptoms.gradient[member]
    return bool(len(by_layer) > 1 and by_layer[-1] ** 2 > NEARLY_ALL * diagnosis.symptoms.gradient_norm[member] ** 2)


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
