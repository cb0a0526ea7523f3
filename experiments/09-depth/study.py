"""How deep can one go? Deep networks on MNIST: sweeps, results.csv, summary.md and the figures.

python experiments/09-depth/study.py               everything
python experiments/09-depth/study.py tanh width    these sweeps alone, and what there is so far
python experiments/09-depth/study.py analyse       the summary and the figures from the committed results
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import initodds  # noqa: F401  settles BLAS before NumPy loads

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import mean_field
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter
from studies import rate, read_results, sweep
from tabulate import tabulate

from initodds.analysis import boundary, load_replicates
from initodds.statistics import figures

FOLDER = Path(__file__).parent
WIDTH = 50
DEPTHS = {
    "tanh": (5, 10, 15, 20, 30, 40, 50, 60),
    "relu": (5, 10, 15, 20, 30, 40, 50, 60),
    "logistic": (1, 2, 4, 6, 8, 12, 16, 24),
}
VARIANCES = {
    "tanh": (1.0, 1.3, 1.76, 2.5, 4.0),
    "relu": (1.0, 1.5, 1.8, 2.0, 2.2, 2.5, 3.0),
    "logistic": (1.0, 4.0, 16.0, 36.0, 64.0, 100.0, 200.0),
}
"""Of the weights, times fan_in."""
BIASES = {"tanh": 0.05, "relu": 0.0, "logistic": 0.0}
"""The variance of the biases: of tanh as in Schoenholz et al. (2017), of the others 0."""
RATES = {"tanh": 0.01, "relu": 0.01, "logistic": 0.3}
PRESCRIPTIONS = {
    "tanh": {
        "Glorot": "init=xavier_normal",
        "He": "init=he_normal",
        "orthogonal": "init=orthogonal init.gain=1.0",
        "orthogonal, gain 5/3": "init=orthogonal init.gain=auto",
    },
    "relu": {"Glorot": "init=xavier_normal", "orthogonal, gain sqrt 2": "init=orthogonal init.gain=auto"},
    "logistic": {"Glorot": "init=xavier_normal"},
}
"""Of Glorot and Bengio (2010), He et al. (2015), and Saxe et al. (2014) with torch's gains too; biases of 0. ReLU's He
is the variance of 2 above."""
EDGE = {"tanh": 1.76, "relu": 2.0}
"""The variance that is nearest to the edge of chaos."""
BEST = EDGE | {"logistic": 36.0}
"""The same; of logistic units the one that goes deepest."""
NAMES = {"tanh": "tanh", "relu": "ReLU", "logistic": "logistic"}
WIDTHS = (25, 100)
"""Other widths that are tried there."""
MORE = ("replicates=64",)
"""Where a claim hangs on one setting, so many networks of it, the first of them those of the other sweeps."""
SWEEPS = (*DEPTHS, "prescriptions", "width", "more")
SETTINGS = ["activation", "weights", "variance", "width", "depth", "rate"]
COLOUR = "#0072B2"
Depth = tuple[float, float, float]
"""The depth up to which half of the networks converge, and its 95 % interval."""


def run(name: str) -> None:
    """One of the `SWEEPS`, tracked in runs.db."""
    if name in DEPTHS:
        train(name, WIDTH, *normal(name, *VARIANCES[name]))
    elif name == "prescriptions":
        for activation, rules in PRESCRIPTIONS.items():
            for rule in rules.values():
                train(activation, WIDTH, *rule.split())
    elif name == "width":
        for activation, variance in EDGE.items():
            for width in WIDTHS:
                train(activation, width, *normal(activation, variance), "replicates=4")
    else:
        train("logistic", WIDTH, PRESCRIPTIONS["logistic"]["Glorot"], *MORE, depths=(8,))
        train("logistic", WIDTH, *normal("logistic", 36.0), *MORE, depths=(8,))
        for width in (50, 100):
            train("relu", width, *normal("relu", EDGE["relu"]), *MORE, depths=(30,))


def normal(activation: str, *variances: float) -> list[str]:
    """Weights from N(0, variance / fan_in)."""
    biases = f"init.bias_std={BIASES[activation] ** 0.5:.6g}"
    return ["init=scaled_gaussian", f"init.gain={','.join(map(str, variances))}", biases]


def train(activation: str, width: int, *rest: str, depths: Sequence[int] = ()) -> None:
    """Networks of these depths, or of all."""
    hidden = ",".join(f"[{','.join([str(width)] * depth)}]" for depth in depths or DEPTHS[activation])
    asked = [f"network.activation={activation}", f"network.hidden={hidden}", f"sgd.learning_rate={RATES[activation]}"]
    sweep(FOLDER, "depth", overrides=[*asked, *rest])


def write_results() -> None:
    """Write results.csv from runs.db: one row a network. Its weights are "normal" or one of the `PRESCRIPTIONS`."""
    frame = load_replicates(f"sqlite:///{FOLDER}/runs.db")
    frame = frame.rename(columns={"network.activation": "activation", "sgd.learning_rate": "rate"})
    is_normal, gains = frame["init"] == "scaled_gaussian", frame["init.gain"].astype(str)
    layers = frame["network.hidden"].str.strip("[]").str.split(",")
    frame["weights"] = "normal"
    for activation, rules in PRESCRIPTIONS.items():
        for name, rule in rules.items():
            init, *gain = rule.removeprefix("init=").split(" init.gain=")
            of_rule = (frame["activation"] == activation) & (frame["init"] == init)
            frame.loc[of_rule & (gains == gain[0] if gain else True), "weights"] = name
    variance = pd.to_numeric(gains.where(is_normal))
    tidy = frame.assign(variance=variance, depth=layers.str.len(), width=layers.str[0].astype(int))
    kept = [*SETTINGS, "seed", "replicate", "order", "outcome", "accuracy", "cost"]
    ordered = tidy.sort_values([*SETTINGS, "replicate"])[kept]
    ordered.to_csv(FOLDER / "results.csv", index=False, float_format="%.4g")


def of_weights(
    frame: pd.DataFrame, activation: str, weights: str, variance: float | None = None, width: int = WIDTH
) -> pd.DataFrame:
    """The networks of all depths with these weights."""
    part = frame[(frame["activation"] == activation) & (frame["weights"] == weights) & (frame["width"] == width)]
    return part if variance is None else part[part["variance"] == variance]


def trainable(part: pd.DataFrame) -> Depth:
    """The depth up to which half of the networks converge: the boundary over ln depth; NaN where it is not crossed."""
    found = boundary(part.assign(depth=np.log(part["depth"])), x="depth").iloc[0]
    middle, low, high = (float(np.exp(found[name])) for name in ("boundary", "low", "high"))
    return middle, low, high


def in_words(part: pd.DataFrame) -> str:
    """That depth in whole layers, which is what the depths that are tried allow, or that all are trainable."""
    middle, low, high = trainable(part)
    return f"over {part['depth'].max()}" if np.isnan(middle) else f"{middle:.0f} [{low:.0f}, {high:.0f}]"


def tried(part: pd.DataFrame) -> str:
    """The last depth up to which at least half converge, and the next that is tried, with how many do."""
    counts = (part["outcome"] == "converged").groupby(part["depth"]).agg(["sum", "size"])
    fewer = (counts["sum"] < counts["size"] / 2).to_numpy()
    first = int(fewer.argmax()) if fewer.any() else len(counts)
    return ", ".join(f"{row.Index}: {row.sum}/{row.size}" for row in counts.iloc[first - 1 : first + 1].itertuples())


def trainable_depths(frame: pd.DataFrame, activation: str) -> list[Depth]:
    """The same for each of the variances."""
    return [trainable(of_weights(frame, activation, "normal", variance)) for variance in VARIANCES[activation]]


def scales(activation: str, variances: tuple[float, ...]) -> list[float]:
    """Theory's depth scale at each of the variances."""
    return [mean_field.depth_scale(activation, variance, BIASES[activation]) for variance in variances]


