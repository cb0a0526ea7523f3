"""The typed schema of conf/, and every check of a user's value.

`read` turns a composed config into `Settings`, or raises InputError with one line that names the key, its value and
what is accepted; `settings_of` composes it too. `initializer`, `engine`, `dataset` and others make what the settings
name.
"""

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from inspect import isclass, isfunction, signature
from typing import Annotated, Any, Literal, TypeVar, cast

import numpy as np
import psutil
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from initodds import datasets
from initodds.cells import advice, drawing, options
from initodds.datasets import Dataset
from initodds.engines import Engine
from initodds.engines.optimizers import SGD, Optimizer
from initodds.initializers import Initializer
from initodds.networks.activations import Activation, activation_of
from initodds.networks.network import Network
from initodds.networks.outputs import Output
from initodds.training.loop import MOST_LOG_SPACED, epochs_looked_after
from initodds.training.schedules import Schedule
from initodds.vocabulary import InputError, one_line

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Target = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1)]
Target_ = dict[str, Any]
"""A part of the config with a `_target_`, for Hydra to instantiate."""


Kind = TypeVar("Kind")

SGD_IDLE = {field.name: field.default for field in fields(SGD)}
"""What the option sgd of the group optimizer has, at the values that SGD itself has where none is given."""

TRIAL = np.linspace(0, 1, 15).reshape(5, 3)
"""A few examples of three features, to try an initializer on when the config is read."""


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
    outputs: Count | None = None
    every_example: bool = False
    target_accuracy: Target


class NetworkSettings(Section):
    """Group network: the units between the features and the answers, and the outputs with their cost."""

    hidden: list[Count]
    activation: str | list[str] | Target_
    negative_slope: float = 0.01
    output: str | Target_ = "logistic"
    cost: str
    bias: bool = True
    outputs: Count | None = None
    targets: Annotated[list[float], Field(min_length=2, max_length=2)] = [0.0, 1.0]


class SgdSettings(Section):
    """sgd: how the networks are trained."""

    batch_size: Count
    learning_rate: Positive
    epochs: Count
    reduction: Literal["mean", "sum"]
    orders: Count | None
    checkpoints: Annotated[int, Field(ge=0)]


class ScheduleSettings(Section):
    """schedule: how the learning rate changes over the training, see `initodds.training.schedules`."""

    name: str = "constant"
    warmup: NonNegative = 0.0
    every: Count = 10
    factor: Positive = 0.1


class OutcomeSettings(Section):
    """Group outcome: the rule that gives each replicate its outcome."""

    target: Target
    dead_recall: Share
    standard_errors: NonNegative
    every_example: bool = False


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
    optimizer: Target_ = {"_target_": "initodds.engines.optimizers.SGD"}
    sgd: SgdSettings
    schedule: ScheduleSettings = ScheduleSettings()
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


def settings_of(overrides: Sequence[str]) -> Settings:
    """The settings that the command has with these overrides, `KEY=VALUE` each.

    Raises InputError for the first that is not accepted.

    >>> settings_of(["init=unit", "sgd.epochs=3"]).sgd.epochs
    3
    """
    try:
        options.require_names(overrides)
        for override in OverridesParser.create().parse_overrides(list(overrides)):
            if override.is_sweep_override():
                raise InputError(f"{override.input_line}: one value is needed; the command sweeps several, with -m")
        with initialize_config_dir(str(options.directory()), version_base="1.3"):
            composed = compose("config", list(overrides))
    except HydraException as error:
        raise InputError(advice.of_composing(error)) from error
    return read(composed)


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
    trial = network(settings, features=3, outputs=settings.network.outputs or 2)
    narrow = replace(trial, sizes=(3, *[2] * (len(settings.network.hidden) + 1)))
    drawing.Drawing(initializer(settings), narrow, TRIAL).replicate(0, 0)
    engine(settings).require_support(trial, optimizer(settings))
    schedule(settings)
    for key, value in (settings.data.model_extra or {}).items():
        if key not in settings.data.load:
            raise InputError(f"data.{key}={value}: no key of this data set, which has {', '.join(settings.data.load)}")
    return settings


def _require_in_range(settings: Settings) -> None:
    """Raise InputError where the learning rate is no number of the dtype that it is computed in."""
    highest = float(np.finfo(settings.dtype).max)
    if settings.sgd.learning_rate > highest:
        accepted = f"at most {highest:.2g}, the largest number of dtype={settings.dtype}"
        raise InputError(f"sgd.learning_rate={settings.sgd.learning_rate}: {accepted}")


def network(settings: Settings, features: int, outputs: int) -> Network:
    """The network of so many features and outputs. Raises InputError for what is unknown or does not fit."""
    given = settings.network
    if isinstance(given.activation, list):
        activation: Any = tuple(_activation(name, given) for name in given.activation)
    elif isinstance(given.activation, str):
        activation = _activation(given.activation, given)
    else:
        activation = _kind(Activation, "network.activation", given.activation)
    output = given.output if isinstance(given.output, str) else _kind(Output, "network.output", given.output)
    return Network((features, *given.hidden, outputs), activation, output, given.cost, given.bias)


