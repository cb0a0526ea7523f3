"""The typed schema of conf/, and every check of a user's value.

`read` turns a composed config into `Settings`, or raises InputError with one line that names the key, its value and
what is accepted. `initializer`, `engine` and `dataset` make what the settings name.
"""

from inspect import isclass, isfunction
from itertools import pairwise
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any, Literal, cast

import numpy as np
import psutil
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from initodds import datasets
from initodds.cells import advice, drawing
from initodds.datasets import Dataset
from initodds.engines import Engine
from initodds.initializers import Initializer
from initodds.vocabulary import InputError, one_line

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
    ours = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    try:
        plain: Any = OmegaConf.to_container(ours, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise InputError(advice.of_value(error)) from error
    try:
        settings = Settings.model_validate(plain)
    except ValidationError as error:
        raise InputError(advice.of_checking(error, plain)) from None
    _require_in_range(settings)
    initializer(settings)
    engine(settings)
    return settings


def _require_in_range(settings: Settings) -> None:
    """Raise InputError where the learning rate is no number of the dtype that it is computed in."""
    highest = float(np.finfo(settings.dtype).max)
    if settings.sgd.learning_rate > highest:
        accepted = f"at most {highest:.2g}, the largest number of dtype={settings.dtype}"
        raise InputError(f"sgd.learning_rate={settings.sgd.learning_rate}: {accepted}")


def initializer(settings: Settings) -> Initializer:
    """The initializer that `init._target_` names. Raises InputError where it cannot be made, or draws no layer.

    What it draws is checked each time, so that whatever the layers' sizes, it raises InputError then too.
    """
    checked = drawing.Checked(make("init", settings.init), settings.init["_target_"], np.dtype(settings.dtype))
    checked(np.random.default_rng(0), 3, 2)
    return checked


def engine(settings: Settings) -> type[Engine]:
    """The engine class that `engine._target_` names. Raises InputError where there is none of that name."""
    made: Any = _named("engine", settings.engine)
    methods = [name for name, member in vars(Engine).items() if isfunction(member) and not name.startswith("_")]
    if not isclass(made) or made is Engine or not all(hasattr(made, name) for name in methods):
        accepted = f"a class with {', '.join(methods)}, as initodds.engines says"
        raise InputError(f"engine._target_={settings.engine['_target_']}: {accepted}")
    return cast(type[Engine], made)


def dataset(settings: Settings) -> Dataset:
    """The data set that `data.load` names, prepared. Raises InputError where it cannot be had as it should be, where
    sgd.batch_size is over its number of training examples, or where the cell is far too large for this machine."""
    loaded = make("data.load", settings.data.load)
    if not isinstance(loaded, Dataset):
        target = f"data.load._target_={settings.data.load['_target_']}"
        raise InputError(f"{target}: gives a {type(loaded).__name__}, and no initodds.datasets.Dataset")
    data = datasets.prepare(loaded, settings.data.invert, settings.data.standardize)
    if settings.sgd.batch_size > len(data.train):
        accepted = f"a whole number from 1 to {len(data.train)}, the training examples of {data.name}"
        raise InputError(f"sgd.batch_size={settings.sgd.batch_size}: {accepted}")
    _require_room(settings, data.features, data.classes)
    return data


def _require_room(settings: Settings, features: int, classes: int) -> None:
    """Raise InputError where the memory of this machine cannot hold the cell's weights, or its curves.

    A lower bound of what they take, so that nothing is refused that could be trained here.
    """
    sgd, replicates, hidden = settings.sgd, settings.replicates, settings.network.hidden
    sizes = [features, *hidden, classes]
    parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))
    weights = replicates * parameters * (8 + np.dtype(settings.dtype).itemsize)  # as they are drawn, and as trained
    checkpoints = sgd.epochs + sgd.checkpoints
    curves = checkpoints * (64 + replicates * (classes + 5) * 8)  # a checkpoint's step, and its part of a `History`
    keys = f"replicates={replicates}, sgd.epochs={sgd.epochs}, sgd.checkpoints={sgd.checkpoints}"
    total = psutil.virtual_memory().total
    for needed, what in (
        (weights, f"replicates={replicates}, network.hidden={hidden}: the weights"),
        (curves, f"{keys}: the curves"),
    ):
        if needed > total:
            raise InputError(f"{what} take {needed // 10**9} GB of memory, and this machine has {total // 10**9}")


def make(key: str, config: Target_) -> Any:
    """What Hydra instantiates from the part `key` of the config. Raises InputError where that fails."""
    _named(key, config)
    try:
        return instantiate(config, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, InputError):
            raise InputError(str(cause) if str(cause).startswith("data") else f"{key}.{cause}") from error
        raise InputError(f"{key}._target_={config['_target_']}: {one_line(cause or error)}") from error


def _named(key: str, config: Target_) -> Any:
    """What `_target_` of the part `key` of the config names. Raises InputError with the reason where it names nothing:
    Hydra says it over several lines, and some of it by its log."""
    target = config.get("_target_")
    try:
        return resolve_name(str(target))
    except Exception as error:  # whatever the import of a user's module raises
        reason = one_line(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {one_line(error)}"
        raise InputError(f"{key}._target_={target}: {reason}") from error
