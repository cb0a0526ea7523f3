"""The odds of a user's own init: a function whose layers are the replicates' weights."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from initodds.cells import cell
from initodds.cells.settings import Settings
from initodds.cells.subject import subject_of
from initodds.initializers import FromFunction, Uniform, draw_network
from initodds.initializers.elsewhere import layers_of_object
from initodds.tracking.stored_settings import stored_settings
from initodds.vocabulary import InputError
from tests.conftest import settings_of

MODULE = """
import numpy as np

def drawn():
    return [(np.random.uniform(-1, 1, (2, 3)), np.zeros(3)), (np.random.uniform(-1, 1, (3, 1)), np.zeros(1))]

def seeded(seed):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(2, 3)), np.zeros(3)), (rng.normal(size=(3, 1)), np.zeros(1))]

def sized(hidden=3, seed=None):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(2, hidden)), np.zeros(hidden)), (rng.normal(size=(hidden, 1)), np.zeros(1))]

def wrong():
    return [(np.zeros((2, 4)), np.zeros(4)), (np.zeros((4, 1)), np.zeros(1))]

def short():
    return [(np.zeros((2, 3)), np.zeros(3))]

def text():
    return "a network"

def raises():
    raise RuntimeError("no such model")

number = 3
"""

SHAPES = [(2, 3), (3, 1)]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"drawing_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return name


def settings(function: str) -> Settings:
    return settings_of("data=xor", "sgd.batch_size=4", "network.hidden=[3]", "init=from_function",
                       f"init.function={function}", "replicates=4", "sgd.epochs=5")  # fmt: skip


@pytest.mark.parametrize("name", ["drawn", "seeded", "sized"])
def test_its_draws_are_the_replicates_weights_and_stay_the_same(name: str, module: str):
    asked = settings(f"{module}:{name}")
    drawing = subject_of(asked).drawing
    first, second = drawing.replicate(0, 0), drawing.replicate(0, 1)
    assert [weights.shape for weights, _ in first] == SHAPES
    assert not np.array_equal(first[0][0], second[0][0])
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    np.testing.assert_array_equal(drawing.replicate(0, 0)[1][0], first[1][0])
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert len(cell.run(asked).judgement.outcome) == 4


def test_the_code_of_the_function_is_part_of_what_identifies_a_cell(module: str, tmp_path: Path):
    asked = settings(f"{module}:drawn")
    before = stored_settings(asked, "data").fingerprint
    assert before == stored_settings(asked, "data").fingerprint
    assert before != stored_settings(settings(f"{module}:seeded"), "data").fingerprint
    (tmp_path / f"{module}.py").write_text(MODULE.replace("-1, 1", "-2, 2"))
    assert before != stored_settings(asked, "data").fingerprint


def test_layers_of_a_module_come_in_its_own_order_whatever_they_are_called():
    middle, end = np.arange(9.0).reshape(3, 3), np.eye(3)
    state = {"middle.weight": Tensor(middle), "end.weight": Tensor(end)}
    made = SimpleNamespace(state_dict=lambda: state)
    for weights, (read, biases) in zip((middle, end), layers_of_object(made), strict=True):
        np.testing.assert_array_equal(read, weights.T)
        assert not biases.any()


class Tensor:
    """What is asked of PyTorch's."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def detach(self) -> "Tensor":
        return self

    cpu = detach

    def numpy(self) -> np.ndarray:
        return self._array


def test_a_function_that_loads_what_it_draws_from_is_seeded_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # A library of this name, which draws from generators of its own.
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    (tmp_path / "torch.py").write_text(
        "import random\nown = random.Random(7)\nmanual_seed = own.seed\nrandom_number = own.random\n"
        "get_rng_state, set_rng_state = own.getstate, own.setstate\n"
    )
    returned = "[(np.full((1, 1), torch.random_number()), np.zeros(1))]"
    (tmp_path / "late.py").write_text(f"import numpy as np\ndef make():\n    import torch\n    return {returned}\n")
    monkeypatch.syspath_prepend(tmp_path)
    rule = FromFunction("late:make")
    try:
        first, again = (draw_network(rule, np.random.default_rng(0), [(1, 1)])[0][0] for _ in range(2))
        before = sys.modules["torch"].get_rng_state()
        draw_network(rule, np.random.default_rng(1), [(1, 1)])
        assert sys.modules["torch"].get_rng_state() == before  # a user's own draws are not disturbed
    finally:
        sys.modules.pop("torch", None)
        sys.modules.pop("late", None)
    assert first == again


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrong", "gives weights 2 x 4 for layer 1, and 2 x 3 are needed"),
        ("short", "gives 1 layers, and the network has 2"),
        ("text", "ValueError: it returned something of the type str"),
        ("raises", "RuntimeError: no such model"),
    ],
)
def test_what_it_returns_or_raises_is_said_in_a_line(name: str, said: str, module: str):
    function = FromFunction(f"{module}:{name}")
    with pytest.raises(InputError) as error:
        draw_network(function, np.random.default_rng(0), SHAPES)
    assert said in str(error.value)
    assert str(error.value).startswith(f"init.function={module}:{name}: ")


@pytest.mark.parametrize("name", ["{0}:nothing", "{0}:number", "{0}", "no_such_module:f"])
def test_what_is_no_function_is_said(name: str, module: str):
    name = name.format(module)
    with pytest.raises(InputError, match=f"init.function={name}: "):
        FromFunction(name)


def test_other_initializers_are_not_of_one_shape():
    assert not hasattr(Uniform(-1.0, 1.0), "own_shape")


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, of PyTorch's tensors
def test_a_module_of_pytorch_and_a_model_of_keras():
    torch = pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1, bias=False))
    layers = layers_of_object(module)
    x = np.ones((1, 2))
    answer = np.maximum(x @ layers[0][0] + layers[0][1], 0) @ layers[1][0]
    np.testing.assert_allclose(answer, module(torch.ones(1, 2)).detach().numpy(), rtol=1e-5)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1)])
    layers = layers_of_object(model)
    answer = np.maximum(x @ layers[0][0] + layers[0][1], 0) @ layers[1][0] + layers[1][1]
    np.testing.assert_allclose(answer, keras.ops.convert_to_numpy(model(x.astype("f4"))), rtol=1e-5)
