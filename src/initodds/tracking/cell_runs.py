"""Cells to MLflow and back. A sweep is a run, each of its cells a run under it, each replicate a run under its cell.

Every run has the tag `level`: sweep, cell or replicate. A cell's run has what is needed to do without the replicates'
runs: the artifacts replicates.parquet (one row each), history.npz (their curves), weights.npz and settings.json. It is
finished last, so that a cell whose run is FINISHED is whole. A cell that is asked for more replicates than it has gets
a second run, for the others: both have the same tag `fingerprint`, and together they are the cell.
"""

import hashlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from initodds.cells.cell import Cell
from initodds.cells.config import Settings
from initodds.statistics import figures, rates
from initodds.tracking import records
from initodds.tracking.records import CHECKPOINTS, CURVES, WORDS
from initodds.tracking.store import Run, Store, now, open_run, search, store_errors
from initodds.verdicts import outcomes
from initodds.verdicts.explanation import summarize
from initodds.vocabulary import OUTCOMES, InputError, one_line

Array = np.ndarray

REPLICATES, HISTORY, WEIGHTS, SETTINGS = "replicates.parquet", "history.npz", "weights.npz", "settings.json"
"""The artifacts of a cell."""


def parameters(settings: Settings, choices: dict[str, str]) -> dict[str, Any]:
    """The settings that can change a result, flat, by the keys that the command line has for them.

    `choices` has the option that was chosen of each config group; paths, the diagnosis and the tracking are left out.
    The init's class is there, since a user's own may stand in the place of the option's.
    """
    groups = {name: choices[name] for name in ("data", "network", "init", "engine") if name in choices}
    left_out: Any = {"tracking": True, "diagnosis": True, "data": {"load", "root"}}
    leaves = pd.json_normalize(settings.model_dump(exclude=left_out)).iloc[0]
    return {**groups, **{key: value for key, value in leaves.items() if key != "engine._target_"}}


def portable(settings: Settings) -> dict[str, Any]:
    """The settings as plain data, without what holds for one machine only: folders, and the store's address."""
    plain = settings.model_dump(exclude={"tracking": {"uri"}})
    for part in (plain["data"], plain["data"]["load"]):
        part |= {"root": None} if "root" in part else {}
    return plain


def fingerprint(settings: Settings, data_sha256: str) -> str:
    """What identifies a cell: the same for the same settings on the same data, whatever the launcher, the folder, the
    store and the number of replicates."""
    plain = {key: value for key, value in portable(settings).items() if key not in ("tracking", "replicates")}
    return hashlib.sha256(json.dumps([plain, data_sha256], sort_keys=True).encode()).hexdigest()[:32]


def member_tag(sweep: str) -> str:
    """The tag that a cell's run has for each sweep that it belongs to; its value is the cell's place in the sweep."""
    return f"sweep/{sweep}"


def write_cell(run: Run, settings: Settings, choices: dict[str, str], cell: Cell) -> None:
    """Write a trained cell: its replicates, each as a run of its own if `tracking.replicates` is runs, and itself."""
    params = parameters(settings, choices)
    frame = records.replicates_frame(cell)
    frame["run_id"] = ""
    if settings.tracking.replicates == "runs":
        frame["run_id"] = [write_replicate(run, params, cell, place, row) for place, row in frame.iterrows()]
    table = rates.rates(frame.assign(cell=0), by=["cell"])
    run.log(now(cell_metrics(cell, frame, table)), {**params, "first": int(cell.replicates[0])})
    run.describe(description(cell, table))
    write_artifacts(run, settings, cell, frame, params)


def write_artifacts(run: Run, settings: Settings, cell: Cell, frame: pd.DataFrame, params: dict[str, Any]) -> None:
    """Write a cell's artifacts, and the figure of its curves."""
    title = ", ".join(
        f"{key} {params[key]}" for key in ("init", "sgd.batch_size", "sgd.learning_rate") if key in params
    )
    curves = records.checkpoints_frame(vars(cell.history), cell.replicates).merge(frame[["replicate", "outcome"]])
    run.client.log_figure(run.id, figures.outcome_curves(curves, title), "curves.png")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame.to_parquet(folder / REPLICATES, index=False)
        history = {name: getattr(cell.history, name) for name in CHECKPOINTS}
        np.savez_compressed(folder / HISTORY, replicates=cell.replicates, **history)
        (folder / SETTINGS).write_text(json.dumps(portable(settings) | {"data_sha256": cell.data.sha256}))
        kept = np.flatnonzero(outcomes.among(cell.judgement.outcome, settings.diagnosis.keep_weights))
        if len(kept):
            np.savez_compressed(folder / WEIGHTS, **records.weights_arrays(cell, kept))  # type: ignore[arg-type]
        run.client.log_artifacts(run.id, str(folder))


