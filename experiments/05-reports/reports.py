"""Eleven networks that people were stuck with: their commands, results.csv.xz and summary.md.

python experiments/05-reports/reports.py            everything; full MNIST in INITODDS_DATA, or downloaded
python experiments/05-reports/reports.py 1 4        these reports alone; the rows of the others stay
python experiments/05-reports/reports.py data       the small tables that reports 7, 8, 9 and 11 learn from
python experiments/05-reports/reports.py analyse    the summary and the figure from the committed results
"""

import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import initodds  # noqa: F401  settles BLAS before NumPy loads

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from studies import percent, rate
from tabulate import tabulate

from initodds.analysis import interval, load_replicates
from initodds.statistics import figures
from initodds.vocabulary import OUTCOMES

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.csv.xz"
SETTINGS = ["report", "cell"]

TABLE = "data=table data.target=y data.scale=raw data.scale_targets=raw network.activation=relu network.output=linear"
XOR = "data=xor sgd.batch_size=4"
SOFTMAX = "network.output=softmax network.cost=cross_entropy"

DEEP = [f"[{','.join([str(units)] * depth)}]" for units in (2, 3, 5) for depth in (2, 5, 10, 20)]

COMMANDS: dict[int, list[str]] = {
    1: [
        f"initodds -m {XOR} network.hidden=[2] init=centred init.centre=0 init.half_width=0.3,0.5,1,2,4,8"
        " optimizer.momentum=0.9 sgd.learning_rate=0.5 sgd.epochs=5000 replicates=300"
    ],
    2: [
        f"initodds {XOR} network.hidden=[2] network.cost=cross_entropy init=xavier_uniform sgd.learning_rate=0.01"
        " sgd.epochs=500 replicates=300"
    ],
    3: [
        f"initodds {XOR} network.hidden=[5] network.cost=cross_entropy init=gaussian {rest} sgd.epochs=20000"
        " replicates=50"
        for rest in ("init.std=0.01 init.bias=0 sgd.learning_rate=0.03", "sgd.learning_rate=0.1")
    ],
    4: [
        f"initodds -m {XOR} network.hidden=[2],[3],[5],[8] network.activation=relu,logistic network.cost=cross_entropy"
        " init=xavier_uniform sgd.learning_rate=0.5 sgd.epochs=2000 replicates=300"
    ],
    5: [
        f"initodds -m data=mnist data.scale=raw,unit network.hidden=[32,32] network.activation=relu {SOFTMAX}"
        " init=torch_linear sgd.batch_size=256 sgd.learning_rate=0.1,0.001 sgd.epochs=3 replicates=8"
    ],
    6: [
        f"initodds -m data=mnist data.scale=raw,unit network.hidden=[] {SOFTMAX} init=gaussian sgd.batch_size=100"
        " sgd.learning_rate=0.001 sgd.epochs=3 replicates=8"
    ],
    7: [
        "initodds -m data=table data.path=sqrt.csv data.target=y data.scale=raw,standardize"
        " data.scale_targets='${data.scale}' network.hidden=[10] network.activation=relu network.output=linear"
        " init=gaussian init.std=0.01 init.bias=0 sgd.batch_size=500 sgd.learning_rate=1e-6 sgd.epochs=60000"
        " replicates=20",
        "initodds data=table data.path=sqrt.csv data.target=y network.hidden=[10] network.activation=relu"
        " network.output=linear init=gaussian init.std=0.01 init.bias=0 sgd.batch_size=500 sgd.learning_rate=0.01"
        " sgd.epochs=60000 replicates=20",
    ],
    8: [
        "initodds data=table data.path=one.csv data.autoencode=true data.scale=raw network.hidden=[4]"
        " network.activation=relu network.output=relu init=xavier_uniform sgd.batch_size=1 sgd.learning_rate=0.01"
        " sgd.epochs=20000 replicates=1000"
    ],
    9: [
        f"initodds {TABLE} data.path=parabola.csv network.hidden=[16,16] network.cost=mean_squared init=xavier_uniform"
        " sgd.batch_size=100 sgd.learning_rate=0.001 sgd.epochs=5000 replicates=50"
    ],
    10: [
        "initodds -m data=iris data.test_share=0 data.scale=raw,standardize network.hidden=[8]"
        f" network.activation=relu,tanh {SOFTMAX} init=xavier_uniform sgd.batch_size=150,16"
        " sgd.learning_rate=0.001,0.01,0.1,1 sgd.epochs=10,300 diagnosis.curvature=none replicates=32"
    ],
    11: [
        f"initodds -m {TABLE} data.path=abs.csv"
        f" network.hidden={','.join(DEEP)}"
        " init=he_normal sgd.batch_size=301 sgd.learning_rate=1e-9 sgd.epochs=1 diagnosis.of=all"
        " diagnosis.curvature=none replicates=1000"
    ],
}
"""The command lines of each report, to be run in this folder."""

