import numpy as np

from initodds.datasets.tasks import Classification, Regression


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
