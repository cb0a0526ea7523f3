"""The compiled engine against the NumPy engine, alone and among others, and where there is no compiler."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from initodds.engines import Engine, Problem, Reduction, auto, building, compiled
from initodds.engines.auto import Auto
from initodds.engines.compiled import Compiled, unsupported
from initodds.engines.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from initodds.engines.stacked import Stacked
from initodds.networks.activations import ACTIVATIONS, Activation, LeakyRelu, Relu
from initodds.networks.network import Layer, Network, Stack
from initodds.networks.outputs import OUTPUTS, BinaryCrossEntropy, Output, SoftmaxSquared, Squared
from initodds.vocabulary import InputError
from tests.conftest import needs_compiler, problem_of, random_layers

OPTIMIZERS = [
    SGD(0.1),
    SGD(0.1, clip_norm=0.2),
    SGD(0.05, momentum=0.9),
    SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    Adam(0.01),
    Adam(0.01, weight_decay=0.1, clip_norm=0.5),
    AdamW(0.01),
    RMSprop(0.001, momentum=0.5, weight_decay=0.1),
]
EXAMPLES = 57


def example_set(network: Network, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Examples of which so large a share of the features is not zero, and the first feature never, and their
    targets."""
    x = rng.normal(size=(EXAMPLES, network.sizes[0])) * (rng.random((EXAMPLES, network.sizes[0])) < share)
    x[:, :1] *= network.sizes[0] == 1
    if network.sizes[-1] == 1:
        return x, rng.integers(2, size=(EXAMPLES, 1)).astype(float)
    return x, np.eye(network.sizes[-1])[rng.integers(network.sizes[-1], size=EXAMPLES)]


def epoch(engine: Engine, batch: int, own: int | None = None, factors: bool = False, seed: int = 3) -> Stack:
    """An epoch in mini-batches of this size, the last as short as it comes out; each of `own` networks in its own
    order, or all in one."""
    rng = np.random.default_rng(seed)
    orders = np.stack([rng.permutation(EXAMPLES) for _ in range(own or 1)])
    orders = orders if own else orders[0]
    whole = EXAMPLES // batch * batch
    if whole:
        rows = orders[..., :whole].reshape(*orders.shape[:-1], -1, batch)
        engine.steps(rows, np.linspace(1, 0.5, rows.shape[-2]) if factors else None)
    if whole < EXAMPLES:
        engine.steps(orders[..., None, whole:])
    return engine.stack()


def assert_close(mine: Stack, reference: Stack, **tolerance: float) -> None:
    for array, other in zip(mine.weights + mine.biases, reference.weights + reference.biases, strict=True):
        np.testing.assert_allclose(array, other, **tolerance)


def assert_agree(
    problem: Problem,
    layers: list[list[Layer]],
    batch: int,
    own: bool,
    factors: bool = False,
    dtype: type = np.float64,
    atol: float = 1e-10,
) -> None:
    """By the NumPy engine in float64 and compiled, two epochs end with the same weights."""
    stacked, fast = Stacked(problem, layers), Compiled(replace(problem, dtype=np.dtype(dtype)), layers)
    for seed in (3, 4):
        given_orders = len(layers) if own else None
        expected = epoch(stacked, batch, given_orders, factors, seed)
        assert_close(epoch(fast, batch, given_orders, factors, seed), expected, rtol=0, atol=atol)


@needs_compiler
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_every_activation(activation: str, share: float, rng: np.random.Generator):
    network = Network((20, 7, 33, 3), activation=activation)
    assert_agree(problem_of(network, *example_set(network, share, rng), 0.1), random_layers(network, 2, rng), 10, True)


@needs_compiler
@pytest.mark.parametrize(("output", "cost"), OUTPUTS)
@pytest.mark.parametrize("scale", [0.5, 20.0])
def test_every_output(output: str, cost: str, scale: float, rng: np.random.Generator):
    network = Network((20, 7, 5), output=output, cost=cost)
    layers = random_layers(network, 2, rng, scale)
    assert_agree(problem_of(network, *example_set(network, 0.3, rng), 0.01), layers, 10, True)