VARIED: dict[int, list[str]] = {
    1: ["init.half_width"],
    2: [],
    3: ["init.std", "sgd.learning_rate"],
    4: ["network.activation", "network.hidden"],
    5: ["data.scale", "sgd.learning_rate"],
    6: ["data.scale"],
    7: ["data.scale", "sgd.learning_rate"],
    8: [],
    9: [],
    10: ["data.scale", "network.activation", "sgd.batch_size", "sgd.learning_rate", "sgd.epochs"],
    11: ["network.hidden"],
}
"""What tells the cells of a report."""

BY_CAUSE = (10, 11)
"""Reports in which networks are told by what is wrong with them, and not by their outcome alone."""

HITS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "solved": lambda frame: frame["outcome"] == "converged",
    "not solved": lambda frame: frame["outcome"] != "converged",
    "all four outputs alive": lambda frame: frame["outcome"] == "converged",
    "all four outputs dead": lambda frame: frame["outcome"] == "stuck",
    "R^2 over 0.9": lambda frame: frame["score"] > 0.9,
    "stuck": lambda frame: frame["outcome"] == "stuck",
    "dead before the first step": lambda frame: frame["cause"] == "hidden_dead",
}
"""Whether each network is what a report counts."""

DECIDED = {
    "the start": {
        1: "XOR from U[-4, 4]",
        3: "XOR from N(0, 0.01)",
        4: "XOR by two ReLU units",
        8: "ReLU outputs",
        11: "ten layers of two ReLU units",
    },
    "the rate": {
        5: "MNIST from 0 to 255, rate 0.1",
        6: "MNIST from 0 to 1, rate 0.001",
        7: "a square root, rate 1e-6",
        10: "iris in cm, rate 1",
    },
    "the steps": {2: "XOR, 500 epochs at rate 0.01", 9: "a parabola, 5,000 epochs at rate 0.001"},
}
"""What decides in each report, and the network of it that `initodds-advise` was asked about."""

DEPTHS = (2, 5, 10, 20)
BORN_DEAD = {2: (0.155, 0.615, 0.898, 0.995), 3: (0.043, 0.309, 0.632, 0.896), 5: (0.003, 0.047, 0.156, 0.381)}

FOUND: list[tuple[int, str, str, int, int]] = [
    *(
        (1, f"init.half_width={width}", "not solved", count, 300)
        for width, count in ((0.3, 41), (0.5, 23), (1.0, 50), (2.0, 100), (4.0, 150), (8.0, 219))
    ),
    *(
        (1, f"init.half_width={width}", "not solved", count, 300)
        for width, count in ((0.3, 34), (0.5, 20), (1.0, 52), (2.0, 106), (4.0, 149), (8.0, 220))
    ),
    (2, "", "solved", 0, 300),
    (3, "init.std=0.01; sgd.learning_rate=0.03", "solved", 0, 50),
    (3, "init.std=1.0; sgd.learning_rate=0.1", "solved", 50, 50),
    *(
        (4, f"network.activation={activation}; network.hidden=[{hidden}]", "solved", count, 300)
        for activation, counts in (("relu", (54, 124, 213, 272)), ("logistic", (222, 292, 300, 300)))
        for hidden, count in zip((2, 3, 5, 8), counts, strict=True)
    ),
    (5, "data.scale=raw; sgd.learning_rate=0.1", "stuck", 8, 8),
    (8, "", "all four outputs alive", 76, 1000),
    (8, "", "all four outputs dead", 105, 1000),
    (9, "", "R^2 over 0.9", 0, 50),
    *(
        (11, f"network.hidden=[{units}] * {depth}", "dead before the first step", round(4000 * share), 4000)
        for units, shares in BORN_DEAD.items()
        for depth, share in zip(DEPTHS, shares, strict=True)
    ),
]
"""What independent programs found: report, cell, what was counted, how many of how many."""


