"""How deep can one go? Deep networks on MNIST: sweeps, results.csv, summary.md and the figures.

python experiments/09-depth/study.py               everything
python experiments/09-depth/study.py tanh width    these sweeps alone, and what there is so far
python experiments/09-depth/study.py analyse       the summary and the figures from the committed results
"""

import sys
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

from initodds.analysis import boundary, interval, load_replicates
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
}
"""Of Glorot and Bengio (2010), He et al. (2015), and Saxe et al. (2014) with torch's gains too; biases of 0. ReLU's He
is the variance of 2 above."""
EDGE = {"tanh": 1.76, "relu": 2.0}
"""The variance that is nearest to the edge of chaos."""
WIDTHS = (25, 100)
"""Other widths that are tried there."""
SWEEPS = (*DEPTHS, "prescriptions", "width")
SETTINGS = ["activation", "weights", "variance", "width", "depth", "rate"]
COLOURS = ("#0072B2", "#E69F00", "#D55E00", "#56B4E9", "#009E73")
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
    else:
        for activation, variance in EDGE.items():
            for width in WIDTHS:
                train(activation, width, *normal(activation, variance), "replicates=4")


def normal(activation: str, *variances: float) -> list[str]:
    """Weights from N(0, variance / fan_in)."""
    biases = f"init.bias_std={BIASES[activation] ** 0.5:.6g}"
    return ["init=scaled_gaussian", f"init.gain={','.join(map(str, variances))}", biases]


def train(activation: str, width: int, *rest: str) -> None:
    """Networks of all depths."""
    depths = ",".join(f"[{','.join([str(width)] * depth)}]" for depth in DEPTHS[activation])
    asked = [f"network.activation={activation}", f"network.hidden={depths}", f"sgd.learning_rate={RATES[activation]}"]
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
    """That depth, or that all depths are trainable."""
    middle, low, high = trainable(part)
    return f"over {part['depth'].max()}" if np.isnan(middle) else f"{middle:.1f} [{low:.1f}, {high:.1f}]"


def trainable_depths(frame: pd.DataFrame, activation: str) -> list[Depth]:
    """The same for each of the variances."""
    return [trainable(of_weights(frame, activation, "normal", variance)) for variance in VARIANCES[activation]]


def scales(activation: str, variances: tuple[float, ...]) -> list[float]:
    """Theory's depth scale at each of the variances."""
    return [mean_field.depth_scale(activation, variance, BIASES[activation]) for variance in variances]