@needs_compiler
@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.parametrize("head", [Squared, partial(Squared, mean=True), BinaryCrossEntropy])
def test_outputs_of_a_users_own_pairing(
    head: Callable[[Activation], Output], activation: type[Activation], rng: np.random.Generator
):
    network = Network((20, 7, 5), output=head(activation()))
    layers = random_layers(network, 2, rng, 0.5)
    assert_agree(problem_of(network, *example_set(network, 0.3, rng), 0.01), layers, 10, True)


@needs_compiler
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("batch", [1, 10])
def test_every_optimizer(optimizer: Optimizer, batch: int, rng: np.random.Generator):
    network = Network((20, 7, 3), activation="tanh")
    problem = problem_of(network, *example_set(network, 0.3, rng), optimizer=optimizer)
    assert_agree(problem, random_layers(network, 2, rng, 0.5), batch, True, factors=True)


@needs_compiler
@pytest.mark.parametrize(
    "sizes", [(3, 2), (1, 1, 2), (20, 1, 3), (20, 33, 3), (20, 40, 17, 16, 2), (9, 70, 3), (3, 4, 1), (1, 1)]
)
@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("batch", [1, 13, 30, EXAMPLES])
def test_odd_sizes(sizes: tuple[int, ...], share: float, batch: int, rng: np.random.Generator):
    network = Network(sizes)
    assert_agree(problem_of(network, *example_set(network, share, rng)), random_layers(network, 2, rng), batch, False)


@needs_compiler
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_combination(data: st.DataObject):
    hidden = data.draw(st.lists(st.integers(1, 40), max_size=3), "hidden")
    output, cost = data.draw(st.sampled_from(list(OUTPUTS)), "output")
    fewest = 2 if output == "softmax" else 1
    network = Network(
        (data.draw(st.integers(1, 25), "features"), *hidden, data.draw(st.integers(fewest, 18), "outputs")),
        activation=tuple(data.draw(st.sampled_from(list(ACTIVATIONS)), "activation") for _ in hidden),
        output=output,
        cost=cost,
        bias=data.draw(st.booleans(), "bias"),
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), "seed"))
    x, targets = example_set(network, data.draw(st.sampled_from([0.05, 0.4, 1.0]), "share"), rng)
    batch = data.draw(st.integers(1, EXAMPLES), "batch")
    reduction: Reduction = data.draw(st.sampled_from(["mean", "sum"]), "reduction")
    # Rates, and below weights, so small that no network diverges: one that does doubles every rounding with each step.
    rate = 0.01 / (batch if reduction == "sum" else 1)
    drawn = data.draw(st.sampled_from(OPTIMIZERS), "optimizer")
    # A gradient that is 0 but for rounding is divided by its own size: with a small epsilon, that is a whole step.
    optimizer = replace(drawn, learning_rate=rate) if isinstance(drawn, SGD) else replace(drawn, epsilon=1e-3)
    problem = problem_of(network, x, targets, reduction=reduction, optimizer=optimizer)
    layers, own = random_layers(network, 2, rng, 0.15), data.draw(st.booleans(), "own")
    assert_agree(problem, layers, batch, own)
    assert_agree(problem, layers, batch, own, dtype=np.float32, atol=1e-4)


@needs_compiler
def test_a_batch_of_more_examples_than_are_kept_at_once(rng: np.random.Generator):
    network = Network((20, 7, 3))
    problem = problem_of(network, *example_set(network, 0.3, rng))
    layers = random_layers(network, 2, rng)
    rows = rng.integers(EXAMPLES, size=(2, 3, 150))
    engines = [kind(problem, layers) for kind in (Stacked, Compiled)]
    for engine in engines:
        engine.steps(rows)
    assert_close(engines[1].stack(), engines[0].stack(), rtol=0, atol=1e-12)


