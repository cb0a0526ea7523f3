"""Cells read back from MLflow: which there are, how they were asked for, and their artifacts.

Loads MLflow no earlier than a store is opened, and neither Hydra nor Matplotlib.
"""

import io
import json
import logging
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from initodds.tracking import identity, stored_settings
from initodds.tracking.parts import CellRun, Part, parts_of
from initodds.tracking.records import DIAGNOSIS, HISTORY, REPLICATES
from initodds.tracking.store import Store, search, store_errors
from initodds.tracking.stored_settings import StoredSettings
from initodds.vocabulary import OUTCOMES, InputError, one_line

Array = np.ndarray

logger = logging.getLogger(__name__)

CELLS = "cells.json"
"""The artifact of a sweep's run that says which cells it asked for, see `Asked`."""


@dataclass(frozen=True)
class Asked:
    """A cell as it was asked for, in a sweep or alone. Two may ask for the same networks, under other names.

    name: what was set for it on the command line.  params: its settings, as text, by their keys.  replicates: how many
    were asked for.  error: why it cannot be run; "" where it can, and its fingerprint is "" otherwise.
    """

    name: str
    fingerprint: str
    params: dict[str, str]
    replicates: int
    error: str = ""


@dataclass(frozen=True)
class TrackedCell:
    """What is tracked of a cell that was asked for."""

    asked: Asked
    parts: list[Part]

    @property
    def replicates(self) -> int:
        """How many of its replicates are tracked."""
        return self.parts[-1].stop if self.parts else 0


def finished_runs(store: Store) -> dict[str, list[CellRun]]:
    """The finished runs of all cells by their fingerprints, the first started first.

    Runs of an earlier version are given their fingerprint, once, if the store can be written. One whose settings cannot
    be read, as they are of a later version, is left out, with a warning of one line.
    """
    by_fingerprint: dict[str, list[CellRun]] = {}
    for run in search(store, "tags.level = 'cell' and attributes.status = 'FINISHED'"):
        try:
            cell_run = _cell_run(store, run)
        except InputError as error:
            logger.warning("%s; it is left out", error)
        else:
            by_fingerprint.setdefault(cell_run.fingerprint, []).append(cell_run)
    return by_fingerprint


def runs_of_cell(store: Store, fingerprint: str) -> list[CellRun]:
    """The finished runs of the cell with this fingerprint, the first started first. Those of an earlier version are
    among them once `finished_runs` has seen them."""
    condition = f"tags.level = 'cell' and attributes.status = 'FINISHED' and tags.`{identity.TAG}` = '{fingerprint}'"
    return [_cell_run(store, run) for run in search(store, condition)]


def tracked_cells(
    store: Store, sweep: str | None = None, runs: Mapping[str, list[CellRun]] | None = None
) -> list[TrackedCell]:
    """The cells of a sweep that have any replicate, in the order of their places, each with as many replicates as the
    sweep asked for at most; or all cells that there are, each once and whole, under the names that it was first run
    with, in the order of the sweeps that ran them first and of their places in them.

    runs: those of `finished_runs`, where they have been read already.
    """
    runs = finished_runs(store) if runs is None else runs
    if sweep is not None:
        asked = [cell for cell in asked_by(store, sweep, runs) if not cell.error]
        cells = [TrackedCell(cell, parts_of(runs.get(cell.fingerprint, []), cell.replicates)) for cell in asked]
    else:
        wholes = [(alike[0], parts_of(alike)) for alike in _in_order(runs.values())]
        cells = [TrackedCell(_as_run(first, parts[-1].stop), parts) for first, parts in wholes if parts]
    return [cell for cell in cells if cell.parts]


def distinct(cells: Sequence[TrackedCell]) -> list[TrackedCell]:
    """The cells without those whose networks another one has too, so that no network is among them twice."""
    longest: dict[str, TrackedCell] = {}
    for cell in cells:
        known = longest.get(cell.asked.fingerprint)
        if known is None or known.replicates < cell.replicates:
            longest[cell.asked.fingerprint] = cell
    return list(longest.values())


