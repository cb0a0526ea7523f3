import itertools

import numpy as np
import pytest
from sklearn.datasets import make_blobs, make_circles, make_moons

from initodds import datasets
from initodds.cells import objects
from initodds.datasets import Dataset, split_examples
from initodds.vocabulary import InputError
from tests.conftest import settings_of


def together(data: Dataset) -> np.ndarray:
    """All examples of a set as rows (x, y), sorted."""
    splits = (data.train,) if data.test is data.train else (data.train, data.test)
    return in_order(np.concatenate([split.x for split in splits]), np.concatenate([split.y for split in splits]))


def in_order(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    rows = np.column_stack([x.astype(np.float32), y])
    return rows[np.lexsort(rows.T)]


def test_xor_is_its_truth_table():
    data = datasets.xor()
    assert {(*x, y) for x, y in zip(data.train.x.tolist(), data.train.y.tolist(), strict=True)} == {
        (a, b, int(bool(a) != bool(b))) for a in (0, 1) for b in (0, 1)
    }
    assert (data.features, data.classes, data.outputs, data.task) == (2, 2, 2, "classification")
    assert data.test is data.train
    assert (data.train.x.dtype, data.train.y.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("bits", [2, 3, 7])
def test_parity_is_its_truth_table(bits: int):
    data = datasets.parity(bits)
    rows = list(itertools.product((0, 1), repeat=bits))
    assert data.train.x.tolist() == [list(row) for row in rows]
    assert data.train.y.tolist() == [row.count(1) % 2 for row in rows]


MADE = {
    "moons": lambda: make_moons(1000, noise=0.1, random_state=0),
    "circles": lambda: make_circles(1000, noise=0.1, factor=0.5, random_state=0),
    "blobs": lambda: make_blobs(1000, 2, centers=3, cluster_std=1.0, random_state=0),
}


@pytest.mark.parametrize("name", MADE)
def test_what_scikit_learn_makes(name: str):
    data = getattr(datasets, name)()
    np.testing.assert_array_equal(together(data), in_order(*MADE[name]()))
    assert len(data.test) == pytest.approx(200, abs=1)
    other = getattr(datasets, name)(seed=1)
    assert other.sha256 != data.sha256


def test_arguments_reach_what_is_made():
    data = objects.dataset(
        settings_of("data=blobs", "data.examples=100", "data.classes=4", "data.features=5", "data.seed=3")
    )
    np.testing.assert_array_equal(
        together(data), in_order(*make_blobs(100, 5, centers=4, cluster_std=1.0, random_state=3))
    )
    data = objects.dataset(settings_of("data=moons", "data.noise=0.3", "data.test_share=0"))
    np.testing.assert_array_equal(together(data), in_order(*make_moons(1000, noise=0.3, random_state=0)))
    assert data.test is data.train


def test_two_spirals_are_lang_and_witbrocks():
    """Their program: for i from 0 to 96, phi = i / 16 * pi, r = 6.5 * (104 - i) / 104; the point and its opposite."""
    i = np.arange(97)
    phi, r = i / 16 * np.pi, 6.5 * (104 - i) / 104
    arm = np.column_stack([r * np.cos(phi), r * np.sin(phi)])
    data = datasets.spirals()
    np.testing.assert_allclose(data.train.x, np.concatenate([arm, -arm]), atol=1e-6)
    assert data.train.y.tolist() == [0] * 97 + [1] * 97


def test_spirals_of_three_arms_are_one_turned():
    data = datasets.spirals(examples=300, classes=3, turns=1.5)
    x = data.train.x[:, 0] + 1j * data.train.x[:, 1]
    first, second, third = (x[data.train.y == label] for label in range(3))
    np.testing.assert_allclose(second, first * np.exp(2j * np.pi / 3), atol=1e-5)
    np.testing.assert_allclose(third, first * np.exp(4j * np.pi / 3), atol=1e-5)
    noisy = datasets.spirals(examples=30_000, noise=0.2)
    exact = datasets.spirals(examples=30_000)
    assert (noisy.train.x - exact.train.x).std() == pytest.approx(0.2, rel=0.02)


def test_a_split_takes_its_share_of_each_class_and_keeps_the_order():
    y = np.repeat([0, 1, 2], [50, 10, 2])
    x = np.arange(62.0)[:, None]
    data = split_examples("any", x, y, test_share=0.2, seed=4)
    assert np.bincount(data.test.y).tolist() == [10, 2, 1]
    assert np.bincount(data.train.y).tolist() == [40, 8, 1]
    assert (np.diff(data.train.x[:, 0]) > 0).all()
    assert sorted([*data.train.x[:, 0], *data.test.x[:, 0]]) == x[:, 0].tolist()
    assert split_examples("any", x, y, 0.2, seed=4).sha256 == data.sha256
    assert split_examples("any", x, y, 0.2, seed=5).sha256 != data.sha256


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=parity", "data.bits=1"], "data.bits=1: a whole number of at least 2"),
        (["data=parity", "data.bits=17"], "data.bits=17: at most 16"),
        (["data=parity", "data.bits=few"], "data.bits=few"),
        (["data=moons", "data.noise=-1"], "data.noise=-1"),
        (["data=moons", "data.examples=1"], "data.examples=1"),
        (["data=moons", "data.test_share=1"], "data.test_share=1"),
        (["data=moons", "data.seed=0.5"], "data.seed=0.5"),
        (["data=circles", "data.factor=1"], "data.factor=1"),
        (["data=blobs", "data.classes=1"], "data.classes=1"),
        (["data=blobs", "data.spread=nan"], "data.spread=nan"),
        (["data=spirals", "data.examples=3"], "data.examples=3: at least two for each of the 2"),
        (["data=spirals", "data.turns=-1"], "data.turns=-1"),
    ],
)
def test_a_bad_value_is_told_in_one_line(overrides: list[str], message: str):
    with pytest.raises(InputError) as raised:
        objects.dataset(settings_of(*overrides))
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
