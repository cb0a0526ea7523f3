"""The tiles of a map as jobs of Hydra's launcher, a tile a job: on the cores of this machine, or on a cluster's nodes.

What a job hands back is its tile's file: the folder is one that all jobs see, as Slurm's own have to.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks  # Hydra has no other that is needed where it is not the main program
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext
from omegaconf import DictConfig

from initodds.cells import options
from initodds.sweeps import jobs

TILE = "tile"
"""The key by which a job is told the number of its tile."""

SECONDS_BETWEEN_LOOKS = 1.0
"""How often it is looked which tiles are there."""


@dataclass(frozen=True)
class _Job:
    """What a job does: it makes the tile whose number its config has. Sent to the job's process as it is."""

    make: Callable[[int], None]

    def __call__(self, composed: DictConfig) -> None:
        jobs.end_on_sigterm()
        jobs.end_with_the_sweeper()
        self.make(int(composed[TILE]))


def launch(
    overrides: Sequence[str], make: Callable[[int], None], missing: dict[int, Path], on_tile: Callable[[int], None]
) -> None:
    """Make the tiles whose numbers are `missing`, each in a file, by the launcher that the overrides choose.

    make: makes the tile of a number, in any process.  on_tile: called with the number of each tile that is there.

    Raises what a job raises, once the others have ended.
    """
    with initialize_config_dir(str(options.directory()), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
        loader = GlobalHydra.instance().config_loader()
    context = HydraContext(config_loader=loader, callbacks=Callbacks())
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=_Job(make), config=config)
    with _watched(missing, on_tile):
        ended = launcher.launch([[f"+{TILE}={number}"] for number in missing], initial_job_idx=0)
    for job in ended:
        job.return_value  # noqa: B018  raises what the job has raised


@contextmanager
def _watched(missing: dict[int, Path], on_tile: Callable[[int], None]) -> Iterator[None]:
    """While the `with` block runs, tell of each tile whose file is there, once."""
    waiting, over = dict(missing), threading.Event()

    def look() -> None:
        for number in [number for number, path in waiting.items() if path.exists()]:
            del waiting[number]
            on_tile(number)

    def watch() -> None:
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        look()
