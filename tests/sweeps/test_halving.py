"""The search for a change, on coins instead of networks."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from initodds.statistics import rates
from initodds.sweeps import halving

interval = cache(rates.interval)


@dataclass(frozen=True)
class Coin:
    """A change whose networks converge with this chance, each replicate as it was thrown once for all."""

    chance: float
    thrown: tuple[bool, ...] = ()
    size: int = 1


def coins(chances: list[float], rng: np.random.Generator) -> list[Coin]:
    return [Coin(chance, tuple((rng.random(128) < chance).tolist())) for chance in chances]


def evaluate(coin: Coin, first: int, stop: int) -> int:
    return sum(coin.thrown[first:stop])


@pytest.mark.parametrize("chance", [0.3, 0.5, 0.8])
def test_where_all_changes_are_equal_the_confirmed_interval_is_as_good_as_it_says(
    chance: float, rng: np.random.Generator
):
    """Of 2,000 searches among eight equal changes, the interval of the chosen one has the true rate in 93.5 % or more,
    though the one it was chosen by has not."""
    confirmed, chosen_by, total = 0, 0, 0
    for _ in range(2000):
        found = halving.search(coins([chance] * 8, rng), -1.0, evaluate)
        chosen = found.chosen
        assert chosen is not None
        assert chosen.confirmed == halving.CONFIRMED_BY
        low, high = interval(chosen.confirmed_converged, chosen.confirmed)
        confirmed += low <= chance <= high
        low, high = interval(chosen.converged, chosen.n)
        chosen_by += low <= chance <= high
        total += 1
    assert confirmed / total >= 0.935
    assert chosen_by / total < confirmed / total


def test_losers_are_dropped_and_the_best_is_confirmed_on_others(rng: np.random.Generator):
    asked: list[tuple[float, int, int]] = []

    def watched(coin: Coin, first: int, stop: int) -> int:
        asked.append((coin.chance, first, stop))
        return evaluate(coin, first, stop)

    found = halving.search(coins([0.0, 1.0, 0.0, 0.0, 0.0], rng), 0.0, watched)
    assert found.chosen is not None
    assert (found.chosen.change.chance, found.chosen.confirmed_converged, found.chosen.confirmed) == (1.0, 64, 64)
    assert asked[:5] == [(chance, 0, 4) for chance in (0.0, 1.0, 0.0, 0.0, 0.0)]
    assert asked[5:] == [(1.0, 4, 16), (1.0, 16, 48), (1.0, 48, 80)]


def test_of_equal_changes_the_smallest_is_chosen(rng: np.random.Generator):
    large, small = Coin(1.0, (True,) * 128, 3), Coin(1.0, (True,) * 128, 1)
    assert halving.search([large, small], 0.0, evaluate).chosen.change is small


def test_two_are_tried_together_where_neither_is_enough(rng: np.random.Generator):
    half, also = coins([0.5, 0.5], rng)
    both = Coin(1.0, (True,) * 128, 2)
    found = halving.search([half, also], 0.0, evaluate, lambda first, second: both)
    assert found.chosen.change is both
    assert [tally.change for tally in found.tallies] == [half, also, both]


def test_where_nothing_is_better_nothing_is_chosen(rng: np.random.Generator):
    found = halving.search(coins([0.0, 0.0], rng), 0.0, evaluate)
    assert found.chosen is None
    assert [tally.n for tally in found.tallies] == [16, 16]


def test_without_time_what_is_there_is_confirmed_and_the_rest_named(rng: np.random.Generator):
    first, second = coins([1.0, 1.0], rng)
    found = halving.search([first, second], 0.0, evaluate, has_time=lambda: False)
    assert found.untried == [second]
    assert (found.chosen.change, found.chosen.confirmed) == (first, 32)


def test_a_pair_that_there_is_no_time_for_is_named_too(rng: np.random.Generator):
    half, also = coins([0.5, 0.5], rng)
    both = Coin(1.0, (True,) * 128, 2)
    times = iter([True, True, False])  # for the second change, and for a longer look at it
    found = halving.search([half, also], 0.0, evaluate, lambda first, second: both, lambda: next(times, False))
    assert found.untried == [both]
    assert both not in [tally.change for tally in found.tallies]
