"""A diagnosis from the weights that were kept, against the one that training anew ends with."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from initodds.cells import cell
from initodds.cells.cell import Silent
from initodds.tracking import again, reading, writing
from initodds.tracking import store as store_module
from initodds.tracking.parts import parts_between
from initodds.tracking.records import Heading, Record
from tests.conftest import record_of, settings_of

CHOICES = {"data": "digits", "network": "classic", "init": "half", "engine": "stacked"}
# Of these networks some converge, and some do not.
SMALL = ("data=digits", "network.hidden=[5]", "sgd.epochs=8", "sgd.batch_size=20", "outcome.target=0.73",
         "outcome.dead_recall=0", "tracking.replicates=table", "dtype=float64")  # fmt: skip


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> store_module.Store:
    monkeypatch.chdir(tmp_path)
    return store_module.connect("sqlite:///runs.db", "test")


def tracked(store: store_module.Store, first: int, *overrides: str) -> Record:
    """Train a cell from replicate `first` on, and track it."""
    settings = settings_of(*SMALL, *overrides)
    record = record_of(cell.run(settings, first=first), settings, CHOICES, tags={"job": "0", "sweep": ""})
    with store_module.open_run(store, record.name, "cell", None, record.tags) as run:
        writing.write(run, record)
    return record


def diagnosed(store: store_module.Store, *overrides: str) -> Record | None:
    """What `again.diagnosed` makes of the cell that is tracked."""
    settings = settings_of(*SMALL, *overrides)
    ((_, runs),) = reading.finished_runs(store).items()
    parts = parts_between(runs, 0, settings.replicates)
    return again.diagnosed(store, parts, settings, Heading("again", None, {}, {"init": "half"}), Silent())


def same(one: Any, other: Any) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kept", ["all", "failed"])
def test_it_is_as_if_it_had_been_asked_for_at_once(kept: str, store: store_module.Store):
    which = "all" if kept == "all" else "failed"
    asked = (f"diagnosis.of={which}", f"diagnosis.curvature={which}", f"diagnosis.keep_weights={kept}")
    before = (f"diagnosis.keep_weights={kept}", "diagnosis.curvature=none")
    tracked(store, 0, "replicates=3", *before)
    tracked(store, 3, "replicates=5", *before, "diagnosis.of=none")
    found = diagnosed(store, "replicates=5", *asked)
    settings = settings_of(*SMALL, "replicates=5", *asked)
    at_once = record_of(cell.run(settings), settings, CHOICES)
    assert found is not None
    assert set(at_once.replicates["outcome"]) > {"converged"}
    pd.testing.assert_frame_equal(
        found.replicates.drop(columns="explanation"), at_once.replicates.drop(columns="explanation"),
        check_dtype=False, rtol=1e-6, atol=1e-9,
    )  # fmt: skip
    assert found.description == at_once.description
    for name in ("history", "weights"):
        assert getattr(found, name).keys() == getattr(at_once, name).keys()
        for key, array in getattr(at_once, name).items():
            same(getattr(found, name)[key], array)
    times = ("training_seconds",)
    assert found.metrics.keys() == at_once.metrics.keys()
    same(
        [value for key, value in found.metrics.items() if key not in times],
        [value for key, value in at_once.metrics.items() if key not in times],
    )
    assert found.settings == at_once.settings


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        ((), ("diagnosis.of=all",)),  # of those that converged no weights were kept
        (("diagnosis.keep_weights=none",), ("diagnosis.curvature=failed",)),
        (("diagnosis.keep_weights=all",), ("diagnosis.escape=true",)),
    ],
)
def test_what_takes_training_is_left_to_it(before: tuple[str, ...], asked: tuple[str, ...], store: store_module.Store):
    tracked(store, 0, "replicates=5", *before)
    assert diagnosed(store, "replicates=5", *asked) is None


def test_what_is_not_there_is_left_to_the_training(store: store_module.Store):
    tracked(store, 0, "replicates=2", "diagnosis.keep_weights=all")
    assert diagnosed(store, "replicates=3", "diagnosis.of=all") is None
