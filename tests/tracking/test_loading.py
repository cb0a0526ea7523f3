from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from initodds import analysis
from initodds.cells import cell
from initodds.tracking import loading, reading, records, stored_settings, writing
from initodds.tracking import store as store_module
from initodds.tracking.reading import Asked
from initodds.vocabulary import OUTCOMES, InputError
from tests.conftest import record_of, settings_of

CHOICES = {"data": "digits", "network": "classic", "init": "half", "engine": "stacked"}
SMALL = ("data=digits", "network.hidden=[5]", "sgd.epochs=2", "replicates=3", "sgd.batch_size=100")


def record_fingerprint(record: records.Record) -> str:
    return stored_settings.from_text(record.settings, "here").fingerprint


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, list[cell.Cell]]:
    """(uri, sweep id, cells) of a sweep of two cells, beside one that failed, and a cell run alone."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        uri = f"sqlite:///{folder}/runs.db"
        store = store_module.connect(uri, "test")
        trained: list[cell.Cell] = []
        asked: list[Asked] = []
        with store_module.open_run(store, "two rates", "sweep", None, {"swept": "sgd.learning_rate"}) as sweep:
            for job, rate in enumerate(("0.5", "5.0")):
                settings = settings_of(*SMALL, f"sgd.learning_rate={rate}")
                trained.append(cell.run(settings))
                tags = {"job": str(job), "sweep": sweep.id}
                record = record_of(trained[-1], settings, CHOICES, name=rate, parent=sweep.id, tags=tags)
                with store_module.open_run(store, rate, "cell", sweep.id, tags) as run:
                    writing.write(run, record)
                asked.append(Asked(rate, record_fingerprint(record), record.params, 3))
            store_module.Run(store, "refused", "cell", sweep.id, {}).broken_off("FAILED", InputError("no"))
            sweep.client.log_text(sweep.id, reading.asked_text(asked), reading.CELLS)
        settings = settings_of(*SMALL, "init=zeros")
        trained.append(cell.run(settings))
        with store_module.open_run(store, "alone", "cell", None, {"job": "0", "sweep": ""}) as run:
            writing.write(run, record_of(trained[-1], settings, {**CHOICES, "init": "zeros"}))
    return uri, sweep.id, trained


def test_one_typed_row_a_replicate(swept: tuple[str, str, list[cell.Cell]]):
    uri, sweep, trained = swept
    frame = analysis.load_replicates(uri, "test", sweep)
    assert len(frame) == 6
    assert frame["sgd.learning_rate"].tolist() == [0.5] * 3 + [5.0] * 3
    assert frame["replicate"].tolist() == [0, 1, 2] * 2
    assert frame["outcome"].cat.categories.tolist() == list(OUTCOMES)
    assert frame["data.invert"].dtype == bool
    assert frame["network.hidden"].unique().tolist() == ["[5]"]
    for k, of_cell in enumerate(trained[:2]):
        rows = frame.iloc[3 * k : 3 * k + 3]
        np.testing.assert_allclose(rows["accuracy"], of_cell.history.score[-1])
        np.testing.assert_allclose(rows["best_accuracy"], of_cell.history.score.max(axis=0))
        np.testing.assert_array_equal(rows["steps_to_target"], of_cell.judgement.steps_to_target)
        assert rows["outcome"].tolist() == of_cell.judgement.outcome.tolist()
        assert (rows["steps"] == 30).all()


def test_all_sweeps_and_cells_alone(swept: tuple[str, str, list[cell.Cell]]):
    frame = analysis.load_replicates(swept[0], "test")
    assert len(frame) == 9
    assert sorted(frame["sweep"].unique()) == sorted(["", swept[1]])
    assert frame.loc[frame["init"] == "zeros", "init.low"].isna().all()
    assert frame.loc[frame["init"] == "half", "init.low"].unique().tolist() == [-0.5]


def test_curves_are_the_histories(swept: tuple[str, str, list[cell.Cell]]):
    uri, sweep, trained = swept
    curves = analysis.load_curves(uri, "test", sweep)
    frame = analysis.load_replicates(uri, "test", sweep)
    together = curves.merge(frame[["cell", "replicate", "sgd.learning_rate"]], on=["cell", "replicate"])
    history = trained[1].history
    mine = together[together["sgd.learning_rate"] == 5.0].pivot_table(index="step", columns="replicate", values="cost")
    np.testing.assert_allclose(mine.to_numpy(), history.cost, rtol=1e-12)
    assert mine.index.tolist() == history.steps.tolist()


def test_a_sweep_by_the_beginning_of_its_id(swept: tuple[str, str, list[cell.Cell]]):
    assert len(analysis.load_replicates(swept[0], "test", swept[1][:8])) == 6
    assert loading.find_sweep(loading.open_store(swept[0], "test"), "latest") == swept[1]


def test_what_is_not_there_is_told(swept: tuple[str, str, list[cell.Cell]], tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        analysis.load_replicates(f"sqlite:///{tmp_path}/none.db")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"experiment=other: .* test"):
        analysis.load_replicates(swept[0], "other")
    with pytest.raises(InputError, match=r"sweep=zzz: 0 sweeps found; .*two rates"):
        analysis.load_replicates(swept[0], "test", "zzz")


def test_an_empty_experiment_and_a_sweep_still_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    store = store_module.connect("sqlite:///runs.db", "test")
    with pytest.raises(InputError, match="no finished cell"):
        analysis.load_replicates("sqlite:///runs.db", "test")
    with pytest.raises(InputError, match="0 sweeps found; the last ones are none"):
        loading.find_sweep(store, "latest")
    settings = settings_of(*SMALL)
    with store_module.open_run(store, "running", "sweep", None, {}) as sweep:
        record = record_of(cell.run(settings), settings, CHOICES)
        asked = Asked("done", record_fingerprint(record), record.params, 3)
        sweep.client.log_text(sweep.id, reading.asked_text([asked]), reading.CELLS)
        with store_module.open_run(store, "done", "cell", sweep.id, {"job": "0", "sweep": sweep.id}) as run:
            writing.write(run, record)
        with pytest.warns(UserWarning, match="still running: 1 cells"):
            assert len(analysis.load_replicates("sqlite:///runs.db", "test", sweep.id)) == 3


def test_a_column_of_params_takes_its_type():
    column = pd.Series
    assert loading.typed(column(["1", "20"])).tolist() == [1, 20]
    assert loading.typed(column(["True", "False"])).tolist() == [True, False]
    assert loading.typed(column(["mean", "1"])).tolist() == ["mean", "1"]
    assert np.isnan(loading.typed(column(["0.5", None]))[1])
