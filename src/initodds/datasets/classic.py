"""The classic problems: a few examples by a formula, or points of the plane drawn with a seed."""

from functools import cache

import numpy as np

from initodds.datasets.dataset import Array, Dataset, require_number, require_whole, split_examples
from initodds.vocabulary import InputError

MAX_BITS = 16


@cache
def xor() -> Dataset:
    """Exclusive or: the four pairs of 0 and 1, of class 1 where they differ. They are what is judged, too.

    >>> xor().train.x.tolist(), xor().train.y.tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    return _parity("xor", 2)


@cache
def parity(bits: int = 4) -> Dataset:
    """All 2^bits rows of 0 and 1, in the order of the binary numbers, of class 1 where the number of ones is odd. They
    are what is judged, too. Raises InputError where bits is no whole number from 2 to 16.

    >>> parity(3).train.y.tolist()
    [0, 1, 1, 0, 1, 0, 0, 1]
    """
    require_whole(2, bits=bits)
    if bits > MAX_BITS:
        raise InputError(f"data.bits={bits}: at most {MAX_BITS}, which are {2**MAX_BITS} examples")
    return _parity("parity", bits)


def _parity(name: str, bits: int) -> Dataset:
    x = np.arange(2**bits)[:, None] >> np.arange(bits)[::-1] & 1
    return split_examples(name, x, x.sum(axis=1) % 2, test_share=0, seed=0)


@cache
def moons(examples: int = 1000, noise: float = 0.1, test_share: float = 0.2, seed: int = 0) -> Dataset:
    """Two half moons that reach into each other: scikit-learn's make_moons, by `seed`, and split by it.

    noise: standard deviation of the normal noise on both coordinates.
    Raises InputError where a value is not accepted.
    """
    from sklearn.datasets import make_moons

    _require(examples, noise, seed)
    x, labels = make_moons(examples, noise=noise, random_state=seed)
    return split_examples("moons", x, labels, test_share, seed)


@cache
def circles(
    examples: int = 1000, noise: float = 0.1, factor: float = 0.5, test_share: float = 0.2, seed: int = 0
) -> Dataset:
    """A circle of radius 1, class 0, around one of radius `factor`, class 1: scikit-learn's make_circles, by `seed`,
    and split by it.

    noise: standard deviation of the normal noise on both coordinates. factor: from 0 to under 1.
    Raises InputError where a value is not accepted.
    """
    from sklearn.datasets import make_circles

    _require(examples, noise, seed)
    require_number(factor=factor)
    if factor >= 1:
        raise InputError(f"data.factor={factor}: from 0 to under 1")
    x, labels = make_circles(examples, noise=noise, factor=factor, random_state=seed)
    return split_examples("circles", x, labels, test_share, seed)


@cache
def blobs(
    examples: int = 1000,
    classes: int = 3,
    features: int = 2,
    spread: float = 1.0,
    test_share: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """A round cloud for each class, with its centre drawn from the cube [-10, 10]^features: scikit-learn's make_blobs,
    by `seed`, and split by it.

    spread: standard deviation of a cloud, in each coordinate. Raises InputError where a value is not accepted.
    """
    from sklearn.datasets import make_blobs

    _require(examples, spread=spread, seed=seed)
    require_whole(2, classes=classes)
    require_whole(1, features=features)
    x, labels, *_ = make_blobs(examples, features, centers=classes, cluster_std=spread, random_state=seed)
    return split_examples("blobs", x, labels, test_share, seed)


@cache
def spirals(
    examples: int = 194,
    classes: int = 2,
    turns: float = 3.0,
    noise: float = 0.0,
    test_share: float = 0.0,
    seed: int = 0,
) -> Dataset:
    """An arm for each class, all alike, turned against each other, from radius 6.5 at their outer ends to 0.5.

    As they stand, the 194 points of Lang and Witbrock (1988), "Learning to tell two spirals apart". An arm has
    examples / classes points, at equal angles along its `turns`; noise: standard deviation of the normal noise on both
    coordinates, drawn, and split, by `seed`. Raises InputError where a value is not accepted.

    >>> [[round(float(number), 3) for number in point] for point in spirals().train.x[:2]]
    [[6.5, 0.0], [6.314, 1.256]]
    """
    _require(examples, noise, seed)
    require_whole(2, classes=classes)
    require_number(turns=turns)
    of_arm = examples // classes
    if of_arm < 2:
        raise InputError(f"data.examples={examples}: at least two for each of the {classes} classes")
    along = np.linspace(0, 1, of_arm)
    radius = 6.5 * (1 - along * 96 / 104)
    labels = np.repeat(np.arange(classes), of_arm)
    angle = np.tile(2 * np.pi * turns * along, classes) + 2 * np.pi * labels / classes
    x: Array = np.tile(radius, classes)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    x = x + noise * np.random.default_rng(seed).standard_normal(x.shape)
    return split_examples("spirals", x, labels, test_share, seed)


def _require(examples: int, noise: float = 0.0, seed: int = 0, spread: float = 0.0) -> None:
    """Raise InputError where a number that the problems share is not accepted."""
    require_whole(2, examples=examples)
    require_whole(0, seed=seed)
    require_number(noise=noise, spread=spread)
