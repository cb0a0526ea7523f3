import numpy as np
import pytest

from initodds.engines import stacked
from initodds.engines.lit import LitPixels
from initodds.engines.stacked import Stacked
from initodds.network import Network, product
from tests.conftest import random_layers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_products_with_lit_pixels_are_the_dense_ones(dtype: str, rng: np.random.Generator):
    x = (rng.random((9, 40)) * (rng.random((9, 40)) < 0.2)).astype(dtype)
    x[4] = 0
    weights, errors = rng.normal(size=(40, 12)).astype(dtype), rng.normal(size=(3, 12)).astype(dtype)
    rows = np.array([7, 4, 7])
    pixels, out = LitPixels(x), np.full((3, 12), np.nan, dtype)
    pixels.forward(rows, weights, out)
    tolerance = {"rtol": 1e-5 if dtype == "float32" else 1e-13, "atol": 1e-6 if dtype == "float32" else 1e-14}
    np.testing.assert_allclose(out, x[rows] @ weights, **tolerance)
    expected = weights + x[rows].T @ errors
    pixels.accumulate(rows, errors, weights)
    np.testing.assert_allclose(weights, expected, **tolerance)


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_small_batches_take_the_same_steps_with_lit_pixels_as_without(
    batch: int, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
):
    network = Network((50, 6, 3))
    layers = random_layers(network, 4, rng)
    x = rng.random((20, 50)) * (rng.random((20, 50)) < 0.2)
    targets = np.eye(3)[rng.integers(0, 3, 20)]
    ends = []
    for few in (0, 4):
        monkeypatch.setattr(stacked, "FEW", few)
        engine = Stacked(network, layers, x, targets, np.array([1.0, 2.0, 3.0, 4.0]), "mean", np.dtype(float))
        assert (engine.lit_pixels is not None) or few == 0
        for start in range(0, 20, batch):
            engine.step(np.arange(start, start + batch) % 20)
        ends.append(engine.stack())
    for r in range(4):
        for (w, b), (v, c) in zip(ends[0].replicate(r), ends[1].replicate(r), strict=True):
            np.testing.assert_allclose(w, v, rtol=0, atol=1e-13)
            np.testing.assert_allclose(b, c, rtol=0, atol=1e-13)


def test_images_that_are_mostly_lit_are_done_whole(rng: np.random.Generator):
    network = Network((50, 6, 3))
    targets = np.eye(3)[rng.integers(0, 3, 20)]
    engine = Stacked(
        network, random_layers(network, 2, rng), rng.random((20, 50)), targets, 1.0, "mean", np.dtype(float)
    )
    assert engine.lit_pixels is None


@pytest.mark.parametrize(("batch", "features", "units"), [(10, 717, 960), (3, 5, 7), (16, 655, 333), (40, 717, 960)])
def test_a_product_in_parts_is_the_product(batch: int, features: int, units: int, rng: np.random.Generator):
    x, weights = rng.normal(size=(batch, features)), rng.normal(size=(features, units))
    out = np.full((batch, units), np.nan)
    product(x, weights, out)
    np.testing.assert_allclose(out, x @ weights, rtol=0, atol=1e-11)
