"""Cells to MLflow and back. A sweep is a run, each of its cells a run under it, each replicate a run under its cell.

Every run has the tag `level`: sweep, cell or replicate. MLflow takes seconds to import, so it is imported late.
"""

import logging
import os
import shlex
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initodds import blas, figures, rates
from initodds.cell import Cell
from initodds.config import Settings
from initodds.errors import InputError, one_line
from initodds.outcomes import OUTCOMES

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

LIBRARIES = ("initodds", "numpy", "scipy", "hydra-core", "mlflow", "pandas")

EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",  # the UI opens on runs and curves, not on language models
    "mlflow.note.content": "How often does a network get stuck, given how its weights were drawn? "
    "Sweeps, under each its cells, under each its replicates.",
}

CURVES = ("accuracy", "cost", "hidden_saturated")
"""The arrays of a `History` that a replicate's run has as metrics over the steps."""

CHECKPOINTS = ("steps", *CURVES, "recall", "outputs_high", "outputs_low")
"""The arrays of a `History` that a cell's run has in its artifact history.npz."""


@dataclass(frozen=True)
class Store:
    """A tracking store and the experiment in it that the runs go to."""

    client: "MlflowClient"
    experiment_id: str


def connect(uri: str, experiment: str) -> Store:
    """Open the store at `uri`, and make it and its experiment where they do not exist yet.

    Raises InputError where it cannot be written or reached.
    """
    client = client_of(uri)
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_experiment_by_name(experiment)
        experiment_id = found.experiment_id if found else client.create_experiment(experiment, tags=EXPERIMENT_TAGS)
    except MlflowException as error:
        raise InputError(f"tracking.uri={uri}: {one_line(error)}") from error
    return Store(client, experiment_id)


def client_of(uri: str) -> "MlflowClient":
    """MLflow's client of the store at `uri`. Raises InputError where it cannot be written or reached, at once: MLflow
    itself would try for minutes."""
    uri = absolute(uri)
    require_reachable(uri)
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # they tell each step of a new database's making
    mlflow.set_tracking_uri(uri)
    try:
        return MlflowClient(uri)
    except MlflowException as error:
        raise InputError(f"tracking.uri={uri}: {one_line(error)}") from error


def absolute(uri: str) -> str:
    """The tracking URI, with the path of an SQLite file made absolute: MLflow keeps what it opened by its URI."""
    if not uri.startswith("sqlite:///"):
        return uri
    return f"sqlite:///{Path(uri.removeprefix('sqlite:///')).absolute()}"


def require_reachable(uri: str) -> None:
    """Raise InputError where the tracking store at `uri` cannot be written (an SQLite file) or reached (a server)."""
    try:
        if uri.startswith("sqlite:///"):
            connection = sqlite3.connect(uri.removeprefix("sqlite:///"), timeout=20)
            connection.execute("PRAGMA journal_mode=WAL")  # readers, as the UI, and writers do not wait for each other
            connection.execute("BEGIN IMMEDIATE")
            connection.close()
        elif uri.startswith(("http://", "https://")):
            import requests

            requests.get(f"{uri.rstrip('/')}/health", timeout=10).raise_for_status()
    except (sqlite3.Error, OSError) as error:
        raise InputError(f"tracking.uri={uri}: cannot be written or reached ({error})") from error


class Run:
    """A run that is being written."""

    def __init__(self, store: Store, name: str, level: str, parent: str | None, tags: dict[str, str]) -> None:
        tags = {**provenance(), "level": level, **tags} | ({"mlflow.parentRunId": parent} if parent else {})
        self.store, self.client, self.parent = store, store.client, parent
        self.id = self.client.create_run(store.experiment_id, tags=tags, run_name=name).info.run_id

    def log(self, metrics: "list[Metric]", params: dict[str, Any]) -> None:
        from mlflow.entities import Param

        entities = [Param(key, str(value)) for key, value in params.items()]
        self.client.log_batch(self.id, metrics, entities, synchronous=True)

    def describe(self, markdown: str) -> None:
        """Set the run's description, which the UI shows at its top."""
        self.client.set_tag(self.id, "mlflow.note.content", markdown)

    def end(self, status: str = "FINISHED", error: BaseException | None = None) -> None:
        if error is not None:
            self.client.set_tag(self.id, "error", one_line(error))
        self.client.set_terminated(self.id, status)


