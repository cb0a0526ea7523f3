"""The objects that the settings name: network, optimizer, schedule, initializer, engine, data set.

Each raises InputError with one line that names the key, its value and what is accepted.
"""

import re
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from inspect import isclass, isfunction, signature
from typing import Any, TypeVar, cast

import numpy as np
import psutil
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from initodds import datasets
from initodds.cells import drawing, options
from initodds.cells.settings import NetworkSettings, Settings, Target_
from initodds.datasets import Dataset
from initodds.engines import Engine
from initodds.engines.optimizers import SGD, Optimizer
from initodds.networks.activations import Activation, activation_of
from initodds.networks.network import Network
from initodds.networks.outputs import Output
from initodds.training.loop import MOST_LOG_SPACED, epochs_looked_after
from initodds.training.schedules import Schedule
from initodds.vocabulary import InputError, one_line

Kind = TypeVar("Kind")

SGD_IDLE = {field.name: field.default for field in fields(SGD)}
"""What the option sgd of the group optimizer has, at the values that SGD itself has where none is given."""


def network(settings: Settings, features: int, outputs: int) -> Network:
    """The network of so many features and outputs. Raises InputError for what is unknown or does not fit."""
    section = settings.network
    if isinstance(section.activation, list):
        activation: Any = tuple(_activation(name, section) for name in section.activation)
    elif isinstance(section.activation, str):
        activation = _activation(section.activation, section)
    else:
        activation = _kind(Activation, "network.activation", section.activation)
    output = section.output if isinstance(section.output, str) else _kind(Output, "network.output", section.output)
    return Network((features, *section.hidden, outputs), activation, output, section.cost, section.bias)


def _activation(name: str, section: NetworkSettings) -> Activation:
    """The activation of this name, with the values that the settings have for its fields."""
    kind = type(activation_of(name))
    names: list[str] = [field.name for field in fields(kind)] if is_dataclass(kind) else []
    return kind(**{name: getattr(section, name) for name in names})


def _kind(kind: type[Kind], key: str, target: Target_) -> Kind:
    """What a user's own `_target_` makes, which has to be of this kind."""
    entry = make(key, target)
    if not isinstance(entry, kind):
        raise InputError(f"{key}._target_={target['_target_']}: gives no {kind.__module__}.{kind.__name__}")
    return entry


def optimizer(settings: Settings) -> Optimizer:
    """The optimizer that `optimizer` names, with the learning rate, or those of the layers. Raises InputError where it
    cannot be made.

    A user's own that stands in the place of the option sgd is not given what it does not take, as a momentum of 0.
    """
    arguments = {key: value for key, value in settings.optimizer.items() if not key.startswith("usual_rate")}
    named = _named("optimizer", arguments)
    if isclass(named) and issubclass(named, Optimizer):
        idle = {key for key, value in SGD_IDLE.items() if arguments.get(key) == value} - signature(
            named
        ).parameters.keys()
        arguments = {key: value for key, value in arguments.items() if key not in idle}
    made = _kind(Optimizer, "optimizer", {**arguments, "learning_rate": settings.sgd.learning_rate})
    if settings.sgd.layer_rates is None:
        return made
    return replace(made, learning_rate=settings.sgd.learning_rate * np.array([settings.sgd.layer_rates]))


def schedule(settings: Settings) -> Schedule:
    """The schedule of the learning rate. Raises InputError for an unknown one."""
    return Schedule(**settings.schedule.model_dump())


def initializer(settings: Settings) -> drawing.Checked:
    """The initializer that `init` names, with its own rules for biases and for single layers. Raises InputError where
    it cannot be made. What it draws is checked each time, so that it may raise InputError then too."""
    rule = make("init", expanded("init", settings.init))
    return drawing.Checked(rule, str(settings.init.get("_target_")), np.dtype(settings.dtype))


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
    kind: Any = _named("engine", settings.engine)
    methods = [name for name, member in vars(Engine).items() if isfunction(member) and not name.startswith("_")]
    members = [*Engine.__annotations__, *methods]
    if not isclass(kind) or kind is Engine or not all(hasattr(kind, name) for name in members):
        accepted = f"a class with {', '.join(members)}, as initodds.engines says"
        raise InputError(f"engine._target_={settings.engine['_target_']}: {accepted}")
    return cast(type[Engine], kind)


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
    require_room(settings, network(settings, data.features, settings.network.outputs or data.outputs), 1)
    return data


def memory(settings: Settings, network: Network, replicates: int) -> int:
    """Bytes that so many networks of a cell take at least: their weights, as they are drawn and as they are trained,
    what the optimizer keeps of each, and their curves."""
    sgd, trained = settings.sgd, optimizer(settings)
    arrays = 1 + trained.slots * trained.remembers
    weights = replicates * network.parameters * (8 + arrays * np.dtype(settings.dtype).itemsize)
    checkpoints = len(epochs_looked_after(sgd.epochs)) + min(sgd.checkpoints, MOST_LOG_SPACED)
    return weights + checkpoints * (64 + replicates * (network.sizes[-1] + 5) * 8)


def require_room(settings: Settings, network: Network, replicates: int) -> None:
    """Raise InputError where the memory of this machine cannot hold so many networks of a cell at once."""
    needed, total = memory(settings, network, replicates), psutil.virtual_memory().total
    if needed > total:
        sgd, hidden = settings.sgd, settings.network.hidden
        keys = f"network.hidden={hidden}, sgd.epochs={sgd.epochs}, sgd.checkpoints={sgd.checkpoints}"
        keys = f"replicates={replicates}, {keys}" if replicates > 1 else keys
        raise InputError(
            f"{keys}: weights and curves take {needed // 10**9} GB of memory, and this machine has {total // 10**9}"
        )


def make(key: str, config: Target_) -> Any:
    """What Hydra instantiates from the part `key` of the config. Raises InputError where that fails."""
    named = _named(key, config)
    try:
        if _is_plain(config):  # Hydra takes milliseconds to call it
            return named(**{name: value for name, value in config.items() if name != "_target_"})
        return instantiate(config, _convert_="all")
    except Exception as error:  # whatever the call raises, in Hydra's wrapping or as it is
        cause = error.__cause__ if isinstance(error, InstantiationException) else error
        if isinstance(cause, InputError):
            top = key.partition(".")[0]  # the message may name the whole key
            raise InputError(
                str(cause) if str(cause).startswith((f"{top}.", f"{top}=", f"{top}:")) else f"{key}.{cause}"
            ) from error
        raise InputError(f"{key}._target_={config['_target_']}: {one_line(cause or error)}") from error


def _is_plain(config: Target_) -> bool:
    """Whether a config names something of this package, and has but its arguments: numbers and words that say nothing
    to Hydra."""
    arguments = {name: value for name, value in config.items() if name != "_target_"}
    special = (name.startswith("_") or isinstance(value, dict | list) for name, value in arguments.items())
    return str(config["_target_"]).startswith("initodds.") and not any(special)


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
    named, path = import_module(first), first
    for part in names:
        path = f"{path}.{part}"
        if not hasattr(named, part) and hasattr(named, "__path__") and find_spec(path):
            import_module(path)
        named = getattr(named, part)
    return named
