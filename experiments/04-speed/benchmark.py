"""How fast is every way to train many small networks, each with a data order of its own? One thread, one contender
after another, interleaved. CPU time, so that a machine that is not quiet matters less.

python experiments/04-speed/benchmark.py            everything, about ten minutes; full MNIST in INITODDS_DATA
python experiments/04-speed/benchmark.py analyse    the summary and the figure from the committed results
python experiments/04-speed/benchmark.py round N    round N alone, put into results.csv
python experiments/04-speed/benchmark.py quick      one round of R = 32 only, printed and not kept

The peers are the extra [peers]; one that is not installed is left out, by name.
"""

import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import initodds  # settles BLAS before NumPy loads

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import pandas as pd
import seaborn as sns
from contenders import CONTENDERS
from tabulate import tabulate
from threadpoolctl import threadpool_limits

from initodds import blas, datasets
from initodds.cells.drawing import Drawing
from initodds.initializers import Uniform
from initodds.networks.network import Network
from initodds.statistics import figures

FOLDER = Path(__file__).parent
NETWORK = Network((784, 30, 10))
EXAMPLES, LIT = 50_000, 717
BATCHES, STACKS, ROUNDS = (1, 10, 32, 100, 1000), (1, 32), 3
SECONDS = 0.4
"""How long one measurement takes, about."""
MOST_ROWS = 400_000
"""Of mini-batches that a contender is given at once, of all networks."""


def operations(pixels: float) -> float:
    """Multiplications and additions of an epoch of one network, of so many pixels an image: forward and update of the
    first layer; forward, update and back of the second."""
    return EXAMPLES * 2 * (2 * pixels * 30 + 3 * 30 * 10)


TARGETS = {1: 10.0, 10: 3.8, 32: 2.7, 100: 2.7, 1000: 2.5}
"""By batch size: the ratio to the best peer, at R = 1 or 32, that we want."""


def measure(name: str, settings: list[tuple[int, int, str]]) -> list[dict]:
    """Network-epochs a second of one contender, in this process, at each (batch, R, dtype)."""
    os.sched_setaffinity(0, {os.cpu_count() - 1})
    data = datasets.mnist(os.environ.get("INITODDS_DATA"))
    targets = np.eye(10, dtype=np.float32)[data.train.y]
    contender = CONTENDERS[name][0]
    rng = np.random.default_rng(0)
    result = []
    with threadpool_limits(1):
        for batch, count, dtype in settings:
            layers = [Drawing(Uniform(-0.5, 0.5), NETWORK).replicate(0, r) for r in range(count)]
            begin = time.process_time()
            made = contender(layers, data.train.x, targets, batch, dtype)
            made.steps(rng.integers(EXAMPLES, size=(count, 2, batch)))
            first = time.process_time() - begin
            steps = enough_steps(made, rng, count, batch)
            rows = rng.integers(EXAMPLES, size=(count, steps, batch))
            made.steps(rows)  # warm, and compiled for this many steps
            begin = time.process_time()
            made.steps(rows)
            seconds = time.process_time() - begin
            rate = count * steps * batch / EXAMPLES / seconds
            result.append({"contender": name, "batch": batch, "R": count, "dtype": dtype, "rate": rate, "first": first})
    return result


