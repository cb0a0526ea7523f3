"""Does ReLU die? Networks drawn and trained, born.csv, died.csv.xz, summary.md and the figures.

python experiments/08-dying-relu/study.py            everything
python experiments/08-dying-relu/study.py born       the networks that are drawn alone; the others stay
python experiments/08-dying-relu/study.py died       the networks that are trained alone
python experiments/08-dying-relu/study.py analyse    the summary and the figures from the committed results
"""

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import initodds

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from studies import percent, rate, rate_of
from tabulate import tabulate

from initodds.analysis import compare, interval
from initodds.cells.streams import WEIGHTS, random_stream
from initodds.cells.subject import subject_of
from initodds.initializers import Initializer, RandomizedAsymmetric, TorchLinear, VarianceScaling, WithBias
from initodds.networks.network import Layer, Network, Stack
from initodds.statistics import figures

FOLDER = Path(__file__).parent
BORN, DIED = FOLDER / "born.csv", FOLDER / "died.csv.xz"
Array = np.ndarray

ABS = FOLDER.parent / "05-reports" / "abs.csv"
DATA = {
    "abs": (f"data=table data.path={ABS} data.target=y data.scale=raw data.scale_targets=raw network.output=linear"),
    "wine": "data=wine network.output=softmax network.cost=cross_entropy",
}
"""y = abs(x) at 301 points from -sqrt 3 to sqrt 3, and 142 wines with 13 standardized measurements."""

HE = VarianceScaling(2.0, "fan_in", "normal")
INITS: dict[str, tuple[str, Initializer]] = {
    "He, biases 0": ("init=he_normal", HE),
    "He, biases N(0, 1)": ("init=he_normal init.bias_std=1", replace(HE, bias_std=1.0)),
    "He, biases 0.1": ("init=he_normal init.bias=0.1", WithBias(HE, 0.1)),
    "torch's own": ("init=torch_linear", TorchLinear()),
    "randomized asymmetric": ("init=randomized_asymmetric", RandomizedAsymmetric()),
    "He, biases -0.1": ("init=he_normal init.bias=-0.1", WithBias(HE, -0.1)),
    "He, biases N(0, 0.1^2)": ("init=he_normal init.bias_std=0.1", replace(HE, bias_std=0.1)),
}
"""What the command calls it, and the rule itself."""

SIGNS = ("He, biases -0.1", "He, biases N(0, 0.1^2)")
"""Whether it is the sign or the size of a bias that counts is asked at three units a layer alone."""

DEEPEST, DRAWN = 30, 1000
WIDTHS = {"abs": (2, 3, 4, 5, 7, 10, 20, 30), "wine": (2, 3, 5, 10)}
KINDS = [(data, init, width) for data in DATA for init in INITS for width in ((3,) if init in SIGNS else WIDTHS[data])]
"""The networks that are drawn."""
SHOWN = (1, 2, 5, 10, 20, 30)

TRAINED, TRAINED_NARROW_AND_DEEP = 100, 400
"""How many in a cell; the larger number at three units and ten layers, where death decides."""
TRAINED_INITS = ("He, biases 0", "torch's own", "He, biases 0.1", "randomized asymmetric")
TRAINED_WIDTHS, TRAINED_DEPTHS, RATES = (3, 10), (1, 3, 10), (0.01, 0.1)
TRAINING = "sgd.batch_size=10 sgd.epochs=20 sgd.checkpoints=0 diagnosis.of=none diagnosis.keep_weights=none"
COLOURS = dict(zip(INITS, ("#D55E00", "#E69F00", "#CC79A7", "#56B4E9", "#009E73"), strict=False))
FATES = {
    "born dead": "#000000",
    "died in training": "#D55E00",
    "alive, not converged": "#E69F00",
    "converged": "#009E73",
}
"""What becomes of a network that is trained, with its colour."""


def arguments(data: str, init: str, width: int, depth: int) -> list[str]:
    """What a cell of this study is asked for with."""
    hidden = f"network.hidden=[{','.join([str(width)] * depth)}]"
    return [*DATA[data].split(), *INITS[init][0].split(), "network.activation=relu", hidden]


