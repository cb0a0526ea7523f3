"""The links that `initodds-ui` prints: MLflow finds by them what they say."""

import json
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from initodds.commands import ui
from initodds.tracking import loading
from initodds.tracking.store import Store
from tests.processes import command

SMALL = ("data=digits", "network.hidden=[4]", "sgd.epochs=1", "replicates=3")

show = partial(command, main=ui.main, database=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ui")
    assert command(path, "-m", *SMALL, "init=half,unit").returncode == 0
    return path


def opened(folder: Path) -> Store:
    return loading.open_store(f"sqlite:///{folder}/mlflow.db", None)


def view_of(store: Store, link: str) -> dict[str, object]:
    """What the UI takes from the experiment's tag that a link names."""
    (key,) = parse_qs(link.partition("?")[2])["viewStateShareKey"]
    return json.loads(store.client.get_experiment(store.experiment_id).tags[f"mlflow.sharedViewState.{key}"])


def found(store: Store, view: dict[str, object]) -> list[str]:
    """The names of the runs that the UI lists."""
    order = f"{view['orderByKey']} {'ASC' if view['orderByAsc'] else 'DESC'}"
    runs = store.client.search_runs([store.experiment_id], str(view["searchFilter"]), order_by=[order])
    return [run.info.run_name for run in runs]


def test_the_last_sweeps_cells_are_listed_the_most_stuck_first(folder: Path):
    store = opened(folder)
    cells, sweep, report = ui.links(store, "http://here")
    view = view_of(store, cells[1])
    assert found(store, view) == ["U[0, 1]", "U[-0.5, 0.5]"]
    assert view["selectedColumns"][:2] == ["metrics.`rate/stuck`", "params.`init`"]
    run_id = loading.find_sweep(store, "latest")
    assert sweep[1].startswith(f"http://here/#/experiments/{store.experiment_id}/runs/{run_id}?")
    assert f"/runs/{run_id}/artifacts/report.html?" in report[1]


def test_cells_that_an_earlier_sweep_has_trained_are_listed_too(folder: Path):
    assert command(folder, "-m", *SMALL, "init=unit,zeros").returncode == 0
    store = opened(folder)
    cells, *_ = ui.links(store, "http://here")
    assert set(found(store, view_of(store, cells[1]))) == {"U[0, 1]", "zeros"}


def test_without_a_sweep_all_cells_are_listed(tmp_path: Path):
    assert command(tmp_path, *SMALL, "init=half").returncode == 0
    store = opened(tmp_path)
    ((_, link),) = ui.links(store, "http://here")
    query = {key: values[0] for key, values in parse_qs(link.partition("?")[2]).items()}
    assert found(store, {**query, "orderByAsc": False}) == [" ".join([*SMALL, "init=half"])]


def test_what_is_not_there_is_one_line(tmp_path: Path):
    done = show(tmp_path, "--links")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("initodds-ui: --uri=sqlite:///mlflow.db: no such file; run a sweep first")
