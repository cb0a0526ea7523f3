"""Cells that the store did not take: kept as plain data, written at the next start, and never executed."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from initodds import analysis
from initodds.cells import cell
from initodds.tracking import page, reading, records, unsent, writing
from initodds.tracking import store as store_module
from initodds.tracking.records import Record
from initodds.vocabulary import InputError
from tests.conftest import record_of, settings_of

CHOICES = {"data": "digits", "network": "classic", "init": "unit", "engine": "stacked"}
SMALL = ("data=digits", "network.hidden=[5]", "sgd.epochs=2", "replicates=3", "init=unit", "diagnosis.escape=true")


@pytest.fixture(scope="module")
def record() -> Record:
    settings = settings_of(*SMALL)
    return record_of(cell.run(settings), settings, CHOICES, "a cell", tags={"job": "0", "sweep": ""})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> store_module.Store:
    monkeypatch.chdir(tmp_path)
    return store_module.connect("sqlite:///runs.db", "test")


def test_what_is_kept_is_all_that_is_written(record: Record, tmp_path: Path):
    unsent.write(record, tmp_path / "kept")
    again = unsent.read(tmp_path / "kept")
    for name in ("name", "parent", "tags", "params", "metrics", "description", "settings", "each_a_run"):
        assert getattr(again, name) == getattr(record, name)
    pd.testing.assert_frame_equal(again.replicates, record.replicates, check_dtype=False)
    for name in ("history", "weights"):
        kept, written = getattr(again, name), getattr(record, name)
        assert list(kept) == list(written)
        for key, array in written.items():
            np.testing.assert_array_equal(kept[key], array)
            assert kept[key].dtype == array.dtype
    assert sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) < 60_000, "without the data set"


def test_a_file_of_somebody_elses_stays_and_stops_nothing(record: Record, store: store_module.Store):
    unsent.keep(record)
    (kept,) = unsent.FOLDER.iterdir()
    (kept / "notes.txt").write_text("mine")
    assert unsent.send(store) == 1
    assert [path.name for path in kept.iterdir()] == ["notes.txt"]
    assert unsent.send(store) == 0
    assert len(reading.tracked_cells(store)) == 1


def test_a_kept_cell_is_written_as_it_would_have_been(
    record: Record, store: store_module.Store, capsys: pytest.CaptureFixture[str]
):
    with store_module.open_run(store, record.name, "cell", None, record.tags) as run:
        writing.write(run, record)
    at_once = analysis.load_replicates("sqlite:///runs.db", "test")
    assert "is kept in outputs/unsent" in unsent.keep(record)
    assert unsent.send(store) == 1
    assert capsys.readouterr().err == "tracking: a cell, which was kept on disk, is written\n"
    assert not list(unsent.FOLDER.iterdir())
    (one,) = reading.tracked_cells(store)
    assert one.parts[0].run.id != run.id, "the newer one counts"
    later = analysis.load_replicates("sqlite:///runs.db", "test")
    pd.testing.assert_frame_equal(later.drop(columns="run_id"), at_once.drop(columns="run_id"))
    first, second = (store.client.get_run(run_id).data for run_id in (run.id, one.parts[0].run.id))
    assert (first.params, first.metrics) == (second.params, second.metrics)
    assert first.tags["mlflow.note.content"] == second.tags["mlflow.note.content"]
    files = [[file.path for file in store.client.list_artifacts(run_id)] for run_id in (run.id, one.parts[0].run.id)]
    assert files[0] == files[1]
    assert unsent.send(store) == 0


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("executed"),)


def spoil(path: Path, how: str) -> None:
    """Make of a kept cell one that cannot be read."""
    match how:
        case "a file of version 0.1.0":
            shutil.rmtree(path)
            path.with_suffix(".pickle").write_bytes(pickle.dumps(Evil()))
        case "another format":
            content = json.loads((path / unsent.RECORD).read_text())
            (path / unsent.RECORD).write_text(json.dumps({**content, "format": 2}))
        case "another field":
            content = json.loads((path / unsent.RECORD).read_text())
            (path / unsent.RECORD).write_text(json.dumps({**content, "more": 2}))
        case "no JSON":
            (path / unsent.RECORD).write_text("{")
        case "a list":
            (path / unsent.RECORD).write_text("[]")
        case "a file is missing":
            (path / "weights.npz").unlink()
        case "an archive is cut short":
            content = (path / "history.npz").read_bytes()
            (path / "history.npz").write_bytes(content[: len(content) // 2])
        case "no archive":
            (path / "history.npz").write_text("this is no archive")
        case "a pickle for an archive":
            (path / "history.npz").write_bytes(pickle.dumps(Evil()))
        case "objects in an archive":
            np.savez(path / "replicates.npz", replicate=np.array([Evil()], dtype=object))
        case "columns of several lengths":
            np.savez(path / "replicates.npz", replicate=np.arange(3), order=np.arange(2))


@pytest.mark.parametrize(
    "how",
    [
        "a file of version 0.1.0",
        "another format",
        "another field",
        "no JSON",
        "a list",
        "a file is missing",
        "an archive is cut short",
        "no archive",
        "a pickle for an archive",
        "objects in an archive",
        "columns of several lengths",
    ],
)
def test_what_cannot_be_read_is_told_in_a_line_and_left_alone(
    how: str, record: Record, store: store_module.Store, capsys: pytest.CaptureFixture[str]
):
    unsent.keep(record)
    (path,) = unsent.FOLDER.iterdir()
    spoil(path, how)
    before = sorted(unsent.FOLDER.rglob("*"))
    unsent.keep(record)
    assert unsent.send(store) == 1, "the others are written"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    (line,) = [line for line in lines if "is left as it is" in line]
    assert line.startswith(f"tracking: {next(iter(unsent.FOLDER.iterdir()))} is left as it is: ")
    assert sorted(unsent.FOLDER.rglob("*")) == before
    assert not Path("executed").exists()


def test_a_cell_that_is_being_written_is_not_sent(record: Record, store: store_module.Store):
    unsent.write(record, unsent.FOLDER / "kept")
    (unsent.FOLDER / "kept").rename(unsent.FOLDER / "kept.part")
    assert unsent.send(store) == 0


def test_a_store_that_fails_for_good_leaves_the_cell_on_disk(
    record: Record, store: store_module.Store, monkeypatch: pytest.MonkeyPatch
):
    run = store_module.Run(store, "a cell", "cell", None, record.tags)
    failing = OSError("no answer")

    def fail(*arguments: object) -> None:
        raise failing

    monkeypatch.setattr(writing, "write", fail)
    with pytest.raises(InputError, match=r"could not be written for 0 s \(no answer\); .* is kept in outputs/unsent"):
        unsent.write_patiently(run, record, failing, "sqlite:///runs.db", 0.0)
    assert len(list(unsent.FOLDER.iterdir())) == 1
    monkeypatch.undo()


def test_a_page_counts_what_its_frame_has(record: Record):
    frame = record.replicates
    assert record.metrics["count/stuck"] == (frame["outcome"] == "stuck").sum()
    assert page.in_words(frame["outcome"].to_numpy()) in record.description
    assert record.params["first"] == "0"
    assert set(records.WORDS) <= set(frame)
