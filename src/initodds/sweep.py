"""Running a cell from Hydra: alone, or as a job of a sweep.

MLflow and the plotting libraries take seconds to import, and `initodds --help` needs none: they are imported late.
"""

import os
import sys
import traceback
from collections.abc import Sequence

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from initodds import cell, config
from initodds.cell import Cell
from initodds.config import Settings
from initodds.errors import InputError
from initodds.progress import Monitor, Report

SWEEP = "INITODDS_SWEEP"
"""Environment variable with the run id of the sweep whose jobs this process and its children run."""


def current() -> str | None:
    """The run id of the sweep that this process runs jobs of, or None."""
    return os.environ.get(SWEEP)


def run_alone(composed: DictConfig) -> None:
    """Run one cell that belongs to no sweep, and print its rates. A bad value ends the command in one line."""
    from initodds import summary, tracking

    try:
        settings = config.read(composed)
        with Monitor():
            result = run_cell(settings)
    except InputError as error:
        sys.exit(f"initodds: {error}")
    print(summary.of_cell(result, tracking.parameters(settings, HydraConfig.get().runtime.choices)))


def run_job(composed: DictConfig) -> None:
    """Run one cell of the current sweep. If it fails, its run says so and the sweep goes on."""
    try:
        run_cell(config.read(composed))
    except InputError:
        pass
    except Exception:
        traceback.print_exc()


def run_cell(settings: Settings) -> Cell:
    """Train a cell, with its progress reported, and track it under the current sweep, if there is one."""
    from initodds import tracking

    choices = HydraConfig.get().runtime.choices
    name = cell_name(HydraConfig.get().overrides.task)
    tags = {**tracking.environment(), "job": str(HydraConfig.get().job.get("num", 0)), "sweep": current() or ""}
    store = tracking.connect(settings.tracking.uri, settings.tracking.experiment)
    report = Report(name, cell.epochs_to_train(settings))
    with tracking.open_run(store, name, "cell", current(), tags) as run:
        result = cell.run(settings, report.epoch)
        tracking.write_cell(run, settings, choices, result)
    report.finish(tracking.in_words(result.judgement.outcome))
    return result


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
