"""Weights from elsewhere: what PyTorch, Keras and others call the arrays of dense layers, as layers of ours.

Neither is imported here: a module of either is known by what it can do.
"""

import random
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import Parameter, signature
from typing import Any

import numpy as np

from initodds.initializers.places import Array, Layer, Place, Placed
from initodds.vocabulary import InputError, one_line

RETURNS = "a PyTorch or Keras module, or a list of (weights, biases)"


class FromFunction(Placed):
    """The layers that a user's own function makes, a network at a time.

    function: `module:name`. It is called once for each network, with a seed where it has a parameter `seed`, or one
    alone without a default; before it, the generators of Python and NumPy, and of PyTorch and Keras where they are
    loaded, are seeded with it, so that a replicate's weights stay the same; all but Keras's are put back after it. It
    returns a module of PyTorch, whose Linear layers are taken in their order, a Keras model of Dense layers, or a list
    of (weights (fan_in, fan_out), biases (fan_out,)).

    Raises InputError where there is no such function; `draw_at` raises it for what the function raises or returns.
    """

    own_shape = True
    """It draws networks of one shape only: none can be drawn on trial."""

    def __init__(self, function: str) -> None:
        self._name = function
        self._function = function_of(function)
        self._layers: list[Layer] = []

    def draw_at(self, rng: np.random.Generator, fan_in: int, fan_out: int, place: Place) -> Layer:
        if place.index == 0:
            self._layers = self._drawn(int(rng.integers(2**31)))
        if len(self._layers) != len(place.network):
            raise self._refused(f"gives {len(self._layers)} layers, and the network has {len(place.network)}")
        weights, biases = self._layers[place.index]
        if weights.shape != (fan_in, fan_out):
            got, needed = (" x ".join(map(str, shape)) for shape in (weights.shape, (fan_in, fan_out)))
            raise self._refused(f"gives weights {got} for layer {place.index + 1}, and {needed} are needed")
        return weights, biases

    def _drawn(self, seed: int) -> list[Layer]:
        """What the function makes with this seed."""
        kept = random.getstate(), np.random.get_state()  # noqa: NPY002  whatever generators a user's code may use
        torch = sys.modules.get("torch")
        kept_by_torch = torch.get_rng_state() if torch else None
        try:
            loaded = _seed_all(seed)
            made = self._made(seed)
            if _seed_all(seed) != loaded:  # the function has loaded what it draws from, unseeded
                made = self._made(seed)
            return layers_of_object(made)
        except Exception as error:  # whatever a user's code raises
            raise self._refused(f"{type(error).__name__}: {one_line(error)}") from error
        finally:
            random.setstate(kept[0])
            np.random.set_state(kept[1])  # noqa: NPY002
            if torch:
                torch.set_rng_state(kept_by_torch)

    def _made(self, seed: int) -> Any:
        """What the function returns, given the seed where it takes one."""
        parameters = signature(self._function).parameters
        needed = [name for name, parameter in parameters.items() if _is_needed(parameter)]
        if "seed" in parameters:
            return self._function(seed=seed)
        return self._function(seed) if len(needed) == 1 else self._function()

    def _refused(self, reason: str) -> InputError:
        return InputError(f"init.function={self._name}: {reason}; {RETURNS}, is needed")


def function_of(name: str) -> Callable[..., Any]:
    """The function `module:name`. Raises InputError where there is none."""
    module, colon, function = str(name).partition(":")
    if not (colon and module and function):
        raise InputError(f"init.function={name}: MODULE:FUNCTION is needed, as my_module:make_network")
    if "" not in sys.path:
        sys.path.insert(0, "")  # a module in the present folder, as for the other parts of a user's own
    try:
        made = getattr(import_module(module), function)
    except Exception as error:  # whatever the import of a user's module raises
        raise InputError(f"init.function={name}: {one_line(error)}") from error
    if not callable(made):
        raise InputError(f"init.function={name}: is no function")
    return made  # type: ignore[no-any-return]


