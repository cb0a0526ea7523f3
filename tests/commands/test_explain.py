"""The command `initodds-explain` on what the command `initodds` has tracked."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from initodds import datasets
from initodds.commands import explain as explain_command
from initodds.commands import stored
from initodds.commands.stored import diagnose_run, find_run
from initodds.tracking import loading, reading, records
from initodds.tracking import store as store_module
from initodds.vocabulary import InputError
from tests.processes import command

explain = partial(command, main=explain_command.main)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tracked")
    small = ("data=digits", "network.hidden=[8]", "sgd.epochs=20", "replicates=3")
    assert command(path, *small, "init=uniform", "init.low=3", "init.high=4").returncode == 0
    assert command(path, *small, "init=half", "sgd.epochs=60").returncode == 0
    return path


def runs(folder: Path, condition: str) -> list:
    return store_module.search(loading.open_store(f"sqlite:///{folder}/mlflow.db", None), condition)


def cell_of(folder: Path, init: str) -> str:
    return runs(folder, f"tags.level = 'cell' and params.init = '{init}'")[0].info.run_id


def test_a_stuck_replicate_is_explained_as_its_run_is(folder: Path, monkeypatch: pytest.MonkeyPatch):
    stuck = runs(folder, "tags.outcome = 'stuck' and params.replicate = '1'")[0]
    done = explain(folder, stuck.info.run_id)
    assert done.returncode == 0, done.stderr
    words, *numbers = done.stdout.split("\n\n")[1:]
    assert words == stuck.data.tags["mlflow.note.content"]
    assert words.startswith("All 8 hidden units answer 1.000 to nearly every example")
    assert done.stdout.startswith("replicate 1: hidden_saturated, ")
    assert f"gradient_norm            {stuck.data.metrics['gradient_norm']:.4g}" in numbers[0]
    assert (stuck.data.tags["cause"], stuck.data.tags["point"]) == ("hidden_saturated", "flat")


def test_a_cell_is_explained_whole_and_says_it_in_its_description(folder: Path):
    done = explain(folder, cell_of(folder, "uniform"))
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line.startswith("replicate ")] == [
        "replicate 0",
        "replicate 1",
        "replicate 2",
    ]
    (cell,) = runs(folder, "tags.level = 'cell' and params.init = 'uniform'")
    assert "All 8 hidden units answer 1.000" in cell.data.tags["mlflow.note.content"]
    assert cell.data.metrics["cause/hidden_saturated"] == 3


def test_stored_weights_are_the_trained_ones_of_those_that_failed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    store = loading.open_store(None, None)
    arrays = reading.read_arrays(store, cell_of(folder, "uniform"), records.WEIGHTS)
    assert arrays["replicates"].tolist() == [0, 1, 2]
    assert {name: array.shape for name, array in arrays.items()} == {
        "replicates": (3,),
        "weights_1": (3, 64, 8),
        "biases_1": (3, 8),
        "weights_2": (3, 8, 10),
        "biases_2": (3, 10),
    }
    assert np.abs(arrays["weights_1"] - 3.5).max() < 1


def test_what_cannot_be_explained_is_said_in_a_line(folder: Path):
    converged = runs(folder, "tags.outcome = 'converged'")[0].info.run_id
    for run_id, message in (
        (converged, "its weights were not kept; diagnosis.keep_weights says whose are"),
        (cell_of(folder, "half"), "its weights were not kept"),
        ("0" * 32, "there is no such run"),
    ):
        done = explain(folder, run_id)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("initodds-explain: RUN_ID")
        assert message in line


@pytest.mark.parametrize("flag", [["--start"], ["--weights", "weights.npz"]])
def test_a_store_is_no_part_of_what_is_not_tracked(flag: list[str], folder: Path):
    done = explain(folder, *flag, "data=iris", "--uri", "sqlite:///other.db")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"initodds-explain: --uri: goes with a RUN_ID; {flag[0]} reads nothing that is tracked"
    ]


def test_the_data_of_a_start_are_looked_for_where_it_is_said(folder: Path, tmp_path: Path):
    done = explain(folder, "--start", "data=mnist", "--data-root", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_weights_from_elsewhere_get_their_outcome_by_the_same_rule(folder: Path, tmp_path: Path):
    """All of XOR's examples but one right: partial, where every example is asked of it, as data=xor does."""
    layers = {"a": np.array([[20.0, 20], [20, 20]]), "b": np.array([-10.0, 0]), "c": np.array([[20.0], [0]]),
              "d": np.array([-10.0])}  # fmt: skip
    np.savez(tmp_path / "or.npz", **layers)
    cell = ["data=xor", "network.hidden=[2]", "sgd.batch_size=4", "outcome.target=0.7"]
    done = explain(folder, "--weights", str(tmp_path / "or.npz"), *cell)
    assert done.stdout.startswith(f"{tmp_path}/or.npz: partial, accuracy 0.75 and cost ")
    assert "on the training set: " in done.stdout.splitlines()[0]