@contextmanager
def open_run(store: Store, name: str, level: str, parent: str | None, tags: dict[str, str]) -> Iterator[Run]:
    """A run that ends FINISHED, FAILED with the error as a tag, or KILLED, as the `with` block does."""
    run = Run(store, name, level, parent, tags)
    try:
        yield run
    except Exception as error:
        run.end("FAILED", error)
        raise
    except BaseException as interruption:  # Ctrl-C, or an exit
        run.end("KILLED", interruption)
        raise
    run.end()


@cache
def provenance() -> dict[str, str]:
    """Tags of every run, as MLflow itself sets them: user, and the code's git commit where it has one."""
    from mlflow.tracking.context.registry import resolve_tags
    from mlflow.utils.git_utils import get_git_commit

    commit = get_git_commit(str(Path(__file__).parent))
    tags = {**resolve_tags(), "mlflow.source.name": "initodds"}
    return tags | ({"mlflow.source.git.commit": commit} if commit else {})


def environment() -> dict[str, str]:
    """Tags of a sweep and of a cell: what computed it."""
    versions = {f"version.{name}": version(name) for name in LIBRARIES}
    command = shlex.join(["initodds", *sys.argv[1:]])
    return {"command": command, "python": sys.version.split()[0], "blas": blas.in_use(), **versions}


def parameters(settings: Settings, choices: dict[str, str]) -> dict[str, Any]:
    """The settings that can change a result, flat, by the keys that the command line has for them.

    `choices` has the option that was chosen of each config group; paths and the tracking itself are left out.
    """
    groups = {name: choices[name] for name in ("data", "network", "init", "engine") if name in choices}
    leaves = pd.json_normalize(settings.model_dump(exclude={"tracking": True, "data": {"load", "root"}})).iloc[0]
    return {**groups, **{key: value for key, value in leaves.items() if not key.endswith("_target_")}}


def write_cell(run: Run, settings: Settings, choices: dict[str, str], cell: Cell) -> None:
    """Write a trained cell: its replicates, each a run of its own in one batch, and then the cell itself."""
    params = parameters(settings, choices)
    for replicate in range(settings.replicates):
        write_replicate(run, params, cell, replicate)
    frame = pd.DataFrame({"outcome": cell.judgement.outcome})
    table = rates.rates(frame.assign(cell=0), by=["cell"])
    run.log(now(cell_metrics(cell, table)), params)
    run.describe(description(cell, table))
    title = ", ".join(
        f"{key} {params[key]}" for key in ("init", "sgd.batch_size", "sgd.learning_rate") if key in params
    )
    curves = checkpoints_frame(vars(cell.history))
    curves["outcome"] = cell.judgement.outcome[curves["replicate"]]
    run.client.log_figure(run.id, figures.outcome_curves(curves, title), "curves.png")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.npz"
        np.savez_compressed(path, **{name: getattr(cell.history, name) for name in CHECKPOINTS})
        run.client.log_artifact(run.id, str(path))


def write_replicate(cell_run: Run, params: dict[str, Any], cell: Cell, replicate: int) -> None:
    """Write one replicate's run: curves and final numbers as metrics, the cell's params, its outcome as a tag."""
    outcome = str(cell.judgement.outcome[replicate])
    tags = {"outcome": outcome, "init": str(params.get("init", "")), "sweep": cell_run.parent or ""}
    with open_run(cell_run.store, f"replicate {replicate}", "replicate", cell_run.id, tags) as run:
        history, judgement = cell.history, cell.judgement
        curves = [
            metric
            for name in CURVES
            for step, value in zip(history.steps, getattr(history, name)[:, replicate], strict=True)
            for metric in now({name: value}, step)
        ]
        final = {
            "best_accuracy": history.accuracy[:, replicate].max(),
            "dead_classes": judgement.dead_classes[replicate],
            "outputs_high": history.outputs_high[-1, replicate],
            "outputs_low": history.outputs_low[-1, replicate],
            "naive_overflows": history.overflows[replicate],
            **{f"recall_{k}": recall for k, recall in enumerate(history.recall[-1, replicate])},
        }
        if not np.isnan(judgement.steps_to_target[replicate]):
            final["steps_to_target"] = judgement.steps_to_target[replicate]
        numbers = {"replicate": replicate, "order": cell.orders[replicate]}
        run.log(curves + now(final, history.steps[-1]), {**params, **numbers})


