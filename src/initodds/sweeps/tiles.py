"""A map, tile by tile: each is trained by one of some threads, and kept on disk, so that what is interrupted goes on.

Threads do, since the compiled engine and NumPy leave Python to the others while they calculate. Where another launcher
of Hydra's is chosen than its basic one, each tile is a job of it instead.
"""

import itertools
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from initodds.cells.plane import Plane
from initodds.cells.points import Results, Trainer
from initodds.cells.threads import threads
from initodds.sweeps.folders import writing
from initodds.vocabulary import InputError

SECONDS_BETWEEN_LINES = 30.0
"""Where there is no terminal, a map is heard of this often."""


@dataclass(frozen=True)
class Tiles:
    """The points of a plane in portions, each of which is trained in one go and kept in a file of a folder."""

    plane: Plane
    folder: Path

    @cached_property
    def _size(self) -> int:
        """Points of a tile; the last may have fewer."""
        return Trainer(self.plane).tile

    @property
    def count(self) -> int:
        """How many there are."""
        return -(-len(self.plane.order) // self._size)

    def path(self, number: int) -> Path:
        """The file of a tile."""
        return self.folder / f"tile-{number:06}.npz"

    def points(self, number: int) -> list[int]:
        """The points of a tile, in the order in which they are trained."""
        return [int(point) for point in self.plane.order[number * self._size : (number + 1) * self._size]]

    def networks(self, number: int) -> int:
        """How many networks a tile has."""
        return len(self.points(number)) * self.plane.replicates

    def make(self, number: int, trainer: Trainer | None = None) -> None:
        """Train a tile and keep it. `trainer`: the plane's, where there is one already.

        Raises InputError where its file cannot be written.
        """
        results = (trainer or Trainer(self.plane)).train(self.points(number))
        with writing(self.folder):
            _write(self.path(number), results)

    def read(self, number: int) -> Results | None:
        """What is kept of a tile; None where nothing is, or its file is damaged or of other points."""
        try:
            results = _read(self.path(number))
        except (OSError, ValueError, TypeError, EOFError, BadZipFile):
            return None
        expected = np.repeat(self.points(number), self.plane.replicates)
        return results if np.array_equal(results.point, expected) else None


def train(plane: Plane, folder: Path, overrides: Sequence[str] = ()) -> Results:
    """The networks of all points of a plane, in the order of the points; the tiles that `folder` has are read from it,
    and those that are trained are kept there.

    overrides: of the config that says which launcher makes the tiles, and how; without any, threads of this process do.

    Raises InputError where the folder cannot be written, or a tile that was written there not be read.
    """
    tiles = Tiles(plane, folder.absolute())
    with writing(folder):
        missing = [number for number in range(tiles.count) if tiles.read(number) is None]
        for number in missing:  # the damaged ones, which a launcher's jobs would be taken to have made
            tiles.path(number).unlink(missing_ok=True)
    done = plane.networks - sum(map(tiles.networks, missing))
    with _progress(plane.networks, done) as progress:
        if overrides and missing:
            from initodds.sweeps import launched_tiles

            fresh = Tiles(replace(plane), tiles.folder)  # of a job's own, without what it can load itself
            files = {number: tiles.path(number) for number in missing}
            launched_tiles.launch(overrides, fresh.make, files, lambda number: progress.advance(tiles.networks(number)))
        else:
            _train_in_threads(tiles, missing, progress)
    parts = []
    for number in range(tiles.count):
        if (part := tiles.read(number)) is None:
            raise InputError(f"{tiles.path(number)}: cannot be read; the same command makes it again")
        parts.append(part)
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}
    order = np.lexsort([joined["replicate"], joined["point"]])
    return Results(**{name: array[order] for name, array in joined.items()})


def _train_in_threads(tiles: Tiles, missing: Sequence[int], progress: "_Progress") -> None:
    """Train the tiles with the numbers `missing`, as many at a time as there are threads."""
    trainer = Trainer(tiles.plane)

    def tile(number: int) -> int:
        tiles.make(number, trainer)
        return tiles.networks(number)

    with ThreadPoolExecutor(threads()) as pool:
        todo = iter(missing)
        running: set[Future[int]] = set()
        try:
            while True:
                # Handed out as they are needed: what an interruption has to wait for are the tiles that run.
                free = itertools.islice(todo, threads() - len(running))
                running |= {pool.submit(tile, number) for number in free}
                if not running:
                    return
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    progress.advance(future.result())
        finally:
            for future in running:
                future.cancel()


def _write(path: Path, results: Results) -> None:
    new = path.with_suffix(f".{socket.gethostname()}-{os.getpid()}.npz")  # no other process's
    np.savez(new, allow_pickle=False, **vars(results))
    new.replace(path)  # so that no half of it is ever read


def _read(path: Path) -> Results:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # closed though it be damaged
        return Results(**arrays)


class _Progress:
    """How many networks are done: a bar on a terminal, plain lines elsewhere, with the time left."""

    def __init__(self, networks: int, done: int) -> None:
        self.networks, self.done, self.began = networks, done, done
        self.start = self.last = time.monotonic()
        self.bar = tqdm(total=networks, initial=done, unit=" networks", disable=None, smoothing=0.1)

    def advance(self, networks: int) -> None:
        """So many more are done."""
        self.done += networks
        self.bar.update(networks)
        now = time.monotonic()
        if self.bar.disable and now - self.last > SECONDS_BETWEEN_LINES:
            self.last, pace = now, (self.done - self.began) / (now - self.start)
            left, took = (self.networks - self.done) / pace, now - self.start
            print(f"{self.done}/{self.networks} networks ({took:.0f} s, {left:.0f} s left)", file=sys.stderr)


@contextmanager
def _progress(networks: int, done: int) -> Iterator[_Progress]:
    progress = _Progress(networks, done)
    try:
        yield progress
    finally:
        progress.bar.close()
