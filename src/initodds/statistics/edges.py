"""Where along a number do half of the networks have an outcome? Asked step by step, a few networks at a time, where
they tell most.

What is known of the edge is its distribution, given all networks so far: the share is taken to fall, or to rise, as a
logistic curve of unknown place and steepness (a grid of both, evenly weighted over the interval and over the logarithm
of the steepness), but for a small share of networks anywhere. New networks are tried at quantiles of that distribution:
far apart while the edge may be anywhere, close together as it is known better. Watson and Pelli (1983), "QUEST: a
Bayesian adaptive psychometric method", Perception and Psychophysics 33, is the idea.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import chi2

from initodds.statistics.rates import CONFIDENCE, wilson
from initodds.vocabulary import InputError

Array = np.ndarray

FIRST = 7
"""Values that are tried first, evenly spaced, both ends among them: whether there is an edge, and which way."""
TOGETHER = 4
"""Values that are tried at a time from then on."""
ODD = 0.01
"""The share of networks that go either way, wherever they are."""
LEVEL = 0.97
"""Of the central interval: that of 0.95 would hold the edge in a little less, since it is looked at until it is narrow.
See experiments/10-intervals, which counts."""

PLACES, STEEPNESSES = 240, 24


@dataclass(frozen=True)
class Edge:
    """What a search has found.

    place: where the share is passed; NaN where there is no edge, or more than one.  low, high: its 95 % interval.
    networks: how many it took.  note: what there is to say, "" where the edge was found as narrowly as asked.
    """

    place: float
    low: float
    high: float
    networks: int
    note: str = ""


@dataclass
class Search:
    """A search for an edge from `low` to `high`; `ask`, `tell`, and so on, until `ask` has nothing to ask.

    log: whether it is searched in logarithms.  share: of the networks that have the outcome, at the edge.
    tolerance: how wide the edge's interval may be; on a logarithmic search, of the natural logarithm, so that 0.1 is
        about 10 %; None for a fiftieth of the interval.
    most: networks that may be spent, which are never exceeded.  batch: networks at one value at a time.

    Raises InputError where these are not accepted, as a batch too small to tell the share, or the tolerance could not
    be reached if the edge were a step.
    """

    low: float
    high: float
    log: bool = False
    share: float = 0.5
    tolerance: float | None = None
    most: int = 500
    batch: int = 8
    _x: list[float] = field(default_factory=list)
    _hits: list[int] = field(default_factory=list)
    _n: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not -np.inf < self.low < self.high < np.inf or (self.log and self.low <= 0):
            accepted = "two numbers over 0, the lower one first" if self.log else "two numbers, the lower one first"
            raise InputError(f"interval({self.low:g},{self.high:g}): {accepted}")
        if not ODD < self.share < 1 - ODD:
            odd = f"{100 * ODD:g} % of the networks are taken to go either way anywhere"
            raise InputError(f"edge.share={self.share}: over {ODD} and under {1 - ODD}, since {odd}")
        # So many of one kind alone have a Wilson interval without the share that is asked for.
        further = max(self.share, 1 - self.share)
        needed = int(np.ceil(chi2.ppf(CONFIDENCE, 1) * further / (1 - further)))
        if self.batch < needed:
            fewer = "fewer, all of one kind, do not tell one side from the other"
            raise InputError(f"edge.batch={self.batch}: at least {needed} for edge.share={self.share}; {fewer}")
        rounds = (self.most - FIRST * self.batch) // (TOGETHER * self.batch)
        if rounds < 1:
            least = (FIRST + TOGETHER) * self.batch
            raise InputError(f"edge.most={self.most}: at least {least}, of {FIRST} values and {TOGETHER} more")
        a, b = self._ends
        self._width = (b - a) / 50 if self.tolerance is None else self.tolerance
        narrowest = (b - a) / (FIRST - 1) / (TOGETHER + 1.0) ** min(rounds, 100)
        if not max(narrowest, 1e-9 * max(abs(a), abs(b))) <= self._width < b - a:
            reached = f"over {narrowest:.2g}, which edge.most={self.most} could reach at best, and under {b - a:g}"
            raise InputError(f"edge.tolerance={self.tolerance}: {reached}")

    @property
    def networks(self) -> int:
        """How many it has been told of."""
        return sum(self._n)

    def ask(self) -> list[float]:
        """The values at which `batch` new networks each are to be tried next; none where the search is over."""
        a, b = self._ends
        if not self._x:
            return [self._value(u) for u in np.linspace(a, b, FIRST)]
        if self.networks + TOGETHER * self.batch > self.most:
            return []
        values, sides, n = self._sides()
        passes = _passes(sides)
        if passes > 1:  # chance may have it so once
            fits = self.networks + FIRST * self.batch <= self.most
            return [self._value(value) for value in values] if n.min() < 2 * self.batch and fits else []
        if passes == 0:
            unclear = np.flatnonzero(sides == 0)
            fewest = unclear[np.argsort(n[unclear])][:TOGETHER]
            return [self._value(value) for value in values[fewest]]
        low, _, high, places, weights = self._known()
        if high - low <= self._width:
            return []
        quantiles = np.interp((np.arange(TOGETHER) + 0.5) / TOGETHER, np.cumsum(weights), places)
        return [self._value(v) for v in np.unique(self._round(quantiles))]

    def tell(self, value: float, hits: int, n: int) -> None:
        """Of `n` networks at this value, `hits` have the outcome."""
        self._x.append(float(np.log(value)) if self.log else value)
        self._hits.append(hits)
        self._n.append(n)

    def tried(self) -> pd.DataFrame:
        """What it has been told of: one row a value, columns value, hits, n."""
        u, hits, n = self._pooled()
        return pd.DataFrame({"value": np.exp(u) if self.log else u, "hits": hits, "n": n})

    def result(self) -> Edge:
        """What is known now."""
        values, sides, _ = self._sides()
        passes = _passes(sides)
        if passes > 1:
            between = " and ".join(f"{self._shown(low)} to {self._shown(high)}" for low, high in self._crossings())
            return self._nowhere(f"{passes} edges, within {between}: search each by itself")
        if passes == 0 and (sides == 0).any():
            return self._nowhere("no edge can be told")
        if passes == 0:
            which = "more" if sides[0] > 0 else "less"
            return self._nowhere(f"no edge: {which} than {100 * self.share:g} % at all {len(values)} values tried")
        low, middle, high, _, _ = self._known()
        note = "" if high - low <= self._width else f"no further round fits into edge.most={self.most}"
        if self.log:
            low, middle, high = np.exp([low, middle, high])
        return Edge(float(middle), float(low), float(high), self.networks, note)

    @property
    def _ends(self) -> tuple[float, float]:
        return (float(np.log(self.low)), float(np.log(self.high))) if self.log else (self.low, self.high)

    def _value(self, u: float) -> float:
        """A value as it is tried: with no more digits than tell the tolerance."""
        rounded = float(self._round(np.array([u]))[0])
        return float(f"{np.clip(np.exp(rounded), self.low, self.high):.15g}") if self.log else rounded

    def _round(self, u: Array) -> Array:
        digits = int(np.ceil(-np.log10(self._width))) + 1
        a, b = self._ends
        rounded = np.array([float(f"{v:.15g}") for v in np.round(u, digits)])
        return np.where(u <= a, a, np.where(u >= b, b, rounded))

    def _pooled(self) -> tuple[Array, Array, Array]:
        """The values that were tried, rising, with how many networks had the outcome, of how many."""
        u, place = np.unique(self._round(np.array(self._x)), return_inverse=True)
        return u, np.bincount(place, self._hits).astype(float), np.bincount(place, self._n).astype(float)

    def _sides(self) -> tuple[Array, Array, Array]:
        """The values tried first, rising; of each 1 where clearly more than the share have the outcome, -1 where less,
        0 where that cannot be told; and how many networks were tried at each."""
        u, hits, n = self._pooled()
        first = np.isin(u, self._round(np.linspace(*self._ends, FIRST)))
        low, high = wilson(hits[first], n[first])
        return u[first], np.where(low > self.share, 1, np.where(high < self.share, -1, 0)), n[first]

    def _crossings(self) -> list[tuple[float, float]]:
        """The values between which the share is passed, each time."""
        u, sides, _ = self._sides()
        u, sides = u[sides != 0], sides[sides != 0]
        return [(u[k], u[k + 1]) for k in range(len(u) - 1) if sides[k] != sides[k + 1]]

    def _nowhere(self, note: str) -> Edge:
        return Edge(np.nan, np.nan, np.nan, self.networks, note)

    def _shown(self, u: float) -> str:
        return f"{np.exp(u) if self.log else u:g}"

    def _known(self) -> tuple[float, float, float, Array, Array]:
        """The distribution of the edge: the ends of its central interval and its median; places and their weights."""
        u, hits, n = self._pooled()
        (start, stop), (_, sides, _) = self._ends, self._sides()
        falling = sides[sides != 0][0] > 0
        widths = np.geomspace((stop - start) / 2, self._width / 2000, STEEPNESSES)
        # The place where the share is the one asked for, in widths from the middle of the curve.
        from_middle = float(logit((self.share - ODD) / (1 - 2 * ODD)))
        for _ in range(3):  # ever closer to where it is
            places = np.linspace(start, stop, PLACES)
            z = (
                (places[:, None] - u) / widths[:, None, None]
                if falling
                else (u - places[:, None]) / widths[:, None, None]
            )
            share = ODD + (1 - 2 * ODD) * expit(z + from_middle)
            with np.errstate(divide="ignore"):
                likelihood = (np.log(share) * hits + np.log1p(-share) * (n - hits)).sum(axis=2)
            weights = np.exp(likelihood - likelihood.max()).sum(axis=0)
            weights /= weights.sum()
            held = np.flatnonzero(weights > 1e-5 * weights.max())
            step = places[1] - places[0]
            start, stop = max(places[held[0]] - step, self._ends[0]), min(places[held[-1]] + step, self._ends[1])
        below = np.cumsum(weights) - weights / 2
        low, middle, high = np.interp([(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], below, places)
        return float(low), float(middle), float(high), places, weights


def _passes(sides: Array) -> int:
    """How often the share is clearly passed."""
    clear = sides[sides != 0]
    return int((clear[1:] != clear[:-1]).sum())
