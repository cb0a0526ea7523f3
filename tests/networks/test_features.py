"""Products with often and rarely lit pixels, against the dense ones."""

import numpy as np
import pytest

from initodds.engines.stacked import Stacked
from initodds.networks import features, sparse
from initodds.networks.features import Features, dense_product
from initodds.networks.network import Network
from tests.conftest import problem_of, random_layers

SHARES = {"mixed": (0, 0.02, 0.1, 0.5, 1), "rare": (0, 0.05), "often": (0.6, 1)}


def some_images(shares: tuple[float, ...], rng: np.random.Generator, examples: int = 60) -> np.ndarray:
    """Images whose pixels are lit with these shares in turn, ten pixels each; the fifth is dark."""
    x = rng.random((examples, 10 * len(shares))) * (rng.random((examples, 10 * len(shares))) < np.repeat(shares, 10))
    x[4] = 0
    return x


@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_products_are_the_dense_ones(shares: tuple[float, ...], dtype: str, rng: np.random.Generator):
    x = some_images(shares, rng)
    made = Features(x, np.dtype(dtype))
    assert sorted(made.present) == np.flatnonzero(x.any(axis=0)).tolist()
    rows = np.array([7, 4, 7, 59, 0])
    taken = made.take(rows, out=np.full((5, made.often.shape[1]), np.nan, dtype))
    weights = rng.normal(size=(len(made.present), 12)).astype(dtype)
    tolerance = {"rtol": 0, "atol": 1e-5 if dtype == "float32" else 1e-14}
    for batch, whole in ((taken, x[rows]), (made.part(3, 9), x[3:9]), (made.part(50, 70), x[50:])):
        dense = whole[:, made.present].astype(dtype)
        out = batch.product(weights, out=np.full((len(dense), 12), np.nan, dtype))
        np.testing.assert_allclose(out, dense @ weights, **tolerance)
        errors, after = rng.normal(size=(len(dense), 12)).astype(dtype), weights.copy()
        batch.accumulate(errors, after)
        np.testing.assert_allclose(after, weights + dense.T @ errors, **tolerance)


def test_pixels_that_many_images_light_are_a_matrix_and_the_others_are_sparse(rng: np.random.Generator):
    x = some_images(SHARES["mixed"], rng)
    made = Features(x, np.dtype(float))
    often = np.count_nonzero(x, axis=0) >= features.OFTEN * len(x)
    np.testing.assert_array_equal(made.often, x[:, often])
    np.testing.assert_array_equal(made.rarely.toarray(), x[:, ~often & x.any(axis=0)])


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_the_steps_are_the_same_wherever_the_line_is_drawn(
    batch: int, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
):
    network = Network((50, 6, 3))
    layers = random_layers(network, 4, rng)
    x, targets = some_images(SHARES["mixed"], rng), np.eye(3)[rng.integers(0, 3, 60)]
    ends = []
    for often in (0, 0.2, 1.1):
        monkeypatch.setattr(features, "OFTEN", often)
        engine = Stacked(problem_of(network, x, targets, np.array([1.0, 2.0, 3.0, 4.0])), layers)
        for start in range(0, 60, batch):
            engine.steps(np.arange(start, start + batch)[None] % 60)
        ends.append(engine.stack())
    for r in range(4):
        first, *others = (end.replicate(r) for end in ends)
        for other in others:
            for (w, b), (v, c) in zip(first, other, strict=True):
                np.testing.assert_allclose(w, v, rtol=0, atol=1e-13)
                np.testing.assert_allclose(b, c, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("batch", "features", "units"), [(10, 717, 960), (3, 5, 7), (16, 655, 333), (40, 717, 960)])
def test_a_product_in_parts_is_the_product(batch: int, features: int, units: int, rng: np.random.Generator):
    x, weights = rng.normal(size=(batch, features)), rng.normal(size=(features, units))
    out = np.full((batch, units), np.nan)
    dense_product(x, weights, out)
    np.testing.assert_allclose(out, x @ weights, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_public_products_do_the_same(dtype: str, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator):
    made = Features(some_images(SHARES["mixed"], rng), np.dtype(dtype))
    rows, weights = np.array([7, 4, 7, 59, 0]), rng.normal(size=(len(made.present), 12)).astype(dtype)
    errors = rng.normal(size=(5, 12)).astype(dtype)

    def results() -> tuple[np.ndarray, np.ndarray]:
        batch = made.take(rows, out=np.empty((5, made.often.shape[1]), dtype))
        moved = weights.copy()
        batch.accumulate(errors, moved)
        return batch.product(weights, out=np.empty((5, 12), dtype)), moved

    private = results()
    monkeypatch.setattr(sparse, "_routines", None)
    for mine, public in zip(private, results(), strict=True):
        np.testing.assert_allclose(mine, public, rtol=0, atol=1e-5 if dtype == "float32" else 1e-13)
