"""The thread's claims, measured: sweeps, engine speeds, results.csv, speed.csv, summary.md and the figures.

python experiments/01-thread-claims/study.py            everything; full MNIST in INITODDS_DATA, or downloaded
python experiments/01-thread-claims/study.py speed      the engines' speed, and the summary, in a minute
python experiments/01-thread-claims/study.py analyse    the summary and the figures from the committed results
"""

import os
import sys
import time
from pathlib import Path

import initodds  # noqa: F401  settles BLAS before NumPy loads

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from studies import percent, rate, read_results, sweep, write_results
from tabulate import tabulate

from initodds import analysis, datasets
from initodds.cells.drawing import Drawing
from initodds.engines import Problem
from initodds.engines.compiled import Compiled
from initodds.engines.matrix import Matrix
from initodds.engines.optimizers import SGD
from initodds.engines.per_example import PerExample
from initodds.engines.stacked import Stacked
from initodds.initializers import Uniform
from initodds.networks.broadcasting import column_bias_shapes
from initodds.networks.network import Network
from initodds.statistics import figures

FOLDER = Path(__file__).parent
SWEEPS = ("claims/init", "claims/reduction", "claims/batch", "claims/cost")
SETTINGS = ["init", "sgd.batch_size", "sgd.learning_rate", "sgd.reduction", "sgd.epochs", "network.cost", "dtype"]
MEASURED = ["accuracy", "cost", "dead_classes", "hidden_saturated", "outputs_high", "outputs_low", "naive_overflows"]
MEASURED += ["steps_to_target", "steps"]

TOGETHER = 32
ENGINES = {
    "per_example": (PerExample, 1, 2000),
    "matrix": (Matrix, 1, 20_000),
    "stacked": (Stacked, TOGETHER, 5000),
    "compiled": (Compiled, TOGETHER, 20_000),
}
"""The engines whose speed is measured, each with so many networks, and so many examples a round."""


