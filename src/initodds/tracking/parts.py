"""Which runs together are a cell, and what is missing of it. Pure functions of what the runs say of themselves.

A cell that is asked for more replicates than it has gets a second run, for the others; one that is asked for more of a
diagnosis gets a run that has it all. Of the runs that have a replicate, the newest is taken for it.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

_EXTENT = {"none": 0, "stuck": 1, "failed": 2, "all": 3, False: 0, True: 3}
"""How much the values of the settings in group diagnosis ask for."""


@dataclass(frozen=True, eq=False)
class CellRun:
    """A finished run of a cell: replicates `first` to `first + replicates - 1`.

    start: when it started, ms since 1970.  diagnosis: the settings of that group that it was run with.  params,
    metrics, tags: as the store has them.
    """

    id: str
    fingerprint: str
    first: int
    replicates: int
    start: int
    diagnosis: Mapping[str, Any]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]

    @property
    def stop(self) -> int:
        """The number after that of its last replicate."""
        return self.first + self.replicates


@dataclass(frozen=True)
class Part:
    """The replicates `first` to `stop - 1` of a cell, which are taken from this run."""

    run: CellRun
    first: int
    stop: int

    @property
    def is_whole(self) -> bool:
        """Whether these are all replicates of its run."""
        return (self.first, self.stop) == (self.run.first, self.run.stop)


@dataclass(frozen=True)
class Missing:
    """What has to be done of a cell: the replicates from `first` on, with these settings of group diagnosis."""

    first: int
    diagnosis: dict[str, Any]


def parts_of(runs: Sequence[CellRun], replicates: int | None = None) -> list[Part]:
    """The parts that together are the cell whose runs these are: replicates 0, 1, ... without a gap, each once, as far
    as they go, or up to `replicates` of them."""
    end = max((run.stop for run in runs), default=0) if replicates is None else replicates
    bounds = sorted({0, end, *(bound for run in runs for bound in (run.first, run.stop) if bound < end)})
    parts: list[Part] = []
    for first, stop in itertools.pairwise(bounds):
        having = [run for run in runs if run.first <= first and stop <= run.stop]
        if not having:
            break
        newest = max(having, key=lambda run: (run.start, run.id))
        if parts and parts[-1].run is newest:
            first = parts.pop().first
        parts.append(Part(newest, first, stop))
    return parts


def parts_between(runs: Sequence[CellRun], first: int, stop: int) -> list[Part]:
    """The parts that together are the replicates `first` to `stop - 1` of a cell; none where one is not there."""
    parts = [Part(part.run, max(part.first, first), part.stop) for part in parts_of(runs, stop) if part.stop > first]
    return parts if parts and parts[-1].stop == stop else []


def missing(runs: Sequence[CellRun], replicates: int, diagnosis: Mapping[str, Any]) -> Missing | None:
    """What has to be done so that so many replicates are there, diagnosed as far as asked; None where that is so.

    What is done again loses nothing that it had: it is diagnosed as far as any of the runs that it takes the place of.
    """
    parts = parts_of(runs, replicates)
    first = 0
    for part in parts:
        if not covers(part.run.diagnosis, diagnosis):
            break
        first = part.stop
    if first >= replicates:
        return None
    return Missing(
        first, reduce(_together, (part.run.diagnosis for part in parts if part.stop > first), dict(diagnosis))
    )


def covers(done: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether a diagnosis that was `done` has all that is `asked` for: both are settings of that group."""
    return all(_extent(done.get(key), value) >= _extent(value, value) for key, value in asked.items())


def _together(asked: dict[str, Any], done: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a diagnosis that has what each of the two has."""
    return {
        key: done[key] if _extent(done.get(key), value) > _extent(value, value) else value
        for key, value in asked.items()
    }


def _extent(value: Any, asked: Any) -> int:
    """How much a value asks for; of one that is on no scale, only the very same is enough."""
    if isinstance(value, str | bool) and value in _EXTENT:
        return _EXTENT[value]
    return 1 if value == asked else 0