def now(metrics: dict[str, Any], step: int = 0) -> "list[Metric]":
    """MLflow's metrics, stamped with the present time in milliseconds."""
    from mlflow.entities import Metric

    stamp = int(time.time() * 1000)
    return [Metric(key, float(value), stamp, int(step)) for key, value in metrics.items()]


def cell_metrics(cell: Cell, table: pd.DataFrame) -> dict[str, float]:
    """A cell's metrics: of each outcome count and rate with its interval, and what the outcomes are measured by."""
    metrics: dict[str, float] = {"replicates": cell.history.replicates, "steps": int(cell.history.steps[-1])}
    for row in table.itertuples():
        metrics |= {f"{name}/{row.outcome}": getattr(row, name) for name in ("rate", "low", "high", "count")}
    return metrics | {
        "accuracy": float(np.median(cell.history.accuracy[-1])),
        "cost": float(np.median(cell.history.cost[-1])),
        "chance_level": cell.chance_level,
        "best_constant_cost": cell.best_constant_cost,
        "naive_overflows": int(cell.history.overflows.sum()),
        "training_seconds": cell.seconds,
    }


def in_words(outcome: np.ndarray) -> str:
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
    for row in table[table["count"] > 0].itertuples():
        where = outcome == row.outcome
        accuracy = 100 * np.median(history.accuracy[-1, where])
        cost = np.median(history.cost[-1, where])
        lines.append(
            f"- {row.outcome}: {row.count} of {n}, {100 * row.rate:.0f} % (95 % interval {100 * row.low:.0f} to"
            f" {100 * row.high:.0f} %); median test accuracy {accuracy:.1f} %, median cost {cost:.3f}."
        )
    stuck = outcome == "stuck"
    if stuck.any():
        hidden = 100 * history.hidden_saturated[-1, stuck].mean()
        high, low = history.outputs_high[-1, stuck].mean(), history.outputs_low[-1, stuck].mean()
        lines += [
            "",
            f"In the stuck networks {hidden:.0f} % of the hidden units are saturated on nearly all images, and of the"
            f" {cell.network.sizes[-1]} outputs {high:.1f} are pinned high and {low:.1f} low, on average."
            f" The best answer that ignores the image would cost {cell.best_constant_cost:.3f}.",
        ]
    return "\n".join(lines)


def checkpoints_frame(history: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A history's checkpoints, one row a replicate and step: replicate, step, and each of `CURVES`."""
    steps, replicates = history["accuracy"].shape
    columns = {name: history[name].ravel() for name in CURVES}
    numbers = {"replicate": np.tile(np.arange(replicates), steps), "step": np.repeat(history["steps"], replicates)}
    return pd.DataFrame({**numbers, **columns})


def write_refused(store: Store, name: str, parent: str | None, error: Exception) -> None:
    """Write a failed run for a cell whose values were not accepted, and which was not run."""
    run = Run(store, name, "cell", parent, {})
    run.end("FAILED", error)


def read_cells(store: Store, sweep: str) -> pd.DataFrame:
    """The sweep's finished cells, one row each in the order of their jobs: run_id, their params as text, and the count
    of each of `OUTCOMES`."""
    finished = [run for run in children(store, sweep, "cell") if run.info.status == "FINISHED"]
    finished.sort(key=lambda run: int(run.data.tags["job"]))
    rows = [
        {"run_id": run.info.run_id, **run.data.params, **{o: int(run.data.metrics[f"count/{o}"]) for o in OUTCOMES}}
        for run in finished
    ]
    return pd.DataFrame(rows)


def read_failed_cells(store: Store, sweep: str) -> list[tuple[str, str]]:
    """(name, error) of the sweep's cells that did not finish."""
    runs = children(store, sweep, "cell")
    return [(run.info.run_name, run.data.tags.get("error", "")) for run in runs if run.info.status != "FINISHED"]


def children(store: Store, parent: str, level: str) -> list[Any]:
    """The runs of this level under a run, the first started first."""
    return search(store, f"tags.`mlflow.parentRunId` = '{parent}' and tags.level = '{level}'")


def search(store: Store, condition: str) -> list[Any]:
    """All of the experiment's runs for which a condition in MLflow's filter language holds, the first started first."""
    runs: list[Any] = []
    token = None
    while True:
        page = store.client.search_runs(
            [store.experiment_id], condition, max_results=5000, order_by=["attributes.start_time ASC"], page_token=token
        )
        runs += page
        token = page.token
        if not token:
            return runs
