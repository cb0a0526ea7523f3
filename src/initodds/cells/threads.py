"""Stacks of networks in threads of one process, which compiled code trains at once: it needs no lock of Python's."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from multiprocessing import current_process
from threading import Event
from typing import TypeVar

from initodds.vocabulary import InputError

Given = TypeVar("Given")
Made = TypeVar("Made")

THREADS = "INITODDS_THREADS"
"""Environment variable with the number of threads that a process may train in."""


class StoppedError(Exception):
    """Raised in a thread whose work nobody waits for any more."""


def threads() -> int:
    """The threads that this process may train in: what `THREADS` says; else 1 in a worker, which has others beside it,
    what Slurm gives a task, or all cores. Raises InputError where `THREADS` is no number of at least 1."""
    if given := os.environ.get(THREADS):
        if not given.isdecimal() or not int(given):
            raise InputError(f"{THREADS}={given}: threads, a whole number of at least 1")
        return int(given)
    if current_process().name != "MainProcess":
        return 1
    if "SLURM_JOB_ID" in os.environ:
        return int(os.environ.get("SLURM_CPUS_PER_TASK", 1))
    import joblib

    return int(joblib.cpu_count())


def in_threads(work: Callable[[Given, Callable[[], None]], Made], pieces: Sequence[Given], number: int) -> list[Made]:
    """What `work` makes of each of the pieces, in their order, by so many threads at once.

    `work` is called with a piece and a function that it calls now and then, which raises `StoppedError` once
    another piece has failed, or the user has interrupted. What was raised first is raised here, once all have ended.
    """
    over = Event()
    errors: list[BaseException] = []

    def go_on() -> None:
        if over.is_set():
            raise StoppedError

    def attempt(piece: Given) -> Made:
        try:
            go_on()  # else those that have not begun would
            return work(piece, go_on)
        except BaseException as error:
            errors.append(error)
            over.set()
            raise

    if min(number, len(pieces)) <= 1:
        return [work(piece, go_on) for piece in pieces]
    with ThreadPoolExecutor(number) as pool:
        waiting = [pool.submit(attempt, piece) for piece in pieces]
        try:
            wait(waiting)
        finally:
            over.set()
    if errors:
        raise errors[0]
    return [piece.result() for piece in waiting]
