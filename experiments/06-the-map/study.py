"""The maps of the study: trained, their results written, and the summary and the pictures made from these.

python experiments/06-the-map/study.py NAME [SIZE]   one map of MAPS, SIZE points along a side (256); NAME-zoom is
                                                     the part of it that has most of its border
python experiments/06-the-map/study.py search N      the edges of the phase diagram by search, as the Nth search in
                                                     searched.csv
python experiments/06-the-map/study.py summary       the summary from the committed results
python experiments/06-the-map/study.py analyse       ... and the pictures
"""

import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.artifacts import download_artifacts
from scipy.ndimage import label
from tabulate import tabulate

import initodds
from initodds import border, boundary, box_dimension, figures, load_map
from initodds.statistics.grids import grid_of
from initodds.vocabulary import OUTCOMES

Array = np.ndarray

FOLDER = Path(__file__).parent
CENTRE, WIDTH, RATE = "init.centre", "init.half_width", "sgd.learning_rate"

CLASSIC = ("init=centred", "sgd.epochs=2")
PLANES = {
    "centre-rate": (*CLASSIC, f"{WIDTH}=0.5", "--x", f"{CENTRE}=-0.3:0.3", "--y", f"{RATE}=0.01:100:log"),
    "width-rate": (*CLASSIC, f"{CENTRE}=0", "--x", f"{WIDTH}=0.01:10:log", "--y", f"{RATE}=0.01:100:log"),
    "centre-width": (*CLASSIC, f"{RATE}=3", "--x", f"{CENTRE}=-0.3:0.3", "--y", f"{WIDTH}=0.01:3:log"),
}

UNITS = 16


def tiny(activation: str, examples: int, steps: int = 500, batch_size: int | None = None) -> tuple[str, ...]:
    """The settings of a network of Sohl-Dickstein (2024), but for the axes.

    His f(x) = v s(g U x / sqrt(n)) / n, with weights U and v of N(0, 1), and g = sqrt(2), but 1 for the identity. With
    W = g U / sqrt(n) and w = v / n it is w s(W x): a network of the project whose first layer is drawn with a standard
    deviation of g / sqrt(n), its last with 1 / n. Since dC/dU = g / sqrt(n) dC/dW, a step of U at a rate is one of W at
    g^2 / n times that rate, and a step of v one of w at 1 / n^2 times its rate; so the axes are his, but for these
    factors. For ReLU he has g outside of s, which is the same.
    """
    gain = 1 if activation == "linear" else 2**0.5
    batch = batch_size or examples
    return (
        "data=table",
        f"data.path=tiny-{examples}.csv",
        "data.target=y",
        "data.scale=raw",
        "data.scale_targets=raw",
        "data.test_share=0",
        f"network.hidden=[{UNITS}]",
        f"network.activation={activation}",
        "network.output=linear",
        "network.cost=mean_squared",
        "network.bias=false",
        "init=gaussian",
        f"init.std={gain / UNITS**0.5:.15g}",
        f"init.layers={{-1: {{init: gaussian, std: {1 / UNITS:.15g}}}}}",
        "sgd.learning_rate=1",
        "sgd.layer_rates=[1,1]",
        f"sgd.batch_size={batch}",
        f"sgd.epochs={-(-steps * batch // examples)}",
        "dtype=float64",
        "outcome.target=0.5",
    )


