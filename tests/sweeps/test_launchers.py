"""A sweep by way of submitit, as on a cluster: locally, and as it would be handed to Slurm."""

import os
from pathlib import Path

import pytest

from initodds import analysis
from tests.conftest import settings_of
from tests.processes import command

GRID = ("-m", "data=digits", "network.hidden=[6]", "sgd.epochs=2", "replicates=3", "init=unit,half")


@pytest.mark.soak
def test_a_sweep_by_submitit_on_this_machine(tmp_path: Path):
    done = command(tmp_path, *GRID, "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[2:4]] == ["unit", "half"]
    frame = analysis.load_replicates(f"sqlite:///{tmp_path}/mlflow.db")
    assert frame.groupby("init")["replicate"].apply(list).tolist() == [[0, 1, 2]] * 2
    assert frame["sweep"].nunique() == 1


def test_slurm_gets_one_thread_memory_time_and_an_array(tmp_path: Path):
    # A stand-in for sbatch keeps what it is handed. It says no, so that the command ends there.
    (tmp_path / "bin").mkdir()
    for name in ("sbatch", "srun", "scontrol"):
        path = tmp_path / "bin" / name
        path.write_text(f'#!/bin/sh\ncat "$1" > "{tmp_path}/{name}.sh"\nexit 1\n')
        path.chmod(0o755)
    search_path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = command(tmp_path, *GRID, "hydra/launcher=slurm", "hydra.launcher.partition=small", PATH=search_path)
    assert done.returncode != 0
    script = (tmp_path / "sbatch.sh").read_text()
    for option in ("--cpus-per-task=1", "--mem=2GB", "--time=60", "--array=0-1%2", "--partition=small", "--nodes=1"):
        assert f"#SBATCH {option}" in script


@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local", "slurm"])
def test_every_launcher_composes(launcher: str):
    settings_of(f"hydra/launcher={launcher}", "init=unit")
