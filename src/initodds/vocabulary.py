"""The words that are the same everywhere: what becomes of a network, why, and what a user's own input raises.

Imports nothing, so that everything may import it.
"""

OUTCOMES = ("converged", "unfinished", "partial", "stuck", "diverged")
"""Every outcome, from best to worst: see `initodds.verdicts.outcomes`."""

CAUSES = (
    "exploded",
    "targets_out_of_range",
    "symmetric",
    "step_too_large",
    "hidden_dead",
    "hidden_saturated",
    "outputs_dead",
    "outputs_saturated",
    "vanishing_gradient",
    "small_weights",
    "too_few_steps",
    "straight_line",
    "units_dead",
    "constant_prediction",
    "unsteady",
    "dead_classes",
    "units_saturated",
    "dead_examples",
    "none",
)
"""Every cause, in the order in which they are asked for: see `initodds.verdicts.causes`."""

POINTS = ("flat", "saddle", "minimum", "not_stationary")
"""Every kind of point: see `initodds.verdicts.diagnosis.points_of`. "" stands for one that was not looked at."""


SCORES = ("accuracy", "r_squared")
"""What the score of a task is called: see `initodds.datasets.tasks`."""


class InputError(ValueError):
    """A value that the user gave cannot be used.

    The message is one line that names the key, the value and what is accepted; the command shows it as it is.
    """


def one_line(error: BaseException) -> str:
    """The message of any error, as one line of single-spaced words; of a database, without the statement that failed.

    >>> one_line(ValueError("disk is full\\n[SQL: INSERT INTO ...]\\n(Background on this error at: https://...)"))
    'disk is full'
    """
    said = str(error).partition("[SQL: ")[0].partition("(Background on this error")[0]
    return " ".join(said.split()) or type(error).__name__
