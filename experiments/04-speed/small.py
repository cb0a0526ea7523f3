"""Other networks than the benchmark's, against peers: many tiny ones, one that is not so small, by Adam, and the
benchmark's own with standardized pixels, none of which is dark. One thread, CPU time.

python experiments/04-speed/small.py            8 minutes; full MNIST in INITODDS_DATA; writes small.csv and small.md
python experiments/04-speed/small.py analyse    small.md from the committed small.csv
"""

import json
import os
import sys
import time
from functools import partial
from pathlib import Path

import initodds  # settles BLAS before NumPy loads

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import pandas as pd
from benchmark import NETWORK, in_process_of
from contenders import CONTENDERS
from tabulate import tabulate

from initodds import datasets
from initodds.cells.drawing import Drawing
from initodds.engines import Problem
from initodds.engines.compiled import Compiled
from initodds.engines.optimizers import SGD, Adam
from initodds.engines.stacked import Stacked
from initodds.initializers import Uniform
from initodds.networks.network import Layer, Network

FOLDER = Path(__file__).parent
ROUNDS = 2
XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([[0], [1], [1], [0]], np.float32)
STEPS = 5000

Made = tuple[float, list[list[Layer]]]
"""CPU seconds, and what the networks have become."""


def timed(action) -> Made:
    """CPU seconds of an action, done once before, and what it makes."""
    action()
    begin = time.process_time()
    made = action()
    return time.process_time() - begin, made


def layers_of(network: Network, count: int) -> list[list[Layer]]:
    return [Drawing(Uniform(-0.5, 0.5), network).replicate(0, r) for r in range(count)]


def trained(engine, rows: np.ndarray) -> list[list[Layer]]:
    """What an engine's networks have become."""
    engine.steps(rows)
    stack = engine.stack()  # noqa: PD013  no frame
    return [stack.replicate(r) for r in range(stack.replicates)]


def xor_ours(engine: type, count: int) -> Made:
    """So many networks 2-2-1, logistic, quadratic cost, rate 0.5, momentum 0.9: 5,000 steps on all four examples."""
    network = Network((2, 2, 1))
    problem = Problem(network, *XOR, SGD(0.5, momentum=0.9), "mean", np.dtype(np.float32))
    rows, layers = np.tile(np.arange(4), (STEPS, 1)), layers_of(network, count)
    return timed(lambda: trained(engine(problem, layers), rows))


def xor_jax(count: int, together: bool) -> Made:
    """The same, jit(scan) for one network after another, or jit(vmap(scan)) for all together."""
    import jax
    import jax.numpy as jnp

    network = Network((2, 2, 1))
    x, y = (jnp.asarray(part) for part in XOR)

    def loss(parameters):
        a = x
        for weights, biases in parameters:
            a = jax.nn.sigmoid(a @ weights + biases)
        return 0.5 * jnp.sum((a - y) ** 2) / len(x)

    def run(parameters):
        def step(state, _):
            parameters, velocity = state
            velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, jax.grad(loss)(parameters))
            return (jax.tree.map(lambda p, v: p - 0.5 * v, parameters, velocity), velocity), None

        return jax.lax.scan(step, (parameters, jax.tree.map(jnp.zeros_like, parameters)), length=STEPS)[0][0]

    layers = layers_of(network, count)
    if together:
        stacked = jax.tree.map(lambda *parts: jnp.asarray(np.stack(parts), jnp.float32), *layers)
        all_at_once = jax.jit(jax.vmap(run))
        seconds, after = timed(lambda: jax.block_until_ready(all_at_once(stacked)))
        return seconds, [jax.tree.map(lambda part, r=r: np.asarray(part[r]), after) for r in range(count)]
    alone = jax.jit(run)
    each = [jax.tree.map(lambda part: jnp.asarray(part, jnp.float32), of_one) for of_one in layers]
    return timed(lambda: [jax.tree.map(np.asarray, alone(of_one)) for of_one in each])


ADAM = Network((784, 128, 64, 10), activation="relu", output="softmax", cost="cross_entropy")
COUNT, BATCH, OF_EPOCH = 32, 64, 100
"""Networks, examples of a mini-batch, and the steps that are timed of an epoch's 782."""


def adam_rows() -> np.ndarray:
    return np.random.default_rng(0).integers(50_000, size=(COUNT, OF_EPOCH, BATCH))


def adam_data(x: np.ndarray, standardized: bool) -> np.ndarray:
    deviation = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1) if standardized else x


def adam_layers() -> list[list[Layer]]:
    """Small enough for ReLU units to live."""
    return [[(0.1 * weights, 0 * biases) for weights, biases in layers] for layers in layers_of(ADAM, COUNT)]


def adam_ours(engine: type, standardized: bool) -> Made:
    """32 networks 784-128-64-10, ReLU, softmax, cross-entropy, Adam, each in an order of its own."""
    data = datasets.mnist(os.environ.get("INITODDS_DATA"))
    x, y = adam_data(data.train.x, standardized), np.eye(10, dtype=np.float32)[data.train.y]
    problem = Problem(ADAM, x, y, Adam(0.001), "mean", np.dtype(np.float32))
    rows, layers = adam_rows(), adam_layers()
    return timed(lambda: trained(engine(problem, layers), rows))


