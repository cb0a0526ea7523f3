"""As many networks as a rate needs, and what stopping there does to its interval."""

import numpy as np
import pytest
from scipy.stats import binom

from initodds.statistics.precision import half_width, needed, require_precision
from initodds.statistics.rates import interval, wilson
from initodds.vocabulary import InputError

SHARES = (0.005, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)


def cells(share: float, precision: float, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(count,) each: whether the 95 % interval of a cell that stops holds the share, and its networks."""
    rng = np.random.default_rng(seed)
    held, networks = [], []
    for _ in range(count):
        n = 32
        hits = int(rng.binomial(n, share))
        while (more := needed([hits, n - hits], precision, 32, 1000)) > n:
            hits, n = hits + int(rng.binomial(more - n, share)), more
        low, high = wilson(hits, n)
        assert high - low <= 2 * precision
        held.append(low <= share <= high)
        networks.append(n)
    return np.array(held), np.array(networks)


def of_fixed_size(share: float, n: int) -> float:
    """How often the interval of so many networks holds the share: exactly, and not 95 % where they are few."""
    hits = np.arange(n + 1)
    low, high = wilson(hits, np.full(n + 1, n))
    return float(binom.pmf(hits, n, share)[(low <= share) & (share <= high)].sum())


@pytest.mark.soak
@pytest.mark.parametrize("precision", [0.05, 0.1])
@pytest.mark.parametrize("share", SHARES)
def test_intervals_hold_the_share_as_often_as_they_say(share: float, precision: float):
    """In 93.5 %, or, where Wilson's does not for so many networks chosen beforehand, nearly as often as it; as far as
    3,000 can tell: less than 92.4 % would be noticed."""
    count = 3000
    held, networks = cells(share, precision, count, seed=5)
    fixed = of_fixed_size(share, int(np.median(networks)))
    print(
        f"{share}, {precision}: {100 * held.mean():.1f} % held, {100 * fixed:.1f} % of as many, {networks.mean():.0f}"
    )
    assert held.sum() >= binom.ppf(0.01, count, min(0.935, fixed - 0.01))


def test_a_few_of_them():
    held, networks = cells(0.3, 0.1, 150, seed=6)
    assert held.sum() >= binom.ppf(0.001, 150, 0.95)
    assert 90 < networks.mean() < 130
    assert cells(0.0, 0.1, 1, seed=7)[1] == [32]


def test_the_half_width_is_that_of_a_wider_wilson_interval():
    low, high = interval(13, 40)
    assert (high - low) / 2 < half_width(13, 40) < 1.06 * (high - low) / 2


def test_rounds_and_the_most():
    assert needed([40, 60], 0.1, 16, 1000) % 16 == 100 % 16  # in whole rounds from where it is
    assert needed([40, 60], 0.001, 16, 200) == 200
    assert needed([40, 60], 0.3, 16, 200) == 100
    assert needed([400, 600], 0.001, 16, 200) == 1000  # there are more than asked for already


@pytest.mark.parametrize("value", [0, 0.5, -0.1, True, "x"])
def test_what_is_no_precision(value: object):
    with pytest.raises(InputError, match=f"precision={value}: over 0 and under 0.5"):
        require_precision(value, 1000, 32)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="replicates_most=10: a whole number of at least replicates, 32"):
        require_precision(0.1, 10, 32)
