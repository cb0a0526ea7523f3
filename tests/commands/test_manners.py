"""What every command does alike."""

import importlib
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from initodds.tracking import loading
from initodds.tracking.store import search
from tests.processes import empty_database

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
MODULES = sorted(script.partition(":")[0] for script in PROJECT["scripts"].values())
SMALL = ["data=xor", "sgd.batch_size=4", "network.hidden=[2]", "sgd.epochs=1", "replicates=1"]
ENDED = 128 + signal.SIGPIPE


def unread(folder: Path, module: str, *arguments: str, unbuffered: str = "") -> tuple[int, str]:
    """The exit status, and what is said on standard error, of a command that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}; {module}.main()", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    return done.returncode, done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_a_closed_pipe_ends_every_command_without_a_word(module: str, tmp_path: Path):
    assert unread(tmp_path, module, "--help") == (ENDED, "")


@pytest.mark.parametrize("module", [module for module in MODULES if not module.endswith(".run")])  # that is Hydra's
def test_a_wrong_option_is_told_in_one_line(module: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["initodds", "--no-such-option", "--start", "--weights", "w.npz"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(module).main()
    name = module.rpartition(".")[2]
    assert str(ended.value).startswith(f"initodds-{name}: ")
    assert str(ended.value).endswith("; --help says more")
    assert "\n" not in str(ended.value)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_network_whose_rates_nobody_reads_is_tracked(unbuffered: str, tmp_path: Path):
    (tmp_path / "mlflow.db").write_bytes(empty_database())
    status, said = unread(tmp_path, "initodds.commands.run", *SMALL, unbuffered=unbuffered)
    assert status == ENDED
    assert [line[:4] for line in said.splitlines()] == ["1/1 "]
    cells = search(loading.open_store(f"sqlite:///{tmp_path}/mlflow.db", None), "tags.level = 'cell'")
    assert [cell.info.status for cell in cells] == ["FINISHED"]
