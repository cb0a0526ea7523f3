"""Trained weights from files of other programs: npz, PyTorch's state_dict, safetensors, Keras. No code in them is run.

One entry a kind of file. PyTorch, safetensors and h5py are imported only for a file of theirs.
"""

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from initodds.initializers.elsewhere import layers_of_state, natural, paired
from initodds.networks.network import Layer, Network
from initodds.vocabulary import InputError, one_line

Array = np.ndarray

SAFE_TORCH = (2, 10)
"""Before this version of PyTorch a file could run code, or overwrite memory, for all that weights alone were asked for
(CVE-2025-32434, CVE-2026-24747)."""


def read_layers(path: str, network: Network) -> list[Layer]:
    """The layers of `network` that a file has, float64: weights (fan_in, fan_out), biases (fan_out,).

    Raises InputError where the file cannot be read, is of no kind that is known, or its layers are not the network's.
    """
    kind = next((ending for ending in READERS if path.endswith(ending)), None)
    if kind is None:
        raise InputError(f"--weights={path}: a file {', '.join(READERS)} is needed")
    try:
        layers = READERS[kind](Path(path), network)
    except ImportError as error:
        raise InputError(f"--weights={path}: needs pip install {error.name}") from error
    except Exception as error:  # whatever a library says of a file that is none of its own
        raise InputError(f"--weights={path}: cannot be read as dense layers ({one_line(error)[:200]})") from error
    needed, given = (", ".join(_shape(*shape) for shape in shapes) for shapes in (network.layers, _shapes(layers)))
    if needed != given:
        raise InputError(f"--weights={path}: has layers {given or 'none'}, and the network has {needed}")
    if not all(np.isfinite(array).all() for layer in layers for array in layer):
        raise InputError(f"--weights={path}: has numbers that are not finite")
    if not network.bias and any(biases.any() for _, biases in layers):
        raise InputError(f"--weights={path}: has biases, and network.bias=false has none")
    return layers


def _shapes(layers: list[Layer]) -> list[tuple[int, int]]:
    return [(weights.shape[0], weights.shape[1]) for weights, _ in layers]


def _shape(fan_in: int, fan_out: int) -> str:
    return f"{fan_in} x {fan_out}"


def ordered(shapes: Mapping[str, tuple[int, ...]], network: Network) -> list[str]:
    """The names of dense layers of these shapes (fan_in, fan_out), in the order of the network's: by their numbers
    where nothing else tells them apart, as layers.0 and layers.2; else each where it fits, and those of one shape by
    their numbers. What fits nowhere comes last.

    Raises ValueError where the names of two of one shape do not say which comes first.

    >>> ordered({"out": (5, 1), "fc2": (5, 5), "fc1": (5, 5), "first": (4, 5)}, Network((4, 5, 5, 5, 1)))
    ['first', 'fc1', 'fc2', 'out']
    """
    names = sorted(shapes, key=natural)
    if _differ_in_numbers(names):
        return names
    order: list[str] = []
    for shape in network.layers:
        fitting = [name for name in names if tuple(shapes[name]) == shape and name not in order]
        if not _differ_in_numbers(fitting):
            alike = " and ".join(fitting)
            raise ValueError(f"{alike} are all {_shape(*shape)}, and their names do not say which comes first")
        order += fitting[:1]
    return [*order, *(name for name in names if name not in order)]


def _differ_in_numbers(names: Sequence[str]) -> bool:
    return len({re.sub(r"[_.]?\d+", "", name) for name in names}) < 2


def _npz(path: Path, network: Network) -> list[Layer]:
    """Arrays (fan_in, fan_out), each with the (fan_out,) of its biases; ours by their names, weights_1, biases_1, ...,
    scikit-learn's as coefs_0, intercepts_0, ..., others in their order in the file."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    for weights, biases in (("weights_", "biases_"), ("coefs_", "intercepts_")):
        numbered = sorted((name for name in arrays if re.fullmatch(rf"{weights}\d+", name)), key=natural)
        if numbered:
            pairs = [(name, name.replace(weights, biases)) for name in numbered]
            beside = weights == "weights_" and arrays[numbered[0]].ndim == 3
            if beside and (networks := len(arrays[numbered[0]])) > 1:
                raise ValueError(f"it has {networks} networks, and one is needed")
            named = [(name, arrays[name]) for pair in pairs for name in pair if name in arrays]
            # An artifact of ours has its networks side by side, here the only one.
            return paired([(name, array[0]) for name, array in named] if beside else named)
    return paired(list(arrays.items()))


def _torch(path: Path, network: Network) -> list[Layer]:
    """A state_dict, whose layers stand in the order in which the module has them."""
    torch: Any = import_module("torch")
    version = tuple(int(number) for number in re.findall(r"\d+", torch.__version__)[:2])
    if version < SAFE_TORCH:
        needed = ".".join(map(str, SAFE_TORCH))
        raise ValueError(f"PyTorch {torch.__version__} may run code that is in a file; {needed} does not")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise ValueError(f"a state_dict is needed, and it has a {type(state).__name__}")
    state = state.get("state_dict", state)
    return layers_of_state({str(name): value.detach().cpu().numpy() for name, value in state.items()})


def _safetensors(path: Path, network: Network) -> list[Layer]:
    """Its arrays have no order of their own, see `ordered`."""
    library: Any = import_module("safetensors.numpy")
    state = library.load_file(path)
    stems = {name: name.rpartition(".")[0] for name in state}
    shapes = {stems[name]: array.shape[::-1] for name, array in state.items() if array.ndim == 2}
    order = ordered(shapes, network)
    known = sorted((name for name in state if stems[name] in order), key=lambda name: order.index(stems[name]))
    return layers_of_state({name: state[name] for name in dict.fromkeys([*known, *state])})


def _keras(path: Path, network: Network) -> list[Layer]:
    """A .keras file is a zip with its weights in HDF5."""
    with zipfile.ZipFile(path) as archive:
        return _hdf5(io.BytesIO(archive.read("model.weights.h5")), network)


def _hdf5(file: Any, network: Network) -> list[Layer]:
    """The kernels and biases of Dense layers; an optimizer's arrays are left out. In the order of the model where the
    file lists its layers, as Keras 2 writes it; else see `ordered`."""
    h5py: Any = import_module("h5py")
    arrays: dict[str, Array] = {}
    with h5py.File(file, "r") as opened:
        model = opened.get("model_weights", opened)
        listed = [str(name) for name in np.asarray(model.attrs.get("layer_names", ()), bytes).astype(str)]

        def take(name: str, node: Any) -> None:
            if isinstance(node, h5py.Dataset) and "optimizer" not in name and not name.endswith("seed_generator_state"):
                arrays[name] = np.asarray(node)

        model.visititems(take)
    shapes = {name.rpartition("/")[0]: array.shape for name, array in arrays.items() if array.ndim == 2}
    if listed:
        order = sorted(shapes, key=lambda stem: listed.index(stem.partition("/")[0]))
    else:
        order = ordered(shapes, network)
    # Of one layer, 2-D before 1-D: kernel and bias, or vars/0 and vars/1.
    places = {stem: place for place, stem in enumerate(order)}
    names = sorted(arrays, key=lambda name: (places.get(name.rpartition("/")[0], len(places)), -arrays[name].ndim))
    return paired([(name, arrays[name]) for name in names])


READERS: dict[str, Callable[[Path, Network], list[Layer]]] = {
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".pt": _torch,
    ".pth": _torch,
    ".keras": _keras,
    ".h5": _hdf5,
}
"""What reads a file, by the ending of its name."""