FIRST, LAST = "sgd.layer_rates.0", "sgd.layer_rates.1"
PARAMETERS = UNITS * UNITS + UNITS
HIS = {
    "tanh": (*tiny("tanh", PARAMETERS), "--x", f"{FIRST}=0.01:1000:log", "--y", f"{LAST}=0.01:10:log"),
    "relu": (*tiny("relu", PARAMETERS), "--x", f"{FIRST}=0.001:100:log", "--y", f"{LAST}=0.001:10:log"),
    "identity": (*tiny("linear", UNITS), "--x", f"{FIRST}=0.01:30:log", "--y", f"{LAST}=0.001:3:log"),
    "minibatch": (
        *(*tiny("tanh", PARAMETERS, batch_size=16), "--x", f"{FIRST}=0.01:1000:log", "--y", f"{LAST}=0.01:10:log"),
    ),
    # The first layer is drawn uniformly with his variance, around the offset; the rate is his of both layers.
    "offset": (
        *(each for each in tiny("tanh", PARAMETERS) if not each.startswith(("init=", "init.std=", "sgd.layer_rates="))),
        *("init=centred", f"init.half_width={(6 / UNITS) ** 0.5:.15g}"),
        f"sgd.layer_rates=[{2 / UNITS},{1 / UNITS**2}]",
        *("--x", f"{CENTRE}=-1:1", "--y", f"{RATE}=0.1:10000:log"),
    ),
    # Two rows, alike but for a target just above and just below: their mean gradient is that of the one between.
    "one-example": (*tiny("tanh", 2), "--x", f"{FIRST}=0.01:1000:log", "--y", f"{LAST}=0.01:10:log"),
}
"""His settings. The offset is one of the first layer's init; his code adds it to the weights anew in every step."""

MAPS = PLANES | HIS
SEARCHED = FOLDER / "searched.csv"
GRID = FOLDER.parent / "02-phase-diagram" / "results.csv"
EDGE = ["data", "epochs", "batch", "rate", "half_width", "outcome"]
"""What tells the edges."""
SEARCHES = {
    ("mnist_5k", 10): f"{WIDTH}=0.05,0.1,0.25,0.5,1.0 sgd.batch_size=10,100 {RATE}=0.3,3.0",
    ("mnist", 3): f"{WIDTH}=0.1,0.5,1.0 sgd.batch_size=10 {RATE}=3.0",
    ("mnist_5k", 38): f"{WIDTH}=0.1,0.5,1.0 sgd.batch_size=10 {RATE}=3.0",
}
"""By data set and epochs: the edges that are searched."""
ENDS, STEP, REPLICATES = (0.0, 0.3), 0.005, 32
"""Between which centres, how narrowly, and with how many networks at each a grid would be as narrow."""

ZOOM = "-zoom"
PART = 8
"""A zoom shows this part of a map's sides."""


def make(name: str, size: int) -> None:
    """Train one map and write results/NAME.parquet; says how long it took."""
    start = time.perf_counter()
    zoom = [f"--zoom={roughest(name.removesuffix(ZOOM))}"] if name.endswith(ZOOM) else []
    arguments = [*MAPS[name.removesuffix(ZOOM)], *zoom, "--size", str(size)]
    print("initodds-map", *arguments)
    command = [sys.executable, "-m", "initodds.commands.map", *arguments, "tracking.uri=sqlite:///runs.db"]
    subprocess.run(command, cwd=FOLDER, check=True)
    frame = load_map(f"sqlite:///{FOLDER}/runs.db")
    columns = frame[[*axes(frame), "outcome", "cost"]].assign(cost=frame["cost"].clip(upper=1e30).astype("float32"))
    (FOLDER / "results").mkdir(exist_ok=True)
    columns.to_parquet(FOLDER / "results" / f"{name}.parquet", index=False, compression="zstd")
    print(f"{name}: {time.perf_counter() - start:.0f} s")


