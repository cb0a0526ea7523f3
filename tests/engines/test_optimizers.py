"""Every optimizer against its formula as it is published, and against PyTorch's numbers."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from initodds.engines import Engine, optimizers
from initodds.engines.compiled import Compiled
from initodds.engines.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from initodds.engines.stacked import Stacked
from initodds.networks.network import Network
from initodds.training import loop
from initodds.training.history import Checkpoint
from initodds.training.schedules import Schedule
from initodds.vocabulary import InputError
from tests.conftest import mini_batches, problem_of, random_layers, settings_of
from tests.engines import torch_numbers
from tests.engines.torch_numbers import BATCH_SIZE, CASES, EPOCHS, EXAMPLES, ORDER_SEED, SCHEDULED

Array = np.ndarray

TORCH = dict(np.load(torch_numbers.PATH))
LAYERS = [(TORCH[f"weights{layer}"], TORCH[f"biases{layer}"]) for layer in range(2)]
NETWORK = Network(torch_numbers.SIZES, activation="tanh")
STEPS = 100


def optimizer_of(case: str) -> Optimizer:
    """The project's optimizer for a case of PyTorch's."""
    kind, options = CASES[case]
    return getattr(optimizers, kind)(**torch_numbers.arguments(options))


@pytest.mark.parametrize("case", CASES)
def test_each_optimizer_has_pytorchs_weights_after_100_steps(case: str):
    engine = Stacked(problem_of(NETWORK, TORCH["x"], TORCH["targets"], optimizer=optimizer_of(case)), [LAYERS])
    for rows in mini_batches(EXAMPLES, BATCH_SIZE, EPOCHS, ORDER_SEED):
        engine.steps(rows)
    ended = torch_numbers.flat(engine.stack().replicate(0))
    np.testing.assert_allclose(ended, TORCH[f"case/{case}"], rtol=0, atol=1e-12)
    others = [TORCH[f"case/{other}"] for other in CASES if other != case]
    assert min(np.abs(ended - other).max() for other in others) > 1e-6  # so that every option is seen to do something


@pytest.mark.parametrize("case", CASES)
def test_with_what_an_optimizer_has_kept_another_engine_goes_on_to_pytorchs_weights(case: str):
    """Of three networks, the last; from one engine to the other after each fifth of the steps."""
    problem = problem_of(NETWORK, TORCH["x"], TORCH["targets"], optimizer=optimizer_of(case))
    rows = list(mini_batches(EXAMPLES, BATCH_SIZE, EPOCHS, ORDER_SEED))
    others = random_layers(NETWORK, 2, np.random.default_rng(0))
    engine: Engine = Stacked(problem, [*others, LAYERS])
    for number, batch in enumerate(rows):
        if number and number % (len(rows) // 5) == 0:
            kind = Compiled if isinstance(engine, Stacked) else Stacked
            stack = engine.stack()
            engine = kind(problem, [stack.replicate(r) for r in range(3)], engine.states)
        engine.steps(batch)
    ended = torch_numbers.flat(engine.stack().replicate(2))
    np.testing.assert_allclose(ended, TORCH[f"case/{case}"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [Stacked, Compiled])
@pytest.mark.parametrize("case", CASES)
def test_what_an_optimizer_has_kept_is_all_that_it_goes_on_from(
    case: str, kind: type[Engine], rng: np.random.Generator
):
    """Bit for bit, with features that are never there, and each network in an order of its own."""
    network = Network((6, 5, 4, 3), activation=("tanh", "relu"))
    x, targets = rng.normal(size=(20, 6)), np.eye(3)[rng.integers(3, size=20)]
    x[:, [1, 4]] = 0
    problem = problem_of(network, x, targets, optimizer=optimizer_of(case))
    rows = rng.integers(20, size=(2, 16, 5))
    uninterrupted = kind(problem, random_layers(network, 2, rng))
    uninterrupted.steps(rows[:, :7])
    stack = uninterrupted.stack()
    again = kind(problem, [stack.replicate(r) for r in range(2)], uninterrupted.states)
    for engine in (uninterrupted, again):
        engine.steps(rows[:, 7:])
    for r in range(2):
        mine, expected = (torch_numbers.flat(engine.stack().replicate(r)) for engine in (again, uninterrupted))
        np.testing.assert_array_equal(mine, expected)


@pytest.mark.parametrize("name", SCHEDULED)
def test_a_scheduled_training_ends_with_pytorchs_weights(name: str):
    case, schedule = SCHEDULED[name]
    engine = Stacked(problem_of(NETWORK, TORCH["x"], TORCH["targets"], optimizer=optimizer_of(case)), [LAYERS])
    history = loop.train(
        engine,
        EXAMPLES,
        lambda stack: Checkpoint(*np.zeros((6, 1))),
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        checkpoints=3,
        orders=[np.random.default_rng(ORDER_SEED)],
        schedule=Schedule(**schedule),
    )
    ended = torch_numbers.flat(history.layers[0])
    np.testing.assert_allclose(ended, TORCH[f"scheduled/{name}"], rtol=0, atol=1e-12)
    assert np.abs(ended - TORCH[f"case/{case}"]).max() > 1e-3


# The formulas, as they stand in the papers: of the gradient as a function of all weights (n,), and of all the gradients
# so far, which are kept, instead of running means.
Gradient = Callable[[Array], Array]


def descended(gradient: Gradient, w: Array, rate: float) -> Array:
    """Gradient descent: w <- w - rate g."""
    for _ in range(STEPS):
        w = w - rate * gradient(w)
    return w


def heavy_ball(gradient: Gradient, w: Array, rate: float, momentum: float) -> Array:
    """Rumelhart, Hinton and Williams 1986: the change is -rate g, and momentum times the change before it."""
    change = np.zeros_like(w)
    for _ in range(STEPS):
        change = momentum * change - rate * gradient(w)
        w = w + change
    return w


def nesterov(gradient: Gradient, w: Array, rate: float, momentum: float) -> Array:
    """Sutskever et al. 2013, equations 3 and 4: the gradient is that of where the momentum will lead. PyTorch's weights
    are where it does, not where it comes from."""
    velocity = np.zeros_like(w)
    for _ in range(STEPS):
        velocity = momentum * velocity - rate * gradient(w + momentum * velocity)
        w = w + velocity
    return w + momentum * velocity


def weighted(values: list[Array], beta: float) -> Array:
    """A running mean that began as 0: sum over i of (1 - beta) beta^(t - i) value_i (Kingma and Ba 2015, section 3)."""
    weights = (1 - beta) * beta ** np.arange(len(values))[::-1]
    return np.tensordot(weights, values, axes=1)


def adam(
    gradient: Gradient, w: Array, rate: float, beta1: float, beta2: float, epsilon: float, decay: float = 0.0
) -> Array:
    """Kingma and Ba 2015, algorithm 1; with a decay, Loshchilov and Hutter 2019, algorithm 2, line 12, where PyTorch's
    decay is multiplied by the rate too."""
    gradients: list[Array] = []
    for t in range(1, STEPS + 1):
        gradients.append(gradient(w))
        mean = weighted(gradients, beta1) / (1 - beta1**t)
        square = weighted([g**2 for g in gradients], beta2) / (1 - beta2**t)
        w = w - rate * (mean / (np.sqrt(square) + epsilon) + decay * w)
    return w


def rmsprop(gradient: Gradient, w: Array, rate: float, alpha: float, epsilon: float, momentum: float) -> Array:
    """Tieleman and Hinton 2012, lecture 6e: the gradient is divided by the root of its square's running mean; with a
    momentum of these."""
    gradients: list[Array] = []
    steps: list[Array] = []
    for _ in range(STEPS):
        gradients.append(gradient(w))
        steps.append(gradients[-1] / (np.sqrt(weighted([g**2 for g in gradients], alpha)) + epsilon))
        w = w - rate * np.tensordot(momentum ** np.arange(len(steps))[::-1].astype(float), steps, axes=1)
    return w


def decayed(gradient: Gradient, decay: float) -> Gradient:
    """The gradient of a function to which decay / 2 |w|^2 is added."""
    return lambda w: gradient(w) + decay * w


def clipped(gradient: Gradient, norm: float) -> Gradient:
    """Pascanu et al. 2013, algorithm 1, with the 1e-6 that PyTorch adds to the norm."""
    return lambda w: gradient(w) * min(1, norm / (math.sqrt((gradient(w) ** 2).sum()) + 1e-6))


FORMULAS: list[tuple[Optimizer, Callable[[Gradient, Array], Array]]] = [
    (SGD(0.02), lambda g, w: descended(g, w, 0.02)),
    (SGD(0.02, weight_decay=0.5), lambda g, w: descended(decayed(g, 0.5), w, 0.02)),
    (SGD(0.02, clip_norm=2.0), lambda g, w: descended(clipped(g, 2.0), w, 0.02)),
    (
        SGD(0.02, weight_decay=0.5, clip_norm=2.0),  # the decay is not clipped
        lambda g, w: descended(decayed(clipped(g, 2.0), 0.5), w, 0.02),
    ),
    (SGD(0.01, momentum=0.9), lambda g, w: heavy_ball(g, w, 0.01, 0.9)),
    (SGD(0.01, momentum=0.9, weight_decay=0.5), lambda g, w: heavy_ball(decayed(g, 0.5), w, 0.01, 0.9)),
    (SGD(0.01, momentum=0.9, nesterov=True), lambda g, w: nesterov(g, w, 0.01, 0.9)),
    (Adam(0.05), lambda g, w: adam(g, w, 0.05, 0.9, 0.999, 1e-8)),
    (Adam(0.05, beta1=0.0, beta2=0.9, epsilon=0.1), lambda g, w: adam(g, w, 0.05, 0.0, 0.9, 0.1)),
    (Adam(0.05, weight_decay=0.5), lambda g, w: adam(decayed(g, 0.5), w, 0.05, 0.9, 0.999, 1e-8)),
    (AdamW(0.05), lambda g, w: adam(g, w, 0.05, 0.9, 0.999, 1e-8, decay=0.01)),
    (AdamW(0.05, weight_decay=0.5), lambda g, w: adam(g, w, 0.05, 0.9, 0.999, 1e-8, decay=0.5)),
    (RMSprop(0.02), lambda g, w: rmsprop(g, w, 0.02, 0.99, 1e-8, 0.0)),
    (RMSprop(0.01, alpha=0.9, epsilon=0.01, momentum=0.8), lambda g, w: rmsprop(g, w, 0.01, 0.9, 0.01, 0.8)),
    (RMSprop(0.02, weight_decay=0.5), lambda g, w: rmsprop(decayed(g, 0.5), w, 0.02, 0.99, 1e-8, 0.0)),
]


@pytest.mark.parametrize(("optimizer", "formula"), FORMULAS, ids=range(len(FORMULAS)))
def test_each_optimizer_is_its_published_formula(
    optimizer: Optimizer, formula: Callable[[Gradient, Array], Array], rng: np.random.Generator
):
    """On the full batch of a network of one layer, linear and quadratic, whose gradient is written here anew."""
    x, targets = rng.normal(size=(12, 4)), rng.normal(size=(12, 2))
    layer = (rng.normal(size=(4, 2)), rng.normal(size=2))

    def gradient(flat: Array) -> Array:
        weights, biases = flat[:8].reshape(4, 2), flat[8:]
        error = x @ weights + biases - targets
        return np.concatenate([np.ravel(x.T @ error), error.sum(axis=0)]) / len(x)

    engine = Stacked(problem_of(Network((4, 2), output="linear"), x, targets, optimizer=optimizer), [[layer]])
    engine.steps(np.tile(np.arange(12), (STEPS, 1)))
    expected = formula(gradient, torch_numbers.flat([layer]))
    np.testing.assert_allclose(torch_numbers.flat(engine.stack().replicate(0)), expected, rtol=0, atol=1e-10)


def test_a_step_of_a_schedule_is_one_at_its_own_rate(rng: np.random.Generator):
    """In plain SGD, whose steps are taken otherwise than the others', as in these."""
    x, targets = TORCH["x"], TORCH["targets"]
    rows, factors = np.arange(EXAMPLES).reshape(5, 4), np.array([0.1, 1.0, 0.5, 2.0, 0.0])
    for kind in (SGD, Adam):
        together = Stacked(problem_of(NETWORK, x, targets, optimizer=kind(0.3)), [LAYERS])
        together.steps(rows, factors)
        apart = Stacked(problem_of(NETWORK, x, targets, optimizer=kind(0.3)), [LAYERS])
        for batch, factor in zip(rows, factors, strict=True):
            apart.steps(batch[None], np.array([factor]))
        expected = torch_numbers.flat(apart.stack().replicate(0))
        np.testing.assert_array_equal(torch_numbers.flat(together.stack().replicate(0)), expected)
    one = Stacked(problem_of(NETWORK, x, targets, optimizer=SGD(0.3)), [LAYERS])
    one.steps(rows[:1], np.array([0.5]))
    other = Stacked(problem_of(NETWORK, x, targets, optimizer=SGD(0.15)), [LAYERS])
    other.steps(rows[:1])
    mine, expected = (torch_numbers.flat(engine.stack().replicate(0)) for engine in (one, other))
    np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("bias", [True, False])
