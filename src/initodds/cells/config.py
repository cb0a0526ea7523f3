"""The typed schema of conf/, and every check of a user's value.

`read` turns a composed config into `Settings`, or raises InputError with one line that names the key, its value and
what is accepted. `initializer`, `engine` and `dataset` make what the settings name.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from initodds import datasets, initializers
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
    """Group data: which examples, and how they are prepared. Other keys are the data set's own, and stand in `load`."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    load: Target_
    root: str | None = None
    invert: bool = False
    standardize: bool = False
    scale: Literal["unit", "raw", "standardize", "minmax"] = "unit"
    scale_targets: Literal["raw", "standardize"] = "raw"
    autoencode: bool = False
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

    @field_validator("init")
    @classmethod
    def _without_idle_keys(cls, init: Target_) -> Target_:
        """Without `bias` and `layers` where they ask for nothing, and with the layers' places as JSON has them, so that
        a cell is the same one as before there were such keys, and as when it is read back."""
        kept = {key: value for key, value in init.items() if key not in ("bias", "layers") or value not in (None, {})}
        if isinstance(kept.get("layers"), dict):
            kept["layers"] = {str(place): rule for place, rule in kept["layers"].items()}
        return kept


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
    for key, value in (settings.data.model_extra or {}).items():
        if key not in settings.data.load:
            raise InputError(f"data.{key}={value}: no key of this data set, which has {', '.join(settings.data.load)}")
    initializer(settings)
    engine(settings)
    return settings


def initializer(settings: Settings) -> Initializer:
    """The initializer that `init` names, with its own rules for biases and for single layers. Raises InputError where
    it cannot be made, draws other shapes, or has a rule for a layer that the network does not have."""
    made: Initializer = make("init", expanded("init", settings.init))
    name = f"init._target_={settings.init.get('_target_')}"
    rng, layers = np.random.default_rng(0), [(3, 2), *[(2, 2)] * len(settings.network.hidden)]
    try:
        weights, biases = initializers.draw_network(made, rng, layers, batch=rng.standard_normal((5, 3)))[0]
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: cannot be called as (rng, fan_in, fan_out): {first_line(error)}") from error
    shapes = (np.shape(weights), np.shape(biases))
    if shapes != ((3, 2), (2,)):
        accepted = "weights (fan_in, fan_out) and biases (fan_out,) are needed"
        raise InputError(f"{name}: draws shapes {shapes} for fan_in 3 and fan_out 2; {accepted}")
    return made


def expanded(key: str, value: Any) -> Target_:
    """What Hydra is to instantiate for a value that describes an initializer: the name of an option of the group init;
    {init: OPTION, ...} with arguments that differ; or with a `_target_`. The last two may have `bias` and `layers`."""
    rule = {"init": value} if isinstance(value, str) else value
    if not isinstance(rule, dict) or not rule.keys() & {"init", "_target_"}:
        raise InputError(f"{key}={value}: an option of the group init, or {{init: OPTION, ...}}")
    if "init" in rule:
        rule = init_option(key, rule["init"]) | {name: rule[name] for name in rule if name != "init"}
    bias, layers = rule.get("bias"), rule.get("layers")
    rule = {name: rule[name] for name in rule if name not in ("bias", "layers")}
    if bias is not None:
        law = expanded(f"{key}.bias", bias) if isinstance(bias, str | dict) else bias
        rule = {"_target_": "initodds.initializers.WithBias", "rule": rule, "bias": law}
    if layers is not None:
        if not isinstance(layers, dict) or not all(re.fullmatch(r"-?\d+", str(place)) for place in layers):
            raise InputError(f"{key}.layers={layers}: options by the layer's place, as {{0: lsuv, -1: zeros}}")
        by_place = {int(place): expanded(f"{key}.layers.{place}", layers[place]) for place in layers}
        rule = {"_target_": "initodds.initializers.PerLayer", "rule": rule, "layers": by_place}
    return rule


def init_option(key: str, name: Any) -> Target_:
    """The config of an option of the group init. Raises InputError where there is none of that name."""
    options = {path.stem: path for path in sorted((directory() / "init").glob("*.yaml"))}
    if name not in options:
        raise InputError(f"{key}={name}: an option of the group init, one of {', '.join(options)}")
    return dict(OmegaConf.to_container(OmegaConf.load(options[name])))  # type: ignore[arg-type]


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
    how = settings.data.model_dump(include={"invert", "standardize", "scale", "scale_targets", "autoencode"})
    data = datasets.prepare(make("data.load", settings.data.load), **how)
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