def dead_layer(network: Network, layers: list[list[Layer]], x: Array) -> Array:
    """(R,) int: the first hidden layer, counted from 1, all of whose units are 0 for every one of the examples `x`
    (examples, features), so that no gradient passes it; 0 where there is none."""
    stack = Stack(network, layers, np.dtype(np.float64))
    buffers = stack.buffers(len(x))
    stack.forward(x, buffers)
    dead = np.array([(activations <= 0).all(axis=(1, 2)) for activations in buffers.activations[:-1]])
    return np.where(dead.any(axis=0), dead.argmax(axis=0) + 1, 0)


def draw_born() -> pd.DataFrame:
    """How many of the networks of each kind are dead from which layer on. A network of 30 hidden layers has in its
    first ones a network of any depth: they are drawn from the first to the last."""
    return pd.concat([born_of(*kind) for kind in KINDS], ignore_index=True)


def born_of(data: str, init: str, width: int) -> pd.DataFrame:
    """One row for each layer that is the first dead one of some of the networks drawn; layer 0 of those without."""
    subject = subject_of(initodds.settings(*arguments(data, init, width, DEEPEST)))
    x = np.asarray(subject.data.train.x, np.float64)
    numbers = np.arange(DRAWN).reshape(-1, 20)
    layers = ([drawn(subject.network, init, replicate) for replicate in some] for some in numbers)
    found = np.concatenate([dead_layer(subject.network, some, x) for some in layers])
    layer, networks = np.unique(found, return_counts=True)
    return pd.DataFrame({"data": data, "init": init, "width": width, "layer": layer, "networks": networks})


def drawn(network: Network, init: str, replicate: int) -> list[Layer]:
    """The layers of a replicate of seed 0: those that the command draws."""
    rng = random_stream(0, WEIGHTS, replicate)
    return [INITS[init][1](rng, *shape) for shape in network.layers]


def train_died() -> pd.DataFrame:
    """What became of the networks that were trained: one row each."""
    kinds = itertools.product(DATA, TRAINED_INITS, TRAINED_WIDTHS, TRAINED_DEPTHS, RATES)
    return pd.concat([died_of(*kind) for kind in kinds], ignore_index=True)


def died_of(data: str, init: str, width: int, depth: int, learning_rate: float) -> pd.DataFrame:
    """The networks of one cell that is trained, with its settings."""
    replicates = TRAINED_NARROW_AND_DEEP if (width, depth) == (3, 10) else TRAINED
    rest = [*TRAINING.split(), f"sgd.learning_rate={learning_rate}", f"replicates={replicates}"]
    key = {"data": data, "init": init, "width": width, "depth": depth, "rate": learning_rate}
    columns = [*key, "replicate", "born", "died", "outcome"]
    return train_cell([*arguments(data, init, width, depth), *rest]).assign(**key)[columns]


def train_cell(asked: list[str]) -> pd.DataFrame:
    """The networks of a cell: whether each was born dead, whether it is dead at the end, and its outcome."""
    cell = initodds.run(*asked)
    subject, x = cell.subject, np.asarray(cell.data.train.x, np.float64)
    initial = [subject.drawing.replicate(cell.settings.seed, int(replicate)) for replicate in cell.replicates]
    finite = cell.history.finite
    end = dead_layer(subject.network, [cell.history.layers[r] for r in np.flatnonzero(finite)], x)
    dead = np.zeros(len(finite), bool)
    dead[finite] = end > 0
    born = dead_layer(subject.network, initial, x) > 0
    return pd.DataFrame(
        {"replicate": cell.replicates, "born": born, "died": dead & ~born, "outcome": cell.judgement.outcome}
    ).astype({"born": int, "died": int})


def born_dead(born: pd.DataFrame, data: str, init: str, width: int, depth: int) -> tuple[int, int]:
    """How many of how many networks of this depth are dead before the first step."""
    part = born[(born["data"] == data) & (born["init"] == init) & (born["width"] == width)]
    return int(part.loc[part["layer"].between(1, depth), "networks"].sum()), int(part["networks"].sum())


