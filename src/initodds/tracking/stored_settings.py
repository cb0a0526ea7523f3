"""settings.json: the settings of a cell's run, with what else it takes to find the same networks again.

    {"schema": 2, "settings": {...}, "data_sha256": "...", "sources": {"drawn.Small": "..."}}

`settings` are all but the store's address, which may have a password in it; the path of the data is made absolute.
`sources` are those of `identity.sources_of`.

**To change the settings' schema**, raise `SCHEMA` and give `MIGRATIONS` the step from the one before.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from initodds.tracking import identity
from initodds.vocabulary import InputError, one_line

if TYPE_CHECKING:
    from initodds.cells.settings import Settings

NAME = "settings.json"
SCHEMA = 2


@dataclass(frozen=True)
class StoredSettings:
    """The content of a settings.json, of the present schema: `settings` as plain data, see `validated`."""

    settings: dict[str, Any]
    data_sha256: str
    sources: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """What identifies the cell."""
        return identity.fingerprint(self.settings, self.data_sha256, self.sources)

    @property
    def states(self) -> dict[str, str]:
        """The state of the user's own code as a param, `sources: my_module.MyInit 1a2b3c4d`, with the beginnings of the
        files' hashes; none where there is no such code."""
        states = [f"{name} {sha256[:8]}" for name, sha256 in sorted(self.sources.items())]
        return {"sources": ", ".join(states)} if states else {}


def stored_settings(settings: "Settings", data_sha256: str) -> StoredSettings:
    """What is stored of a cell's settings; `data_sha256` is that of its data."""
    plain = settings.model_dump(exclude={"tracking": {"uri"}})
    for part in (plain["data"], plain["data"]["load"]):
        for key in ("root", "path"):
            if isinstance(part.get(key), str):
                part[key] = str(Path(part[key]).expanduser().absolute())
    return StoredSettings(plain, data_sha256, identity.sources_of(plain))


def to_text(stored: StoredSettings) -> str:
    """The content of the file."""
    return json.dumps({"schema": SCHEMA, **vars(stored)})


def from_text(text: str | bytes, origin: str) -> StoredSettings:
    """Read a settings.json of this schema or of an earlier one; `origin` is the run that has it, for messages.

    Raises InputError where it is of a later schema, or no settings.json at all.
    """
    try:
        plain = json.loads(text)
        schema = plain.get("schema", 1)
        if schema > SCHEMA:
            raise InputError(
                f"{origin}: its {NAME} is of schema {schema}, written by a later version of initodds; this one reads"
                f" schemas 1 to {SCHEMA}"
            )
        for step in range(schema, SCHEMA):
            plain = MIGRATIONS[step](plain)
        return StoredSettings(plain["settings"], plain["data_sha256"], plain["sources"])
    except InputError:
        raise
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{origin}: its {NAME} cannot be read ({type(error).__name__}: {one_line(error)})") from error


def validated(stored: StoredSettings, origin: str) -> "Settings":
    """The settings themselves, with no address of a store. `origin` is the run that has them, for messages.

    Raises InputError where this version does not accept them.
    """
    from pydantic import ValidationError

    from initodds.cells.settings import Settings

    plain = {**stored.settings, "tracking": {**stored.settings["tracking"], "uri": "none"}}
    try:
        return Settings.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{origin}: its {NAME} is not accepted: {key}: {first['msg'].lower()}") from error


def _from_1(plain: dict[str, Any]) -> dict[str, Any]:
    """Schema 1, of initodds 0.1.0, had no number, and the data's hash among the settings; no code was known by its
    hash."""
    settings = {key: value for key, value in plain.items() if key != "data_sha256"}
    return {"schema": 2, "settings": settings, "data_sha256": plain["data_sha256"], "sources": {}}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1}
"""The step from each schema to the next."""
