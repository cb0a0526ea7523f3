"""How deep can one go? Deep networks on MNIST: sweeps, results.csv, summary.md and the figure.

python experiments/09-depth/study.py               everything
python experiments/09-depth/study.py tanh relu     these sweeps alone, and what there is so far
python experiments/09-depth/study.py analyse       the summary and the figure from the committed results
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

from initodds.analysis import boundary, load_replicates
from initodds.statistics import figures

FOLDER = Path(__file__).parent
WIDTH = 50
DEPTHS = {
    "tanh": (5, 10, 15, 20, 30, 40, 60),
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
SETTINGS = ["activation", "variance", "depth", "rate"]
Depth = tuple[float, float, float]
"""The depth up to which half of the networks converge, and its 95 % interval."""


def run(activation: str) -> None:
    """The networks of these units, tracked in runs.db."""
    depths = ",".join(f"[{','.join([str(WIDTH)] * depth)}]" for depth in DEPTHS[activation])
    sweep(
        FOLDER,
        "depth",
        overrides=[
            f"network.activation={activation}",
            f"network.hidden={depths}",
            "init=scaled_gaussian",
            f"init.gain={','.join(map(str, VARIANCES[activation]))}",
            f"init.bias_std={BIASES[activation] ** 0.5:.6g}",
            f"sgd.learning_rate={RATES[activation]}",
        ],
    )


def write_results() -> None:
    """Write results.csv from runs.db: one row a network."""
    frame = load_replicates(f"sqlite:///{FOLDER}/runs.db")
    tidy = frame.rename(
        columns={"network.activation": "activation", "init.gain": "variance", "sgd.learning_rate": "rate"}
    ).assign(depth=frame["network.hidden"].str.count(",") + 1)
    tidy = tidy[tidy["init"] == "scaled_gaussian"].sort_values([*SETTINGS, "replicate"])
    kept = [*SETTINGS, "seed", "replicate", "order", "outcome", "accuracy", "cost"]
    tidy[kept].to_csv(FOLDER / "results.csv", index=False, float_format="%.4g")


def trainable(part: pd.DataFrame) -> Depth:
    """The depth up to which half of the networks converge: the boundary over ln depth."""
    found = boundary(part.assign(depth=np.log(part["depth"])), x="depth").iloc[0]
    middle, low, high = (float(np.exp(found[name])) for name in ("boundary", "low", "high"))
    return middle, low, high


def trainable_depths(frame: pd.DataFrame, activation: str) -> list[Depth]:
    """The same for each of the variances."""
    part = frame[frame["activation"] == activation]
    return [trainable(part[part["variance"] == variance]) for variance in VARIANCES[activation]]


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
    part = frame[frame["activation"] == activation]
    rows = []
    for variance, of_variance in part.groupby("variance"):
        by_depth = of_variance.groupby("depth")["outcome"]
        row: dict[str, object] = {"variance": f"{variance:g}"}
        rows.append(row | {str(depth): rate(outcomes == outcome) for depth, outcomes in by_depth})
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
    return f"""# Summary of results.csv

Printed by study.py. {len(frame)} networks of {
        WIDTH
    } units a layer on mnist_5k, softmax outputs and cross-entropy, batches
of 20, 10 epochs. Converged: a test accuracy of at least 85 %, and no dead digit. Rates as count/n, percent, [95 %
Wilson interval]; depths with the 95 % interval of the profile likelihood. The variance is that of the weights times
fan_in; xi is the depth scale of mean-field theory.

## The edge of chaos

{edges()}

{parts}
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


def main() -> None:
    asked = sys.argv[1:] or [*DEPTHS]
    if asked != ["analyse"]:
        for activation in asked:
            run(activation)
        write_results()
    text = summary()
    (FOLDER / "summary.md").write_text(text)
    print(text)
    draw(read_results(FOLDER))


if __name__ == "__main__":
    main()
