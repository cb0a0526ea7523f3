"""What every command does alike: how it answers a wrong option, and what it does when nobody reads it any more."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

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
