"""A plane of settings: two numbers of the config vary, each point of a grid is a setting, and every one is accepted.

The config is composed once. What an axis changes in the validated settings is told value by value, so that a setting
that others interpolate carries them with it; the settings of a point are both axes' changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError

from initodds.cells import advice, cell, config, drawing, objects
from initodds.cells.axes import Axis
from initodds.cells.cell import Subject
from initodds.cells.settings import Settings
from initodds.initializers import Initializer
from initodds.vocabulary import InputError

Array = np.ndarray
Path = tuple[str | int, ...]
Changes = tuple[tuple[Path, Any], ...]
"""What differs from the base: settings by their paths, with the values that they take."""

RATE: Path = ("sgd", "learning_rate")
LAYER_RATES: Path = ("sgd", "layer_rates")
DRAWS = ("same", "each")


@dataclass(frozen=True, eq=False)
class Plane:
    """A grid of size by size settings, numbered row by row from the lowest y: point p is at x number p % size.

    base: the settings of point 0.  choices: the option that was chosen of each config group.
    replicates: networks a point.  draw: same, where the replicates of all points are number 0 and on, so that their
        weights are the same draw, moved and scaled; or each, where they go on from point to point.
    x_values, y_values: (size,) numbers.  x_changes, y_changes: what each of them changes in the base.
    """

    base: Settings
    choices: Mapping[str, str]
    x: Axis
    y: Axis
    replicates: int
    draw: str
    x_values: list[float]
    y_values: list[float]
    x_changes: list[Changes]
    y_changes: list[Changes]

    @property
    def size(self) -> int:
        """Points along a side."""
        return len(self.x_values)

    @property
    def networks(self) -> int:
        """How many there are in all."""
        return self.size**2 * self.replicates

    def changes(self, point: int) -> Changes:
        """What the settings of a point differ in from the base."""
        return self.x_changes[point % self.size] + self.y_changes[point // self.size]

    def name(self, point: int) -> str:
        """A point as a user would write it: `init.centre=0.1 sgd.learning_rate=3.0`."""
        x, y = self.x_values[point % self.size], self.y_values[point // self.size]
        return f"{self.x.key}={x} {self.y.key}={y}"

    def settings(self, point: int) -> Settings:
        """The settings of a point, those of a cell that has so many replicates."""
        return changed(self.base, self.changes(point))

    def numbers(self, point: int) -> range:
        """The numbers of a point's replicates in the cell of its settings."""
        first = 0 if self.draw == "same" else point * self.replicates
        return range(first, first + self.replicates)

    @cached_property
    def order(self) -> Array:
        """(points,) int, the points in the order in which they are trained: those of one init after another, since a
        draw is then made once."""
        grid = np.arange(self.size**2).reshape(self.size, self.size)
        return (grid.T if any(map(_of_init, self.x_changes)) else grid).ravel()

    def subject(self, point: int) -> Subject:
        """What the settings of a point name; the same object for points that differ in init and learning rate alone."""
        return self._subject(shared(self.changes(point)))

    @cached_property
    def _subject(self) -> Callable[[Changes], Subject]:
        return lru_cache(maxsize=4)(lambda changes: cell.subject_of(changed(self.base, changes)))

    def initializer(self, point: int) -> Initializer:
        """The initializer of a point, checked as `objects.initializer` has it. Raises InputError for a bad value."""
        return self._initializer(tuple(change for change in self.changes(point) if change[0][0] == "init"))

    @cached_property
    def _initializer(self) -> Callable[[Changes], Initializer]:
        base = objects.initializer(self.base)

        def made(changes: Changes) -> Initializer:
            values = {path[-1]: value for path, value in changes}
            inner = base.initializer if isinstance(base, drawing.Checked) else None
            # Hydra takes a millisecond and more to make one.
            if is_dataclass(inner) and all(len(path) == 2 and hasattr(inner, path[1]) for path, _ in changes):
                try:
                    return replace(base, initializer=replace(inner, **values))
                except InputError as error:
                    raise InputError(f"init.{error}") from error
            return objects.initializer(changed(self.base, changes))

        return lru_cache(maxsize=1024)(made)


