"""Hydra's own sweeper, with a run around the sweep that its cells lie under, its progress, and the table it ends with.

A Hydra callback would not do: its errors are only warnings, it is not told of a sweep that breaks off, and it does not
know the cells. Hydra takes sweepers from this namespace package only, and imports it whenever it starts.
"""

import sys
from copy import deepcopy
from functools import cache
from itertools import compress
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from omegaconf import OmegaConf


class CellSweeper(BasicSweeper):
    """Runs every combination of the swept values, a cell each, whatever the launcher.

    Cells that are tracked already are not run again. One whose values are not accepted is tracked as failed before any
    cell starts, and does not stop the others. The same sweep, started again, goes on in the same run.
    """

    def sweep(self, arguments: list[str]) -> Any:
        from initodds.sweeps import plan, summary
        from initodds.sweeps.jobs import begin, end_on_sigterm
        from initodds.sweeps.progress import Monitor
        from initodds.tracking import store, unsent

        assert self.config is not None
        assert self.hydra_context is not None
        assert self.launcher is not None
        end_on_sigterm()
        tracked = self.config.tracking
        there = store.connect(tracked.uri, tracked.experiment)
        store.bury(there)
        unsent.send(there)
        planned = plan.read(self.cells(arguments), self.compose)
        name = self.config.hydra.runtime.choices.get("experiment") or " ".join(arguments)
        results: list[Any] = []
        with plan.sweep_run(there, planned, name, rerun=bool(tracked.rerun)).ending() as run:
            begin(run.id)
            todo = plan.to_do(there, run.id, planned, rerun=bool(tracked.rerun))
            tracked_already = sum(cell.error is None for cell in planned) - len(todo)
            if tracked_already:
                print(f"{tracked_already} of {len(planned)} cells need not be run", file=sys.stderr)
            with Monitor(len(todo)):
                for batch in self.split_overrides_to_chunks(todo, self.max_batch_size or len(todo) or 1):
                    results.append(self.launcher.launch(batch, initial_job_idx=len(results)))
            failed = summary.of_sweep(there, run)
        if failed:
            sys.exit(f"initodds: {failed} cells failed; the others are tracked")
        return results

    def cells(self, arguments: list[str]) -> list[list[str]]:
        """The overrides of each cell, as Hydra's own sweeper has them; its folder has the config of the sweep."""
        assert self.config is not None
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        return [cell for batch in self.split_arguments(overrides, None) for cell in batch]

    def compose(self, overrides: list[str]) -> Any:
        """The config of a cell. Raises HydraException where it cannot be composed.

        Hydra takes 70 ms to compose a config from its files, which only the choices of config groups decide on: cells
        that choose alike share what it composes, and have their values set in it, as Hydra itself sets them.
        """
        assert self.hydra_context is not None
        loader = self.hydra_context.config_loader
        parsed = OverridesParser.create().parse_overrides(overrides)
        in_order = any(override.type is not OverrideType.CHANGE for override in parsed)  # as where a key is added first
        is_choice = [in_order or loader.repository.group_exists(override.key_or_group) for override in parsed]
        config = deepcopy(self.chosen(tuple(compress(overrides, is_choice))))
        values = [override for override, choice in zip(parsed, is_choice, strict=True) if not choice]
        loader._apply_overrides_to_config(values, config)
        return config

    @cache  # noqa: B019  there is one sweeper a process
    def chosen(self, overrides: tuple[str, ...]) -> Any:
        """What Hydra composes with these overrides."""
        assert self.config is not None
        assert self.hydra_context is not None
        return self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
