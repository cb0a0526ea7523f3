"""The search for a change that helps: losers are dropped early, and the winner is confirmed on networks of its own.

Knows nothing of networks: what is tried is given, and what became of it asked for. Replicates are numbered; those up to
`CHOSEN_BY` are for choosing, and those after it are only ever used to say how often the chosen one converges, so that
its interval is as good as if it had been named beforehand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

FIRST_LOOK = 4
"""Replicates of everything that is tried."""
CHOSEN_BY = 16
"""Replicates of what is left after the first look."""
CONFIRMED_BY = 64
"""Further replicates of the one that is chosen."""
AT_ONCE = 32
"""... which are trained so many at once; where time is short, the first of these are all."""
MOST_KEPT = 4
"""So many are kept after the first look at most, or half, if that is more: those of which any network converged, and
the first ones where none did of any."""


PAIRS = 4
"""So many pairs at most are looked at: the best change with each of the next."""


class Tried(Protocol):
    """A change: how many settings it changes."""

    @property
    def size(self) -> int: ...


AnyTried = TypeVar("AnyTried", bound=Tried)


@dataclass
class Tally(Generic[AnyTried]):
    """What became of one change: of the first `n` replicates, which are for choosing, and of the `confirmed` ones after
    `CHOSEN_BY`, how many converged."""

    change: AnyTried
    n: int = 0
    converged: int = 0
    confirmed: int = 0
    confirmed_converged: int = 0

    @property
    def rate(self) -> float:
        """The share that converged of those it is chosen by."""
        return self.converged / self.n if self.n else 0.0


@dataclass
class Search(Generic[AnyTried]):
    """tallies: of all that was tried, in the order in which it was.  chosen: the best of them, or None where nothing
    was better than it is.  untried: what there was no time for."""

    tallies: list[Tally[AnyTried]] = field(default_factory=list)
    chosen: Tally[AnyTried] | None = None
    untried: list[AnyTried] = field(default_factory=list)


def search(
    changes: Sequence[AnyTried],
    before: float,
    evaluate: Callable[[AnyTried, int, int], int],
    together: Callable[[AnyTried, AnyTried], AnyTried | None] = lambda first, second: None,
    has_time: Callable[[], bool] = lambda: True,
) -> Search[AnyTried]:
    """Try the changes, each alone and then the best with each of the next, and confirm the best of all.

    before: the rate without any.  evaluate: of a change, the number of its replicates from number `first` to before
    `stop` that converged.  together: both of two changes, or None where they do not go together.  has_time: whether
    there is time to go on.
    """
    result: Search[AnyTried] = Search()

    def look(tally: Tally[AnyTried], stop: int) -> None:
        if stop > tally.n:
            tally.converged += evaluate(tally.change, tally.n, stop)
            tally.n = stop

    for change in changes:
        if result.tallies and not has_time():
            result.untried.append(change)
            continue
        result.tallies.append(Tally(change))
        look(result.tallies[-1], FIRST_LOOK)
    hopeful = [tally for tally in result.tallies if tally.converged] or result.tallies
    kept = _best(hopeful)[: max(MOST_KEPT, len(result.tallies) // 2)]
    for tally in kept:
        if tally is kept[0] or has_time():
            look(tally, CHOSEN_BY)
    whole = _best([tally for tally in kept if tally.n == CHOSEN_BY])
    if whole and whole[0].rate < 1:
        pairs: list[Tally[AnyTried]] = []
        untried: list[AnyTried] = []
        for partner in [*whole[1:], *(tally for tally in _best(result.tallies) if tally not in whole)]:
            both = together(whole[0].change, partner.change)
            if both is None or len(pairs) + len(untried) == PAIRS:
                continue
            if not has_time():
                untried.append(both)
                continue
            pairs.append(Tally(both))
            look(pairs[-1], FIRST_LOOK)
        result.tallies += pairs
        result.untried += untried
        for tally in _best(pairs)[:1]:
            if tally.rate >= whole[0].rate and has_time():
                look(tally, CHOSEN_BY)
                whole = _best([*whole, tally])
    if whole and whole[0].rate > before:
        result.chosen = whole[0]
        _confirm(result.chosen, evaluate, has_time)
    return result


def _confirm(
    tally: Tally[AnyTried], evaluate: Callable[[AnyTried, int, int], int], has_time: Callable[[], bool]
) -> None:
    """Train the replicates after those that a change was chosen by, in equal parts, as many as there is time for. How
    many that are does not hang on what becomes of them."""
    while tally.confirmed < CONFIRMED_BY and (not tally.confirmed or has_time()):
        first = CHOSEN_BY + tally.confirmed
        tally.confirmed_converged += evaluate(tally.change, first, first + AT_ONCE)
        tally.confirmed += AT_ONCE


def _best(tallies: Sequence[Tally[AnyTried]]) -> list[Tally[AnyTried]]:
    """By their rate, and then by how small the change is; of equal ones, the first first."""
    return sorted(tallies, key=lambda tally: (-tally.rate, tally.change.size))