def test_a_network_among_others_is_as_it_is_alone(case: str, bias: bool, rng: np.random.Generator):
    """Each at a rate of its own, and clipped by its own gradient; with features that are never there."""
    network = Network((6, 5, 4, 3), activation=("tanh", "relu"), bias=bias)
    x, targets = rng.normal(size=(20, 6)), np.eye(3)[rng.integers(3, size=20)]
    x[:, [1, 4]] = 0
    layers = random_layers(network, 3, rng)
    rates = optimizer_of(case).learning_rate * np.array([0.5, 1.0, 2.0])

    def trained(members: list[int]) -> list[Array]:
        optimizer = replace(optimizer_of(case), learning_rate=rates[members])
        engine = Stacked(problem_of(network, x, targets, optimizer=optimizer), [layers[r] for r in members])
        for rows in mini_batches(20, 6, 3, seed=1):
            engine.steps(rows)
        return [torch_numbers.flat(engine.stack().replicate(r)) for r in range(len(members))]

    together = trained([0, 1, 2])
    for r in range(3):
        np.testing.assert_allclose(together[r], trained([r])[0], rtol=0, atol=1e-12)
        absent = layers[r][0][0][[1, 4]]
        ended = together[r][:30].reshape(6, 5)[[1, 4]]
        if optimizer_of(case).weight_decay:
            assert (np.abs(ended) < np.abs(absent)).all()
        else:
            np.testing.assert_array_equal(ended, absent)


