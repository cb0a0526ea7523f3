"""Hydra's way into a sweep of cells: the option `hydra/sweeper=cells`.

Hydra takes sweepers from this namespace package only, and imports it whenever it starts, so that everything that takes
long to import is imported late. A Hydra callback would not do: its errors are only warnings, it is not told of a sweep
that breaks off, and it does not know the cells.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class CellSweeper(Sweeper):
    """Runs every combination of the swept values, a cell each, whatever the launcher.

    Around them there is a run that they lie under, their progress, and the table that they end with. Cells that are
    tracked already are not run again. One whose values are not accepted is tracked as failed before any cell starts,
    and does not stop the others. The same sweep, started again, goes on in the same run. A number that is an interval
    is searched for its edge, see `initodds.sweeps.edges`.
    """

    config: DictConfig
    launcher: Launcher

    def __init__(self, params: Mapping[str, Any], max_batch_size: int | None) -> None:
        self.params = [f"{key}={value}" for key, value in params.items()]
        self.max_batch_size = max_batch_size

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from initodds.sweeps.composing import SweepLoader

        self.config, self.loader = config, hydra_context.config_loader
        self.job_loader = SweepLoader(self.loader, config)
        context = HydraContext(cast(ConfigLoader, self.job_loader), hydra_context.callbacks)
        self.launcher = Plugins.instance().instantiate_launcher(context, task_function, config)

    def sweep(self, arguments: list[str]) -> list[Any]:
        """Run the cells that the overrides `arguments` and `params` make; returns what Hydra has of each that was run.

        Ends the command with status 1 where a cell failed. Raises InputError or HydraException where none can be run.
        """
        from initodds.sweeps import composing, edges, ending, jobs, plan, rounds
        from initodds.sweeps.progress import Monitor
        from initodds.tracking import reading, unsent
        from initodds.tracking.store import bury, connect_at_start
        from initodds.vocabulary import InputError

        size = self.max_batch_size
        if size is not None and (not isinstance(size, int) or size < 1):
            raise InputError(f"hydra.sweeper.max_batch_size={size}: a whole number of at least 1, or null")
        jobs.end_on_sigterm()
        overrides = [*self.params, *arguments]
        interval = edges.interval_of(overrides, self.loader)
        rounds.require_none(overrides, self.config, searched=interval is not None)
        questions = edges.questions_of(interval, overrides, self.loader, self.config) if interval else []
        cells = [] if interval else composing.combinations(overrides, self.loader)
        precision = rounds.precision_of(self.config)
        composing.save(self.config)
        tracked = self.config.tracking
        store = connect_at_start(tracked.uri, tracked.experiment, tracked.patience)
        bury(store)
        unsent.send(store)
        composer = composing.composer_of(self.job_loader)
        name = self.config.hydra.runtime.choices.get("experiment") or " ".join(arguments)
        if questions:
            return edges.sweep(store, questions, composer, name, self.config, self.launch)
        planned = plan.read(cells, composer)
        with plan.sweep_run(store, planned, name, rerun=bool(tracked.rerun)).ending() as run, run.pulse():
            jobs.begin(run.id, jobs.swept_keys([cell.overrides for cell in planned]))
            runs = {} if tracked.rerun else reading.finished_runs(store)
            todo = plan.to_do(store, run.id, planned, runs)
            if tracked_already := sum(cell.error is None for cell in planned) - len(todo):
                print(f"{tracked_already} of {len(planned)} cells need not be run", file=sys.stderr)
            for cell in planned:
                if todo and cell.error is not None:  # told now, before the others start, and again at the end
                    print(f"not accepted: {cell.told()}", file=sys.stderr)
            with Monitor(len(todo)) as monitor:
                returned = self.launch(todo)
                first = [cell.asked.replicates for cell in planned]
                while precision is not None:
                    before, planned = planned, rounds.next_round(store, planned, first, precision, composer)
                    more = [cell for cell, was in zip(planned, before, strict=True) if cell is not was]
                    if not more:
                        break
                    plan.list_cells(run, planned)
                    todo = plan.to_do(store, run.id, more, reading.finished_runs(store))
                    monitor.cells += len(todo)
                    returned += self.launch(todo, len(returned))
            if returned or tracked.rerun:
                runs = reading.finished_runs(store)
            failed = reading.failed_cells(store, run.id, runs)
            ending.finish(store, run, reading.tracked_cells(store, run.id, runs), failed)
        if failed:
            sys.exit(
                f"initodds: {len(failed)} {'cell' if len(failed) == 1 else 'cells'} failed; the others are tracked"
            )
        return returned

    def launch(self, cells: Sequence[list[str]], first: int = 0) -> list[Any]:
        """Hand the launcher the cells with these overrides, `max_batch_size` at a time; their numbers go on, from the
        `first`."""
        returned: list[Any] = []
        size = self.max_batch_size or len(cells) or 1
        for start in range(0, len(cells), size):
            returned += self.launcher.launch(cells[start : start + size], initial_job_idx=first + start)
        return returned
