"""The maps of the study: trained, their results written, and the summary and the pictures made from these.

python experiments/06-the-map/study.py [SIZE]     everything, SIZE points along a side (128)
python experiments/06-the-map/study.py analyse    the summary and the pictures from the committed results
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from initodds import border, box_dimension, figures, load_map
from initodds.statistics.grids import grid_of
from initodds.vocabulary import OUTCOMES

FOLDER = Path(__file__).parent
CENTRE, WIDTH, RATE = "init.centre", "init.half_width", "sgd.learning_rate"

CLASSIC = ("init=centred", "sgd.epochs=2")
TINY = (
    "data=table",
    "data.path=tiny.csv",
    "data.target=y",
    "data.scale=raw",
    "data.test_share=0",
    "network.hidden=[16]",
    "network.activation=tanh",
    "network.output=linear",
    "network.cost=mean_squared",
    "network.bias=false",
    "init=centred",
    "sgd.batch_size=16",
    "sgd.epochs=500",
    "dtype=float64",
    "outcome.target=0.5",
)
MAPS = {
    "centre-rate": (*CLASSIC, f"{WIDTH}=0.5", "--x", f"{CENTRE}=-0.3:0.3", "--y", f"{RATE}=0.01:100:log"),
    "width-rate": (*CLASSIC, f"{CENTRE}=0", "--x", f"{WIDTH}=0.01:10:log", "--y", f"{RATE}=0.01:100:log"),
    "centre-width": (*CLASSIC, f"{RATE}=3", "--x", f"{CENTRE}=-0.3:0.3", "--y", f"{WIDTH}=0.01:3:log"),
    "zoom": (
        *(*CLASSIC, f"{WIDTH}=0.5", "--x", f"{CENTRE}=-0.3:0.3", "--y", f"{RATE}=0.01:100:log"),
        "--zoom=-0.12:0.03,8:40",
    ),
    "tiny": (*TINY, f"{WIDTH}=0.6", "--x", f"{CENTRE}=-1:1", "--y", f"{RATE}=0.01:10:log"),
    "tiny-zoom": (
        *TINY,
        f"{WIDTH}=0.6",
        "--x",
        f"{CENTRE}=-1:1",
        "--y",
        f"{RATE}=0.01:10:log",
        "--zoom=0.1:0.3,0.2:0.6",
    ),
}


def make(name: str, size: int) -> None:
    """Train one map and write results/NAME.parquet, with its time."""
    command = [sys.executable, "-m", "initodds.commands.map", *MAPS[name], "--size", str(size)]
    start = time.perf_counter()
    subprocess.run([*command, "tracking.uri=sqlite:///runs.db"], cwd=FOLDER, check=True)
    frame = load_map(f"sqlite:///{FOLDER}/runs.db")
    columns = frame[[*axes(frame), "outcome", "cost"]].assign(cost=frame["cost"].clip(upper=1e30).astype("float32"))
    (FOLDER / "results").mkdir(exist_ok=True)
    columns.to_parquet(FOLDER / "results" / f"{name}.parquet", index=False, compression="zstd")
    print(f"{name}: {time.perf_counter() - start:.0f} s")


def axes(frame: pd.DataFrame) -> list[str]:
    """The keys of a map's axes."""
    return list(frame)[:2]


def read(name: str) -> pd.DataFrame:
    """The committed results of a map."""
    frame = pd.read_parquet(FOLDER / "results" / f"{name}.parquet")
    return frame.assign(outcome=pd.Categorical(frame["outcome"], categories=OUTCOMES, ordered=True))


def summary() -> str:
    """summary.md: of each map the shares of the outcomes, and the box dimension of the border of each."""
    rows = []
    for name in MAPS:
        if (FOLDER / "results" / f"{name}.parquet").is_file():
            frame = read(name)
            x, y = axes(frame)
            row: dict[str, object] = {"map": name, "points": f"{frame[x].nunique()} x {frame[y].nunique()}"}
            for outcome in OUTCOMES:
                inside = grid_of(frame, x, y, frame["outcome"] == outcome) >= 0.5
                share = f"{100 * inside.mean():.1f} %"
                row[outcome] = share if inside.mean() < 0.002 else f"{share}, {box_dimension(border(inside))}"
            rows.append(row)
    return "\n".join(
        [
            "# Summary of results/\n",
            "Printed by study.py. Of each map: the share of its points with each outcome, and the box-counting",
            "dimension of that outcome's border, with its standard error.\n",
            tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True),
            "",
        ]
    )


def draw() -> None:
    """A picture of each map: what became of the networks, and their cost."""
    for name in MAPS:
        if (FOLDER / "results" / f"{name}.parquet").is_file():
            frame = read(name)
            figure, (left, right) = figures.panels(2, 11, 5.4)
            figures.map(frame, *axes(frame), left)
            figures.map(frame, *axes(frame), right, "cost")
            figure.savefig(FOLDER / f"{name}.png", dpi=100)


def write_tiny() -> None:
    """tiny.csv: 16 examples of 16 normal numbers, and a normal number to learn of each."""
    numbers = np.random.default_rng(0).standard_normal((16, 17))
    frame = pd.DataFrame(numbers, columns=[*(f"x{k}" for k in range(16)), "y"])
    frame.to_csv(FOLDER / "tiny.csv", index=False, float_format="%.6f")


def main() -> None:
    arguments = sys.argv[1:]
    if arguments != ["analyse"]:
        write_tiny()
        names = [name for name in arguments if name in MAPS] or list(MAPS)
        sizes = [int(text) for text in arguments if text.isdigit()] or [128]
        for name in names:
            make(name, sizes[0])
    text = summary()
    (FOLDER / "summary.md").write_text(text)
    print(text)
    draw()


if __name__ == "__main__":
    main()