def test_a_gradient_of_zero_is_left_as_it_is_when_it_is_clipped():
    network = Network((2, 1), output="linear")
    engine = Stacked(
        problem_of(network, np.zeros((3, 2)), np.zeros((3, 1)), optimizer=SGD(1.0, momentum=0.9, clip_norm=1.0)),
        [[(np.ones((2, 1)), np.zeros(1))]],
    )
    engine.steps(np.arange(3)[None])
    assert engine.stack().replicate(0)[0][0].tolist() == [[1], [1]]


BAD: list[tuple[str, dict[str, Any]]] = [
    ("sgd", {"momentum": 1.5}),
    ("sgd", {"momentum": 1.0}),
    ("sgd", {"momentum": -0.1}),
    ("sgd", {"momentum": "fast"}),
    ("sgd", {"momentum": "null"}),
    ("sgd", {"momentum": "true"}),
    ("sgd", {"momentum": "[0.9]"}),
    ("sgd", {"nesterov": "true"}),
    ("sgd", {"nesterov": "often"}),
    ("sgd", {"weight_decay": -1}),
    ("sgd", {"weight_decay": "inf"}),
    ("sgd", {"weight_decay": "nan"}),
    ("sgd", {"clip_norm": 0}),
    ("sgd", {"clip_norm": "inf"}),
    ("sgd", {"clip_norm": "small"}),
    ("adam", {"beta1": 1.0}),
    ("adam", {"beta1": -0.5}),
    ("adam", {"beta2": 1.0}),
    ("adam", {"epsilon": 0}),
    ("adamw", {"weight_decay": -0.01}),
    ("rmsprop", {"alpha": 1.0}),
    ("rmsprop", {"momentum": 1.5}),
    ("rmsprop", {"epsilon": -1e-8}),
]


@pytest.mark.parametrize("rate", [0, -1.0, np.inf, np.nan, "x", None, np.array([0.1, -0.1])], ids=str)
def test_a_learning_rate_is_over_0(rate: Any):
    with pytest.raises(InputError, match=r"^learning_rate=.*: a number over 0"):
        SGD(rate)


@pytest.mark.parametrize(("option", "values"), BAD, ids=str)
def test_a_bad_value_is_told_in_one_line_with_its_key(option: str, values: dict[str, Any]):
    ((name, value),) = values.items()
    with pytest.raises(InputError) as raised:
        settings_of(f"optimizer={option}", f"optimizer.{name}={value}")
    message = str(raised.value)
    assert message.startswith(f"optimizer.{name}=")
    assert "\n" not in message
    assert len(message) < 150
