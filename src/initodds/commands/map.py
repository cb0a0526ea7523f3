"""The command `initodds-map`: one network for each point of a plane of two settings, and the picture of what became of
them."""

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from initodds.commands.manners import Parser, ends_in_a_line, ends_with_its_reader
from initodds.sweeps.folders import writing
from initodds.vocabulary import InputError

if TYPE_CHECKING:
    from pandas import DataFrame

    from initodds.cells.axes import Axis
    from initodds.cells.plane import Plane
    from initodds.cells.points import Results
    from initodds.tracking.maps import Picture
    from initodds.tracking.store import Run, Store
    from initodds.tracking.stored_settings import StoredSettings

KEPT = Path("outputs/maps")
"""Where the tiles of maps are kept until they are whole and tracked, a folder each."""

THREADS_DO = "basic"
"""Hydra's own launcher, beside which threads of this process train the tiles."""

LARGEST_TIMED = 256
"""Points along a side of the plane that tells how long a larger map takes: the settings of each point are made."""

DAY = 86400.0
"""Seconds; a map that takes longer is asked about."""

EXAMPLE = """example:
  initodds-map init=centred init.half_width=0.5 sgd.epochs=2 --x init.centre=-0.3:0.3 --y sgd.learning_rate=0.01:100:log
"""


@ends_with_its_reader()
@ends_in_a_line("initodds-map", f"what is trained stays in {KEPT}, and the same command goes on")
def main() -> None:
    """The command `initodds-map`: train one network for each point of a plane of two settings, and draw the map."""
    _run(_options(sys.argv[1:]))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="initodds-map",
        description=main.__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="any that initodds takes")
    axis = "KEY=LOW:HIGH, or KEY=LOW:HIGH:log for steps that are even in logarithms: any number of the config"
    parser.add_argument("--x", required=True, metavar="AXIS", help=axis)
    parser.add_argument("--y", required=True, metavar="AXIS", help="the same, upwards")
    parser.add_argument("--size", type=int, default=128, help="points along a side (default: %(default)s)")
    parser.add_argument("--replicates", type=int, default=1, help="networks a point (default: %(default)s)")
    parser.add_argument(
        "--draw",
        choices=("same", "each"),
        default="same",
        help="same: the same draw of weights at all points, moved and scaled, so that the map is of the settings; each:"
        " drawn anew at each, so that it is of the odds (default: %(default)s)",
    )
    parser.add_argument("--zoom", metavar="X0:X1,Y0:Y1", help="this part of the plane, at full size")
    parser.add_argument("--yes", action="store_true", help="start it though it takes days")
    parser.add_argument("--out", help="a folder to which the pictures are written as well")
    return parser.parse_intermixed_args(_joined(arguments))


