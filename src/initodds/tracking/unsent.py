"""Trained cells that the tracking store did not take: kept on disk as plain data, and written at the next start.

Each is a folder with record.json (names, numbers, words) and, as NumPy arrays of numbers and text, replicates.npz,
history.npz and weights.npz. Nothing in it is ever executed.
"""

import io
import json
import shutil
import sys
import uuid
import zipfile
import zlib
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd

from initodds.tracking import writing
from initodds.tracking.records import Record
from initodds.tracking.store import Run, Store, open_run, patiently, store_errors
from initodds.tracking.writers import shown
from initodds.vocabulary import InputError, one_line

FOLDER = Path("outputs/unsent")
"""In the folder that the command runs in."""

FORMAT = 1
RECORD = "record.json"
ARRAYS = ("replicates", "history", "weights")
"""The fields of a record that are kept as arrays, in a file of that name each."""
FILES = (RECORD, *(f"{name}.npz" for name in ARRAYS))


def write_patiently(run: Run, record: Record, error: Exception, uri: str, patience: float) -> None:
    """Write a record to a new run, after the store at `uri` has failed with `error` while `run` was written: again and
    again for `patience` seconds, and when that is at its end, to disk, for the next start. Raises InputError then."""
    try:
        patiently(lambda: _write_anew(run.store, record), patience, error)
    except store_errors() as last:
        raise InputError(
            f"tracking.uri={shown(uri)}: could not be written for {patience:.0f} s ({one_line(last)[:200]});"
            f" {keep(record)}"
        ) from last


def keep(record: Record) -> str:
    """Put a record on disk; returns what to say of that."""
    path = FOLDER / uuid.uuid4().hex[:16]
    try:
        write(record, path)
    except OSError as error:
        shutil.rmtree(path.with_suffix(".part"), ignore_errors=True)
        return f"nor could the cell's result be kept in {FOLDER} ({one_line(error)}): it is lost"
    return f"the cell's result is kept in {FOLDER}, and will be written at the next start"


def send(store: Store) -> int:
    """Write the cells that are kept in `FOLDER` to the store, and say so; returns their number.

    What is there and cannot be read, or not be written, is told in a line and left alone.
    """
    sent = 0
    failures: tuple[type[Exception], ...] = (*store_errors(), InputError)
    for path in sorted(FOLDER.glob("*")):
        if path.suffix == ".part":  # is being written, or was when its writer was killed
            continue
        if path.is_dir() and not any((path / name).exists() for name in FILES):  # somebody else's
            continue
        try:
            record = read(path)
            _write_anew(store, record)
            _remove(path)
        except failures as error:
            print(f"tracking: {path} is left as it is: {one_line(error)[:300]}", file=sys.stderr)
            continue
        sent += 1
        print(f"tracking: {record.name}, which was kept on disk, is written", file=sys.stderr)
    return sent


def write(record: Record, path: Path) -> None:
    """Write a record to a folder of this name, which is there only once it is whole."""
    part = path.with_suffix(".part")
    part.mkdir(parents=True)
    columns = {str(name): _plain(record.replicates[name]) for name in record.replicates}
    for name, arrays in zip(ARRAYS, (columns, record.history, record.weights), strict=True):
        np.savez_compressed(part / f"{name}.npz", allow_pickle=False, **arrays)
    rest = {field.name: getattr(record, field.name) for field in fields(Record) if field.name not in ARRAYS}
    (part / RECORD).write_text(json.dumps({"format": FORMAT, **rest}))
    part.rename(path)


def read(path: Path) -> Record:
    """The record in a folder. Raises InputError where it is none, of another version, or broken."""
    try:
        if not path.is_dir():
            raise InputError("not a cell's folder, as this version of initodds keeps them")
        plain = json.loads((path / RECORD).read_text())
        if plain.pop("format") != FORMAT:
            raise InputError("was kept by another version of initodds")
        arrays = {name: _read_arrays(path / f"{name}.npz") for name in ARRAYS}
        frame = pd.DataFrame(arrays.pop("replicates"))
        return Record(**plain, replicates=frame, history=arrays["history"], weights=arrays["weights"])
    except InputError:
        raise
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InputError(f"cannot be read ({type(error).__name__}: {one_line(error)})") from error


def _write_anew(store: Store, record: Record) -> None:
    """Write a record to a run of its own."""
    with open_run(store, record.name, "cell", record.parent, record.tags) as run:
        writing.write(run, record)


def _plain(column: pd.Series) -> np.ndarray:
    """A frame's column as an array of numbers or of text."""
    return np.asarray(column, dtype=None if pd.api.types.is_numeric_dtype(column) else str)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file. Raises ValueError where one would have to be executed to be read."""
    # From its bytes: NumPy leaves a file open that is no whole archive.
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
        return dict(arrays)


def _remove(path: Path) -> None:
    """Remove a record's files, and its folder if nothing else is in it."""
    for name in FILES:
        (path / name).unlink(missing_ok=True)
    with suppress(OSError):
        path.rmdir()
