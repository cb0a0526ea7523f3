"""MLflow to tidy pandas: what `tracking` wrote, read back."""

import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from initodds.tracking import reading, records
from initodds.tracking.reading import TrackedCell, rows_of
from initodds.tracking.sqlite import SQLITE
from initodds.tracking.store import DEFAULT_EXPERIMENT, DEFAULT_URI, Store, client_of, search
from initodds.tracking.writers import shown
from initodds.vocabulary import OUTCOMES, InputError

OF_CELL = ("steps", "chance_level", "best_constant_cost")
"""The numbers that the replicates of a cell share: metrics of the cell's run, columns here."""


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

    Without `sweep`, every network is there once, whoever asked for it and however, under the names that it was first
    trained under; the column replicates says how many its cell has. With `sweep`, every cell of the sweep is there
    under the names that the sweep asked for it with, and with as many replicates. A sweep that asks for the same
    networks twice, as `init=half,uniform` does, or `replicates=3,5`, so has them in several rows, with the same `cell`
    and `replicate`; the statistics count each once in each of their groups. Cells that differ in the outcome's rule, in
    the checkpoints, or in the state of a user's own code (the column sources) are different ones.

    Raises InputError where there is no such store, experiment or sweep, or no finished cell in it. Warns of a sweep
    that is still running, of which the finished cells are returned.
    """
    store = open_store(tracking_uri, experiment)
    return replicates_of(store, finished_cells(store, None if sweep is None else find_sweep(store, sweep)))


def replicates_of(store: Store, cells: Sequence[TrackedCell]) -> pd.DataFrame:
    """The replicates of these cells, of which there is at least one; see `load_replicates`."""
    read = cache(lambda run_id: reading.read_replicates(store, run_id))
    tables = [
        rows_of(read(part.run.id), part).assign(
            place=place, sweep=part.run.tags.get("sweep", ""), **{key: part.run.metrics.get(key) for key in OF_CELL}
        )
        for place, cell in enumerate(cells)
        for part in cell.parts
    ]
    settings = pd.DataFrame([cell.asked.params for cell in cells])
    settings = settings.assign(**{key: typed(settings[key]) for key in settings})
    settings.insert(0, "cell", [cell.asked.fingerprint for cell in cells])
    replicates = pd.concat(tables, ignore_index=True)
    frame = replicates.merge(settings, left_on="place", right_index=True)
    first = ["sweep", "cell", "run_id", *settings.columns[1:]]
    last = list(OF_CELL)
    between = [name for name in replicates if name not in (*first, *last, "place")]
    outcome = pd.Categorical(frame["outcome"], categories=OUTCOMES, ordered=True)
    return frame[[*first, *between, *last]].reset_index(drop=True).assign(outcome=outcome)


def load_curves(
    tracking_uri: str | None = None, experiment: str | None = None, sweep: str | None = None
) -> pd.DataFrame:
    """The checkpoints of all replicates, one row each: cell, replicate, step, accuracy (r_squared of a
    regression), cost, hidden_saturated.

    Arguments and errors as for `load_replicates`, to whose rows cell and replicate lead. Every network is there once,
    in a sweep too.
    """
    store = open_store(tracking_uri, experiment)
    return curves_of(store, finished_cells(store, None if sweep is None else find_sweep(store, sweep)))


def curves_of(store: Store, cells: Sequence[TrackedCell]) -> pd.DataFrame:
    """The checkpoints of all replicates of these cells, of which there is at least one; see `load_curves`."""
    frames = []
    for cell in reading.distinct(cells):
        for part in cell.parts:
            history = reading.read_arrays(store, part.run.id, records.HISTORY)
            frame = rows_of(records.checkpoints_frame(history, history["replicates"]), part)
            frames.append(frame.assign(cell=cell.asked.fingerprint))
    curves = [name for name in records.CURVES if any(name in frame for frame in frames)]
    return pd.concat(frames, ignore_index=True)[["cell", "replicate", "step", *curves]]


def open_store(tracking_uri: str | None, experiment: str | None, key: str = "tracking_uri") -> Store:
    """The store and an experiment that it already has, to be read. `key`: what the user calls the address.

    Raises InputError where there is none of that name.
    """
    uri, name = tracking_uri or DEFAULT_URI, experiment or DEFAULT_EXPERIMENT
    if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).is_file():
        raise InputError(f"{key}={uri}: no such file; run a sweep first, or name the file that has one")
    client = client_of(uri, key, to_write=False)
    tracked = client.get_experiment_by_name(name)
    if tracked is None:
        names = ", ".join(experiment.name for experiment in client.search_experiments())
        raise InputError(f"experiment={name}: not in {shown(uri)}; it has {names}")
    return Store(client, tracked.experiment_id, tracked.artifact_location)


def find_sweep(store: Store, sweep: str) -> str:
    """The run id of the one sweep whose id begins with `sweep`, or of the "latest" that was started.

    Raises InputError where there is none, or several.
    """
    runs = search(store, "tags.level = 'sweep'")
    ids = [run.info.run_id for run in runs]
    chosen = ids[-1:] if sweep == "latest" else [run_id for run_id in ids if run_id.startswith(sweep)]
    if len(chosen) == 1:
        return str(chosen[0])
    last = ", ".join(f"{run.info.run_id} ({run.info.run_name})" for run in runs[-5:]) or "none"
    raise InputError(f"sweep={sweep}: {len(chosen)} sweeps found; the last ones are {last}")


def finished_cells(store: Store, sweep: str | None) -> list[TrackedCell]:
    """The finished cells of a sweep, or of all, see `reading.tracked_cells`.

    Raises InputError where there is none. Warns where the sweep is still running.
    """
    cells = reading.tracked_cells(store, sweep)
    if sweep and store.client.get_run(sweep).info.status == "RUNNING":
        warnings.warn(f"sweep {sweep} is still running: {len(cells)} cells are finished so far", stacklevel=3)
    if not cells:
        what = f"sweep={sweep}" if sweep else "experiment"
        raise InputError(f"{what}: no finished cell in it")
    return cells


def typed(column: pd.Series) -> pd.Series:
    """A column of params, which are text, as numbers or true and false where all of them are that."""
    if column.dropna().isin(["True", "False"]).all():
        return column.map({"True": True, "False": False})
    try:
        return pd.to_numeric(column)
    except ValueError:
        return column
