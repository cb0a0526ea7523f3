"""Who writes a run: user, program, versions, and the process, which can be looked up later."""

import getpass
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import psutil

from initodds import blas

LIBRARIES = ("initodds", "numpy", "scipy", "hydra-core", "mlflow", "pandas")


def shown(uri: str) -> str:
    """The address of a store for a message, without the password that it may have."""
    return re.sub(r"(://[^/@:]*:)[^@/]*@", r"\1***@", uri)


def environment() -> dict[str, str]:
    """Tags of a sweep and of a cell: what computed it."""
    command = shown(shlex.join(["initodds", *sys.argv[1:]]))
    return {"command": command, "python": sys.version.split()[0], "blas": blas.in_use(), **_versions()}


@cache
def _versions() -> dict[str, str]:
    return {f"version.{name}": version(name) for name in LIBRARIES}


@cache
def provenance() -> dict[str, str]:
    """Tags of every run, by MLflow's names: user, program, and the code's git commit where it has one."""
    tags = {"mlflow.source.name": "initodds", "mlflow.source.type": "LOCAL"}
    with suppress(OSError, KeyError, ImportError):  # a user without a name
        tags["mlflow.user"] = getpass.getuser()
    with suppress(OSError):
        git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        found = subprocess.run(git, capture_output=True, text=True, check=False)
        tags |= {"mlflow.source.git.commit": found.stdout.strip()} if found.returncode == 0 else {}
    return tags


def writer() -> dict[str, str]:
    """Tags that say which process writes a run: where it is, its number and start there, and when it was last heard of.

    host: its name.  boot, container: what tells two hosts of one name apart, and two containers on one host, whose
    processes do not see each other: Linux's boot id and the namespace of process numbers; elsewhere the time of the
    boot, and nothing.
    """
    process = psutil.Process()
    number = f"{process.pid} {process.create_time():.0f}"
    return {**_host(), "process": number, "pulse": f"{time.time():.0f}"}


@cache
def _host() -> dict[str, str]:
    boot, container = f"{psutil.boot_time():.0f}", ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        container = os.readlink("/proc/self/ns/pid")
    return {"host": socket.gethostname(), "boot": boot, "container": container}


def is_here(tags: Mapping[str, str]) -> bool:
    """Whether the process of these tags of `writer` is, or was, where this one can look it up. Version 0.1.0 told the
    host's name alone."""
    return all(tags.get(key, value) == value for key, value in _host().items())


def is_alive(process: str) -> bool:
    """Whether the process of this host that `writer` has described is still there."""
    number, _, start = process.partition(" ")
    try:
        return f"{psutil.Process(int(number)).create_time():.0f}" == start
    except (psutil.Error, ValueError):
        return False
