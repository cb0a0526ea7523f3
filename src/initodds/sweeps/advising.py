"""What should be changed of a cell: the changes that its causes make worth trying, tried on tracked cells of their own.

Every network has a data order of its own here, so that those which a change is confirmed by share nothing with those
that it was chosen by.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd
from omegaconf import OmegaConf
from pydantic import ValidationError

from initodds.cells import cell, complaints, objects, options
from initodds.cells.settings import Settings
from initodds.cells.subject import subject_of
from initodds.statistics.rates import interval
from initodds.sweeps import halving, jobs
from initodds.sweeps.halving import AT_ONCE, CHOSEN_BY, FIRST_LOOK, Search, Tally
from initodds.sweeps.progress import Monitor
from initodds.tracking import parts, reading
from initodds.tracking.reading import Asked
from initodds.tracking.records import GROUPS
from initodds.tracking.store import Run, Store, patiently, search
from initodds.tracking.writers import environment
from initodds.verdicts.remedies import Facts, Remedy, remedies_of, together
from initodds.vocabulary import InputError

RARE = 0.2
"""A cause is tried for if at least this share of the networks that did not converge has it, or none has more."""
AS_IT_IS = Remedy("As it is", {})


@dataclass
class Advised:
    """What was advised. `before`: of the cell as it is.  causes: of its networks that did not converge, how many have
    each.  seconds: of training a replicate takes, by the remedy's text.  replicate_cause: of the replicate that was
    asked about, "" where a cell was."""

    before: Tally[Remedy]
    causes: dict[str, int]
    search: Search[Remedy]
    seconds: dict[str, float] = field(default_factory=dict)
    replicate_cause: str = ""

    @property
    def helps(self) -> bool:
        """Whether the chosen change is clearly better: its interval lies above that of the cell as it is."""
        chosen = self.search.chosen
        if chosen is None:
            return False
        low, _ = interval(chosen.confirmed_converged, chosen.confirmed)
        return low > interval(self.before.confirmed_converged, self.before.confirmed)[1]


def changed(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with these values, see `initodds.verdicts.remedies`. Raises InputError where they do not fit.

    >>> from initodds.cells import config
    >>> changed(config.settings_of(["init=unit"]), {"init": "zeros", "sgd.learning_rate": 0.1}).sgd.learning_rate
    0.1
    """
    plain = settings.model_dump()
    for key, value in sorted(values.items()):  # a group before its keys
        if key in GROUPS:
            section = OmegaConf.to_container(OmegaConf.load(options.directory() / key / f"{value}.yaml"))
            plain[key] = cast(dict[str, Any], section)
            continue
        *path, last = key.split(".")
        section = plain
        for name in path:
            section = section[name]
        section[last] = value
    try:
        return Settings.model_validate(plain)
    except ValidationError as error:
        raise InputError(complaints.of_checking(error, plain)) from None