def adam_jax(standardized: bool) -> Made:
    """The same, jit(vmap(scan)) with optax."""
    import jax
    import jax.numpy as jnp
    import optax

    data = datasets.mnist(os.environ.get("INITODDS_DATA"))
    x, y = jnp.asarray(adam_data(data.train.x, standardized)), jnp.asarray(data.train.y)
    optimizer = optax.adam(0.001)

    def loss(parameters, x, y):
        *hidden, (weights, biases) = parameters
        for w, b in hidden:
            x = jax.nn.relu(x @ w + b)
        return optax.softmax_cross_entropy_with_integer_labels(x @ weights + biases, y).mean()

    def run(parameters, rows, x, y):
        def step(state, batch):
            parameters, moments = state
            gradients = jax.grad(loss)(parameters, x[batch], y[batch])
            updates, moments = optimizer.update(gradients, moments)
            return (optax.apply_updates(parameters, updates), moments), None

        return jax.lax.scan(step, (parameters, optimizer.init(parameters)), rows)[0][0]

    all_at_once = jax.jit(jax.vmap(run, in_axes=(0, 0, None, None)))
    stacked = jax.tree.map(lambda *parts: jnp.asarray(np.stack(parts), jnp.float32), *adam_layers())
    rows = jnp.asarray(adam_rows())
    seconds, after = timed(lambda: jax.block_until_ready(all_at_once(stacked, rows, x, y)))
    return seconds, [jax.tree.map(lambda part, r=r: np.asarray(part[r]), after) for r in range(COUNT)]


EXAMPLES = 320_000
"""Of all networks together that are timed of 784-30-10."""


def classic(name: str, batch: int, count: int) -> Made:
    """So many networks 784-30-10 by one of the benchmark's contenders, on standardized pixels."""
    data = datasets.mnist(os.environ.get("INITODDS_DATA"))
    x, y = adam_data(data.train.x, True).astype(np.float32), np.eye(10, dtype=np.float32)[data.train.y]
    rows = np.random.default_rng(0).integers(50_000, size=(count, EXAMPLES // count // batch, batch))

    def run() -> list[list[Layer]]:
        made.steps(rows)
        return made.layers()

    made = CONTENDERS[name][0](layers_of(NETWORK, count), x, y, batch, "float32")
    return timed(run)


PEERS = {32: ("initodds", "JAX jit(vmap(scan))", "PyTorch stacked by hand"),
         1: ("initodds", "JAX jit(vmap(scan))", "PyTorch loop")}  # fmt: skip
"""Who is measured at so many networks side by side."""

TASKS = {
    "300 networks 2-2-1, 5,000 steps": {
        "initodds": (lambda: xor_ours(Compiled, 300), 300),
        "initodds, NumPy": (lambda: xor_ours(Stacked, 300), 300),
        "JAX jit(scan), one after another": (lambda: xor_jax(300, False), 300),
        "JAX jit(vmap(scan))": (lambda: xor_jax(300, True), 300),
    },
    "32 networks 784-128-64-10, Adam, 100 steps of 64": {
        "initodds": (lambda: adam_ours(Compiled, False), 32),
        "initodds, NumPy": (lambda: adam_ours(Stacked, False), 32),
        "JAX jit(vmap(scan)), optax": (lambda: adam_jax(False), 32),
    },
    "the same, standardized pixels": {
        "initodds": (lambda: adam_ours(Compiled, True), 32),
        "JAX jit(vmap(scan)), optax": (lambda: adam_jax(True), 32),
    },
} | {
    f"784-30-10, standardized pixels, batch size {batch}, R = {count}": {
        who: (partial(classic, who, batch, count), count) for who in PEERS[count]
    }
    for batch in (10, 32, 100, 1000)
    for count in PEERS
}
"""What is trained, by whom, and how many networks."""


def one(task: str, who: str) -> list[dict]:
    """One measurement in this process. apart: of the first weights, see `mean_weight`."""
    os.sched_setaffinity(0, {os.cpu_count() - 1})
    seconds, layers = TASKS[task][who][0]()
    size = float(np.mean([np.abs(weights).mean() for of_one in layers for weights, _ in of_one]))
    return [{"task": task, "who": who, "seconds": seconds, "mean_weight": size}]


def summary(frame: pd.DataFrame) -> str:
    """small.md: the least of the rounds."""
    sections = [
        "# Summary of small.csv",
        "",
        "Printed by small.py. CPU seconds, the least of the rounds, compilation",
    ]
    sections += [
        "not counted. Mean weight: the mean size of all weights at the end, which all must have alike; of a single",
        "network, whose steps are thousands at a rate of 3, to within a few percent, since rounding grows on its way.",
        "",
    ]
    for task, part in frame.groupby("task", sort=False):
        best = part.groupby("who", sort=False)[["seconds", "mean_weight"]].min()
        ratio = (best["seconds"] / best.loc["initodds", "seconds"]).map("{:.1f}".format)
        table = pd.DataFrame({"seconds": best["seconds"].map("{:.3f}".format), "times ours": ratio})
        table["mean weight"] = best["mean_weight"].map("{:.4f}".format)
        sections += [f"## {task}", "", tabulate(table.reset_index(), headers="keys", tablefmt="github", showindex=False,
                                                disable_numparse=True), ""]  # fmt: skip
    return "\n".join(sections)


def main() -> None:
    if sys.argv[1:2] == ["one"]:
        print(json.dumps(one(*json.loads(sys.argv[2]))))
        return
    if sys.argv[1:] != ["analyse"]:
        rows = []
        for _ in range(ROUNDS):
            for task, contenders in TASKS.items():
                for who in contenders:
                    rows += in_process_of(__file__, "one", task, who)
                    print(f"{task}: {who}, {rows[-1]['seconds']:.3f} s", file=sys.stderr)
        pd.DataFrame(rows).to_csv(FOLDER / "small.csv", index=False, float_format="%.5g")
    text = summary(pd.read_csv(FOLDER / "small.csv"))
    (FOLDER / "small.md").write_text(text)
    print(text)


if __name__ == "__main__":
    assert initodds
    main()
