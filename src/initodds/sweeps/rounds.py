"""Rounds of replicates: each cell of a sweep, or one alone, goes on until its rates are known as precisely as was
asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from initodds.cells.settings import Settings
from initodds.statistics.precision import needed, require_precision
from initodds.sweeps import plan
from initodds.sweeps.composing import Composer
from initodds.sweeps.plan import Planned
from initodds.tracking import reading
from initodds.tracking.parts import parts_of
from initodds.tracking.reading import Asked, TrackedCell
from initodds.tracking.store import Store
from initodds.vocabulary import OUTCOMES, InputError


@dataclass(frozen=True)
class Precision:
    """What is asked for: intervals of plus or minus so much at most, and up to how many networks a cell."""

    half_width: float
    most: int


def precision_of(config: DictConfig) -> Precision | None:
    """The `precision` of a composed config; None where it asks for none. Raises InputError for a bad value."""
    if config.precision is None:
        return None
    require_precision(config.precision, config.replicates_most, config.replicates)
    return Precision(float(config.precision), int(config.replicates_most))


def require_none(overrides: Sequence[str], config: DictConfig, searched: bool) -> None:
    """Raise InputError where the number of a sweep's replicates is asked for in a way that nothing would heed:
    `precision` of a search for an edge, which has its own, or several of `precision` or `replicates_most`.

    overrides: of the sweep, as the user has them.  searched: whether one of them is an interval.
    """
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.get_key_element() in ("precision", "replicates_most") and override.is_sweep_override():
            raise InputError(f"{override.input_line}: one value for all cells of a sweep")
    if searched and config.precision is not None:
        raise InputError(
            f"precision={config.precision}: null beside an interval, whose edge.tolerance says how narrowly"
        )


def enough(store: Store, asked: Asked, settings: Settings, precision: Precision) -> int:
    """How many replicates a cell is to have, by what its replicates have become so far."""
    parts = parts_of(reading.runs_of_cell(store, asked.fingerprint), asked.replicates)
    if not parts or parts[-1].stop < asked.replicates:  # it failed
        return asked.replicates
    row = reading.counts_of(store, [TrackedCell(asked, parts)]).iloc[0]
    counts = [int(row[outcome]) for outcome in OUTCOMES]
    return needed(counts, precision.half_width, settings.replicates, precision.most)


def next_round(
    store: Store,
    planned: Sequence[Planned],
    rounds: Sequence[int],
    precision: Precision,
    composer: Composer,
) -> list[Planned]:
    """The cells of a sweep with as many replicates as each is to have next; those that have enough as they are.

    rounds: how many replicates each had in its first round.
    """
    cells = []
    for cell, first in zip(planned, rounds, strict=True):
        more = cell.asked.replicates
        if cell.settings is not None:
            more = enough(store, cell.asked, cell.settings.model_copy(update={"replicates": first}), precision)
        if more > cell.asked.replicates:
            # What is to be done again has been so in the first round.
            (again,) = plan.read([[*cell.overrides, f"replicates={more}", "tracking.rerun=false"]], composer)
            params = {**cell.asked.params, "replicates": str(more)}
            # Under the names that it was first asked for with.
            asked = replace(cell.asked, params=params, replicates=more)
            cells.append(replace(again, place=cell.place, asked=asked))
        else:
            cells.append(cell)
    return cells
