"""What the studies share: their sweeps, the results they commit, and how a summary states a rate."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from initodds.analysis import interval, load_replicates


def sweep(folder: Path, *experiments: str, overrides: Sequence[str] = ()) -> None:
    """Run these experiment configs, with these overrides, one sweep after another, tracked in the folder's runs.db.

    What is tracked there already is not run again.
    """
    for experiment in experiments:
        command = [
            sys.executable,
            "-m",
            "initodds",
            f"experiment={experiment}",
            f"tracking.uri=sqlite:///{folder}/runs.db",
            "tracking.replicates=table",
            *overrides,
        ]
        subprocess.run(command, cwd=folder, check=True)


def write_results(
    folder: Path,
    settings: list[str],
    measured: list[str],
    completed: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame,
) -> None:
    """Write results.csv from the folder's runs.db: one row a replicate, with these columns and its seed, number, order
    and outcome. A replicate that two sweeps have trained alike, with the same settings, stands there once.

    completed: the rows of `load_replicates` to the same with what a study adds to them.
    """
    frame = load_replicates(f"sqlite:///{folder}/runs.db").drop_duplicates([*settings, "seed", "replicate"])
    frame = completed(frame)
    columns = [*settings, "seed", "replicate", "order", "outcome", *measured]
    frame[columns].to_csv(folder / "results.csv", index=False, float_format="%.5g")


def read_results(folder: Path) -> pd.DataFrame:
    """The committed results."""
    return pd.read_csv(folder / "results.csv")


def rate(hits: pd.Series) -> str:
    """A rate as the studies state it: `57/64, 89 % [79, 95]`, with the 95 % Wilson interval. `hits` is (n,) bool."""
    return rate_of(int(hits.sum()), len(hits))


def rate_of(count: int, n: int) -> str:
    """The same of `count` of `n`; "none" of none."""
    if not n:
        return "none"
    low, high = interval(count, n)
    return f"{count}/{n}, {percent(count / n)} % [{percent(low)}, {percent(high)}]"


def percent(share: float) -> str:
    """A share in percent, with a decimal where it is near 0 or 1."""
    return f"{100 * share:.1f}" if 0 < share < 0.1 or 0.9 < share < 1 else f"{100 * share:.0f}"