def upper_bound(width: int, depth: int | Array) -> float | Array:
    """The largest probability to be born dead of `depth` hidden layers of `width` units, whose weights have a symmetric
    law and whose biases are 0 or have one too: 1 - (1 - 2^-width)^depth, Lu, Shin, Su and Karniadakis (2019), whose L
    counts the outputs' layer too. It is what a single example has: each layer that it reaches kills it if all its
    units are at or under 0, with probability 2^-width.

    >>> upper_bound(2, 2)
    0.4375
    """
    return 1 - (1 - 0.5**width) ** depth


def lower_bound(width: int, depth: int) -> float:
    """The least probability to be born dead on inputs of both signs on a line, with biases of 0: Lu, Shin, Su and
    Karniadakis (2019), whose L is depth + 1.

    Such a network sees two things, x > 0 and x < 0, and has to lose both. A layer of N units loses one that is alone
    with probability p = 2^-N; that both go on is told by the second eigenvalue, 1 - 2 p - (N - 1) p^2.

    >>> round(lower_bound(2, 2), 9)  # exact: 1/2 * 1/4 + 1/2 * 1/16
    0.15625
    """
    p = 0.5**width
    # Both as what they lack of 1, which is tiny where layers are wide.
    one, two = (-np.expm1((depth - 1) * np.log1p(-loss)) for loss in (p, 2 * p + (width - 1) * p**2))
    return float(one - (1 - 2 * p) * (1 - p) / (1 + (width - 1) * p) * (two - one))


