"""The odds of XOR: its sweeps, results.csv.xz, summary.md and the figures.

python experiments/07-xor/study.py             everything
python experiments/07-xor/study.py range best  these sweeps alone; the rows of the others stay
python experiments/07-xor/study.py analyse     the summary and the figures from the committed results
"""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import initodds

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from matplotlib.axes import Axes
from studies import percent, rate, rate_of
from tabulate import tabulate

from initodds.analysis import compare, interval
from initodds.cells import options
from initodds.networks.network import Stack
from initodds.statistics import figures

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.csv.xz"
Array = np.ndarray

SWEEPS = ("range", "best", "cost", "pace", "hidden", "points")
SETTINGS = ["sweep", "hidden", "activation", "cost_function", "half_width", "rate", "momentum", "epochs"]
ACTIVATIONS = ("logistic", "tanh", "relu", "leaky_relu")
COSTS = ("quadratic", "cross_entropy")
HALF_WIDTHS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
COLOURS = dict(zip(ACTIVATIONS, ("#0072B2", "#CC79A7", "#D55E00", "#E69F00"), strict=True))

LN_2, THIRDS = np.log(2), np.log(3) - 2 / 3 * np.log(2)
LEVELS = {
    "quadratic": {"one half for all four": 1 / 8, "two thirds for three": 1 / 12, "one half for two": 1 / 16},
    "cross_entropy": {
        "one half for all four": LN_2,
        "two thirds for three": 3 / 4 * THIRDS,
        "one half for two": LN_2 / 2,
    },
}
"""The costs of networks that cannot tell four, three or two of the examples apart, answer these with the share of them
that is a one, and have the others right."""

WINDOWS = ((0.4, 1.5), (0.3, 2.0), (0.25, 4.0))
"""Of half-widths, between which the log-odds are fitted; the first is the one that is quoted."""

NEAR = 0.05
"""A cost is at a level if it is off by less than this share of it."""

WRONG = 0.9
"""An answer is wrong outright if it is off by more than this: the output is saturated on the wrong side."""

KINDS = {
    "solved": "#009E73",
    "one half for two": "#56B4E9",
    "two thirds for three": "#E69F00",
    "one half for all four": "#D55E00",
    "wrong outright": "#CC79A7",
    "elsewhere": "#999999",
}
POINTS = {"minimum": "no way down", "saddle": "saddle", "flat": "plateau", "not_stationary": "still on its way"}


def cells(sweep: str) -> Iterator[list[str]]:
    """The overrides of each cell of a sweep, as its config in conf/experiment/xor names them."""
    config = yaml.safe_load((options.directory() / "experiment" / "xor" / f"{sweep}.yaml").read_text())
    swept = [f"{key}={values}" for key, values in config["hydra"]["sweeper"]["params"].items()]
    parsed = OverridesParser.create().parse_overrides(swept)
    values = [[f"{each.key_or_group}={value}" for value in each.sweep_string_iterator()] for each in parsed]
    for chosen in itertools.product(*values):
        yield [f"experiment=xor/{sweep}", *chosen]


def run(sweep: str) -> pd.DataFrame:
    """Train the networks of a sweep: one row each. The numbers are those that the command has, which tracks them."""
    return pd.concat([run_cell(sweep, overrides) for overrides in cells(sweep)], ignore_index=True)


def run_cell(sweep: str, overrides: list[str]) -> pd.DataFrame:
    """Train the networks of one cell of a sweep: one row each."""
    settings = initodds.settings(*overrides)
    cell = initodds.run(settings)
    print(*overrides, cell, flush=True)
    frame = initodds.replicates_frame(cell).assign(wrong=wrong_outright(cell))
    return frame[["replicate", "outcome", "accuracy", "cost", "wrong", "cause", "point"]].assign(
        sweep=sweep,
        hidden=settings.network.hidden[0],
        activation=settings.network.activation,
        cost_function=settings.network.cost,
        half_width=settings.init["half_width"],
        rate=settings.sgd.learning_rate,
        momentum=settings.optimizer["momentum"],
        epochs=settings.sgd.epochs,
        seed=settings.seed,
    )