def _joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--zoom -1:1,0:1` as one word: argparse takes what begins with - for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--zoom":
            joined[-1] = f"--zoom={argument}"
        else:
            joined.append(argument)
    return joined


def _run(options: argparse.Namespace) -> None:
    from initodds.cells.plane import plane_of

    x, y = _axes(options)
    for name in ("size", "replicates"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} {getattr(options, name)}: a whole number of at least 1")
    out = Path(options.out) if options.out else None
    timed = plane_of(options.overrides, x, y, min(options.size, LARGEST_TIMED), options.replicates, options.draw)
    _require_time(timed, options)
    if out is not None:
        _require_writable(out)
    plane = timed
    if plane.size < options.size:
        plane = plane_of(options.overrides, x, y, options.size, options.replicates, options.draw)
    launched = [] if plane.choices["hydra/launcher"] == THREADS_DO else options.overrides
    _track(plane, out, launched)


def _axes(options: argparse.Namespace) -> "tuple[Axis, Axis]":
    from initodds.cells.axes import axis_of, zoomed

    x, y = axis_of(options.x, "--x"), axis_of(options.y, "--y")
    return zoomed(x, y, options.zoom) if options.zoom else (x, y)


def _require_time(plane: "Plane", options: argparse.Namespace) -> None:
    """Raise InputError where the map takes over a day, which nobody has said yes to; else say how long it may take.

    plane: the map's, or that of fewer points between the same ends."""
    from initodds.cells.points import Trainer
    from initodds.cells.threads import threads

    networks = options.size**2 * options.replicates
    launcher = plane.choices["hydra/launcher"]
    seconds = Trainer(plane).seconds() * networks / plane.networks / threads()
    if seconds > DAY and not options.yes:
        needed = f"{networks} networks take about {seconds / DAY:.1f} days here"
        raise InputError(f"--size {options.size}: {needed}; a smaller size, or --yes")
    elsewhere = "" if launcher == THREADS_DO else f", and less or more where {launcher} trains them"
    print(f"{networks} networks, about {seconds:.0f} s of training on {threads()} threads{elsewhere}", file=sys.stderr)


def _track(plane: "Plane", out: Path | None, launched: Sequence[str]) -> None:
    """Train what is missing of a map and write it to its run, or say that it is tracked already.

    launched: the overrides of a map whose tiles another launcher than Hydra's own makes."""
    from initodds.sweeps import jobs, tiles
    from initodds.tracking import maps, store, unsent

    tracking = plane.base.tracking
    opened = store.connect_at_start(tracking.uri, tracking.experiment, tracking.patience)
    store.bury(opened)
    unsent.send(opened)
    key = _key(plane)
    done = None if tracking.rerun else maps.finished(opened, key)
    if done is not None:
        if out is not None:
            _write_pictures(maps.table_of(opened, done.info.run_id), plane, out)
        print(f"the map is tracked already, as run {done.info.run_id}", file=sys.stderr)
        print(done.data.tags["mlflow.note.content"])
        return
    _require_alone(opened, key)
    folder = KEPT / key
    if tracking.rerun:
        shutil.rmtree(folder, ignore_errors=True)
    with _map_run(opened, plane, key).ending() as run, run.pulse():
        jobs.begin(run.id)
        picture = _picture(plane, tiles.train(plane, folder, launched))
        maps.write(run, picture)
    shutil.rmtree(folder, ignore_errors=True)
    if out is not None:
        _write_pictures(picture.frame, plane, out)
    print(maps.in_words(picture))
    print(f"\nrun {run.id}", file=sys.stderr)


def _require_alone(opened: "Store", key: str) -> None:
    """Raise InputError where another process of this host is at work on the same map."""
    from initodds.tracking import maps, writers

    for run in maps.unfinished(opened, key):
        tags = run.data.tags
        process = tags.get("process", "")
        if run.info.status == "RUNNING" and writers.is_here(tags) and writers.is_alive(process):
            raise InputError(f"process {process.split()[0]} is at work on this map, in run {run.info.run_id}")


def _map_run(opened: "Store", plane: "Plane", key: str) -> "Run":
    """The run of a map: a new one, or that which an earlier start of the same map has left unfinished."""
    from initodds.tracking import maps
    from initodds.tracking.store import Run
    from initodds.tracking.writers import environment

    tags = {**environment(), maps.KEY: key}
    tags["command"] = tags["command"].replace("initodds", "initodds-map", 1)
    earlier = maps.unfinished(opened, key)
    if earlier and earlier[-1].info.status != "RUNNING":
        return Run.again(opened, earlier[-1].info.run_id, tags)
    return Run(opened, f"{plane.x} {plane.y}", "map", None, tags)


def _key(plane: "Plane") -> str:
    """What identifies a map: the settings of its first point, its axes, and how its weights are drawn."""
    shape = [str(plane.x), str(plane.y), plane.size, plane.replicates, plane.draw]
    return hashlib.sha256(json.dumps([_stored(plane).fingerprint, shape]).encode()).hexdigest()[:32]


def _stored(plane: "Plane") -> "StoredSettings":
    from initodds.tracking.stored_settings import stored_settings

    return stored_settings(plane.base, plane.subject(0).data.sha256)


def _picture(plane: "Plane", results: "Results") -> "Picture":
    """What is kept of a map."""
    import numpy as np
    import pandas as pd

    from initodds.tracking import maps, records

    ends = {plane.x.key: plane.x.ends, plane.y.key: plane.y.ends}
    varying = {".".join(map(str, path)) for changes in (*plane.x_changes, *plane.y_changes) for path, _ in changes}
    params = {
        key: value
        for key, value in records.parameters(plane.base, plane.choices).items()
        if key not in varying and not any(name.startswith(f"{key}.") for name in varying)
    }
    params |= {**ends, "size": str(plane.size), "draw": plane.draw}
    column, row = results.point % plane.size, results.point // plane.size
    frame = pd.DataFrame(
        {
            plane.x.key: np.array(plane.x_values)[column],
            plane.y.key: np.array(plane.y_values)[row],
            "replicate": results.replicate,
            "outcome": results.outcome,
            plane.subject(0).task.score_name: results.score,
            "cost": results.cost,
        }
    )
    return maps.Picture(plane.x.key, plane.y.key, ends, frame, params, _stored(plane))


def _require_writable(folder: Path) -> None:
    """Make the folder. Raises InputError where nothing can be written there."""
    with writing(folder, "--out "), tempfile.TemporaryFile(dir=folder):
        pass


def _write_pictures(frame: "DataFrame", plane: "Plane", folder: Path) -> None:
    from initodds.statistics import plane_figures

    with writing(folder, "--out "):
        for name, figure in plane_figures.pictures(frame, plane.x.key, plane.y.key).items():
            figure.savefig(folder / f"{name}.png")


if __name__ == "__main__":
    main()
