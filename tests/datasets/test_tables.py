import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets as sklearn_datasets

from initodds import datasets
from initodds.cells import objects
from initodds.datasets import table
from initodds.vocabulary import InputError
from tests.conftest import settings_of
from tests.datasets.test_classic import in_order, together

FLOWERS = pd.DataFrame(
    {
        "length": [1.5, 0.25, 1.75, 0.5, 2.0, 0.75],
        "petals": [5, 3, 5, 3, 5, 4],
        "wild": [True, True, False, True, False, True],
        "colour": ["red", "blue", "red", "white", "white", "blue"],
        "kind": ["rose", "flax", "rose", "flax", "rose", "flax"],
    }
)
# By hand: length, petals, wild, and blue, red, white in this order.
FEATURES = [
    [1.5, 5, 1, 0, 1, 0],
    [0.25, 3, 1, 1, 0, 0],
    [1.75, 5, 0, 0, 1, 0],
    [0.5, 3, 1, 0, 0, 1],
    [2.0, 5, 0, 0, 0, 1],
    [0.75, 4, 1, 1, 0, 0],
]


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_classifications_are_scikit_learns(name: str):
    data = getattr(datasets, name)()
    bunch = getattr(sklearn_datasets, f"load_{name}")()
    np.testing.assert_array_equal(together(data), in_order(bunch.data, bunch.target))
    assert data.output_names == tuple(bunch.target_names)
    assert data.classes == data.outputs == len(bunch.target_names)
    counts = np.bincount(bunch.target)
    np.testing.assert_array_equal(np.bincount(data.test.y), np.rint(counts / 5))


def test_diabetes_is_scikit_learns():
    data = datasets.diabetes(test_share=0.25)
    bunch = sklearn_datasets.load_diabetes()
    np.testing.assert_array_equal(together(data), in_order(bunch.data, bunch.target.astype(np.float32)))
    assert (data.task, data.outputs, len(data.test)) == ("regression", 1, 110)
    assert data.train.y.shape == (332, 1)


def written(folder: Path, ending: str, frame: pd.DataFrame = FLOWERS) -> str:
    path = folder / f"flowers{ending}"
    if ending == ".parquet":
        frame.to_parquet(path)
    elif ending == ".npz":
        np.savez(
            path, **{name: frame[name].to_numpy(dtype=None if frame[name].dtype != "str" else "U9") for name in frame}
        )
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    return str(path)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".parquet", ".npz"])
def test_one_table_in_every_format(ending: str, tmp_path: Path):
    data = table(written(tmp_path, ending), "kind")
    assert data.train.x.tolist() == FEATURES
    assert data.train.y.tolist() == [1, 0, 1, 0, 1, 0]
    assert (data.name, data.task, data.output_names) == ("flowers", "classification", ("flax", "rose"))
    assert data.test is data.train
    assert data.sha256 == table(written(tmp_path, ".csv"), "kind").sha256


def test_other_ways_to_write_a_text_table(tmp_path: Path):
    expected = table(written(tmp_path, ".csv"), "kind").sha256
    text = Path(written(tmp_path, ".csv")).read_text()
    for number, other in enumerate(
        [text.replace(",", ";"), text.replace("\n", "\r\n"), "\ufeff" + text, text.replace(",colour", ' , "colour"')]
    ):
        path = tmp_path / f"other{number}.csv"
        path.write_bytes(other.encode())
        assert table(str(path), "kind").sha256 == expected


def test_categories_of_parquet_are_text(tmp_path: Path):
    frame = FLOWERS.assign(kind=FLOWERS["kind"].astype("category"), colour=FLOWERS["colour"].astype("category"))
    frame.to_parquet(tmp_path / "categories.parquet")
    assert table(str(tmp_path / "categories.parquet"), "kind").sha256 == table(written(tmp_path, ".csv"), "kind").sha256


def test_arrays_of_images_are_flat_rows(tmp_path: Path):
    x, y = np.arange(24.0).reshape(4, 3, 2), np.array([7, 9, 9, 7])
    np.savez(tmp_path / "images.npz", x=x, y=y)
    data = table(str(tmp_path / "images.npz"), "y", "classification")
    np.testing.assert_array_equal(data.train.x, x.reshape(4, 6))
    assert (data.train.y.tolist(), data.output_names) == ([0, 1, 1, 0], ("7", "9"))


