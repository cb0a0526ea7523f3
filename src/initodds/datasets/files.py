"""A user's own table, read from its file into columns: CSV, TSV, Parquet, or the arrays of an npz."""

import codecs
import csv
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from initodds.vocabulary import InputError, one_line

HEAD = 2**20
"""Bytes in which a text file has to show that it is a table."""


@dataclass(frozen=True)
class TableFile:
    """A file whose columns' names are known, and whose rows are not read yet.

    read: called with names, reads their columns. Raises InputError where the file is no table after all.
    """

    names: tuple[str, ...]
    read: Callable[[Sequence[str]], pa.Table]


def open_table(path: Path) -> TableFile:
    """The table in a file, by the ending of its name. No more than the beginning of the file is read.

    .csv, .txt and .tsv: text in UTF-8, columns' names in the first line; tabs in .tsv, otherwise the one of comma,
    semicolon and tab that the first line has most of. .npz: each array of one dimension is a column, each array of more
    has a column for each number in one of its examples, named like x[0].

    Raises InputError where it cannot be opened, has another ending, is empty, is no table, or has a name twice.
    """
    openers = {".csv": _open_text, ".txt": _open_text, ".tsv": _open_text, ".parquet": _open_parquet, ".npz": _open_npz}
    if path.suffix.lower() not in openers:
        raise InputError(f"data.path={path}: the name of a file that ends in {', '.join(openers)}")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"data.path={path}: the file is empty")
        table = openers[path.suffix.lower()](path)
    except (OSError, pa.ArrowException, ValueError, zipfile.BadZipFile) as error:
        raise error if isinstance(error, InputError) else _unreadable(path, error) from error
    for name in table.names:
        if table.names.count(name) > 1:
            raise InputError(f"data.path={path}: two columns are named {name!r}")
    return table


def _open_text(path: Path) -> TableFile:
    from pyarrow import csv as arrow_csv

    with path.open("rb") as file:
        head = file.read(HEAD)
    if b"\0" in head:
        raise InputError(f"data.path={path}: is no text, and so no table of the kind that its name says")
    text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)  # incremental: the last letter may be cut through
    first, newline, _ = text.partition("\n")
    if not newline and len(head) == HEAD:
        raise InputError(f"data.path={path}: no line ends within its first {HEAD} bytes, so it is no table")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
    names = tuple(name.strip() for name in next(csv.reader([first], delimiter=delimiter), []))

    def options(wanted: Sequence[str], types: dict[str, pa.DataType]) -> dict[str, Any]:
        return {
            "read_options": arrow_csv.ReadOptions(column_names=list(names), skip_rows=1),
            "parse_options": arrow_csv.ParseOptions(delimiter=delimiter),
            "convert_options": arrow_csv.ConvertOptions(
                include_columns=list(wanted), column_types=types, strings_can_be_null=True
            ),
        }

    def read(wanted: Sequence[str]) -> pa.Table:
        if not newline:
            return pa.table({name: pa.nulls(0) for name in wanted})
        try:
            # With the types told, Arrow need not keep the text for a second look at it: a third of the memory.
            with arrow_csv.open_csv(path, **options(wanted, {})) as beginning:
                types = {field.name: pa.float64() for field in beginning.schema if _is_number(field.type)}
            try:
                return arrow_csv.read_csv(path, **options(wanted, types))
            except pa.ArrowInvalid:  # what begins as numbers goes on as something else
                return arrow_csv.read_csv(path, **options(wanted, {}))
        except (OSError, pa.ArrowException) as error:
            if "Empty CSV" in str(error):
                return pa.table({name: pa.nulls(0) for name in wanted})
            if "straddling" in str(error):  # Arrow's word for a row that is longer than what it reads at once
                raise InputError(f"data.path={path}: a row takes more than {HEAD} bytes, so it is no table") from error
            raise _unreadable(path, error) from error

    return TableFile(names, read)


def _open_parquet(path: Path) -> TableFile:
    from pyarrow import parquet

    file = parquet.ParquetFile(path)

    def read(wanted: Sequence[str]) -> pa.Table:
        try:
            return file.read(columns=list(wanted))
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(path, error) from error

    return TableFile(tuple(file.schema_arrow.names), read)


def _open_npz(path: Path) -> TableFile:
    if not zipfile.is_zipfile(path):
        raise InputError(f"data.path={path}: is no npz file, as numpy.savez writes it")
    arrays = dict(np.load(path, allow_pickle=False))
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"data.path={path}: arrays of one length are needed; these have {lengths}")
    columns: dict[str, np.ndarray[Any, Any]] = {}
    for name, array in arrays.items():
        if array.ndim == 1:
            columns[name] = array
        else:
            flat = array.reshape(len(array), -1) if len(array) else array.reshape(0, 0)
            columns |= {f"{name}[{number}]": flat[:, number] for number in range(flat.shape[1])}

    def read(wanted: Sequence[str]) -> pa.Table:
        return pa.table({name: pa.array(np.ascontiguousarray(columns[name])) for name in wanted})

    return TableFile(tuple(columns), read)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, UnicodeDecodeError) or "invalid UTF8" in str(error):
        return InputError(f"data.path={path}: is text, but not in UTF-8, which it has to be")
    return InputError(f"data.path={path}: cannot be read as a table ({one_line(error)[:200]})")
