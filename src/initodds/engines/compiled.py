"""The compiled engine: one network at a time, each in an order of its own, over the features that an example has.

The loop itself is `compiled.c`. It has every activation, output, cost and optimizer of the project, but none that is a
user's own.
"""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from initodds.engines import Problem, building, optimizers
from initodds.engines.optimizers import Optimizer, State
from initodds.engines.stacked import Stacked
from initodds.networks.activations import ACTIVATIONS, LOWEST_LOGISTIC, Activation, Logistic
from initodds.networks.network import Layer, Network, Stack
from initodds.networks.outputs import BinaryCrossEntropy, CategoricalCrossEntropy, Output, SoftmaxSquared, Squared
from initodds.vocabulary import InputError

Array = np.ndarray

SOURCE = Path(__file__).with_suffix(".c")
REALS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
ALIGNMENT = 64
"""Bytes: a line of the processor's cache, and the longest vector."""

MOST_FEATURES = 2**16
"""Features are numbered with 16 bits, so that more of them are in the cache."""

# Measured on 784-30-10: a dense loop takes several examples at once, and is as fast where a third is not zero; at a
# batch size of 1, where eight tenths are.
DENSE = 0.35
"""The share of features that are not zero from which on the zeros are calculated with too."""

OF_OPTIMIZERS = ("weight_decay", "momentum", "beta1", "beta2", "alpha", "epsilon")
"""What some optimizer has and the C code is told, by its name."""


class Compiled:
    """See `initodds.engines.Engine`. Threads may train at the same time, each an engine of its own."""

    # A network is trained by itself, but looked at, as the loop does after every epoch, together with so many others.
    side_by_side: ClassVar[int] = Stacked.side_by_side

    in_threads: ClassVar[bool] = True

    def __init__(self, problem: Problem, replicates: Sequence[Sequence[Layer]], states: Sequence[State] = ()) -> None:
        self.require_support(problem.network, problem.optimizer, np.dtype(problem.dtype))
        self._library = _library(np.dtype(problem.dtype))
        self._whole = Stack(problem.network, replicates, problem.dtype)
        dtype, optimizer = self._whole.dtype, problem.optimizer
        self._examples = _examples_of(problem)
        self._layout = _Layout(problem.network, len(self._examples.present), self._library.wide)
        count = self._layout.parameters
        self._networks = _aligned((len(replicates), count), dtype)
        self._slots = _aligned((len(replicates), 0 if optimizer.fused else optimizer.slots, count), dtype)
        self._gradient = _aligned((count,), dtype)
        self._rates = np.ascontiguousarray(optimizer.rates(len(replicates), len(problem.network.sizes) - 1))
        self._steps = states[0].steps if states else 0
        self._overflows = np.zeros(len(replicates), np.int64)
        self._problem, self._kept = _described(problem, self._examples, self._layout, self._library)
        self._fill(self._networks, self._whole)
        for slot in range(self._slots.shape[1] if states else 0):
            self._fill(self._slots[:, slot], Stack(problem.network, [state.slots[slot] for state in states], dtype))

    @classmethod
    def require_support(cls, network: Network, optimizer: Optimizer, dtype: np.dtype) -> None:
        if reason := unsupported(network, optimizer, dtype):
            raise InputError(f"engine=compiled: {reason}; engine=stacked, by NumPy, supports all")

    def steps(self, rows: Array, factors: Array | None = None) -> None:
        rows = np.ascontiguousarray(rows, np.int64)
        steps, batch = rows.shape[-2:]
        replicates = len(self._networks)
        if rows.ndim == 3 and len(rows) not in (1, replicates):
            raise ValueError(f"orders of {len(rows)} networks, for {replicates}")
        if not rows.size:
            return
        if rows.min() < 0 or rows.max() >= self._examples.examples:
            raise IndexError(f"rows must be from 0 to {self._examples.examples - 1}")
        factors = None if factors is None else np.ascontiguousarray(factors, np.float64)
        self._library.train(
            ctypes.byref(self._problem),
            replicates,
            _address(self._networks),
            _address(self._slots),
            _address(self._gradient),
            _address(rows),
            steps * batch if rows.ndim == 3 and len(rows) > 1 else 0,
            steps,
            batch,
            _address(self._rates),
            None if factors is None else _address(factors),
            self._steps + 1,
            _address(self._overflows),
        )
        self._steps += steps

    def stack(self) -> Stack:
        return self._read(self._networks, self._whole)

    @property
    def states(self) -> list[State]:
        kept = [self._read(self._slots[:, slot], self._whole.zeros()) for slot in range(self._slots.shape[1])]
        return [State(self._steps, [stack.replicate(r) for stack in kept]) for r in range(len(self._networks))]

    @property
    def overflows(self) -> Array:
        return self._overflows.copy()

    def _fill(self, networks: Array, stack: Stack) -> None:
        """Take over the parameters of a stack, as (R, parameters)."""
        weights, *others = self._layout.views(networks)
        weights[...] = _first_weights(stack)[self._examples.present].transpose(1, 0, 2)
        for mine, whole in zip(others, _other_parameters(stack), strict=True):
            mine[...] = whole

    def _read(self, networks: Array, stack: Stack) -> Stack:
        """The stack, with what (R, parameters) has of it."""
        weights, *others = self._layout.views(networks)
        _first_weights(stack)[self._examples.present] = weights.transpose(1, 0, 2)
        for mine, whole in zip(others, _other_parameters(stack), strict=True):
            whole[...] = mine
        return stack


