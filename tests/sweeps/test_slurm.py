"""A sweep on a real Slurm, Debian's, as one node of this machine, with a tracking server.

Skipped where Slurm is not installed (Debian: `apt-get install slurm-wlm munge`) or this user may not start it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pandas as pd
import psutil
import pytest

import initodds
from initodds import analysis
from initodds.commands import map as map_command
from initodds.tracking import loading
from initodds.tracking import store as store_module
from tests.conftest import free_port, wait_for_server
from tests.processes import command, launch

pytestmark = pytest.mark.soak

Found = TypeVar("Found")

CONFIG = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ReturnToService=2
SchedulerParameters=batch_sched_delay=0
MinJobAge=60
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory}
PartitionName=small Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def asked(*words: str, **environment: str) -> str:
    """What one of Slurm's commands answers, "" where it fails."""
    found = subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else ""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The path of the configuration of a Slurm that is running."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    programs = {name: shutil.which(name, path=path) for name in ("munged", "slurmctld", "slurmd")}
    if None in programs.values() or os.geteuid() != 0:
        pytest.skip("Slurm and munge are not installed, or not to be started by this user")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    host = socket.gethostname().partition(".")[0]
    config = folder / "slurm.conf"
    size = {"cpus": os.cpu_count(), "memory": psutil.virtual_memory().total // 2**20 - 1024}
    config.write_text(CONFIG.format(host=host, folder=folder, controller=free_port(), node=free_port(), **size))
    environment = {**os.environ, "SLURM_CONF": str(config)}
    munge = [f"--key-file={key}", f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid",
             f"--seed-file={folder}/munge.seed", f"--log-file={folder}/munged.log"]  # fmt: skip
    started = []
    with (folder / "said").open("w") as said:
        for arguments in (
            [programs["munged"], "--foreground", "--force", *munge],
            [programs["slurmctld"], "-D", "-f", str(config)],
            [programs["slurmd"], "-D", "-f", str(config), "-N", host],
        ):
            started.append(subprocess.Popen(arguments, env=environment, stdout=said, stderr=said))
            time.sleep(2)
        for _ in range(60):
            if asked("sinfo", "-h", "-o", "%T", SLURM_CONF=str(config)) == "idle":
                break
            time.sleep(1)
        else:
            for process in reversed(started):
                process.kill()
                process.wait()
            pytest.skip(f"this machine's Slurm does not start: {(folder / 'said').read_text()[-800:]}")
        yield str(config)
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a tracking server with an SQLite file."""
    port = free_port()
    program = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1",
               "--backend-store-uri", f"sqlite:///{tmp_path}/server.db",
               "--artifacts-destination", f"{tmp_path}/artifacts", "--serve-artifacts"]  # fmt: skip
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(program, cwd=tmp_path, stdout=log, stderr=log)
    wait_for_server(f"http://127.0.0.1:{port}")
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=30)


def wait_for(what: str, look: Callable[[], Found], seconds: float = 120) -> Found:
    """What `look` returns as soon as that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.5)
    return pytest.fail(f"not seen: {what}")


def cell_at_work(slurm: str, server: str) -> str:
    """The number of a job whose cell is being trained."""

    def look() -> str:
        jobs = asked("squeue", "-h", "-t", "RUNNING", "-o", "%i", SLURM_CONF=slurm).split()
        condition = "tags.level = 'cell' and attributes.status = 'RUNNING'"
        return jobs[0] if jobs and store_module.search(loading.open_store(server, None), condition) else ""

    return wait_for("a job at work", look)


def test_a_job_that_is_cancelled_is_completed_by_the_next_start(slurm: str, server: str, tmp_path: Path):
    long = "sgd.epochs=400"  # long enough to be cut off in its middle
    sweep = ("-m", "data=digits", "network.hidden=[6]", "replicates=3", "init=unit,half", long, "diagnosis.of=none",
             "hydra/launcher=slurm", "hydra.launcher.mem_gb=2", "tracking=server")  # fmt: skip
    environment = {"SLURM_CONF": slurm, "MLFLOW_TRACKING_URI": server}
    first = launch(tmp_path, *sweep, database=False, **environment)
    try:
        cancelled = cell_at_work(slurm, server)
        asked("scancel", cancelled, SLURM_CONF=slurm)
        wait_for("an empty queue", lambda: not asked("squeue", "-h", "-o", "%i", SLURM_CONF=slurm))
        # Without Slurm's accounting submitit cannot know that the job was cancelled, and waits: as its user would not.
        if first.returncode is None:
            os.kill(first.pid, signal.SIGINT)
        assert first.wait(timeout=60) != 0
    finally:
        if first.returncode is None:
            os.kill(first.pid, signal.SIGKILL)
    store = loading.open_store(server, None)
    states = [run.info.status for run in store_module.search(store, "tags.level = 'cell'")]
    assert states.count("FINISHED") < 2, "one was cut off"
    again = command(tmp_path, *sweep, database=False, **environment)
    assert again.returncode == 0, again.stderr
    rows = [line.split() for line in again.stdout.splitlines() if line.startswith(("unit", "half"))]
    assert [row[:2] for row in rows] == [["unit", "3"], ["half", "3"]]
    frame = analysis.load_replicates(server)
    assert frame.groupby("init")["replicate"].apply(list).tolist() == [[0, 1, 2]] * 2
    assert len(store_module.search(store, "tags.level = 'sweep'")) == 1


def test_the_tiles_of_a_map_are_jobs(slurm: str, tmp_path: Path):
    plane = ("data=xor", "network.hidden=[2]", "sgd.batch_size=4", "sgd.epochs=3", "init=centred", "--size", "8",
             "--x", "init.centre=-1:1", "--y", "sgd.learning_rate=0.1:30:log")  # fmt: skip
    cluster = ("hydra/launcher=slurm", "hydra.launcher.mem_gb=2", "tracking.experiment=cluster")
    here = command(tmp_path, *plane, main=map_command.main)
    there = command(tmp_path, *plane, *cluster, main=map_command.main, SLURM_CONF=slurm)
    assert here.returncode == there.returncode == 0, there.stderr
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    pd.testing.assert_frame_equal(initodds.load_map(uri), initodds.load_map(uri, experiment="cluster"))