@pytest.mark.parametrize(
    ("values", "task", "names"),
    [
        (["b", "a", "c"] * 10, "classification", ("a", "b", "c")),
        ([10, 9, -1] * 10, "classification", ("-1", "9", "10")),  # as numbers are sorted
        ([1.0, 0.0] * 15, "classification", ("0", "1")),
        ([True, False] * 15, "classification", ("False", "True")),
        ([0.5, 1.5, 1.0] * 10, "regression", ("y",)),
        (list(range(30)), "regression", ("y",)),
    ],
)
def test_the_task_is_told_from_the_target_and_said(
    values: list, task: str, names: tuple, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = written(tmp_path, ".csv", pd.DataFrame({"a": np.arange(30) % 7, "y": values}))
    with caplog.at_level(logging.WARNING):
        data = table(path, "y")
    assert (data.task, data.output_names) == (task, names)
    assert f"data.task={task}: told from the target" in caplog.text
    if task == "classification":
        assert [names[label] for label in data.train.y] == [str(value).removesuffix(".0") for value in values]
    else:
        assert data.train.y[:, 0].tolist() == values


def test_the_task_can_be_set(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = written(tmp_path, ".csv")
    assert table(path, "petals", "regression").train.y.tolist() == [[5], [3], [5], [3], [5], [4]]
    assert table(path, ["petals", "length"]).outputs == 2
    assert "data.task" not in caplog.text
    assert "text, as a column of 0 and 1 for each value: 'colour' (3), 'kind' (2)" in caplog.text
    assert table(path, "petals", leave_out=["kind", "colour"]).features == 2


def test_a_table_is_its_own_target(tmp_path: Path):
    """The 4-4-4 network of one example that is to give it back."""
    path = tmp_path / "one.csv"
    path.write_text("a,b,c,d\n0.1,0.3,0.7,0.2\n")
    data = objects.dataset(
        settings_of("data=table", f"data.path={path}", "data.autoencode=true", "data.scale=raw", "sgd.batch_size=1")
    )
    np.testing.assert_allclose(data.train.x, [[0.1, 0.3, 0.7, 0.2]], rtol=1e-6)
    np.testing.assert_array_equal(data.train.y, data.train.x)
    assert data.outputs == 4


def test_two_keys_will_do(tmp_path: Path):
    path = written(tmp_path, ".csv", pd.concat([FLOWERS] * 5))
    data = objects.dataset(settings_of("data=table", f"data.path={path}", "data.target=kind"))
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0, atol=1e-6)
    data = objects.dataset(settings_of("data=table", f"data.path={path}", "data.target=length", "data.test_share=0.2"))
    assert (len(data.train), len(data.test)) == (24, 6)
    assert data.train.y.std() == pytest.approx(1, rel=1e-5)


def test_an_edited_file_is_read_again(tmp_path: Path):
    path = written(tmp_path, ".csv")
    first = table(path, "kind")
    assert table(path, "kind") is first
    edited = FLOWERS.assign(length=FLOWERS["length"] + 0.25)
    written(tmp_path, ".csv", edited)
    os.utime(path, ns=(1, 1))  # whatever the clock's grain
    again = table(path, "kind")
    np.testing.assert_array_equal(again.train.x[:, 0], first.train.x[:, 0] + 0.25)
    assert again.sha256 != first.sha256


def test_a_column_of_whole_numbers_may_go_on_otherwise(tmp_path: Path):
    """Where types are told from the beginning of a large file, the rest has to be seen all the same."""
    rows = 150_000
    numbers = [str(row % 50) for row in range(rows)]
    path = tmp_path / "long.csv"
    path.write_text("a,y\n" + "".join(f"{number},{number}.5\n" for number in numbers) + "0.125,1e-3\n")
    assert path.stat().st_size > 2**20
    data = table(str(path), "y", "regression")
    assert (len(data.train), float(data.train.x[-1, 0])) == (rows + 1, 0.125)
    path.write_text("a,y\n" + "".join(f"{number},{number}.5\n" for number in numbers) + "oops,1\n")
    with pytest.raises(InputError, match=f"row {rows + 1}, column 'a': 'oops' is not a number"):
        table(str(path), "y", "regression")


def lines(*columns: object, header: str = "a,y") -> str:
    """A text table of 30 rows: each column a value for all, or a function of the row's number."""
    rows = [",".join(str(column(row) if callable(column) else column) for column in columns) for row in range(30)]
    return "\n".join([header, *rows, ""])


GOOD = lines(lambda row: row / 4, lambda row: "xyz"[row % 3])
NUMBERS = lines(lambda row: row / 4, lambda row: row * row)


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (GOOD, {"target": "z"}, "data.target=z: no column of table.csv, which has 'a', 'y'"),
        (GOOD, {"target": None}, "data.target=null: the column to be learned, of 'a', 'y'"),
        (GOOD, {"leave_out": ["b"]}, "data.leave_out=b: no column"),
        (GOOD, {"leave_out": ["a"]}, "no column is left"),
        (GOOD, {"task": "clustering"}, "data.task=clustering: classification, regression, or null"),
        (GOOD, {"task": "regression"}, "row 1, column 'y': 'x' is not a number"),
        (lines(1, 2, 3, header="a,b,y"), {"target": ["b", "y"], "task": "classification"}, "one column for a class"),
        (GOOD, {"test_share": 1.0}, "data.test_share=1.0: from 0"),
        (GOOD, {"seed": -1}, "data.seed=-1"),
        (GOOD + "1,w\n", {"test_share": 0.2}, "data.test_share=0.2: class w of table has one example only"),
        ("", {}, "the file is empty"),
        ("a,y", {}, "no row under the names"),
        ("a,y\n", {}, "no row under the names"),
        ("a,y\n1,x\n", {}, "data.target=y: one class only, 'x'"),
        ("a,y\n1,2.5\n", {}, "data.target=y: is 2.5 in every row"),
        ("a,y\n1,2.5\n", {"test_share": 0.2}, "data.test_share=0.2: table has one example only"),
        (lines(1, 2), {}, "data.target=y: one class only, '2'"),
        (lines(1, 2), {"task": "regression"}, "data.target=y: is 2 in every row"),
        (lines(lambda row: row / 4, lambda row: f"n{row}"), {}, "data.target=y: 30 different values in 30 rows are no"),
        (NUMBERS, {"task": "classification"}, "data.target=y: 30 different values in 30 rows are no classes"),
        (lines(lambda row: f"n{row}", lambda row: row), {}, "text column 'a' has 30 different values in 30 rows"),
        (
            lines(lambda row: row, lambda row: row * row, header="id,y"),
            {},
            "'id' counts the rows: data.leave_out=['id']",
        ),
        (lines(lambda row: row, 1, lambda row: row, header=",a,y"), {}, "'' counts the rows: data.leave_out=['']"),
        (NUMBERS.replace("\n1.5,", "\nmany,"), {}, "row 7, column 'a': 'many' is not a number"),
        (NUMBERS.replace("\n1.5,", "\n,"), {}, "row 7, column 'a': the value is missing"),
        (NUMBERS.replace("\n1.5,", "\nnan,"), {}, "row 7, column 'a': the value is missing"),
        (NUMBERS.replace("\n1.5,", "\n-inf,"), {}, "row 7, column 'a': the value is -inf"),
        (NUMBERS.replace("\n1.5,", "\n1e39,"), {}, "row 7, column 'a': the value is 1e+39"),
        (NUMBERS.replace(",9\n", ",\n"), {}, "row 4, column 'y': the value is missing"),
        (GOOD.replace(",z", ",", 1), {}, "row 3, column 'y': the value is missing"),
        (GOOD.replace(",z", ",  ", 1), {}, "row 3, column 'y': the value is missing"),
        (lines(lambda row: f"2020-01-{row + 1:02}", lambda row: row), {}, "column 'a' is of date32"),
        ("a,a,y\n1,2,3\n", {}, "two columns are named 'a'"),
        (GOOD + "1,x,3\n", {}, "cannot be read as a table (CSV parse error: Expected 2 columns, got 3"),
        (b"a,y\n1,\xe9\n", {}, "is text, but not in UTF-8"),
        (
            lines(lambda row: f'"{row},5"', lambda row: row),
            {},
            "column 'a': '0,5' is text, as all with a comma; numbers",
        ),
        (lines(lambda row: row / 4, lambda row: f'"{row},000"'), {}, "column 'y': '0,000' is text"),
        (b"\x89PNG\0\0\0", {}, "is no text"),
        (b"a" * 2**21, {}, "no line ends within its first"),
        (b"a,y\n" + b"lorem ipsum " * 2**18, {}, "a row takes more than 1048576 bytes"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(content: str | bytes, arguments: dict, message: str, tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as raised:
        table(**{"path": str(path), "target": "y", **arguments})
    assert message in str(raised.value)
    assert str(raised.value).startswith("data.")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.xls", b"x", "ends in .csv, .txt, .tsv, .parquet, .npz"),
        ("nowhere.csv", None, "there is no such file"),
        (".", None, "there is no such file"),
        ("table.parquet", b"PAR1", "cannot be read as a table"),
        ("table.npz", b"PK", "is no npz file"),
    ],
)
def test_what_is_no_table_is_told_in_one_line(name: str, content: bytes | None, message: str, tmp_path: Path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as raised:
        table(str(tmp_path / name), "y")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_gigabytes_that_are_no_table_are_refused_at_once(tmp_path: Path):
    path = tmp_path / "zeros.csv"
    with path.open("wb") as file:
        file.truncate(8 * 2**30)  # takes no room
    with pytest.raises(InputError, match="is no text"):
        table(str(path), "y")


def test_arrays_of_two_lengths(tmp_path: Path):
    np.savez(tmp_path / "two.npz", x=np.zeros((3, 2)), y=np.zeros(2))
    with pytest.raises(InputError, match=r"arrays of one length are needed; these have \{'x': 3, 'y': 2\}"):
        table(str(tmp_path / "two.npz"), "y")


def test_a_missing_value_of_parquet(tmp_path: Path):
    FLOWERS.assign(length=[1, 2, np.nan, 4, 5, 6]).to_parquet(tmp_path / "missing.parquet")
    with pytest.raises(InputError, match="row 3, column 'length': the value is missing"):
        table(str(tmp_path / "missing.parquet"), "kind")


def test_no_path():
    with pytest.raises(InputError, match=r"data\.path=null"):
        objects.dataset(settings_of("data=table"))