def table(rows: list[dict[str, object]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def depth_table(frame: pd.DataFrame, activation: str) -> str:
    """A row for each variance: theory's scale, the trainable depth, and how many scales that is."""
    variances = VARIANCES[activation]
    rows = []
    for variance, scale, depth in zip(
        variances, scales(activation, variances), trainable_depths(frame, activation), strict=True
    ):
        on_edge = scale > 1000
        rows.append(
            {
                "variance": f"{variance:g}",
                "xi": "infinite" if on_edge else f"{scale:.2f}",
                "half converge up to": "{:.1f} [{:.1f}, {:.1f}]".format(*depth),
                "in xi": "" if on_edge else "{:.1f} [{:.1f}, {:.1f}]".format(*(each / scale for each in depth)),
            }
        )
    return table(rows)


def rate_table(frame: pd.DataFrame, activation: str, outcome: str) -> str:
    """A row for each variance: the share with the outcome over the depth."""
    rows = []
    for variance, part in of_weights(frame, activation, "normal").groupby("variance"):
        rows.append({"variance": f"{variance:g}"} | over_depth(part, outcome))
    return table(rows)


def over_depth(part: pd.DataFrame, outcome: str = "converged") -> dict[str, object]:
    return {str(depth): rate(outcomes == outcome) for depth, outcomes in part.groupby("depth")["outcome"]}


def of_other_weights(frame: pd.DataFrame, activation: str) -> dict[str, pd.DataFrame]:
    """The networks of the prescriptions, and with normal weights at the edge of chaos."""
    at_edge = f"normal, variance {EDGE[activation]:g}"
    parts = {name: of_weights(frame, activation, name) for name in PRESCRIPTIONS[activation]}
    return parts | {at_edge: of_weights(frame, activation, "normal", EDGE[activation])}


def of_other_widths(frame: pd.DataFrame, activation: str) -> dict[str, pd.DataFrame]:
    """The networks at the edge of chaos, by their width."""
    widths = sorted((WIDTH, *WIDTHS))
    return {f"{width} units": of_weights(frame, activation, "normal", EDGE[activation], width) for width in widths}


def depth_rows(parts: dict[str, pd.DataFrame]) -> str:
    """A row for each part: the depth up to which half converge, and the share that does over the depth."""
    rows = []
    for name, part in parts.items():
        row: dict[str, object] = {"": name, "half converge up to": in_words(part)}
        rows.append(row | over_depth(part) | {"all depths": rate(part["outcome"] == "converged")})
    return table(rows)


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
    parts = "\n\n".join(
        f"""## {activation}, rate {RATES[activation]:g}, biases of variance {BIASES[activation]:g}

{depth_table(frame, activation)}

Share that converges, over the number of hidden layers:

{rate_table(frame, activation, "converged")}

Share that is stuck:

{rate_table(frame, activation, "stuck")}

Share that diverged:

{rate_table(frame, activation, "diverged")}"""
        for activation in DEPTHS
    )
    others = "\n\n".join(
        f"""## {activation}: prescriptions, rate {RATES[activation]:g}

{depth_rows(of_other_weights(frame, activation))}

## {activation}: width, variance {EDGE[activation]:g}, rate {RATES[activation]:g}

{depth_rows(of_other_widths(frame, activation))}"""
        for activation in EDGE
    )
    return f"""# Summary of results.csv

Printed by study.py. {len(frame)} networks on mnist_5k, of {WIDTH} units a layer where no other width is named, softmax
outputs and cross-entropy, batches of 20, 10 epochs. Converged: a test accuracy of at least 85 %, and no dead digit.
Rates as count/n, percent, [95 % Wilson interval]; depths with the 95 % interval of the profile likelihood. The variance
is that of the weights times fan_in; xi is the depth scale of mean-field theory.

## The edge of chaos

{edges()}

{parts}

{others}
"""


def draw(frame: pd.DataFrame) -> None:
    """depth.png: the trainable depth over the weights' variance, with theory's scale."""
    figure, axes = figures.panels(3, 15, 4.8)
    for activation, ax in zip(DEPTHS, axes, strict=True):
        variances = np.array(VARIANCES[activation])
        fine = np.geomspace(variances[0] / 1.15, variances[-1] * 1.15, 200)
        of_theory = np.array(scales(activation, tuple(fine)))
        ax.plot(fine, 6 * of_theory, "k--", linewidth=1.2, label=r"theory: 6 $\xi$")
        ax.plot(fine, of_theory, "k:", linewidth=1.2, label=r"theory: $\xi$")
        middle, low, high = np.array(trainable_depths(frame, activation)).T
        ax.plot(variances, middle, "o-", color="#0072B2", linewidth=1, label="measured, with 95 % interval")
        ax.vlines(variances, low, high, color="#0072B2", linewidth=2.5)
        style(ax, activation)
    axes[0].set_ylabel("hidden layers up to which half converge")
    axes[2].legend(frameon=False, fontsize="x-small", loc="lower right")
    figure.savefig(FOLDER / "depth.png")


def style(ax: Axes, activation: str) -> None:
    variances, depths = VARIANCES[activation], DEPTHS[activation]
    ax.set(xscale="log", yscale="log", xlabel="variance of the weights, times fan_in")
    ax.set(title=f"{activation}, learning rate {RATES[activation]:g}", ylim=(depths[0] / 1.5, depths[-1] * 1.6))
    ax.set_xticks(variances, [f"{each:g}" for each in variances], fontsize="small")
    ax.set_yticks(depths)
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.minorticks_off()
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)


def draw_others(frame: pd.DataFrame) -> None:
    """others.png: the share that converges over the depth, for the prescriptions and other widths."""
    figure, axes = figures.panels(4, 17, 4.2)
    for activation, (left, right) in zip(EDGE, (axes[:2], axes[2:]), strict=True):
        titles = f"{activation}, {WIDTH} units a layer", f"{activation}, normal, variance {EDGE[activation]:g}"
        parts = of_other_weights(frame, activation), of_other_widths(frame, activation)
        for ax, title, of_panel in zip((left, right), titles, parts, strict=True):
            for name, part in of_panel.items():
                line(ax, part, name)
            ax.set(title=title, xscale="log", xlabel="hidden layers", ylim=(-0.03, 1.03))
            ax.set_xticks(DEPTHS[activation], [str(depth) for depth in DEPTHS[activation]], fontsize="small")
            ax.minorticks_off()
            ax.grid(alpha=0.25)
            ax.spines[["top", "right"]].set_visible(False)
            ax.legend(frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    axes[0].set_ylabel("share that converges, with 95 % interval")
    figure.savefig(FOLDER / "others.png")


def line(ax: Axes, part: pd.DataFrame, label: str) -> None:
    """The share that converges over the depth; several lines stand beside each other."""
    groups = (part["outcome"] == "converged").groupby(part["depth"]).agg(["sum", "size"])
    place = len(ax.get_lines())
    depths, colour = groups.index.to_numpy() * 1.02 ** (place - 1), COLOURS[place]
    low, high = np.array([interval(int(count), int(n)) for count, n in groups.to_numpy()]).T
    ax.vlines(depths, low, high, color=colour, linewidth=2.5, alpha=0.4)
    ax.plot(depths, groups["sum"] / groups["size"], "o-", color=colour, markersize=4, label=label)


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