def _first_weights(stack: Stack) -> Array:
    """(features, R, units), the stack's weights of the first layers, as a view."""
    weights = stack.weights[0]
    return weights.reshape(len(weights), stack.replicates, -1, copy=False)


def _other_parameters(stack: Stack) -> list[Array]:
    """The stack's weights (R, fan_in, units) of the later layers, and its biases (R, 1, units)."""
    return [*stack.weights[1:], *stack.biases]


def available() -> bool:
    """Whether networks can be trained by compiled code here."""
    return isinstance(_built("float"), ctypes.CDLL)


def unsupported(network: Network, optimizer: Optimizer, dtype: np.dtype) -> str | None:
    """Why such networks cannot be trained by compiled code, in a few words; None where they can."""
    if dtype not in REALS:
        return f"{dtype} is not compiled"
    if network.sizes[0] > MOST_FEATURES:
        return f"more than {MOST_FEATURES} features are not compiled"
    if isinstance(built := _built(REALS[dtype]), building.BuildError):
        return str(built)
    library = _library(dtype)
    if type(network.head) not in _ENTRIES:
        return f"the output {type(network.head).__name__} is not compiled"
    for activation in _activations(network):
        # A user's own may have the name of one that it is made of; so may an optimizer.
        if activation and (
            type(activation) is not ACTIVATIONS.get(activation.name)
            or library.number("activation", activation.name) < 0
        ):
            return f"the activation {type(activation).__name__} is not compiled"
    kind = type(optimizer)
    if kind.__module__ != optimizers.__name__ or library.number("optimizer", kind.__name__) < 0:
        return f"the optimizer {kind.__name__} is not compiled"
    return None


class _Entry(NamedTuple):
    """An output and its cost, as the C code has them: how the error is told; the units' activation, None for softmax;
    and whether the cost is a mean over the outputs."""

    output: str
    activation: Activation | None = None
    mean: bool = False


_ENTRIES: dict[type[Output], Callable[[Any], _Entry]] = {
    Squared: lambda head: _Entry("squared", head.activation, head.mean),
    BinaryCrossEntropy: lambda head: _Entry("cross_entropy", head.activation),
    CategoricalCrossEntropy: lambda head: _Entry("softmax_cross_entropy"),
    SoftmaxSquared: lambda head: _Entry("softmax_squared", mean=head.mean),
}


def _entry(head: Output) -> _Entry:
    return _ENTRIES[type(head)](head)


def _activations(network: Network) -> list[Activation | None]:
    """Those of the hidden layers and of the outputs, None for softmax."""
    return [*network.activations, _entry(network.head).activation]


def _lowest(activation: Activation | None, dtype: np.dtype) -> float:
    """Under which z, or -z for softmax, the function as it is taught overflows."""
    if activation is None:
        return -float(np.log(np.finfo(dtype).max))
    return float(LOWEST_LOGISTIC[dtype]) if isinstance(activation, Logistic) else -np.inf


class _Layer(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("fan_in", "units", "padded", "weights", "row", "biases", "activation")),
        *((name, ctypes.c_double) for name in ("parameter", "lowest")),
        *((name, ctypes.c_void_p) for name in ("a", "e")),
    )


class _Problem(ctypes.Structure):
    _fields_ = (
        ("layers", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("layer", "ends", "indices", "x", "targets")),
        *((name, ctypes.c_int64) for name in ("output", "mean", "bias", "plain", "parameters")),
        *((name, ctypes.c_double) for name in ("cost_weight", "clip_norm")),
        *((name, ctypes.c_int64) for name in ("optimizer", "slots", "nesterov")),
        *((name, ctypes.c_double) for name in OF_OPTIMIZERS),
    )


