"""Parts of a user's own, as examples/ has them: found, trained, diagnosed, named and told apart without the package's
doing."""

import doctest
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from scipy.differentiate import derivative

import initodds
from initodds.tracking import identity, records
from tests.processes import command

EXAMPLES = Path(__file__).parents[1] / "examples"

SMALL = ("replicates=3", "sgd.epochs=3", "network.hidden=[8]", "diagnosis.of=all", "diagnosis.curvature=all")


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))


def commands(text: str) -> list[list[str]]:
    """The overrides of every command that a text has."""
    return [shlex.split(line) for line in re.findall(r"(?:`|=examples )initodds ([^`\n]+)", text)]


TOLD = commands((EXAMPLES / "README.md").read_text())
IN_MODULES = [overrides for path in sorted(EXAMPLES.glob("*.py")) for overrides in commands(path.read_text())]


def test_every_example_has_its_commands():
    assert len(TOLD) == len(list(EXAMPLES.glob("*.py"))) == 5
    assert len(IN_MODULES) >= 5
    for overrides in IN_MODULES:
        initodds.settings(*overrides)


@pytest.mark.parametrize(
    "overrides", TOLD, ids=lambda overrides: "-".join(re.findall(r"\w+\.[A-Zc]\w+", str(overrides)))
)
def test_each_trains_and_is_diagnosed(overrides: list[str]):
    data = [] if any(text.startswith("data=") for text in overrides) else ["data=digits"]
    cell = initodds.run(*data, *overrides, *SMALL)
    cost = cell.history.cost
    assert np.isfinite(cost).all()
    assert (cost[-1] < cost[0]).all()
    found = cell.diagnosis
    assert found is not None
    assert set(found.point) <= {"not_stationary", "saddle", "minimum", "flat"}
    assert np.isfinite(found.spectrum.least).all()
    assert all(initodds.explain(found, member) for member in range(3))
    assert cell.best_constant_cost > 0


@pytest.mark.parametrize("width", [1.0, 2.0])
def test_the_activation_and_its_derivatives(width: float):
    from activation import Softsign

    entry, z = Softsign(width), np.array([-7.0, -0.4, 0.3, 2.0, 60.0])
    np.testing.assert_allclose(entry.slope(z), derivative(entry.value, z).df, rtol=1e-8)
    np.testing.assert_allclose(entry.second(z), derivative(entry.slope, z).df, rtol=1e-7)
    assert entry.slope(np.zeros(1)) == entry.steepest
    assert entry.is_flat(z, entry.value(z)).tolist() == [1 / (1 + abs(at) / width) ** 2 < 0.04 for at in z]


def test_the_output_and_its_derivatives(rng: np.random.Generator):
    from output import PseudoHuber

    entry, y, z = PseudoHuber(0.5), rng.normal(size=(4, 2)), rng.normal(size=(3, 4, 2))
    error = np.empty_like(z)
    entry.error(z, z, y, error, np.empty_like(z))
    moved, step = rng.normal(size=z.shape), 1e-30j  # a complex step has no rounding
    np.testing.assert_allclose(error, entry.cost(z + step, z + step, y).imag / 1e-30, rtol=1e-12)
    there = z + step * moved
    np.testing.assert_allclose(entry.error_along(z, z, y, moved), entry.exact_error(there, there, y).imag / 1e-30)
    constants = np.linspace(-4, 4, 2001)[:, None, None]
    by_output = entry.cost(constants, constants, y).mean(axis=1).min(axis=0)
    assert entry.best_constant_cost(y) == pytest.approx(by_output.sum(), rel=1e-4)


def test_the_optimizer_steps_by_signs():
    from optimizer import Lion

    parameter, mean = np.array([1.0]), np.zeros(1)
    lion = Lion(0.1, weight_decay=0.5, beta1=0.5, beta2=0.75)
    lion.update(parameter, np.array([4.0]), [mean], 0.1, 1)
    assert (parameter[0], mean[0]) == (pytest.approx(1 - 0.1 * (1 + 0.5)), 1.0)
    lion.update(parameter, np.array([-3.0]), [mean], 0.1, 2)  # 0.5 * 1 - 0.5 * 3 < 0
    assert (parameter[0], mean[0]) == (pytest.approx(0.85 + 0.1 * (1 - 0.5 * 0.85)), 0.0)


