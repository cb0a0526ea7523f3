"""A sweep that searches: a number given as Hydra's `interval(low, high)`, at which a share of the networks converges.

Its cells are ordinary ones, a few networks each, run in rounds until every edge is known as narrowly as was asked. The
networks of no two cells of an edge are the same draw, or the edge would be that of these draws: each has a seed of its
own.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import pandas as pd
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from pydantic import Field, ValidationError
from tabulate import tabulate

from initodds.cells import complaints, objects
from initodds.cells.settings import Count, Section, Settings
from initodds.statistics.edges import Edge, Search
from initodds.statistics.frames import require_outcome
from initodds.sweeps import composing, jobs, plan
from initodds.sweeps.plan import Planned
from initodds.sweeps.progress import Monitor
from initodds.tracking import reading
from initodds.tracking.parts import parts_of
from initodds.tracking.reading import TrackedCell
from initodds.tracking.store import Run, Store, now
from initodds.vocabulary import InputError

SEEDS_APART = 1000
"""From the seed of one cell of an edge to the next one's, so that sweeping seeds too gives other networks."""


class EdgeSettings(Section):
    """edge: what is searched for where a number is an interval, and how narrowly."""

    outcome: str
    share: Annotated[float, Field(gt=0, lt=1)]
    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    most: Count
    batch: Count


@dataclass
class Question:
    """One edge that is searched: the key that varies, what else is set, and how far the search is."""

    key: str
    overrides: list[str]
    seed: int
    search: Search
    cells: int = 0

    def cell(self, value: float) -> list[str]:
        """The overrides of the next cell, at this value of the key."""
        seed = self.seed + SEEDS_APART * self.cells
        self.cells += 1
        others = [text for text in self.overrides if not text.startswith(("seed=", "replicates="))]
        return [*others, f"{self.key}={value}", f"seed={seed}", f"replicates={self.search.batch}"]


_NO_SETTING = frozenset({"seed", "replicates", "precision", "replicates_most"})
"""Numbers of the config that change which networks there are, and how many, and not what they are."""


def interval_of(overrides: Sequence[str], loader: ConfigLoader) -> Override | None:
    """The override that is an interval; None where there is none. Raises InputError where there are several."""
    parsed = OverridesParser.create(loader).parse_overrides(list(overrides))
    intervals = [each for each in parsed if each.is_interval_sweep()]
    if len(intervals) > 1:
        keys = ", ".join(each.get_key_element() for each in intervals)
        raise InputError(f"{keys}: one interval at a time is searched; choices or a range for the others")
    return intervals[0] if intervals else None


def questions_of(
    interval: Override, overrides: Sequence[str], loader: ConfigLoader, config: DictConfig
) -> list[Question]:
    """The edges that a sweep asks for: one for each combination of the values that the other overrides sweep.

    config: of the whole sweep. Raises InputError for what is not accepted in its section edge, or of the interval.
    """
    asked: Any = OmegaConf.to_container(config.edge, resolve=True)
    try:
        edge = EdgeSettings.model_validate(asked)
    except ValidationError as error:
        raise InputError(f"edge.{complaints.of_checking(error, asked)}") from None
    try:
        require_outcome(edge.outcome)
    except InputError as error:
        raise InputError(f"edge.{error}") from error
    value: Any = interval.value()
    if unknown := set(value.tags) - {"log"}:
        raise InputError(f"{interval.input_line}: the tag log, or none, and not {', '.join(sorted(unknown))}")

    def search() -> Search:
        log = "log" in value.tags
        return Search(float(value.start), float(value.end), log, edge.share, edge.tolerance, edge.most, edge.batch)

    key = interval.get_key_element()
    if key in _NO_SETTING:
        raise InputError(f"{interval.input_line}: no edge lies along it; a number that the networks are set by")
    others = [text for text in overrides if text != interval.input_line and not text.startswith("edge.")]
    combined = composing.combinations(others, loader)
    return [Question(key, cell, _seed(cell, config), search()) for cell in combined]


def sweep(
    store: Store,
    questions: Sequence[Question],
    composer: composing.Composer,
    name: str,
    config: DictConfig,
    launch: Callable[[Sequence[list[str]], int], list[Any]],
) -> list[Any]:
    """Search the edges, with all cells under one run, and print what was found; returns what the launcher has.

    Raises InputError where one of the first cells is not accepted, before any is run.
    """
    rerun = bool(config.tracking.rerun)
    first = [question.cell(value) for question in questions for value in question.search.ask()]
    for question in questions:
        question.cells = 0
    planned = plan.read(first, composer)
    for each in planned:
        if each.error is not None:
            raise InputError(f"{each.asked.name}: {each.error}")
    swept = [*jobs.swept_keys([question.overrides for question in questions]), questions[0].key]
    key = _key(questions, planned, config)
    returned: list[Any] = []
    with plan.sweep_run(store, planned, name, rerun, key, swept).ending() as run, run.pulse():
        jobs.begin(run.id, swept)
        every: list[Planned] = []
        with Monitor(0) as monitor:
            while asking := [(question, value) for question in questions for value in question.search.ask()]:
                cells = plan.read([question.cell(value) for question, value in asking], composer)
                cells = [replace(cell, place=len(every) + number) for number, cell in enumerate(cells)]
                every += cells
                plan.list_cells(run, every)
                todo = plan.to_do(store, run.id, cells, {} if rerun else reading.finished_runs(store))
                monitor.cells += len(todo)
                returned += launch(todo, len(returned))
                _tell(store, asking, cells, str(config.edge.outcome))
        _write(run, questions, planned, swept, config)
    return returned


