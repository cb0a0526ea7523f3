import numpy as np
import pytest

from initodds.cells import cell
from initodds.cells.streams import ORDERS_ONWARD
from initodds.cells.subject import subject_of
from initodds.verdicts import escape
from initodds.verdicts.escape import NOISE, Variant, escapes, perturbed
from tests.conftest import settings_of

LAYERS = [[(np.full((3, 2), 2.0), np.zeros(2)), (np.full((2, 4), -1.0), np.zeros(4))]] * 2


def test_a_network_gets_out_if_it_ends_better_than_before():
    after = {"steps_x10": ["converged", "stuck"], "noise": ["unfinished", "diverged"]}

    def retrain(layers, variant):
        assert len(layers) == 2
        return np.array(after.get(variant.name, ["stuck", "stuck"]))

    out = escapes(LAYERS, np.array(["stuck", "stuck"]), retrain)
    assert {name: found.tolist() for name, found in out.items()} == {
        "unchanged": [False, False],
        "steps_x10": [True, False],
        "rate_x10": [False, False],
        "rate_div10": [False, False],
        "noise": [True, False],
        "float64": [False, False],
    }


def test_noise_is_relative_to_each_layers_weights():
    rng = np.random.default_rng(0)
    layers = [(np.full((400, 50), 2.0), np.zeros(50)), (np.full((50, 40), -0.1), np.zeros(40))]
    for (old, _), (new, biases) in zip(layers, perturbed(layers, NOISE, rng), strict=True):
        size = NOISE * abs(old[0, 0])
        np.testing.assert_allclose((new - old).std(), size, rtol=0.1)
        np.testing.assert_allclose(biases.std(), size, rtol=0.5)


def test_slow_networks_get_out_with_time_and_saturated_ones_do_not():
    small = ("data=digits", "network.hidden=[8]", "replicates=4", "diagnosis.escape=true", "sgd.epochs=3")
    slow = cell.run(settings_of(*small, "init=half", "sgd.learning_rate=0.02", "sgd.checkpoints=0"))
    assert (slow.judgement.outcome != "converged").all()
    assert slow.escaped["steps_x10"].sum() + slow.escaped["rate_x10"].sum() >= 4
    saturated = cell.run(settings_of(*small, "init=uniform", "init.low=4", "init.high=5"))
    assert (saturated.judgement.outcome == "stuck").all()
    assert not any(out.any() for out in saturated.escaped.values())


def test_the_escape_changes_only_what_it_says(monkeypatch):
    settings = settings_of(
        "data=digits", "network.hidden=[5]", "replicates=3", "sgd.epochs=1", "init=unit", "diagnosis.escape=true"
    )
    trained = cell.run(settings)
    seen = []

    def train(changed, subject, layers, orders, stream, states):
        seen.append((changed.sgd.epochs, changed.sgd.learning_rate, changed.dtype, stream))
        return trained.history

    monkeypatch.setattr(cell, "train", train)
    cell.escape_of(settings, subject_of(settings), trained, np.arange(3), cell.Silent())
    assert seen == [
        (1, 3.0, "float32", ORDERS_ONWARD),
        (10, 3.0, "float32", ORDERS_ONWARD),
        (1, 30.0, "float32", ORDERS_ONWARD),
        (1, pytest.approx(0.3), "float32", ORDERS_ONWARD),
        (1, 3.0, "float32", ORDERS_ONWARD),
        (1, 3.0, "float64", ORDERS_ONWARD),
    ]


@pytest.mark.parametrize("engine", ["compiled", "stacked"])
@pytest.mark.parametrize(
    "optimizer", [("sgd", "optimizer.momentum=0.9"), ("adam",), ("adamw",), ("rmsprop", "optimizer.momentum=0.5")]
)
def test_an_escape_that_changes_nothing_is_training_on(optimizer: tuple[str, ...], engine: str, monkeypatch):
    """So the optimizer goes on with what it had kept. The batch has all examples, and so no order."""
    small = ("data=xor", "network.hidden=[2]", "sgd.batch_size=4", "init=half", "replicates=40", f"engine={engine}")
    asked = (*small, f"optimizer={optimizer[0]}", *optimizer[1:], "sgd.learning_rate=0.01")
    monkeypatch.setattr(escape, "VARIANTS", (Variant("on", "on"),))
    histories = []
    train = cell.train

    def seen(*arguments, **options):
        histories.append(train(*arguments, **options))
        return histories[-1]

    monkeypatch.setattr(cell, "train", seen)
    trained = cell.run(settings_of(*asked, "sgd.epochs=100", "diagnosis.escape=true"))
    uninterrupted = cell.run(settings_of(*asked, "sgd.epochs=200", "diagnosis.of=none"))
    assert trained.diagnosis is not None
    first, onward, expected = histories
    assert len(onward.layers) == len(trained.diagnosis.replicates)
    for number, layers in zip(trained.diagnosis.replicates, onward.layers, strict=True):
        for mine, theirs, before in zip(layers, expected.layers[number], first.layers[number], strict=True):
            for array, same, earlier in zip(mine, theirs, before, strict=True):
                np.testing.assert_array_equal(array, same)
                assert (array != earlier).any()
    assert uninterrupted.history is expected
