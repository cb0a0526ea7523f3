"""Tasks against scikit-learn, simulation and what is plain."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from initodds.datasets.tasks import Classification, Regression
from initodds.vocabulary import InputError


def test_r_squared_is_scikit_learns(rng: np.random.Generator):
    y, outputs = rng.normal(size=(50, 3)).astype(np.float32), rng.normal(size=(4, 50, 3))
    task = Regression(3)
    tally = task.tally(outputs[:, :20], y[:20]) + task.tally(outputs[:, 20:], y[20:])
    score, parts = task.scores(tally, y)
    for r in range(4):
        np.testing.assert_allclose(parts[r], r2_score(y, outputs[r], multioutput="raw_values"), rtol=1e-6)
        errors, spread = ((outputs[r] - y) ** 2).sum(), ((y - y.mean(axis=0)) ** 2).sum()
        assert score[r] == pytest.approx(1 - errors / spread, rel=1e-5)


def test_a_column_that_is_always_0_is_no_part_and_one_that_is_constant_is_measured_against_0():
    y = np.array([[0, 2, 1], [0, 2, 3]], np.float32)
    task = Regression(3)
    outputs = np.array([[[0, 2, 1], [0, 2, 3]], [[0.1, 0, 2], [0.1, 0, 2]]], float)
    score, parts = task.scores(task.tally(outputs, y), y)
    np.testing.assert_allclose(parts, [[np.nan, 1, 1], [np.nan, 0, 0]])
    assert score[0] == 1
    assert task.is_constant(outputs, y).tolist() == [False, True]
    nothing = np.zeros((2, 1), np.float32)
    assert Regression(1).scores(np.array([[0.0], [1.0]]), nothing)[0].tolist() == [1, 0]


@pytest.mark.parametrize("errors", [2.0, 3.0])
def test_answers_that_have_nothing_to_do_with_y_seldom_pass_the_chance_level(errors: float, rng: np.random.Generator):
    # The best R^2 that noise can have: after the least squares fit, where the slope is not negative.
    y = rng.normal(size=(200_000, 20))
    noise = rng.normal(size=20) - 0.0
    centred = y - y.mean(axis=1, keepdims=True)
    correlation = centred @ (noise - noise.mean()) / np.linalg.norm(centred, axis=1) / np.std(noise) / np.sqrt(20)
    level = Regression(1).chance_level(y[0][:, None], errors)
    passed = ((correlation > 0) & (correlation**2 > level)).mean()
    assert passed == pytest.approx({2.0: 0.02275, 3.0: 0.00135}[errors], rel=0.15)


def test_one_output_for_two_classes():
    task = Classification(classes=2, outputs=1, values=(-1.0, 1.0))
    outputs = np.array([[[-0.5], [0.1], [0.0]]])
    assert task.named(outputs).tolist() == [[0, 1, 0]]
    assert task.scores(task.tally(outputs, np.array([0, 1, 1])), np.array([0, 1, 1]))[0][0] == pytest.approx(2 / 3)
    assert task.targets(np.array([0, 1])).tolist() == [[-1.0], [1.0]]


def test_outputs_and_targets_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"network\.outputs=1: 10, one for each class"):
        Classification(classes=10, outputs=1)
    with pytest.raises(InputError, match=r"network\.targets=\[1.0, 0.0\]"):
        Classification(classes=2, outputs=2, values=(1.0, 0.0))


def test_outputs_that_are_the_same_are_one_answer_whichever_is_largest_by_a_hair():
    y = np.array([0, 1, 1, 0])
    one, two = Classification(classes=2, outputs=1), Classification(classes=2, outputs=2)
    half = np.array([0.4999, 0.5001, 0.4999, 0.5001])[None, :, None]
    learned = np.array([0.01, 0.99, 0.4999, 0.5001])[None, :, None]
    assert one.is_constant(np.concatenate([half, learned]), y).tolist() == [True, False]
    both = np.concatenate([half, learned])
    assert two.is_constant(np.concatenate([both, 1 - both], axis=2), y).tolist() == [True, False]


def test_one_class_for_all_is_one_answer_however_sure():
    y = np.arange(200) % 2
    outputs = np.linspace(0.6, 1, 200)[None, :, None]
    assert Classification(classes=2, outputs=1).is_constant(outputs, y).tolist() == [True]


def test_an_output_that_should_be_the_same_says_nothing():
    """One example alone, or a column of an autoencoder that does not vary."""
    assert Regression(4).is_constant(np.zeros((1, 1, 4)), np.array([[0.1, 0.3, 0.7, 0.2]])).tolist() == [False]
    y = np.column_stack([np.ones(5), np.arange(5.0)])
    learned = np.column_stack([np.ones(5), np.arange(5.0) + 0.1])
    constant = np.column_stack([np.arange(5.0), np.full(5, 2.0)])
    assert Regression(2).is_constant(np.stack([learned, constant]), y).tolist() == [False, True]