def measure_speed() -> pd.DataFrame:
    """Network-epochs a second of processor time of the engines on full MNIST, on one thread, rounds interleaved; where
    there are several networks, each in a data order of its own."""
    data = datasets.mnist(initodds_data())
    network = Network((784, 30, 10))
    targets = np.eye(10, dtype=np.float32)[data.train.y]
    layers = [Drawing(Uniform(-0.5, 0.5), network).replicate(0, replicate) for replicate in range(TOGETHER)]
    problem = Problem(network, data.train.x, targets, SGD(3.0), "mean", np.dtype(np.float32))
    orders = np.stack([np.random.default_rng(number).permutation(len(data.train)) for number in range(TOGETHER)])
    rows = []
    for batch in (10, 100):
        made = {name: engine(problem, layers[:n]) for name, (engine, n, _) in ENGINES.items()}
        seconds: dict[str, list[float]] = {name: [] for name in made}
        for _ in range(5):
            for name, (_, n, examples) in ENGINES.items():
                order = orders[:n, : examples // batch * batch].reshape(n, -1, batch)
                start = time.process_time()
                made[name].steps(order[0] if n == 1 else order)
                seconds[name].append((time.process_time() - start) / examples * len(data.train))
        for name, (_, n, _) in ENGINES.items():
            rows.append({"engine": name, "batch": batch, "replicates": n, "seconds": np.median(seconds[name])})
    table = pd.DataFrame(rows)
    return table.assign(network_epochs_per_second=table["replicates"] / table["seconds"])


def initodds_data() -> str | None:
    """The folder with full MNIST, or None to have it downloaded."""
    return os.environ.get("INITODDS_DATA")


def select(frame: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows with these settings; a key's dots are written as two underscores, and defaults are the textbook's."""
    wanted = {"sgd.batch_size": 10, "sgd.learning_rate": 3.0, "sgd.reduction": "mean", "network.cost": "quadratic"}
    wanted |= {"dtype": "float32"} | {key.replace("__", "."): value for key, value in values.items()}
    for key, value in wanted.items():
        frame = frame[frame[key] == value]
    return frame


def table(rows: list[dict[str, object]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def by_init(frame: pd.DataFrame) -> str:
    """Claims 1 to 4: what becomes of each init after 1 epoch and after 30."""
    rows = []
    for epochs in (1, 30):
        for init in ("unit", "half", "symmetric", "gaussian"):
            part = select(frame, init=init, sgd__epochs=epochs)
            median = f"{100 * part['accuracy'].median():.1f} %"
            row = {
                "init": init,
                "epochs": epochs,
                "median accuracy": median,
                "lowest": f"{100 * part['accuracy'].min():.1f} %",
            }
            row |= {
                outcome: rate(part["outcome"] == outcome) for outcome in ("converged", "unfinished", "partial", "stuck")
            }
            rows.append(row)
    return table(rows)


def reductions(frame: pd.DataFrame) -> str:
    """Claim 5: replicate by replicate, sum at 0.3 beside mean at 3.0, and the same rate with the other reduction."""
    mean = select(frame, init="half", sgd__epochs=1, sgd__learning_rate=3.0)
    rows = []
    for reduction, learning_rate in (("sum", 0.3), ("sum", 3.0), ("mean", 0.3)):
        other = select(frame, init="half", sgd__epochs=1, sgd__reduction=reduction, sgd__learning_rate=learning_rate)
        both = mean.merge(other, on="replicate", suffixes=("", "_other"))
        apart = 100 * (both["accuracy"] - both["accuracy_other"]).abs()
        rows.append(
            {
                "against mean at rate 3.0": f"{reduction} at rate {learning_rate}",
                "same outcome": rate(both["outcome"] == both["outcome_other"]),
                "accuracies apart, median": f"{apart.median():.2f} points",
                "at most": f"{apart.max():.2f} points",
                "converged": rate(both["outcome_other"] == "converged"),
            }
        )
    return table(rows)


def batches(frame: pd.DataFrame) -> str:
    """Claim 6: summed gradients over batch size, rate and precision."""
    rows = []
    for learning_rate in (0.3, 3.0):
        for batch in (1, 10, 100, 1000):
            for dtype in ("float32", "float64"):
                part = select(
                    frame,
                    init="half",
                    sgd__epochs=1,
                    sgd__reduction="sum",
                    sgd__batch_size=batch,
                    sgd__learning_rate=learning_rate,
                    dtype=dtype,
                )
                rows.append(
                    {
                        "rate": learning_rate,
                        "batch": batch,
                        "dtype": dtype,
                        "exp overflows": rate(part["naive_overflows"] > 0),
                        "diverged": rate(part["outcome"] == "diverged"),
                        "stuck": rate(part["outcome"] == "stuck"),
                        "converged": rate(part["outcome"] == "converged"),
                        "hidden units saturated": f"{100 * part['hidden_saturated'].mean():.0f} %",
                        "outputs pinned": f"{(part['outputs_high'] + part['outputs_low']).mean():.1f}",
                    }
                )
    return table(rows)


def roundings(frame: pd.DataFrame) -> str:
    """Claim 6: the same networks, in the same orders, in float32 and in float64, which differ by rounding, and by where
    exp overflows."""
    summed = frame[(frame["sgd.reduction"] == "sum") & (frame["init"] == "half")]
    single, double = (summed[summed["dtype"] == dtype] for dtype in ("float32", "float64"))
    cell = ["sgd.learning_rate", "sgd.batch_size"]
    both = single.merge(double, on=[*cell, "replicate"], suffixes=("", "_64"))
    rows = []
    for (learning_rate, batch), part in both.groupby(cell):
        apart = 100 * (part["accuracy"] - part["accuracy_64"]).abs()
        over = part[part["naive_overflows"] > 0]
        rows.append(
            {
                "rate": learning_rate,
                "batch": batch,
                "same outcome": rate(part["outcome"] == part["outcome_64"]),
                "accuracies apart, median": f"{apart.median():.2f} points",
                "at most": f"{apart.max():.2f} points",
                "of those whose exp overflowed in float32, stuck": rate(over["outcome"] == "stuck"),
                "the same in float64": rate(over["outcome_64"] == "stuck"),
            }
        )
    return table(rows)


def costs(frame: pd.DataFrame) -> str:
    """Claim 9: the quadratic cost beside cross-entropy, all else the same, the draws and the data orders too."""
    of_sweep = frame[frame["sgd.epochs"] == 3]
    rows = []
    for init in ("unit", "half", "gaussian"):
        for learning_rate in (0.5, 3.0):
            part = of_sweep[(of_sweep["init"] == init) & (of_sweep["sgd.learning_rate"] == learning_rate)]
            row: dict[str, object] = {"init": init, "rate": learning_rate}
            for cost in ("quadratic", "cross_entropy"):
                outcome = part.loc[part["network.cost"] == cost, "outcome"]
                row |= {f"{cost}: {name}": rate(outcome == name) for name in ("converged", "partial", "stuck")}
            (compared,) = analysis.compare(part, "network.cost", outcome="stuck").to_dict("records")
            bounds = " to ".join(f"{100 * compared[end]:+.1f}" for end in ("low", "high"))
            row[f"stuck, {compared['a']} - {compared['b']}"] = f"{100 * compared['difference']:+.1f} points [{bounds}]"
            rows.append(row)
    return table(rows)


def speeds(frame: pd.DataFrame) -> str:
    """Claim 7."""
    slowest = frame[frame["engine"] == "per_example"].set_index("batch")["network_epochs_per_second"]
    return table(
        [
            {
                "engine": row.engine,
                "networks at once": row.replicates,
                "batch": row.batch,
                "network-epochs a second": f"{row.network_epochs_per_second:.2f}",
                "against per_example": f"{row.network_epochs_per_second / slowest[row.batch]:.1f} times",
            }
            for row in frame.itertuples()
        ]
    )


def summary() -> str:
    """summary.md, from the committed results: every number that the README quotes."""
    frame, speed = read_results(FOLDER), pd.read_csv(FOLDER / "speed.csv")
    trap = "\n".join(f"    {line}" for line in column_bias_shapes((784, 30, 10), batch=1))
    trap_of_batch = "\n".join(f"    {line}" for line in column_bias_shapes((784, 30, 10), batch=20))
    return f"""# Summary of results.csv

Printed by study.py. {len(frame)} networks 784-30-10 on full MNIST, the same {frame["replicate"].nunique()} draws and
data orders in every setting. A rate stands as count/n, percent, [95 % Wilson interval]; an accuracy is on the 10,000
test images.

## Claims 1 to 4: the init, at batch size 10 and rate 3.0

{by_init(frame)}

Largest cost a stuck U[0,1] network ends with after 30 epochs:
{select(frame, init="unit", sgd__epochs=30)["cost"].max():.3f}; smallest:
{select(frame, init="unit", sgd__epochs=30)["cost"].min():.3f}; hidden units saturated:
{percent(select(frame, init="unit", sgd__epochs=30)["hidden_saturated"].mean())} %.

N(0, 1), networks with so many dead digits: after 1 epoch {dead(frame, 1)}; after 30 epochs {dead(frame, 30)}.
Of those with a dead digit after 1 epoch, with none after 30: {revived(frame)}.

## Claim 5: sum and mean

{reductions(frame)}

## Claim 6: summed gradients, U[-0.5, 0.5], one epoch

{batches(frame)}

The same networks in float32 and in float64:

{roundings(frame)}

## Claim 7: speed

{speeds(speed)}

## Claim 8: column biases

One row:

{trap}

A batch of 20 rows:

{trap_of_batch}

## Claim 9: the cost, three epochs at batch size 10

{costs(frame)}
"""


def dead(frame: pd.DataFrame, epochs: int) -> str:
    counts = select(frame, init="gaussian", sgd__epochs=epochs)["dead_classes"].value_counts().sort_index()
    return ", ".join(f"{count} with {int(classes)}" for classes, count in counts.items())


def revived(frame: pd.DataFrame) -> str:
    early, late = (select(frame, init="gaussian", sgd__epochs=epochs).set_index("replicate") for epochs in (1, 30))
    return rate(late.loc[early.index[early["dead_classes"] > 0], "dead_classes"] == 0)


def draw(frame: pd.DataFrame) -> None:
    """The study's two figures."""
    chosen = frame[(frame["sgd.learning_rate"] == 3.0) & frame["sgd.epochs"].isin([1, 30])]
    chosen = chosen[(chosen["sgd.reduction"] == "mean") & (chosen["sgd.batch_size"] == 10)]
    by = ["init", "sgd.epochs"]
    of_cells = analysis.rates(chosen, by)
    figure, axes = figures.panels(2, 11, 4)
    for outcome, ax in zip(("converged", "stuck"), axes, strict=True):
        figures.rate_dots(of_cells, by, outcome, ax)
    axes[1].set_yticklabels([])
    figure.savefig(FOLDER / "init.png")

    summed = frame[(frame["sgd.reduction"] == "sum") & (frame["dtype"] == "float32")]
    by = ["sgd.learning_rate", "sgd.batch_size"]
    of_cells = analysis.rates(summed, by)
    figure, axes = figures.panels(2, 11, 2.6)
    for outcome, ax in zip(("converged", "stuck"), axes, strict=True):
        figures.heat_map(of_cells, "sgd.batch_size", "sgd.learning_rate", outcome, ax)
    figure.savefig(FOLDER / "summed.png")


def main() -> None:
    if not sys.argv[1:]:
        sweep(FOLDER, *SWEEPS)
        write_results(FOLDER, SETTINGS, MEASURED)
    if sys.argv[1:] != ["analyse"]:
        measure_speed().to_csv(FOLDER / "speed.csv", index=False, float_format="%.4g")
    text = summary()
    (FOLDER / "summary.md").write_text(text)
    print(text)
    draw(read_results(FOLDER))


if __name__ == "__main__":
    main()