def test_a_field_of_the_chessboard_has_one_class():
    from dataset import chessboard

    data = chessboard(400, fields=2)
    for split, examples in ((data.train, 320), (data.test, 80)):
        assert len(split) == examples
        np.testing.assert_array_equal(split.y, (split.x[:, 0] > 0) != (split.x[:, 1] > 0))


def test_parts_of_ones_own_have_their_names_and_their_code_counts():
    choices = {"data": "digits", "network": "classic", "init": "zeros", "optimizer": "sgd", "engine": "stacked"}
    overrides = dict(override.split("=", 1) for told in TOLD for override in told)
    settings = initodds.settings(*(f"{key}={value}" for key, value in overrides.items() if key != "data"), "data=iris")
    names = records.parameters(settings, choices)
    assert {key: names[key] for key in choices} == {
        "data": "dataset.chessboard",
        "network": "classic",
        "init": "initializer.TwoSided",
        "optimizer": "optimizer.Lion",
        "engine": "stacked",
    }
    assert names["network.activation"] == "activation.Softsign(width=2)"
    assert names["network.output"] == "output.PseudoHuber(delta=0.5)"
    assert not [key for key in names if key.startswith(("network.activation.", "network.output."))]
    assert {target.split(".")[0] for target in identity.sources_of(settings.model_dump())} - {"initodds"} == {
        path.stem for path in EXAMPLES.glob("*.py")
    }


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["network.activation={_target_:half.Activation}"], "network.activation._target_=half.Activation: .*second"),
        (["network.output={_target_:half.Output}"], "network.output._target_=half.Output: .*error_along"),
        (["optimizer._target_=half.Optimizer"], "optimizer._target_=half.Optimizer: .*update"),
        (["optimizer._target_=half.optimizer"], "optimizer._target_=half.optimizer: .*momentum"),
        (
            ["optimizer._target_=optimizer.Lion", "optimizer.momentum=0.9"],
            "optimizer._target_=optimizer.Lion: .*momentum",
        ),
        (["optimizer._target_=optimizer.Lion", "optimizer.weight_decay=-1"], "optimizer.weight_decay=-1: a number of"),
        (
            ["network.activation={_target_:optimizer.Lion,learning_rate:1}"],
            "gives no initodds.networks.activations.Act",
        ),
    ],
)
def test_what_is_half_done_is_refused_before_it_is_trained(
    overrides: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "half.py").write_text(
        "from initodds.networks import activations, outputs\n"
        "from initodds.engines import optimizers\n"
        "class Activation(activations.Activation):\n"
        "    def value(self, z): return z\n"
        "    def slope(self, z): return 1 + 0 * z\n"
        "class Output(outputs.Squared):\n"
        "    error_along = outputs.Output.error_along\n"
        "class Optimizer(optimizers.Optimizer): pass\n"
        "def optimizer(learning_rate): return optimizers.SGD(learning_rate)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(initodds.InputError, match=said) as raised:
        initodds.settings(*overrides)
    assert "\n" not in str(raised.value)


def test_the_readme_prints_what_it_says():
    text = (EXAMPLES.parent / "README.md").read_text().replace("```", "")
    test = doctest.DocTestParser().get_doctest(text, {}, "README.md", "README.md", 0)
    assert doctest.DocTestRunner().run(test) == (0, 6)


def test_a_sweep_over_parts_of_ones_own_is_tabled_under_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mine = "{_target_:activation.Softsign,width:1},{_target_:activation.Softsign,width:2}"
    asked = (
        "-m",
        "data=digits",
        "network.hidden=[4]",
        "sgd.epochs=1",
        "replicates=2",
        f"network.activation=tanh,{mine}",
    )
    done = command(tmp_path, *asked, PYTHONPATH=str(EXAMPLES))
    assert done.returncode == 0, done.stderr
    names = ["tanh", "activation.Softsign(width=1)", "activation.Softsign(width=2)"]
    assert [line.split()[0] for line in done.stdout.splitlines()[2:5]] == names
    frame = initodds.load_replicates(f"sqlite:///{tmp_path}/mlflow.db")
    assert frame["network.activation"].unique().tolist() == names
    again = command(tmp_path, *asked, PYTHONPATH=str(EXAMPLES))
    assert "3 of 3 cells need not be run" in again.stderr
