"""MLflow to tidy pandas: what `tracking` wrote, read back."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from initodds.tracking import cell_runs, records
from initodds.tracking.store import Store, client_of, search
from initodds.vocabulary import OUTCOMES, InputError

DEFAULT_URI, DEFAULT_EXPERIMENT = "sqlite:///mlflow.db", "initodds"

OF_CELL = ("steps", "chance_level", "best_constant_cost")
"""The numbers that the replicates of a cell share: metrics of the cell's run, columns here."""

LEFT_OUT = ("replicates", "first")
"""Params that say how a cell was divided into runs."""


def load_replicates(
    tracking_uri: str | None = None, experiment: str | None = None, sweep: str | None = None
) -> pd.DataFrame:
    """The replicates of all finished cells, one tidy row each, in the order of the cells and of their numbers.

    tracking_uri: default sqlite:///mlflow.db, in the present folder.  experiment: default initodds.
    sweep: the run id of a sweep, or its first characters, or "latest"; None takes all sweeps, and cells that were run
        alone.

    Columns: sweep (the run id of the sweep that trained it, "" for a cell run alone), cell (what identifies the cell),
    run_id ("" where the replicates have no runs of their own); every setting under the key that the command has for it
    (init, init.low, sgd.batch_size, ...), typed, NaN where a cell has no such key; outcome, an ordered category from
    best to worst; the other columns of `records.replicates_frame`, where steps_to_target is NaN if the target was never
    reached in `steps` steps, and what a diagnosis says is "" or NaN where there was none; `OF_CELL`.

    Raises InputError where there is no such store, experiment or sweep, or no finished cell in it. Warns of a sweep
    that is still running, of which the finished cells are returned.
    """
    store = open_store(tracking_uri, experiment)
    sweep = None if sweep is None else find_sweep(store, sweep)
    runs = finished_cells(store, sweep)
    tables = [cell_runs.read_replicates(store, run.info.run_id).assign(part=part) for part, run in enumerate(runs)]
    replicates = pd.concat(tables, ignore_index=True)
    parts = pd.DataFrame([settings_of(run) for run in runs])
    parts = parts.assign(**{key: typed(parts[key]) for key in parts})
    numbers = pd.DataFrame([{key: run.data.metrics.get(key, np.nan) for key in OF_CELL} for run in runs])
    ids = pd.DataFrame(
        {
            "sweep": [run.data.tags.get("sweep", "") for run in runs],
            "cell": [run.data.tags["fingerprint"] for run in runs],
        }
    )
    frame = pd.concat([ids, parts], axis=1).merge(replicates, left_index=True, right_on="part")
    frame = frame.merge(numbers, left_on="part", right_index=True).drop(columns="part").reset_index(drop=True)
    frame.insert(2, "run_id", frame.pop("run_id"))
    return frame.assign(outcome=pd.Categorical(frame["outcome"], categories=OUTCOMES, ordered=True))


def settings_of(run: Any) -> dict[str, str]:
    """The settings of a cell's run, as text."""
    return {key: value for key, value in run.data.params.items() if key not in LEFT_OUT}


def load_curves(
    tracking_uri: str | None = None, experiment: str | None = None, sweep: str | None = None
) -> pd.DataFrame:
    """The checkpoints of all replicates, one row each: cell, replicate, step, accuracy, cost, hidden_saturated.

    Arguments and errors as for `load_replicates`, to whose rows cell and replicate lead.
    """
    store = open_store(tracking_uri, experiment)
    cells = finished_cells(store, None if sweep is None else find_sweep(store, sweep))
    frames = []
    for run in cells:
        history = cell_runs.read_arrays(store, run.info.run_id, cell_runs.HISTORY)
        frame = records.checkpoints_frame(history, history["replicates"])
        frames.append(frame.assign(cell=run.data.tags["fingerprint"]))
    return pd.concat(frames, ignore_index=True)[["cell", "replicate", "step", *records.CURVES]]


def open_store(tracking_uri: str | None, experiment: str | None) -> Store:
    """The store and an experiment that it already has. Raises InputError where there is none of that name."""
    uri, name = tracking_uri or DEFAULT_URI, experiment or DEFAULT_EXPERIMENT
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        raise InputError(f"tracking_uri={uri}: no such file; run a sweep first, or name the file that has one")
    client = client_of(uri)
    found = client.get_experiment_by_name(name)
    if found is None:
        names = ", ".join(experiment.name for experiment in client.search_experiments())
        raise InputError(f"experiment={name}: not in {uri}; it has {names}")
    return Store(client, found.experiment_id)


def find_sweep(store: Store, sweep: str) -> str:
    """The run id of the one sweep whose id begins with `sweep`, or of the "latest" that was started.

    Raises InputError where there is none, or several.
    """
    runs = search(store, "tags.level = 'sweep'")
    ids = [run.info.run_id for run in runs]
    found = ids[-1:] if sweep == "latest" else [run_id for run_id in ids if run_id.startswith(sweep)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{run.info.run_id} ({run.info.run_name})" for run in runs[-5:]) or "none"
    raise InputError(f"sweep={sweep}: {len(found)} sweeps found; the last ones are {there}")


def finished_cells(store: Store, sweep: str | None) -> list[Any]:
    """The runs of the finished cells of a sweep, or of all, see `tracking.finished_cells`.

    Raises InputError where there is none. Warns where the sweep is still running.
    """
    finished = cell_runs.finished_cells(store, sweep)
    if sweep and store.client.get_run(sweep).info.status == "RUNNING":
        warnings.warn(f"sweep {sweep} is still running: {len(finished)} cells are finished so far", stacklevel=3)
    if not finished:
        what = f"sweep={sweep}" if sweep else "experiment"
        raise InputError(f"{what}: no finished cell in it")
    return finished


def typed(column: pd.Series) -> pd.Series:
    """A column of params, which are text, as numbers or true and false where all of them are that."""
    if column.dropna().isin(["True", "False"]).all():
        return column.map({"True": True, "False": False})
    try:
        return pd.to_numeric(column)
    except ValueError:
        return column
