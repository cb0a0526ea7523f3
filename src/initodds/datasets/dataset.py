"""A data set: examples to learn from, examples to be judged on, and what kind of answer they ask for."""

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from initodds.vocabulary import InputError

Array = np.ndarray[Any, Any]
Task = Literal["classification", "regression"]


@dataclass(frozen=True, eq=False)
class Split:
    """Examples: `x` (examples, features) float32, one a row; `y` what is to be answered to each: (examples,) int64, its
    class, or for a regression (examples, outputs) float32."""

    x: Array
    y: Array

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split; where there is nothing but the training set to be judged on, `test` is `train`.

    task: classification, over the classes 0 .. classes - 1, or regression.
    output_names: of the classes, or of a regression's columns, in their order; () where they are numbers only.
    full_scale: the number, as the set is stored, that stands as 1 in x: 255 for pixels of 8 bits.
    """

    name: str
    train: Split
    test: Split
    task: Task = "classification"
    output_names: tuple[str, ...] = ()
    full_scale: float = 1.0

    @cached_property
    def classes(self) -> int:
        """Number of classes. Raises ValueError for a regression, which has none."""
        if self.task != "classification":
            raise ValueError(f"{self.name} is a {self.task} and has no classes")
        return int(self.train.y.max()) + 1

    @property
    def outputs(self) -> int:
        """How many numbers an answer has: the classes, or a regression's columns."""
        return self.classes if self.task == "classification" else int(self.train.y.shape[1])

    @property
    def features(self) -> int:
        """Numbers in an example: the pixels of an image, the columns of a table."""
        return int(self.train.x.shape[1])

    @cached_property
    def sha256(self) -> str:
        """SHA-256, in hex, of both splits as they are here: what identifies the data of a result."""
        digest = hashlib.sha256()
        for split in (self.train, self.test):
            digest.update(np.ascontiguousarray(split.x).data)
            digest.update(np.ascontiguousarray(split.y).data)
        return digest.hexdigest()


def split_examples(
    name: str,
    x: Array,
    y: Array,
    test_share: float,
    seed: int,
    task: Task = "classification",
    output_names: tuple[str, ...] = (),
) -> Dataset:
    """The data set of these examples, of which a share is drawn to be the test split, of each class alike.

    x (examples, features) is made float32, y as `Split` has it; each split keeps their order. test_share: from 0, where
    the training set is what is judged, to under 1; of each class at least one example goes to either split. seed: of
    the draw, a whole number of at least 0.

    Raises InputError where a value is not accepted, or a class has one example only and cannot be in both splits.

    >>> data = split_examples("signs", np.arange(10.0)[:, None], np.arange(10) // 5, test_share=0.4, seed=0)
    >>> len(data.train), np.bincount(data.test.y).tolist()
    (6, [2, 2])
    """
    require_number(test_share=test_share)
    require_whole(0, seed=seed)
    if not 0 <= test_share < 1:
        raise InputError(f"data.test_share={test_share}: from 0, where the training set is judged, to under 1")
    x = np.ascontiguousarray(x, np.float32)
    y = y.astype(np.int64 if task == "classification" else np.float32, copy=False)
    if test_share == 0:
        everything = Split(x, y)
        return Dataset(name, everything, everything, task, output_names)
    rng, is_test = np.random.default_rng(seed), np.zeros(len(y), bool)
    for members in _groups(y, task):
        if len(members) < 2:
            label = int(y[members[0]]) if task == "classification" else 0
            which = f"class {output_names[label] if output_names else label} of " if task == "classification" else ""
            why = "has one example only, which cannot be in both splits; 0 judges the training set"
            raise InputError(f"data.test_share={test_share}: {which}{name} {why}")
        count = min(max(round(test_share * len(members)), 1), len(members) - 1)
        is_test[rng.permutation(members)[:count]] = True
    train, test = Split(x[~is_test], y[~is_test]), Split(x[is_test], y[is_test])
    return Dataset(name, train, test, task, output_names)


def _groups(y: Array, task: Task) -> list[Array]:
    """The places of the examples that are to be split alike: those of each class."""
    if task == "regression":
        return [np.arange(len(y))]
    sizes = np.bincount(y)
    by_class = np.split(np.argsort(y, kind="stable"), np.cumsum(sizes)[:-1])
    return [members for members in by_class if len(members)]


def require_whole(least: int, **values: int) -> None:
    """Raise InputError naming the first of the values, keys of the group data, that is no whole number from `least`."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"data.{name}={value}: a whole number of at least {least}")


def require_number(**values: float) -> None:
    """Raise InputError naming the first of the values, keys of the group data, that is no finite number from 0."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise InputError(f"data.{name}={value}: a finite number of at least 0")
