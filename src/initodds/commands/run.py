"""The command `initodds`: compose a config, run the cell that it says and track it."""

import os
import sys

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig

from initodds.cells import config
from initodds.sweeps import jobs
from initodds.vocabulary import InputError, one_line


@hydra.main(version_base="1.3", config_path=str(config.directory()), config_name="config")
def app(composed: DictConfig) -> None:
    """One cell, alone or of a sweep."""
    if jobs.current():
        jobs.run_job(composed)
    else:
        jobs.run_alone(composed)


def main() -> None:
    """Run the command. What is wrong with a user's input is told in one line, with exit status 1."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra then raises its errors instead of printing them
    try:
        app()
    except (HydraException, InputError) as error:
        sys.exit(f"initodds: {one_line(error)}")
    except KeyboardInterrupt:
        sys.exit("initodds: interrupted; what is tracked stays, and the same command goes on from there")


if __name__ == "__main__":
    main()
