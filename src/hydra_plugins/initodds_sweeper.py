"""Hydra's own sweeper, with a run around the sweep that its cells lie under, its progress, and the table it ends with.

A Hydra callback would not do: its errors are only warnings, it is not told of a sweep that breaks off, and it does not
know the cells. Hydra takes sweepers from this namespace package only, and imports it whenever it starts.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.errors import HydraException


class CellSweeper(BasicSweeper):
    """Runs every combination of the swept values, a cell each, whatever the launcher.

    A cell whose values are not accepted is tracked as failed before any cell starts, and does not stop the others.
    """

    def sweep(self, arguments: list[str]) -> Any:
        from initodds import summary, tracking
        from initodds.progress import Monitor
        from initodds.sweep import SWEEP

        assert self.config is not None
        settings = self.config.tracking
        store = tracking.connect(settings.uri, settings.experiment)
        name = self.config.hydra.runtime.choices.get("experiment") or " ".join(arguments)
        with tracking.open_run(store, name, "sweep", None, tracking.environment()) as run:
            os.environ[SWEEP] = run.id
            self.store, self.monitor = store, Monitor()
            with self.monitor:
                results = super().sweep(arguments)
            del os.environ[SWEEP]
            failed = summary.of_sweep(store, run)
        if failed:
            sys.exit(f"initodds: {failed} cells failed; the others are tracked")
        return results

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Hydra asks this before it launches the batch; the cells that are not accepted are taken out of it."""
        from initodds import config, tracking
        from initodds.errors import InputError
        from initodds.sweep import cell_name, current, swept_keys

        assert isinstance(batch, list)
        assert self.config is not None
        assert self.hydra_context is not None
        self.store.client.set_tag(current(), "swept", ",".join(swept_keys(batch)))
        for overrides in list(batch):
            try:
                config.read(self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides)))
            except (HydraException, InputError) as error:
                batch.remove(overrides)
                tracking.write_refused(self.store, cell_name(overrides), current(), error)
        self.monitor.cells = len(batch)