def table(rows: list[dict[str, object]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def theory_table(frame: pd.DataFrame) -> str:
    """A row for each variance: theory's scale, the trainable depth, and how many scales that is."""
    rows = []
    for activation, variances in VARIANCES.items():
        depths = trainable_depths(frame, activation)
        for variance, scale, depth in zip(variances, scales(activation, variances), depths, strict=True):
            on_edge, part = scale > 1000, of_weights(frame, activation, "normal", variance)
            in_scales = "" if on_edge else "{:.1f} [{:.1f}, {:.1f}]".format(*(each / scale for each in depth))
            row = {"units": NAMES[activation], "variance": f"{variance:g}"}
            row |= {"xi": "infinite" if on_edge else f"{scale:.2f}", "n": f"{len(part)}"}
            rows.append(row | depth_columns(part) | {"in xi": in_scales})
    return table(rows)


def depth_columns(part: pd.DataFrame) -> dict[str, str]:
    return {"half converge up to": in_words(part), "layers: converged": tried(part)}


def failures(frame: pd.DataFrame) -> str:
    """What becomes of the networks that do not converge, at the first depth where these are most, and at the last."""
    rows, slow = [], 0
    for activation, variances in VARIANCES.items():
        for variance in variances:
            part = of_weights(frame, activation, "normal", variance)
            shares = (part["outcome"] == "converged").groupby(part["depth"]).mean()
            places = {"first": shares.index[shares < 0.5][0], "last": shares.index[-1]}
            found = {name: lost(part[part["depth"] == depth]) for name, depth in places.items()}
            slow += found["first"][["unfinished", "partial"]].sum() > found["first"].sum() / 2
            row = {"units": NAMES[activation], "variance": f"{variance:g}"}
            for name, depth in places.items():
                counts = ", ".join(f"{count} {outcome}" for outcome, count in found[name].items() if count)
                row[f"{name} depth at which most fail"] = f"{depth}: {counts}"
            rows.append(row)
    return f"{table(rows)}\n\nAt the first depth most are unfinished or partial in {slow} of {len(rows)} settings."


def lost(part: pd.DataFrame) -> pd.Series:
    """How many networks have each of the outcomes but the best."""
    return part["outcome"].value_counts().reindex(["unfinished", "partial", "stuck", "diverged"], fill_value=0)


def rate_table(frame: pd.DataFrame, activation: str, outcome: str) -> str:
    """A row for each variance: the share with the outcome over the depth."""
    rows = []
    for variance, part in of_weights(frame, activation, "normal").groupby("variance"):
        rows.append({"variance": f"{variance:g}"} | over_depth(part, outcome))
    return table(rows)


def over_depth(part: pd.DataFrame, outcome: str = "converged") -> dict[str, object]:
    return {str(depth): rate(outcomes == outcome) for depth, outcomes in part.groupby("depth")["outcome"]}


def of_other_weights(frame: pd.DataFrame, activation: str) -> dict[tuple[str, int], pd.DataFrame]:
    """The networks of the prescriptions, and those of each width with normal weights at the edge of chaos (logistic:
    of the variance that goes deepest); by the name of their weights, and their width."""
    parts = {(name, WIDTH): of_weights(frame, activation, name) for name in PRESCRIPTIONS[activation]}
    variance = BEST[activation]
    for width in sorted((WIDTH, *WIDTHS)) if activation in EDGE else (WIDTH,):
        parts[f"normal, variance {variance:g}", width] = of_weights(frame, activation, "normal", variance, width)
    return parts


def weights_table(frame: pd.DataFrame) -> str:
    """A row for each of these: the depth up to which half converge."""
    rows = []
    for activation in DEPTHS:
        for (name, width), part in of_other_weights(frame, activation).items():
            row = {"units": NAMES[activation], "weights": name, "units a layer": f"{width}", "n": f"{len(part)}"}
            rows.append(row | depth_columns(part))
    return table(rows)


def other_rates(frame: pd.DataFrame, activation: str) -> str:
    """The share that converges of each of these, over the depth."""
    parts = of_other_weights(frame, activation)
    return table([{"": f"{name}, {width} units"} | over_depth(part) for (name, width), part in parts.items()])


def edges() -> str:
    """Where theory has the edge of chaos."""
    tanh = [f"{mean_field.edge('tanh', biases, (0.9, 3)):.3f}" for biases in (1e-12, 0.05)]
    logistic = mean_field.edge("logistic", 0.0, (50, 200))
    return f"""- tanh, biases of variance 0: {tanh[0]}; of 0.05: {tanh[1]}
- ReLU, biases of 0: 2
- logistic, biases of 0: {logistic:.1f}"""


def summary() -> str:
    """summary.md, from the committed results: every number that the README quotes."""
    frame = read_results(FOLDER)
    rates = "\n\n".join(
        f"""## {NAMES[activation]}, rate {RATES[activation]:g}, biases of variance {BIASES[activation]:g}

Share that converges, over the number of hidden layers:

{rate_table(frame, activation, "converged")}

Share that is stuck:

{rate_table(frame, activation, "stuck")}

Share that diverged:

{rate_table(frame, activation, "diverged")}

Share that converges of other weights and widths:

{other_rates(frame, activation)}"""
        for activation in DEPTHS
    )
    return f"""# Summary of results.csv

Printed by study.py. {len(frame)} networks on mnist_5k, of {WIDTH} units a layer where no other width is named, softmax
outputs and cross-entropy, batches of 20, 10 epochs. Converged: a test accuracy of at least 85 %, and no dead digit.
Rates as count/n, percent, [95 % Wilson interval]; depths with the 95 % interval of the profile likelihood, beside the
depths that were tried on either side, with how many converge. The variance is that of the weights times fan_in; xi is
the depth scale of mean-field theory.

## The edge of chaos

{edges()}

## Against theory

{theory_table(frame)}

## Other weights and widths

{weights_table(frame)}

## Those that fail

{failures(frame)}

{rates}
"""


def draw(frame: pd.DataFrame) -> None:
    """depth.png: the trainable depth over the weights' variance, with theory's scale."""
    figure, axes = figures.panels(3, 15, 5.2)
    for activation, ax in zip(DEPTHS, axes, strict=True):
        variances = np.array(VARIANCES[activation])
        fine = np.geomspace(variances[0] / 1.15, variances[-1] * 1.15, 200)
        of_theory = np.array(scales(activation, tuple(fine)))
        ax.plot(fine, 6 * of_theory, "k--", linewidth=1.2, label=r"theory: 6 $\xi$")
        ax.plot(fine, of_theory, "k:", linewidth=1.2, label=r"theory: $\xi$")
        middle, low, high = np.array(trainable_depths(frame, activation)).T
        ax.plot(variances, middle, "o-", color=COLOUR, linewidth=1, label="measured, with 95 % interval")
        ax.vlines(variances, low, high, color=COLOUR, linewidth=2.5)
        style(ax, activation)
    axes[0].set_ylabel("hidden layers up to which half converge\nn = 8 or more at each depth")
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    figure.savefig(FOLDER / "depth.png")


def style(ax: Axes, activation: str) -> None:
    variances, depths = VARIANCES[activation], DEPTHS[activation]
    ax.set(xscale="log", yscale="log", xlabel="variance of the weights, times fan_in")
    ax.set(title=f"{NAMES[activation]}, learning rate {RATES[activation]:g}")
    ax.set(ylim=(depths[0] / 1.5, depths[-1] * 1.6))
    ax.set_xticks(variances, [f"{each:g}" for each in variances], fontsize="small")
    ax.set_yticks(depths)
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.minorticks_off()
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)


def draw_others(frame: pd.DataFrame) -> None:
    """others.png: the trainable depth of other weights and widths, an arrow where it is over the deepest."""
    figure, axes = figures.panels(3, 17, 3.6)
    for activation, ax in zip(DEPTHS, axes, strict=True):
        parts, deepest = of_other_weights(frame, activation), DEPTHS[activation][-1]
        middle, low, high = np.array([trainable(part) for part in parts.values()]).T
        places, over = np.arange(len(parts))[::-1], np.isnan(middle)
        ax.hlines(places[~over], low[~over], high[~over], color=COLOUR, linewidth=2.5)
        ax.plot(middle, places, "o", color=COLOUR)
        ax.plot(np.full(over.sum(), deepest), places[over], ">", color=COLOUR, markersize=10)
        labels = [f"{name}, {width} units, n = {len(part)}" for (name, width), part in parts.items()]
        ax.set_yticks(places, labels, fontsize="small")
        ax.set(title=NAMES[activation], xlim=(0, 1.06 * deepest), ylim=(-0.6, len(parts) - 0.4))
        ax.grid(axis="x", alpha=0.25)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
    figure.supxlabel("hidden layers up to which half converge, with 95 % interval; n: of all depths", fontsize="medium")
    figure.savefig(FOLDER / "others.png")


def main() -> None:
    asked = sys.argv[1:] or [*SWEEPS]
    if asked != ["analyse"]:
        for name in asked:
            run(name)
        write_results()
    text = summary()
    (FOLDER / "summary.md").write_text(text)
    print(text)
    frame = read_results(FOLDER)
    draw(frame)
    draw_others(frame)


if __name__ == "__main__":
    main()