def asked_by(store: Store, sweep: str, runs: Mapping[str, Sequence[CellRun]]) -> list[Asked]:
    """The cells that a sweep asked for, in the order of their places. `runs`: those of `finished_runs`.

    Version 0.1.0 kept no list of them, but gave each cell's run a tag with its place.
    """
    if CELLS not in [file.path for file in store.client.list_artifacts(sweep)]:
        return _asked_by_tags(store, sweep, runs)
    try:
        return [Asked(**cell) for cell in json.loads(artifact(store, sweep, CELLS))["cells"]]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"sweep {sweep}: its {CELLS} cannot be read ({one_line(error)[:200]})") from error


def asked_text(cells: Sequence[Asked]) -> str:
    """The content of `CELLS`."""
    return json.dumps({"schema": 1, "cells": [vars(cell) for cell in cells]}, indent=1)


def counts_of(store: Store, cells: Sequence[TrackedCell]) -> pd.DataFrame:
    """One row a cell: its params as text under the names that it was asked for with, and the count of each of
    `OUTCOMES`."""
    rows = []
    for cell in cells:
        counts = dict.fromkeys(OUTCOMES, 0)
        for part in cell.parts:
            if part.is_whole:
                counts_of_part = {outcome: int(part.run.metrics[f"count/{outcome}"]) for outcome in OUTCOMES}
            else:
                counts_of_part = rows_of(read_replicates(store, part.run.id), part)["outcome"].value_counts().to_dict()
            counts = {outcome: count + counts_of_part.get(outcome, 0) for outcome, count in counts.items()}
        rows.append({**cell.asked.params, **counts})
    return pd.DataFrame(rows)


def failed_cells(
    store: Store, sweep: str, runs: Mapping[str, Sequence[CellRun]] | None = None
) -> list[tuple[str, str]]:
    """(name, error) of the sweep's cells that have not all the replicates that it asked for, each as it ended last.
    `runs` as for `tracked_cells`."""
    runs = finished_runs(store) if runs is None else runs
    failed = []
    for place, cell in enumerate(asked_by(store, sweep, runs)):
        parts = parts_of(runs.get(cell.fingerprint, []), cell.replicates)
        if cell.error or not parts or parts[-1].stop < cell.replicates:
            failed.append((place, cell))
    if not failed:
        return []
    ended = {run.data.tags.get("job"): run for run in search(store, f"tags.level = 'cell' and tags.sweep = '{sweep}'")}
    return [(cell.name, cell.error or _end_of(ended.get(str(place)))) for place, cell in failed]


def _end_of(run: Any) -> str:
    """How a run of MLflow's has ended; None is of a cell that has none."""
    return str(run.data.tags.get("error", run.info.status.lower())) if run else "it was not run"


def children(store: Store, parent: str, level: str) -> list[Any]:
    """The runs of this level under a run, the first started first."""
    return search(store, f"tags.`mlflow.parentRunId` = '{parent}' and tags.level = '{level}'")


def rows_of(frame: pd.DataFrame, part: Part) -> pd.DataFrame:
    """The rows of a frame with the column replicate that belong to a part of a cell."""
    return frame[frame["replicate"].between(part.first, part.stop - 1)]


def artifact(store: Store, run_id: str, name: str) -> bytes:
    """The content of a run's artifact. Raises InputError where it has none of that name, or it cannot be read."""
    try:
        if (local := _folder_of(store, run_id)) is not None:
            return (local / name).read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            return Path(store.client.download_artifacts(run_id, name, folder)).read_bytes()
    except store_errors() as error:
        raise InputError(f"run {run_id}: its artifact {name} cannot be read ({one_line(error)[:200]})") from error


def _folder_of(store: Store, run_id: str) -> Path | None:
    """Where a run's artifacts lie, if in a folder of this machine: to read them there takes a tenth of the time. Most
    often it is where MLflow puts them, and the store need not be asked."""
    usual = Path(store.location, run_id, "artifacts")
    if store.location.startswith("/") and usual.is_dir():
        return usual
    uri = str(store.client.get_run(run_id).info.artifact_uri)
    return Path(uri) if uri.startswith("/") else None