def wrong_outright(cell: initodds.Cell) -> Array:
    """(R,) int: how many of the four answers of each network are wrong outright."""
    x, y = (np.asarray(array, np.float64) for array in (cell.data.train.x, cell.data.train.y))
    stack = Stack(cell.subject.network, cell.history.layers, np.dtype(np.float64))
    answers = stack.forward(x, stack.buffers(len(x)))
    return (abs(answers[:, :, 0] - y.reshape(1, -1)) > WRONG).sum(axis=1)


def write(sweep: str, rows: pd.DataFrame) -> None:
    """Put the rows of a sweep into results.csv.xz, in place of those that it had there."""
    before = pd.read_csv(RESULTS, keep_default_na=False, low_memory=False) if RESULTS.exists() else rows.head(0)
    columns = [*SETTINGS, "seed", "replicate", "outcome", "accuracy", "cost", "wrong", "cause", "point"]
    after = pd.concat([before[before["sweep"] != sweep].astype(object), rows.astype(object)])[columns]
    cost = pd.to_numeric(after["cost"]).map("{:.4g}".format).where(after["cost"].notna() & (after["cost"] != ""), "")
    after.assign(cost=cost).to_csv(RESULTS, index=False)


def read() -> pd.DataFrame:
    """The committed results, with what each network answers."""
    frame = pd.read_csv(RESULTS, keep_default_na=False, na_values={"cost": [""]})
    return frame.assign(kind=kinds(frame), solved=frame["outcome"] == "converged")


def kinds(frame: pd.DataFrame) -> pd.Series:
    """What each network answers, one of `KINDS`, told from its outcome, its cost and how many answers are wrong
    outright: one of them costs what one half for all four does."""
    kind = pd.Series("elsewhere", frame.index)
    for cost_function, levels in LEVELS.items():
        for name, level in levels.items():
            near = (frame["cost"] / level - 1).abs() < NEAR
            kind[(frame["cost_function"] == cost_function) & near] = name
    return kind.mask(frame["wrong"] > 0, "wrong outright").mask(frame["outcome"] == "converged", "solved")


def classic(frame: pd.DataFrame) -> pd.DataFrame:
    """Two logistic units, quadratic cost, rate 0.5, momentum 0.9, 2,000 epochs, over the range."""
    part = frame[frame["sweep"].isin(["range", "best"])]
    return part[(part["activation"] == "logistic") & (part["cost_function"] == "quadratic")]


def best_range(frame: pd.DataFrame, between: tuple[float, float] = WINDOWS[0]) -> tuple[float, float, float, float]:
    """The half-width at which most classic networks solve, its 95 % interval, and the share solved there.

    A cubic of ln h is fitted to the log-odds between two half-widths; the interval is that of 1,000 parametric
    bootstraps with seed 0.
    """
    part = classic(frame)
    part = part[part["half_width"].between(*between)]
    groups = part.groupby("half_width")["solved"].agg(["sum", "size"])
    place = np.log(groups.index.to_numpy(float))
    powers = np.vander(place, 4)
    count, n = groups["sum"].to_numpy(float), groups["size"].to_numpy(float)
    grid = np.linspace(place[0], place[-1], 2001)
    coefficients = fit_log_odds(powers, count, n)
    share = 1 / (1 + np.exp(-powers @ coefficients))
    rng = np.random.default_rng(0)
    tops = []
    for _ in range(1000):
        drawn = fit_log_odds(powers, rng.binomial(n.astype(int), share).astype(float), n)
        tops.append(grid[np.argmax(np.vander(grid, 4) @ drawn)])
    at = grid[np.argmax(np.vander(grid, 4) @ coefficients)]
    low, high = np.quantile(tops, [0.025, 0.975])
    most = 1 / (1 + np.exp(-np.vander([at], 4) @ coefficients))
    return float(np.exp(at)), float(np.exp(low)), float(np.exp(high)), float(most[0])