def write_replicate(cell_run: Run, params: dict[str, Any], cell: Cell, place: Any, row: pd.Series) -> str:
    """Write one replicate's run: curves and final numbers as metrics, the cell's params, its words as tags. `row` is
    its row of `replicates_frame`. Returns the run's id."""
    history = cell.history
    words = {name: row[name] for name in WORDS if row[name]}
    note = {"mlflow.note.content": words.pop("explanation")} if "explanation" in words else {}
    tags = {**words, **note, "init": str(params.get("init", "")), "sweep": cell_run.parent or ""}
    with open_run(cell_run.store, f"replicate {row['replicate']}", "replicate", cell_run.id, tags) as run:
        curves = [
            metric
            for name in CURVES
            for step, value in zip(history.steps, getattr(history, name)[:, place], strict=True)
            for metric in now({name: value}, step)
        ]
        numbers = row.drop(["replicate", "order", "run_id", *WORDS, *CURVES]).astype(float)
        final = numbers[np.isfinite(numbers)].to_dict()
        own = {"replicate": row["replicate"], "order": row["order"]}
        run.log(curves + now(final, history.steps[-1]), {**params, **own})
    return run.id


def cell_metrics(cell: Cell, frame: pd.DataFrame, table: pd.DataFrame) -> dict[str, float]:
    """A cell's metrics: of each outcome count and rate with its interval, what the outcomes are measured by, and how
    many replicates have each cause and kind of point, and got out in which way."""
    metrics: dict[str, float] = {"replicates": len(cell.replicates), "steps": int(cell.history.steps[-1])}
    for row in table.itertuples():
        metrics |= {f"{name}/{row.outcome}": getattr(row, name) for name in ("rate", "low", "high", "count")}
    for name in ("cause", "point"):
        metrics |= {f"{name}/{value}": count for value, count in frame[name].value_counts().items() if value}
    metrics |= {f"escaped/{name}": int(out.sum()) for name, out in cell.escaped.items()}
    return metrics | {
        "accuracy": float(np.median(cell.history.accuracy[-1])),
        "cost": float(np.median(cell.history.cost[-1])),
        "chance_level": cell.chance_level,
        "best_constant_cost": cell.best_constant_cost,
        "naive_overflows": int(cell.history.overflows.sum()),
        "training_seconds": cell.seconds,
    }


def in_words(outcome: Array) -> str:
    """What became of the replicates whose outcomes these are, in a few words: `30 converged, 2 partial`."""
    counts = {name: int((outcome == name).sum()) for name in OUTCOMES}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def description(cell: Cell, table: pd.DataFrame) -> str:
    """A cell in words, as Markdown."""
    history, outcome = cell.history, cell.judgement.outcome
    n = history.replicates
    lines = [
        f"**{in_words(outcome)}** of {n} networks {'-'.join(map(str, cell.network.sizes))} on {cell.data.name}.",
        "",
    ]
    if cell.diagnosis is not None:
        lines += [summarize(cell.diagnosis), ""]
    for row in table[table["count"] > 0].itertuples():
        where = outcome == row.outcome
        accuracy = 100 * np.median(history.accuracy[-1, where])
        cost = np.median(history.cost[-1, where])
        lines.append(
            f"- {row.outcome}: {row.count} of {n}, {100 * row.rate:.0f} % (95 % interval {100 * row.low:.0f} to"
            f" {100 * row.high:.0f} %); median test accuracy {accuracy:.1f} %, median cost {cost:.3f}."
        )
    for name, out in cell.escaped.items():
        count = int(out.sum())
        lines.append(f"- escape by {name}: {rates.in_words(count, len(out), *rates.interval(count, len(out)))}")
    if (outcome == "stuck").any():
        lines += ["", f"The best answer that ignores the image would cost {cell.best_constant_cost:.3f}."]
    return "\n".join(lines)


