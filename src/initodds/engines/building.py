"""A C file in, a loaded library out: compiled on first use for the processor it runs on, and kept in the user's cache.

The compiler is the one that the environment names as CC; else cc, gcc or clang; else that of the package ziglang, where
it is installed. Where the system does not tell its processor's kind, the code is for any of its architecture.
"""

import ctypes
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import pooch

NATIVE = "-march=native" if platform.machine().lower() in ("x86_64", "amd64") else "-mcpu=native"
FLAGS = ("-std=gnu11", "-O3", "-fno-math-errno", "-fPIC", "-shared")
PROCESSOR = Path("/proc/cpuinfo")
LONGEST = 300
"""Seconds that a compiler may take."""
UNUSED = 30 * 24 * 3600
"""Seconds after which a library that was not loaded is removed, as that of an earlier version."""


class BuildError(Exception):
    """Why a library cannot be had, in one line."""


@cache
def library(source: Path, *macros: str) -> ctypes.CDLL | BuildError:
    """The library of a C file, with `macros` such as "REAL=float" defined; or why there is none.

    One that was compiled before is loaded where the compiler is the same, or is here no more, as on a machine that
    shares its home with another; and only if it is, byte for byte, what was written then: a library that is cut off can
    end the process that loads it.
    """
    try:
        folder: Path = pooch.os_cache("initodds") / "compiled"
        processor, compiler = _processor(), _compiler()
        flags = (*FLAGS, *([NATIVE] if processor else []), *(f"-D{macro}" for macro in macros))
        key = _digest("\0".join([source.read_text(), *flags, sys.platform, platform.machine(), processor]).encode())
        by = _digest(_identity(compiler).encode()) if compiler else "*"
        for path in folder.glob(f"{key}-{by}-*.so"):
            try:
                if path.stem.rpartition("-")[2] == _digest(path.read_bytes()):
                    with suppress(OSError):  # of another user
                        path.touch()
                    return ctypes.CDLL(str(path))
            except OSError:  # as in a home that machines of different systems share: compile it again
                pass
        if not compiler:
            return BuildError("there is no C compiler (cc, gcc or clang, or the package ziglang)")
        folder.mkdir(parents=True, exist_ok=True)
        _remove_unused(folder)
        return ctypes.CDLL(str(_compile(source, compiler, flags, folder, f"{key}-{by}")))
    except BuildError as error:
        return error
    except OSError as error:
        return BuildError(str(error))


def _compile(source: Path, compiler: list[str], flags: tuple[str, ...], folder: Path, key: str) -> Path:
    """Compile into `folder`, under a name that has the key and what has come out. Raises BuildError."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        made = Path(place) / "made.so"
        command = [*compiler, *flags, "-o", str(made), str(source), "-lm"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=LONGEST)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildError(f"the C compiler {shlex.join(compiler)} does not run: {error}") from None
        if done.returncode or not made.is_file():
            said = [line.strip() for line in done.stderr.splitlines() if "error:" in line]
            raise BuildError(f"the C compiler {shlex.join(compiler)} fails: {(said or ['it does not say why'])[0]}")
        path = folder / f"{key}-{_digest(made.read_bytes())}.so"
        return made.replace(path)


def _remove_unused(folder: Path) -> None:
    """Remove what nobody has loaded for long, and what a compiler that was killed has left."""
    for path in folder.iterdir():
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - UNUSED:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _compiler() -> list[str]:
    """The command of a C compiler; empty where there is none."""
    if named := shlex.split(os.environ.get("CC", "")):
        return named
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return [path]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    return []


def _identity(compiler: list[str]) -> str:
    """What changes with a compiler's version: its file and, since asking it would take a process at each start, that
    file's size and time."""
    files = [shutil.which(compiler[0])]
    if "ziglang" in compiler and (package := importlib.util.find_spec("ziglang")):
        files.append(package.origin)
    paths = [Path(file).resolve() for file in files if file]
    return repr([compiler, *((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths)])


def _processor() -> str:
    """What tells processors apart that cannot run each other's code; empty where the system does not say it."""
    try:
        lines = PROCESSOR.read_text().splitlines()
    except OSError:
        return ""
    flags = {line for line in lines if line.startswith(("flags", "Features", "CPU part", "model name"))}
    return repr(sorted(flags)) if flags else ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]