@needs_compiler
def test_float32_is_as_near_as_float32_is(rng: np.random.Generator):
    for activation in ACTIVATIONS:
        network = Network((20, 17, 3), activation=activation, output="softmax", cost="cross_entropy")
        x, targets = example_set(network, 0.3, rng)
        layers = random_layers(network, 2, rng, 0.5)
        exact = epoch(Stacked(problem_of(network, x, targets, 0.1), layers), 10)
        mine = epoch(Compiled(problem_of(network, x, targets, 0.1, dtype=np.float32), layers), 10)
        assert mine.weights[0].dtype == np.float32
        assert_close(mine, exact, rtol=0, atol=3e-6)


@needs_compiler
def test_rates_may_differ_and_the_layers_given_stay_as_they_were(rng: np.random.Generator):
    network = Network((20, 4, 3))
    layers = random_layers(network, 3, rng)
    before = layers[1][0][0].copy()
    x, targets = example_set(network, 0.3, rng)
    assert_agree(problem_of(network, x, targets, np.array([0.5, 4.0, 0.1])), layers, 10, False)
    np.testing.assert_array_equal(layers[1][0][0], before)


@needs_compiler
@pytest.mark.parametrize(("output", "cost"), [("logistic", "quadratic"), ("softmax", "cross_entropy")])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_overflows_are_counted_as_the_stack_counts_them(output: str, cost: str, dtype: type, rng: np.random.Generator):
    network = Network((20, 9, 3), output=output, cost=cost)
    layers = random_layers(network, 3, rng, scale=60 if dtype == np.float32 else 900)
    problem = problem_of(network, *example_set(network, 1, rng), dtype=dtype)
    counts = []
    for kind in (Stacked, Compiled):
        engine = kind(problem, layers)
        engine.steps(np.arange(50)[None])
        counts.append(engine.overflows.tolist())
    assert counts[0] == counts[1]
    assert sum(counts[0]) > 0


@needs_compiler
@pytest.mark.parametrize("optimizer", [SGD(1.0), Adam(0.01)], ids=repr)
def test_a_network_alone_is_bit_for_bit_the_same_among_others(optimizer: Optimizer, rng: np.random.Generator):
    network = Network((20, 9, 3))
    problem = problem_of(network, *example_set(network, 0.3, rng), optimizer=optimizer, dtype=np.float32)
    layers = random_layers(network, 40, rng)
    rows = rng.integers(EXAMPLES, size=(40, 30, 7))
    together = Compiled(problem, layers)
    together.steps(rows)
    for r in (0, 5, 39):
        alone = Compiled(problem, [layers[r]])
        for own in np.split(rows[r], 3):  # in several calls
            alone.steps(own)
        for mine, reference in zip(alone.stack().replicate(0), together.stack().replicate(r), strict=True):
            np.testing.assert_array_equal(mine[0], reference[0])
            np.testing.assert_array_equal(mine[1], reference[1])


@needs_compiler
def test_threads_train_different_networks(rng: np.random.Generator):
    network = Network((20, 9, 3))
    problem = problem_of(network, *example_set(network, 0.3, rng))
    layers = random_layers(network, 8, rng)
    rows = rng.integers(EXAMPLES, size=(8, 200, 5))

    def trained(r: int) -> Stack:
        engine = Compiled(problem, [layers[r]])
        engine.steps(rows[r])
        return engine.stack()

    with ThreadPoolExecutor(4) as pool:
        for mine, reference in zip(pool.map(trained, range(8)), map(trained, range(8)), strict=True):
            assert_close(mine, reference, rtol=0, atol=0)


@needs_compiler
def test_a_network_that_diverges_leaves_the_others_as_they_are(rng: np.random.Generator):
    network = Network((20, 9, 3), activation="relu", output="linear")
    x, targets = example_set(network, 0.3, rng)
    layers = random_layers(network, 2, rng, 0.3)
    together = Compiled(problem_of(network, x, targets, np.array([1e6, 0.01])), layers)
    alone = Compiled(problem_of(network, x, targets, 0.01), layers[1:])
    for engine in (together, alone):
        for seed in range(5):
            epoch(engine, 10, seed=seed)
    assert together.stack().finite().tolist() == [False, True]
    np.testing.assert_array_equal(together.stack().replicate(1)[0][0], alone.stack().replicate(0)[0][0])


