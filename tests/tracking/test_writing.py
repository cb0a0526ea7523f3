import sqlite3
from pathlib import Path

import numpy as np
import pytest

from initodds.cells import cell
from initodds.tracking import reading, records, writers, writing
from initodds.tracking import store as store_module
from initodds.vocabulary import OUTCOMES, InputError
from tests.conftest import record_of, settings_of
from tests.processes import empty_database

CHOICES = {"data": "digits", "network": "classic", "init": "symmetric", "engine": "stacked", "hydra/launcher": "basic"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> store_module.Store:
    monkeypatch.chdir(tmp_path)
    Path("runs.db").write_bytes(empty_database())
    return store_module.connect("sqlite:///runs.db", "test")


def test_what_is_read_back_is_what_was_trained(store: store_module.Store):
    settings = settings_of("data=digits", "init=symmetric", "network.hidden=[6,5]", "replicates=5", "sgd.epochs=3")
    trained = cell.run(settings)
    with store_module.open_run(store, "sweep", "sweep", None, {}) as sweep:
        tags = {**writers.environment(), "job": "0", "sweep": sweep.id}
        with store_module.open_run(store, "cell", "cell", sweep.id, tags) as run:
            writing.write(run, record_of(trained, settings, CHOICES))
    replicates = reading.children(store, run.id, "replicate")
    assert sorted(int(r.data.params["replicate"]) for r in replicates) == list(range(5))
    for mine in replicates:
        r = int(mine.data.params["replicate"])
        assert mine.info.status == "FINISHED"
        assert mine.data.tags["outcome"] == trained.judgement.outcome[r]
        assert int(mine.data.params["order"]) == trained.orders[r]
        for name, values in (("accuracy", trained.history.score), ("cost", trained.history.cost)):
            curve = sorted(store.client.get_metric_history(mine.info.run_id, name), key=lambda metric: metric.step)
            assert [metric.step for metric in curve] == trained.history.steps.tolist()
            np.testing.assert_allclose([m.value for m in curve], values[:, r])
        recall = [mine.data.metrics[f"recall_{k}"] for k in range(10)]
        np.testing.assert_allclose(recall, trained.history.part_scores[-1, r])
        reached = trained.judgement.steps_to_target[r]
        assert mine.data.metrics.get("steps_to_target") == (None if np.isnan(reached) else reached)
        assert mine.data.params["network.hidden"] == "[6, 5]"
        assert mine.data.params["init.low"] == "-1.0"
    (row,) = reading.counts_of(store, reading.tracked_cells(store)).to_dict("records")
    assert [row[o] for o in OUTCOMES] == [(trained.judgement.outcome == o).sum() for o in OUTCOMES]
    whole = store.client.get_run(run.id)
    assert "of 5 networks 64-6-5-10 on digits" in whole.data.tags["mlflow.note.content"]
    assert whole.data.tags["version.numpy"] == np.__version__
    assert whole.data.tags["blas"]
    assert [artifact.path for artifact in store.client.list_artifacts(run.id)] == [
        "curves.svg",
        "history.npz",
        "replicates.parquet",
        "settings.json",
        "weights.npz",
    ]
    with np.load(Path(whole.info.artifact_uri) / "history.npz") as saved:
        for name, array in records.history_arrays(trained).items():
            np.testing.assert_array_equal(saved[name], array)


def test_params_have_every_setting_that_matters_and_no_path(store: store_module.Store):
    params = records.parameters(settings_of("data=mnist", "data.root=/some/folder", "init=gaussian"), CHOICES)
    for key in ("seed", "replicates", "dtype", "sgd.batch_size", "sgd.orders", "init.std", "outcome.target", "data"):
        assert key in params
    assert not any("/some/folder" in str(value) or "data.load" in key for key, value in params.items())


def test_a_run_that_breaks_off_says_so(store: store_module.Store):
    with pytest.raises(ValueError, match="lost"), store_module.open_run(store, "a", "cell", None, {}):
        raise ValueError("lost")
    with pytest.raises(KeyboardInterrupt), store_module.open_run(store, "b", "cell", None, {}):
        raise KeyboardInterrupt
    runs = {run.info.run_name: run for run in store.client.search_runs([store.experiment_id])}
    assert (runs["a"].info.status, runs["a"].data.tags["error"]) == ("FAILED", "lost")
    assert runs["b"].info.status == "KILLED"


def test_more_children_than_a_page_are_all_read(store: store_module.Store):
    for k in range(1003):
        store.client.create_run(
            store.experiment_id, tags={"mlflow.parentRunId": "p", "level": "replicate"}, run_name=f"{k}"
        )
    assert len({run.info.run_name for run in reading.children(store, "p", "replicate")}) == 1003


@pytest.mark.parametrize("uri", ["sqlite:////nowhere/at/all/runs.db", "sqlite:///text.db", "http://127.0.0.1:9"])
def test_a_store_that_cannot_be_used_is_told_at_once(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("text.db").write_text("this is no database, but a text that is long enough to be looked at as one" * 20)
    with pytest.raises(InputError, match=r"tracking\.uri="):
        store_module.connect(uri, "test")


def test_what_was_tracked_before_stays(store: store_module.Store):
    with store_module.open_run(store, "first", "cell", None, {}):
        pass
    again = store_module.connect("sqlite:///runs.db", "test")
    with store_module.open_run(again, "second", "cell", None, {}):
        pass
    assert again.experiment_id == store.experiment_id
    assert len(store.client.search_runs([store.experiment_id])) == 2
    with sqlite3.connect("runs.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_is_not_finite_has_no_metric_and_is_named(store: store_module.Store):
    """MLflow keeps NaN as 0, and found a diverged network by `cost < 0.1`."""
    blown_up = ("network.activation=relu", "network.output=linear", "sgd.learning_rate=1e30", "diagnosis.of=none")
    settings = settings_of("data=digits", "sgd.epochs=1", "replicates=2", *blown_up)
    trained = cell.run(settings)
    assert (trained.judgement.outcome == "diverged").all()
    with store_module.open_run(store, "blown up", "cell", None, {}) as run:
        writing.write(run, record_of(trained, settings, CHOICES))
    assert not store_module.search(store, "metrics.cost < 0.1")
    whole = store.client.get_run(run.id)
    assert "cost" in whole.data.tags["not_finite"].split(", ")
    assert "cost" not in whole.data.metrics
    for mine in reading.children(store, run.id, "replicate"):
        assert "cost" in mine.data.tags["not_finite"].split(", ")
        assert all(np.isfinite(metric) for metric in mine.data.metrics.values())


def test_a_cell_says_which_data_it_is_of(store: store_module.Store):
    settings = settings_of("data=digits", "network.hidden=[4]", "sgd.epochs=1", "replicates=1")
    record = record_of(cell.run(settings), settings, CHOICES)
    with store_module.open_run(store, "cell", "cell", None, {}) as run:
        writing.write(run, record)
    (found,) = store_module.search(store, "dataset.name = 'digits'")
    (used,) = found.inputs.dataset_inputs
    assert (found.info.run_id, used.dataset.digest) == (run.id, record.data_sha256[:8])


def test_a_description_that_is_too_long_is_cut_at_a_line(store: store_module.Store):
    run = store_module.Run(store, "long", "sweep", None, {})
    run.describe("\n".join(f"line {number}" for number in range(2000)))
    text = store.client.get_run(run.id).data.tags["mlflow.note.content"]
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("\n\nThe rest is among the artifacts.")
    assert len(text) <= store_module.LONGEST_TAG
