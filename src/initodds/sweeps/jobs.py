"""Running cells from Hydra: one alone, or as jobs of a sweep; what is tracked already is not done again.

MLflow and the plotting libraries take seconds to import, and `initodds --help` needs none: they are imported late.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from initodds.cells import cell, config
from initodds.cells.replicates import epochs_to_train, portions
from initodds.cells.settings import Settings
from initodds.cells.subject import Subject, subject_of, warn
from initodds.sweeps import names
from initodds.sweeps.progress import Monitor, Report
from initodds.tracking import writers
from initodds.vocabulary import InputError, one_line

if TYPE_CHECKING:
    from initodds.tracking.parts import Part
    from initodds.tracking.reading import Asked
    from initodds.tracking.store import Store

SWEEP = "INITODDS_SWEEP"
"""Environment variable with the run id of the sweep whose jobs this process and its children run."""
SWEEPER = "INITODDS_SWEEPER"
"""... and with the process that the user has started it in, as `writers.writer` has it."""
SWEPT = "INITODDS_SWEPT"
"""... and with the keys that differ between its cells, as JSON."""
SECONDS_BETWEEN_LOOKS, SECONDS_TO_END = 3.0, 10.0
"""How often a worker looks whether the sweep's own process is there still, and how long it has to end itself if not."""


def current() -> str | None:
    """The run id of the sweep that this process runs jobs of, or None."""
    return os.environ.get(SWEEP)


def begin(sweep: str, swept: Sequence[str] = ()) -> None:
    """Let the jobs of this process and its children belong to the sweep with this run id; they differ in these keys."""
    os.environ[SWEEP], os.environ[SWEEPER] = sweep, json.dumps(writers.writer())
    os.environ[SWEPT] = json.dumps(list(swept))


def sweeper_is_gone() -> bool:
    """Whether the sweep's own process was on this host and has been killed."""
    there = json.loads(os.environ[SWEEPER])
    return writers.is_here(there) and not writers.is_alive(there["process"])