class Trials:
    """The cells of one question, trained as they are asked for, and tracked under its run."""

    def __init__(self, store: Store, settings: Settings, choices: Mapping[str, str], monitor: Monitor) -> None:
        quick = {"of": "none", "curvature": "none", "escape": False, "keep_weights": "none"}
        plain = settings.model_dump()
        plain["sgd"]["orders"] = None
        plain["diagnosis"] = {**quick, "of": "failed", "keep_weights": "failed"}
        plain["tracking"] |= {"replicates": "table", "rerun": False}
        self.base = Settings.model_validate(plain)
        self._quick = self.base.model_copy(update={"diagnosis": settings.diagnosis.model_validate(quick)})
        self._store, self._choices, self._monitor = store, choices, monitor
        self.asked: dict[str, Asked] = {}
        self.seconds: dict[str, float] = {}
        self._jobs = 0

    def settings_of(self, remedy: Remedy) -> Settings:
        """The settings of the cell with a remedy."""
        return changed(self._quick, remedy.values) if remedy.values else self.base

    def fingerprint(self, remedy: Remedy) -> str:
        """What identifies the cell with a remedy. Raises InputError where it cannot be run."""
        settings = self.settings_of(remedy)
        subject = subject_of(settings)
        subject.engine.require_support(subject.network, objects.optimizer(settings), np.dtype(settings.dtype))
        return self._asked(remedy, settings).fingerprint

    def both(self, first: Remedy, second: Remedy) -> Remedy | None:
        """Two remedies at once; None where they do not go together."""
        remedy = together(first, second)
        with suppress(InputError):
            return remedy if remedy and self.fingerprint(remedy) else None
        return None

    def frame(self, remedy: Remedy, first: int, stop: int) -> pd.DataFrame:
        """The replicates from number `first` to before `stop` of the cell with a remedy, trained where they are not
        tracked yet."""
        self._jobs += 1
        tracking = self.base.tracking.model_copy(update={"job": self._jobs})
        settings = self.settings_of(remedy).model_copy(update={"replicates": stop, "tracking": tracking})
        asked = self._asked(remedy, settings)
        self.asked[asked.name] = asked
        runs = self._runs(asked)
        missing = parts.missing(runs, stop, settings.diagnosis.model_dump())
        if missing is not None:
            self._monitor.cells += 1
            diagnosis = settings.diagnosis.model_validate(missing.diagnosis)
            known = parts.parts_between(runs, missing.first, stop)
            jobs.track(self._store, settings.model_copy(update={"diagnosis": diagnosis}), asked, missing.first, known)
            runs = self._runs(asked)
        for run in runs:
            if (run.first, run.replicates) == (0, FIRST_LOOK):  # of all alike, so that they can be compared
                self.seconds[remedy.text] = run.metrics["training_seconds"] / FIRST_LOOK
        frames = [
            reading.rows_of(reading.read_replicates(self._store, part.run.id), part)
            for part in parts.parts_between(runs, first, stop)
        ]
        return pd.concat(frames, ignore_index=True)

    def warm_up(self) -> None:
        """Train one network for an epoch, so that the first cell's time is not that of loading what trains."""
        sgd = self.base.sgd.model_copy(update={"epochs": 1})
        cell.run(self._quick.model_copy(update={"sgd": sgd, "replicates": 1}))

    def converged(self, remedy: Remedy, first: int, stop: int) -> int:
        """How many of these replicates converged."""
        return int((self.frame(remedy, first, stop)["outcome"] == "converged").sum())

    def _runs(self, asked: Asked) -> list[parts.CellRun]:
        patience = self.base.tracking.patience
        return patiently(lambda: reading.runs_of_cell(self._store, asked.fingerprint), patience)

    def _asked(self, remedy: Remedy, settings: Settings) -> Asked:
        chosen = {key: str(value) for key, value in remedy.values.items() if key in GROUPS}
        return jobs.asked_for(settings, {**self._choices, **chosen}, remedy.text or "as it is")


@contextmanager
def question(store: Store, settings: Settings, cause: str, name: str) -> Iterator[Run]:
    """The run, of the level of a sweep, that the cells of a question lie under: a new one, or the one of an earlier
    start that did not come to its end, or did. The question is of a cell, and of the `cause` of one of its replicates,
    "" where it is of none: two replicates with one cause have one answer."""
    asked = settings.model_dump_json(exclude={"tracking", "diagnosis"})
    key = hashlib.sha256(f"advise {cause} {asked}".encode()).hexdigest()
    tags = {**environment(), "key": key[:32], "swept": "change"}
    earlier = search(store, f"tags.level = 'sweep' and tags.key = '{tags['key']}'")
    if earlier and earlier[-1].info.status != "RUNNING":
        run = Run.again(store, earlier[-1].info.run_id, tags)
    else:
        run = Run(store, name, "sweep", None, tags)
    with run.ending(), run.pulse():
        jobs.begin(run.id)
        yield run


def advise(trials: Trials, replicate_cause: str, minutes: float) -> Advised:
    """Look for what to change, for about so many minutes: those are looked at before each step, and the networks that
    confirm what is chosen are fewer where they are over."""
    end = time.monotonic() + 60 * minutes
    has_time: Callable[[], bool] = lambda: time.monotonic() < end  # noqa: E731
    trials.warm_up()
    looks = [trials.frame(AS_IT_IS, 0, FIRST_LOOK), trials.frame(AS_IT_IS, FIRST_LOOK, CHOSEN_BY)]
    first = pd.concat(looks, ignore_index=True)
    before = Tally(AS_IT_IS, CHOSEN_BY, int((first["outcome"] == "converged").sum()))
    failed = first.loc[first["outcome"] != "converged", "cause"]
    causes = {str(cause): int(count) for cause, count in failed.value_counts().items()}
    most = max(causes.values(), default=0)
    frequent = [cause for cause, count in causes.items() if count >= min(RARE * len(failed), most)]
    if replicate_cause:
        frequent = [replicate_cause, *(cause for cause in frequent if cause != replicate_cause)]
    tried: Search[Remedy] = Search()
    if frequent and before.rate < 1:
        tried = halving.search(_fitting(trials, frequent), before.rate, trials.converged, trials.both, has_time)
    rest = trials.frame(AS_IT_IS, CHOSEN_BY, CHOSEN_BY + AT_ONCE)
    before.confirmed, before.confirmed_converged = len(rest), int((rest["outcome"] == "converged").sum())
    return Advised(before, causes, tried, trials.seconds, replicate_cause)


