"""Short names of a sweep's cells: what tells them apart, in a few words, as `U[0, 1] · batch 10 · rate 3`."""

from collections.abc import Mapping, Sequence
from typing import Any

BETWEEN = " \N{MIDDLE DOT} "

WORDS = {
    "sgd.batch_size": "batch",
    "sgd.learning_rate": "rate",
    "network.hidden": "hidden",
    "outcome.target": "target",
}
"""What a setting is called in a name; the others by the last word of their key."""

GROUPS = ("data", "init", "optimizer", "engine", "network")
"""The config groups whose options say what they are without the group's name."""

LAWS = {
    "Uniform": ("U[{low}, {high}]", ("low", "high")),
    "Centred": ("U[{centre} \N{PLUS-MINUS SIGN} {half_width}]", ("centre", "half_width")),
    "Normal": ("N(0, {std})", ("std",)),
}
"""How the laws are written that a rule of `initodds.initializers` stands for, and what they need of its settings."""


def short_name(overrides: Sequence[str], swept: Sequence[str], init: Mapping[str, Any]) -> str:
    """A cell by the values that it has of the swept keys.

    overrides: all that was set for it, as `key=value`.  swept: the keys that differ between the sweep's cells.
    init: its settings of the init, with the `_target_`.

    Two cells have one name only where they have the same networks: what is swept is in it, each with its value.

    >>> uniform = {"_target_": "initodds.initializers.Uniform", "low": 0.0, "high": 1.0}
    >>> short_name(["init=unit", "sgd.batch_size=10", "seed=1"], ["init", "sgd.batch_size"], uniform)
    'U[0, 1] · batch 10'
    """
    given = dict(override.split("=", 1) for override in overrides if "=" in override)
    values = {key: given[key] for key in swept if key in given}
    law, told = _law(init)
    parts = []
    if law and any(key in told for key in values):
        parts = [law]
        values = {key: value for key, value in values.items() if key not in told}
    words = {key: WORDS.get(key, key.rpartition(".")[2].replace("_", " ").strip()) for key in values}
    for key, value in values.items():
        is_plain = list(words.values()).count(words[key]) == 1  # else the whole key
        parts.append(value if key in GROUPS else f"{words[key] if is_plain else key} {value}")
    return BETWEEN.join(parts) or "defaults"


def swept_part(overrides: Sequence[str], swept: Sequence[str]) -> str:
    """What a cell was given of the swept keys, as the command line has it: of one that cannot be run."""
    return " ".join(text for text in overrides if text.partition("=")[0] in swept) or " ".join(overrides)


def _law(init: Mapping[str, Any]) -> tuple[str, set[str]]:
    """The law of an init as it is written, and the keys of the settings that it tells; "" where it has no such name."""
    package, _, rule = str(init.get("_target_", "")).rpartition(".")
    if not package.startswith("initodds.") or rule not in LAWS:
        return "", set()
    pattern, needed = LAWS[rule]
    if any(not isinstance(init.get(name), int | float) for name in needed):
        return "", set()
    numbers = {
        name: f"{init[name]:.12g}" + "\N{SUPERSCRIPT TWO}" * (name == "std" and init[name] != 1) for name in needed
    }
    return pattern.format(**numbers), {"init", *(f"init.{name}" for name in needed)}
