"""What the page of a cell's run shows: its numbers, and the cell in words."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from initodds.statistics import rates
from initodds.verdicts.escape import VARIANTS
from initodds.vocabulary import OUTCOMES, SCORES

if TYPE_CHECKING:
    from initodds.verdicts.diagnosis import Diagnosis

Array = np.ndarray

MOST_NAMES = 30
"""Of classes, that a page lists."""


@dataclass(frozen=True)
class Common:
    """What the replicates of a cell have in common, beside their settings.

    sizes: the units of each layer, the features first.  data: the name of the data set.  judged_on: its part that the
    scores are of, test or training.  parts_word, names: classes or outputs, and what they are called, () where they are
    numbers only.  steps: taken in all.
    chance_level, best_constant_cost: as a `Cell` has them.  seconds: that the training took.
    """

    sizes: tuple[int, ...]
    data: str
    judged_on: str
    parts_word: str
    names: tuple[str, ...]
    steps: int
    chance_level: float
    best_constant_cost: float
    seconds: float


def metrics(frame: pd.DataFrame, common: Common, table: pd.DataFrame) -> dict[str, float]:
    """A cell's metrics: of each outcome count and rate with its interval, what the outcomes are measured by, and how
    many replicates have each cause and kind of point, and got out in which way. `frame`: its `replicates_frame`; table:
    its `rates_of`."""
    values: dict[str, float] = {"replicates": len(frame), "steps": common.steps}
    for row in table.itertuples():
        values |= {f"{name}/{row.outcome}": float(getattr(row, name)) for name in ("rate", "low", "high", "count")}
    for name in ("cause", "point"):
        values |= {f"{name}/{value}": int(count) for value, count in frame[name].value_counts().items() if value}
    values |= {f"escaped/{name}": int(out.sum()) for name, out in _escaped(frame).items()}
    return values | {
        **{name: float(frame[name].median()) for name in SCORES if name in frame},
        "cost": float(np.median(frame["cost"])),
        "chance_level": float(common.chance_level),
        "best_constant_cost": float(common.best_constant_cost),
        "naive_overflows": int(frame["naive_overflows"].sum()),
        "training_seconds": float(common.seconds),
    }


def in_words(outcome: Array) -> str:
    """What became of the replicates whose outcomes these are, in a few words: `30 converged, 2 partial`."""
    return counted(Counter(outcome.tolist()))


def counted(counts: Mapping[str, int]) -> str:
    """How many replicates have each outcome, in a few words.

    >>> counted({"partial": 2, "converged": 30})
    '30 converged, 2 partial'
    """
    return ", ".join(f"{counts[name]} {name}" for name in OUTCOMES if counts.get(name))


def description(frame: pd.DataFrame, common: Common, diagnosis: "Diagnosis | None", table: pd.DataFrame) -> str:
    """A cell in words, as Markdown. `frame`: its `replicates_frame`; table: its `rates_of`."""
    from initodds.verdicts.explanation import summarize

    n, outcome = len(frame), frame["outcome"].to_numpy()
    lines = [f"**{in_words(outcome)}** of {n} networks {'-'.join(map(str, common.sizes))} on {common.data}.", ""]
    if diagnosis is not None:
        lines += [summarize(diagnosis), ""]
    for row in table[table["count"] > 0].itertuples():
        where = outcome == row.outcome
        score, cost = (np.median(frame.loc[where, name]) for name in (_score(frame), "cost"))
        medians = f"median {common.judged_on} {score_in_words(frame, score)}, median cost {cost:.3f}"
        lines.append(
            f"- {row.outcome}: {row.count} of {n}, {100 * row.rate:.0f} % (95 % interval {100 * row.low:.0f} to"
            f" {100 * row.high:.0f} %); {medians}."
        )
    words = {variant.name: variant.words for variant in VARIANTS}
    for name, out in _escaped(frame).items():
        count = int(out.sum())
        rate = rates.in_words(count, len(out), *rates.interval(count, len(out)))
        lines.append(f"- trained on, {words[name]}, gets out: {rate}")
    if (outcome == "stuck").any():
        lines += ["", f"The best answer that ignores the example would cost {common.best_constant_cost:.3f}."]
    if common.judged_on == "training":
        lines += ["", "Judged on the examples that were learned from: there is no test set."]
    if common.names != tuple(map(str, range(len(common.names)))):
        named = [f"{number} {name}" for number, name in enumerate(common.names[:MOST_NAMES])]
        more = ", ..." * (len(common.names) > MOST_NAMES)
        lines += ["", f"{common.parts_word.capitalize()}: {', '.join(named)}{more}."]
    return "\n".join(lines)


def _score(frame: pd.DataFrame) -> str:
    """What the score of the task is called."""
    return next(name for name in SCORES if name in frame)


def score_in_words(frame: pd.DataFrame, score: float) -> str:
    """A score of the task of these replicates: `accuracy 93.1 %`, or `R^2 0.931`."""
    return f"accuracy {100 * score:.1f} %" if _score(frame) == "accuracy" else f"R^2 {score:.3f}"


def rates_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The rates of one cell."""
    counts = frame["outcome"].value_counts().reindex(list(OUTCOMES), fill_value=0)
    return rates.of_counts(counts.to_frame().T.assign(cell=0), by=["cell"])


def _escaped(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """For each way out that was tried, 1 or 0 of each replicate that it was tried with."""
    return {
        str(name).removeprefix("escaped_"): frame[name].dropna() for name in frame if str(name).startswith("escaped_")
    }
