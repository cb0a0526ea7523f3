"""A tracked run that a command is asked about: found by the beginning of its id, its weights read, diagnosed again."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from initodds.cells import cell
from initodds.cells.settings import Settings
from initodds.cells.subject import subject_of
from initodds.tracking import reading, records, stored_settings
from initodds.tracking.store import Store, search
from initodds.vocabulary import InputError

if TYPE_CHECKING:
    from initodds.verdicts.diagnosis import Diagnosis


def find_run(store: Store, beginning: str) -> Any:
    """The finished run of a cell or a replicate whose id begins so.

    Raises InputError where there is none, several, or the cell has not come to its end.
    """
    runs = search(store, f"attributes.run_id LIKE '{beginning}%'") if re.fullmatch("[0-9a-f]+", beginning) else []
    if not runs:
        raise InputError(f"RUN_ID={beginning}: there is no such run; the id of a replicate's or a cell's")
    if len(runs) > 1:
        ids = ", ".join(run.info.run_id for run in runs[:5])
        raise InputError(f"RUN_ID={beginning}: {len(runs)} runs begin so, {ids}; more of the id is needed")
    (run,) = runs
    level, status = run.data.tags.get("level", "run"), run.info.status
    if level not in ("cell", "replicate"):
        raise InputError(f"RUN_ID={beginning}: is a {level}; a replicate's or a cell's is needed")
    if status != "FINISHED":
        error = run.data.tags.get("error", "")
        raise InputError(
            f"RUN_ID={beginning}: was not trained to its end: {status.lower()}" + f", {error}" * bool(error)
        )
    return run


def diagnose_run(
    store: Store, run: Any, data_root: str | None, on_step: Callable[[str], None] = lambda stage: None
) -> "Diagnosis":
    """The diagnosis, curvature included, of the networks whose weights a replicate's or a cell's run of MLflow's has.
    `on_step` is called often, with what is being done in a few words.

    Raises InputError where its weights were not kept, or the data are no longer the same.
    """
    is_replicate = run.data.tags.get("level") == "replicate"
    cell_id = run.data.tags["mlflow.parentRunId"] if is_replicate else run.info.run_id
    arrays = weights_of(store, cell_id, int(run.data.params["replicate"]) if is_replicate else None)
    stored = reading.read_settings(store, cell_id)
    settings = with_data_root(stored_settings.validated(stored, f"run {cell_id}"), data_root)
    subject = subject_of(settings)
    data = subject.data
    if data.sha256 != stored.data_sha256:
        raise InputError(f"RUN_ID={cell_id}: the data set {data.name} is not the one that it was trained on any more")
    rows = reading.read_replicates(store, cell_id).set_index("replicate").loc[arrays["replicates"]]
    outcome = rows["outcome"].to_numpy(dtype=str)
    curved, layers, states = np.ones(len(rows), bool), records.layers_of(arrays), records.states_of(arrays)
    return cell.diagnose(settings, subject, layers, arrays["replicates"], outcome, curved, on_step, states)


def weights_of(store: Store, cell_id: str, replicate: int | None) -> dict[str, np.ndarray]:
    """The arrays of a cell's `records.weights_arrays`, of one replicate or of all that it has.

    Raises InputError where they were not kept.
    """
    not_kept = "its weights were not kept; diagnosis.keep_weights says whose are"
    if records.WEIGHTS not in [file.path for file in store.client.list_artifacts(cell_id)]:
        raise InputError(f"RUN_ID={cell_id}: {not_kept}")
    arrays = reading.read_arrays(store, cell_id, records.WEIGHTS)
    if replicate is None:
        return arrays
    chosen = arrays["replicates"] == replicate
    if not chosen.any():
        raise InputError(f"RUN_ID={cell_id}: replicate {replicate}: {not_kept}")
    return {name: array[chosen] for name, array in arrays.items()}


def with_data_root(settings: Settings, data_root: str | None) -> Settings:
    """The settings with the folder of the data as it is here: `data_root`, or the one that they were trained from while
    it is there, or the one that INITODDS_DATA names."""
    trained_from = settings.data.root or settings.data.load.get("root")
    if data_root is None and not (trained_from and Path(trained_from).is_dir()):
        data_root = os.environ.get("INITODDS_DATA")
    root = data_root or trained_from
    load = {**settings.data.load, "root": root} if "root" in settings.data.load else settings.data.load
    return settings.model_copy(update={"data": settings.data.model_copy(update={"root": root, "load": load})})