@needs_compiler
def test_weights_of_a_feature_that_is_never_there_stay(rng: np.random.Generator):
    network = Network((20, 9, 3))
    x, targets = example_set(network, 0.3, rng)
    layers = random_layers(network, 2, rng)
    weights = epoch(Compiled(problem_of(network, x, targets), layers), 10).replicate(1)[0][0]
    np.testing.assert_array_equal(weights[0], layers[1][0][0][0])
    assert (weights[1:] != layers[1][0][0][1:]).all()
    nothing = Compiled(problem_of(network, np.zeros_like(x), targets), layers)
    np.testing.assert_array_equal(epoch(nothing, 10).replicate(0)[0][0], layers[0][0][0])


@needs_compiler
def test_rows_that_are_not_there_are_refused(rng: np.random.Generator):
    network = Network((20, 9, 3))
    engine = Compiled(problem_of(network, *example_set(network, 0.3, rng)), random_layers(network, 2, rng))
    with pytest.raises(IndexError, match="from 0 to 56"):
        engine.steps(np.array([[EXAMPLES]]))
    with pytest.raises(IndexError):
        engine.steps(np.array([[-1]]))
    with pytest.raises(ValueError, match="orders of 3 networks, for 2"):
        engine.steps(np.zeros((3, 1, 1), int))
    engine.steps(np.zeros((0, 5), int))
    assert engine.overflows.tolist() == [0, 0]


class TwiceRelu(Relu):
    def value(self, z: np.ndarray) -> np.ndarray:
        return 2 * super().value(z)


class Own(SoftmaxSquared):
    pass


class SlowSGD(SGD):
    pass


OwnAdam = type("Adam", (Adam,), {"__module__": "of_a_user"})


@needs_compiler
@pytest.mark.parametrize(
    ("network", "optimizer", "dtype", "said"),
    [
        (Network((5, 4, 3), activation=TwiceRelu()), SGD(1.0), np.float64, "the activation TwiceRelu is not compiled"),
        (
            Network((5, 3), output=Squared(TwiceRelu())),
            SGD(1.0),
            np.float64,
            "the activation TwiceRelu is not compiled",
        ),
        (Network((5, 3), output=Own()), SGD(1.0), np.float64, "the output Own is not compiled"),
        (Network((5, 4, 3)), SlowSGD(1.0), np.float64, "the optimizer SlowSGD is not compiled"),
        (Network((5, 4, 3)), OwnAdam(1.0), np.float64, "the optimizer Adam is not compiled"),
        (Network((5, 4, 3)), SGD(1.0), np.longdouble, f"{np.dtype(np.longdouble)} is not compiled"),
        (Network((2**16 + 1, 1, 2)), SGD(1.0), np.float64, "more than 65536 features are not compiled"),
    ],
)
def test_what_is_not_compiled_is_refused_and_left_to_numpy(
    network: Network, optimizer: Optimizer, dtype: type, said: str
):
    assert unsupported(network, optimizer, np.dtype(dtype)) == said
    assert Auto.choice(network, optimizer, np.dtype(dtype)) is Stacked
    with pytest.raises(InputError, match=f"^engine=compiled: {said}; engine=stacked, by NumPy, supports all$"):
        Compiled.require_support(network, optimizer, np.dtype(dtype))


@needs_compiler
def test_a_slope_of_a_users_choice_is_compiled(rng: np.random.Generator):
    network = Network((20, 9, 3), activation=LeakyRelu(0.3), output=Squared(LeakyRelu(0.2)))
    assert_agree(problem_of(network, *example_set(network, 0.3, rng), 0.1), random_layers(network, 1, rng), 10, False)


def test_without_a_compiler_numpy_trains_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(compiled, "_built", lambda real: building.BuildError("there is no C compiler"))
    auto._say_once.cache_clear()
    network = Network((20, 9, 3))
    with caplog.at_level(logging.WARNING):
        kinds = [Auto.choice(network, SGD(1.0), np.dtype(np.float32)) for _ in range(2)]
    assert caplog.messages == ["there is no C compiler: the NumPy engine is used, engine=stacked"]
    assert not compiled.available()
    assert kinds == [Stacked, Stacked]


