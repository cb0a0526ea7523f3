"""Maps in MLflow: one run with the level `map`, which has the table of all networks, pictures and settings; read back.

Loads MLflow no earlier than a store is opened, and nothing of Hydra.
"""

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from initodds.statistics.dimension import Dimension, border, box_dimension
from initodds.statistics.grids import grid_of, shares
from initodds.tracking import loading, reading, stored_settings
from initodds.tracking.store import Run, Store, now, search
from initodds.vocabulary import OUTCOMES, InputError

if TYPE_CHECKING:
    from initodds.tracking.stored_settings import StoredSettings

TABLE = "map.parquet"
KEY = "key"
"""The tag of a map's run with what identifies the map."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A map as it is kept.

    x, y: the keys of its axes.  ends: of each, as a user writes them.  frame: one row a network, with the columns x, y,
    replicate, outcome, the score by its name, cost.  params: the settings that its points share, and the axes, as text.
    stored: the settings of its first point, at the lowest x and y.
    """

    x: str
    y: str
    ends: dict[str, str]
    frame: pd.DataFrame
    params: dict[str, str]
    stored: "StoredSettings"

    @property
    def dimensions(self) -> dict[str, Dimension]:
        """Of the border of each outcome that some points have and some have not, where the map is large enough for box
        counting; a point has the outcome that at least half of its networks have."""
        dimensions = {}
        for outcome in OUTCOMES:
            inside = grid_of(self.frame, self.x, self.y, self.frame["outcome"] == outcome) >= 0.5
            if inside.any() and not inside.all():
                try:
                    dimensions[outcome] = box_dimension(border(inside))
                except InputError:  # too small
                    return {}
        return dimensions


def write(run: Run, picture: Picture) -> None:
    """Write a map to its run."""
    from initodds.statistics import plane_figures

    frame, dimensions = picture.frame, picture.dimensions
    metrics: dict[str, float] = {"networks": len(frame)}
    metrics |= {f"rate/{outcome}": rate for outcome, rate in shares(frame).items()}
    metrics |= {f"dimension/{outcome}": dimension.dimension for outcome, dimension in dimensions.items()}
    metrics |= {f"dimension_scatter/{outcome}": dimension.scatter for outcome, dimension in dimensions.items()}
    run.log(now(metrics), picture.params)
    run.describe(in_words(picture))
    for name, figure in plane_figures.pictures(frame, picture.x, picture.y).items():
        run.client.log_figure(run.id, figure, f"{name}.png")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame.to_parquet(folder / TABLE, index=False)
        (folder / stored_settings.NAME).write_text(stored_settings.to_text(picture.stored))
        run.client.log_artifacts(run.id, str(folder))


def in_words(picture: Picture) -> str:
    """A map in Markdown: how many networks became what, and how rough the borders are."""
    frame, dimensions = picture.frame, picture.dimensions
    lines = ["| outcome | networks | share | its border's box dimension |", "|---|---|---|---|"]
    for outcome, share in shares(frame).items():
        if share:
            count = int((frame["outcome"] == outcome).sum())
            lines.append(f"| {outcome} | {count} | {100 * share:.1f} % | {dimensions.get(outcome, '')} |")
    if dimensions:
        most = max(int(dimension.sizes[-1]) for dimension in dimensions.values())
        lines += ["", f"The dimension is that seen by boxes of 1 to {most} points; with more points it may be another."]
    points = f"{frame[picture.x].nunique()} x {frame[picture.y].nunique()} points"
    axes = " and ".join(f"{key} {ends}" for key, ends in picture.ends.items())
    return f"**{len(frame)} networks** at {points} of {axes}.\n\n" + "\n".join(lines)


def finished(store: Store, key: str) -> Any | None:
    """The newest finished run of the map with this key, or None."""
    runs = search(store, f"tags.level = 'map' and tags.{KEY} = '{key}' and attributes.status = 'FINISHED'")
    return runs[-1] if runs else None


def unfinished(store: Store, key: str) -> list[Any]:
    """The runs of the map with this key that have not finished, the newest last."""
    runs = search(store, f"tags.level = 'map' and tags.{KEY} = '{key}'")
    return [run for run in runs if run.info.status != "FINISHED"]


def table_of(store: Store, run_id: str) -> pd.DataFrame:
    """The table of a finished map's run: its `Picture.frame`."""
    return pd.read_parquet(io.BytesIO(reading.artifact(store, run_id, TABLE)))


def load_map(tracking_uri: str | None = None, experiment: str | None = None, run: str = "latest") -> pd.DataFrame:
    """The networks of a map, one row each, as `initodds-map` has tracked them.

    tracking_uri, experiment: as for `load_replicates`.  run: the map's run id, or its first characters, or "latest".

    Columns: the keys of the two axes, x first, with their numbers; replicate; outcome, an ordered category; the score
    by its name, as accuracy, and cost, both on the test set after the last step. The rows go from the lowest y on, and
    along x. `figures.map` draws it.

    Raises InputError where there is no such store, experiment or map.
    """
    store = loading.open_store(tracking_uri, experiment)
    runs = search(store, "tags.level = 'map' and attributes.status = 'FINISHED'")
    chosen = runs[-1:] if run == "latest" else [each for each in runs if each.info.run_id.startswith(run)]
    if len(chosen) != 1:
        last = ", ".join(f"{each.info.run_id} ({each.info.run_name})" for each in runs[-5:]) or "none"
        raise InputError(f"run={run}: {len(chosen)} finished maps found; the last ones are {last}")
    frame = table_of(store, chosen[0].info.run_id)
    return frame.assign(outcome=pd.Categorical(frame["outcome"], categories=OUTCOMES, ordered=True))
