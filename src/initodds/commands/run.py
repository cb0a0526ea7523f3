"""The command `initodds`: compose a config, run the cell that it says and track it."""

import os
import sys
from contextlib import chdir, suppress

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from initodds.cells import complaints, options
from initodds.commands.manners import GOES_ON, ends_in_a_line, ends_with_its_reader
from initodds.vocabulary import one_line


@hydra.main(version_base="1.3", config_path=str(options.directory()), config_name="config")
def app(composed: DictConfig) -> float | None:
    """One cell: alone, of a sweep, or for a sweeper of others, which is told the share converged.

    Relative paths are seen from the folder that the command was started in, whatever hydra.job.chdir says.
    """
    from initodds.sweeps import jobs  # late: `initodds --help` needs none of it

    with chdir(HydraConfig.get().runtime.cwd), ends_with_its_reader():
        if jobs.current():
            jobs.run_job(composed)
        elif HydraConfig.get().mode is RunMode.MULTIRUN:
            return jobs.run_trial(composed)
        else:
            jobs.run_alone(composed)
    return None


@ends_with_its_reader()
@ends_in_a_line("initodds", GOES_ON)
def main() -> None:
    """Run the command. What is wrong with a user's input is told in one line, with exit status 1."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra then raises its errors instead of printing them
    if {"--help", "-h"} & set(sys.argv[1:]):  # Hydra's own takes a second, most of it to list the groups
        print(options.help_text())
        return
    try:
        options.require_names(sys.argv[1:])
        let_optuna_maximize()
        app()
    except HydraException as error:
        sys.exit(f"initodds: {complaints.of_composing(error)}")
    except OSError as error:
        from initodds.tracking.store import FOR_GOOD

        if error.errno not in FOR_GOOD:
            raise
        # most often of the folder that Hydra makes for each run
        sys.exit(f"initodds: {one_line(error)}; hydra.run.dir=FOLDER names a folder that can be written")


def let_optuna_maximize() -> None:
    """Have `hydra/sweeper=optuna`, where its package is installed, look for the largest share by itself, not the least.

    A file in conf/ could not: Hydra takes none of the name of an option that a plugin has put into its store.
    """
    Plugins.instance()  # loads them all, so that theirs is there
    with suppress(ImportError):
        from hydra_plugins.hydra_optuna_sweeper.config import Direction, OptunaSweeperConf

        node = OptunaSweeperConf(direction=Direction.maximize)
        ConfigStore.instance().store("optuna", node, group="hydra/sweeper", provider="initodds")


if __name__ == "__main__":
    main()
