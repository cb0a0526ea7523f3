"""Weights from files of other programs, against what those programs' own networks answer."""

import json
import pickle
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from initodds.networks.network import Layer, Network, Stack
from initodds.networks.weights_files import ordered, read_layers
from initodds.vocabulary import InputError

FOLDER = Path(__file__).parent / "elsewhere"
NETWORK = Network((4, 5, 3), "tanh", "linear")
OUTPUTS = np.load(FOLDER / "outputs.npz")


def outputs_of(layers: list[Layer]) -> np.ndarray:
    stack = Stack(NETWORK, [layers], np.dtype(np.float64))
    return stack.forward(OUTPUTS["x"].astype(float), stack.buffers(len(OUTPUTS["x"])))[0]


@pytest.mark.parametrize(
    ("name", "program", "library"),
    [
        ("sklearn.npz", "sklearn", None),
        pytest.param("torch.pt", "torch", "torch", marks=pytest.mark.soak),
        pytest.param("torch.safetensors", "torch", "safetensors", marks=pytest.mark.soak),
        pytest.param("model.keras", "keras", "h5py", marks=pytest.mark.soak),
        pytest.param("model.h5", "keras", "h5py", marks=pytest.mark.soak),
        pytest.param("model.weights.h5", "keras", "h5py", marks=pytest.mark.soak),
    ],
)
def test_a_network_read_back_answers_as_where_it_came_from(name: str, program: str, library: str | None):
    if library:
        pytest.importorskip(library)
    layers = read_layers(str(FOLDER / name), NETWORK)
    np.testing.assert_allclose(outputs_of(layers), OUTPUTS[program], atol=1e-5)


def test_the_versions_that_wrote_the_files_are_told():
    assert set(json.loads((FOLDER / "versions.json").read_text())) == {
        "torch",
        "safetensors",
        "keras",
        "h5py",
        "sklearn",
    }


def test_our_own_artifact_of_one_network_is_read(tmp_path: Path, rng: np.random.Generator):
    layers = [(rng.normal(size=shape), rng.normal(size=shape[1])) for shape in NETWORK.layers]
    arrays = {"replicates": np.array([3])}
    for number, (weights, biases) in enumerate(layers, start=1):
        arrays |= {f"weights_{number}": weights[None], f"biases_{number}": biases[None]}
    np.savez(tmp_path / "weights.npz", **arrays)
    for (weights, biases), (read_weights, read_biases) in zip(
        layers, read_layers(str(tmp_path / "weights.npz"), NETWORK), strict=True
    ):
        np.testing.assert_array_equal(weights, read_weights)
        np.testing.assert_array_equal(biases, read_biases)


@pytest.mark.parametrize("sizes", [(1, 3, 1), (1, 1), (4, 1, 2)])
@pytest.mark.parametrize("ours", [True, False])
def test_one_input_unit_or_output_is_no_network_side_by_side(
    sizes: tuple[int, ...], ours: bool, tmp_path: Path, rng: np.random.Generator
):
    network = Network(sizes)
    layers = [(rng.normal(size=shape), rng.normal(size=shape[1])) for shape in network.layers]
    names = ("weights_{}", "biases_{}") if ours else ("coefs_{}", "intercepts_{}")
    arrays = {
        name.format(number): array[None] if ours else array
        for number, layer in enumerate(layers)
        for name, array in zip(names, layer, strict=True)
    }
    np.savez(tmp_path / "weights.npz", **arrays)
    read = read_layers(str(tmp_path / "weights.npz"), network)
    for mine, its in zip(layers, read, strict=True):
        for array, same in zip(mine, its, strict=True):
            np.testing.assert_array_equal(array, same)


