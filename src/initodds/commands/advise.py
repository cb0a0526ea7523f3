"""The command `initodds-advise`: what should be changed? Changes that fit the cause, tried, and the best confirmed."""

from collections.abc import Sequence

import numpy as np
from tabulate import tabulate

from initodds.cells import config
from initodds.cells.settings import Settings
from initodds.commands.manners import GOES_ON, Parser, ends_in_a_line, ends_with_its_reader
from initodds.commands.stored import find_run, with_data_root
from initodds.sweeps import advising, jobs
from initodds.sweeps.advising import Advised
from initodds.sweeps.progress import Monitor
from initodds.tracking import loading, reading, stored_settings, unsent
from initodds.tracking.records import GROUPS
from initodds.tracking.store import DEFAULT_EXPERIMENT, DEFAULT_URI, Run, bury, connect, now
from initodds.vocabulary import InputError

MINUTES = 5.0


@ends_with_its_reader()
@ends_in_a_line("initodds-advise", GOES_ON)
def main() -> None:
    """The command `initodds-advise`: what to change so that the networks of a cell converge, with measured odds."""
    parser = Parser(
        prog="initodds-advise",
        description=main.__doc__,
        epilog="Each change is tried on 4 networks, the better ones on 16, and the best is confirmed on 64 others. All"
        " of it is tracked; interrupted and started again, it goes on.",
    )
    parser.add_argument(
        "asked",
        metavar="RUN_ID | KEY=VALUE",
        nargs="*",
        help="a cell's or a replicate's run, or the first characters of its id; or a cell as initodds takes it",
    )
    parser.add_argument("--budget", type=float, default=MINUTES, metavar="MINUTES", help="default: %(default)g")
    parser.add_argument("--uri", help=f"tracking URI (default: {DEFAULT_URI}, or tracking.uri)")
    parser.add_argument("--experiment", help=f"default: {DEFAULT_EXPERIMENT}, or tracking.experiment")
    given = parser.parse_args()
    jobs.end_on_sigterm()
    _answer(given.asked, given.budget, given.uri, given.experiment)


def _answer(asked: Sequence[str], minutes: float, uri: str | None, experiment: str | None) -> None:
    """Look for an answer, track it and print it. Raises InputError for what is not accepted."""
    if not minutes > 0:
        raise InputError(f"--budget={minutes:g}: minutes, a number over 0")
    cause = ""
    if len(asked) == 1 and "=" not in asked[0]:
        settings, choices, cause = _of_run(asked[0], uri, experiment)
        name = f"advise {asked[0]}"
    else:
        if stray := [text for text in asked if "=" not in text]:
            raise InputError(f"{stray[0]}: a RUN_ID alone, or KEY=VALUE ...")
        composed = config.composed_of(asked)
        settings, choices = config.read(composed), dict(composed.hydra.runtime.choices)
        name = f"advise {jobs.cell_name(asked)}"
    tracking = settings.tracking.model_copy(
        update={"uri": uri or settings.tracking.uri, "experiment": experiment or settings.tracking.experiment}
    )
    settings = settings.model_copy(update={"tracking": tracking})
    store = connect(tracking.uri, tracking.experiment)
    bury(store)
    unsent.send(store)
    with Monitor(0) as monitor, advising.question(store, settings, cause, name) as run:
        trials = advising.Trials(store, settings, choices, monitor)
        try:
            advised = advising.advise(trials, cause, minutes)
        finally:
            run.client.log_text(run.id, reading.asked_text(list(trials.asked.values())), reading.CELLS)
        _track(run, advised)
    print(in_words(advised, "simple"))


def _of_run(beginning: str, uri: str | None, experiment: str | None) -> tuple[Settings, dict[str, str], str]:
    """The settings of the cell of a run, the options that it was asked for with, and the cause of a replicate."""
    store = loading.open_store(uri or DEFAULT_URI, experiment or DEFAULT_EXPERIMENT, "--uri")
    run = find_run(store, beginning)
    is_replicate = run.data.tags["level"] == "replicate"
    cell_id = run.data.tags["mlflow.parentRunId"] if is_replicate else run.info.run_id
    stored = reading.read_settings(store, cell_id)
    settings = with_data_root(stored_settings.validated(stored, f"run {cell_id}"), None)
    here = settings.tracking.model_copy(
        update={"uri": uri or DEFAULT_URI, "experiment": experiment or DEFAULT_EXPERIMENT}
    )
    choices = {group: run.data.params.get(group, "") for group in GROUPS}
    return settings.model_copy(update={"tracking": here}), choices, run.data.tags.get("cause", "") * is_replicate


def in_words(advised: Advised, style: str) -> str:
    """The answer: why, the table, one sentence, and what there was no time for."""
    lines = []
    if advised.causes:
        failed = sum(advised.causes.values())
        counts = ", ".join(f"{count} {cause}" for cause, count in advised.causes.items())
        lines += [f"Of the first {advised.before.n} networks as it is, {failed} did not converge: {counts}.", ""]
    table = advising.table_of(advised)
    rows = [
        [
            row.change,
            f"{row.converged} of {row.n}",
            f"{100 * row.rate:.0f}% [{100 * row.low:.0f}, {100 * row.high:.0f}]",
            "" if np.isnan(row.time) else f"x {row.time:.2g}",
            row.networks,
        ]
        for row in table.itertuples()
    ]
    headers = ["change", "converged", "95 % interval", "time", "networks"]
    lines += [tabulate(rows, headers, tablefmt=style, disable_numparse=True), "", advising.sentence(advised)]
    if advised.search.untried:
        texts = "; ".join(change.text for change in advised.search.untried)
        lines += ["", f"Not tried, for want of time (--budget): {texts}."]
    return "\n".join(lines)


def _track(run: Run, advised: Advised) -> None:
    """Write the answer to its run: the page, the table, and the numbers of the chosen change."""
    markdown = in_words(advised, "github")
    chosen = advised.search.chosen
    metrics = {"before": advised.before.confirmed_converged / advised.before.confirmed, "helps": float(advised.helps)}
    if chosen is not None:
        metrics["after"] = chosen.confirmed_converged / chosen.confirmed
    run.log(now(metrics), {})
    run.describe(markdown)
    run.client.log_text(run.id, markdown, "advice.md")
    run.client.log_text(run.id, advising.table_of(advised).to_csv(index=False), "advice.csv")


if __name__ == "__main__":
    main()