def write_data() -> None:
    """The tables of the reports: sqrt.csv, drawn with seed 0; one.csv, parabola.csv and abs.csv, which are formulas."""
    rng = np.random.default_rng(0)
    x = 1000 * np.abs(rng.standard_normal(500))
    evenly, around_0 = np.arange(100) / 100, np.linspace(-np.sqrt(3), np.sqrt(3), 301)
    tables = {
        "sqrt.csv": pd.DataFrame({"x": x, "y": np.sqrt(x) + 0.5 * rng.standard_normal(500)}),
        "one.csv": pd.DataFrame([{"a": 0.1, "b": 0.3, "c": 0.7, "d": 0.2}]),
        "parabola.csv": pd.DataFrame({"x": evenly, "y": (evenly - 0.5) ** 2}),
        "abs.csv": pd.DataFrame({"x": around_0, "y": np.abs(around_0)}),
    }
    for name, table in tables.items():
        table.to_csv(FOLDER / name, index=False, float_format="%.8g")


def run(report: int) -> pd.DataFrame:
    """Run the commands of a report, tracked in runs.db, and what became of each network: one row each."""
    tracked = ["tracking.uri=sqlite:///runs.db", f"tracking.experiment=report-{report}", "tracking.replicates=table"]
    for command in COMMANDS[report]:
        arguments = shlex.split(command)[1:]
        subprocess.run([sys.executable, "-m", "initodds", *arguments, *tracked], cwd=FOLDER, check=True)
    frame = load_replicates(f"sqlite:///{FOLDER}/runs.db", f"report-{report}")
    varied = [key for key in VARIED[report] if key in frame]
    cell = ["; ".join(map(told, varied, row)) for row in frame[varied].to_numpy()]
    score = frame["accuracy"] if "accuracy" in frame else frame["r_squared"]
    kept = frame[["seed", "replicate", "outcome", "cost", "cause"]]
    if report not in BY_CAUSE:
        kept = kept.assign(cause="")
    return kept.assign(report=report, cell=cell, score=score)


def told(key: str, value: object) -> str:
    """A setting in a word.

    >>> told("network.hidden", "[2, 2, 2]"), told("init.std", 0.01)
    ('network.hidden=[2] * 3', 'init.std=0.01')
    """
    units = str(value).strip("[]").split(", ")
    return f"{key}=[{units[0]}] * {len(units)}" if len(units) > 1 and len(set(units)) == 1 else f"{key}={value}"


