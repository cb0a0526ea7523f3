"""The folder conf/, and the options of its groups. Loads none of what trains a cell, so that `--help` is quick."""

from collections.abc import Iterable
from pathlib import Path
from textwrap import fill

from hydra.core.override_parser.overrides_parser import OverridesParser

from initodds.cells import complaints


def directory() -> Path:
    """The folder of the config files: conf/ of the checkout, or its copy in the installed package."""
    package = Path(__file__).parents[1]
    checkout = package.parents[1] / "conf"
    return checkout if checkout.is_dir() else package / "conf"


def require_names(overrides: Iterable[str]) -> None:
    """Raise InputError where an option of a config group is chosen by anything but its name, as in init=null."""
    groups = [text for text in overrides if "=" in text and (directory() / text.partition("=")[0]).is_dir()]
    for choice in OverridesParser.create().parse_overrides(groups):
        complaints.require_name(choice)


def help_text() -> str:
    """What `initodds --help` says: the config groups with their options, and the keys that stand in no group."""
    groups: dict[str, list[str]] = {}
    for path in sorted(directory().glob("*/**/*.yaml")):
        groups.setdefault(str(path.parent.relative_to(directory())), []).append(path.stem)
    listed = [fill(f"{group}: {', '.join(names)}", 100, subsequent_indent="    ") for group, names in groups.items()]
    return "\n".join([HELP, *listed, "", (directory() / "config.yaml").read_text()])


HELP = """How often does a network get stuck, given how its weights were drawn?

    initodds KEY=VALUE ...           one cell
    initodds -m KEY=VALUE,VALUE ...  every combination of the values, a cell each
    initodds GROUP=OPTION --cfg job  every key, those of the options too, with its value
    initodds --hydra-help            more flags

Groups, with their options:
"""
