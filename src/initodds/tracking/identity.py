"""What identifies a cell: the fingerprint of what can change its result, and of nothing else.

Two cells with one fingerprint have the same networks, however they were asked for, and share them. Part of it are

- `VERSION`, the number of these rules;
- the SHA-256 of the data, as the networks are given them;
- of each part of the settings that the package makes (a `_target_` in it), the bare name of the class or function, so
  that one which moves to another module stays what it is, and its values;
- of one that a user's module makes, its dotted name, its values, and the SHA-256 of the file that it is written in, so
  that edited code is trained anew (what that file imports in its turn is not looked at);
- every other setting, but for those in `NO_PART`, which change no result, and those that are null or at their value in
  `NEUTRAL`, which are as good as not there.

3 and 3.0 are one value; true and 1 are not. The names of config options are no part of it: `init=half` and
`init=uniform` at the same ends are the same networks. Nor is how a thing was said, where it can be said in several ways
(`EQUIVALENT`), nor a setting that acts only beside another, where that one is not there (`IDLE`).

**To add a setting**, give it a row in `NEUTRAL` with the value at which everything is as it was before there was such a
setting: the cells that are tracked already then keep their fingerprints. `VERSION` is raised only where the rules
themselves change; what is tracked is then identified anew, from the settings.json of each run.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from initodds.networks.activations import ACTIVATIONS
from initodds.vocabulary import InputError, one_line

PACKAGE = __name__.partition(".")[0]

VERSION = 2
"""Version 1, of initodds 0.1.0, was a hash of all settings as they stand."""

TAG = f"identity/{VERSION}"
"""The tag of a cell's run that has its fingerprint."""

NO_PART = frozenset(
    {
        "replicates",
        "diagnosis",
        "tracking",
        # Where the data lie: what they are, their hash says.
        "data.root",
        "data.load.root",
        "data.path",
        "data.load.path",
        # What acts through another setting alone.
        "network.negative_slope",
        "data.target_accuracy",
        "data.output",
        "data.outputs",
        "data.usual_batch_size",
        "data.every_example",
        "optimizer.usual_rate",
        "optimizer.usual_rate_unbounded",
    }
)
"""Settings that change no network and no outcome, by their keys."""

NEUTRAL: dict[str, Any] = {
    "data.invert": False,
    "data.standardize": False,
    "data.scale": "unit",
    "data.scale_targets": "raw",
    "data.autoencode": False,
    "network.bias": True,
    "LeakyRelu.negative_slope": 0.01,
    "network.output": "logistic",
    "network.targets": [0, 1],
    "optimizer": {"_target_": f"{PACKAGE}.engines.optimizers.SGD"},
    "SGD.momentum": 0,
    "SGD.nesterov": False,
    "SGD.weight_decay": 0,
    "SGD.clip_norm": None,
    "schedule.name": "constant",
    "schedule.warmup": 0,
    "schedule.every": 10,
    "schedule.factor": 0.1,
    "outcome.every_example": False,
    "VarianceScaling.bias_std": 0,
}
"""The value of a setting at which it is as good as not there, by its key; of what a class or function of the package is
called with, by that one's name and the argument's."""


FROM_FUNCTION = "FromFunction"
"""The initializer that a user's own function stands behind, whose code is part of what identifies a cell."""

IDLE: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "schedule.every": lambda schedule: schedule.get("name") != "step",
    "schedule.factor": lambda schedule: schedule.get("name") != "step",
    "sgd.layer_rates": lambda sgd: set(sgd["layer_rates"] or [1]) == {1},
}
"""When a setting does nothing, by its key: a function of the section that it stands in."""

EQUIVALENT: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "Centred": lambda drawn: {
        "_target_": f"{PACKAGE}.initializers.Uniform",
        "low": drawn["centre"] - drawn["half_width"],
        "high": drawn["centre"] + drawn["half_width"],
    },
    # Where it can be had it is what `Auto` takes.
    "Compiled": lambda engine: {**engine, "_target_": f"{PACKAGE}.engines.auto.Auto"},
}
"""What comes to the same as a class or function of the package with its arguments, by that one's name."""