def enough_steps(made, rng: np.random.Generator, count: int, batch: int) -> int:
    """So many steps that they take about `SECONDS`, and are no more than an epoch."""
    steps, most = 2, max(2, min(EXAMPLES, MOST_ROWS // count) // batch)
    while True:
        rows = rng.integers(EXAMPLES, size=(count, steps, batch))
        made.steps(rows)
        begin = time.process_time()
        made.steps(rows)
        seconds = time.process_time() - begin
        if seconds > SECONDS / 4 or steps == most:
            return min(most, max(2, round(steps * SECONDS / max(seconds, 1e-6))))
        steps = min(most, 4 * steps)


def limits() -> list[dict]:
    """What this thread can do at most: GFLOP/s of a large matrix product, GB/s of a large copy."""
    os.sched_setaffinity(0, {os.cpu_count() - 1})
    result = []
    with threadpool_limits(1):
        for dtype in ("float32", "float64"):
            a = np.random.default_rng(0).random((1536, 1536)).astype(dtype)
            flops = 2 * 1536**3 / best_of(lambda a=a: a @ a)
            result.append({"contender": "gemm peak, GFLOP/s", "dtype": dtype, "rate": flops / 1e9})
        source = np.ones(50_000_000, np.float32)
        target = np.empty_like(source)
        bandwidth = 2 * source.nbytes / best_of(lambda: np.copyto(target, source)) / 1e9
        result.append({"contender": "memory, GB/s", "dtype": "float32", "rate": bandwidth})
    return result


def best_of(action) -> float:
    """Seconds of the fastest of ten."""
    times = []
    for _ in range(10):
        begin = time.process_time()
        action()
        times.append(time.process_time() - begin)
    return min(times)


def accuracies(name: str) -> list[dict]:
    """Test accuracies of eight networks after an epoch at batch size 10, which must be the same for all."""
    data = datasets.mnist(os.environ.get("INITODDS_DATA"))
    layers = [Drawing(Uniform(-0.5, 0.5), NETWORK).replicate(0, r) for r in range(8)]
    count = 2 if CONTENDERS[name][0].one_by_one else 8
    targets = np.eye(10, dtype=np.float32)[data.train.y]
    made = CONTENDERS[name][0](layers[:count], data.train.x, targets, 10, "float32")
    order = [np.random.default_rng(r).permutation(EXAMPLES).reshape(-1, 10) for r in range(count)]
    made.steps(np.array(order))
    found = []
    for (w1, b1), (w2, b2) in made.layers():
        hidden = 1 / (1 + np.exp(-(data.test.x @ w1 + b1)))
        found.append(float(((hidden @ w2 + b2).argmax(axis=1) == data.test.y).mean()))
    return [{"contender": name, "accuracies": found}]


def in_process(task: str, *arguments: object) -> list[dict]:
    """What a task of this file prints, see `in_process_of`."""
    return in_process_of(__file__, task, *arguments)


def in_process_of(file: str, task: str, *arguments: object) -> list[dict]:
    """What a task of a file prints as JSON, run in a process of its own, on one thread of everything."""
    threads = dict.fromkeys((*blas.THREAD_VARIABLES, "NUMEXPR_NUM_THREADS"), "1")
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    environment = {**os.environ, **threads, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, file, task, json.dumps(arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def settings_of(name: str, stacks: tuple[int, ...]) -> list[tuple[int, int, str]]:
    """What a contender is measured at: those that train one network after another only at R = 1."""
    counts = (1,) if CONTENDERS[name][0].one_by_one else stacks
    return [(batch, count, "float32") for count in counts for batch in BATCHES]


def installed() -> dict[str, str]:
    """Package versions of the contenders that can be measured here, by name; says which cannot."""
    there = {name: package for name, (_, package) in CONTENDERS.items() if find_spec(package)}
    for name in CONTENDERS.keys() - there.keys():
        print(f"left out: {name} ({CONTENDERS[name][1]} is not installed)", file=sys.stderr)
    names = {"sklearn": "scikit-learn"}
    return {name: f"{package} {version(names.get(package, package))}" for name, package in there.items()}


def one_round(number: int, stacks: tuple[int, ...]) -> pd.DataFrame:
    """The measurements of a round, one row each."""
    rows: list[dict] = []
    for name in installed():
        begin = time.perf_counter()
        rows += in_process("measure", name, settings_of(name, stacks))
        print(f"round {number + 1}/{ROUNDS}: {name}, {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return pd.DataFrame(rows + in_process("limits")).assign(round=number)


def keep(frame: pd.DataFrame, number: int) -> None:
    """Put a round's measurements into results.csv; before the first round, begin it, and check the contenders."""
    if number == 0:
        versions = ", ".join(sorted(set(installed().values())))
        about = f"Processor: {processor()}; Python {platform.python_version()}, {versions}, BLAS {blas.in_use()}."
        checks = pd.DataFrame([row for name in installed() for row in in_process("accuracies", name)])
        checks.assign(about=about).to_json(FOLDER / "checks.json", orient="records", indent=1)
    else:
        others = pd.read_csv(FOLDER / "results.csv")
        frame = pd.concat([others[others["round"] != number], frame])
    frame.to_csv(FOLDER / "results.csv", index=False, float_format="%.5g")


def summary(frame: pd.DataFrame, checks: pd.DataFrame, about: str) -> str:
    """summary.md: medians over the rounds."""
    medians = medians_of(frame)
    limit = frame[frame["batch"].isna()].groupby(["contender", "dtype"])["rate"].median()
    return f"""# Summary of results.csv

Printed by benchmark.py. {about}
Network-epochs a second: 50,000 images through one network 784-30-10, forward, back and update, each network with a
data order of its own. One thread, CPU time; medians of {frame["round"].nunique()} interleaved rounds. Contenders that
train one network after another are measured at R = 1.

The limits of this thread, in the same run: sgemm {limit["gemm peak, GFLOP/s", "float32"]:.0f} GFLOP/s, dgemm
{limit["gemm peak, GFLOP/s", "float64"]:.0f}, copying {limit["memory, GB/s", "float32"]:.1f} GB/s.
An epoch of one network is {operations(LIT) / 1e9:.2f} GFLOP with all pixels that any image lights: "of the peak" counts
these. We leave out the zeros.

## Against the targets, the better of R = 1 and 32, float32

The best round is the one that other work on the machine has slowed least.

{against_targets(frame, limit)}

## Network-epochs a second

{speeds(medians)}

## Seconds to the end of the first two steps

Compilation included, R = 32, batch size 10.

{first_steps(frame)}

## The same networks

Test accuracies after one epoch at batch size 10, from the same weights in the same order.

{accuracy_table(checks)}
"""


def medians_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The median rate over the rounds."""
    return frame.groupby(["contender", "batch", "R", "dtype"], sort=False)["rate"].median().reset_index()


OURS = ("initodds", "initodds, NumPy", "per-example loop")


def against_targets(frame: pd.DataFrame, limit: pd.Series) -> str:
    rows = []
    for batch, wanted in TARGETS.items():
        rounds = frame[frame["batch"] == batch].groupby(["contender", "R"])["rate"]
        medians, best = rounds.median(), rounds.max()
        ours, loop = medians["initodds"].max(), medians["per-example loop"].max()
        peers = medians.drop(list(OURS))
        peer, count = peers.idxmax()
        gigaflops = limit["gemm peak, GFLOP/s", "float32"] * 1e9
        rows.append(
            {
                "batch": batch,
                "ours": f"{ours:.1f}",
                "best peer": f"{peer}, R = {count:.0f}: {peers.max():.1f}",
                "ratio": f"{ours / peers.max():.1f}",
                "of the best rounds": f"{best['initodds'].max() / best.drop(list(OURS)).max():.1f}",
                "wanted": f"{wanted}",
                "of the peak": f"{100 * ours * operations(LIT) / gigaflops:.0f} %",
                "to the per-example loop": f"{ours / loop:.0f}",
                "of its best rounds": f"{best['initodds'].max() / best['per-example loop'].max():.0f}",
            }
        )
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def speeds(medians: pd.DataFrame) -> str:
    """A row a contender and R, a column a batch size; in brackets the ratio of ours to it."""
    at = {
        (row.contender, row.R, f"{row.batch:.0f}" + (", float64" if row.dtype == "float64" else "")): row.rate
        for row in medians.itertuples()
    }
    columns = [str(batch) for batch in BATCHES]
    rows = []
    for name, count in dict.fromkeys((name, count) for name, count, _ in at):
        row = {"contender": name, "R": f"{count:.0f}"}
        for column in columns:
            rate = at[name, count, column]
            ours = at["initodds", count, column]
            row[column] = f"{rate:.2f}" if name == "initodds" else f"{rate:.2f} ({ours / rate:.1f}x)"
        rows.append(row)
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def first_steps(frame: pd.DataFrame) -> str:
    at = frame[(frame["batch"] == 10) & (frame["R"] == 32) & (frame["dtype"] == "float32")]
    medians = at.groupby("contender", sort=False)["first"].median()
    rows = [{"contender": name, "seconds": f"{seconds:.2f}"} for name, seconds in medians.items()]
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def accuracy_table(checks: pd.DataFrame) -> str:
    ours = checks.set_index("contender").loc["initodds", "accuracies"]
    rows = []
    for row in checks.itertuples():
        apart = max(abs(a - b) for a, b in zip(row.accuracies, ours, strict=False))
        note = "another cost, and its own weights" if row.contender == "scikit-learn" else f"{100 * apart:.2f} points"
        found = ", ".join(f"{100 * a:.2f}" for a in row.accuracies[:2])
        rows.append({"contender": row.contender, "first two networks, %": found, "largest difference to ours": note})
        if row.contender != "scikit-learn":
            assert apart < 0.01, f"{row.contender} has trained other networks: {row.accuracies} against {ours}"
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def draw(frame: pd.DataFrame) -> None:
    """speed.png: network-epochs a second over the batch size, of each contender at the better of R = 1 and 32."""
    measured = frame[frame["batch"].notna()]
    medians = measured.groupby(["contender", "batch", "R"])["rate"].transform("median")
    best = measured[medians == medians.groupby([measured["contender"], measured["batch"]]).transform("max")]
    figure, (ax,) = figures.panels(1, 9, 5)
    order = best.groupby("contender")["rate"].median().sort_values(ascending=False).index
    options = {"estimator": "median", "errorbar": ("pi", 100), "err_style": "bars", "palette": "colorblind"}
    sns.lineplot(best, x="batch", y="rate", hue="contender", hue_order=order, marker="o", ax=ax, **options)
    ax.set(xscale="log", yscale="log", xlabel="batch size", ylabel="network-epochs a second, one thread")
    ax.set_xticks(BATCHES, [str(batch) for batch in BATCHES])
    ax.set_yticks((0.1, 0.3, 1, 3, 10, 30), ("0.1", "0.3", "1", "3", "10", "30"))
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    sns.despine(ax=ax)
    figure.savefig(FOLDER / "speed.png")


def processor() -> str:
    """The processor's name, as Linux reports it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def main() -> None:
    tasks = {"measure": measure, "limits": limits, "accuracies": accuracies}
    task = sys.argv[1] if len(sys.argv) > 1 else "run"
    if task in tasks:
        print(json.dumps(tasks[task](*json.loads(sys.argv[2]))))
        return
    if task == "quick":
        print(speeds(medians_of(one_round(0, (32,)))))
        return
    numbers = {"run": range(ROUNDS), "round": map(int, sys.argv[2:])}.get(task, ())
    for number in numbers:
        keep(one_round(number, STACKS), number)
    frame, checks = pd.read_csv(FOLDER / "results.csv"), pd.read_json(FOLDER / "checks.json")
    text = summary(frame, checks, checks["about"].iloc[0])
    (FOLDER / "summary.md").write_text(text)
    print(text)
    draw(frame)


if __name__ == "__main__":
    assert initodds
    main()
