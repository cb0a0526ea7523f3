"""Trained cells that the tracking store did not take: kept on disk, and written at the next start."""

import hashlib
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

from initodds.cells.cell import Cell
from initodds.cells.config import Settings
from initodds.tracking import cell_runs
from initodds.tracking.store import Run, Store, open_run, patiently, store_errors
from initodds.vocabulary import InputError, one_line

FOLDER = Path("outputs/unsent")
"""In the folder that the command runs in."""


@dataclass(frozen=True)
class Unsent:
    """A trained cell, and what its run has to have: its name, the sweep it lies under, its tags."""

    name: str
    parent: str | None
    tags: dict[str, str]
    settings: Settings
    choices: dict[str, str]
    cell: Cell

    def write(self, store: Store) -> None:
        """Write it to a run of its own."""
        with open_run(store, self.name, "cell", self.parent, self.tags) as run:
            cell_runs.write_cell(run, self.settings, self.choices, self.cell)


def write_again(run: Run, unsent: Unsent, error: Exception) -> None:
    """Write a cell anew, after the store has failed with `error` while `run` was written: with more and more patience,
    and when that is at its end, to disk, for the next start. Raises InputError then."""
    tracked = unsent.settings.tracking
    try:
        patiently(lambda: unsent.write(run.store), tracked.patience, error)
    except store_errors() as last:
        raise InputError(
            f"tracking.uri={tracked.uri}: could not be written for {tracked.patience:.0f} s ({one_line(last)[:200]});"
            f" {keep(unsent)}"
        ) from last


def keep(unsent: Unsent) -> str:
    """Put it on disk; returns what to say of that."""
    content = pickle.dumps(unsent)
    path = FOLDER / f"{hashlib.sha256(content).hexdigest()[:16]}.pickle"
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".part").write_bytes(content)
        path.with_suffix(".part").rename(path)
    except OSError as error:
        return f"nor could the cell's result be kept in {FOLDER} ({one_line(error)}): it is lost"
    return f"the cell's result is kept in {FOLDER}, and will be written at the next start"


def send(store: Store) -> int:
    """Write the cells that are kept in `FOLDER` to the store, and say so; returns their number."""
    paths = sorted(FOLDER.glob("*.pickle"))
    for path in paths:
        unsent = pickle.loads(path.read_bytes())
        unsent.write(store)
        path.unlink()
        print(f"tracking: {unsent.name}, which was kept on disk, is written", file=sys.stderr)
    return len(paths)
