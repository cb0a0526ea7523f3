"""Tables: scikit-learn's small ones, and a user's own."""

import logging
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from initodds.datasets.dataset import Array, Dataset, Task, split_examples
from initodds.datasets.files import open_table
from initodds.vocabulary import InputError

logger = logging.getLogger(__name__)

MAX_TEXTS = 100
"""Different texts that a column may have to be turned into as many columns of 0 and 1."""

MAX_CLASSES = 1000
"""Classes that a target may have."""

FEW_NUMBERS = 20
"""Different whole numbers that a target is taken for classes with, if nobody says which task it is."""

WITH_COMMA = re.compile(r"[-+]?\d+(,\d+)+(\.\d*)?")
"""A number with a comma before its decimals, or between its thousands."""

ROW_NUMBERS = ("", "id", "index", "row", "unnamed: 0")
"""Names of columns that, where they count the rows, tell nothing of the examples."""


@cache
def iris(test_share: float = 0.2, seed: int = 0) -> Dataset:
    """Fisher's 150 irises, four lengths in cm, three species, as he printed them: those of R and of scikit-learn, from
    the package mlxtend, which loads in no time. Split by `seed`, each species alike."""
    from mlxtend.data import iris_data

    x, y = iris_data(version="corrected")
    return split_examples("iris", x, y, test_share, seed, output_names=("setosa", "versicolor", "virginica"))


@cache
def wine(test_share: float = 0.2, seed: int = 0) -> Dataset:
    """178 wines, 13 measurements each in its own unit, three growers: scikit-learn's, split by `seed`, each alike."""
    from sklearn.datasets import load_wine

    return _classification("wine", load_wine(), test_share, seed)


@cache
def breast_cancer(test_share: float = 0.2, seed: int = 0) -> Dataset:
    """569 tumours, 30 measurements each in its own unit, malignant (0) or benign (1): scikit-learn's, split by `seed`,
    each alike."""
    from sklearn.datasets import load_breast_cancer

    return _classification("breast_cancer", load_breast_cancer(), test_share, seed)


