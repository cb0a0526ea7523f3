"""Disks that are full or may only be read, folders with odd names: told in a line or handled, and nothing is lost."""

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

import initodds
from initodds.commands import advise, report, run, ui
from initodds.commands import map as map_command
from initodds.sweeps import summary
from initodds.tracking import loading, maps
from tests.conftest import free_port, wait_for_server
from tests.processes import command, empty_database, launch

SMALL = ("data=digits", "network.hidden=[6]", "sgd.epochs=1")
GRID = ("-m", *SMALL, "init=unit,half", "sgd.batch_size=50,100", "replicates=3", "tracking.patience=1")
MAP = (*SMALL, "init=centred", "--x=init.centre=-1:1", "--y=sgd.learning_rate=0.1:10:log", "--size=3")


class Disk:
    """A small disk of its own, in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, *options: str) -> None:
        done = subprocess.run(["mount", *options, str(self.folder)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("nothing can be mounted here")

    def fill(self) -> None:
        """Leave no room."""
        with open(self.folder / "filler", "wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(4096))

    def free(self) -> None:
        (self.folder / "filler").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    made.folder.mkdir()
    made.mount("-t", "tmpfs", "-o", "size=16m", "tmpfs")
    (made.folder / "mlflow.db").write_bytes(empty_database())
    yield made
    subprocess.run(["umount", "--lazy", str(made.folder)], check=True)


def replicates(folder: Path) -> list[list[Any]]:
    """What is tracked, as [run id, number]; told by a process of its own, as this one would hold the disk open."""
    return json.loads(command(folder, main=_print_replicates, database=False).stdout)


def _print_replicates() -> None:
    print(initodds.load_replicates()[["run_id", "replicate"]].to_json(orient="values"))


def failure(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that a command has said, which has failed without a traceback."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def is_sound(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def run_with_a_full_end() -> None:
    """`initodds`, whose disk is full once all cells of a sweep are trained."""
    of_sweep = summary.of_sweep

    def late(*arguments: Any, **named: Any) -> None:
        Disk(Path.cwd()).fill()
        of_sweep(*arguments, **named)

    summary.of_sweep = late
    run.main()


def map_with_a_full_end() -> None:
    """`initodds-map`, whose disk is full once all its networks are trained."""
    write = maps.write

    def late(*arguments: Any) -> None:
        Disk(Path.cwd()).fill()
        write(*arguments)

    maps.write = late
    map_command.main()


@pytest.mark.soak
def test_a_disk_that_is_full_at_the_start(disk: Disk):
    disk.fill()
    for arguments, said in ((GRID, "No space left on device"), (SMALL, "database or disk is full")):
        assert said in failure(command(disk.folder, *arguments))
    disk.free()
    assert command(disk.folder, *GRID).returncode == 0
    assert len(replicates(disk.folder)) == 12


@pytest.mark.soak
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_disk_that_runs_full_in_the_middle_of_a_sweep(launcher: str, disk: Disk):
    disk.mount("-o", "remount,size=3m")
    stopped = command(disk.folder, *GRID, f"hydra/launcher={launcher}")
    assert "what is tracked stays" in failure(stopped)
    assert "No space left on device" in stopped.stderr or "disk is full" in stopped.stderr
    kept = replicates(disk.folder)
    assert len(kept) < 12
    disk.mount("-o", "remount,size=32m")
    again = command(disk.folder, *GRID)
    assert again.returncode == 0, again.stderr
    assert len(kept) // 3 == 0 or f"{len(kept) // 3} of 4 cells need not be run" in again.stderr
    whole = replicates(disk.folder)
    assert len(whole) == 12
    assert all(replicate in whole for replicate in kept)
    assert is_sound(disk.folder)


@pytest.mark.soak
def test_a_disk_that_is_full_at_the_end_of_a_sweep_and_at_its_report(disk: Disk):
    assert "what is tracked stays" in failure(command(disk.folder, *GRID, main=run_with_a_full_end))
    kept = replicates(disk.folder)
    assert len(kept) == 12
    disk.free()
    again = command(disk.folder, *GRID)
    assert "4 of 4 cells need not be run" in again.stderr
    assert len(again.stdout.splitlines()) == 8  # the table
    assert replicates(disk.folder) == kept
    disk.fill()
    assert "--out=report: a folder that cannot be written" in failure(command(disk.folder, main=report.main))
    elsewhere = str(disk.folder.parent / "report")
    assert command(disk.folder, f"--out={elsewhere}", main=report.main).returncode == 0
    assert replicates(disk.folder) == kept
    disk.free()
    assert command(disk.folder, main=report.main).returncode == 0


@pytest.mark.soak
def test_a_disk_that_is_full_at_the_end_of_a_map(disk: Disk):
    assert "what is trained stays" in failure(command(disk.folder, *MAP, main=map_with_a_full_end))
    disk.free()
    again = command(disk.folder, *MAP, main=map_command.main)
    assert again.returncode == 0, again.stderr
    assert len(initodds.load_map(f"sqlite:///{disk.folder}/mlflow.db")) == 9


@pytest.mark.soak
def test_a_disk_that_may_only_be_read(disk: Disk):
    assert command(disk.folder, *GRID).returncode == 0
    kept = replicates(disk.folder)
    disk.mount("-o", "remount,ro")
    more = (*GRID, "replicates=4")
    for main, arguments in ((run, more), (run, SMALL), (map_command, MAP), (advise, SMALL)):
        said = failure(command(disk.folder, *arguments, main=main.main))
        assert "Read-only" in said or "may only be read" in said
    assert "Read-only" in failure(command(disk.folder, main=report.main))
    elsewhere = str(disk.folder.parent / "report")
    assert command(disk.folder, f"--out={elsewhere}", main=report.main).returncode == 0
    links = command(disk.folder, "--links", main=ui.main)
    assert links.returncode == 0
    assert not links.stderr
    assert replicates(disk.folder) == kept
    disk.mount("-o", "remount,rw")
    assert command(disk.folder, *more).returncode == 0
    assert len(replicates(disk.folder)) == 16


@pytest.mark.soak
def test_a_folder_whose_name_has_odd_characters(tmp_path: Path):
    folder = tmp_path / 'a "quoted" [list], {map}=$HOME & (more); ~100 `ü`'
    folder.mkdir()
    done = command(folder, *GRID)
    assert done.returncode == 0, done.stderr
    assert len(replicates(folder)) == 12
    assert command(folder, *MAP, main=map_command.main).returncode == 0
    reported = command(folder, main=report.main)
    assert reported.stdout.startswith("report/report.html: 12 networks")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    served = launch(folder, f"--port={port}", main=ui.main)
    try:
        wait_for_server(address)
        sweep = loading.find_sweep(loading.open_store(address, None), "latest")
        page = requests.get(f"{address}/get-artifact?path=report.html&run_uuid={sweep}", timeout=30)
        assert "<table" in page.text
    finally:
        os.killpg(served.pid, signal.SIGKILL)
        served.wait()


@pytest.mark.parametrize("name", ["what?", "a#b", "50%", "it's"])
def test_a_folder_whose_name_mlflow_cannot_take_is_said(name: str, tmp_path: Path):
    folder = tmp_path / name
    folder.mkdir()
    for main, arguments in ((run, GRID), (run, SMALL), (map_command, MAP), (advise, SMALL)):
        done = command(folder, *arguments, main=main.main, database=False)
        assert "MLflow takes no" in failure(done)
    assert not list(folder.glob("mlflow*"))
