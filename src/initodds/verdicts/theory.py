"""What simple theory expects of a way of drawing weights, before anything is trained."""

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from initodds.datasets import Dataset
from initodds.networks.activations import ACTIVATIONS, FLAT_SLOPE, Activation, activation_of
from initodds.vocabulary import InputError

Array = np.ndarray

FAR = 100.0
"""Beyond this pre-activation a unit is flat, if it is flat at its upper end at all."""


def predict_boundary(
    dataset: Dataset, half_width: float | Array, hidden: int = 30, activation: Activation | str = "logistic"
) -> Array:
    """The centre of U[centre - half_width, centre + half_width] above which simple theory has every hidden unit of one
    layer flat at its upper end on a typical example before the first step.

    The pre-activation of a unit for the example x is centre * (1 + sum x) on average over units, with the standard
    deviation half_width * sqrt((1 + sum x^2) / 3). The luckiest of `hidden` units lies so many standard deviations
    below as the least of so many normal numbers is expected to (Blom 1958), and is flat once even it is past
    `saturates_at`. sum x and sum x^2 are the training examples' means. What the units answer does not enter, so that
    this is so for every activation that has an upper end. How far beyond it training still gets a network out is not in
    it, and is further with tanh units: see experiments/02-phase-diagram.

    Raises InputError for a name that is no activation's, and for one that is not flat however large z is.
    """
    x = dataset.train.x.astype(float)
    mean, spread = 1 + x.sum(axis=1).mean(), np.sqrt((1 + (x**2).sum(axis=1).mean()) / 3)
    luckiest = norm.ppf((hidden - 0.375) / (hidden + 0.25))
    return (saturates_at(activation) + luckiest * np.asarray(half_width, float) * spread) / mean


def saturates_at(activation: Activation | str) -> float:
    """The pre-activation above which a unit is flat, see `FLAT_SLOPE`. Raises as `predict_boundary`.

    >>> round(saturates_at("logistic"), 4), round(saturates_at("tanh"), 4)
    (4.5849, 2.2924)
    """
    unit = activation_of(activation) if isinstance(activation, str) else activation
    if unit.ends[1] is None:
        known = ", ".join(name for name, entry in ACTIVATIONS.items() if entry.ends[1] is not None)
        name = unit.name or type(unit).__name__
        raise InputError(f"activation={name}: is not flat for any large z, so that theory has no edge; one of {known}")
    steep: float = brentq(lambda z: float(unit.slope(np.array(z))) - FLAT_SLOPE * unit.steepest, 0, FAR)
    return steep
