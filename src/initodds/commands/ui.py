"""The command `initodds-ui`: MLflow's UI on what is tracked, with the links that open on what one wants to see."""

import json
import os
import socket
import sys
from typing import Any
from urllib.parse import quote

from initodds.commands.manners import Parser, ends_in_a_line, ends_with_its_reader
from initodds.sweeps.report import NAME
from initodds.tracking import loading, reading
from initodds.tracking.store import DEFAULT_EXPERIMENT, DEFAULT_URI, Store, search, store_errors
from initodds.vocabulary import OUTCOMES, InputError

VIEW = "mlflow.sharedViewState."
"""The tag of an experiment in which MLflow's UI keeps what its button Share makes a link of: columns, filter, order."""

MOST_LISTED = 100
"""As many runs as a filter names one by one."""


@ends_with_its_reader()
@ends_in_a_line("initodds-ui")
def main() -> None:
    """The command `initodds-ui`: serve MLflow's UI on what is tracked, and print links: the last sweep's cells with the
    columns that matter, its page, its report."""
    parser = Parser(prog="initodds-ui", description=main.__doc__)
    parser.add_argument("--uri", default=DEFAULT_URI, help="tracking URI (default: %(default)s)")
    parser.add_argument("--experiment", default=DEFAULT_EXPERIMENT, help="default: %(default)s")
    parser.add_argument("--port", type=int, default=5000, help="default: %(default)s")
    parser.add_argument("--links", action="store_true", help="print the links alone: a UI is served already")
    options = parser.parse_args()
    served = options.uri.startswith(("http://", "https://"))  # a tracking server has its UI
    address = options.uri.rstrip("/") if served else f"http://127.0.0.1:{options.port}"
    store = loading.open_store(options.uri, options.experiment, "--uri")
    if not served and not options.links:
        _require_free(options.port)
    for what, link in links(store, address):
        print(f"{what}:\n    {link}")
    if not served and not options.links:
        sys.stdout.flush()
        arguments = ["-m", "mlflow", "ui", "--backend-store-uri", options.uri, "--port", str(options.port)]
        os.execv(sys.executable, [sys.executable, *arguments])


def links(store: Store, address: str) -> list[tuple[str, str]]:
    """(what it shows, link) of the pages that one wants of the last sweep, or of all cells where there is none."""
    page = f"{address}/#/experiments/{store.experiment_id}/runs"
    kind = "workflowType=machine_learning"
    sweeps = search(store, "tags.level = 'sweep'")
    if not sweeps:
        return [("the cells, most often stuck first", f"{page}?{kind}&{_query(_view_of_all())}")]
    sweep = sweeps[-1]
    view = _view(store, sweep)
    shared = _query(view)
    key = sweep.info.run_id[:16]
    try:
        store.client.set_experiment_tag(store.experiment_id, f"{VIEW}{key}", json.dumps(view))
        shared = f"viewStateShareKey={key}"
    except store_errors():  # a store that can only be read has the columns that the UI chooses
        pass
    own = f"{page}/{sweep.info.run_id}"
    named = [
        ("the last sweep's cells, most often stuck first", f"{page}?{kind}&{shared}"),
        ("the sweep", f"{own}?{kind}"),
    ]
    if NAME in [artifact.path for artifact in store.client.list_artifacts(sweep.info.run_id)]:
        named.append(("its report", f"{own}/artifacts/{NAME}?{kind}"))
    return named


def _view(store: Store, sweep: Any) -> dict[str, Any]:
    """What the UI's list is to show of a sweep: its cells, by their share stuck, with what was swept, the rates of the
    outcomes that there are, and the data."""
    cells = reading.tracked_cells(store, sweep.info.run_id)
    runs = {part.run.id: part.run for cell in cells for part in cell.parts}
    its_own = all(run.tags.get("sweep") == sweep.info.run_id for run in runs.values())
    listed = ", ".join(f"'{run_id}'" for run_id in runs)
    condition = f"tags.level = 'cell' and tags.sweep = '{sweep.info.run_id}'"
    if runs and not its_own and len(runs) <= MOST_LISTED:  # some were there before
        condition = f"attributes.run_id IN ({listed})"
    had = [o for o in OUTCOMES if any(run.metrics.get(f"count/{o}", 0) > 0 for run in runs.values())]
    swept = [key for key in sweep.data.tags.get("swept", "").split(",") if key]
    columns = [f"params.`{key}`" for key in swept] + [f"metrics.`rate/{o}`" for o in had if o != "stuck"]
    return {**_view_of_all(), "searchFilter": condition, "selectedColumns": ["metrics.`rate/stuck`", *columns, *DATA]}


DATA = ["attributes.`Dataset`"]


def _view_of_all() -> dict[str, Any]:
    return {
        "searchFilter": "tags.level = 'cell'",
        "orderByKey": "metrics.`rate/stuck`",
        "orderByAsc": False,
        "viewMode": "TABLE",
    }


def _query(view: dict[str, Any]) -> str:
    """The part of a view that an address can have."""
    chosen = {key: view[key] for key in ("searchFilter", "orderByKey", "orderByAsc")}
    return "&".join(f"{key}={quote(str(value).lower() if value is False else value)}" for key, value in chosen.items())


def _require_free(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(f"--port={port}: is taken ({error.strerror}); name another one") from error


if __name__ == "__main__":
    main()