def comparison(frame: pd.DataFrame) -> str:
    """A row for each rate that an independent program found."""
    rows = []
    for report, cell, what, count, n in FOUND:
        hits = HITS[what](frame[(frame["report"] == report) & (frame["cell"] == cell)])
        (low, high), (its_low, its_high) = interval(int(hits.sum()), len(hits)), interval(count, n)
        rows.append(
            {
                "report": report,
                "cell": cell,
                "counted": what,
                "here": rate(hits),
                "independent program": f"{count}/{n}, {percent(count / n)} % [{percent(its_low)}, {percent(its_high)}]",
                "intervals overlap": "yes" if low <= its_high and its_low <= high else "no",
            }
        )
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def outcomes(frame: pd.DataFrame) -> str:
    """A row for each cell: how many of each outcome, and the median, least and greatest score and cost."""
    rows = []
    for (report, cell), group in frame.groupby(SETTINGS, sort=False):
        causes = Counter(group["cause"]).most_common()
        score, cost = group["score"], group["cost"]
        rows.append(
            {"report": report, "cell": cell, "n": len(group)}
            | {outcome: rate(group["outcome"] == outcome) for outcome in OUTCOMES}
            | {"causes": ", ".join(f"{number} {cause}" for cause, number in causes if cause)}
            | {"score": f"{score.median():.3f} ({score.min():.3f} to {score.max():.3f})"}
            | {"cost": f"{cost.median():.3g} ({cost.min():.3g} to {cost.max():.3g})"}
        )
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def advised() -> pd.DataFrame:
    """The networks of advice.md that had no part in the choice of the change: a row for each report, as it is and
    changed, with the columns report, changed (bool), converged, n."""
    rows = []
    for section in re.split(r"^## ", (FOLDER / "advice.md").read_text(), flags=re.MULTILINE)[1:]:
        for line in section.splitlines():
            if line.endswith(" fresh"):
                converged, n = map(int, re.findall(r"(\d+) of (\d+)", line)[0])
                changed = not line.startswith("as it is ")
                rows.append({"report": int(section.split()[0]), "changed": changed, "converged": converged, "n": n})
    return pd.DataFrame(rows)


def draw() -> None:
    """decided.png: of each report how many converge as it is and with the change, below each other by what decides."""
    rates = advised()
    low, high = np.transpose([interval(*row) for row in rates[["converged", "n"]].itertuples(index=False)])
    rates = rates.assign(rate=rates["converged"] / rates["n"], low=low, high=high)
    places = [(what, report, name) for what, named in DECIDED.items() for report, name in named.items()]
    figure, (ax,) = figures.panels(1, 8.5, 5)
    green = figures.COLOURS["converged"]
    for changed, inside, off, word in ((False, "white", 0.15, "as reported"), (True, green, -0.15, "changed")):
        part = rates[rates["changed"] == changed].set_index("report").loc[[report for _, report, _ in places]]
        at = np.arange(len(places))[::-1] + off
        ax.hlines(at, part["low"], part["high"], color=green, linewidth=2.5)
        sizes = " or ".join(str(n) for n in sorted(part["n"].unique()))
        ax.plot(part["rate"], at, "o", color=inside, markeredgecolor="black", label=f"{word}, n = {sizes}")
    ax.set_yticks(np.arange(len(places))[::-1], [f"{what}:  {report}, {name}" for what, report, name in places])
    ends = np.cumsum([len(named) for named in DECIDED.values()])[:-1]
    for end in ends:
        ax.axhline(len(places) - end - 0.5, color="0.8", linewidth=1)
    ax.set(xlim=(-0.02, 1.02), xlabel="share converged, with 95 % interval", title="What decides")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", alpha=0.3)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    figure.savefig(FOLDER / "decided.png")


def summary() -> str:
    """summary.md, from the committed results."""
    frame = pd.read_csv(RESULTS).fillna({"cell": "", "cause": ""})
    return f"""# Summary of results.csv.xz

Printed by reports.py. {len(frame)} networks. Rates as count/n, percent, [95 % Wilson interval].

## Against the independent programs

{comparison(frame)}

## What became of them

score: the accuracy, or R^2, on the test set, or the training set where there is no other: median (least to greatest).
causes: what the diagnosis says of those that did not converge, where a report is of that.

{outcomes(frame)}
"""


def main() -> None:
    if sys.argv[1:] == ["data"]:
        write_data()
        return
    if sys.argv[1:] != ["analyse"]:
        reports = [int(text) for text in sys.argv[1:]] or list(COMMANDS)
        for report in reports:
            rows = run(report)
            before = pd.read_csv(RESULTS) if RESULTS.exists() else rows.head(0)
            columns = [*SETTINGS, "seed", "replicate", "outcome", "score", "cost", "cause"]
            after = pd.concat([before[before["report"] != report], rows])[columns].sort_values("report", kind="stable")
            after.to_csv(RESULTS, index=False, float_format="%.4g")
    text = summary()
    (FOLDER / "summary.md").write_text(text)
    print(text)
    draw()


if __name__ == "__main__":
    main()
