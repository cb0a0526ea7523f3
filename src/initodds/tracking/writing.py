"""Records to MLflow. A sweep is a run, each of its cells a run under it, each replicate a run under its cell.

Every run has the tag `level`: sweep, cell or replicate. A cell's run has what is needed to do without the replicates'
runs: the artifacts replicates.parquet (one row each), history.npz (their curves), weights.npz and settings.json. These
are what holds; the metrics of the replicates' runs are a copy of them, to be looked at. A cell's run is finished last,
so that one that is FINISHED is whole.
"""

import numpy as np
import pandas as pd

from initodds.statistics.curve_picture import curve_picture
from initodds.tracking import stored_settings
from initodds.tracking.records import CURVES, HISTORY, REPLICATES, WEIGHTS, WORDS, Record
from initodds.tracking.store import Run, description, not_finite, now, open_run
from initodds.vocabulary import SCORES

PICTURE = "curves.svg"


def write(run: Run, record: Record) -> None:
    """Write a cell's record to its run, with a run for each replicate if each is to have one."""
    each_a_run = record.each_a_run
    ids = [_write_replicate(run, record, place) if each_a_run else "" for place in range(len(record.replicates))]
    since = {key: value for key, value in record.tags.items() if run.tags.get(key) != value}  # the engine, most often
    tags = {**description(record.description), **not_finite(record.metrics), **since}
    run.log(now(record.metrics), record.params, tags)
    run.log_data(record.params["data"], record.data_sha256)
    _write_artifacts(run, record, record.replicates.assign(run_id=ids))


def _write_artifacts(run: Run, record: Record, replicates: pd.DataFrame) -> None:
    """Write a cell's artifacts, the picture of its curves among them."""
    curves = {name: record.history[name] for name in (*SCORES, "cost") if name in record.history}
    outcome = replicates["outcome"].to_numpy(dtype=str)
    with run.artifacts() as folder:
        (folder / PICTURE).write_text(curve_picture(record.history["steps"], curves, outcome, record.title))
        replicates.to_parquet(folder / REPLICATES, index=False)
        np.savez_compressed(folder / HISTORY, allow_pickle=False, **record.history)
        (folder / stored_settings.NAME).write_text(record.settings)
        if record.weights:
            np.savez_compressed(folder / WEIGHTS, allow_pickle=False, **record.weights)


def _write_replicate(cell_run: Run, record: Record, place: int) -> str:
    """Write the run of the replicate in this row of the frame: curves and final numbers as metrics, the cell's params,
    its words as tags. Returns the run's id."""
    row = record.replicates.iloc[place]
    steps = record.history["steps"]
    words = {name: row[name] for name in WORDS if row[name]}
    note = {"mlflow.note.content": words.pop("explanation")} if "explanation" in words else {}
    ends = {name: row[name] for name in CURVES if name in row}
    tags = {**words, **note, **not_finite(ends), "init": record.params.get("init", ""), "sweep": cell_run.parent or ""}
    with open_run(cell_run.store, f"replicate {row['replicate']}", "replicate", cell_run.id, tags) as run:
        curves = [
            metric
            for name in CURVES
            if name in record.history
            for step, value in zip(steps, record.history[name][:, place], strict=True)
            for metric in now({name: value}, step)
        ]
        numbers = row.drop(["replicate", "order", *WORDS, *(name for name in CURVES if name in row)]).astype(float)
        final = numbers[np.isfinite(numbers)].to_dict()
        params = {key: value for key, value in record.params.items() if key != "first"}
        own = {"replicate": row["replicate"], "order": row["order"]}
        run.log(curves + now(final, steps[-1]), {**params, **own})
    return run.id