@cache
def diabetes(test_share: float = 0.2, seed: int = 0) -> Dataset:
    """442 patients, ten features as scikit-learn gives them (centred, of length 1), and how far the disease got in a
    year, 25 to 346: a regression, split by `seed`."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes()
    return split_examples(
        "diabetes", bunch.data, bunch.target[:, None], test_share, seed, "regression", ("progression",)
    )


def _classification(name: str, bunch: Any, test_share: float, seed: int) -> Dataset:
    names = tuple(str(label) for label in bunch.target_names)
    return split_examples(name, bunch.data, bunch.target, test_share, seed, output_names=names)


def table(
    path: str | None = None,
    target: str | Sequence[str] | None = None,
    task: Task | None = None,
    test_share: float = 0.0,
    seed: int = 0,
    leave_out: Sequence[str] = (),
    autoencode: bool = False,
) -> Dataset:
    """A user's own table, from a .csv, .txt, .tsv, .parquet or .npz file; see `files.open_table`.

    target: the column to be learned, or for a regression several. None is for autoencoders: all columns are learned.
    task: None tells it from the column, and says so: text, true and false, or at most 20 different whole numbers are
        classes. Classes are numbered in the order of their values, and keep them as `output_names`.
    test_share, seed: of the test split, see `split_examples`.  leave_out: columns that are not looked at.
    Text columns become a column of 0 and 1 for each of their texts, in sorted order. A file is read again when it has
    changed since.

    Raises InputError where the file is no table, a column is missing, a value is missing, infinite or no number where
    numbers belong (with its row, 1 for the first under the header, and column), a column has too many different texts
    or numbers its rows, there is one class only or a target that is constant, or the rows are too few for a split.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "flowers.csv")
    >>> _ = file.write_text("length,colour,kind\\n1.5,red,rose\\n1.4,blue,flax\\n1.6,red,rose\\n0.9,blue,flax\\n")
    >>> data = table(str(file), "kind", test_share=0.5, task="classification")
    >>> data.features, data.output_names, data.train.y.tolist()
    (3, ('flax', 'rose'), [1, 0])
    """
    if path is None:
        raise InputError("data.path=null: the name of a file that ends in .csv, .txt, .tsv, .parquet or .npz")
    if task not in (None, "classification", "regression"):
        raise InputError(f"data.task={task}: classification, regression, or null to have it told from the column")
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"data.path={path}: there is no such file")
    stat = file.stat()
    targets = (target,) if isinstance(target, str) else tuple(target or ())
    left_out = (leave_out,) if isinstance(leave_out, str) else tuple(leave_out)
    if not targets and not autoencode:
        names = _listed(open_table(file).names)
        raise InputError(f"data.target=null: the column to be learned, of {names}; or data.autoencode=true")
    return _table(file.resolve(), stat.st_mtime_ns, stat.st_size, targets, task, test_share, seed, left_out)


@lru_cache(maxsize=2)
def _table(
    path: Path,
    changed: int,
    size: int,
    targets: tuple[str, ...],
    task: Task | None,
    test_share: float,
    seed: int,
    leave_out: tuple[str, ...],
) -> Dataset:
    """The data set in a file that was changed at this time (ns) and has this size (bytes)."""
    file = open_table(path)
    for key, names in (("target", targets), ("leave_out", leave_out)):
        for name in names:
            if name not in file.names:
                raise InputError(f"data.{key}={name}: no column of {path.name}, which has {_listed(file.names)}")
    features = [name for name in file.names if name not in (*targets, *leave_out)]
    if not features:
        raise InputError(f"data.path={path}: no column is left to learn from")
    columns = file.read([*features, *targets])
    if not len(columns):
        raise InputError(f"data.path={path}: there is no row under the names of the columns")
    parts = {name: _feature(name, columns[name], path) for name in features}
    if hot := [f"{name!r} ({parts[name].shape[1]})" for name in features if _is_text(columns[name].type)]:
        logger.warning("data.path=%s: text, as a column of 0 and 1 for each value: %s", path, ", ".join(hot))
    x = np.concatenate(list(parts.values()), axis=1)
    del parts  # of a table of millions of rows a quarter of the memory
    if not targets:
        return split_examples(path.stem, x, x, test_share, seed, "regression")
    if (task or _task_of(targets, [columns[name] for name in targets])) == "regression":
        y = np.column_stack([_numbers(name, columns[name], path) for name in targets])
        data = split_examples(path.stem, x, y, test_share, seed, "regression", targets)
        _require_variation(data)
        return data
    if len(targets) > 1:
        raise InputError(f"data.target={_listed(targets)}: one column for a classification; several for a regression")
    y, names = _classes(targets[0], columns[targets[0]], path)
    return split_examples(path.stem, x, y, test_share, seed, output_names=names)


def _task_of(targets: Sequence[str], columns: Sequence[pa.ChunkedArray]) -> Task:
    """The task that the target columns are for: several are a regression, one is what it looks like, which is said."""
    if len(columns) > 1:
        return "regression"
    task, because = _told_from(columns[0])
    logger.warning("data.task=%s: told from the target, since %r %s", task, targets[0], because)
    return task


def _told_from(column: pa.ChunkedArray) -> tuple[Task, str]:
    """The task that a target column is for, and what tells it."""
    if not _is_number(column.type) or pa.types.is_boolean(column.type):
        return "classification", "is no number"
    for rows in (column.slice(0, 1000), column):  # a thousand often tell, and all of a million take their time
        numbers = rows.unique().drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
        if not np.all(numbers == np.rint(numbers)):
            return "regression", "has numbers that are not whole"
        if len(numbers) > FEW_NUMBERS:
            return "regression", f"has over {FEW_NUMBERS} different numbers"
    return "classification", f"has {len(numbers)} different whole numbers"


def _feature(name: str, column: pa.ChunkedArray, path: Path) -> Array:
    """A column as (rows, numbers) float32: itself, or a column for each of its texts."""
    if not _is_text(column.type):
        numbers = _numbers(name, column, path)
        if name.strip().lower() in ROW_NUMBERS and len(numbers) > 1 and (np.diff(numbers) == 1).all():
            raise InputError(f"data.path={path}: the column {name!r} counts the rows: data.leave_out=['{name}']")
        return numbers[:, None]
    places, texts = _texts(name, column, path)
    _require_no_numbers(name, places, texts, path)
    _require_no_commas(name, places, texts, path)
    if len(texts) > min(MAX_TEXTS, max(10, len(column) // 2)):
        raise InputError(
            f"data.path={path}: the text column {name!r} has {len(texts)} different values in {len(column)} rows, as"
            f" names have: data.leave_out=['{name}']"
        )
    hot = np.zeros((len(column), len(texts)), np.float32)
    hot[np.arange(len(column)), places] = 1
    return hot


def _numbers(name: str, column: pa.ChunkedArray, path: Path) -> Array:
    """A column of numbers as (rows,) float32."""
    if _is_text(column.type):
        places, texts = _texts(name, column, path)
        _require_no_numbers(name, places, texts, path)
        _require_no_commas(name, places, texts, path)
        raise InputError(f"data.path={path}: row 1, column {name!r}: {texts[places[0]]!r} is not a number")
    _require_complete(name, column, path)
    if not _is_number(column.type):
        raise InputError(f"data.path={path}: the column {name!r} is of {column.type}, not of numbers or text")
    values = column.to_numpy()
    with np.errstate(over="ignore"):
        numbers: Array = values.astype(np.float32)
    finite = np.isfinite(numbers)
    if not finite.all():
        row = int(np.argmin(finite))
        value = float(values[row])
        what = "is missing" if np.isnan(value) else f"is {value:g}; numbers of less than 3.4e38 are needed"
        raise InputError(f"data.path={path}: row {row + 1}, column {name!r}: the value {what}")
    return numbers


def _classes(name: str, column: pa.ChunkedArray, path: Path) -> tuple[Array, tuple[str, ...]]:
    """A target column as (rows,) int64, and the classes' names: the column's values in their order."""
    if _is_text(column.type):
        y, texts = _texts(name, column, path)
        _require_no_commas(name, y, texts, path)
        names = tuple(texts)
    else:
        _numbers(name, column, path)  # for what it refuses
        values, y = np.unique(column.to_numpy(), return_inverse=True)
        names = tuple(str(value) if values.dtype == bool else f"{value:.15g}" for value in values)
    if len(names) == 1:
        raise InputError(f"data.target={name}: one class only, {names[0]!r}; at least two are needed")
    if len(names) > min(MAX_CLASSES, max(10, len(column) // 2)):
        raise InputError(
            f"data.target={name}: {len(names)} different values in {len(column)} rows are no classes; numbers are for"
            " data.task=regression"
        )
    return y.astype(np.int64), names


def _texts(name: str, column: pa.ChunkedArray, path: Path) -> tuple[Array, list[str]]:
    """A column of texts as (rows,) places in the sorted list of its different texts, and that list."""
    _require_complete(name, column, path)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    encoded = column.cast(kind).dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    texts = np.array([str(text) for text in encoded.dictionary.to_pylist()], dtype=object)
    order = np.argsort(texts, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    places = rank[encoded.indices.to_numpy()]
    blank = [place for place, text in enumerate(texts[order]) if not text.strip()]
    if blank:
        row = int(np.argmax(np.isin(places, blank)))
        raise InputError(f"data.path={path}: row {row + 1}, column {name!r}: the value is missing")
    return places, list(texts[order])


def _require_no_numbers(name: str, places: Array, texts: Sequence[str], path: Path) -> None:
    """Raise InputError where at least half of a text column's values are numbers, naming the first that is none."""
    is_number = np.array([_reads_as_number(text) for text in texts])[places]
    if is_number.mean() >= 0.5:
        row = int(np.argmin(is_number))
        raise InputError(f"data.path={path}: row {row + 1}, column {name!r}: {texts[places[row]]!r} is not a number")


