"""The cells of a sweep: which they are, against Hydra's own way of composing them, and how they are handed on."""

import pickle
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from initodds import analysis
from initodds.cells import complaints, options
from initodds.sweeps import jobs
from initodds.sweeps.composing import Composer, SweepLoader, combinations, composer_of, save
from initodds.vocabulary import InputError
from tests.processes import command


@pytest.fixture
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(options.directory()), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


@pytest.fixture
def sweep(loader: ConfigLoader) -> DictConfig:
    composed = loader.load_configuration("config", [], RunMode.MULTIRUN)
    HydraConfig.instance().set_config(composed)
    return composed


CELLS = [
    ["init=uniform", "init.low=-0.5", "init.high=1"],
    ["init=uniform", "init.low=-0.5", "init.high=0.5", "sgd.batch_size=100"],
    ["sgd.learning_rate=0.3", "init=gaussian", "sgd.learning_rate=1e-2"],
    ["experiment=quickstart", "init=half", "network.hidden=[30,20]", "dtype='float64'"],
    ["data=digits", "tracking.uri='sqlite:///a, b.db'", "seed=${replicates}", "init._target_=a.B"],
    ["+init.extra=1", "init.extra=2", "~outcome.target", "seed=3"],
    ["++seed=4", "tracking=server", "tracking.experiment=x"],
    ["init={low:-2}", "init.high=2"],
    [],
]


def test_cells_are_composed_as_hydra_does(loader: ConfigLoader, sweep: DictConfig):
    composer = Composer(loader, sweep)
    for overrides in CELLS:
        expected = loader.load_sweep_config(sweep, overrides)
        for _ in range(2):  # a cell changes nothing for the next one that chooses alike
            composed = composer(overrides)
            assert OmegaConf.to_container(composed) == OmegaConf.to_container(expected)
            assert resolved(composed) == resolved(expected)
            cell = composer.cell(overrides)
            assert OmegaConf.to_container(cell.own, resolve=True) == resolved(expected)
            assert cell.choices == dict(expected.hydra.runtime.choices)


def resolved(config: DictConfig) -> Any:
    """What a job sees: without Hydra's own part, some of which is known only as it runs."""
    own = deepcopy(config)
    OmegaConf.set_struct(own, False)
    own.pop("hydra")
    return OmegaConf.to_container(own, resolve=True)


def test_a_job_that_is_sent_elsewhere_is_composed_as_hydra_does(loader: ConfigLoader, sweep: DictConfig):
    mine = SweepLoader(loader, sweep)
    sent = [pickle.loads(pickle.dumps(mine)) for _ in range(2)]
    for overrides in CELLS[:2]:
        expected = loader.load_sweep_config(sweep, overrides)
        for copy in sent:
            assert OmegaConf.to_container(copy.load_sweep_config(sweep, overrides)) == OmegaConf.to_container(expected)
    assert composer_of(sent[0]) is composer_of(sent[1])
    assert composer_of(SweepLoader(loader, sweep)) is not composer_of(mine)
    assert sent[0].list_groups("") == loader.list_groups("")


@pytest.mark.parametrize(
    "override", ["init=no_such", "sgd.no_such=1", "no_such=1", "~no_such", "replicates.x=1", "init@data=half", "seed=("]
)
def test_what_hydra_does_not_accept_is_not_accepted(override: str, loader: ConfigLoader, sweep: DictConfig):
    with pytest.raises(HydraException):
        loader.load_sweep_config(sweep, ["init=half", override])
    composer = Composer(loader, sweep)
    for composes in (composer, composer.cell, composer):
        with pytest.raises(InputError) as raised:
            composes(["init=half", override])
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("choice", ["init=null", "data=3", "experiment=true"])
def test_an_option_is_chosen_by_its_name(choice: str, loader: ConfigLoader, sweep: DictConfig):
    with pytest.raises(InputError, match=f"{choice}: .*its name"):
        Composer(loader, sweep)([choice])


def test_files_are_read_once_for_cells_that_choose_alike(loader: ConfigLoader, sweep: DictConfig, monkeypatch: Any):
    read = []
    load = loader.load_sweep_config
    monkeypatch.setattr(loader, "load_sweep_config", lambda sweep, chosen: read.append(chosen) or load(sweep, chosen))
    composer = Composer(loader, sweep)
    for cell in combinations(["init=unit,half", "sgd.learning_rate=1,2,3", "seed=range(3)"], loader):
        composer(cell)
    assert read == [["init=unit"], ["init=half"]]


