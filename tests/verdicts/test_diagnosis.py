"""Networks whose trouble, and whose point, is known because they were made so."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from initodds import datasets
from initodds.datasets import Split
from initodds.datasets.tasks import Classification
from initodds.engines.stacked import Stacked
from initodds.initializers import Uniform
from initodds.networks.activations import Tanh
from initodds.networks.network import Layer, Network
from initodds.verdicts import diagnosis, explanation
from initodds.verdicts.diagnosis import Diagnosis
from tests.conftest import drawn, mini_batches, problem_of

DIGITS = datasets.digits()
NETWORK = Network((64, 8, 10))
TASK = Classification(classes=10, outputs=10)


def fresh(replicate: int = 0, half_width: float = 0.3) -> list[Layer]:
    return drawn(Uniform(-half_width, half_width), NETWORK, 0, replicate)


@pytest.fixture(scope="module")
def learned() -> list[Layer]:
    """A network that has learned the digits."""
    engine = Stacked(problem_of(NETWORK, DIGITS.train.x, np.eye(10)[DIGITS.train.y], 3.0), [fresh()])
    for rows in mini_batches(len(DIGITS.train), 10, 60, seed=0):
        engine.steps(rows)
    return engine.stack().replicate(0)


def diagnose(layers: list[Layer], train: Split = DIGITS.train, network: Network = NETWORK, **options) -> Diagnosis:
    settings = {"replicates": [0], "converged": np.array([False]), "curved": np.array([True]), "dtype": np.dtype("f4")}
    return diagnosis.diagnose(network, TASK, [layers], lambda member: layers, train, **(settings | options))


def with_biases(layers: list[Layer], layer: int, biases: np.ndarray) -> list[Layer]:
    """The layers, with one layer's biases replaced."""
    return [(weights, biases if number == layer else old) for number, (weights, old) in enumerate(layers)]


def test_a_weight_that_is_not_finite_has_exploded():
    layers = fresh()
    layers[1][0][0, 0] = np.nan
    found = diagnose(layers)
    assert (found.cause[0], found.point[0]) == ("exploded", "")
    assert "not a finite number" in explanation.explain(found, 0)


def test_hidden_units_with_the_same_weights_are_symmetric():
    weights = fresh()[0][0]
    layers = [(np.repeat(weights[:, :1], 8, axis=1), np.full(8, 0.1)), (np.full((8, 10), 0.2), np.zeros(10))]
    assert diagnose(layers).cause[0] == "symmetric"
    layers[0][0][3, 3] += 0.1
    assert diagnose(layers).cause[0] != "symmetric"


def test_hidden_units_that_answer_one_to_everything_are_saturated_on_a_plateau():
    layers = with_biases(with_biases(fresh(), 0, np.full(8, 60.0)), 1, np.full(10, -60.0))
    found = diagnose(layers)
    assert (found.cause[0], found.point[0]) == ("hidden_saturated", "flat")
    assert found.symptoms.hidden_saturated[0] == found.symptoms.hidden_constant[0] == 1
    assert found.symptoms.flat_units[0] == found.symptoms.flat_high[0] == 8
    assert found.symptoms.outputs_low[0] == 10
    # float32 rounds the slope of every unit to 0; float64, with the slope as s(z) s(-z), does not.
    assert found.symptoms.gradient_as_trained[0, 0] == 0
    assert 0 < found.symptoms.gradient[0, 0] < 1e-40
    text = explanation.explain(found, 0)
    assert text.startswith("All 8 hidden units answer 1.000 to nearly every example")
    assert "exactly 0 as it is computed" in text
    assert "flat plateau, not a local minimum" in text


def test_one_saturated_hidden_layer_of_two_is_enough():
    network = Network((64, 8, 8, 10))
    layers = drawn(Uniform(-0.3, 0.3), network, 0, 0)
    assert diagnose(with_biases(layers, 1, np.full(8, 60.0)), network=network).cause[0] == "hidden_saturated"


def test_the_words_are_those_of_the_layer_and_its_activation():
    network = Network((64, 8, 6, 10), ("relu", "logistic"))
    layers = drawn(Uniform(-0.3, 0.3), network, 0, 0)
    text = explanation.explain(diagnose(with_biases(layers, 1, np.full(6, 60.0)), network=network), 0)
    assert text.startswith("All 6 units of hidden layer 2 answer 1.000 to nearly every example")
    text = explanation.explain(diagnose(with_biases(layers, 0, np.full(8, -60.0)), network=network), 0)
    assert text.startswith("All 8 units of hidden layer 1 answer 0.000 to nearly every example")


