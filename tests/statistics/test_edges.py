"""The search for an edge, on simulated networks whose edge is known."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom

from initodds.statistics.edges import Edge, Search
from initodds.vocabulary import InputError

Share = Callable[[float], float]


def searched(search: Search, share: Share, rng: np.random.Generator) -> Edge:
    """What a search finds where the share of the networks that have the outcome is known."""
    while values := search.ask():
        for value in values:
            search.tell(value, int(rng.binomial(search.batch, share(value))), search.batch)
    return search.result()


def logistic(edge: float, width: float, falling: bool = True) -> Share:
    return lambda x: expit((edge - x) / width * (1 if falling else -1))


def step(edge: float, width: float) -> Share:
    return lambda x: float(x < edge)


def skew(edge: float, width: float) -> Share:
    """Far from logistic: a complementary log-log curve."""
    return lambda x: np.exp(-np.log(2) * np.exp((x - edge) / width))


def with_odd_ones(edge: float, width: float) -> Share:
    return lambda x: 0.02 + 0.96 * expit((edge - x) / width)


CURVES = {
    "step": (step, 0.0),
    "steep": (logistic, 0.001),
    "as measured": (logistic, 0.005),
    "flat": (logistic, 0.01),
    "skew": (skew, 0.005),
    "odd ones": (with_odd_ones, 0.005),
}


def trials(curve: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(count,) each: true edge, found edge, whether the interval holds it, networks used."""
    make, width = CURVES[curve]
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        edge = rng.uniform(0.03, 0.27)
        found = searched(Search(0, 0.3, tolerance=0.005), make(edge, width), rng)
        rows.append((edge, found.place, found.low <= edge <= found.high, found.networks))
    true, place, held, networks = np.array(rows).T
    return true, place, held, networks


@pytest.mark.parametrize("curve", ["step", "as measured"])
def test_the_edge_is_found_with_few_networks(curve: str):
    """A grid of steps of 0.005 with 32 replicates takes 1,952."""
    true, place, held, networks = trials(curve, 40, seed=11)
    assert np.abs(place - true).max() < 0.01
    assert held.sum() >= binom.ppf(0.001, 40, 0.95)
    assert networks.mean() < 1952 / 4
    assert networks.max() <= 500


@pytest.mark.soak
@pytest.mark.parametrize("curve", CURVES)
def test_its_interval_holds_the_edge_and_it_is_not_biased(curve: str):
    """In 93.5 % of searches, as far as 600 can tell: less than 91.0 % would be noticed; experiments/10-intervals counts
    more of them. Where the curve is not logistic, as the search takes it to be, the edge may be off by a tenth of the
    tolerance."""
    count = 600
    true, place, held, networks = trials(curve, count, seed=12)
    error = place - true
    print(f"{curve}: {100 * held.mean():.1f} %, bias {error.mean():.5f}, sd {error.std():.5f}, {networks.mean():.0f}")
    assert held.sum() >= binom.ppf(0.01, count, 0.935)
    assert abs(error.mean()) < max(0.0005 if curve == "skew" else 0.0002, 4 * error.std() / np.sqrt(count))
    assert networks.mean() < 1952 / 4


def test_rising_logarithmic_and_other_shares(rng: np.random.Generator):
    found = searched(Search(0, 1, tolerance=0.05), logistic(0.7, 0.01, falling=False), rng)
    assert found.low <= 0.7 <= found.high
    found = searched(Search(0.01, 100, log=True, tolerance=0.3), lambda x: expit(np.log(3 / x) / 0.1), rng)
    assert found.low <= 3 <= found.high
    assert np.log(found.high / found.low) <= 0.3
    search = Search(0, 1, share=0.9, tolerance=0.05, most=2000, batch=35)
    found = searched(search, logistic(0.5 + 0.01 * np.log(9), 0.01), rng)
    assert found.low <= 0.5 <= found.high


@pytest.mark.parametrize(
    ("share", "note"),
    [
        (lambda x: 1.0, "no edge: more than 50 % at all 7 values tried"),
        (lambda x: 0.1, "no edge: less than 50 % at all 7 values tried"),
        (lambda x: float(0.1 < x < 0.2), "2 edges, within 0.1 to 0.15 and 0.15 to 0.2: search each by itself"),
        (lambda x: float(x < 0.07 or x > 0.23), "2 edges, within 0.05 to 0.1 and 0.2 to 0.25: search each by itself"),
    ],
)
def test_no_edge_or_two_is_said(share: Share, note: str, rng: np.random.Generator):
    found = searched(Search(0, 0.3), share, rng)
    assert np.isnan(found.place)
    assert found.note == note
    assert found.networks <= 250


def test_what_cannot_be_narrowed_says_so(rng: np.random.Generator):
    found = searched(Search(0, 1, tolerance=0.02, most=120), logistic(0.5, 0.1), rng)
    assert found.note == "no further round fits into edge.most=120"
    assert found.networks <= 120
    assert found.high - found.low > 0.02


def test_no_more_are_asked_for_than_may_be_spent():
    """Where chance may have it that the share is passed twice, the seven first values need a second round."""
    for most in range(88, 121):
        search = Search(0, 0.3, most=most, tolerance=0.05)
        while values := search.ask():
            for value in values:
                search.tell(value, 8 if 0.1 < value < 0.2 else 0, 8)
        assert search.networks <= most
        assert search.networks == (112 if most >= 112 else 56)


def test_the_same_search_asks_the_same(rng: np.random.Generator):
    """So that it goes on where it was interrupted."""
    searches = [Search(0, 0.3), Search(0, 0.3)]
    for _ in range(4):
        asked = [search.ask() for search in searches]
        assert asked[0] == asked[1]
        for value in asked[0]:
            hits = int(rng.binomial(8, expit((0.1 - value) / 0.02)))
            for search in searches:
                search.tell(value, hits, 8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"low": 1, "high": 1}, r"interval\(1,1\): two numbers, the lower one first"),
        ({"low": 0, "high": 1, "log": True}, r"interval\(0,1\): two numbers over 0"),
        ({"low": 0, "high": np.inf}, r"interval\(0,inf\)"),
        ({"low": 0, "high": 1, "share": 1.0}, "edge.share=1.0"),
        (
            {"low": 0, "high": 1, "share": 0.99, "batch": 400, "most": 10**5},
            "edge.share=0.99: over 0.01 and under 0.99",
        ),
        (
            {"low": 0, "high": 1, "share": 0.01, "batch": 400, "most": 10**5},
            "edge.share=0.01: over 0.01 and under 0.99",
        ),
        ({"low": 0, "high": 1, "share": 0.9, "batch": 34}, "edge.batch=34: at least 35 for edge.share=0.9"),
        ({"low": 0, "high": 1, "share": 0.1}, "edge.batch=8: at least 35 for edge.share=0.1"),
        ({"low": 0, "high": 1, "batch": 3}, "edge.batch=3: at least 4 for edge.share=0.5"),
        ({"low": 0, "high": 1, "most": 80}, "edge.most=80: at least 88"),
        (
            {"low": 0, "high": 1, "tolerance": 1e-9, "most": 100},
            "edge.tolerance=1e-09: over 0.033, which edge.most=100",
        ),
        ({"low": 0, "high": 1, "tolerance": 2.0}, "edge.tolerance=2.0: .* and under 1"),
        ({"low": 5, "high": 5 + 1e-7, "tolerance": 1e-10, "most": 10**6}, "edge.tolerance=1e-10"),
    ],
)
def test_what_is_refused(given: dict, message: str):
    with pytest.raises(InputError, match=message):
        Search(**given)
