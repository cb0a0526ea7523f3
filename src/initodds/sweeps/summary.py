"""What a sweep ends with: its table, on the terminal and in its run."""

import sys
from collections.abc import Iterable, Sequence

import pandas as pd
from tabulate import tabulate

from initodds.statistics import rates
from initodds.tracking import reading, store
from initodds.tracking.parts import parts_of
from initodds.tracking.reading import Asked, TrackedCell
from initodds.tracking.store import Run, Store
from initodds.vocabulary import OUTCOMES

SHOWN = ["init", "sgd.batch_size", "sgd.learning_rate"]
"""The settings that a table tells cells apart by where none was swept."""


def of_sweep(
    opened: Store, run: Run, tracked: Sequence[TrackedCell], failed: Sequence[tuple[str, str]], to_write: bool = True
) -> None:
    """Print the table of a sweep's tracked cells; where it is `to_write`, write it and the heat map to the sweep's run.

    Names the cells that did not finish, each with its error, on standard error.
    """
    cells = reading.counts_of(opened, tracked)
    if len(cells):
        by = told_apart_by(opened, run.id, cells)
        cells = cells.fillna(dict.fromkeys(by, ""))  # a key of one option of a group, which the others do not have
        if cells.duplicated(by).any():  # they differ in what has no name here
            by = [*by, "cell"]
            cells["cell"] = range(len(cells))
        of_cells = rates.of_counts(cells, by)
        print(text(of_cells, by, "simple", cells["sgd.orders"]))
        if to_write:
            once = reading.distinct(tracked)
            counts = cells.loc[[cell in once for cell in tracked], list(OUTCOMES)].sum()
            markdown = f"{in_words(counts)} in {len(cells)} cells.\n\n"
            _write(run, of_cells, by, markdown + text(of_cells, by, "github", cells["sgd.orders"]))
            run.log(store.now({"cells": len(cells), **counts.add_prefix("count/")}), {})
    for name, error in failed:
        print(f"failed: {error if error.startswith(name) else f'{name}: {error}'}", file=sys.stderr)


def _write(run: Run, of_cells: pd.DataFrame, by: list[str], markdown: str) -> None:
    """Write the table of a sweep's cells to its run, as text, as numbers and, where it can be, as a heat map."""
    from initodds.sweeps import report_pictures  # late: what is only shown has a table, and no picture

    run.describe(markdown)
    run.client.log_text(run.id, markdown, "rates.md")
    run.client.log_text(run.id, of_cells.to_csv(index=False), "rates.csv")
    if picture := report_pictures.of_map(of_cells, by):
        run.client.log_figure(run.id, picture, "rates.png")


def in_words(counts: pd.Series) -> str:
    """What became of how many networks: `**40 networks**: 30 converged, 10 stuck`."""
    parts = [f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome]]
    return f"**{counts.sum()} networks**: {', '.join(parts)}"


def of_cell(opened: Store, asked: Asked) -> str:
    """The table of one cell, under the names that it was asked for with."""
    counts = _counts(opened, asked)
    return text(rates.of_counts(counts, SHOWN), SHOWN, "simple", counts["sgd.orders"])


def _counts(opened: Store, asked: Asked) -> pd.DataFrame:
    """How many of one cell's replicates have each outcome."""
    parts = parts_of(reading.runs_of_cell(opened, asked.fingerprint), asked.replicates)
    return reading.counts_of(opened, [TrackedCell(asked, parts)])


def share_converged(opened: Store, asked: Asked) -> float:
    """The share of one cell's replicates that converged."""
    counts = _counts(opened, asked)[list(OUTCOMES)].sum()
    return float(counts["converged"] / counts.sum())


def text(of_cells: pd.DataFrame, by: list[str], style: str, orders: Iterable[object]) -> str:
    """The rates of a sweep's cells as a table in one of tabulate's styles, and the note below it. orders: the values of
    sgd.orders that the cells have."""
    table, note = rates.table(of_cells, by)
    note = f"{note} {rates.given_orders(orders)}".rstrip()
    align = ["left"] * len(by) + ["right"] * (table.shape[1] - len(by))
    lines = tabulate(table, headers="keys", tablefmt=style, showindex=False, disable_numparse=True, colalign=align)
    return f"{lines}\n\n{note}"


def told_apart_by(opened: Store, sweep: str, cells: pd.DataFrame) -> list[str]:
    """The settings that the cells of a sweep differ in: what was swept, or `SHOWN` where nothing was."""
    swept = opened.client.get_run(sweep).data.tags["swept"].split(",")
    return [key for key in swept if key in cells] or SHOWN