def _require_no_commas(name: str, places: Array, texts: Sequence[str], path: Path) -> None:
    """Raise InputError where at least half of a text column's values are numbers with a comma, as 3,5 and 20,500."""
    with_comma = np.array([bool(WITH_COMMA.fullmatch(text.strip())) for text in texts])[places]
    if with_comma.mean() >= 0.5:
        text = texts[places[int(np.argmax(with_comma))]]
        accepted = "numbers have a point, as 3.5, and nothing between thousands"
        raise InputError(f"data.path={path}: column {name!r}: {text!r} is text, as all with a comma; {accepted}")


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _require_complete(name: str, column: pa.ChunkedArray, path: Path) -> None:
    """Raise InputError where a value is missing, naming the first."""
    if column.null_count:
        row = column.is_null().index(True).as_py()
        raise InputError(f"data.path={path}: row {row + 1}, column {name!r}: the value is missing")


def _require_variation(data: Dataset) -> None:
    """Raise InputError where a target of a regression is constant, in all rows or in a split."""
    train, test = data.train.y, data.test.y
    for rows, part in (
        (np.concatenate([train, test]), ""),
        (train, " of the training split"),
        (test, " of the test split"),
    ):
        for name, values in zip(data.output_names, rows.T, strict=True):
            if np.ptp(values) == 0:
                raise InputError(f"data.target={name}: is {values[0]:g} in every row{part}; it has to vary")


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return any((types.is_integer(kind), types.is_floating(kind), types.is_boolean(kind), types.is_decimal(kind)))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any((pa.types.is_string(kind), pa.types.is_large_string(kind), pa.types.is_string_view(kind)))


def _listed(names: Sequence[str], at_most: int = 20) -> str:
    """Names in a row, not too many of them."""
    return ", ".join([repr(name) for name in names[:at_most]] + ["..."] * (len(names) > at_most))
