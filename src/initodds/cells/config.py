"""From overrides, or a composed config, to `Settings`, with every check of a user's value that needs no data."""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from initodds.cells import complaints, drawing, objects, options
from initodds.cells.settings import Settings
from initodds.networks.network import Network
from initodds.vocabulary import InputError

logger = logging.getLogger(__name__)

TRIAL = np.linspace(0, 1, 15).reshape(5, 3)
"""A few examples of three features, to try an initializer on when the config is read."""


OF_SWEEPS = ("edge", "precision", "replicates_most")
"""What is no setting of a cell, but of how many are run."""

SUITED = {"classification": "logistic", "regression": "linear"}
"""The outputs of each task where neither `network.output` nor the data say which."""


def settings_of(overrides: Sequence[str]) -> Settings:
    """The settings that the command has with these overrides, `KEY=VALUE` each.

    Raises InputError for the first that is not accepted.

    >>> settings_of(["init=unit", "sgd.epochs=3"]).sgd.epochs
    3
    """
    return read(composed_of(overrides))


def composed_of(overrides: Sequence[str]) -> DictConfig:
    """The config that Hydra composes from these overrides, its own part included. Raises InputError where it cannot."""
    try:
        options.require_names(overrides)
        for override in OverridesParser.create().parse_overrides(list(overrides)):
            if override.is_sweep_override():
                raise InputError(f"{override.input_line}: one value is needed; the command sweeps several, with -m")
        with initialize_config_dir(str(options.directory()), version_base="1.3"):
            return compose("config", list(overrides), return_hydra_config=True)
    except HydraException as error:
        raise InputError(complaints.of_composing(error)) from error


def own_part(config: DictConfig) -> DictConfig:
    """A composed config without Hydra's own part."""
    if "hydra" not in config:
        return config
    own: DictConfig = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    OmegaConf.set_struct(own, OmegaConf.is_struct(config))  # no more keys than there are, as the copy has forgotten
    return own


def read(config: DictConfig) -> Settings:
    """The settings in a composed config. Raises InputError for the first value that is not accepted.

    Where the outputs are to suit the task, the data are loaded to tell it, and it raises what that raises.
    """
    return read_own(own_part(config))


def read_own(ours: DictConfig) -> Settings:
    """`read`, of the `own_part` of a composed config."""
    try:
        whole: Any = OmegaConf.to_container(ours, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise InputError(complaints.of_value(error)) from error
    plain = {key: value for key, value in whole.items() if key not in OF_SWEEPS}
    try:
        settings = Settings.model_validate(_with_suited_output(plain))
    except ValidationError as error:
        raise InputError(complaints.of_checking(error, plain)) from None
    trial = objects.network(settings, features=3, outputs=settings.network.outputs or 2)
    if OmegaConf.is_interpolation(ours.sgd, "learning_rate"):
        settings = _at_usual_rate(settings, trial)
    _require_in_range(settings)
    narrow = replace(trial, sizes=(3, *[2] * (len(settings.network.hidden) + 1)))
    initializer = objects.initializer(settings)
    if not initializer.own_shape:
        drawing.Drawing(initializer, narrow, TRIAL).replicate(0, 0)
    objects.engine(settings).require_support(trial, objects.optimizer(settings), np.dtype(settings.dtype))
    objects.schedule(settings)
    for key, value in (settings.data.model_extra or {}).items():
        if key not in settings.data.load:
            raise InputError(f"data.{key}={value}: no key of this data set, which has {', '.join(settings.data.load)}")
    return settings


def _with_suited_output(plain: dict[str, Any]) -> dict[str, Any]:
    """The config as plain data, with the outputs that suit the task where `network.output` is null. Raises
    ValidationError where it is no config, and InputError where the data that tell the task cannot be had."""
    network = plain.get("network")
    if not isinstance(network, dict) or network.get("output", SUITED) is not None:
        return plain
    any_output = {**plain, "network": {**network, "output": SUITED["regression"]}}
    data = objects.dataset(Settings.model_validate(any_output))
    output = SUITED[data.task]
    _say(f"network.output={output}: suits {data.name}, a {data.task}, and none is set")
    return {**plain, "network": {**network, "output": output}}


def _at_usual_rate(settings: Settings, network: Network) -> Settings:
    """The settings with the optimizer's usual rate for outputs like the network's, where it has one for such."""
    rate = settings.optimizer.get("usual_rate_unbounded")
    if rate is None or all(math.isfinite(end) for end in network.head.bounded):
        return settings
    _say(f"sgd.learning_rate={rate}: usual where outputs have no bounds, and none is set")
    return settings.model_copy(update={"sgd": settings.sgd.model_copy(update={"learning_rate": rate})})


@cache
def _say(line: str) -> None:
    """Tell the user what was chosen for him; of a sweep's many cells once."""
    logger.warning(line)


def _require_in_range(settings: Settings) -> None:
    """Raise InputError where the learning rate is no number of the dtype that it is computed in, or where there are not
    as many factors of it as layers."""
    sgd, highest = settings.sgd, float(np.finfo(settings.dtype).max)
    accepted = f"at most {highest:.2g}, the largest number of dtype={settings.dtype}"
    if sgd.learning_rate > highest:
        raise InputError(f"sgd.learning_rate={sgd.learning_rate}: {accepted}")
    if sgd.layer_rates is not None:
        layers = len(settings.network.hidden) + 1
        if len(sgd.layer_rates) != layers:
            raise InputError(f"sgd.layer_rates={sgd.layer_rates}: {layers} numbers, one for each layer of weights")
        if sgd.learning_rate * max(sgd.layer_rates) > highest:
            raise InputError(f"sgd.layer_rates={sgd.layer_rates}: times sgd.learning_rate {accepted}")