def _fitting(trials: Trials, causes: Sequence[str]) -> list[Remedy]:
    """The remedies that can be run and change something."""
    settings = trials.base
    subject = subject_of(settings)
    facts = Facts(subject.data.task, subject.network, objects.optimizer(settings))
    seen = {trials.fingerprint(AS_IT_IS)}
    fitting = []
    for remedy in remedies_of(causes, settings.model_dump(), facts):
        try:
            fingerprint = trials.fingerprint(remedy)
        except InputError:  # it does not go with the rest, as an output with a cost
            continue
        if fingerprint not in seen:
            seen.add(fingerprint)
            fitting.append(remedy)
    return fitting


def table_of(advised: Advised) -> pd.DataFrame:
    """A row for each change: what it sets, of how many networks how many converged with the 95 % interval, and what a
    network takes in time, as a multiple of what it takes as it is. The chosen one first, on the networks that confirmed
    it; then the others, on those that they were looked at on: the more these are, the longer a change was thought
    good; by that, by their rate, and by how small they are."""
    others = [tally for tally in advised.search.tallies if tally is not advised.search.chosen]
    others.sort(key=lambda tally: (-tally.n, -tally.rate, tally.change.size))
    chosen = [advised.search.chosen] if advised.search.chosen else []
    rows = [_row(advised, tally, confirmed=True) for tally in [*chosen, advised.before]]
    rows += [_row(advised, tally, confirmed=False) for tally in others]
    return pd.DataFrame(rows)


def _row(advised: Advised, tally: Tally[Remedy], confirmed: bool) -> dict[str, Any]:
    remedy = tally.change
    count, n = (tally.confirmed_converged, tally.confirmed) if confirmed else (tally.converged, tally.n)
    low, high = interval(count, n)
    return {
        "change": remedy.text or "as it is",
        "converged": count,
        "n": n,
        "rate": count / n,
        "low": low,
        "high": high,
        "time": advised.seconds.get(remedy.text, np.nan) / advised.seconds.get("", np.nan),
        "networks": "fresh" if confirmed else "looked at to choose",
    }


def percent_in_words(count: int, n: int) -> str:
    """`63 of 64 converge (98 % [92, 100])`."""
    low, high = (np.round(100 * end) for end in interval(count, n))
    return f"{count} of {n} converge ({100 * count / n:.0f} % [{low:.0f}, {high:.0f}])"


def sentence(advised: Advised) -> str:
    """What to do, in one sentence; or that nothing that was tried helps, or why nothing was tried."""
    before, chosen = advised.before, advised.search.chosen
    was = f"{before.confirmed_converged} of {before.confirmed}"
    if before.rate == 1:  # so that nothing could be seen to be better
        count, n = before.converged + before.confirmed_converged, before.n + before.confirmed
        as_it_is = f"{percent_in_words(count, n)} as it is"
        if count == n and not advised.replicate_cause:
            return f"Nothing needs to be changed: {as_it_is}."
        return f"Too few fail for a change to be seen to help: {as_it_is}."
    if chosen is not None:
        remedy = chosen.change
        became = percent_in_words(chosen.confirmed_converged, chosen.confirmed)
        if advised.helps:
            return f"{remedy.words}: {became}, {was} before."
        return f"Nothing clearly helps. The best of what was tried, {remedy.text}: {became}, {was} before."
    if not advised.search.tallies:
        return f"Nothing is known that would be worth trying: {was} converge as it is."
    return f"Nothing that was tried helps: {was} converge as it is, and no change was better where it was looked at."
