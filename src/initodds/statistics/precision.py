"""How many networks does a rate need, to be known as precisely as was asked?

A cell that stops where its intervals are narrow enough stops a little early: where chance has made a rate look more
extreme, and so its interval narrower, than it is. So it goes on until intervals of the level `STOPPING` are as narrow,
and what is reported are the usual ones of 95 %, which then hold the rate as often as they say
(`tests/statistics/test_precision.py` counts it).
"""

from collections.abc import Sequence

import numpy as np
import scipy

from initodds.vocabulary import InputError

STOPPING = 0.96


def half_width(count: float, n: int) -> float:
    """Half the width of Wilson's interval of the level `STOPPING`, for `count` of `n`.

    >>> half_width(50, 100) > half_width(0, 100) > half_width(0, 1000)
    True
    """
    z = np.sqrt(2) * scipy.special.erfinv(STOPPING)
    share = count / n
    return float(z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))


def needed(counts: Sequence[int], precision: float, replicates: int, most: int) -> int:
    """How many networks a cell is to have, of which `counts` have each outcome so far: as many as it has where each
    rate's interval is plus or minus `precision` at most, or `most` are reached; otherwise the least multiple of
    `replicates` at which that would be so if the rates stayed, and at least one round more, up to `most`.

    >>> needed([16, 16], 0.1, 32, 1000), needed([0, 128], 0.05, 32, 1000), needed([500, 500], 0.01, 32, 1000)
    (128, 128, 1000)
    """
    n = sum(counts)
    if n >= most or max(half_width(count, n) for count in counts) <= precision:
        return n
    more = n
    while more < most and (more == n or max(half_width(count / n * more, more) for count in counts) > precision):
        more += replicates
    return min(more, most)


def require_precision(precision: float, most: int, replicates: int) -> None:
    """Raise InputError where these are not accepted."""
    if isinstance(precision, bool) or not isinstance(precision, int | float) or not 0 < precision < 0.5:
        raise InputError(f"precision={precision}: over 0 and under 0.5, or null; 0.05 is plus or minus 5 points")
    if isinstance(most, bool) or not isinstance(most, int) or most < replicates:
        raise InputError(f"replicates_most={most}: a whole number of at least replicates, {replicates}")