def fit_log_odds(powers: Array, count: Array, n: Array) -> Array:
    """The coefficients (k,) of the log-odds of `count` (m,) of `n` (m,) on `powers` (m, k), of the largest likelihood,
    by Newton's method.

    >>> fit_log_odds(np.ones((2, 1)), np.array([1.0, 2.0]), np.array([4.0, 8.0])).round(4).tolist()
    [-1.0986]
    """
    coefficients = np.zeros(powers.shape[1])
    for _ in range(25):
        share = 1 / (1 + np.exp(-powers @ coefficients))
        weight = n * share * (1 - share)
        step = np.linalg.solve(powers.T @ (weight[:, None] * powers), powers.T @ (count - n * share))
        coefficients = coefficients + step
    return coefficients


def table(rows: list[dict[str, object]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def solved_table(frame: pd.DataFrame, rows: list[str], columns: str) -> str:
    """Shares solved: a row for each combination of `rows`, a column for each value of `columns`."""
    lines = []
    for values, part in frame.groupby(rows, sort=False):
        row: dict[str, object] = dict(zip(rows, values, strict=True))
        lines.append(row | {f"{value:g}": rate(of["solved"]) for value, of in part.groupby(columns)})
    return table(lines)


def distinct(frame: pd.DataFrame) -> int:
    """How many networks were trained: one that two sweeps have, or that is trained for longer, counts once."""
    return len(
        frame.drop_duplicates([*(key for key in SETTINGS if key not in ("sweep", "epochs")), "seed", "replicate"])
    )


def tested(comparison: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of `compare` in words, without what they were compared within."""
    return [
        {
            "a": row["a"],
            "b": row["b"],
            "pairs": row["n"],
            "in a": percent(row["rate_a"]),
            "in b": percent(row["rate_b"]),
            "difference": f"{100 * row['difference']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]",
            "p": f"{row['p']:.2g}",
            "p after Holm": f"{row['p_holm']:.2g}",
        }
        for _, row in comparison.iterrows()
    ]


def over_ranges(frame: pd.DataFrame) -> str:
    """ReLU over the range from 0.1 to 2, the same networks in pairs."""
    part = frame[(frame["sweep"] == "range") & (frame["activation"] == "relu") & (frame["half_width"] <= 2)]
    return table(tested(compare(part, "half_width", paired=True)))


def costs_compared(frame: pd.DataFrame) -> str:
    """The two costs, the same networks in pairs."""
    part = frame[frame["sweep"].isin(["range", "cost"])]
    part = part[part["half_width"].isin(part.loc[part["sweep"] == "cost", "half_width"])]
    found = compare(part, "cost_function", within=["activation", "half_width"], paired=True)
    words = tested(found)
    keys = found[["activation", "half_width"]].to_dict("records")
    return table([key | row for key, row in zip(keys, words, strict=True)])


def failures(frame: pd.DataFrame) -> str:
    """What the networks that did not solve answer, over the range, for each activation and cost."""
    part = frame[frame["sweep"].isin(["range", "cost"]) & ~frame["solved"]]
    rows = []
    for (activation, cost_function), of_kind in part.groupby(["activation", "cost_function"], sort=False):
        for half_width, of_range in of_kind.groupby("half_width"):
            row: dict[str, object] = {"activation": activation, "cost": cost_function, "half-width": half_width}
            counts = of_range["kind"].value_counts()
            row |= {kind: rate_of(int(counts.get(kind, 0)), len(of_range)) for kind in KINDS if kind != "solved"}
            rows.append(row | {"diverged": rate(of_range["outcome"] == "diverged")})
    return table(rows)


def points(frame: pd.DataFrame) -> str:
    """The kinds of point that failures stand on, after 2,000 epochs and after ten times as many."""
    part = frame[(frame["sweep"] == "points") & ~frame["solved"]]
    keys = {"activation": "activation", "cost_function": "cost", "half_width": "half-width", "epochs": "epochs"}
    rows = []
    for values, group in part.groupby([*keys, "kind"], sort=True):
        row: dict[str, object] = dict(zip([*keys.values(), "answers"], values, strict=True))
        rows.append(row | {name: rate(group["point"] == point) for point, name in POINTS.items()})
    return table(rows)


def paired(frame: pd.DataFrame) -> pd.DataFrame:
    """The networks of the sweep `points`, one row each: after 2,000 epochs, and (`_later`) after 20,000."""
    part = frame[frame["sweep"] == "points"]
    keys = ["activation", "cost_function", "half_width", "replicate"]
    early, late = part[part["epochs"] == 2000], part[part["epochs"] == 20000]
    return early.merge(late, on=keys, suffixes=("", "_later"), validate="one_to_one")


def slow(frame: pd.DataFrame) -> str:
    """How many of the failures are solved with ten times as many epochs."""
    both = paired(frame)
    rows = []
    for (activation, cost_function, half_width), part in both.groupby(
        ["activation", "cost_function", "half_width"], sort=False
    ):
        failed = part[~part["solved"]]
        rows.append(
            {
                "activation": activation,
                "cost": cost_function,
                "half-width": half_width,
                "solved after 2,000": rate(part["solved"]),
                "solved after 20,000": rate(part["solved_later"]),
                "of the failures, only slow": rate(failed["solved_later"]),
            }
        )
    return table(rows)


def slow_kinds(frame: pd.DataFrame) -> str:
    """The same by what they answered after 2,000 epochs."""
    both = paired(frame)
    failed = both[~both["solved"]]
    keys = {"activation": "activation", "cost_function": "cost", "half_width": "half-width"}
    rows = []
    for values, part in failed.groupby([*keys, "kind"], sort=True):
        row: dict[str, object] = dict(zip([*keys.values(), "answered after 2,000"], values, strict=True))
        rows.append(row | {"only slow": rate(part["solved_later"])})
    return table(rows)


def slow_points(frame: pd.DataFrame) -> str:
    """The same by the kind of point that they stood on after 2,000 epochs."""
    both = paired(frame)
    failed = both[~both["solved"]]
    keys = {"activation": "activation", "cost_function": "cost", "half_width": "half-width"}
    rows = []
    for values, part in failed.groupby([*keys, "point"], sort=True):
        row: dict[str, object] = dict(zip([*keys.values(), "after 2,000"], values, strict=True))
        row["after 2,000"] = POINTS[str(row["after 2,000"])]
        row["answer otherwise after 20,000"] = rate(part["kind"] != part["kind_later"])
        rows.append(row | {"solved after 20,000": rate(part["solved_later"])})
    return table(rows)


def scaled(frame: pd.DataFrame) -> str:
    """Whether a network, and the same one with weights ten times as large (h = 0.1 and 1), have the same fate."""
    part = frame[frame["sweep"] == "range"]
    rows = []
    for activation, group in part.groupby("activation", sort=False):
        fate = group.pivot(index="replicate", columns="half_width", values="solved")
        row: dict[str, object] = {"activation": activation}
        for large in (1.0, 4.0):
            a, b = fate[0.1].mean(), fate[large].mean()
            row[f"0.1 and {large:g}: both or neither"] = rate(fate[0.1] == fate[large])
            row["by chance" if large == 1 else "by chance, 4"] = f"{percent(a * b + (1 - a) * (1 - b))} %"
        rows.append(row)
    return table(rows)


def best_ranges(frame: pd.DataFrame) -> str:
    """The best half-width by the window that is fitted."""
    lines = []
    for between in WINDOWS:
        at, low, high, most = best_range(frame, between)
        lines.append(
            f"- from {between[0]:g} to {between[1]:g}: h = {at:.3f} [{low:.3f}, {high:.3f}], where the fitted share is"
            f" {100 * most:.1f} %"
        )
    return "\n".join(lines)


def summary() -> str:
    """summary.md, from the committed results: every number that the README quotes."""
    frame = read()
    by_range = frame[frame["sweep"] == "range"]
    with_two = by_range[by_range["half_width"] == 1.0]
    hidden = pd.concat([with_two, frame[frame["sweep"] == "hidden"]])
    fine = classic(frame).sort_values("half_width")
    return f"""# Summary of results.csv.xz

Printed by study.py. {distinct(frame):,} distinct networks, all four examples a step, weights and biases from U[-h, h],
seed 0, and 1 where longer training is asked about. Solved: all four answers on the right side of one half. Rates as
count/n, percent, [95 % Wilson interval]. A replicate has the same draw in every cell of its seed and size, scaled by h:
the networks of one cell are independent, those of two cells are not.

## Two hidden units, rate 0.5, momentum 0.9, 2,000 epochs: solved over h

{solved_table(by_range, ["activation", "cost_function"], "half_width")}

{solved_table(frame[frame["sweep"] == "cost"], ["activation", "cost_function"], "half_width")}

The same networks by both costs (McNemar's exact test):

{costs_compared(frame)}

The same network with its weights scaled, and the share that agrees by chance:

{scaled(frame)}

ReLU, the same networks over h:

{over_ranges(frame)}

## The best h of two logistic units, quadratic cost

{solved_table(fine, ["activation", "cost_function"], "half_width")}

Most are solved, by the window of the fit:

{best_ranges(frame)}

## Hidden units, h = 1

{solved_table(hidden, ["activation", "cost_function"], "hidden")}

## Learning rate and momentum, h = 1, two hidden units, quadratic cost

{solved_table(frame[frame["sweep"] == "pace"], ["activation", "momentum"], "rate")}

## What the failures answer

{failures(frame)}

## What they stand on

"No way down": the gradient is under 1 % of a fresh network's, and no eigenvalue of the Hessian under -1 % of the
largest.

{points(frame)}

## Only slow: the same networks after 2,000 epochs and after 20,000

{slow(frame)}

{slow_kinds(frame)}

{slow_points(frame)}
"""


def line(ax: Axes, groups: pd.DataFrame, x: str, label: str, colour: str) -> None:
    """The share solved over `x`, with its 95 % band."""
    of_values = groups.groupby(x)["solved"].agg(["sum", "size"])
    low, high = np.array([interval(int(count), int(n)) for count, n in of_values.to_numpy()]).T
    ax.fill_between(of_values.index, low, high, color=colour, alpha=0.2, linewidth=0)
    ax.plot(of_values.index, of_values["sum"] / of_values["size"], "o-", markersize=4, color=colour, label=label)


def style(ax: Axes, title: str, xlabel: str) -> None:
    ax.set(title=title, xlabel=xlabel, ylim=(-0.02, 1.02))
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)


def log_ticks(ax: Axes, values: tuple[float, ...]) -> None:
    ax.set_xscale("log")
    ax.set_xticks(values, [f"{value:g}" for value in values])
    ax.minorticks_off()


def draw_range(frame: pd.DataFrame) -> None:
    """range.png: solved over the init range, for each activation and cost."""
    figure, axes = figures.panels(2, 12, 4.4)
    for cost_function, ax in zip(COSTS, axes, strict=True):
        part = frame[frame["sweep"].isin(["range", "best", "cost"]) & (frame["cost_function"] == cost_function)]
        for activation in ACTIVATIONS:
            line(ax, part[part["activation"] == activation], "half_width", activation, COLOURS[activation])
        style(ax, f"{cost_function.replace('_', '-')} cost", "h of the weights' range U[-h, h]")
        log_ticks(ax, HALF_WIDTHS)
    at, low, high, _ = best_range(frame)
    axes[0].axvspan(low, high, color="0.6", alpha=0.4, linewidth=0)
    axes[0].annotate(f"best: {at:.2f}", (high, 0.03), xytext=(6, 0), textcoords="offset points", fontsize="small")
    axes[0].set_ylabel("share that solves XOR\nwith 95 % band, n = 1500 or 2000")
    axes[1].legend(frameon=False, title="2 hidden units", loc="upper right")
    figure.savefig(FOLDER / "range.png")


def draw_failures(frame: pd.DataFrame) -> None:
    """failures.png: what the networks answer over the init range, and the costs they end with."""
    figure, axes = figures.panels(5, 16, 4.2)
    part = frame[(frame["sweep"] == "range") & (frame["cost_function"] == "quadratic")]
    for activation, ax in zip(ACTIVATIONS, axes, strict=False):
        of_kind = part[part["activation"] == activation]
        share = pd.crosstab(of_kind["half_width"], of_kind["kind"], normalize="index").reindex(columns=list(KINDS))
        bottom = np.zeros(len(share))
        for kind, colour in KINDS.items():
            values = share[kind].fillna(0).to_numpy()
            ax.bar(range(len(share)), values, 0.88, bottom, color=colour, label=kind)
            bottom += values
        ax.set_xticks(range(len(share)), [f"{half_width:g}" for half_width in share.index])
        ax.set(title=activation, xlabel="h", ylim=(0, 1))
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("share of networks, n = 1500 each")
    failed = part[~part["solved"] & (part["activation"] == "logistic")]
    last, edges = axes[-1], 2 ** ((np.arange(-6, 44) - 0.5) / 16 - 4)  # 1/16, 1/8 and 1/4 in the middle of a bar
    bottom = np.zeros(len(edges) - 1)
    for kind, colour in KINDS.items():
        count, _ = np.histogram(failed.loc[failed["kind"] == kind, "cost"], edges)
        last.bar(edges[:-1], count, np.diff(edges), bottom, align="edge", color=colour)
        bottom += count
    ticks = {"1/16": 1 / 16, "1/12": 1 / 12, "1/8": 1 / 8, "1/4": 1 / 4}
    last.set_xscale("log")
    last.set_xticks(list(ticks.values()), list(ticks), fontsize="small")
    last.minorticks_off()
    last.set(title=f"logistic: the {len(failed):,} failures", xlabel="cost", ylabel="networks")
    last.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
    figure.savefig(FOLDER / "failures.png")


def draw_remedies(frame: pd.DataFrame) -> None:
    """remedies.png: hidden units, rate and momentum, and time."""
    figure, axes = figures.panels(3, 15, 4.4)
    with_two = frame[(frame["sweep"] == "range") & (frame["half_width"] == 1.0)]
    hidden = pd.concat([with_two, frame[frame["sweep"] == "hidden"]])
    for activation in ACTIVATIONS:
        line(axes[0], hidden[hidden["activation"] == activation], "hidden", activation, COLOURS[activation])
    style(axes[0], "more hidden units (h = 1)", "hidden units, n = 1500 at 2, else 1000")
    axes[0].legend(frameon=False, loc="lower right")
    axes[0].set_ylabel("share that solves XOR, with 95 % band")
    pace = frame[frame["sweep"] == "pace"]
    for (activation, momentum), part in pace.groupby(["activation", "momentum"]):
        line(axes[1], part, "rate", f"{activation}, momentum {momentum:g}", COLOURS[str(activation)])
        if momentum == 0:
            axes[1].get_lines()[-1].set(linestyle="--", markerfacecolor="white")
    style(axes[1], "another rate (h = 1)", "learning rate, n = 800 each")
    log_ticks(axes[1], (0.1, 0.5, 2.5, 12.5))
    axes[1].legend(loc="center right", bbox_to_anchor=(1, 0.47), fontsize="x-small", framealpha=1, edgecolor="white")
    draw_time(frame, axes[2])
    figure.savefig(FOLDER / "remedies.png")


def draw_time(frame: pd.DataFrame, ax: Axes) -> None:
    """Solved after 2,000 and after 20,000 epochs, a row for each setting of the sweep `points`."""
    groups = list(paired(frame).groupby(["activation", "cost_function", "half_width"], sort=False))
    for place, ((activation, _, _), part) in enumerate(groups):
        early, late = part["solved"].mean(), part["solved_later"].mean()
        ax.hlines(place, early, late, color=COLOURS[activation], linewidth=2)
        ax.plot(early, place, "o", color=COLOURS[activation], markerfacecolor="white")
        low, high = interval(int(part["solved_later"].sum()), len(part))
        ax.hlines(place, low, high, color=COLOURS[activation], linewidth=7, alpha=0.25)
        ax.plot(late, place, "o", color=COLOURS[activation])
    names = [f"{activation}, {cost.replace('_', '-')}, h = {h:g}" for (activation, cost, h), _ in groups]
    ax.set_yticks(range(len(groups)), names)
    ax.invert_yaxis()
    ax.set(title="ten times as long", xlabel="share solved: 2,000 epochs (open), 20,000 (full), n = 200", xlim=(0, 1))
    ax.grid(axis="x", alpha=0.25)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def main() -> None:
    if sys.argv[1:] != ["analyse"]:
        for sweep in sys.argv[1:] or SWEEPS:
            write(sweep, run(sweep))
    text = summary()
    (FOLDER / "summary.md").write_text(text)
    print(text)
    frame = read()
    draw_range(frame)
    draw_failures(frame)
    draw_remedies(frame)


if __name__ == "__main__":
    main()
