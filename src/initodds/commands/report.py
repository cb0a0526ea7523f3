"""The command `initodds-report`: the tables and figures of a sweep, as one page to read and the files beside it."""

import sys
import warnings
from pathlib import Path

from initodds.commands.manners import Parser, ends_in_a_line, ends_with_its_reader
from initodds.sweeps.folders import writing
from initodds.tracking import loading
from initodds.tracking.store import DEFAULT_EXPERIMENT, DEFAULT_URI


@ends_with_its_reader()
@ends_in_a_line("initodds-report")
def main() -> None:
    """The command `initodds-report`: a sweep as one page, report.html, its tables and figures as files beside it."""
    parser = Parser(prog="initodds-report", description=main.__doc__)
    sweep = "its run id, or the first characters; all: every cell, also of no sweep (default: %(default)s)"
    parser.add_argument("--sweep", default="latest", help=sweep)
    parser.add_argument("--out", default="report", help="the folder, made where it is missing (default: report)")
    parser.add_argument("--uri", default=DEFAULT_URI, help="tracking URI (default: %(default)s)")
    parser.add_argument("--experiment", default=DEFAULT_EXPERIMENT, help="default: %(default)s")
    options = parser.parse_args()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        page, networks = write(options.sweep, Path(options.out), options.uri, options.experiment)
    for warning in told:
        if "still running" in str(warning.message):
            print(f"initodds-report: {warning.message}", file=sys.stderr)
    print(f"{page}: {networks} networks")


def write(sweep: str, folder: Path, uri: str, experiment: str) -> tuple[Path, int]:
    """Write the report of a sweep, its tables as CSV and its pictures as SVG to a folder; returns the page's path and
    the number of networks. Raises InputError where there is no such sweep, or the folder cannot be written."""
    from initodds.sweeps import report
    from initodds.tracking import reading

    store = loading.open_store(uri, experiment, "--uri")
    if sweep == "all":
        made = report.of_all(store, experiment)
    elif sweep == "latest" and (nothing := report.missing_sweep(store)):
        raise nothing
    else:
        run_id = loading.find_sweep(store, sweep)
        cells = loading.finished_cells(store, run_id)
        made = report.of_sweep(store, run_id, cells, reading.failed_cells(store, run_id))
    pictures = {f"{name}.svg": picture for name, picture in made.pictures.items() if picture.startswith("<?xml")}
    contents = {**dict(report.csv_of(made.tables)), **pictures}
    contents[report.NAME] = made.html(beside=list(contents))
    with writing(folder, "--out="):
        for name, content in contents.items():
            (folder / name).write_text(content, encoding="utf-8")
    return folder / report.NAME, len(made.networks)


if __name__ == "__main__":
    main()