def _activation(name: str, given: NetworkSettings) -> Activation:
    """The activation of this name, with the values that the settings have for its fields."""
    kind = type(activation_of(name))
    names: list[str] = [field.name for field in fields(kind)] if is_dataclass(kind) else []
    return kind(**{name: getattr(given, name) for name in names})


def _kind(kind: type[Kind], key: str, target: Target_) -> Kind:
    """What a user's own `_target_` makes, which has to be of this kind."""
    made = make(key, target)
    if not isinstance(made, kind):
        raise InputError(f"{key}._target_={target['_target_']}: gives no {kind.__module__}.{kind.__name__}")
    return made


def optimizer(settings: Settings) -> Optimizer:
    """The optimizer that `optimizer` names, with the learning rate. Raises InputError where it cannot be made.

    A user's own that stands in the place of the option sgd is not given what it does not take, as a momentum of 0.
    """
    given, named = settings.optimizer, _named("optimizer", settings.optimizer)
    if isclass(named) and issubclass(named, Optimizer):
        idle = {key for key, value in SGD_IDLE.items() if given.get(key) == value} - signature(named).parameters.keys()
        given = {key: value for key, value in given.items() if key not in idle}
    return _kind(Optimizer, "optimizer", {**given, "learning_rate": settings.sgd.learning_rate})


def schedule(settings: Settings) -> Schedule:
    """The schedule of the learning rate. Raises InputError for an unknown one."""
    return Schedule(**settings.schedule.model_dump())


def initializer(settings: Settings) -> Initializer:
    """The initializer that `init` names, with its own rules for biases and for single layers. Raises InputError where
    it cannot be made. What it draws is checked each time, so that it may raise InputError then too."""
    made = make("init", expanded("init", settings.init))
    return drawing.Checked(made, str(settings.init.get("_target_")), np.dtype(settings.dtype))


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
    files = {path.stem: path for path in sorted((options.directory() / "init").glob("*.yaml"))}
    if name not in files:
        raise InputError(f"{key}={name}: an option of the group init, one of {', '.join(files)}")
    return dict(OmegaConf.to_container(OmegaConf.load(files[name])))  # type: ignore[arg-type]


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
    how = settings.data.model_dump(include={"invert", "standardize", "scale", "scale_targets", "autoencode"})
    data = datasets.prepare(loaded, **how)
    if settings.sgd.batch_size > len(data.train):
        accepted = f"a whole number from 1 to {len(data.train)}, the training examples of {data.name}"
        raise InputError(f"sgd.batch_size={settings.sgd.batch_size}: {accepted}")
    _require_room(settings, data.features, data.outputs)
    return data


def _require_room(settings: Settings, features: int, outputs: int) -> None:
    """Raise InputError where the memory of this machine cannot hold the cell's weights, or its curves.

    A lower bound of what they take, so that nothing is refused that could be trained here.
    """
    sgd, replicates, hidden = settings.sgd, settings.replicates, settings.network.hidden
    parameters = network(settings, features, settings.network.outputs or outputs).parameters
    weights = replicates * parameters * (8 + np.dtype(settings.dtype).itemsize)  # as they are drawn, and as trained
    checkpoints = len(epochs_looked_after(sgd.epochs)) + min(sgd.checkpoints, MOST_LOG_SPACED)
    curves = checkpoints * (64 + replicates * (outputs + 5) * 8)  # a checkpoint's step, and its part of a `History`
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
            top = key.partition(".")[0]  # the message may name the whole key
            raise InputError(
                str(cause) if str(cause).startswith((f"{top}.", f"{top}=")) else f"{key}.{cause}"
            ) from error
        raise InputError(f"{key}._target_={config['_target_']}: {one_line(cause or error)}") from error


def _named(key: str, config: Target_) -> Any:
    """What `_target_` of the part `key` of the config names. Raises InputError with the reason where it names nothing:
    Hydra says it over several lines, and some of it by its log."""
    target = config.get("_target_")
    try:
        return _resolved(str(target))
    except Exception as error:  # whatever the import of a user's module raises
        reason = one_line(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {one_line(error)}"
        raise InputError(f"{key}._target_={target}: {reason}") from error


def _resolved(name: str) -> Any:
    """What a dotted name means. Raises what the import of one of its modules raises: `pkgutil.resolve_name` would take
    a module that cannot be imported for an attribute that is not there."""
    first, *names = name.split(".")
    found, path = import_module(first), first
    for part in names:
        path = f"{path}.{part}"
        if not hasattr(found, part) and hasattr(found, "__path__") and find_spec(path):
            import_module(path)
        found = getattr(found, part)
    return found
