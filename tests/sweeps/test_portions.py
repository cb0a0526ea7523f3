"""A cell of many replicates is trained and kept in portions, each a run of its own."""

from pathlib import Path

import numpy as np
import pytest

from initodds.cells import cell, objects
from initodds.cells.subject import subject_of
from initodds.sweeps import jobs
from initodds.tracking import loading, parts, reading
from initodds.tracking import store as store_module
from tests.conftest import settings_of

SMALL = ("data=digits", "network.hidden=[4]", "sgd.epochs=1", "sgd.batch_size=100", "tracking.replicates=table")
CHOICES = {"data": "digits", "network": "classic", "init": "half", "engine": "auto"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> store_module.Store:
    monkeypatch.chdir(tmp_path)
    return store_module.connect("sqlite:///runs.db", "initodds")


def test_what_is_done_is_kept_and_the_rest_goes_on_from_there(
    store: store_module.Store, monkeypatch: pytest.MonkeyPatch
):
    settings = settings_of(*SMALL, "replicates=8", "tracking.uri=sqlite:///runs.db")
    subject = subject_of(settings)
    monkeypatch.setattr("initodds.cells.replicates.MEMORY_AT_ONCE", 3 * objects.memory(settings, subject.network, 1))
    asked = jobs.asked_for(settings, CHOICES, "a cell")
    run, spans = cell.run, []

    def interrupted(settings, report, first, stop, subject):
        spans.append((first, stop))
        if len(spans) == 3:
            raise KeyboardInterrupt
        return run(settings, report, first, stop, subject)

    monkeypatch.setattr(cell, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        jobs.track(store, settings, asked, 0, [])
    assert spans == [(0, 3), (3, 6), (6, 8)]
    tracked = reading.runs_of_cell(store, asked.fingerprint)
    assert [(part.first, part.stop) for part in parts.parts_of(tracked)] == [(0, 3), (3, 6)]
    missing = parts.missing(tracked, 8, settings.diagnosis.model_dump())
    assert missing is not None
    assert missing.first == 6
    monkeypatch.setattr(cell, "run", run)
    jobs.track(store, settings, asked, missing.first, [])
    frame = loading.load_replicates("sqlite:///runs.db").sort_values("replicate")
    whole = run(settings)
    assert frame["replicate"].tolist() == list(range(8))
    np.testing.assert_array_equal(frame["cost"], whole.history.cost[-1])
    assert frame["outcome"].tolist() == whole.judgement.outcome.tolist()
    engines = {one.tags["engine"] for one in reading.runs_of_cell(store, asked.fingerprint)}
    assert engines == {subject.engine.__name__.lower()}


def test_a_thousand_million_replicates_begin_at_once(store: store_module.Store, monkeypatch: pytest.MonkeyPatch):
    settings = settings_of(*SMALL, "replicates=1000000000", "tracking.uri=sqlite:///runs.db")
    asked = jobs.asked_for(settings, CHOICES, "a cell")
    seen = []

    def begun(settings, report, first, stop, subject):
        seen.append((report.epochs, first, stop))
        raise KeyboardInterrupt

    monkeypatch.setattr(cell, "run", begun)
    with pytest.raises(KeyboardInterrupt):
        jobs.track(store, settings, asked, 5, [])
    ((epochs, first, stop),) = seen
    assert (epochs, first) == (10**9 - 5, 5)
    assert 32 <= stop - first < 10**6


def test_a_slow_engine_is_warned_of_once_a_cell(
    store: store_module.Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    settings = settings_of(*SMALL, "replicates=4", "engine=matrix", "tracking.uri=sqlite:///runs.db")
    subject = subject_of(settings)
    monkeypatch.setattr("initodds.cells.replicates.MEMORY_AT_ONCE", 2 * objects.memory(settings, subject.network, 1))
    monkeypatch.setattr("initodds.cells.replicates.WORK_AT_ONCE", 1)
    asked = jobs.asked_for(settings, CHOICES, "a cell")
    jobs.track(store, settings, asked, 0, [])
    assert len(reading.runs_of_cell(store, asked.fingerprint)) > 1
    assert caplog.text.count("one after another") == 1
