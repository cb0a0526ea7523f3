"""What to say of input that Hydra or the schema does not take: one line, and what may have been meant."""

import itertools
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from pydantic import ValidationError

from initodds.vocabulary import InputError

EXTRAS = {
    "hydra/sweeper/optuna": "optuna",
    "hydra/launcher/submitit_slurm": "cluster",
    "hydra/launcher/submitit_local": "cluster",
}
"""Options that are another package's, with the extra of this one that brings it."""

_TYPE = re.compile(r"str|int|float|bool|(list|dict)\[.*\]")
"""What pydantic calls a type."""


def of_composing(error: HydraException) -> str:
    """What to say of a config that cannot be composed."""
    cause = error.__cause__
    if isinstance(error, OverrideParseException):
        key, equals, _ = error.override.partition("=")
        quoted = f"a value with signs other than letters, digits and _-./:+ is quoted twice: '{key}=\"VALUE\"'"
        return f"{error.override}: cannot be read; {quoted if equals else f'{key}=VALUE is needed'}"
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and isinstance(cause.parent_node, DictConfig):
        return of_key(str(cause.full_key), OmegaConf.to_container(cause.parent_node))  # type: ignore[arg-type]
    if isinstance(cause, OmegaConfBaseException):
        return of_value(cause)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file in EXTRAS:
        needed = EXTRAS[error.missing_cfg_file]
        return f"{'='.join(error.missing_cfg_file.rsplit('/', 1))}: needs pip install 'initodds[{needed}]'"
    return " ".join(str(error).partition("Config search path")[0].split())


def of_value(error: OmegaConfBaseException) -> str:
    """What to say of a value that cannot be had, as ${no.such.key}."""
    return f"{error.full_key}: {str(error).splitlines()[0]}"  # below it are OmegaConf's own matters


def of_checking(error: ValidationError, config: Mapping[str, Any]) -> str:
    """What to say of the first value of a config that the schema does not accept."""
    first = error.errors()[0]
    key = _key(first)
    if first["type"] == "missing":
        return f"{key}: is needed, and has been taken out"
    if first["type"] == "extra_forbidden":
        for section in first["loc"][:-1]:
            config = config[str(section)]
        return of_key(key, {name: value for name, value in config.items() if name != first["loc"][-1]})
    if first["type"] == "model_type":
        return f"{key}={first['input']}: has keys of its own, which are set as {key}.KEY=VALUE"
    if first["type"] == "int_type":
        return f"{key}={first['input']}: a whole number, in digits"
    reasons = dict.fromkeys(one["msg"].lower() for one in error.errors() if _key(one) == key)
    return f"{key}={first['input']}: {' or '.join(reasons)}"


def _key(error: Mapping[str, Any]) -> str:
    """The dotted key that an error of the schema is at: below it stands the type that was tried, of several."""
    return ".".join(itertools.takewhile(lambda part: not _TYPE.fullmatch(part), map(str, error["loc"])))


def of_key(key: str, section: Mapping[str, Any]) -> str:
    """What to say of a dotted key that its section of the config does not have: which are nearest to it.

    >>> of_key("sgd.lerning", {"batch_size": 10, "learning_rate": 3.0})
    'sgd.lerning: there is no such key; sgd.learning_rate is near'
    >>> of_key("lerning", {"seed": 0, "sgd": {"batch_size": 10, "learning_rate": 3.0}})
    'lerning: there is no such key; sgd.learning_rate is near'
    >>> of_key("momentum", {"seed": 0, "sgd": {"batch_size": 10, "learning_rate": 3.0}})
    'momentum: there is no such key; there are seed, sgd'
    """
    parent, dot, name = key.rpartition(".")
    last_parts = {known: known.rpartition(".")[2] for known in _keys(section)}
    close = get_close_matches(name, last_parts.values())
    near = [f"{parent}{dot}{known}" for known, last in last_parts.items() if last in close]
    if near:
        return f"{key}: there is no such key; {' or '.join(near)} is near"
    return f"{key}: there is no such key; there are {', '.join(str(known) for known in section if known != 'hydra')}"


def _keys(section: Mapping[str, Any]) -> Iterator[str]:
    """All keys of a part of the config, dotted, but Hydra's own."""
    for key, value in section.items():
        if key != "hydra":
            yield str(key)
        if key != "hydra" and isinstance(value, Mapping):
            yield from (f"{key}.{below}" for below in _keys(value))


def require_name(choice: Override) -> None:
    """Raise InputError where what is chosen of a config group is no option's name; Hydra's own error names no key."""
    if not isinstance(choice.value(), str | list | dict) and not choice.is_sweep_override():
        raise InputError(f"{choice.input_line}: an option of {choice.key_or_group} is chosen by its name")
