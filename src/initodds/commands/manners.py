"""What every command does alike: how it answers a wrong option, how it says that it fails, and what it does when nobody
reads it any more."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from initodds.vocabulary import InputError, one_line

GOES_ON = "what is tracked stays, and the same command goes on from there"
"""What is said where a command that tracks its work is broken off."""
ENDED_BY_SIGPIPE = 128 + 13
"""What a shell has as the exit status of a command that the signal of a closed pipe has ended."""


class Parser(ArgumentParser):
    """Tells a wrong option in one line, with exit status 1."""

    def error(self, message: str) -> NoReturn:
        sys.exit(f"{self.prog}: {message}; --help says more")


@contextmanager
def ends_with_its_reader() -> Iterator[None]:
    """End the process without a word, as Unix's own commands end, once what it prints to is closed, as in
    `initodds-explain RUN_ID | head -3`.

    The signal itself would do as much, but it also comes of a tracking server that closes a connection.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):  # Python flushes both as it ends
            os.dup2(nowhere, stream.fileno())
        sys.exit(ENDED_BY_SIGPIPE)


@contextmanager
def ends_in_a_line(command: str, goes_on: str = "") -> Iterator[None]:
    """End the process with one line where the user's input is refused, the store or the disk fails, or the user
    interrupts it; `goes_on` says what of the work is kept. Other errors are the program's own, and shown whole."""
    more = f"; {goes_on}" if goes_on else ""
    try:
        yield
    except InputError as error:
        sys.exit(f"{command}: {one_line(error)}")
    except KeyboardInterrupt:
        sys.exit(f"{command}: interrupted{more}")
    except BrokenPipeError:
        raise
    except Exception as error:
        from initodds.tracking.store import store_errors  # late: it loads MLflow

        if not isinstance(error, store_errors()):
            raise
        sys.exit(f"{command}: {one_line(error)[:500]}{more}")
