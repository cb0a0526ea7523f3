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


def bounds(of: str, case: str, n: int) -> tuple[float, float]:
    """From which mean share of covered truths to which an interval that promises 95 % is to have in the committed
    results, where 4,000 draws a rate, or 400 of what is slow to fit, leave 1 or 2 in a hundred to chance."""
    if of == "paired difference" and n <= 32:
        return 0.935, 0.99  # of few pairs that differ the counts are coarse, and the interval errs to the wide side
    if (of, case) in (("boundary", "width 0.5"), ("boundary along depths", "width 0.25")):
        return 0.95, 1.0  # the share falls between two values: where, is not seen, and the interval has all that is
    if of == "boundary along depths":
        return 0.88, 0.96  # of four or eight
    if of == "boundary":
        # The likelihood's law is of many replicates; of eight, with two values on the slope, it is too narrow.
        return (0.87 if (case, n) == ("width 2.0", 8) else 0.91), 0.985
    if of == "median time":
        return 0.93, 1.0  # it ends where one has looked, so that it is as wide or wider
    if of == "edge":
        # Where nine in ten are to be found on a slow slope, few networks lie beyond the place, and it is too narrow.
        return (0.89 if case.endswith("width 0.1, share 0.9") else 0.935), 0.985
    return 0.935, 0.97


def mean_covered(results: pd.DataFrame) -> pd.Series:
    return results.groupby(["of", "case", "n"])["covered"].mean()


def test_wilson_covers_on_average(coverage: ModuleType):
    covered = mean_covered(coverage.of_rate())
    assert covered.between(0.935, 0.97).all()


def test_differences_are_covered_on_average(coverage: ModuleType):
    covered = mean_covered(coverage.of_difference(150, np.random.default_rng(1)))
    for key, share in covered.items():
        least, most = bounds(*key)
        # 150 draws of each of 16 pairs of rates leave half in a hundred to chance
        assert least - 0.01 <= share <= most + 0.01, key


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
    for key, share in mean_covered(results[~shared]).items():
        least, most = bounds(*key)
        assert least <= share <= most, key
    pd.testing.assert_frame_equal(results[(results["of"] == "rate") & ~shared], coverage.of_rate().round(4))


def test_its_readme_and_the_finding_say_what_the_results_have():
    results = pd.read_csv(FOLDER / "results.csv")
    groups = results.groupby(["of", "case", "n"])["covered"]
    mean, least = (100 * groups.mean()).round(1), (100 * groups.min()).round(1)

    def span(shares: pd.Series) -> str:
        return f"{shares.min()} to {shares.max()} %"

    rate, orders = mean["rate"]["independent"], mean["rate"].drop("independent")
    edge = mean["edge"].droplevel("n")
    half, steep, gentle = (edge.filter(regex=kind) for kind in ("^((?!share).)*$", "0.02, share", "0.1, share"))
    depths = mean["boundary along depths"]
    promised = span(rate)
    shared = span(orders.xs(200, level="n"))
    said = [
        f"Of the 95 % intervals of `rates`, {promised} have the truth in them",
        f"{least['rate', 'independent', 8]} % at worst with 8 replicates, {least['rate', 'independent', 32]} % with 32",
        f"with 200 replicates {shared} are covered instead of 95, with 1,000 {span(orders.xs(1000, level='n'))}",
        f"interval of two groups, {span(mean['unpaired difference'])};",
        f"Bonett and Price's of pairs, {span(mean['paired difference'])}",
        f"(profile likelihood): {span(mean['boundary'].drop([('width 2.0', 8), ('width 6.0', 8)]))}, but",
        f"but {mean['boundary', 'width 2.0', 8]} and {mean['boundary', 'width 6.0', 8]} % with 8 replicates",
        f"it is {depths['width 0.25', 4]} and {depths['width 0.25', 8]} % where the share falls between two of them",
        f"and {span(depths.drop('width 0.25'))} where it falls over more",
        f"(Brookmeyer and Crowley): {span(mean['median time'])}",
        f"{span(half)} of 400 searches in each of twelve cases",
        f"{steep.iloc[0]} and {steep.iloc[1]} % where the curve is steep, and {gentle.iloc[0]} and {gentle.iloc[1]} %",
        f"{mean['precision', '0.05', 32]} % at 0.05 and {mean['precision', '0.1', 32]} % at 0.1",
        f"{least['precision'].min()} % at worst of 1,000",
    ]
    readme = " ".join((FOLDER / "README.md").read_text().split())
    assert [text for text in said if text not in readme] == []
    of_depths = " ".join((FOLDER.parent / "09-depth/README.md").read_text().split())
    assert f"has the truth in {span(depths)} of cases" in of_depths
    findings = " ".join((FOLDER.parents[1] / "docs/findings.md").read_text().split())
    assert f"`rates` has the truth in it in {promised} of cases where replicates are independent" in findings
    assert f"in {shared} where 200 of them share four data orders" in findings
