"""Running cells from Hydra: one alone, or as jobs of a sweep; what is tracked already is not done again.

MLflow and the plotting libraries take seconds to import, and `initodds --help` needs none: they are imported late.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from initodds.cells import cell, config
from initodds.cells.config import Settings
from initodds.sweeps.progress import Monitor, Report
from initodds.vocabulary import InputError, one_line

if TYPE_CHECKING:
    from initodds.tracking.store import Store

SWEEP = "INITODDS_SWEEP"
"""Environment variable with the run id of the sweep whose jobs this process and its children run."""
SWEEPER = "INITODDS_SWEEPER"
"""... and with the process that the user has started it in, as `store.writer` has it."""


def current() -> str | None:
    """The run id of the sweep that this process runs jobs of, or None."""
    return os.environ.get(SWEEP)


def begin(sweep: str) -> None:
    """Let the jobs of this process and its children belong to the sweep with this run id."""
    from initodds.tracking import store

    os.environ[SWEEP], os.environ[SWEEPER] = sweep, json.dumps(store.writer())


def sweeper_is_gone() -> bool:
    """Whether the sweep's own process was on this host and has been killed."""
    from initodds.tracking import store

    there, here = json.loads(os.environ[SWEEPER]), store.writer()
    return there["host"] == here["host"] and not store.is_alive(there["process"])


def end_on_sigterm() -> None:
    """Let SIGTERM end this process as an exit does, so that what it writes is marked as killed."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def run_alone(composed: DictConfig) -> None:
    """Run one cell that belongs to no sweep, and print its rates. A bad value ends the command in one line."""
    from initodds.sweeps import summary
    from initodds.tracking import store, unsent

    end_on_sigterm()
    try:
        settings = config.read(composed)
        there = store.connect(settings.tracking.uri, settings.tracking.experiment)
        store.bury(there)
        unsent.send(there)
        with Monitor():
            fingerprint = run_cell(settings)
        print(summary.of_cell(there, fingerprint))
    except InputError as error:  # told here, since Hydra would add a line of its own
        sys.exit(f"initodds: {error}")


def run_job(composed: DictConfig) -> None:
    """Run one cell of the current sweep. If it fails, its run says so and the sweep goes on."""
    end_on_sigterm()
    try:
        run_cell(config.read(composed))
    except Exception as error:
        if not isinstance(error, InputError):
            traceback.print_exc()
        print(f"initodds: {cell_name(HydraConfig.get().overrides.task)}: {one_line(error)}", file=sys.stderr)
    if sweeper_is_gone():
        os._exit(1)  # a worker would wait for more work for minutes


def run_trial(composed: DictConfig) -> float:
    """Run one cell for a sweeper of others, as Optuna's, which looks for the best: returns the share that converged.

    The cell belongs to no sweep of ours. Raises InputError for a bad value, and whatever fails: the sweeper decides
    whether it goes on.
    """
    from initodds.sweeps import summary
    from initodds.tracking.store import connect

    end_on_sigterm()
    settings = config.read(composed)
    with Monitor():
        fingerprint = run_cell(settings)
    store = connect(settings.tracking.uri, settings.tracking.experiment)
    return summary.share_converged(store, fingerprint)


def run_cell(settings: Settings) -> str:
    """Train what is missing of a cell, with its progress reported, and track it, under the current sweep if any.

    Returns the cell's fingerprint. Raises InputError where the data cannot be had, or where the store could not be
    written for `settings.tracking.patience` seconds: the result is then kept on disk, and written at the next start.
    """
    from initodds.tracking import cell_runs
    from initodds.tracking.store import Run, connect, environment, patiently, store_errors
    from initodds.tracking.unsent import Unsent, write_again

    tracked = settings.tracking
    fingerprint = cell_runs.fingerprint(settings, config.dataset(settings).sha256)
    store = patiently(lambda: connect(tracked.uri, tracked.experiment), tracked.patience)
    first = 0 if tracked.rerun else patiently(lambda: adopt(store, settings, fingerprint), tracked.patience)
    if first >= settings.replicates:
        return fingerprint
    choices = dict(HydraConfig.get().runtime.choices)
    name = cell_name(HydraConfig.get().overrides.task) + (f" from replicate {first}" if first else "")
    tags = {**environment(), "fingerprint": fingerprint, "job": str(tracked.job), "sweep": current() or ""}
    if sweep := current():
        tags[cell_runs.member_tag(sweep)] = str(tracked.job)
    report = Report(name, cell.epochs_to_train(settings, first))
    run = patiently(lambda: Run(store, name, "cell", current(), tags), tracked.patience)
    trained = None
    try:
        with run.ending():
            trained = cell.run(settings, report, first)
            report.stage("tracking")
            cell_runs.write_cell(run, settings, choices, trained)
    except store_errors() as error:
        if trained is None:
            raise
        write_again(run, Unsent(name, current(), tags, settings, choices, trained), error)
    report.finish(cell_runs.in_words(trained.judgement.outcome))
    return fingerprint


def adopt(store: "Store", settings: Settings, fingerprint: str) -> int:
    """How many of a cell's replicates are tracked already; the runs that have them become members of the sweep."""
    from initodds.tracking import cell_runs

    runs = cell_runs.runs_of_cell(store, fingerprint)
    if sweep := current():
        cell_runs.join(store, runs, sweep, settings.tracking.job)
    return sum(cell_runs.replicates_of(run) for run in runs)


def cell_name(overrides: Sequence[str]) -> str:
    """A cell's name: what was set on the command line for it."""
    no_setting = ("experiment=", "tracking", "hydra", "data.root=")
    return " ".join(text for text in overrides if not text.startswith(no_setting)) or "defaults"


def swept_keys(cells: Sequence[Sequence[str]]) -> list[str]:
    """The keys that do not have the same value in all cells, each of which is a list of `key=value`."""
    values: dict[str, set[str]] = {}
    for overrides in cells:
        for key, _, text in (override.partition("=") for override in overrides):
            values.setdefault(key, set()).add(text)
    return [key for key, texts in values.items() if len(texts) > 1]