def _is_needed(parameter: Parameter) -> bool:
    """Whether a function cannot be called without an argument for this parameter."""
    return parameter.default is Parameter.empty and parameter.kind in (
        Parameter.POSITIONAL_ONLY,
        Parameter.POSITIONAL_OR_KEYWORD,
    )


def _seed_all(seed: int) -> set[str]:
    """Seed the generators that a user's function may draw from. Returns which of PyTorch and Keras are loaded, whose
    generators are among them then."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    loaded = {"torch", "keras"} & sys.modules.keys()
    if "torch" in loaded:
        sys.modules["torch"].manual_seed(seed)
    if "keras" in loaded:
        sys.modules["keras"].utils.set_random_seed(seed)
    return loaded


def layers_of_object(made: Any) -> list[Layer]:
    """The layers of a PyTorch module, a Keras model, or a list of (weights, biases). Raises ValueError for anything
    else."""
    if hasattr(made, "get_weights"):  # asked first: on PyTorch, a Keras model has a state_dict as well
        return paired([(f"array {place}", np.asarray(value)) for place, value in enumerate(made.get_weights())])
    if hasattr(made, "state_dict"):
        state = made.state_dict()
        return layers_of_state({str(name): value.detach().cpu().numpy() for name, value in state.items()})
    if isinstance(made, list | tuple) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in made):
        return paired([(f"layer {place + 1}", np.asarray(value)) for place, pair in enumerate(made) for value in pair])
    raise ValueError(f"it returned something of the type {type(made).__name__}")


def layers_of_state(state: Mapping[str, Array]) -> list[Layer]:
    """The layers of a PyTorch state_dict of Linear layers, whose weights are (fan_out, fan_in), in the order in which
    they stand there. Raises ValueError for other arrays.

    >>> layers = layers_of_state({"in.weight": np.zeros((3, 2)), "in.bias": np.ones(3), "end.weight": np.ones((1, 3))})
    >>> [weights.shape for weights, _ in layers], layers[1][1].tolist()
    ([(2, 3), (3, 1)], [0.0])
    """
    stems = dict.fromkeys(name.rpartition(".")[0] for name in state)
    parts: list[tuple[str, Array]] = []
    for stem in stems:
        prefix = f"{stem}." if stem else ""
        own = {name.removeprefix(prefix): state[name] for name in state if name.rpartition(".")[0] == stem}
        if strange := own.keys() - {"weight", "bias"}:
            raise ValueError(f"{prefix}{min(strange)} is of no Linear layer")
        if "weight" not in own or own["weight"].ndim != 2:
            raise ValueError(f"{prefix}weight is not there as (fan_out, fan_in)")
        parts.append((f"{prefix}weight", own["weight"].T))
        if "bias" in own:
            parts.append((f"{prefix}bias", own["bias"]))
    return paired(parts)


def paired(arrays: Sequence[tuple[str, Array]]) -> list[Layer]:
    """Arrays in their order as layers: weights (fan_in, fan_out), each with the biases (fan_out,) behind it, or with
    zeros where there are none. Raises ValueError for what is neither."""
    layers: list[Layer] = []
    has_biases = True
    for name, array in arrays:
        if array.dtype.kind not in "fiu":
            raise ValueError(f"{name} has numbers of the kind {array.dtype}")
        if array.ndim == 2:
            layers.append((np.asarray(array, np.float64), np.zeros(array.shape[1])))
            has_biases = False
        elif array.ndim == 1 and not has_biases and len(array) == layers[-1][0].shape[1]:
            layers[-1] = (layers[-1][0], np.asarray(array, np.float64))
            has_biases = True
        else:
            raise ValueError(f"{name}, {' x '.join(map(str, array.shape))}, is neither weights nor their biases")
    return layers


def natural(name: str) -> list[tuple[int, str]]:
    """Orders names by the numbers in them: dense_2 before dense_10.

    >>> sorted(["dense_10", "dense_2", "dense"], key=natural)
    ['dense', 'dense_2', 'dense_10']
    """
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
