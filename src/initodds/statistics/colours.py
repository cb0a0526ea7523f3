"""The colour of each outcome, the same everywhere. Loads nothing that draws."""

from initodds.vocabulary import OUTCOMES

# Okabe and Ito's colours, told apart with any kind of colour vision, and by their lightness in print.
COLOURS = dict(zip(OUTCOMES, ("#009E73", "#56B4E9", "#E69F00", "#D55E00", "#000000"), strict=True))

LOWEST_SHOWN = {"accuracy": 0.0, "r_squared": -0.2}
"""Where the axis of a score begins: an R^2 far under 0 would leave no room for the others."""


def highest_shown(first: float, last: float) -> float:
    """The cost up to which an axis shows each: ten times what half of the networks begin with, or end with, whichever
    is more. What is out of all proportion to that would flatten all others."""
    return 10 * max(first, last)