def finished_cells(store: Store, sweep: str | None) -> list[Any]:
    """The runs of the finished cells of a sweep, or of all, in the order of their places.

    A replicate that was trained more than once, by sweeps that ran at the same time or because it was asked for again,
    counts once: of the runs of one cell, the newest that has a replicate is taken for it.
    """
    condition = "tags.level = 'cell' and attributes.status = 'FINISHED'"
    runs = search(store, condition + (f" and tags.`{member_tag(sweep)}` LIKE '%'" if sweep else ""))
    chosen = [run for alike in by_fingerprint(runs).values() for run in whole(alike)]

    def place(run: Any) -> tuple[Any, ...]:
        if sweep:
            return (int(run.data.tags[member_tag(sweep)]), first_of(run))
        return (run.data.tags.get("sweep", ""), int(run.data.tags["job"]), first_of(run), run.info.start_time)

    return sorted(chosen, key=place)


def runs_of_cell(store: Store, fingerprint: str) -> list[Any]:
    """The finished runs that together are the cell with this fingerprint, in the order of their replicates."""
    condition = f"tags.fingerprint = '{fingerprint}' and attributes.status = 'FINISHED'"
    return whole(search(store, condition))


def join(store: Store, runs: list[Any], sweep: str, place: int) -> None:
    """Make a cell's runs members of a sweep, at this place in it."""
    for run in runs:
        if run.data.tags.get(member_tag(sweep)) != str(place):
            store.client.set_tag(run.info.run_id, member_tag(sweep), str(place))


def by_fingerprint(runs: list[Any]) -> dict[str, list[Any]]:
    """Cells' runs, those of one cell together."""
    found: dict[str, list[Any]] = {}
    for run in runs:
        found.setdefault(run.data.tags["fingerprint"], []).append(run)
    return found


def whole(runs: list[Any]) -> list[Any]:
    """Of the finished runs of one cell, those that together have its replicates 0, 1, ... each once, as far as they go;
    of two that will do the newer one."""
    chosen, covered = [], 0
    while starting := [run for run in runs if first_of(run) == covered]:
        chosen.append(max(starting, key=lambda run: run.info.start_time))
        covered += replicates_of(chosen[-1])
    return chosen


def first_of(run: Any) -> int:
    """The number of the first replicate in a cell's run."""
    return int(run.data.params["first"])


def replicates_of(run: Any) -> int:
    """How many replicates a cell's run has."""
    return int(run.data.metrics["replicates"])


def read_cells(store: Store, sweep: str) -> pd.DataFrame:
    """The sweep's finished cells, one row each in the order of their places, as `counts_of` has them."""
    return counts_of(finished_cells(store, sweep))


def counts_of(runs: list[Any]) -> pd.DataFrame:
    """Finished cells, one row each, from their runs: their params as text, and the count of each of `OUTCOMES`."""
    rows = []
    for parts in by_fingerprint(runs).values():
        counts = {o: sum(int(part.data.metrics[f"count/{o}"]) for part in parts) for o in OUTCOMES}
        rows.append({**parts[0].data.params, **counts})
    return pd.DataFrame(rows)


def read_failed_cells(store: Store, sweep: str) -> list[tuple[str, str]]:
    """(name, error) of the sweep's cells that have not finished, each as it ended last."""
    runs = search(store, f"tags.level = 'cell' and tags.`{member_tag(sweep)}` LIKE '%'")
    last = {run.data.tags[member_tag(sweep)]: run for run in runs}
    done = {run.data.tags[member_tag(sweep)] for run in runs if run.info.status == "FINISHED"}
    return [
        (run.info.run_name, run.data.tags.get("error", run.info.status.lower()))
        for place, run in last.items()
        if place not in done
    ]


def children(store: Store, parent: str, level: str) -> list[Any]:
    """The runs of this level under a run, the first started first."""
    return search(store, f"tags.`mlflow.parentRunId` = '{parent}' and tags.level = '{level}'")


def artifact(store: Store, run_id: str, name: str) -> bytes:
    """The content of a run's artifact. Raises InputError where it has none of that name, or it cannot be read."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return Path(store.client.download_artifacts(run_id, name, folder)).read_bytes()
        except store_errors() as error:
            raise InputError(f"run {run_id}: its artifact {name} cannot be read ({one_line(error)[:200]})") from error


def read_replicates(store: Store, run_id: str) -> pd.DataFrame:
    """A cell's `replicates_frame`, with the column run_id, "" where a replicate has no run of its own.

    Raises InputError where the cell does not have it.
    """
    return pd.read_parquet(io.BytesIO(artifact(store, run_id, REPLICATES)))


def read_arrays(store: Store, run_id: str, name: str) -> dict[str, Array]:
    """The arrays of a cell's artifact `HISTORY` or `WEIGHTS`. Raises InputError where it does not have it."""
    with np.load(io.BytesIO(artifact(store, run_id, name))) as arrays:
        return dict(arrays)
