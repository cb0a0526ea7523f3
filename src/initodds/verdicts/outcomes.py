"""What became of each replicate: a `History` in, one outcome a replicate out."""

from dataclasses import dataclass

import numpy as np

from initodds.training.history import History

Array = np.ndarray


@dataclass(frozen=True)
class Rule:
    """How an outcome is told.

    target: score on the test set, up to 1, from which a network counts as converged.
    dead_recall: a part of the task whose score is under this is dead: a class recognised in under this share of its
        test examples, an output of under this R^2.
    standard_errors: how many standard errors of a normal distribution a score has to be above what one answer to every
        example scores, to be told from that: 0 where the test set is no sample, but all that there is.
    every_example: whether a network that has an example wrong lacks a part.
    """

    target: float
    dead_recall: float = 0.05
    standard_errors: float = 3.0
    every_example: bool = False


@dataclass(frozen=True, eq=False)
class Judgement:
    """The outcome of each of R replicates, and what goes with it.

    outcome: (R,) str, one of `OUTCOMES`.  steps_to_target: (R,) float, the first checkpoint's step at which the
    score reached the target, NaN if it never did (censored at the last step).  dead_parts: (R,) int.
    """

    outcome: Array
    steps_to_target: Array
    dead_parts: Array


def judge(history: History, chance_level: float, rule: Rule, stuck_cost: float = 0.0) -> Judgement:
    """Give each replicate its outcome, by `outcomes_of` its last checkpoint, and what goes with it."""
    last = history.score[-1], history.cost[-1], history.part_scores[-1]
    outcome = outcomes_of(*last, history.finite, chance_level, rule, stuck_cost)
    dead_parts = (history.part_scores[-1] < rule.dead_recall).sum(axis=1)
    reached = history.score >= rule.target
    first = history.steps[reached.argmax(axis=0)].astype(float)
    return Judgement(outcome, np.where(reached.any(axis=0), first, np.nan), dead_parts)


def outcomes_of(
    score: Array,
    cost: Array,
    part_scores: Array,
    finite: Array,
    chance_level: float,
    rule: Rule,
    stuck_cost: float = 0.0,
) -> Array:
    """(R,) str: the outcome of each of R networks, the first of these that holds.

    diverged: a weight or the cost is not finite.
    stuck: the score is at most `chance_level`, and under the target, and the cost is not under `stuck_cost`.
    partial: at least one part of the task is dead, or an example is wrong where every example is a part.
    converged: the score is at or over the target.
    unfinished: the rest.

    score, cost: (R,), and part_scores (R, parts), on the test set, as a `Checkpoint` has them.  finite: (R,) bool,
        whether all weights are.
    chance_level: that of the task on the test set, see `Task.chance_level`.
    stuck_cost: 0 where the test set is a sample. Where it is all that there is, nearly the cost of the best constant
        answer: of a network that has learned two of XOR's examples and answers one half to the others, the score alone
        may say that it has learned nothing.
    """
    return np.select(
        [
            ~(finite & np.isfinite(cost)),
            (score <= chance_level) & (score < rule.target) & ~(cost < stuck_cost),
            (part_scores < rule.dead_recall).any(axis=1) | (rule.every_example & (score < 1)),
            score >= rule.target,
        ],
        ["diverged", "stuck", "partial", "converged"],
        default="unfinished",
    )


def among(outcome: Array, which: str) -> Array:
    """(R,) bool: whether each outcome is among `which`: none, stuck, failed (did not converge) or all."""
    return {
        "none": np.zeros(len(outcome), bool),
        "stuck": outcome == "stuck",
        "failed": outcome != "converged",
        "all": np.ones(len(outcome), bool),
    }[which]
