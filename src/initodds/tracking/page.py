"""What the page of a cell's run shows: its numbers, and the cell in words."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from initodds.statistics import rates
from initodds.vocabulary import OUTCOMES

if TYPE_CHECKING:
    from initodds.cells.cell import Cell

Array = np.ndarray


def metrics(cell: "Cell", frame: pd.DataFrame) -> dict[str, float]:
    """A cell's metrics: of each outcome count and rate with its interval, what the outcomes are measured by, and how
    many replicates have each cause and kind of point, and got out in which way. `frame`: its `replicates_frame`."""
    values: dict[str, float] = {"replicates": len(cell.replicates), "steps": int(cell.history.steps[-1])}
    for row in _rates(frame).itertuples():
        values |= {f"{name}/{row.outcome}": float(getattr(row, name)) for name in ("rate", "low", "high", "count")}
    for name in ("cause", "point"):
        values |= {f"{name}/{value}": int(count) for value, count in frame[name].value_counts().items() if value}
    values |= {f"escaped/{name}": int(out.sum()) for name, out in cell.escaped.items()}
    return values | {
        "accuracy": float(np.median(cell.history.accuracy[-1])),
        "cost": float(np.median(cell.history.cost[-1])),
        "chance_level": float(cell.chance_level),
        "best_constant_cost": float(cell.best_constant_cost),
        "naive_overflows": int(cell.history.overflows.sum()),
        "training_seconds": float(cell.seconds),
    }


def in_words(outcome: Array) -> str:
    """What became of the replicates whose outcomes these are, in a few words: `30 converged, 2 partial`."""
    counts = {name: int((outcome == name).sum()) for name in OUTCOMES}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def description(cell: "Cell", frame: pd.DataFrame) -> str:
    """A cell in words, as Markdown. `frame`: its `replicates_frame`."""
    from initodds.verdicts.explanation import summarize

    history, outcome = cell.history, cell.judgement.outcome
    n = history.replicates
    lines = [
        f"**{in_words(outcome)}** of {n} networks {'-'.join(map(str, cell.network.sizes))} on {cell.data.name}.",
        "",
    ]
    if cell.diagnosis is not None:
        lines += [summarize(cell.diagnosis), ""]
    table = _rates(frame)
    for row in table[table["count"] > 0].itertuples():
        where = outcome == row.outcome
        accuracy = 100 * np.median(history.accuracy[-1, where])
        cost = np.median(history.cost[-1, where])
        lines.append(
            f"- {row.outcome}: {row.count} of {n}, {100 * row.rate:.0f} % (95 % interval {100 * row.low:.0f} to"
            f" {100 * row.high:.0f} %); median test accuracy {accuracy:.1f} %, median cost {cost:.3f}."
        )
    for name, out in cell.escaped.items():
        count = int(out.sum())
        lines.append(f"- escape by {name}: {rates.in_words(count, len(out), *rates.interval(count, len(out)))}")
    if (outcome == "stuck").any():
        lines += ["", f"The best answer that ignores the image would cost {cell.best_constant_cost:.3f}."]
    return "\n".join(lines)


def _rates(frame: pd.DataFrame) -> pd.DataFrame:
    """The rates of one cell."""
    return rates.rates(frame.assign(cell=0), by=["cell"])
