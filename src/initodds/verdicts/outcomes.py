"""What became of each replicate: a `History` in, one outcome a replicate out."""

from dataclasses import dataclass

import numpy as np

from initodds.training.loop import History

Array = np.ndarray


@dataclass(frozen=True)
class Rule:
    """How an outcome is told.

    target: accuracy on the test set, in (0, 1], from which a network counts as converged.
    dead_recall: a class recognised in under this share of its test examples is dead.
    standard_errors: how far above the largest class's share, in binomial standard errors, an accuracy has to be to be
        told from always naming one class.
    """

    target: float
    dead_recall: float = 0.05
    standard_errors: float = 3.0


@dataclass(frozen=True, eq=False)
class Judgement:
    """The outcome of each of R replicates, and what goes with it.

    outcome: (R,) str, one of `OUTCOMES`.  steps_to_target: (R,) float, the first checkpoint's step at which the
    accuracy reached the target, NaN if it never did (censored at the last step).  dead_classes: (R,) int.
    """

    outcome: Array
    steps_to_target: Array
    dead_classes: Array


def judge(history: History, labels: Array, rule: Rule) -> Judgement:
    """Give each replicate its outcome, the first of these that holds at the last checkpoint.

    diverged: a weight or the cost is not finite.
    stuck: the accuracy is at most `chance_level`.
    partial: at least one class is dead.
    converged: the accuracy is at or over the target.
    unfinished: the rest.

    `labels` (examples,) are the test set's, on which the history was taken.
    """
    accuracy, cost, recall = history.accuracy[-1], history.cost[-1], history.recall[-1]
    dead_classes = (recall < rule.dead_recall).sum(axis=1)
    outcome = np.select(
        [
            ~(history.finite & np.isfinite(cost)),
            accuracy <= chance_level(labels, rule.standard_errors),
            dead_classes > 0,
            accuracy >= rule.target,
        ],
        ["diverged", "stuck", "partial", "converged"],
        default="unfinished",
    )
    reached = history.accuracy >= rule.target
    first = history.steps[reached.argmax(axis=0)].astype(float)
    return Judgement(outcome, np.where(reached.any(axis=0), first, np.nan), dead_classes)


def among(outcome: Array, which: str) -> Array:
    """(R,) bool: whether each outcome is among `which`: none, stuck, failed (did not converge) or all."""
    return {
        "none": np.zeros(len(outcome), bool),
        "stuck": outcome == "stuck",
        "failed": outcome != "converged",
        "all": np.ones(len(outcome), bool),
    }[which]


def chance_level(labels: Array, standard_errors: float) -> float:
    """The highest accuracy on `labels` (examples,) that cannot be told from always naming the largest class:
    its share p, plus so many binomial standard errors sqrt(p (1 - p) / examples)."""
    share = np.bincount(labels).max() / len(labels)
    return float(share + standard_errors * np.sqrt(share * (1 - share) / len(labels)))


def best_constant_cost(labels: Array, cost: str) -> float:
    """The least cost on `labels` (examples,) that outputs can have that are the same for every example.

    They are the class shares p then. Quadratic: 1/2 sum p (1 - p), which is 0.45 for ten equal classes;
    cross-entropy: sum of -p ln p - (1 - p) ln(1 - p).
    """
    share = np.bincount(labels) / len(labels)
    share = share[share > 0]
    if cost == "quadratic":
        return float(0.5 * (share * (1 - share)).sum())
    return float(-(share * np.log(share) + (1 - share) * np.log1p(-share)).sum())