def explain_with_other_data() -> None:
    datasets.digits = datasets.mnist_5k
    explain_command.main()


def test_other_data_than_it_was_trained_on_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch):
    done = command(folder, cell_of(folder, "uniform"), main=explain_with_other_data)
    assert done.returncode == 1
    assert "is not the one that it was trained on any more" in done.stderr


def test_a_run_is_found_by_the_beginning_of_its_id(folder: Path, monkeypatch: pytest.MonkeyPatch):
    store = loading.open_store(f"sqlite:///{folder}/mlflow.db", None)
    run_id = cell_of(folder, "uniform")
    assert find_run(store, run_id[:8]).info.run_id == run_id
    monkeypatch.setattr(stored, "search", lambda store, condition: runs(folder, "tags.level = 'cell'"))
    with pytest.raises(InputError, match=r"RUN_ID=a: 2 runs begin so, .*; more of the id is needed"):
        find_run(store, "a")
    with pytest.raises(InputError, match="there is no such run"):
        find_run(store, "' or 1 = 1")


def test_a_cell_that_was_not_trained_to_its_end_is_told(folder: Path):
    store = loading.open_store(f"sqlite:///{folder}/mlflow.db", None)
    failed = store_module.Run(store, "failed", "cell", None, {})
    failed.broken_off("FAILED", InputError("sgd.batch_size=5000: too large"))
    with pytest.raises(InputError, match=r"was not trained to its end: failed, sgd\.batch_size=5000: too large"):
        find_run(store, failed.id)
    sweep = store_module.Run(store, "sweep", "sweep", None, {})
    with pytest.raises(InputError, match="is a sweep; a replicate's or a cell's is needed"):
        find_run(store, sweep.id)


def test_the_data_are_found_where_they_were_when_it_was_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "of_mine.py").write_text(
        "from pathlib import Path\nfrom initodds import datasets\ndef load(root):\n"
        "    assert (Path(root) / 'data').is_file(), root\n    return datasets.digits()\n"
    )
    (tmp_path / "here" / "data").touch()
    own = ("data.load._target_=of_mine.load", "+data.load.root=${data.root}", "data.root=here")
    small = ("data=mnist", *own, "network.hidden=[6]", "sgd.epochs=2", "replicates=2", "diagnosis.keep_weights=all")
    done = command(tmp_path, *[text.removeprefix("+") for text in small], PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("INITODDS_DATA", "elsewhere")
    store = loading.open_store(f"sqlite:///{tmp_path}/mlflow.db", None)
    (run,) = runs(tmp_path, "tags.level = 'cell'")
    assert diagnose_run(store, run, None).replicates.tolist() == [0, 1]
    (tmp_path / "here").rename(tmp_path / "moved")
    assert len(diagnose_run(store, run, str(tmp_path / "moved")).replicates) == 2
    monkeypatch.setenv("INITODDS_DATA", str(tmp_path / "moved"))
    assert len(diagnose_run(store, run, None).replicates) == 2
    assert "root" not in " ".join(run.data.params)
