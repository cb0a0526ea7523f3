"""A plane of settings: two numbers of the config vary, each point of a grid is a setting, and every one is accepted.

The config is composed once. What an axis changes in the validated settings is told value by value, so that a setting
that others interpolate carries them with it; the settings of a point are both axes' changes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError

from initodds.cells import complaints, config, drawing, objects
from initodds.cells.axes import Axis
from initodds.cells.settings import Settings
from initodds.cells.subject import Subject, subject_of
from initodds.initializers import Initializer
from initodds.vocabulary import InputError

Array = np.ndarray
KeyPath = tuple[str | int, ...]
Changes = tuple[tuple[KeyPath, Any], ...]
"""What differs from the base: settings by their paths, with the values that they take."""

RATE: KeyPath = ("sgd", "learning_rate")
LAYER_RATES: KeyPath = ("sgd", "layer_rates")
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

    @property
    def corners(self) -> list[int]:
        """The four points at the ends of both axes, fewer where the size is 1: lowest y first, and lowest x first."""
        return sorted({0, self.size - 1, self.size**2 - self.size, self.size**2 - 1})

    def changes(self, point: int) -> Changes:
        """What the settings of a point differ in from the base."""
        return self.x_changes[point % self.size] + self.y_changes[point // self.size]

    def name(self, point: int) -> str:
        """A point as a user would write it: `init.centre=0.1 sgd.learning_rate=3.0`."""
        x, y = self.x_values[point % self.size], self.y_values[point // self.size]
        return f"{self.x.key}={x} {self.y.key}={y}"

    def naming(self, point: int) -> AbstractContextManager[None]:
        """Within the `with` block, an InputError says that it is of this point."""
        return _naming(self.name(point))

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
        draw of weights is then made once for all learning rates."""
        grid = np.arange(self.size**2).reshape(self.size, self.size)
        return (grid.T if any(map(_of_init, self.x_changes)) else grid).ravel()

    def subject(self, point: int) -> Subject:
        """What the settings of a point name; the same object for points that differ in init and learning rate alone."""
        return self._subject(shared(self.changes(point)))

    @cached_property
    def _subject(self) -> Callable[[Changes], Subject]:
        return lru_cache(maxsize=4)(lambda changes: subject_of(changed(self.base, changes)))

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
    cell_config = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    OmegaConf.update(cell_config, "replicates", replicates)
    values = {axis.key: _values(cell_config, axis, size, option) for axis, option in ((x, "--x"), (y, "--y"))}
    least = {axis.key: values[axis.key][0] for axis in (x, y)}
    base = _read(cell_config, least)
    base_values = base.model_dump()
    changes = {
        axis.key: [
            _differences(base_values, _read(cell_config, {**least, axis.key: value}).model_dump())
            for value in values[axis.key]
        ]
        for axis in (x, y)
    }
    for x_end, y_end in product((0, -1), repeat=2):  # what is refused of both together is so at the ends, if anywhere
        _read(cell_config, {x.key: values[x.key][x_end], y.key: values[y.key][y_end]})
    plane = Plane(base, choices, x, y, replicates, draw, values[x.key], values[y.key], changes[x.key], changes[y.key])
    _require_accepted(plane)
    return plane


def _values(cell_config: DictConfig, axis: Axis, size: int, option: str) -> list[float]:
    """The numbers of an axis. Raises InputError where its key takes no numbers, or there are not so many."""
    values = axis.values(size, _is_whole(cell_config, axis, option))
    if (count := len(set(values))) < size:
        raise InputError(f"{option} {axis}: has {count} different numbers, for --size {size}; a smaller size")
    return values


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
    return tuple((path, value) for path, value in drawn(changes) if path[0] != "init")


def drawn(changes: Changes) -> Changes:
    """Those changes that the draw of a network's weights may depend on: all but of the learning rates."""
    return tuple((path, value) for path, value in changes if not of_rate(path))


def of_rate(path: KeyPath) -> bool:
    """Whether a setting is the learning rate, or a layer's factor of it."""
    return path == RATE or path[:2] == LAYER_RATES


def _of_init(changes: Changes) -> bool:
    return any(path[0] == "init" for path, _ in changes)


def _is_whole(cell_config: DictConfig, axis: Axis, option: str) -> bool:
    """Whether the key of an axis takes whole numbers alone. Raises InputError where it takes no numbers."""
    above, _, name = axis.key.rpartition(".")
    section = OmegaConf.select(cell_config, above) if above else cell_config
    if section is None and (top := above.partition(".")[0]) in cell_config:
        raise InputError(f"{option} {axis.key}: {above} is null or not there; the key of a number is needed")
    if section is None:
        raise InputError(f"{option} {complaints.of_key(top, _as_dict(cell_config))}")
    if OmegaConf.is_list(section) and name.isdigit() and int(name) < len(section):
        value = section[int(name)]
    elif OmegaConf.is_dict(section) and name in section:
        value = section[name]
    else:
        raise InputError(
            f"{option} {complaints.of_key(axis.key, _as_dict(section) if OmegaConf.is_dict(section) else {})}"
        )
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        shown = "" if OmegaConf.is_config(value) else f", which is {value}"
        raise InputError(f"{option} {axis.key}{shown}: the key of a number is needed")
    trial = cell_config.copy()
    OmegaConf.update(trial, axis.key, 1.5)
    try:
        Settings.model_validate(OmegaConf.to_container(trial, resolve=True))
    except ValidationError as error:
        return any(each["type"].startswith("int") for each in error.errors())
    return False


def _as_dict(section: Any) -> dict[str, Any]:
    values: Any = OmegaConf.to_container(section)
    return dict(values)


def _read(cell_config: DictConfig, values: Mapping[str, float]) -> Settings:
    """The settings of the point with these values, which the config has from then on. Raises InputError with its name
    where they are not accepted."""
    for key, value in values.items():
        OmegaConf.update(cell_config, key, value)
    with _naming(" ".join(f"{key}={value}" for key, value in values.items())):
        return config.read(cell_config)


@contextmanager
def _naming(point: str) -> Iterator[None]:
    """Within the `with` block, what is refused says at which point."""
    try:
        yield
    except InputError as error:
        raise InputError(f"at {point}: {error}") from error


def _differences(base: Mapping[Any, Any], other: Mapping[Any, Any], path: KeyPath = ()) -> Changes:
    """Where two settings, as plain data, differ, and what the other one has there."""
    differing: list[tuple[KeyPath, Any]] = []
    for key, value in other.items():
        mine = base.get(key)
        if isinstance(value, Mapping) and isinstance(mine, Mapping):
            differing += _differences(mine, value, (*path, key))
        elif isinstance(value, list) and isinstance(mine, list) and len(mine) == len(value):
            differing += _differences(dict(enumerate(mine)), dict(enumerate(value)), (*path, key))
        elif mine != value:
            differing.append(((*path, key), value))
    return tuple(differing)


def _require_accepted(plane: Plane) -> None:
    """Raise InputError for the first point that is not accepted, beyond what each axis alone has been checked for."""
    size = plane.size
    ends = [*range(size), *range(0, size**2, size), *plane.corners]
    together = all(any(map(_of_init, changes)) for changes in (plane.x_changes, plane.y_changes))
    for point in ends:
        with plane.naming(point):
            plane.subject(point)
    for point in range(size**2) if together else ():
        with plane.naming(point):
            plane.initializer(point)
