"""Guards the step's time: pytest experiments/04-speed/guard.py. It needs a quiet machine, and is no part of make test.

A step's two large products would be one gemm of their shape, done twice, if all pixels that any image lights were
multiplied. A step leaves out most of the zeros, and takes less than these two for all that it does, above batch size 1.
"""

import os
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import initodds  # noqa: F401  settles BLAS before NumPy loads
from initodds import datasets
from initodds.cells.drawing import Drawing
from initodds.engines import Problem
from initodds.engines.optimizers import SGD
from initodds.engines.stacked import Stacked
from initodds.initializers import Uniform
from initodds.networks.network import Network

NETWORK, REPLICATES = Network((784, 30, 10)), 32
# The most that a step may take, as a multiple of two plain products, by batch size; measured: 1.6, 0.6, 0.7 and 0.8.
MOST = {1: 2.0, 10: 0.75, 100: 0.85, 1000: 0.95}


@pytest.fixture(scope="module")
def data() -> datasets.Dataset:
    if not os.environ.get("INITODDS_DATA"):
        pytest.skip("INITODDS_DATA names no folder with full MNIST")
    return datasets.mnist(os.environ["INITODDS_DATA"])


@pytest.mark.parametrize("batch", MOST)
def test_a_step_takes_no_more_than_two_plain_products_of_its_shape(batch: int, data: datasets.Dataset, benchmark):
    targets = np.eye(10, dtype=np.float32)[data.train.y]
    layers = [Drawing(Uniform(-0.5, 0.5), NETWORK).replicate(0, r) for r in range(REPLICATES)]
    engine = Stacked(Problem(NETWORK, data.train.x, targets, SGD(3.0), "mean", np.dtype(np.float32)), layers)
    rows = np.random.default_rng(0).permutation(len(targets))[:batch]
    lit = np.flatnonzero(data.train.x.any(axis=0))
    x = np.ascontiguousarray(data.train.x[np.ix_(rows, lit)])
    weights = np.ascontiguousarray(engine.stack().weights[0][lit])
    out = np.empty((batch, weights.shape[1]), np.float32)
    number = max(1, 300 // batch)

    def steps() -> None:
        engine.steps(np.tile(rows, (number, 1)))

    def products() -> None:
        for _ in range(2 * number):
            np.matmul(x, weights, out=out)

    with threadpool_limits(1):  # a plugin of pytest may have loaded NumPy before this file could settle BLAS
        plain = min(timed(products) for _ in range(20))
        benchmark.pedantic(steps, rounds=20, warmup_rounds=2)
    ratio = benchmark.stats.stats.min / plain
    benchmark.extra_info["ratio to two products"] = round(ratio, 2)
    print(f"batch {batch}: {ratio:.2f} times two products")
    assert ratio < MOST[batch]


def timed(action) -> float:
    """Seconds that an action takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin
