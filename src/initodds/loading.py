"""MLflow to tidy pandas: what `tracking` wrote, read back."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from initodds import tracking
from initodds.errors import InputError
from initodds.outcomes import OUTCOMES
from initodds.tracking import Store

DEFAULT_URI, DEFAULT_EXPERIMENT = "sqlite:///mlflow.db", "initodds"

FINAL = (
    "accuracy",
    "best_accuracy",
    "cost",
    "dead_classes",
    "hidden_saturated",
    "outputs_high",
    "outputs_low",
    "naive_overflows",
    "steps_to_target",
)
"""The numbers that a replicate ends with: metrics of its run, columns here."""

OF_CELL = ("steps", "chance_level", "best_constant_cost")
"""The numbers that the replicates of a cell share: metrics of the cell's run, columns here."""


def load_replicates(
    tracking_uri: str | None = None, experiment: str | None = None, sweep: str | None = None
) -> pd.DataFrame:
    """The replicates of all finished cells, one tidy row each, in the order of the cells and of their numbers.

    tracking_uri: default sqlite:///mlflow.db, in the present folder.  experiment: default initodds.
    sweep: the run id of a sweep, or its first characters, or "latest"; None takes all sweeps, and cells that were run
        alone.

    Columns: sweep ("" for a cell run alone), cell, run_id: run ids; every setting under the key that the command has
    for it (init, init.low, sgd.batch_size, ...), typed, NaN where a cell has no such key; replicate, order; outcome, an
    ordered category from best to worst; `FINAL`, where steps_to_target is NaN if the target was never reached in
    `steps` steps; `OF_CELL`.

    Raises InputError where there is no such store, experiment or sweep, or no finished cell in it. Warns of a sweep
    that is still running, of which the finished cells are returned.
    """
    store = open_store(tracking_uri, experiment)
    sweep = None if sweep is None else find_sweep(store, sweep)
    cells = finished_cells(store, sweep)
    place = {cell.info.run_id: number for number, cell in enumerate(cells)}
    condition = "tags.level = 'replicate'" + (f" and tags.sweep = '{sweep}'" if sweep else "")
    replicates = [run for run in tracking.search(store, condition) if run.data.tags["mlflow.parentRunId"] in place]
    replicates.sort(key=lambda run: (place[run.data.tags["mlflow.parentRunId"]], int(run.data.params["replicate"])))
    frame = pd.DataFrame([row(run, cells[place[run.data.tags["mlflow.parentRunId"]]]) for run in replicates])
    settings = list(dict.fromkeys(key for cell in cells for key in cell.data.params))
    frame = frame.reindex(
        columns=["sweep", "cell", "run_id", *settings, "replicate", "order", "outcome", *FINAL, *OF_CELL]
    )
    return frame.assign(
        **{key: typed(frame[key]) for key in (*settings, "replicate", "order")},
        outcome=pd.Categorical(frame["outcome"], categories=OUTCOMES, ordered=True),
    )


def load_curves(
    tracking_uri: str | None = None, experiment: str | None = None, sweep: str | None = None
) -> pd.DataFrame:
    """The checkpoints of all replicates, one row each: cell, replicate, step, accuracy, cost, hidden_saturated.

    Arguments and errors as for `load_replicates`, to whose rows cell and replicate lead.
    """
    store = open_store(tracking_uri, experiment)
    cells = finished_cells(store, None if sweep is None else find_sweep(store, sweep))
    frames = []
    with tempfile.TemporaryDirectory() as folder:
        for cell in cells:
            path = store.client.download_artifacts(cell.info.run_id, "history.npz", folder)
            with np.load(path) as history:
                frame = tracking.checkpoints_frame(dict(history))
            Path(path).unlink()
            frames.append(frame.assign(cell=cell.info.run_id))
    return pd.concat(frames, ignore_index=True)[["cell", "replicate", "step", *tracking.CURVES]]


def open_store(tracking_uri: str | None, experiment: str | None) -> Store:
    """The store and an experiment that it already has. Raises InputError where there is none of that name."""
    uri, name = tracking_uri or DEFAULT_URI, experiment or DEFAULT_EXPERIMENT
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        raise InputError(f"tracking_uri={uri}: no such file; run a sweep first, or name the file that has one")
    client = tracking.client_of(uri)
    found = client.get_experiment_by_name(name)
    if found is None:
        names = ", ".join(experiment.name for experiment in client.search_experiments())
        raise InputError(f"experiment={name}: not in {uri}; it has {names}")
    return Store(client, found.experiment_id)


def find_sweep(store: Store, sweep: str) -> str:
    """The run id of the one sweep whose id begins with `sweep`, or of the "latest" that was started.

    Raises InputError where there is none, or several.
    """
    runs = tracking.search(store, "tags.level = 'sweep'")
    ids = [run.info.run_id for run in runs]
    found = ids[-1:] if sweep == "latest" else [run_id for run_id in ids if run_id.startswith(sweep)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{run.info.run_id} ({run.info.run_name})" for run in runs[-5:]) or "none"
    raise InputError(f"sweep={sweep}: {len(found)} sweeps found; the last ones are {there}")


def finished_cells(store: Store, sweep: str | None) -> list[Any]:
    """The runs of the finished cells of a sweep, or of all, in the order of their sweeps and jobs.

    Raises InputError where there is none. Warns where the sweep is still running.
    """
    condition = "tags.level = 'cell'" + (f" and tags.sweep = '{sweep}'" if sweep else "")
    runs = tracking.search(store, condition)
    finished = [run for run in runs if run.info.status == "FINISHED"]
    if sweep and store.client.get_run(sweep).info.status == "RUNNING":
        warnings.warn(f"sweep {sweep} is still running: {len(finished)} cells are finished so far", stacklevel=3)
    if not finished:
        what = f"sweep={sweep}" if sweep else "experiment"
        raise InputError(f"{what}: no finished cell in it; {len(runs)} were started")
    return sorted(finished, key=lambda run: (run.data.tags.get("sweep", ""), int(run.data.tags["job"])))


def row(run: Any, cell: Any) -> dict[str, Any]:
    """One replicate's row, of text and numbers as MLflow has them."""
    return {
        "sweep": cell.data.tags.get("sweep", ""),
        "cell": cell.info.run_id,
        "run_id": run.info.run_id,
        **cell.data.params,
        **{key: run.data.params[key] for key in ("replicate", "order")},
        "outcome": run.data.tags["outcome"],
        **{key: run.data.metrics.get(key, np.nan) for key in FINAL},
        **{key: cell.data.metrics.get(key, np.nan) for key in OF_CELL},
    }


def typed(column: pd.Series) -> pd.Series:
    """A column of params, which are text, as numbers or true and false where all of them are that."""
    if column.dropna().isin(["True", "False"]).all():
        return column.map({"True": True, "False": False})
    try:
        return pd.to_numeric(column)
    except ValueError:
        return column
