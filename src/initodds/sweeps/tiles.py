"""A map, tile by tile: each is trained by one of some threads, and kept on disk, so that what is interrupted goes on.

Threads do, since the compiled engine and NumPy leave Python to the others while they calculate.
"""

import itertools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from initodds.cells.points import Results, Trainer
from initodds.vocabulary import InputError, one_line

SECONDS_BETWEEN_LINES = 30.0
"""Where there is no terminal, a map is heard of this often."""


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def train(trainer: Trainer, folder: Path) -> Results:
    """The networks of all points of a plane, in the order of the points; the tiles that `folder` has are read from it,
    and those that are trained are kept there.

    Raises InputError where the folder cannot be written.
    """
    order, size = trainer.plane.order, trainer.together
    tiles = [order[start : start + size] for start in range(0, len(order), size)]
    paths = [folder / f"tile-{number:06}.npz" for number in range(len(tiles))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing = [number for number, path in enumerate(paths) if not path.exists()]
        _train_missing(trainer, tiles, paths, missing)
        parts = [_read(path) for path in paths]
    except OSError as error:
        raise InputError(f"{folder}: a folder that cannot be written ({one_line(error)})") from error
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}
    order = np.lexsort([joined["replicate"], joined["point"]])
    return Results(**{name: array[order] for name, array in joined.items()})


def _train_missing(trainer: Trainer, tiles: Sequence[np.ndarray], paths: Sequence[Path], missing: list[int]) -> None:
    """Train the tiles with the numbers `missing`, as many at a time as there are cores."""

    def tile(number: int) -> int:
        _write(paths[number], trainer.train(tiles[number].tolist()))
        return len(tiles[number]) * trainer.plane.replicates

    done = trainer.plane.networks - sum(len(tiles[number]) for number in missing) * trainer.plane.replicates
    with _progress(trainer.plane.networks, done) as progress, ThreadPoolExecutor(cores()) as pool:
        todo = iter(missing)
        running: set[Future[int]] = set()
        try:
            while True:
                # Handed out as they are needed: what an interruption has to wait for are the tiles that run.
                free = itertools.islice(todo, cores() - len(running))
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
    new = path.with_suffix(".new.npz")
    np.savez(new, allow_pickle=False, **vars(results))
    new.replace(path)  # so that no half of it is ever read


def _read(path: Path) -> Results:
    with np.load(path, allow_pickle=False) as arrays:
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
