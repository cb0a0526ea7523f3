"""Where does a sweep's time go, and how does it grow? The quickstart by 1 and 2 processes, cells of 100 to 10,000, and
one cell in 1 and 2 threads.

python experiments/04-speed/sweep_time.py            about five minutes; full MNIST in INITODDS_DATA; writes sweep.md
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
CELLS = 24


def seconds_of(*arguments: str, folder: str) -> float:
    """Wall time of the command."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "initodds", *arguments], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begin


def parts() -> None:
    """Run the quickstart in this process, its parts timed; prints them as JSON."""
    begin = time.perf_counter()
    from initodds.cells import cell
    from initodds.commands.run import main
    from initodds.sweeps import jobs, plan  # noqa: F401  the first import settles BLAS
    from initodds.tracking import records, writing

    spent = {"import": time.perf_counter() - begin}

    def timed(module: object, name: str, part: str) -> None:
        function = getattr(module, name)

        def wrapper(*arguments: object, **options: object) -> object:
            start = time.perf_counter()
            result = function(*arguments, **options)
            spent[part] = spent.get(part, 0.0) + time.perf_counter() - start
            return result

        setattr(module, name, wrapper)

    from initodds.cells import objects
    from initodds.sweeps import summary

    timed(plan, "read", "compose, data included")
    timed(objects, "dataset", "data")
    timed(cell, "train", "training, evaluation included")
    timed(cell, "evaluate", "evaluation")
    timed(cell, "diagnose", "diagnosis")
    timed(records, "record_of", "record")
    timed(writing, "write", "tracking")
    timed(summary, "of_sweep", "table")
    sys.argv[1:] = ["experiment=quickstart", "hydra/launcher=basic"]
    main()
    spent["all"] = time.perf_counter() - begin
    spent["memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps(spent))


def grown(replicates: str) -> None:
    """One cell of so many replicates, one epoch of mnist_5k, in this process; prints time and memory as JSON."""
    from initodds.commands.run import main

    begin = time.perf_counter()
    sys.argv[1:] = [f"replicates={replicates}", "sgd.epochs=1", "tracking.replicates=table", "init=half",
                    "sgd.batch_size=100", "diagnosis.of=none", "diagnosis.keep_weights=none"]  # fmt: skip
    main()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({"seconds": time.perf_counter() - begin, "memory, MB": memory}))


def threads() -> None:
    """A cell of 64 networks, five epochs of full MNIST, twice in this process; prints the times as JSON."""
    from initodds import run

    overrides = ["data=mnist", "init=half", "sgd.epochs=5", "replicates=64", "diagnosis.of=none"]
    print(json.dumps({"seconds": [run(*overrides).seconds for _ in range(2)]}))


def in_process(*task: str, **environment: str) -> dict[str, Any]:
    """What a task prints last, run in a folder and a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(Path(__file__).absolute()), *task]
        every = {**os.environ, **environment}
        done = subprocess.run(command, cwd=folder, env=every, check=True, capture_output=True, text=True)
        return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    if len(sys.argv) > 1:
        {"parts": parts, "grown": grown, "threads": threads}[sys.argv[1]](*sys.argv[2:])
        return
    with tempfile.TemporaryDirectory() as folder:
        seconds_of("--help", folder=folder)  # compiled once
        text = ["# What a sweep costs", "", "Printed by sweep_time.py.", ""]
        text.append(f"`initodds --help`: {seconds_of('--help', folder=folder):.2f} s.")
    spent = in_process("parts")
    whole = spent["all"]
    processes = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        together = seconds_of("experiment=quickstart", folder=folder)
    lines = ["", "| processes | the quickstart, s | cells a minute |", "|---|---|---|"]
    for number, seconds in ((1, whole), (processes, together)):
        lines.append(f"| {number} | {seconds:.1f} | {60 * CELLS / seconds:.0f} |")
    lines += ["", "| part of the quickstart, in one process | s | share |", "|---|---|---|"]
    for part in (key for key in spent if key not in ("all", "memory, MB")):
        lines.append(f"| {part} | {spent[part]:.1f} | {100 * spent[part] / whole:.0f} % |")
    lines += [f"| all | {whole:.1f} | |", f"| peak memory, MB | {spent['memory, MB']:.0f} | |"]
    lines += ["", "| replicates of one cell, an epoch of mnist_5k | s | peak memory, MB |", "|---|---|---|"]
    for replicates in (100, 1000, 10_000):
        found = in_process("grown", str(replicates))
        lines.append(f"| {replicates} | {found['seconds']:.1f} | {found['memory, MB']:.0f} |")
    lines += ["", "| threads for a cell of 64 networks, five epochs of full MNIST | s, twice |", "|---|---|"]
    for number in (1, 2):
        first, second = in_process("threads", INITODDS_THREADS=str(number))["seconds"]
        lines.append(f"| {number} | {first:.1f}, {second:.1f} |")
    (FOLDER / "sweep.md").write_text("\n".join(text + lines) + "\n")
    print("\n".join(text + lines))


if __name__ == "__main__":
    main()