def test_a_leaky_unit_passes_what_it_gets_and_is_not_saturated():
    network = Network((64, 8, 10), "leaky_relu")
    found = diagnose(with_biases(drawn(Uniform(-0.3, 0.3), network, 0, 0), 0, np.full(8, -60.0)), network=network)
    assert found.symptoms.hidden_saturated[0] == 0
    assert found.cause[0] != "hidden_saturated"


def test_very_negative_pre_activations_overflow_nothing(learned: list[Layer]):
    pinned = with_biases(learned, 1, np.full(10, -2000.0))
    with np.errstate(over="raise"):
        assert diagnose(pinned).cause[0] == "outputs_saturated"


def test_outputs_that_are_all_pinned(learned: list[Layer]):
    pinned = with_biases(learned, 1, np.where(np.arange(10) < 3, 300.0, -300.0))
    found = diagnose(pinned)
    assert (found.cause[0], found.point[0]) == ("outputs_saturated", "flat")
    assert (found.symptoms.outputs_high[0], found.symptoms.outputs_low[0]) == (3, 7)
    assert "3 at 1 and 7 at 0" in explanation.explain(found, 0)


def test_pinned_outputs_are_not_said_to_learn_nothing_where_the_cost_still_moves_them(learned: list[Layer]):
    network = Network((64, 8, 10), cost="cross_entropy")
    pinned = with_biases(learned, 1, np.where(np.arange(10) < 3, 300.0, -300.0))
    found = diagnose(pinned, network=network)
    assert found.cause[0] == "outputs_saturated"
    share = found.symptoms.gradient_norm[0] / found.reference.gradient
    assert share > 0.5
    text = explanation.explain(found, 0)
    assert f"an error comes back all the same ({100 * share:.1f} % of a fresh network's)" in text
    assert "hardly a gradient" not in text
    saturated = with_biases(with_biases(fresh(), 0, np.full(8, 60.0)), 1, np.full(10, -60.0))
    text = explanation.explain(diagnose(saturated, network=network), 0)
    assert "the outputs are pinned, 0 at 1 and 10 at 0, but the cost still moves them" in text


def test_one_answer_to_everything_without_saturation():
    layers = fresh()
    layers = [layers[0], (0.01 * layers[1][0], np.eye(10)[7])]
    found = diagnose(layers)
    assert (found.cause[0], found.point[0]) == ("constant_prediction", "not_stationary")
    assert "gives nearly every example one answer (class 7)" in explanation.explain(found, 0)


def test_a_dead_digit_is_named(learned: list[Layer]):
    assert diagnose(learned, converged=np.array([True])).cause[0] == "none"
    biases = learned[1][1]
    dead = with_biases(learned, 1, biases - 50 * np.eye(10)[8])
    found = diagnose(dead)
    assert found.cause[0] == "dead_classes"
    assert np.flatnonzero(found.symptoms.part_scores[0] < 0.05).tolist() == [8]
    assert "hardly anything of class 8 (to an example of it output 8 answers 0.000)" in explanation.explain(found, 0)


def test_a_network_on_its_way_needs_steps():
    targets = np.eye(10)[DIGITS.train.y]
    engine = Stacked(problem_of(NETWORK, DIGITS.train.x, targets), [fresh()])
    for rows in mini_batches(len(DIGITS.train), 10, 10, seed=0):
        engine.steps(rows)
    found = diagnose(engine.stack().replicate(0))
    assert (found.cause[0], found.point[0]) == ("too_few_steps", "not_stationary")


def constant_answer(labels: np.ndarray) -> np.ndarray:
    """Output biases with which logistic outputs answer the class shares, if nothing else reaches them."""
    share = np.bincount(labels) / len(labels)
    return np.log(share / (1 - share))


def test_a_planted_minimum_is_a_degenerate_minimum():
    # All examples are alike, so that answering the class shares is the best there is: a global minimum.
    labels = np.repeat(np.arange(10), 5)
    train = Split(np.full((50, 64), 0.5, np.float32), labels)
    layers = with_biases([fresh()[0], (np.zeros((8, 10)), np.zeros(10))], 1, constant_answer(labels))
    found = diagnose(layers, train)
    assert found.symptoms.gradient_norm[0] < 1e-15
    assert found.point[0] == "minimum"
    assert found.degenerate[0]
    assert "degenerate" in explanation.explain(found, 0)


def test_a_planted_saddle_is_a_saddle():
    # Without weights the outputs answer the class shares, and by symmetry no weight has a gradient; but a hidden unit
    # and its outgoing weight together can tell the digits apart.
    layers = [(np.zeros((64, 8)), np.zeros(8)), (np.zeros((8, 10)), constant_answer(DIGITS.train.y))]
    found = diagnose(layers)
    assert found.symptoms.gradient_norm[0] < 1e-15
    assert found.point[0] == "saddle"
    assert found.spectrum.least[0] < 0 < found.spectrum.greatest[0]


