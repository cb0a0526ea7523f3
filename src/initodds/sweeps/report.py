"""The report of a sweep: its tables, pictures and words, as one HTML page that needs nothing beside it."""

import base64
import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined

from initodds.statistics import comparison, frames, rates, survival
from initodds.statistics.colours import COLOURS
from initodds.statistics.frames import NETWORK
from initodds.statistics.rates import CONFIDENCE
from initodds.sweeps import report_pictures, report_words, summary
from initodds.tracking import loading, reading
from initodds.tracking.reading import TrackedCell
from initodds.tracking.store import Run, Store, search
from initodds.vocabulary import OUTCOMES, InputError

NAME = "report.html"

MOST_PAIRS = 2000
"""Pairs of values that a report compares, in a second or two. Of more, adjusted for their number, few would differ."""

LISTED = 20
"""How many failed cells, and pairs of settings, a report names."""

SAME = ("data", "network.hidden", "network.activation", "network.output", "network.cost", "sgd.epochs", "replicates")
"""The settings that a report names where they are the same in all cells, beside those of `summary.SHOWN`."""


@dataclass
class Report:
    """What is reported of several cells.

    title: of the page.  frame, curves: as `load_replicates` and `load_curves` return them.  swept: the settings that
    the cells were to differ in, as `told_apart_by` has them.  failed: (name, error) of the cells that have not
    finished.  source: (what, value) of where all this comes from.
    """

    title: str
    frame: pd.DataFrame
    curves: pd.DataFrame
    swept: list[str]
    failed: list[tuple[str, str]] = field(default_factory=list)
    source: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        filled = {key: self.frame[key].astype(object).where(self.frame[key].notna(), "") for key in self.swept}
        self.frame = self.frame.assign(**filled)

    @cached_property
    def by(self) -> list[str]:
        """The settings by which the rates are told apart: those that differ, or, where none does, all that might."""
        by = report_pictures.differing(self.frame, self.swept) or self.swept
        if self.frame.groupby(by)["cell"].nunique().max() > 1:  # they differ in what has no name here
            by = [*by, "cell"]
        return by

    @cached_property
    def networks(self) -> pd.DataFrame:
        """The frame with each network once, under the first of its names."""
        return self.frame.drop_duplicates(list(NETWORK))

    @cached_property
    def pairs(self) -> int:
        """Values of the first setting that could be compared, two by two, in each combination of the others."""
        values = [group[self.by[0]].nunique(dropna=False) for _, group in frames.groups(self.frame, self.by[1:])]
        return sum(math.comb(number, 2) for number in values)

    def _comparisons(self) -> pd.DataFrame:
        return comparison.compare(self.frame, self.by[0], within=self.by[1:])

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables in full, by the names of their files."""
        return {
            "replicates": self.frame,
            "rates": rates.rates(self.frame, self.by),
            **({} if self.pairs > MOST_PAIRS else {"comparisons": self._comparisons()}),
            "times": survival.median_time(self.frame, self.by),
        }

    @cached_property
    def pictures(self) -> dict[str, str]:
        """The pictures as SVG, by the names of their files; for one that is not there, the words that say why."""
        of_cells = self.tables["rates"]
        made = {
            "rates": report_pictures.of_rates(of_cells, self.by),
            "map": report_pictures.of_map(of_cells, self.by),
            "time_to_target": report_pictures.of_times(self.frame, self.by),
            "final_costs": report_pictures.of_costs(self.frame),
            "curves": report_pictures.of_curves(self.frame, self.curves),
        }
        return {name: made if isinstance(made, str) else report_pictures.drawn(made) for name, made in made.items()}

    def html(self, beside: Sequence[str] = ()) -> str:
        """The page. beside: the names of the files that lie beside it, which it then links to."""
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        environment.filters["picture"] = _data_uri
        template = environment.from_string(files("initodds.sweeps").joinpath("report.html.j2").read_text())
        frame, of_cells, by = self.frame, self.tables["rates"], self.by
        counts = self.networks["outcome"].value_counts()
        comparisons = self.tables.get("comparisons", pd.DataFrame())
        return template.render(
            title=self.title,
            networks=report_words.counted(len(self.networks), "network"),
            cells=report_words.cells(frame, by),
            one_cell=len(of_cells) == len(OUTCOMES),
            shares=[(o, int(counts[o]), 100 * counts[o] / len(self.networks)) for o in OUTCOMES if counts.get(o, 0)],
            colours=COLOURS,
            any_stuck="stuck" in counts[counts > 0],
            same=report_words.same_in_all(frame, [*SAME, *summary.SHOWN, *self.swept]),
            failed=self.failed,
            listed=LISTED,
            extremes=report_words.extremes(of_cells, by),
            never_seen=report_words.never_seen(of_cells),
            given_orders=rates.given_orders(frame["sgd.orders"]),
            rates_table=_rates_table(of_cells, by),
            by=by,
            compared=report_words.compared(comparisons) if len(comparisons) else "",
            comparisons_table=_comparisons_table(comparisons) if len(comparisons) else "",
            too_many_pairs=self.pairs if self.pairs > MOST_PAIRS else 0,
            times_table=_times_table(self.tables["times"], by),
            reasons=report_words.reasons(self.networks).to_dict("records"),
            plateaus=any(report_pictures.plateaus_of(part) for _, part in report_pictures.of_one_cost(frame)),
            definitions=report_words.definitions(frame),
            pictures=self.pictures,
            source=[*self.source, ("seed", _several(frame, "seed")), *_orders(frame)],
            beside=beside,
        )


def of_sweep(store: Store, sweep: str, cells: Sequence[TrackedCell], failed: Sequence[tuple[str, str]]) -> Report:
    """The report of the sweep with this run id, of which these cells are tracked, and these failed."""
    run = store.client.get_run(sweep)
    frame = loading.replicates_of(store, cells)
    swept = summary.told_apart_by(store, sweep, frame)
    title = f"Sweep {run.info.run_name}"
    return Report(title, frame, loading.curves_of(store, cells), swept, list(failed), _source(run))


def of_all(store: Store, name: str) -> Report:
    """The report of all cells that an experiment has, of this name, each once: those of all sweeps, those that were run
    alone, and those that another sweeper has tried. Raises InputError where there is none."""
    cells = loading.finished_cells(store, None)
    frame = loading.replicates_of(store, cells)
    asked = dict.fromkeys(key for cell in cells for key in cell.asked.params if key in frame)
    swept = [key for key in asked if key not in ("replicates", "seed") and not _is_implied(frame, key)]
    swept = report_pictures.differing(frame, swept) or summary.SHOWN
    run = store.client.get_run(cells[-1].parts[-1].run.id)
    return Report(f"All cells of {name}", frame, loading.curves_of(store, cells), swept, [], _source(run))


def _is_implied(frame: pd.DataFrame, key: str) -> bool:
    """Whether a setting of a group's option goes without saying, as init.low, which is one value for each `init`."""
    group = key.partition(".")[0]
    return group != key and group in frame and frame.groupby(group)[key].nunique(dropna=False).max() == 1


