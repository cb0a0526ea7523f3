"""How the examples are prepared for a network: scaled, inverted, made their own targets."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from initodds.datasets.dataset import Array, Dataset, Split
from initodds.vocabulary import InputError

Scale = Literal["unit", "raw", "standardize", "minmax"]
TargetScale = Literal["raw", "standardize"]


@lru_cache(maxsize=2)
def prepare(
    dataset: Dataset,
    invert: bool = False,
    standardize: bool = False,
    scale: Scale = "unit",
    scale_targets: TargetScale = "raw",
    autoencode: bool = False,
) -> Dataset:
    """The data set with its x inverted, scaled and standardized, in this order, and then its targets.

    invert: 1 - x.
    scale: unit as the set has it, pixels from 0 to 1; raw as it is stored, pixels from 0 to 255; standardize each
        feature to mean 0 and standard deviation 1 over the training examples (a feature that is constant there is only
        centred); minmax each feature to 0 to 1 over the training examples (a constant one to 0).
    standardize: the same as scale standardize.
    scale_targets: of a regression; raw as they are, or standardize each column over the training examples.
    autoencode: the prepared x is its own target, a regression; scale_targets is then as nothing.

    The last two that were prepared are kept. Raises InputError for a scale that there is not.

    >>> from initodds.datasets import digits
    >>> float(digits().train.x.max()), float(prepare(digits(), scale="raw").train.x.max())
    (1.0, 16.0)
    """
    for key, value, accepted in (("scale", scale, Scale), ("scale_targets", scale_targets, TargetScale)):
        if value not in get_args(accepted):
            raise InputError(f"data.{key}={value}: one of {', '.join(get_args(accepted))}")
    if invert:
        dataset = _map_x(dataset, lambda x: 1 - x)
    if scale == "raw" and dataset.full_scale != 1:
        full_scale = np.float32(dataset.full_scale)
        dataset = _map_x(dataset, lambda x: x * full_scale)
    if scale == "minmax":
        dataset = _map_x(dataset, _minmax(dataset.train.x))
    if standardize or scale == "standardize":
        dataset = _map_x(dataset, _standardizing(dataset.train.x))
    if autoencode:
        return replace(_map(dataset, lambda split: Split(split.x, split.x)), task="regression", output_names=())
    if scale_targets == "standardize" and dataset.task == "regression":
        scaled = _standardizing(dataset.train.y)
        return _map(dataset, lambda split: Split(split.x, scaled(split.y).astype(np.float32)))
    return dataset


def _minmax(x: Array) -> Callable[[Array], Array]:
    """The function that takes each column of `x` to the range from 0 to 1."""
    low, high = x.min(axis=0), x.max(axis=0)
    width = np.where(high > low, high - low, 1)
    return lambda x: (x - low) / width


def _standardizing(x: Array) -> Callable[[Array], Array]:
    """The function that takes each column of `x` to mean 0 and standard deviation 1; a column that is constant, as far
    as can be told, it only centres.

    By the corrected two-pass algorithm (Chan, Golub and LeVeque 1983), and bit for bit what scikit-learn's
    StandardScaler gives, which takes a second to import.
    """
    n, rest = len(x), x.astype(np.float64)
    mean = rest.sum(axis=0) / n
    rest -= mean
    correction = rest.sum(axis=0) ** 2 / n
    rest *= rest
    variance = (rest.sum(axis=0) - correction) / n
    epsilon = np.finfo(np.float64).eps
    constant = variance <= n * epsilon * variance + (n * mean * epsilon) ** 2
    deviation = np.where(constant, 1.0, np.sqrt(variance))
    return lambda x: (x - mean.astype(x.dtype)) / deviation.astype(x.dtype)


def _map_x(dataset: Dataset, function: Callable[[Array], Array]) -> Dataset:
    """The data set with `function` applied to x, (examples, features) to the same shape, of both splits."""
    return _map(dataset, lambda split: replace(split, x=function(split.x).astype(np.float32, copy=False)))


def _map(dataset: Dataset, function: Callable[[Split], Split]) -> Dataset:
    """The data set with `function` applied to both splits; where they are one, they stay so."""
    train = function(dataset.train)
    return replace(dataset, train=train, test=train if dataset.test is dataset.train else function(dataset.test))
