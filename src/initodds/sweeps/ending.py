"""How a sweep ends: with its table on the terminal, and with table and report in its run.

They are not written again where the run has them already. What they are made of is told by one hash, a tag of the run:
the cells as they were asked for, their runs as the store has them, those that failed, where the sweep comes from, and
the code that writes, this package's by its files and others' by their versions.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

from initodds.sweeps import summary
from initodds.tracking.reading import TrackedCell
from initodds.tracking.store import Run, Store

TAG = "results"
"""The tag of a sweep's run with the hash of what its results are made of; "" while they are being written."""

FILES = {"rates.md", "rates.csv", "report.html"}
"""The artifacts that a sweep has in any case."""

OF_A_START = {TAG, "mlflow.note.content", "boot", "container", "process", "pulse"}
"""The tags of a sweep's run that are others at each start, and in no result."""

DRAWING = ("jinja2", "matplotlib", "seaborn", "tabulate")
"""What writes and draws, beside the libraries whose versions are tags of the run."""


def finish(store: Store, run: Run, cells: Sequence[TrackedCell], failed: Sequence[tuple[str, str]]) -> None:
    """Print the table of a sweep's tracked cells, and write table and report to its run where it has not these."""
    of_what = _hash(store, run, cells, failed)
    is_written = _is_written(store, run, of_what)
    if not is_written:
        run.client.set_tag(run.id, TAG, "")  # what is broken off here is not taken for whole
    summary.of_sweep(store, run, cells, failed, to_write=not is_written)
    if cells and not is_written:
        from initodds.sweeps import report  # late: it draws, and takes a second to load

        report.log(store, run, cells, failed)
        run.client.set_tag(run.id, TAG, of_what)


def _is_written(store: Store, run: Run, of_what: str) -> bool:
    """Whether the run has the results that are made of this."""
    if store.client.get_run(run.id).data.tags.get(TAG) != of_what:
        return False
    return {file.path for file in store.client.list_artifacts(run.id)} >= FILES


def _hash(store: Store, run: Run, cells: Sequence[TrackedCell], failed: Sequence[tuple[str, str]]) -> str:
    """What the results of a sweep are made of, as one hash."""
    sweep = store.client.get_run(run.id)
    tags = {key: value for key, value in sweep.data.tags.items() if key not in OF_A_START}
    content = [state_of_code(), run.id, sweep.info.run_name, tags, [asdict(cell) for cell in cells], list(failed)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@cache
def state_of_code() -> list[str]:
    """The state of the code: of this package's files, and of what it draws with."""
    package = Path(__file__).parents[1]
    files = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            files.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes())
    return [files.hexdigest(), *map(version, DRAWING)]