@pytest.mark.parametrize(
    ("overrides", "cells"),
    [
        (["seed=1"], [["seed=1"]]),
        (["init=unit,half", "seed=0,1"], [["init=unit", "seed=0"], ["init=unit", "seed=1"],
                                          ["init=half", "seed=0"], ["init=half", "seed=1"]]),
        (["seed=range(1,6,2)", "init=half"], [["seed=1", "init=half"], ["seed=3", "init=half"],
                                              ["seed=5", "init=half"]]),
        (["diagnosis=glob(f*)"], [["diagnosis=failed"]]),
        (["init=glob(x*_uniform,exclude=z*)"], [["init=xavier_uniform"]]),
        (["network.hidden=[6],[6,3]"], [["network.hidden=[6]"], ["network.hidden=[6,3]"]]),
        (["dtype=choice(float32,float64)"], [["dtype=float32"], ["dtype=float64"]]),
        (["+init.x=1,2", "~outcome.target"], [["+init.x=1", "~outcome.target"], ["+init.x=2", "~outcome.target"]]),
        # The command line comes after an experiment's params, and takes the place of what they have.
        (["init=unit,half", "seed=0,1", "init=zeros"], [["init=zeros", "seed=0"], ["init=zeros", "seed=1"]]),
        (["tracking.uri='sqlite:///a b.db'"], [["tracking.uri='sqlite:///a b.db'"]]),
    ],
)  # fmt: skip
def test_every_combination_is_a_cell(overrides: list[str], cells: list[list[str]], loader: ConfigLoader):
    assert combinations(overrides, loader) == cells


def test_an_interval_is_no_sweep_of_cells(loader: ConfigLoader):
    with pytest.raises(InputError, match=r"sgd\.learning_rate=interval\(0\.1,10\): .* hydra/sweeper=optuna"):
        combinations(["sgd.learning_rate=interval(0.1,10)"], loader)


def test_cells_are_numbered_on_from_batch_to_batch():
    with initialize_config_dir(str(options.directory()), version_base="1.3"):
        from hydra_plugins.initodds_sweeper import CellSweeper  # Hydra executes its plugins anew when it starts

    class Launcher:
        def launch(self, cells: Any, initial_job_idx: int) -> list[tuple[int, Any]]:
            return list(enumerate(cells, start=initial_job_idx))

    cells = [[f"seed={seed}"] for seed in range(5)]
    for size in (1, 2, 5, 7, None):
        sweeper = CellSweeper(params={}, max_batch_size=size)
        sweeper.launcher = Launcher()
        assert sweeper.launch(cells) == list(enumerate(cells))
        assert sweeper.launch([]) == []


def test_an_experiment_may_be_swept_by_any_sweeper(loader: ConfigLoader):
    for sweeper, target in (("cells", "CellSweeper"), ("basic", "BasicSweeper")):
        arguments = ["experiment=quickstart", f"hydra/sweeper={sweeper}"]
        ours = loader.load_configuration("config", arguments, RunMode.MULTIRUN).hydra.sweeper
        assert ours._target_.endswith(target)
        assert ours.max_batch_size is None
        assert ours.params["sgd.batch_size"] == "10,100"


def test_a_folder_of_the_sweep_that_cannot_be_made_is_told(sweep: DictConfig):
    OmegaConf.set_readonly(sweep.hydra, False)
    sweep.hydra.sweep.dir = "/proc/no/such"
    with pytest.raises(InputError, match=r"hydra\.sweep\.dir=/proc/no/such: "):
        save(sweep)


def test_another_sweeper_is_told_the_share_converged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    overrides = ["data=digits", "network.hidden=[10]", "sgd.epochs=6", "replicates=8", "outcome.target=0.8"]
    with initialize_config_dir(str(options.directory()), version_base="1.3"):
        composed = compose("config", overrides, return_hydra_config=True)
        HydraConfig.instance().set_config(composed)
        share = jobs.run_trial(composed)
        with pytest.raises(InputError, match=r"sgd\.batch_size=0"):
            jobs.run_trial(compose("config", ["sgd.batch_size=0"]))
    frame = analysis.load_replicates(f"sqlite:///{tmp_path}/mlflow.db")
    assert 0 < share < 1
    assert share == (frame["accuracy"] >= 0.8).mean()


def test_what_another_package_has_is_told_with_what_to_install():
    missing = MissingConfigException("In 'config': Could not find it", "hydra/sweeper/optuna")
    assert complaints.of_composing(missing) == "hydra/sweeper=optuna: needs pip install 'initodds[optuna]'"


def test_optuna_looks_for_the_largest_share(tmp_path: Path):
    pytest.importorskip("optuna")
    values = "sgd.learning_rate=choice(0.0001,3.0)"  # at the first of them nothing is learned
    small = ("data=digits", "replicates=2", "outcome.target=0.5")
    search = ("hydra/sweeper=optuna", "hydra/sweeper/sampler=grid", "hydra.sweep.dir=search")
    done = command(tmp_path, "-m", *small, values, *search)
    assert done.returncode == 0, done.stderr
    assert "1/1 sgd.learning_rate=3.0" in done.stderr
    best = OmegaConf.load(tmp_path / "search" / "optimization_results.yaml")
    assert best.best_params == {"sgd.learning_rate": 3.0}
    assert f"Best value: {best.best_value}" in done.stderr
    frame = analysis.load_replicates(f"sqlite:///{tmp_path}/mlflow.db")
    shares = frame["outcome"].eq("converged").groupby(frame["sgd.learning_rate"]).mean()
    assert shares.to_dict() == {0.0001: 0.0, 3.0: best.best_value}
    assert best.best_value > 0