def table(rows: list[dict[str, object]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def born_table(born: pd.DataFrame, data: str) -> str:
    """Rates over depth, for each init at some widths, with the bounds."""
    rows: list[dict[str, object]] = []
    for width in (2, 3, 5, 10, 30) if data == "abs" else WIDTHS[data]:
        bounds: dict[str, object] = {"width": width, "init": "upper bound (Lu et al. 2019)"}
        rows.append(bounds | {f"{depth}": f"{100 * upper_bound(width, depth):.3g} %" for depth in SHOWN})
        if data == "abs":
            bounds = {"width": width, "init": "lower bound, biases 0 (Lu et al. 2019)"}
            rows.append(bounds | {f"{depth}": f"{100 * lower_bound(width, depth):.3g} %" for depth in SHOWN})
        for init in INITS:
            if (data, init, width) not in KINDS:
                continue
            row: dict[str, object] = {"width": width, "init": init}
            rows.append(row | {f"{depth}": rate_of(*born_dead(born, data, init, width, depth)) for depth in SHOWN})
    return table(rows)


def against_bounds(born: pd.DataFrame) -> str:
    """How many of the measured rates lie over the upper bound, and under the lower one."""
    lines = []
    for data in DATA:
        for init in INITS:
            over = under = cells = 0
            for width in [width for kind, rule, width in KINDS if (kind, rule) == (data, init)]:
                for depth in range(1, DEEPEST + 1):
                    low, high = interval(*born_dead(born, data, init, width, depth))
                    over += low > upper_bound(width, depth)
                    under += data == "abs" and high < lower_bound(width, depth)
                    cells += 1
            of_lower = f", {under} are under the lower one" if data == "abs" else ""
            lines.append(f"- {data}, {init}: of {cells} intervals {over} are over the upper bound{of_lower}.")
    return "\n".join(lines)


def nearer_bound(born: pd.DataFrame) -> str:
    """At how many depths from 2 on each bound is the nearer one to what He's rule has on abs(x), and how far off it is
    at most."""
    depths = range(2, DEEPEST + 1)
    rows = []
    for width in WIDTHS["abs"]:
        counts = [born_dead(born, "abs", "He, biases 0", width, depth) for depth in depths]
        share = np.array([count / n for count, n in counts])
        over = np.array([upper_bound(width, depth) for depth in depths]) - share
        under = share - np.array([lower_bound(width, depth) for depth in depths])
        rows.append(
            {
                "width": width,
                "the lower bound is nearer": f"at {(abs(under) < abs(over)).sum()} of {len(depths)} depths",
                "lower bound off by at most": f"{100 * abs(under).max():.1f} points",
                "upper bound off by at most": f"{100 * abs(over).max():.1f} points",
            }
        )
    return table(rows)


def died_table(died: pd.DataFrame) -> str:
    """What became of the networks of each cell: born dead, of those alive how many die, how many converge."""
    rows = []
    for values, part in died.groupby(["data", "width", "depth", "rate", "init"], sort=False):
        alive, fate = part[part["born"] == 0], fate_of(part)
        at_the_end = int((part["born"] + part["died"] == 0).sum())
        row: dict[str, object] = dict(zip(["data", "width", "depth", "rate", "init"], values, strict=True))
        rows.append(
            row
            | {
                "born dead": rate(part["born"] == 1),
                "of those alive, die": rate(alive["died"] == 1),
                "diverged": rate(part["outcome"] == "diverged"),
                "converged": rate(part["outcome"] == "converged"),
                "of those alive at the end": rate_of(int((fate == "converged").sum()), at_the_end),
            }
        )
    return table(sorted(rows, key=lambda row: [row[key] for key in ("data", "width", "depth", "rate")]))


def compared(died: pd.DataFrame) -> str:
    """Whether the remedies converge more often than He's rule with biases of 0, at ten layers: the same replicates in
    pairs, McNemar's exact test."""
    rows = []
    part = died[(died["depth"] == 10)].assign(seed=0)
    for values, group in part.groupby(["data", "width", "rate"]):
        found = compare(group, "init", paired=True)
        for _, of in found[found["a"] == "He, biases 0"].iterrows():
            row: dict[str, object] = dict(zip(["data", "width", "rate"], values, strict=True))
            difference = [f"{0 - 100 * of[key]:.1f}" for key in ("difference", "high", "low")]
            row |= {"init": of["b"], "pairs": of["n"], "He, biases 0": f"{percent(of['rate_a'])} %"}
            row |= {"converged": f"{percent(of['rate_b'])} %", "more": f"{difference[0]} [{', '.join(difference[1:])}]"}
            rows.append(row | {"p": f"{of['p']:.2g}"})
    return table(rows)


def summary() -> str:
    """summary.md, from the committed results: every number that the README quotes."""
    born, died = pd.read_csv(BORN), pd.read_csv(DIED)
    return f"""# Summary of born.csv and died.csv.xz

Printed by study.py. {born["networks"].sum():,} networks drawn, {len(died):,} trained. Rates as count/n, percent,
[95 % Wilson interval]. A network is dead where all units of some hidden layer are 0 for every training example.

## Born dead on abs(x), over the depth

{born_table(born, "abs")}

## Born dead on wine, over the depth

{born_table(born, "wine")}

## Against the bounds, at depths 1 to {DEEPEST} and the widths {WIDTHS}

{against_bounds(born)}

Which bound is nearer to He's rule with biases of 0 on abs(x), at the depths from 2 to {DEEPEST}:

{nearer_bound(born)}

## Trained, 20 epochs

{died_table(died)}

Beside He's rule with biases of 0, the same replicates in pairs, at ten layers:

{compared(died)}
"""


def draw_curves(born: pd.DataFrame, data: str, width: int, ax: Axes) -> None:
    """The share born dead over the depth: each init with its band, and the bounds."""
    depths = np.arange(1, DEEPEST + 1)
    for init in COLOURS:
        counts = [born_dead(born, data, init, width, depth) for depth in depths]
        low, high = np.array([interval(*count) for count in counts]).T
        ax.fill_between(depths, low, high, color=COLOURS[init], alpha=0.2, linewidth=0)
        ax.plot(depths, [count / n for count, n in counts], color=COLOURS[init], linewidth=1.8, label=init)
    ax.plot(depths, upper_bound(width, depths), "k--", linewidth=1, label="upper bound, Lu et al. 2019")
    if data == "abs":
        lower = [lower_bound(width, depth) for depth in depths]
        ax.plot(depths, lower, "k:", linewidth=1.2, label="lower bound, biases 0, Lu et al. 2019")
    top = 0.05 if width == 10 else 1
    ax.set(xlim=(1, DEEPEST), ylim=(-0.02 * top, 1.02 * top), xlabel="hidden layers" if data == "wine" else "")
    ax.set_title(f"{'abs(x)' if data == 'abs' else data}, {width} units a layer{' (to 5 %)' if width == 10 else ''}")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25)


def draw_born_figure(born: pd.DataFrame) -> None:
    """born.png: the share born dead over the depth, for four widths, on both data sets."""
    figure, _ = figures.panels(1, 13, 7)
    figure.clear()
    axes = figure.subplots(2, 4, sharex=True)
    for row, data in zip(axes, DATA, strict=True):
        for width, ax in zip((2, 3, 5, 10), row, strict=True):
            draw_curves(born, data, width, ax)
        row[0].set_ylabel(f"share born dead\nwith 95 % band, n = {DRAWN}")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(FOLDER / "born.png")


def draw_died_figure(died: pd.DataFrame) -> None:
    """died.png: what became of the networks over the depth, for each init and width, at the larger rate."""
    figure, _ = figures.panels(1, 13, 8)
    figure.clear()
    columns = list(itertools.product(DATA, TRAINED_WIDTHS))
    axes = figure.subplots(len(TRAINED_INITS), len(columns), sharex=True, sharey=True)
    for row, init in zip(axes, TRAINED_INITS, strict=True):
        for (data, width), ax in zip(columns, row, strict=True):
            part = died[(died["data"] == data) & (died["init"] == init) & (died["width"] == width)]
            draw_fates(part[part["rate"] == max(RATES)], ax)
            if init == TRAINED_INITS[0]:
                ax.set_title(f"{'abs(x)' if data == 'abs' else data}, {width} units a layer")
            if init == TRAINED_INITS[-1]:
                numbers = f"n = {TRAINED}" + (f", {TRAINED_NARROW_AND_DEEP} at 10" if width == 3 else "")
                ax.set_xlabel(f"hidden layers, {numbers}")
        row[0].set(ylabel=f"{init}\nshare", ylim=(0, 1))
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(FOLDER / "died.png")


def draw_fates(part: pd.DataFrame, ax: Axes) -> None:
    """A bar for each depth, with the 95 % interval of the share converged at the border to it."""
    for place, depth in enumerate(TRAINED_DEPTHS):
        fate, bottom = fate_of(part[part["depth"] == depth]), 0.0
        for kind, colour in FATES.items():
            share = float((fate == kind).mean())
            ax.bar(place, share, 0.85, bottom, color=colour, label=kind if not place else None)
            bottom += share
        low, high = interval(int((fate == "converged").sum()), len(fate))
        ax.vlines(place, 1 - high, 1 - low, color="white", linewidth=4)
        label = None if place else "95 % interval of converged"
        ax.vlines(place, 1 - high, 1 - low, color="black", linewidth=1.6, label=label)
    ax.set_xticks(range(len(TRAINED_DEPTHS)), [str(depth) for depth in TRAINED_DEPTHS])
    ax.spines[["top", "right"]].set_visible(False)


def fate_of(frame: pd.DataFrame) -> pd.Series:
    """What became of each network, in a word."""
    conditions = [frame["born"] == 1, frame["died"] == 1, frame["outcome"] == "converged"]
    fate = np.select(conditions, ["born dead", "died in training", "converged"], "alive, not converged")
    return pd.Series(fate, frame.index)


def main() -> None:
    asked = sys.argv[1:] or ["born", "died"]
    if "born" in asked:
        draw_born().to_csv(BORN, index=False)
    if "died" in asked:
        train_died().to_csv(DIED, index=False)
    if not (BORN.exists() and DIED.exists()):
        return
    text = summary()
    (FOLDER / "summary.md").write_text(text)
    print(text)
    draw_born_figure(pd.read_csv(BORN))
    draw_died_figure(pd.read_csv(DIED))


if __name__ == "__main__":
    main()
