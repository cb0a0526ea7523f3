"""The intervals cover what they promise: the committed simulation, run small, and its summary from its results."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).parents[2] / "experiments/10-intervals"


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_of_intervals", FOLDER / "coverage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mean_covered(results: pd.DataFrame) -> pd.Series:
    return results.groupby(["of", "case", "n"])["covered"].mean()


def test_wilson_covers_on_average(coverage: ModuleType):
    covered = mean_covered(coverage.of_rate())
    assert covered.between(0.935, 0.97).all()


def test_differences_are_covered_on_average(coverage: ModuleType):
    covered = mean_covered(coverage.of_difference(150, np.random.default_rng(1)))
    assert (covered > 0.935).all()


def test_replicates_that_share_orders_are_not_covered(coverage: ModuleType):
    covered = mean_covered(coverage.of_shared_orders(400, np.random.default_rng(1)))
    assert covered["rate", "4 orders, 0.1", 1000] < 0.5


def test_boundary_and_median_time_are_covered(coverage: ModuleType):
    rng = np.random.default_rng(1)
    results = pd.concat([coverage.of_boundary(8, rng), coverage.of_median_time(40, rng)])
    covered = results.groupby("of")["covered"].mean()
    assert (covered > 0.91).all()


def test_the_committed_results_say_so_too_and_give_the_summary(coverage: ModuleType):
    results = pd.read_csv(FOLDER / "results.csv")
    assert coverage.summary(results) == (FOLDER / "summary.md").read_text()
    shared = results["case"].str.startswith("4 orders")
    assert mean_covered(results[~shared]).min() > 0.9
    pd.testing.assert_frame_equal(results[(results["of"] == "rate") & ~shared], coverage.of_rate().round(4))
