"""How far a sweep is, whatever processes its cells run in: a bar on a terminal, plain lines elsewhere.

Each cell keeps one small file in a folder that the environment variable INITODDS_PROGRESS names, and the process that
the user started reads them all. Without that variable, cells report nothing.
"""

import json
import os
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

FOLDER = "INITODDS_PROGRESS"
SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_BETWEEN_LINES = 30.0
"""Where there is no terminal, cells that take long are heard of this often."""


@dataclass
class Report:
    """One cell's side: how many of its epochs are done, each counted for each network, what else is being done, and in
    the end its result in words."""

    cell: str
    epochs: int
    done: int = 0
    after: str = ""
    result: str = ""
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    written: float = 0.0

    def epoch(self, number: int = 1) -> None:
        """So many more epochs are done."""
        self.done += number
        self.after = ""
        if time.monotonic() - self.written > SECONDS_BETWEEN_LOOKS or self.done == self.epochs:
            self.write()

    def stage(self, name: str) -> None:
        """What is being done beside the training."""
        self.after = name
        self.write()

    def finish(self, result: str) -> None:
        """The cell is done, and became `result`."""
        self.result = result
        self.write()

    def write(self) -> None:
        self.written = time.monotonic()
        if folder := os.environ.get(FOLDER):
            path = Path(folder) / f"{self.key}.json"
            try:
                path.with_suffix(".new").write_text(json.dumps(vars(self)))
                path.with_suffix(".new").replace(path)  # so that no half of it is ever read
            except OSError:  # the sweep was stopped, or runs on another machine
                pass


class Monitor:
    """The user's side: shows the cells' reports while the `with` block runs. `cells` may be set once they are known."""

    def __init__(self, cells: int = 1) -> None:
        self.cells = cells
        self.start = time.monotonic()
        self.finished = 0
        self.last_line = self.start
        self.over = threading.Event()

    def __enter__(self) -> "Monitor":
        self.folder = tempfile.TemporaryDirectory(prefix="initodds-")
        os.environ[FOLDER] = self.folder.name
        self.bar = tqdm(total=1.0, bar_format="{desc} |{bar}| {elapsed}<{remaining}{postfix}", disable=None)
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.thread.join()
        self.look()
        self.bar.close()
        del os.environ[FOLDER]
        self.folder.cleanup()

    def watch(self) -> None:
        while not self.over.wait(SECONDS_BETWEEN_LOOKS):
            self.look()

    def look(self) -> None:
        """Read the reports and show what they say. One that is finished is read once, as thousands would take long."""
        new, current, done = [], [], 0.0
        for path in Path(self.folder.name).glob("*.json"):
            report = Report(**json.loads(path.read_text()))
            if report.result:
                new.append(f"{report.cell}: {report.result}")
                path.unlink()
            else:
                current.append(f"{report.cell}: {report.after or f'network-epoch {report.done}/{report.epochs}'}")
                done += report.done / report.epochs
        share = (self.finished + len(new) + done) / max(self.cells, 1)
        if self.bar.disable:
            for line in new:
                self.finished += 1
                self.say(line, share)
            if current and time.monotonic() - self.last_line > SECONDS_BETWEEN_LINES:
                self.say(current[0], share)
            return
        self.finished += len(new)
        self.bar.n = share
        self.bar.set_description_str(f"{self.finished}/{self.cells} cells", refresh=False)
        self.bar.set_postfix_str(current[0] if current else "", refresh=True)

    def say(self, text: str, share: float) -> None:
        """A plain line, with the cells done so far and the time left if the rest goes at the same pace."""
        self.last_line = time.monotonic()
        elapsed = self.last_line - self.start
        left = f", {elapsed / share - elapsed:.0f} s left" if 0 < share < 1 else ""  # a diagnosis has no known length
        print(f"{self.finished}/{self.cells} {text} ({elapsed:.0f} s{left})", file=sys.stderr)