def fingerprint(settings: Mapping[str, Any], data_sha256: str, sources: Mapping[str, str]) -> str:
    """What identifies the cell with these settings on these data: 32 hexadecimal digits.

    settings: as plain data, a dictionary for each section.  data_sha256: of the prepared data, `Dataset.sha256`.
    sources: as `sources_of` has them; a user's own class or function that is not among them has unknown code, and never
        the fingerprint of one whose code is known.

    >>> half = {"init": {"_target_": "initodds.initializers.Uniform", "low": -0.5, "high": 0.5}, "replicates": 3}
    >>> fingerprint(half, "", {}) == fingerprint({**half, "replicates": 40, "network": {"bias": True}}, "", {})
    True
    """
    content = json.dumps(identifying(settings, data_sha256, sources), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def identifying(settings: Mapping[str, Any], data_sha256: str, sources: Mapping[str, str]) -> dict[str, Any]:
    """What the fingerprint is made of, as plain data. Arguments as for `fingerprint`.

    >>> normal = {"init": {"_target_": "initodds.initializers.Normal", "std": 1.0}, "tracking": {"job": 3}}
    >>> identifying(normal, "abc", {})
    {'version': 2, 'data_sha256': 'abc', 'settings': {'init': {'_target_': 'Normal', 'std': 1}}}
    """
    return {"version": VERSION, "data_sha256": data_sha256, "settings": _section(settings, "", sources)}


def sources_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """The SHA-256 of the source file of each class and function of a user's own that the settings name, by its dotted
    name. Imports their modules, and raises InputError where one is not there."""
    return {target: _source_sha256(target) for target in _targets(settings) if not is_ours(target)}


def _section(section: Mapping[str, Any], path: str, sources: Mapping[str, str]) -> dict[str, Any]:
    """What identifies a section of the settings, or a part with a `_target_`, at this path of theirs."""
    target = section.get("_target_")
    if target is not None and is_ours(target) and _bare(target) in EQUIVALENT:
        return _section(EQUIVALENT[_bare(target)](section), path, sources)
    named: dict[str, Any] = {}
    owner = path
    if target is not None and is_ours(target):
        owner = _bare(target)
        named = {"_target_": owner}
        if owner == FROM_FUNCTION:
            named["_source_"] = sources.get(_dotted(section))
    elif target is not None:
        named = {"_target_": target, "_source_": sources.get(target)}
    for key, value in section.items():
        place = f"{path}.{key}" if path else key
        if key == "_target_" or place in NO_PART:
            continue
        if place in IDLE and IDLE[place](section):
            continue
        kept = _normal(_activations(section) if place == "network.activation" else value, place, sources)
        if "_source_" in named or not _is_neutral(f"{owner}.{key}" if owner else key, kept, target is None):
            named[key] = kept
    return named


def _activations(network: Mapping[str, Any]) -> list[Any]:
    """The activation of each hidden layer. A known one is a part with a `_target_`, with the values for its fields that
    the section network has."""
    named = network["activation"]
    each = named if isinstance(named, list | tuple) else [named] * len(network.get("hidden", [None]))
    return [_as_part(entry, network) if isinstance(entry, str) and entry in ACTIVATIONS else entry for entry in each]


def _as_part(name: str, network: Mapping[str, Any]) -> dict[str, Any]:
    """The part with a `_target_` that makes the activation of this name."""
    kind: Any = ACTIVATIONS[name]
    values = {field.name: network.get(field.name) for field in fields(kind)} if is_dataclass(kind) else {}
    target = f"{PACKAGE}.networks.activations.{kind.__name__}"
    return {"_target_": target, **{key: value for key, value in values.items() if value is not None}}


def _is_neutral(key: str, value: Any, in_section: bool) -> bool:
    """Whether a setting is as good as not there. A section's may be null or, a section itself, empty."""
    if in_section and (value is None or value == {}):
        return True
    return key in NEUTRAL and json.dumps(value) == json.dumps(_normal(NEUTRAL[key], key, {}))  # as text, True is not 1


def _normal(value: Any, path: str, sources: Mapping[str, str]) -> Any:
    """A value of the settings in its one form: whole numbers as int, sequences as lists."""
    if isinstance(value, Mapping):
        return _section(value, path, sources)
    if isinstance(value, list | tuple):
        return [_normal(item, path, sources) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _bare(target: Any) -> str:
    """The name of a class or function without its module."""
    return str(target).rpartition(".")[2]


def is_ours(target: Any) -> bool:
    """Whether a dotted name is the package's."""
    return str(target).partition(".")[0] == PACKAGE


def _targets(value: Any) -> Iterator[str]:
    """Every `_target_` in the settings, as deep as it may be."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield _dotted(value) if _bare(value["_target_"]) == FROM_FUNCTION else str(value["_target_"])
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _targets(item)


def _dotted(section: Mapping[str, Any]) -> str:
    """The dotted name of a user's own function that draws the weights."""
    return str(section.get("function")).replace(":", ".")


def _source_sha256(target: str) -> str:
    """The SHA-256 of the file that a class or function is written in; of nothing where it has none, being built in."""
    import inspect

    from hydra.utils import get_object

    try:
        source = get_object(target)
    except Exception as error:  # whatever the import of a user's module raises
        raise InputError(f"_target_={target}: cannot be found ({one_line(error)[:200]})") from error
    try:
        file = inspect.getsourcefile(source) or inspect.getfile(source)
    except TypeError:  # an object of no class that inspect knows: its module's file
        module = inspect.getmodule(source)
        file = getattr(module, "__file__", None) or ""
    content = Path(file).read_bytes() if file and Path(file).is_file() else b""
    return hashlib.sha256(content).hexdigest()