def read_settings(store: Store, run_id: str) -> StoredSettings:
    """The settings of a cell's run. Raises InputError where they cannot be read."""
    return stored_settings.from_text(artifact(store, run_id, stored_settings.NAME), f"run {run_id}")


def read_replicates(store: Store, run_id: str) -> pd.DataFrame:
    """The `replicates_frame` of a cell's run, with the column run_id, "" where a replicate has no run of its own.

    Raises InputError where the run does not have it.
    """
    content = artifact(store, run_id, REPLICATES)
    try:
        return pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError) as error:  # pyarrow's errors are of these
        raise InputError(f"run {run_id}: its artifact {REPLICATES} cannot be read ({one_line(error)[:200]})") from error


def read_arrays(store: Store, run_id: str, name: str = HISTORY) -> dict[str, Array]:
    """The arrays of the artifact `records.HISTORY` or `records.WEIGHTS` of a cell's run.

    Raises InputError where it does not have it.
    """
    content = artifact(store, run_id, name)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"run {run_id}: its artifact {name} cannot be read ({one_line(error)[:200]})") from error


def _cell_run(store: Store, run: Any) -> CellRun:
    """A finished cell's run of MLflow's, with its fingerprint; one that has none yet is given it."""
    tags = run.data.tags
    if identity.TAG in tags and DIAGNOSIS in tags:
        fingerprint, diagnosis = tags[identity.TAG], json.loads(tags[DIAGNOSIS])
    else:
        stored = read_settings(store, run.info.run_id)
        fingerprint, diagnosis = stored.fingerprint, stored.settings["diagnosis"]
        with suppress(*store_errors()):  # a store that can only be read is read just the same
            store.client.set_tag(run.info.run_id, DIAGNOSIS, json.dumps(diagnosis))
            store.client.set_tag(run.info.run_id, identity.TAG, fingerprint)
    return CellRun(
        id=run.info.run_id,
        fingerprint=fingerprint,
        first=int(run.data.params["first"]),
        replicates=int(run.data.metrics["replicates"]),
        start=run.info.start_time,
        diagnosis=diagnosis,
        params={key: value for key, value in run.data.params.items() if key != "first"},
        metrics=run.data.metrics,
        tags=tags,
    )


def _as_run(run: CellRun, replicates: int) -> Asked:
    """A cell under the names of one of its runs."""
    return Asked("", run.fingerprint, {**run.params, "replicates": str(replicates)}, replicates)


def _in_order(cells: Iterable[list[CellRun]]) -> list[list[CellRun]]:
    """Cells in the order in which the sweeps began that ran them first, and of their places there."""
    alone_or_sweep = [(alike[0].tags.get("sweep") or alike[0].id, alike) for alike in cells]
    began: dict[str, int] = {}
    for sweep, alike in alone_or_sweep:
        began[sweep] = min(began.get(sweep, alike[0].start), alike[0].start)
    ordered = sorted(alone_or_sweep, key=lambda item: (began[item[0]], item[0], int(item[1][0].tags.get("job", 0))))
    return [alike for _, alike in ordered]


def _place_tag(sweep: str) -> str:
    """The tag that version 0.1.0 gave each cell's run for each sweep that it belonged to."""
    return f"sweep/{sweep}"


def _asked_by_tags(store: Store, sweep: str, runs: Mapping[str, Sequence[CellRun]]) -> list[Asked]:
    """What a sweep of version 0.1.0 asked for, as far as its cells' runs tell."""
    tag = _place_tag(sweep)
    finished = {run.id: run for alike in runs.values() for run in alike if tag in run.tags}
    by_place: dict[int, list[Any]] = {}
    for run in search(store, f"tags.level = 'cell' and tags.`{tag}` LIKE '%'"):
        by_place.setdefault(int(run.data.tags[tag]), []).append(run)
    asked = []
    for _, members in sorted(by_place.items()):
        done = [finished[run.info.run_id] for run in members if run.info.run_id in finished]
        if done:
            asked.append(_as_run(done[0], max(run.stop for run in done)))
        else:
            last = members[-1]
            error = last.data.tags.get("error", last.info.status.lower())
            asked.append(Asked(last.info.run_name, "", dict(last.data.params), 0, error))
    return asked
