"""A sweep before it starts: its cells, which of them are tracked already, and its run, new or taken up again."""

import hashlib
import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hydra.errors import HydraException

from initodds.cells import config
from initodds.cells.settings import Settings
from initodds.sweeps.composing import Composer
from initodds.sweeps.jobs import asked_for, cell_name, name_of, swept_keys
from initodds.sweeps.names import swept_part
from initodds.tracking import parts, reading
from initodds.tracking.reading import Asked
from initodds.tracking.records import GROUPS
from initodds.tracking.store import Run, Store, search
from initodds.tracking.writers import environment
from initodds.vocabulary import InputError, one_line


@dataclass(frozen=True)
class Planned:
    """One cell of a sweep: its place there, what was set for it, what that asks for, and its settings, or why it cannot
    be run."""

    place: int
    overrides: list[str]
    asked: Asked
    settings: Settings | None = None
    error: Exception | None = None

    def told(self) -> str:
        """Why it cannot be run, with its name where the reason does not begin with it."""
        name, reason = self.asked.name, self.asked.error
        return reason if reason.startswith(name) else f"{name}: {reason}"

    @property
    def fingerprint(self) -> str:
        """What identifies the cell; "" for one that cannot be run."""
        return self.asked.fingerprint


def read(cells: Iterable[list[str]], composer: Composer) -> list[Planned]:
    """The cells with these overrides, each composed and checked, its data included; of those that are asked for twice
    under the same names, as by 3,3.0, one."""
    every = list(cells)
    swept = swept_keys(every)
    planned: dict[Hashable, Planned] = {}
    for overrides in every:
        try:
            composed = composer.cell(overrides)
            settings = config.read_own(composed.own)
            name = name_of(overrides, settings, swept)
            asked = asked_for(settings, composed.choices, name, _swept_values(overrides, swept))
            new = Planned(len(planned), overrides, asked, settings)
        except (HydraException, InputError) as error:
            name = swept_part(overrides, swept)
            new = Planned(len(planned), overrides, Asked(name, "", {}, 0, one_line(error)), error=error)
        planned.setdefault(_under_its_names(new), new)
    return list(planned.values())


def _under_its_names(cell: Planned) -> Hashable:
    """What two cells have in common that are the same networks under the same names, and as many."""
    return (
        (cell.fingerprint, cell.asked.replicates, *cell.asked.params.items()) if cell.fingerprint else cell.asked.name
    )


def sweep_run(
    store: Store,
    planned: Sequence[Planned],
    name: str,
    rerun: bool,
    key: str | None = None,
    swept: Sequence[str] | None = None,
) -> Run:
    """The run of the sweep with these cells, with the list of them: a new one, or the one that an earlier start of the
    same sweep has made.

    It is not taken up where it is to be done again, or where another process is still at it. The same sweep is one of
    the same cells under the same names; it may ask for more replicates, or for more of a diagnosis.

    key, swept: what identifies it, and the keys that its cells differ in, where these cells are not all.
    """
    varied = swept_keys([cell.overrides for cell in planned]) if swept is None else swept
    tags = {**environment(), "key": key or _key(planned), "swept": ",".join(varied)}
    earlier = [] if rerun else search(store, f"tags.level = 'sweep' and tags.key = '{tags['key']}'")
    if earlier and earlier[-1].info.status != "RUNNING":
        run = Run.again(store, earlier[-1].info.run_id, tags)
    else:
        run = Run(store, name, "sweep", None, tags)
    list_cells(run, planned)
    return run


def list_cells(run: Run, planned: Sequence[Planned]) -> None:
    """Say in a sweep's run which cells it has."""
    run.client.log_text(run.id, reading.asked_text([cell.asked for cell in planned]), reading.CELLS)


def to_do(
    store: Store, sweep: str, planned: Sequence[Planned], runs: Mapping[str, Sequence[parts.CellRun]]
) -> list[list[str]]:
    """The overrides of the cells that have to be run. Those that cannot be run get a failed run.

    Of several that ask for the same networks, those are left out that ask for no more than another one does.
    runs: those that count, by their fingerprints, as `reading.finished_runs` has them.
    """
    told: set[tuple[str | None, str | None]] = set()
    if any(cell.settings is None for cell in planned):
        refused = search(store, f"tags.level = 'cell' and tags.sweep = '{sweep}' and attributes.status = 'FAILED'")
        told = {(run.data.tags.get("job"), run.data.tags.get("error")) for run in refused}
    chosen: list[Planned] = []
    for cell in planned:
        if cell.settings is None and (str(cell.place), cell.asked.error[:1000]) in told:
            continue  # by an earlier start of the sweep
        if cell.settings is None:
            tags = {"sweep": sweep, "job": str(cell.place)}
            failed = Run(store, cell.asked.name, "cell", sweep, tags)
            failed.broken_off("FAILED", cell.error or InputError("not accepted"))
        elif _missing(cell, runs) and not any(_asks_no_more(cell, other) for other in chosen):
            chosen = [other for other in chosen if not _asks_no_more(other, cell)]
            chosen.append(cell)
    return [[*cell.overrides, f"tracking.job={cell.place}"] for cell in chosen]


def _missing(cell: Planned, runs: Mapping[str, Sequence[parts.CellRun]]) -> bool:
    """Whether anything has to be done of a cell."""
    assert cell.settings is not None
    of_cell = runs.get(cell.fingerprint, [])
    return parts.missing(of_cell, cell.settings.replicates, cell.settings.diagnosis.model_dump()) is not None


def _asks_no_more(cell: Planned, other: Planned) -> bool:
    """Whether a cell asks for networks that another one asks for as well, and for no more of them."""
    assert cell.settings is not None
    assert other.settings is not None
    return (
        cell.fingerprint == other.fingerprint
        and cell.settings.replicates <= other.settings.replicates
        and parts.covers(other.settings.diagnosis.model_dump(), cell.settings.diagnosis.model_dump())
    )


def _key(planned: Sequence[Planned]) -> str:
    """What identifies a sweep: its cells and the options that it names them by, in any order."""
    marks = sorted(
        [cell.fingerprint or cell_name(cell.overrides), *(cell.asked.params.get(group, "") for group in GROUPS)]
        for cell in planned
    )
    return hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:32]


def _swept_values(overrides: Sequence[str], swept: Sequence[str]) -> dict[str, str]:
    """The values of the swept keys in a cell, as they were given, but for those that say where it is tracked."""
    values = dict(override.split("=", 1) for override in overrides if "=" in override)
    return {key: values[key] for key in swept if key in values and not key.startswith(("tracking", "hydra"))}