def roughest(name: str) -> str:
    """The part of a map, as --zoom takes it, that has most of its border in it."""
    frame = read(name)
    x, y = axes(frame)
    cells = border(inside(name, frame)).astype(int)
    side = len(cells) // PART
    sums = np.pad(cells.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    within = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    row, column = np.unravel_index(within.argmax(), within.shape)
    parts = [np.unique(frame[key])[[at, at + side]] for key, at in ((x, column), (y, row))]
    return ",".join(f"{low:.6g}:{high:.6g}" for low, high in parts)


def inside(name: str, frame: pd.DataFrame) -> Array:
    """(rows, columns) bool: of the planes, where networks converge; of his, where the cost is lower than it began."""
    x, y = axes(frame)
    name = name.removesuffix(ZOOM)
    good = frame["outcome"] == "converged" if name in PLANES else frame["cost"] < first_costs(name, frame)
    return np.asarray(grid_of(frame, x, y, good) >= 0.5)


def largest(where: Array) -> float:
    """Of these points the share that is one region, neighbours at a corner being of one too."""
    regions, _ = label(where, np.ones((3, 3)))
    return float(np.bincount(regions[where]).max() / where.sum())


def first_costs(name: str, frame: pd.DataFrame) -> pd.Series:
    """The cost of each of a map's networks before the first step; those with one init are all drawn alike."""
    left_out = (
        f"{FIRST}=",
        f"{LAST}=",
        "--",
        "data.path=",
        "sgd.epochs=",
        "sgd.learning_rate=",
        f"{CENTRE}=",
        f"{RATE}=",
    )
    settings = [each for each in MAPS[name] if not each.startswith(left_out)]
    path = next(each for each in MAPS[name] if each.startswith("data.path=")).replace("=", f"={FOLDER}/")
    short = (path, "sgd.epochs=1", "sgd.learning_rate=1e-9", "replicates=1", "diagnosis.of=none")
    if CENTRE not in frame:
        return pd.Series(_first_cost(None, *settings, *short), frame.index)
    costs = {centre: _first_cost(float(centre), *settings, *short) for centre in frame[CENTRE].unique()}
    return frame[CENTRE].map(costs)


@cache
def _first_cost(centre: float | None, *settings: str) -> float:
    """The cost of a network before the first step, with this centre of its init, where there is one."""
    asked = _settings(*settings)
    if centre is not None:
        asked = asked.model_copy(update={"init": asked.init | {"centre": centre}})
    return float(initodds.run(asked).history.cost[0, 0])


@cache
def _settings(*settings: str) -> initodds.Settings:
    """Composed once for all centres, which takes longer than a step of one of these networks."""
    return initodds.settings(*settings)


def search(number: int) -> None:
    """Search the edges of the phase diagram, tracked in runs.db, and write them to searched.csv under this number."""
    uri = f"sqlite:///{FOLDER}/runs.db"
    same = (
        f"init=centred {CENTRE}=interval({ENDS[0]},{ENDS[1]}) edge.tolerance={STEP} engine=compiled diagnosis.of=none"
    )
    for (data, epochs), settings in SEARCHES.items():
        for outcome in ("converged", "stuck"):
            asked = (
                f"{same} {settings} data={data} sgd.epochs={epochs} edge.outcome={outcome} tracking.replicates=table"
            )
            command = [sys.executable, "-m", "initodds", "-m", *asked.split(), f"tracking.uri={uri}"]
            done = subprocess.run(command, cwd=FOLDER, check=True, stderr=subprocess.PIPE, text=True)
            run_id = done.stderr.split()[-1]
            path = download_artifacts(run_id=run_id, artifact_path="edges.csv", tracking_uri=uri)
            add_searched(number, data, epochs, outcome, pd.read_csv(path))


def add_searched(number: int, data: str, epochs: int, outcome: str, edges: pd.DataFrame) -> None:
    """Write to searched.csv the edges of one command, as its edges.csv has them, in place of those known of it."""
    known = {"search": number, "data": data, "epochs": epochs, "outcome": outcome}
    named = {"sgd.batch_size": "batch", RATE: "rate", WIDTH: "half_width", CENTRE: "centre"}
    given = {"batch": 10, "rate": 3.0} | dict(edges.rename(columns=named).items()) | known
    rows = pd.DataFrame(given)[["search", *EDGE, "centre", "low", "high", "networks"]]
    before = pd.read_csv(SEARCHED) if SEARCHED.exists() else rows.head(0)
    other = (before[list(known)] != pd.Series(known)).any(axis=1)
    pd.concat([before[other], rows]).to_csv(SEARCHED, index=False, float_format="%.4g")


def edges() -> pd.DataFrame:
    """The edges that were searched, and beside each the grid's: columns EDGE, search, centre, low, high, networks, and
    grid, grid_low, grid_high. One that is nowhere is NaN."""
    grid = pd.read_csv(GRID)
    named = {"sgd.epochs": "epochs", "sgd.batch_size": "batch", RATE: "rate", WIDTH: "half_width"}
    grid = grid[(grid["data.scale"] == "unit") & (grid[CENTRE] >= 0)].rename(columns=named)
    found = pd.concat(
        boundary(grid, CENTRE, EDGE[:-1], outcome).assign(outcome=outcome) for outcome in ("converged", "stuck")
    )
    found = found.rename(columns={"boundary": "grid", "low": "grid_low", "high": "grid_high"})
    return pd.read_csv(SEARCHED).merge(found[[*EDGE, "grid", "grid_low", "grid_high"]], on=EDGE, validate="m:1")


def searched() -> str:
    """The edges by search beside those of the grid, and how far they agree."""
    every = edges()
    first = every[every["search"] == 1]
    lines = []
    for (data, epochs), part in first.groupby(["data", "epochs"], sort=False):
        both = part.dropna(subset=["centre", "grid"])
        nowhere = part[["centre", "grid"]].isna()
        spent = part.groupby("outcome")["networks"].sum()
        asked = len(part) // 2 * REPLICATES * (1 + round((ENDS[1] - ENDS[0]) / STEP))
        within = {
            "intervals that overlap": (both["low"] <= both["grid_high"]) & (both["grid_low"] <= both["high"]),
            "searched edges within the grid's interval": both["centre"].between(both["grid_low"], both["grid_high"]),
            "the grid's edges within the searched interval": both["grid"].between(both["low"], both["high"]),
        }
        told = "; ".join(f"{name}: {hits.sum()} of {len(both)}" for name, hits in within.items())
        lines.append(
            f"- {data}, {epochs} epochs: nowhere by both: {nowhere.all(axis=1).sum()}, by one alone:"
            f" {(nowhere.any(axis=1) & ~nowhere.all(axis=1)).sum()}; {told}; networks: {spent['converged']} converged,"
            f" {spent['stuck']} stuck; a grid of steps of {STEP} with {REPLICATES} at each takes {asked} for each."
        )
    return "\n".join([edge_table(every), "", *lines])


def edge_table(every: pd.DataFrame) -> str:
    """A row for each edge of each search."""
    rows = [
        {name: row[name] for name in ("search", *EDGE)}
        | {"by search": in_words(row["centre"], row["low"], row["high"], 4), "networks": row["networks"]}
        | {"by grid": in_words(row["grid"], row["grid_low"], row["grid_high"], 3)}
        for row in every.to_dict("records")
    ]
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def in_words(place: float, low: float, high: float, digits: int) -> str:
    return "nowhere" if np.isnan(place) else f"{place:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def axes(frame: pd.DataFrame) -> list[str]:
    """The keys of a map's axes."""
    return list(frame)[:2]


def names() -> list[str]:
    """The maps that there are results of."""
    every = [each for name in MAPS for each in (name, f"{name}{ZOOM}")]
    return [name for name in every if (FOLDER / "results" / f"{name}.parquet").is_file()]


def read(name: str) -> pd.DataFrame:
    """The committed results of a map."""
    frame = pd.read_parquet(FOLDER / "results" / f"{name}.parquet")
    return frame.assign(outcome=pd.Categorical(frame["outcome"], categories=OUTCOMES, ordered=True))


def summary() -> str:
    """summary.md: of each map the shares of the outcomes, and the box dimension of the border of each."""
    planes, his = [], []
    for name in names():
        frame = read(name)
        x, y = axes(frame)
        ends = [f"{frame[key].min():.4g} to {frame[key].max():.4g}" for key in (x, y)]
        row: dict[str, object] = {"map": name, "points": f"{frame[x].nunique()} x {frame[y].nunique()}"}
        row |= {"across": ends[0], "upwards": ends[1]}
        if name.removesuffix(ZOOM) in PLANES:
            for outcome in OUTCOMES:
                where = grid_of(frame, x, y, frame["outcome"] == outcome) >= 0.5
                share = f"{100 * where.mean():.1f} %"
                row[outcome] = share if where.mean() < 0.002 else f"{share}, {box_dimension(border(where))}"
            good = inside(name, frame)
            row |= {"converged, every second point": str(box_dimension(border(good[::2, ::2])))}
            row |= {"converged, in one region": f"{100 * largest(good):.1f} %"}
            planes.append(row)
        else:
            good = inside(name, frame)
            costs = first_costs(name.removesuffix(ZOOM), frame)
            row |= {"first cost": " to ".join(dict.fromkeys(f"{cost:.3g}" for cost in (costs.min(), costs.max())))}
            row |= {"ends lower": f"{100 * good.mean():.1f} %", "its border": str(box_dimension(border(good)))}
            his.append(row)
    return "\n".join(
        [
            "# Summary of results/\n",
            "Printed by study.py. Of each plane: the share of its points with each outcome, and the box-counting",
            "dimension of that outcome's border, +- how much the slopes between neighbouring box sizes scatter (their",
            "standard deviation over the square root of their number; the boxes are of one picture, so that it is no",
            "standard error of anything drawn anew). Of what converges also the dimension as every second point of",
            "every second row has it, and the share of its points that is one region.\n",
            tabulate(planes, headers="keys", tablefmt="github", disable_numparse=True),
            "\nOf the networks of 16 units: the share of points whose cost ends lower than it began, and the",
            "box-counting dimension of its border. The axes are the rates of the first and of the last layer, but for",
            "offset: there they are the offset, and the rate of both layers.\n",
            tabulate(his, headers="keys", tablefmt="github", disable_numparse=True),
            "\n## The edge, found by search\n",
            "The centre up to which half converge, or from which half are stuck, with its 95 % interval, by search and",
            "by the logistic curve over the grid of experiments/02-phase-diagram, 32 networks at a centre.\n",
            searched(),
            "",
        ]
    )


def draw() -> None:
    """A picture of each map: what became of the networks, and their cost. Of his, converged is what he calls so, a cost
    lower than at the beginning, and all else is diverged."""
    for name in names():
        frame = read(name)
        if name.removesuffix(ZOOM) in HIS:
            good = frame["cost"] < first_costs(name.removesuffix(ZOOM), frame)
            words = np.where(good, "converged", "diverged")
            frame = frame.assign(outcome=pd.Categorical(words, categories=OUTCOMES, ordered=True))
        figure, (left, right) = figures.panels(2, 11, 5.4)
        figures.map(frame, *axes(frame), left)
        figures.map(frame, *axes(frame), right, "cost")
        figure.savefig(FOLDER / f"{name}.png", dpi=100)


def write_tiny() -> None:
    """tiny-N.csv: N examples of 16 normal numbers, and a normal number to learn of each; tiny-2.csv is one of them
    with its target a thousandth higher, and the same with it a thousandth lower."""
    for examples in (PARAMETERS, UNITS, 1):
        numbers = np.random.default_rng(0).standard_normal((examples, UNITS + 1))
        if examples == 1:
            numbers = np.repeat(numbers, 2, axis=0)
            numbers[:, -1] += [-0.001, 0.001]
        frame = pd.DataFrame(numbers, columns=[*(f"x{k}" for k in range(UNITS)), "y"])
        frame.to_csv(FOLDER / f"tiny-{len(frame)}.csv", index=False, float_format="%.6f")


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[:1] == ["search"]:
        search(int(arguments[1]))
    elif arguments not in (["summary"], ["analyse"]):
        write_tiny()
        size = next((int(text) for text in arguments if text.isdigit()), 256)
        for name in [text for text in arguments if not text.isdigit()]:
            make(name, size)
    text = summary()
    (FOLDER / "summary.md").write_text(text)
    print(text)
    if arguments[:1] not in (["search"], ["summary"]):
        draw()


if __name__ == "__main__":
    main()
