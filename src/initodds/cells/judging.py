"""The outcome of a cell's networks, by the rule of its settings, on its test set."""

import numpy as np

from initodds.cells.settings import Settings
from initodds.cells.subject import Subject
from initodds.datasets.tasks import UNTOLD
from initodds.training.history import Checkpoint, History
from initodds.verdicts import outcomes
from initodds.verdicts.outcomes import Judgement

Array = np.ndarray


def judge(settings: Settings, subject: Subject, history: History) -> Judgement:
    """What became of networks that were trained, see `outcomes.judge`."""
    return outcomes.judge(history, *_standard(settings, subject))


def outcomes_of(settings: Settings, subject: Subject, seen: Checkpoint, finite: Array) -> Array:
    """(R,) str: the outcome of networks as they are seen on the test set, see `outcomes.outcomes_of`.

    finite: (R,) bool, whether all weights are.
    """
    return outcomes.outcomes_of(seen.score, seen.cost, seen.part_scores, finite, *_standard(settings, subject))


def _standard(settings: Settings, subject: Subject) -> tuple[float, outcomes.Rule, float]:
    """The chance level, the rule, and the cost under which a network has learned something, whatever its score."""
    rule = outcomes.Rule(**settings.outcome.model_dump())
    stuck_cost = 0.0 if subject.judged_on_sample else (1 - UNTOLD) * subject.best_constant_cost
    return chance_level_of(settings, subject), rule, stuck_cost


def chance_level_of(settings: Settings, subject: Subject) -> float:
    """The score up to which a network has learned nothing. What is judged on all that there is to learn, as XOR, is no
    sample of anything, so that any score over it is told from it."""
    return subject.task.chance_level(
        subject.data.test.y, settings.outcome.standard_errors if subject.judged_on_sample else 0.0
    )