@cache
def end_with_the_sweeper() -> None:
    """Let this process, a worker, not outlive the sweep's own by more than half a minute, whatever it is at: it would
    wait for more work for ever. What it writes is marked as killed, if it still can be."""
    if json.loads(os.environ[SWEEPER])["process"] == writers.writer()["process"]:
        return  # the sweeper itself runs the jobs

    def watch() -> None:
        while not sweeper_is_gone():
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SECONDS_TO_END)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_on_sigterm() -> None:
    """Let SIGTERM end this process as an exit does, so that what it writes is marked as killed."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def run_alone(composed: DictConfig) -> None:
    """Run one cell that belongs to no sweep, and print its rates. A bad value ends the command in one line."""
    from initodds.sweeps import rounds, summary
    from initodds.tracking import reading, store, unsent

    end_on_sigterm()
    try:
        settings = config.read(composed)
        opened = store.connect(settings.tracking.uri, settings.tracking.experiment)
        store.bury(opened)
        unsent.send(opened)
        reading.finished_runs(opened)  # so that those of an earlier version have their fingerprints
        precision = rounds.precision_of(composed)
        with Monitor() as monitor:
            asked, trained = run_cell(settings)
            while precision and (more := rounds.enough(opened, asked, settings, precision)) > asked.replicates:
                monitor.cells += 1
                # What is to be done again has been so in the first round.
                tracking = settings.tracking.model_copy(update={"rerun": False})
                asked, again = run_cell(settings.model_copy(update={"replicates": more, "tracking": tracking}))
                trained = trained or again
        if not trained:
            print("the cell is tracked already, and was not trained again", file=sys.stderr)
        print(summary.of_cell(opened, asked))
    except InputError as error:  # told here, since Hydra would add a line of its own
        sys.exit(f"initodds: {error}")


def run_job(composed: DictConfig) -> None:
    """Run one cell of the current sweep. If it fails, its run says so and the sweep goes on."""
    end_on_sigterm()
    end_with_the_sweeper()
    try:
        run_cell(config.read(composed))
    except Exception as error:
        from initodds.tracking.store import store_errors

        if not isinstance(error, (InputError, *store_errors())):
            traceback.print_exc()
        print(f"initodds: {cell_name(HydraConfig.get().overrides.task)}: {one_line(error)}", file=sys.stderr)


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
        asked, _ = run_cell(settings)
    store = connect(settings.tracking.uri, settings.tracking.experiment)
    return summary.share_converged(store, asked)


def run_cell(settings: Settings) -> tuple["Asked", bool]:
    """Train what is missing of a cell, with its progress reported, and track it, under the current sweep if any.

    Returns what the settings ask for, and whether anything was missing. Raises InputError where the data cannot be had,
    or where the store could not be written for `settings.tracking.patience` seconds: the result is then kept on disk,
    and written at the next start.
    """
    from initodds.tracking import parts, reading, store

    uri, patience = settings.tracking.uri, settings.tracking.patience
    hydra = HydraConfig.get()
    swept = json.loads(os.environ[SWEPT]) if current() else None
    asked = asked_for(settings, dict(hydra.runtime.choices), name_of(hydra.overrides.task, settings, swept))
    opened = store.patiently(lambda: _store_of(current(), uri, settings.tracking.experiment), patience)
    tracked = store.patiently(lambda: reading.runs_of_cell(opened, asked.fingerprint), patience)
    runs = [] if settings.tracking.rerun else tracked
    missing = parts.missing(runs, settings.replicates, settings.diagnosis.model_dump())
    if missing is None:
        return asked, False
    diagnosis = settings.diagnosis.model_validate(missing.diagnosis)
    settings = settings.model_copy(update={"diagnosis": diagnosis})
    known = parts.parts_between(runs, missing.first, settings.replicates)
    track(opened, settings, asked, missing.first, known)
    return asked, True


def _store_of(sweep: str | None, uri: str, experiment: str) -> "Store":
    """The store of a cell, which is opened once for the jobs of a sweep that this process runs."""
    from initodds.tracking.store import connect

    return connect(uri, experiment) if sweep is None else _store_of_jobs(sweep, uri, experiment)


@lru_cache(maxsize=1)
def _store_of_jobs(sweep: str, uri: str, experiment: str) -> "Store":
    return _store_of(None, uri, experiment)


def track(store: "Store", settings: Settings, asked: "Asked", first: int, known: Sequence["Part"]) -> None:
    """Train and diagnose the replicates of a cell from number `first` on, and write them to the store, in portions,
    each a run of its own, so that what is done is kept. Those that are `known` already, all of them, need only be
    diagnosed, if what that takes was kept. Raises as `run_cell` does."""
    from initodds.tracking import page

    report = Report(asked.name + (f" from replicate {first}" if first else ""), epochs_to_train(settings, first))
    counts: Counter[str] = Counter()
    subject = None
    while first < settings.replicates:
        outcome, subject = _track_portion(store, settings, asked, first, known, report, subject)
        counts.update(outcome)
        first, known = first + len(outcome), []
    report.finish(page.counted(counts))


def _track_portion(
    store: "Store",
    settings: Settings,
    asked: "Asked",
    first: int,
    known: Sequence["Part"],
    report: Report,
    subject: Subject | None,
) -> tuple[list[str], Subject]:
    """Track the first portion of the replicates from number `first` on, or all that are `known`. Returns what became of
    each, and what the settings name, made."""
    from initodds.tracking import again, identity, records, unsent, writing
    from initodds.tracking.store import Run, patiently, store_errors

    tracked = settings.tracking
    name = asked.name + (f" from replicate {first}" if first else "")
    tags = {**writers.environment(), "job": str(tracked.job), "sweep": current() or ""}
    tags |= {identity.TAG: asked.fingerprint, records.DIAGNOSIS: settings.diagnosis.model_dump_json()}
    run = patiently(lambda: Run(store, name, "cell", current(), tags), tracked.patience)
    record = None
    try:
        with run.ending(), run.pulse():
            is_first, subject = subject is None, subject or subject_of(settings)
            tags["engine"] = known[0].run.tags.get("engine", "") if known else ""
            heading = records.Heading(name, current(), tags, asked.params)
            record = again.diagnosed(store, known, settings, heading, report)
            if record is None:
                if known:
                    print(f"initodds: {name}: is trained again, for what its diagnosis asks", file=sys.stderr)
                tags["engine"] = subject.engine.__name__.lower()
                if is_first:
                    warn(settings, subject)
                _, stop = next(portions(settings, subject, first))
                record = records.record_of(cell.run(settings, report, first, stop, subject), settings, heading)
            report.stage("tracking")
            writing.write(run, record)
    except store_errors() as error:
        if record is None or subject is None:
            raise
        unsent.write_patiently(run, record, error, tracked.uri, tracked.patience)
    return record.replicates["outcome"].tolist(), subject


def asked_for(
    settings: Settings, choices: Mapping[str, str], name: str, swept: Mapping[str, str] | None = None
) -> "Asked":
    """What a cell's settings ask for: of which cell, under which names, how many replicates.

    choices: the option that was chosen of each config group.  name: see `cell_name`.  swept: values of swept keys,
        which are among its names though they be no settings of a network.

    Raises InputError where the data cannot be had, or do not fit the network or the outcome's rule.
    """
    from initodds.tracking import records
    from initodds.tracking.reading import Asked
    from initodds.tracking.stored_settings import stored_settings

    params = records.parameters(settings, choices)
    params |= {key: value for key, value in (swept or {}).items() if key not in params}
    stored = stored_settings(settings, subject_of(settings).data.sha256)
    return Asked(name, stored.fingerprint, params | stored.states, settings.replicates)


def name_of(overrides: Sequence[str], settings: Settings, swept: Sequence[str] | None) -> str:
    """A cell's name: in a sweep over these keys a short one, elsewhere its `cell_name`."""
    return cell_name(overrides) if swept is None else names.short_name(overrides, swept, settings.init)


def cell_name(overrides: Sequence[str]) -> str:
    """A cell's name: what was set on the command line for it."""
    no_setting = ("experiment=", "tracking", "hydra", "data.root=", "precision=", "replicates_most=")
    return " ".join(text for text in overrides if not text.startswith(no_setting)) or "defaults"


def swept_keys(cells: Sequence[Sequence[str]]) -> list[str]:
    """The keys that do not have the same value in all cells, each of which is a list of `key=value`."""
    values: dict[str, set[str]] = {}
    for overrides in cells:
        for key, _, text in (override.partition("=") for override in overrides):
            values.setdefault(key, set()).add(text)
    return [key for key, texts in values.items() if len(texts) > 1]