def _seed(overrides: Sequence[str], config: DictConfig) -> int:
    """The seed that a question's overrides set, or that of the sweep."""
    given = [text.partition("=")[2] for text in overrides if text.startswith("seed=")]
    try:
        return int(given[-1]) if given else int(config.seed)
    except ValueError:
        raise InputError(f"seed={given[-1]}: a whole number, in digits") from None


def _key(questions: Sequence[Question], planned: Sequence[Planned], config: DictConfig) -> str:
    """What identifies a search: its first cells, which no other search has, and how far it goes."""
    marks = sorted(cell.asked.fingerprint for cell in planned)
    edge = {name: value for name, value in config.edge.items() if name != "most"}
    return hashlib.sha256(json.dumps([marks, edge, questions[0].key]).encode()).hexdigest()[:32]


def _tell(store: Store, asking: Sequence[tuple[Question, float]], cells: Sequence[Planned], outcome: str) -> None:
    """Tell the searches what became of the networks of their cells. Raises InputError where a cell failed."""
    runs = reading.finished_runs(store)
    for (question, value), cell in zip(asking, cells, strict=True):
        parts = parts_of(runs.get(cell.asked.fingerprint, []), cell.asked.replicates)
        if not parts or parts[-1].stop < cell.asked.replicates:
            error = cell.error or "did not finish"
            raise InputError(f"{cell.asked.name}: {error}; the same command goes on from there")
        row = reading.counts_of(store, [TrackedCell(cell.asked, parts)]).iloc[0]
        question.search.tell(value, int(row[outcome]), cell.asked.replicates)


def table_of(
    questions: Sequence[Question], settings: Sequence[Settings], swept: Sequence[str], outcome: str, share: float
) -> pd.DataFrame:
    """One row an edge: the values of the `swept` keys, the edge with its 95 % interval, what theory says, the networks
    that it took, and a note. settings: those of a cell of each question."""
    rows = []
    for question, of_cell in zip(questions, settings, strict=True):
        given = dict(text.split("=", 1) for text in question.overrides if "=" in text)
        found: Edge = question.search.result()
        values = {key: given.get(key, "") for key in swept if key != question.key}
        rows.append({**values, **vars(found), "predicted": _predicted(question.key, of_cell, outcome, share)})
    frame = pd.DataFrame(rows)
    last = ["place", "low", "high", "predicted", "networks", "note"]
    return frame[[*(name for name in frame if name not in last), *last]].rename(columns={"place": questions[0].key})


def _predicted(key: str, settings: Settings, outcome: str, share: float) -> float:
    """Where theory expects the edge; NaN where it says nothing. It speaks of the centre of a range from which half of
    the networks are stuck, and of no other outcome or share."""
    from initodds.verdicts.theory import predict_boundary

    hidden, data = settings.network.hidden, objects.dataset(settings)
    network = objects.network(settings, data.features, settings.network.outputs or data.outputs)
    known = key == "init.centre" and (outcome, share) == ("stuck", 0.5) and "half_width" in settings.init
    if not (known and len(hidden) == 1 and network.activations[0].ends[1] is not None):
        return float("nan")
    return float(predict_boundary(data, float(settings.init["half_width"]), hidden[0], network.activations[0]))


def _write(
    run: Run, questions: Sequence[Question], planned: Sequence[Planned], swept: Sequence[str], config: DictConfig
) -> None:
    """Print the table of a sweep's edges, and write it and its figure to the sweep's run."""
    from initodds.statistics import edge_figures

    outcome, share = str(config.edge.outcome), float(config.edge.share)
    cells_of_question = len(planned) // len(questions)
    settings = [cell.settings for cell in planned[::cells_of_question] if cell.settings is not None]
    table = table_of(questions, settings, swept, outcome, share)
    key = questions[0].key
    print(text(table, key, outcome, share, "simple"))
    run.log(now({"cells": sum(q.cells for q in questions), "networks": int(table["networks"].sum())}), {})
    markdown = text(table, key, outcome, share, "github")
    run.describe(markdown)
    run.client.log_text(run.id, markdown, "edges.md")
    run.client.log_text(run.id, table.to_csv(index=False), "edges.csv")
    frames = [question.search.tried() for question in questions]
    log = questions[0].search.log
    run.client.log_figure(run.id, edge_figures.edges(table, frames, key, outcome, share, log), "edges.png")
    spent = table["networks"].sum()
    print(f"{spent} networks in {sum(q.cells for q in questions)} cells; sweep {run.id}", file=sys.stderr)


def text(table: pd.DataFrame, key: str, outcome: str, share: float, style: str) -> str:
    """The edges as a table in one of tabulate's styles, and what it says."""
    shown = table.drop(columns=["low", "high", key]).copy()
    place = list(shown).index("predicted")
    shown.insert(place, key, [_number(value) for value in table[key]])
    ends = zip(table["low"], table["high"], strict=True)
    shown.insert(place + 1, "95 % interval", ["" if np.isnan(a) else f"[{_number(a)}, {_number(b)}]" for a, b in ends])
    if table["predicted"].isna().all():
        shown = shown.drop(columns="predicted")
    else:
        shown["predicted"] = [_number(value) for value in table["predicted"]]
    if not table["note"].any():
        shown = shown.drop(columns="note")
    lines = tabulate(shown, headers="keys", tablefmt=style, showindex=False, disable_numparse=True)
    return f"{lines}\n\nThe {key} at which {100 * share:g} % of the networks are {outcome}."


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4g}"