def missing_sweep(store: Store) -> InputError | None:
    """What is to say where no sweep is tracked, but cells are; None where there is a sweep, or no cell."""
    if any(search(store, "tags.level = 'sweep'")) or not reading.tracked_cells(store):
        return None
    return InputError(
        "no sweep is tracked here, but cells that were run alone, or by another sweeper; --sweep all reports on them"
    )


def log(store: Store, run: Run, cells: Sequence[TrackedCell], failed: Sequence[tuple[str, str]]) -> None:
    """Put the report of a sweep's tracked cells among the artifacts of its run, which the UI shows in place."""
    run.client.log_text(run.id, of_sweep(store, run.id, cells, failed).html(), NAME)


def _source(run: Any) -> list[tuple[str, str]]:
    """Where a run comes from: what its tags say, as far as they do."""
    tags = run.data.tags
    named = {
        "command": "command",
        "initodds": "version.initodds",
        "NumPy": "version.numpy",
        "BLAS": "blas",
        "host": "host",
    }
    return [*((word, tags[tag]) for word, tag in named.items() if tags.get(tag)), ("MLflow run", run.info.run_id)]


def _orders(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """How many data orders the networks have; nothing where each has its own."""
    number = frame.groupby(["seed", "order"]).ngroups
    return [("data orders", str(number))] if number < frame.groupby(["seed", "replicate"]).ngroups else []


def _several(frame: pd.DataFrame, key: str) -> str:
    """The values of a setting: `0`, or `0, 1, 2`; of many, the first and how many."""
    values = [str(value) for value in frame[key].unique()]
    return ", ".join(values) if len(values) <= 6 else f"{', '.join(values[:3])} ... ({len(values)} values)"


def _rates_table(of_cells: pd.DataFrame, by: list[str]) -> str:
    shown, _ = rates.table(of_cells, by)
    order = {o: of_cells.loc[of_cells["outcome"] == o, "rate"].to_numpy() for o in OUTCOMES if o in shown}
    return _table(shown, order)


def _comparisons_table(table: pd.DataFrame) -> str:
    """The first `LISTED` of those pairs that are told apart, the surest first."""
    apart = table[table["p_holm"] < 1 - CONFIDENCE].sort_values("p_holm", kind="stable").head(LISTED)
    if apart.empty:
        return ""
    p = ["< 0.001" if value < 0.001 else f"{value:.3f}" for value in apart["p_holm"]]
    percent = {key: (100 * apart[key]).round().astype(int) for key in ("rate_a", "rate_b")}
    ends = zip(*(100 * apart[key] for key in ("difference", "low", "high")), strict=True)
    words = [f"{middle:+.0f} [{low:+.0f}, {high:+.0f}]" for middle, low, high in ends]
    kept = apart.drop(columns=["p", "method", "low", "high", "p_holm", "difference"])
    shown = kept.assign(**percent, difference=words, p=p).rename(columns={"rate_a": "a, %", "rate_b": "b, %"})
    return _table(shown, {"difference": apart["difference"].to_numpy(), "p": apart["p_holm"].to_numpy()})


def _times_table(times: pd.DataFrame, by: list[str]) -> str:
    """Of each cell, by which step half of its networks were at the target; "never" where fewer ever were."""
    ends = zip(*(times[key] for key in ("median", "low", "high")), strict=True)
    words = ["never" if np.isinf(m) else f"{m:.0f} [{low:.0f}, {_step(high)}]" for m, low, high in ends]
    shown = times[[*by, "n", "reached"]].assign(median=words)
    return _table(shown, {"median": times["median"].to_numpy()})


def _step(step: float) -> str:
    return "never" if np.isinf(step) else f"{step:.0f}"


def _table(frame: pd.DataFrame, order: dict[str, np.ndarray]) -> str:
    """A frame as an HTML table whose columns can be sorted; order: what a column that is text is sorted by."""
    keys = {column: order.get(str(column), frame[column].to_numpy()) for column in frame}
    right = {column: column in order or pd.api.types.is_numeric_dtype(frame[column]) for column in frame}
    heads = "".join(f"<th{' class=n' * right[column]}>{html.escape(str(column))}</th>" for column in frame)
    rows = []
    for place, row in enumerate(frame.itertuples(index=False)):
        fields = zip(frame, row, strict=True)
        rows.append("".join(_field(value, keys[column][place], right[column]) for column, value in fields))
    body = "".join(f"<tr>{row}</tr>\n" for row in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>\n{body}</tbody></table>"


def _field(value: Any, key: Any, right: bool) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f'<td{" class=n" * right} data-key="{html.escape(str(key))}">{html.escape(text)}</td>'


def _data_uri(svg: str) -> str:
    """An SVG file as the address of an image that is within the page."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def csv_of(tables: dict[str, pd.DataFrame]) -> Iterable[tuple[str, str]]:
    """(file name, content) of the tables."""
    for name, table in tables.items():
        yield f"{name}.csv", table.to_csv(index=False, float_format="%.6g")
