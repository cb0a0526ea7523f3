"""The typed schema of conf/, and every check of a user's value.

`read` turns a composed config into `Settings`, or raises InputError with one line that names the key, its value and
what is accepted. `initializer`, `engine` and `dataset` make what the settings name.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from initodds import datasets
from initodds.datasets import Dataset
from initodds.engines import Engine
from initodds.initializers import Initializer
from initodds.vocabulary import InputError

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Target = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1)]
Target_ = dict[str, Any]
"""A part of the config with a `_target_`, for Hydra to instantiate."""


class Section(BaseModel):
    """A part of the config: no key more or less than its fields, each of its type as it stands."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class DataSettings(Section):
    """Group data: which images, and how their pixels are prepared."""

    load: Target_
    root: str | None = None
    invert: bool
    standardize: bool
    target_accuracy: Target


class NetworkSettings(Section):
    """Group network: the units between the pixels and the classes."""

    hidden: Annotated[list[Count], Field(min_length=1)]
    activation: Literal["logistic", "tanh"]
    cost: Literal["quadratic", "cross_entropy"]


class SgdSettings(Section):
    """sgd: how the networks are trained."""

    batch_size: Count
    learning_rate: Positive
    epochs: Count
    reduction: Literal["mean", "sum"]
    orders: Count
    checkpoints: Annotated[int, Field(ge=0)]


class OutcomeSettings(Section):
    """Group outcome: the rule that gives each replicate its outcome."""

    target: Target
    dead_recall: Share
    standard_errors: NonNegative


class DiagnosisSettings(Section):
    """Group diagnosis: which replicates are diagnosed, and how far."""

    of: Literal["none", "failed", "all"]
    curvature: Literal["none", "stuck", "failed", "all"]
    escape: bool
    keep_weights: Literal["none", "failed", "all"]


class TrackingSettings(Section):
    """Group tracking: where the runs are written."""

    uri: Name
    experiment: Name
    replicates: Literal["runs", "table"]
    rerun: bool
    patience: NonNegative
    job: Annotated[int, Field(ge=0)]


class Settings(Section):
    """One cell."""

    seed: Annotated[int, Field(ge=0)]
    replicates: Count
    dtype: Literal["float32", "float64"]
    data: DataSettings
    network: NetworkSettings
    init: Target_
    engine: Target_
    sgd: SgdSettings
    outcome: OutcomeSettings
    diagnosis: DiagnosisSettings
    tracking: TrackingSettings


def directory() -> Path:
    """The folder of the config files: conf/ of the checkout, or its copy in the installed package."""
    package = Path(__file__).parents[1]
    checkout = package.parents[1] / "conf"
    return checkout if checkout.is_dir() else package / "conf"


def read(config: DictConfig) -> Settings:
    """The settings in a composed config. Raises InputError for the first value that is not accepted."""
    try:
        ours = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        settings = Settings.model_validate(OmegaConf.to_container(ours, resolve=True, throw_on_missing=True))
    except ValidationError as invalid:
        first = invalid.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{key}={first['input']}: {first['msg'].lower()}") from None
    except OmegaConfBaseException as error:
        raise InputError(first_line(error)) from error
    initializer(settings)
    engine(settings)
    return settings


def initializer(settings: Settings) -> Initializer:
    """The initializer that `init._target_` names. Raises InputError where it cannot be made, or draws other shapes."""
    made = make("init", settings.init)
    name = f"init._target_={settings.init.get('_target_')}"
    try:
        weights, biases = made(np.random.default_rng(0), 3, 2)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: cannot be called as (rng, fan_in, fan_out): {first_line(error)}") from error
    shapes = (np.shape(weights), np.shape(biases))
    if shapes != ((3, 2), (2,)):
        accepted = "weights (fan_in, fan_out) and biases (fan_out,) are needed"
        raise InputError(f"{name}: draws shapes {shapes} for fan_in 3 and fan_out 2; {accepted}")
    return made


def engine(settings: Settings) -> type[Engine]:
    """The engine class that `engine._target_` names. Raises InputError where there is none of that name."""
    target = settings.engine.get("_target_")
    try:
        return get_class(str(target))
    except Exception as error:  # whatever the import of a user's module raises
        raise InputError(f"engine._target_={target}: {first_line(error)}") from error


def dataset(settings: Settings) -> Dataset:
    """The data set that `data.load` names, prepared. Raises InputError where it cannot be had as it should be, or where
    sgd.batch_size is over its number of training examples."""
    data = datasets.prepare(make("data.load", settings.data.load), settings.data.invert, settings.data.standardize)
    if settings.sgd.batch_size > len(data.train):
        accepted = f"a whole number from 1 to {len(data.train)}, the training examples of {data.name}"
        raise InputError(f"sgd.batch_size={settings.sgd.batch_size}: {accepted}")
    return data


def make(key: str, config: Target_) -> Any:
    """What Hydra instantiates from the part `key` of the config. Raises InputError where that fails."""
    try:
        return instantiate(config, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, InputError):
            raise InputError(str(cause) if str(cause).startswith("data") else f"{key}.{cause}") from error
        raise InputError(f"{key}._target_={config.get('_target_')}: {first_line(cause or error)}") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