def plane_of(overrides: Sequence[str], x: Axis, y: Axis, size: int, replicates: int = 1, draw: str = "same") -> Plane:
    """The plane of the settings that the command has with these overrides, each of its points checked.

    Raises InputError for an axis that is no number of the config, and for the first point that is not accepted.
    """
    if x.key == y.key:
        raise InputError(f"--x {x.key}, --y {y.key}: two keys are needed")
    composed = config.composed_of(overrides)
    choices = {str(key): str(value) for key, value in composed.hydra.runtime.choices.items()}
    ours = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    OmegaConf.update(ours, "replicates", replicates)
    values = {axis.key: axis.values(size, _is_whole(ours, axis, option)) for axis, option in ((x, "--x"), (y, "--y"))}
    for axis in (x, y):
        OmegaConf.update(ours, axis.key, values[axis.key][0])
    base = _read(ours, {axis.key: values[axis.key][0] for axis in (x, y)})
    plain = base.model_dump()
    changes: dict[str, list[Changes]] = {}
    for axis, other in ((x, y), (y, x)):
        changes[axis.key] = []
        for value in values[axis.key]:
            OmegaConf.update(ours, axis.key, value)
            point = _read(ours, {axis.key: value, other.key: values[other.key][0]})
            changes[axis.key].append(_differences(plain, point.model_dump()))
        OmegaConf.update(ours, axis.key, values[axis.key][0])
    plane = Plane(base, choices, x, y, replicates, draw, values[x.key], values[y.key], changes[x.key], changes[y.key])
    _require_accepted(plane)
    return plane


def changed(base: Settings, changes: Changes) -> Settings:
    """The settings with these changes."""
    plain = base.model_dump()
    for path, value in changes:
        section: Any = plain
        for key in path[:-1]:
            section = section[key]
        section[path[-1]] = value
    return Settings.model_validate(plain)


def shared(changes: Changes) -> Changes:
    """Those changes that networks trained together cannot differ in: all but of their init and learning rates."""
    return tuple((path, value) for path, value in changes if path[0] != "init" and not of_rate(path))


def of_rate(path: Path) -> bool:
    """Whether a setting is the learning rate, or a layer's factor of it."""
    return path == RATE or path[:2] == LAYER_RATES


def _of_init(changes: Changes) -> bool:
    return any(path[0] == "init" for path, _ in changes)


def _is_whole(ours: DictConfig, axis: Axis, option: str) -> bool:
    """Whether the key of an axis takes whole numbers alone. Raises InputError where it takes no numbers."""
    above, _, name = axis.key.rpartition(".")
    section = OmegaConf.select(ours, above) if above else ours
    if section is None and (top := above.partition(".")[0]) in ours:
        raise InputError(f"{option} {axis.key}: {above} is null or not there; the key of a number is needed")
    if section is None:
        raise InputError(f"{option} {advice.of_key(top, _plain(ours))}")
    if OmegaConf.is_list(section) and name.isdigit() and int(name) < len(section):
        value = section[int(name)]
    elif OmegaConf.is_dict(section) and name in section:
        value = section[name]
    else:
        raise InputError(f"{option} {advice.of_key(axis.key, _plain(section) if OmegaConf.is_dict(section) else {})}")
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        shown = "" if OmegaConf.is_config(value) else f", which is {value}"
        raise InputError(f"{option} {axis.key}{shown}: the key of a number is needed")
    trial = ours.copy()
    OmegaConf.update(trial, axis.key, 1.5)
    try:
        Settings.model_validate(OmegaConf.to_container(trial, resolve=True))
    except ValidationError as error:
        return any(each["type"].startswith("int") for each in error.errors())
    return False


def _plain(section: Any) -> dict[str, Any]:
    plain: dict[str, Any] = OmegaConf.to_container(section)  # type: ignore[assignment]
    return plain


def _read(ours: DictConfig, values: Mapping[str, float]) -> Settings:
    """The settings of a point. Raises InputError with its name where they are not accepted."""
    try:
        return config.read(ours)
    except InputError as error:
        raise _refused(" ".join(f"{key}={value}" for key, value in values.items()), error) from error


def _refused(point: str, error: InputError) -> InputError:
    return InputError(f"at {point}: {error}")


def _differences(base: Mapping[Any, Any], other: Mapping[Any, Any], path: Path = ()) -> Changes:
    """Where two settings, as plain data, differ, and what the other one has there."""
    found: list[tuple[Path, Any]] = []
    for key, value in other.items():
        mine = base.get(key)
        if isinstance(value, Mapping) and isinstance(mine, Mapping):
            found += _differences(mine, value, (*path, key))
        elif isinstance(value, list) and isinstance(mine, list) and len(mine) == len(value):
            found += _differences(dict(enumerate(mine)), dict(enumerate(value)), (*path, key))
        elif mine != value:
            found.append(((*path, key), value))
    return tuple(found)


def _require_accepted(plane: Plane) -> None:
    """Raise InputError for the first point that is not accepted, beyond what each axis alone has been checked for."""
    size = plane.size
    edge = [*range(size), *range(0, size**2, size)]
    together = all(any(map(_of_init, changes)) for changes in (plane.x_changes, plane.y_changes))
    for point in edge:
        try:
            plane.subject(point)
        except InputError as error:
            raise _refused(plane.name(point), error) from error
    for point in range(size**2) if together else ():
        try:
            plane.initializer(point)
        except InputError as error:
            raise _refused(plane.name(point), error) from error