class _Layout:
    """Where the weights and biases of one network lie in its `parameters`, for vectors of `wide` numbers."""

    def __init__(self, network: Network, features: int, wide: int) -> None:
        self.sizes = (features, *network.sizes[1:])
        self.padded = [-(-units // wide) * wide for units in self.sizes]
        self.weights, self.rows, self.biases = [], [], []
        self.parameters = 0
        for layer in range(len(self.sizes) - 1):
            count, row = (self.sizes[layer + 1], self.padded[layer]) if layer else (features, self.padded[1])
            self.weights.append(self.parameters)
            self.rows.append(row)
            self.biases.append(self.parameters + count * row)
            self.parameters = self.biases[-1] + self.padded[layer + 1]

    def views(self, networks: Array) -> list[Array]:
        """The weights (R, fan_in, units) of each layer and then its biases (R, 1, units), as views of `networks`
        (R, parameters)."""
        weights, biases = [], []
        for layer, units in enumerate(self.sizes[1:]):
            start, end, row = self.weights[layer], self.biases[layer], self.rows[layer]
            rows = networks[:, start:end].reshape(len(networks), -1, row, copy=False)
            weights.append(rows[:, :, : self.sizes[layer]].transpose(0, 2, 1) if layer else rows[:, :, :units])
            biases.append(networks[:, None, end : end + units])
        return weights + biases


class _Examples(NamedTuple):
    """The training examples: `present`, the features that are not zero in all of them; their values, and, where
    many are zero, the numbers of those that are not, as in a CSR matrix; and how many examples there are."""

    present: Array
    values: Array
    indices: Array | None
    ends: Array | None
    examples: int


@lru_cache(maxsize=1)
def _examples_of(problem: Problem) -> _Examples:
    """Kept, since many engines are made for one problem."""
    x, dtype = problem.x, np.dtype(problem.dtype)
    counts = np.count_nonzero(x, axis=0)
    present = np.arange(x.shape[1]) if problem.optimizer.moves_without_gradient else np.flatnonzero(counts)
    x = np.ascontiguousarray(x[:, present], dtype)
    if counts.sum() >= DENSE * x.size:
        return _Examples(present, x, None, None, len(x))
    rows = csr_array(x)
    return _Examples(present, rows.data, rows.indices.astype(np.uint16), rows.indptr.astype(np.int64), len(x))


def _described(
    problem: Problem, examples: _Examples, layout: _Layout, library: "_Library"
) -> tuple[_Problem, list[Any]]:
    """The problem as the C code has it, and what must be kept as long as it is."""
    network, optimizer, dtype = problem.network, problem.optimizer, np.dtype(problem.dtype)
    entry, activations = _entry(network.head), _activations(network)
    layers = (_Layer * len(activations))()
    targets = np.zeros((len(problem.targets), layout.padded[-1]), dtype)
    targets[:, : network.sizes[-1]] = problem.targets
    kept: list[Any] = [layers, targets, examples]
    for number, activation in enumerate(activations):
        padded = layout.padded[number + 1]
        buffers = _aligned((2, library.portion, padded), dtype)
        kept.append(buffers)
        layers[number] = _Layer(
            fan_in=layout.sizes[number],
            units=layout.sizes[number + 1],
            padded=padded,
            weights=layout.weights[number],
            row=layout.rows[number],
            biases=layout.biases[number],
            activation=library.number("activation", activation.name if activation else "softmax"),
            parameter=getattr(activation, "negative_slope", 0.0),
            lowest=_lowest(activation, dtype),
            a=buffers[0].ctypes.data,
            e=buffers[1].ctypes.data,
        )
    described = _Problem(
        layers=len(activations),
        layer=ctypes.addressof(layers),
        ends=None if examples.ends is None else examples.ends.ctypes.data,
        indices=None if examples.indices is None else examples.indices.ctypes.data,
        x=examples.values.ctypes.data,
        targets=targets.ctypes.data,
        output=library.number("output", entry.output),
        mean=problem.reduction == "mean",
        bias=network.bias,
        plain=optimizer.fused,
        parameters=layout.parameters,
        cost_weight=2 / network.sizes[-1] if entry.mean else 1.0,
        clip_norm=optimizer.clip_norm or 0.0,
        optimizer=library.number("optimizer", type(optimizer).__name__),
        slots=0 if optimizer.fused else optimizer.slots,
        nesterov=getattr(optimizer, "nesterov", False),
        **{name: getattr(optimizer, name, 0.0) for name in OF_OPTIMIZERS},
    )
    return described, kept


class _Library:
    """The compiled code."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.wide = ctypes.c_int.in_dll(library, "wide").value
        self.portion = ctypes.c_int.in_dll(library, "portion").value
        self.train = library.train
        count, address = ctypes.c_int64, ctypes.c_void_p
        self.train.argtypes = [address, count, *[address] * 4, *[count] * 3, *[address] * 2, count, address]
        self.train.restype = None
        self._library = library

    def number(self, kind: str, name: str) -> int:
        """The number of the entry of this name, of the kind "activation", "output" or "optimizer"; -1 for none."""
        number: int = self._library[kind](name.encode())
        return number


@cache
def _library(dtype: np.dtype) -> _Library:
    built = _built(REALS[dtype])
    assert isinstance(built, ctypes.CDLL)  # see `unsupported`
    return _Library(built)


def _built(real: str) -> ctypes.CDLL | building.BuildError:
    return building.library(SOURCE, f"REAL={real}")


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Zeros, so that the processor's vectors do not cross the lines of its cache."""
    size = int(np.prod(shape)) * dtype.itemsize
    space = np.zeros(size + ALIGNMENT, np.uint8)
    start = -space.ctypes.data % ALIGNMENT
    return space[start : start + size].view(dtype).reshape(shape)


def _address(array: Array) -> int:
    return array.ctypes.data
