"""Folders that are written to, and what is said of one that cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from initodds.vocabulary import InputError, one_line


@contextmanager
def writing(folder: Path, called: str = "") -> Iterator[None]:
    """The folder is there within the `with` block. Raises InputError where it or what is in it cannot be written.

    called: what the user has given it by, for the message, as `--out `.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputError(f"{called}{folder}: a folder that cannot be written ({one_line(error)})") from error
