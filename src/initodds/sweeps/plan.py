"""A sweep before it starts: its cells, which of them are tracked already, and its run, new or taken up again."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hydra.errors import HydraException

from initodds.cells import config
from initodds.cells.config import Settings
from initodds.sweeps.jobs import cell_name, swept_keys
from initodds.tracking import cell_runs
from initodds.tracking.store import Run, Store, environment, search
from initodds.vocabulary import InputError


@dataclass(frozen=True)
class Planned:
    """One cell of a sweep: its place there, what was set for it, and its settings and fingerprint, or why it cannot be
    run."""

    place: int
    overrides: list[str]
    settings: Settings | None = None
    fingerprint: str = ""
    error: Exception | None = None


def read(cells: Iterable[list[str]], compose: Callable[[list[str]], Any]) -> list[Planned]:
    """The cells with these overrides, each composed and checked, its data included."""
    planned = []
    for place, overrides in enumerate(cells):
        try:
            settings = config.read(compose(overrides))
            fingerprint = cell_runs.fingerprint(settings, config.dataset(settings).sha256)
            planned.append(Planned(place, overrides, settings, fingerprint))
        except (HydraException, InputError) as error:
            planned.append(Planned(place, overrides, error=error))
    return planned


def sweep_run(store: Store, planned: list[Planned], name: str, rerun: bool) -> Run:
    """The run of the sweep with these cells: a new one, or the one that an earlier start of the same sweep has made.

    It is not taken up where it is to be done again, or where another process is still at it.
    """
    marks = sorted({cell.fingerprint or cell_name(cell.overrides) for cell in planned})
    key = hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:32]
    tags = {**environment(), "key": key, "swept": ",".join(swept_keys([cell.overrides for cell in planned]))}
    earlier = [] if rerun else search(store, f"tags.level = 'sweep' and tags.key = '{key}'")
    if earlier and earlier[-1].info.status != "RUNNING":
        return Run.again(store, earlier[-1].info.run_id, tags)
    return Run(store, name, "sweep", None, tags)


def to_do(store: Store, sweep: str, planned: list[Planned], rerun: bool) -> list[list[str]]:
    """The overrides of the cells that have to be run. Those that are tracked already become members of the sweep; those
    that cannot be run get a failed run."""
    finished = search(store, "tags.level = 'cell' and attributes.status = 'FINISHED'")
    tracked = {} if rerun else cell_runs.by_fingerprint(finished)
    todo = []
    for cell in planned:
        if cell.settings is None:
            tags = {cell_runs.member_tag(sweep): str(cell.place), "sweep": sweep}
            failed = Run(store, cell_name(cell.overrides), "cell", sweep, tags)
            failed.broken_off("FAILED", cell.error or InputError("not accepted"))
            continue
        runs = cell_runs.whole(tracked.get(cell.fingerprint, []))
        if sum(cell_runs.replicates_of(run) for run in runs) < cell.settings.replicates:
            todo.append([*cell.overrides, f"tracking.job={cell.place}"])
            continue
        cell_runs.join(store, runs, sweep, cell.place)
    return todo
