"""What simple theory expects of a way of drawing weights, before anything is trained."""

import numpy as np
from scipy.stats import norm

from initodds.datasets import Dataset

Array = np.ndarray

# |z| beyond which a logistic unit counts as saturated: where its slope falls below 4 % of the steepest.
SATURATION = 2 * np.arctanh(np.sqrt(1 - 0.04))


def predict_boundary(dataset: Dataset, half_width: float | Array, hidden: int = 30) -> Array:
    """The centre of U[centre - half_width, centre + half_width] above which simple theory has every hidden unit
    saturated on a typical example before the first step.

    The pre-activation of a unit for the example x is centre * (1 + sum x) on average over units, with the standard
    deviation half_width * sqrt((1 + sum x^2) / 3). The luckiest of `hidden` units lies so many standard deviations
    below as the least of so many normal numbers is expected to (Blom 1958), and is saturated once even it is past
    |z| = `SATURATION`. sum x and sum x^2 are the training examples' means.
    """
    x = dataset.train.x.astype(float)
    mean, spread = 1 + x.sum(axis=1).mean(), np.sqrt((1 + (x**2).sum(axis=1).mean()) / 3)
    luckiest = norm.ppf((hidden - 0.375) / (hidden + 0.25))
    return (SATURATION + luckiest * np.asarray(half_width, float) * spread) / mean
