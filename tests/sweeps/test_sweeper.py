"""Composing the cells of a sweep, against Hydra's own way."""

from collections.abc import Iterator
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf

from initodds.cells import config


@pytest.fixture
def sweeper() -> Iterator[Any]:
    with initialize_config_dir(str(config.directory()), version_base="1.3"):
        from hydra_plugins.initodds_sweeper import CellSweeper  # Hydra executes its plugins anew when it starts

        hydra = GlobalHydra.instance().hydra
        made = CellSweeper(max_batch_size=None)
        made.config = hydra.config_loader.load_configuration("config", [], RunMode.MULTIRUN)
        made.hydra_context = HydraContext(hydra.config_loader, Callbacks())
        HydraConfig.instance().set_config(made.config)
        yield made


CELLS = [
    ["init=uniform", "init.low=-0.5", "init.high=1"],
    ["init=uniform", "init.low=-0.5", "init.high=0.5", "sgd.batch_size=100"],
    ["sgd.learning_rate=0.3", "init=gaussian", "sgd.learning_rate=1e-2"],
    ["experiment=quickstart", "init=half", "network.hidden=[30,20]", "dtype='float64'"],
    ["data=digits", "tracking.uri='sqlite:///a, b.db'", "seed=${replicates}", "init._target_=a.B"],
    ["+init.extra=1", "init.extra=2", "~outcome.target", "seed=3"],
    ["++seed=4", "tracking=server", "tracking.experiment=x"],
    [],
]


def test_cells_are_composed_as_hydra_does(sweeper: Any):
    for overrides in CELLS:
        expected = sweeper.hydra_context.config_loader.load_sweep_config(sweeper.config, overrides)
        for _ in range(2):  # a cell changes nothing for the next one that chooses alike
            composed = sweeper.compose(overrides)
            for whole in (composed, expected):
                OmegaConf.set_struct(whole, False)
                whole.pop("hydra", None)
            assert OmegaConf.to_container(composed, resolve=True) == OmegaConf.to_container(expected, resolve=True)


@pytest.mark.parametrize("override", ["init=no_such", "sgd.no_such=1", "no_such=1", "~no_such", "replicates.x=1"])
def test_what_hydra_does_not_accept_is_not_accepted(override: str, sweeper: Any):
    for _ in range(2):
        with pytest.raises(HydraException):
            sweeper.compose(["init=half", override])