def test_a_saddle_among_plateaus_is_a_saddle():
    plateau = with_biases(with_biases(fresh(), 0, np.full(8, 60.0)), 1, np.full(10, -60.0))
    saddle = [(np.zeros((64, 8)), np.zeros(8)), (np.zeros((8, 10)), constant_answer(DIGITS.train.y))]
    networks = [plateau, saddle, plateau]
    options = {"replicates": range(3), "converged": np.zeros(3, bool), "curved": np.ones(3, bool)}
    found = diagnosis.diagnose(
        NETWORK, TASK, networks, networks.__getitem__, DIGITS.train, dtype=np.dtype("f4"), **options
    )
    assert found.point.tolist() == ["flat", "saddle", "flat"]
    alone = diagnose(saddle)
    np.testing.assert_allclose(found.spectrum.least[1], alone.spectrum.least[0], rtol=1e-2)
    assert found.spectrum.error[1] <= 0.001 * found.spectrum.largest[1]


def test_a_fresh_network_is_not_at_rest_and_is_what_is_compared_with():
    found = diagnose(fresh())
    assert found.point[0] == "not_stationary"
    assert 0.1 < found.symptoms.gradient_norm[0] / found.reference.gradient < 10
    assert 0.1 < found.spectrum.largest[0] / found.reference.curvature < 10


def test_the_gradient_is_the_stacks_and_its_parts_are_by_layer(learned: list[Layer]):
    from initodds.networks.network import Stack

    found = diagnose(learned, dtype=np.dtype(np.float64))
    stack = Stack(NETWORK, [learned], np.dtype(np.float64))
    weights, biases = stack.gradient(DIGITS.train.x.astype(float), np.eye(10)[DIGITS.train.y])
    for layer in range(2):
        norm = np.sqrt((weights[layer] ** 2).sum() + (biases[layer] ** 2).sum())
        np.testing.assert_allclose(found.symptoms.gradient[0, layer], norm, rtol=1e-9)
        np.testing.assert_allclose(found.symptoms.gradient_as_trained[0, layer], norm, rtol=1e-9)


def test_a_network_with_a_part_that_is_not_hashable_is_diagnosed_like_any_other():
    @dataclass  # and not frozen, as a user may write it
    class OwnTanh(Tanh):
        width: float = 1.0

    layers = fresh()
    own, known = (diagnose(layers, network=replace(NETWORK, activation=unit)) for unit in (OwnTanh(), "tanh"))
    assert own.reference == known.reference
    assert own.spectrum.largest == pytest.approx(known.spectrum.largest)


def test_growth_is_told_against_the_initial_weights():
    layers = fresh()
    doubled = [(2 * weights, biases) for weights, biases in layers]
    found = diagnosis.diagnose(
        NETWORK,
        TASK,
        [doubled, doubled],
        [layers, [(0 * weights, biases) for weights, biases in layers]].__getitem__,
        DIGITS.train,
        replicates=[3, 5],
        converged=np.zeros(2, bool),
        curved=np.zeros(2, bool),
        dtype=np.dtype("f4"),
    )
    np.testing.assert_allclose(found.symptoms.growth, [2, np.inf])
    assert found.point.tolist() == ["", ""]
    assert np.isnan(found.reference.curvature)


def test_a_network_is_diagnosed_alike_alone_and_among_others(learned: list[Layer], monkeypatch: pytest.MonkeyPatch):
    exploded = [(w.copy(), b.copy()) for w, b in fresh()]
    exploded[0][0][0, 0] = np.inf
    networks = [fresh(1), exploded, learned, with_biases(fresh(), 0, np.full(8, 60.0)), fresh(2)]
    options = {"dtype": np.dtype("f4"), "converged": np.zeros(5, bool), "replicates": range(5)}
    curved = np.array([True, True, False, True, True])
    monkeypatch.setattr(diagnosis, "MEMORY", 2.5 * 8 * 4 * 18 * len(DIGITS.train))  # two at a time
    together = diagnosis.diagnose(NETWORK, TASK, networks, networks.__getitem__, DIGITS.train, curved=curved, **options)
    for at, network in enumerate(networks):
        alone = diagnose(network, curved=curved[[at]])
        assert (alone.cause[0], alone.point[0]) == (together.cause[at], together.point[at])
        np.testing.assert_allclose(alone.symptoms.gradient[0], together.symptoms.gradient[at], rtol=1e-9)
        np.testing.assert_allclose(alone.spectrum.greatest[0], together.spectrum.greatest[at], rtol=1e-2)