class Trap:
    """Whoever unpickles it runs its code."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("sprung"),))


def test_no_code_in_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    np.savez("trap.npz", weights=np.array([Trap()], object))
    Path("trap.pt").write_bytes(pickle.dumps({"weight": Trap()}))
    for name in ("trap.npz", "trap.pt"):
        with pytest.raises(InputError, match=rf"--weights={name}: (cannot be read as dense layers|needs pip install)"):
            read_layers(name, NETWORK)
    assert not Path("sprung").exists()


@pytest.mark.parametrize("version", ["2.5.1", "2.9.1+cpu"])
def test_a_pytorch_that_may_run_what_is_in_a_file_is_not_asked(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(__version__=version))
    with pytest.raises(
        InputError, match=rf"PyTorch {re.escape(version)} may run code that is in a file; 2\.10 does not"
    ):
        read_layers(str(tmp_path / "weights.pt"), NETWORK)


@pytest.mark.soak
def test_no_code_in_a_pickle_of_pytorchs_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    torch.save({"0.weight": Trap()}, "trap.pt")
    with pytest.raises(InputError, match="cannot be read as dense layers"):
        read_layers("trap.pt", NETWORK)
    assert not Path("sprung").exists()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": np.zeros((4, 6)), "b": np.zeros(6)}, "has layers 4 x 6, and the network has 4 x 5, 5 x 3"),
        ({"a": np.zeros((4, 5, 2))}, "a, 4 x 5 x 2, is neither weights nor their biases"),
        ({"a": np.zeros((4, 5)), "b": np.zeros((5, 3)), "c": np.array(["x"])}, "c has numbers of the kind <U1"),
        ({"a": np.full((4, 5), np.nan), "b": np.zeros((5, 3))}, "has numbers that are not finite"),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(arrays: dict[str, np.ndarray], said: str, tmp_path: Path):
    path = str(tmp_path / "odd.npz")
    np.savez(path, **arrays)
    with pytest.raises(InputError) as error:
        read_layers(path, NETWORK)
    assert said in str(error.value)
    assert str(error.value).startswith(f"--weights={path}: ")


def test_an_unknown_kind_and_a_missing_file_are_said(tmp_path: Path):
    with pytest.raises(InputError, match=r"model.onnx: a file .npz, .safetensors, .pt, .pth, .keras, .h5 is needed"):
        read_layers("model.onnx", NETWORK)
    with pytest.raises(InputError, match=r"none.npz: cannot be read as dense layers \(.*No such file"):
        read_layers(str(tmp_path / "none.npz"), NETWORK)


@pytest.mark.parametrize(
    ("shapes", "sizes", "order"),
    [
        ({f"{2 * n}": (3, 3) for n in (5, 0, 1, 2, 3, 4)}, (3,) * 7, ["0", "2", "4", "6", "8", "10"]),
        ({"output": (5, 2), "hidden": (3, 5)}, (3, 5, 2), ["hidden", "output"]),
        ({"a_last": (5, 2), "block.10": (5, 5), "block.9": (5, 5), "z": (3, 5)}, (3, 5, 5, 5, 2),
         ["z", "block.9", "block.10", "a_last"]),
        ({"layers/dense_1/vars": (5, 2), "layers/dense/vars": (3, 5)}, (3, 5, 2),
         ["layers/dense/vars", "layers/dense_1/vars"]),
    ],
)  # fmt: skip
def test_layers_without_an_order_are_put_into_the_networks(
    shapes: dict[str, tuple[int, int]], sizes: tuple[int, ...], order: list[str]
):
    assert ordered(shapes, Network(sizes)) == order


def test_names_that_do_not_say_which_layer_comes_first_are_refused():
    with pytest.raises(ValueError, match="deep and middle are all 5 x 5, and their names do not say"):
        ordered({"middle": (5, 5), "deep": (5, 5), "first": (3, 5), "last": (5, 2)}, Network((3, 5, 5, 5, 2)))


@pytest.mark.soak
def test_safetensors_whose_names_are_in_another_order_are_put_right(tmp_path: Path, rng: np.random.Generator):
    library = pytest.importorskip("safetensors.numpy")
    state = {
        "z_in.weight": rng.normal(size=(5, 4)), "z_in.bias": rng.normal(size=5),
        "a_out.weight": rng.normal(size=(3, 5)), "a_out.bias": rng.normal(size=3),
    }  # fmt: skip
    library.save_file(state, tmp_path / "named.safetensors")
    layers = read_layers(str(tmp_path / "named.safetensors"), NETWORK)
    np.testing.assert_array_equal(layers[0][0], state["z_in.weight"].T)
    np.testing.assert_array_equal(layers[1][1], state["a_out.bias"])
    library.save_file({**state, "strange": np.zeros(2)}, tmp_path / "strange.safetensors")
    with pytest.raises(InputError, match="strange"):
        read_layers(str(tmp_path / "strange.safetensors"), NETWORK)


@pytest.mark.soak
def test_an_hdf5_file_that_lists_its_layers_is_read_in_that_order(tmp_path: Path, rng: np.random.Generator):
    """As Keras 2 writes one, whose layers of one shape have names that say nothing."""
    h5py = pytest.importorskip("h5py")
    sizes = (4, 4, 4, 4)
    layers = [(rng.normal(size=shape), rng.normal(size=shape[1])) for shape in Network(sizes).layers]
    names = ["z", "a", "m"]
    with h5py.File(tmp_path / "model.h5", "w") as file:
        model = file.create_group("model_weights")
        model.attrs["layer_names"] = [name.encode() for name in names]
        for name, (weights, biases) in zip(names, layers, strict=True):
            model[f"{name}/{name}/kernel:0"] = weights
            model[f"{name}/{name}/bias:0"] = biases
        file["optimizer_weights/Adam/z/kernel/m:0"] = np.zeros((4, 4))
    for mine, (weights, biases) in zip(read_layers(str(tmp_path / "model.h5"), Network(sizes)), layers, strict=True):
        np.testing.assert_array_equal(mine[0], weights)
        np.testing.assert_array_equal(mine[1], biases)