SANITIZE = "INITODDS_SANITIZE"
"""Environment variable that is set where the sanitizers have to be there, as in CI."""

TRAINING = """
import numpy as np
from initodds.engines import Problem, auto, building, compiled
from initodds.engines.optimizers import SGD, Adam, AdamW, RMSprop
from initodds.networks.network import Network

{before}
rng = np.random.default_rng(1)
for dtype in (np.float32, np.float64):
    wide = ((20, 70, 3), 0.2)  # tiles of four vectors
    for sizes, share in (((20, 7, 33, 3), 0.3), ((20, 1, 2), 1.0), ((1, 17, 5), 1.0), ((9, 2), 0.5), wide):
        for activation in {activations}:
            for output, cost in (("logistic", "quadratic"), ("softmax", "cross_entropy"), ("softmax", "mean_squared")):
                momentum = SGD(0.1, momentum=0.9, clip_norm=0.1)
                nesterov = SGD(0.01, momentum=0.5, nesterov=True, weight_decay=0.1)
                for optimizer in (SGD(0.1), momentum, nesterov, Adam(0.1), AdamW(0.1), RMSprop(0.1)):
                    bias = optimizer is not nesterov
                    network = Network(sizes, activation=activation, output=output, cost=cost, bias=bias)
                    x = rng.normal(size=(57, sizes[0])) * (rng.random((57, sizes[0])) < share)
                    targets = np.eye(sizes[-1])[rng.integers(sizes[-1], size=57)]
                    problem = Problem(network, x, targets, optimizer, "mean", np.dtype(dtype))
                    layers = [[(rng.normal(size=s), rng.normal(size=s[1])) for s in network.layers] for _ in range(2)]
                    engine = auto.Auto.choice(network, optimizer, np.dtype(dtype))(problem, layers)
                    for batch in (1, 13, 57, 150):
                        engine.steps(rng.integers(57, size=(2, 3, batch)), np.array([1, 0.5, 0.1]))
                    assert np.isfinite(engine.stack().weights[0]).all()
print(type(engine).__name__)
"""
"""A program that trains networks of many kinds."""


def trained_by(before: str, activations: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """That program, run with so much done before."""
    command = [sys.executable, "-c", TRAINING.format(before=before, activations=activations)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


def test_a_process_without_a_compiler(tmp_path: Path):
    before = "building.importlib.util.find_spec = lambda name: None"
    done = trained_by(before, ["logistic"], PATH="", CC="", XDG_CACHE_HOME=str(tmp_path))
    assert done.stdout == "Stacked\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith("there is no C compiler")


@pytest.mark.soak
@needs_compiler
def test_the_sanitizers_find_nothing(tmp_path: Path):
    compiler = building._compiler()
    asked = subprocess.run([*compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=False)
    runtime = Path(asked.stdout.strip())
    if not runtime.is_absolute():
        assert not os.environ.get(SANITIZE), "there is no address sanitizer"
        pytest.skip("the C compiler has no address sanitizer that can be loaded first")
    before = """
building.FLAGS += ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# Arrays that end where their memory ends, so that nothing can be read or written beyond them.
compiled._aligned = np.zeros
"""
    options = {"ASAN_OPTIONS": "detect_leaks=0", "LD_PRELOAD": str(runtime)}
    done = trained_by(before, list(ACTIVATIONS), XDG_CACHE_HOME=str(tmp_path), **options)
    assert (done.stdout, done.returncode) == ("Compiled\n", 0), done.stderr


@pytest.mark.soak
def test_a_sweep_where_there_is_no_compiler_is_by_numpy(tmp_path: Path):
    (tmp_path / "bin").mkdir()
    environment = {**os.environ, "PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("CC", None)
    command = ["-m", "initodds", "data=digits", "network.hidden=[6]", "sgd.epochs=1", "replicates=3"]
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "compiler" in line]
    assert len(lines) == 1
    assert lines[0].endswith("the NumPy engine is used, engine=stacked")
    assert done.stdout.splitlines()[2].split()[:4] == ["half", "10", "3.0", "3"]
