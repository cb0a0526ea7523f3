import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from initodds.datasets.tasks import Classification
from initodds.networks.outputs import output_of
from initodds.training.history import History
from initodds.verdicts.outcomes import Rule, judge
from initodds.vocabulary import OUTCOMES

RULE = Rule(target=0.85)
LABELS = np.repeat(np.arange(10), 100)
TASK = Classification(classes=10, outputs=10)
CHANCE = 0.129  # of 1,000 with a share of 0.1: P(at most 128) < 0.99865 <= P(at most 129)


def history_of(accuracy: list[float], recall: list[float], cost: float = 0.1, finite: bool = True) -> History:
    """One replicate's history with these accuracies at its checkpoints and these recalls at the end."""
    count = len(accuracy)
    zeros = np.zeros((count, 1))
    return History(
        steps=np.arange(count) * 10,
        score=np.array(accuracy)[:, None],
        cost=np.full((count, 1), cost),
        part_scores=np.tile(recall, (count, 1, 1)),
        hidden_saturated=zeros,
        outputs_high=zeros,
        outputs_low=zeros,
        finite=np.array([finite]),
        overflows=np.array([0]),
        layers=[[]],
    )


def outcome_of(*arguments, **keywords) -> str:
    return str(judge(history_of(*arguments, **keywords), CHANCE, RULE).outcome[0])


ALIVE, DEAD = [0.9] * 10, [0.9] * 9 + [0.049]


@pytest.mark.parametrize(
    ("history", "outcome"),
    [
        (([0.1, 0.85], ALIVE), "converged"),
        (([0.1, 0.8499], ALIVE), "unfinished"),
        (([0.1, 0.95], DEAD), "partial"),
        (([0.1, 0.3], DEAD), "partial"),
        (([0.1, 0.3], ALIVE), "unfinished"),
        (([0.9, CHANCE], DEAD), "stuck"),
        (([0.9, CHANCE + 1e-6], DEAD), "partial"),
        (([0.1, CHANCE], ALIVE), "stuck"),
        (([0.9, 0.9], ALIVE, math.nan), "diverged"),
        (([0.9, 0.9], ALIVE, math.inf), "diverged"),
        (([0.9, 0.9], ALIVE, 0.1, False), "diverged"),
        (([0.1, 0.1], DEAD, math.nan), "diverged"),
        (([0.1, 0.9], [0.9] * 9 + [0.05]), "converged"),
    ],
)
def test_each_border(history: tuple, outcome: str):
    assert outcome_of(*history) == outcome


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
    st.lists(st.floats(0, 1), min_size=10, max_size=10),
    st.sampled_from([0.1, math.nan]),
)
def test_every_history_has_exactly_one_outcome(accuracy: list[float], recall: list[float], cost: float):
    judgement = judge(history_of(accuracy, recall, cost), CHANCE, RULE)
    assert judgement.outcome[0] in OUTCOMES
    assert judgement.dead_parts[0] == sum(share < 0.05 for share in recall)


def test_steps_to_target_is_the_first_checkpoint_that_reached_it():
    assert judge(history_of([0.1, 0.85, 0.2, 0.9], ALIVE), CHANCE, RULE).steps_to_target[0] == 10
    assert np.isnan(judge(history_of([0.1, 0.84], ALIVE), CHANCE, RULE).steps_to_target[0])


def test_chance_is_seldom_exceeded_by_a_network_that_knows_nothing(rng: np.random.Generator):
    # A network that names classes at random is right in a binomial number of cases; three standard errors are exceeded
    # in 0.13 % of cases if it were normal.
    accuracy = rng.binomial(1000, 0.1, size=100_000) / 1000
    assert 0.0005 < (accuracy > TASK.chance_level(LABELS, 3)).mean() < 0.0016
    assert TASK.chance_level(LABELS, 3) == pytest.approx(CHANCE)
    assert Classification(classes=2, outputs=1).chance_level(np.array([0, 1, 1, 1]), 0) == 0.75


@pytest.mark.parametrize("examples", [4, 8])
def test_a_perfect_network_is_never_stuck_however_few_the_examples(examples: int):
    # The normal approximation of what a constant answer scores passes 1 for fewer than ten.
    few = Classification(classes=2, outputs=1)
    chance = few.chance_level(np.arange(examples) % 2, 3)
    rule = Rule(target=1.0)
    assert chance <= 1
    assert judge(history_of([0.5, 1.0], [1.0, 1.0]), chance, rule).outcome[0] == "converged"
    assert judge(history_of([0.5, 0.5], [1.0, 0.0]), chance, rule).outcome[0] == "stuck"


def test_where_every_example_is_a_part_one_that_is_wrong_is_lacking():
    rule = Rule(target=1.0, every_example=True)
    assert judge(history_of([0.5, 0.75], [1.0, 0.5]), 0.5, rule).outcome[0] == "partial"


def test_two_of_xors_examples_are_not_nothing():
    """Outputs 0.013, 0.985, 0.4997 and 0.5005, which the other two are wrong by: the cost tells them from one half."""
    rule, outputs = Rule(target=1.0, every_example=True), np.array([0.013, 0.985, 0.4997, 0.5005])
    cost = float(0.5 * ((outputs - [0, 1, 1, 0]) ** 2).mean())
    stuck_cost = 0.99 * 0.125
    assert judge(history_of([0.5, 0.5], [0.5, 0.5], cost), 0.5, rule, stuck_cost).outcome[0] == "partial"
    for plateau in (0.125, 0.1249995, 0.2):
        assert judge(history_of([0.5, 0.5], [0.5, 0.5], plateau), 0.5, rule, stuck_cost).outcome[0] == "stuck"


@pytest.mark.parametrize("cost", ["quadratic", "cross_entropy"])
def test_no_constant_is_better_than_the_best_constant(cost: str, rng: np.random.Generator):
    labels = rng.choice(4, size=200, p=[0.5, 0.3, 0.15, 0.05])
    targets = np.eye(4)[labels]

    def mean_cost(z: np.ndarray) -> float:
        a = expit(z)
        if cost == "quadratic":
            return 0.5 * ((a - targets) ** 2).sum(axis=1).mean()
        return -(targets * np.log(a) + (1 - targets) * np.log1p(-a)).sum(axis=1).mean()

    least = minimize(mean_cost, np.zeros(4), method="BFGS").fun
    assert output_of("logistic", cost).best_constant_cost(targets) == pytest.approx(least, rel=1e-6)


def test_ten_equal_classes_cost_0_45():
    assert output_of("logistic", "quadratic").best_constant_cost(TASK.targets(LABELS)) == pytest.approx(0.45)
