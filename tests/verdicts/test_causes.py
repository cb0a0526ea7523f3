"""Each cause on a network that was built to have it, and not on one that was built not to."""

import numpy as np
import pytest

from initodds import vocabulary
from initodds.cells import cell
from initodds.cells.cell import Cell
from initodds.datasets import Split
from initodds.datasets.tasks import Classification, Regression, Task
from initodds.engines.optimizers import SGD, Adam, AdamW
from initodds.networks.activations import ACTIVATIONS
from initodds.networks.network import Layer, Network
from initodds.verdicts import causes, diagnosis, explanation
from initodds.verdicts.diagnosis import Diagnosis
from initodds.verdicts.start import in_words, start_of
from initodds.verdicts.steps import Step
from tests.conftest import random_layers, settings_of

LINE = Split(np.linspace(-1, 1, 101)[:, None], np.linspace(-1, 1, 101)[:, None] ** 2)


def diagnose(
    network: Network,
    layers: list[Layer],
    train: Split = LINE,
    task: Task = Regression(1),  # noqa: B008
    initial: list[Layer] | None = None,
    step: Step | None = None,
    curved: bool = False,
) -> Diagnosis:
    return diagnosis.diagnose(
        network,
        task,
        [layers],
        lambda member: initial or layers,
        train,
        replicates=[0],
        converged=np.array([False]),
        curved=np.array([curved]),
        dtype=np.dtype("f8"),
        step=step,
    )


def trained(*overrides: str) -> Cell:
    return cell.run(settings_of("diagnosis.curvature=none", "diagnosis.of=all", "sgd.orders=1", *overrides))


XOR = ("data=xor", "sgd.batch_size=4", "network.cost=cross_entropy")


def test_the_entries_are_the_words_of_the_house():
    assert tuple(entry.name for entry in causes.ENTRIES) == vocabulary.CAUSES


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "softplus"])
def test_a_layer_that_answers_nothing_is_dead_and_it_is_said_since_when(activation: str, rng: np.random.Generator):
    network = Network((1, 4, 1), activation, "linear")
    (alive,) = random_layers(network, 1, rng)
    alive[0] = (alive[0][0], np.full(4, 2.0))
    dead = [(alive[0][0], np.full(4, -80.0)), alive[1]]
    born, died = diagnose(network, dead), diagnose(network, dead, initial=alive)
    assert born.cause[0] == died.cause[0] == "hidden_dead"
    assert (born.symptoms.born_units[0], died.symptoms.born_units[0]) == (4, 0)
    assert "(so before the first step)" in explanation.explain(born, 0)
    assert "(not so at the start)" in explanation.explain(died, 0)
    assert diagnose(network, alive).cause[0] != "hidden_dead"


@pytest.mark.parametrize("activation", ["logistic", "tanh", "elu", "selu"])
def test_a_layer_at_an_end_of_its_range_is_saturated(activation: str, rng: np.random.Generator):
    network = Network((1, 4, 1), activation, "linear")
    (free,) = random_layers(network, 1, rng)
    assert diagnose(network, [(free[0][0], np.full(4, -80.0)), free[1]]).cause[0] == "hidden_saturated"
    assert diagnose(network, free).cause[0] != "hidden_saturated"


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_every_activation_has_a_diagnosis_with_words(activation: str, rng: np.random.Generator):
    network = Network((1, 4, 3, 1), activation, "linear")
    (layers,) = random_layers(network, 1, rng)
    found = diagnose(network, layers, step=Step(SGD(0.1), taken=10), curved=True)
    assert found.cause[0] in vocabulary.CAUSES
    assert found.point[0]
    assert explanation.explain(found, 0)


def test_some_dead_units_are_counted_and_told_from_all(rng: np.random.Generator):
    network = Network((1, 6, 1), "relu", "linear")
    (layers,) = random_layers(network, 1, rng)
    layers[0] = (np.array([[1.0, -1, 1, -1, 1, -1]]), np.array([0.1, 0.2, -9, -9, -9, 0.3]))
    found = diagnose(network, layers)
    assert found.cause[0] == "units_dead"
    assert explanation.explain(found, 0).startswith("3 of 6 hidden units are dead (so before the first step)")
    layers[0][1][2:4] = 0.1
    assert diagnose(network, layers).cause[0] != "units_dead"


def test_units_are_called_by_the_layer_that_has_fewest_alive(rng: np.random.Generator):
    """Three of six tanh units at an end, before a ReLU layer all alive, and the other way round."""
    half_flat = np.array([0.1, 0.2, -9, -9, -9, 0.3])
    layers = [
        (np.array([[1.0, -1, 1, -1, 1, -1]]), half_flat),
        (0.1 * rng.normal(size=(6, 4)), np.array([0.05, 0.1, 0.1, 0.05])),
        (rng.normal(size=(4, 1)), np.zeros(1)),
    ]
    tanh_first = diagnose(Network((1, 6, 4, 1), ("tanh", "relu"), "linear"), layers)
    assert (tanh_first.symptoms.flattest_layer[0], tanh_first.symptoms.flat_units[0]) == (1, 3)
    assert tanh_first.cause[0] != "units_dead"
    relu_first = diagnose(Network((1, 6, 4, 1), ("relu", "tanh"), "linear"), layers)
    assert relu_first.cause[0] == "units_dead"
    assert explanation.explain(relu_first, 0).startswith("3 of 6 units of hidden layer 1 are dead")


def test_saturated_units_are_told_where_nothing_else_is_wrong():
    """Of two units one is at an end on all of XOR's examples, and the other alone has learned what one unit can."""
    wide = trained("data=xor", "sgd.batch_size=4", "network.hidden=[2]", "init=uniform", "init.low=-16", "init.high=16",
                   "sgd.learning_rate=1", "sgd.epochs=2000", "replicates=32").diagnosis  # fmt: skip
    told = wide.cause == "units_saturated"
    assert told.any()
    assert (wide.symptoms.fewest_alive[told] < 2 / 3).all()
    assert explanation.explain(wide, int(told.argmax())).startswith("1 of 2 hidden units are saturated")


def test_a_unit_that_has_not_moved_has_not_died_since_the_start():
    """One that answers 15 of 2,000 examples is dead on nearly all; of the 500 that the start is looked at on it may
    answer more, and is no less dead for that."""
    x = np.full((2000, 1), -1.0)
    x[np.linspace(0, 1999, 500).round().astype(int)[:15]] = 1.0
    network = Network((1, 2, 1), "relu", "linear")
    layers = [(np.array([[1.0, 1.0]]), np.zeros(2)), (np.array([[1.0], [0.5]]), np.zeros(1))]
    symptoms = diagnose(network, layers, Split(x, x)).symptoms
    assert (symptoms.flat_units[0], symptoms.born_units[0]) == (2, 2)


def test_a_network_without_a_bend_among_the_examples_is_a_straight_line():
    network = Network((1, 3, 1), "relu", "linear")
    train = Split(LINE.x, LINE.x + 0.5 * LINE.y)
    at_rest = train.y.mean(axis=0) - 3  # of x + 3, the mean of the units
    layers = [(np.array([[1.0, 1, 1]]), np.array([2.0, 3, 4])), (np.full((3, 1), 1 / 3), at_rest)]
    found = diagnose(network, layers, train)
    assert found.cause[0] == "straight_line"
    early = [layers[0], (0.1 * layers[1][0], np.array([-0.9]))]
    assert diagnose(network, early, train).cause[0] == "too_few_steps"
    fit = np.polyval(np.polyfit(train.x[:, 0], train.y[:, 0], 1), train.x[:, 0])
    r_squared = 1 - ((train.y[:, 0] - fit) ** 2).sum() / ((train.y[:, 0] - train.y.mean()) ** 2).sum()
    assert found.straight_score == pytest.approx(r_squared)
    assert f"R^2 of {r_squared:.3f}" in explanation.explain(found, 0)
    layers[0][1][0] = 0.0
    assert diagnose(network, layers, train).cause[0] != "straight_line"


def test_targets_that_no_output_reaches(rng: np.random.Generator):
    network = Network((1, 4, 1), "tanh", "logistic")
    (layers,) = random_layers(network, 1, rng)
    train = Split(LINE.x, LINE.y - 0.5)
    found = diagnose(network, layers, train)
    assert found.cause[0] == "targets_out_of_range"
    assert f"{100 * (train.y < 0).mean():.0f} % of the targets" in explanation.explain(found, 0)
    assert diagnose(network, layers).cause[0] != "targets_out_of_range"


def test_dead_outputs_are_told_from_live_ones(rng: np.random.Generator):
    network = Network((1, 4, 2), "tanh", "relu")
    (layers,) = random_layers(network, 1, rng)
    train = Split(LINE.x, np.hstack([LINE.y, LINE.y]) + 0.1)
    dead = [layers[0], (0.01 * layers[1][0], np.array([-5.0, 5.0]))]
    found = diagnose(network, dead, train, Regression(2))
    assert found.cause[0] == "outputs_dead"
    assert found.symptoms.outputs_dead[0] == 1
    alive = [layers[0], (0.01 * layers[1][0], np.array([5.0, 5.0]))]
    assert diagnose(network, alive, train, Regression(2)).cause[0] != "outputs_dead"


def test_many_shares_of_one_whole_are_not_saturated_for_being_small(rng: np.random.Generator):
    """Of 200 classes each output is about 0.005, and no output is pinned by that."""
    network = Network((3, 200), output="softmax", cost="cross_entropy")
    train = Split(rng.normal(size=(400, 3)), np.arange(400) % 200)
    task = Classification(200, 200)
    layers = [(0.1 * rng.normal(size=(3, 200)), np.zeros(200))]
    assert diagnose(network, layers, train, task).cause[0] != "outputs_saturated"
    layers[0][1][7] = 50.0
    found = diagnose(network, layers, train, task)
    assert found.cause[0] == "outputs_saturated"
    assert found.symptoms.outputs_high[0] == 1


def test_a_gradient_that_vanishes_on_its_way(rng: np.random.Generator):
    network = Network((1, *[4] * 6, 1), "logistic", "linear")
    (layers,) = random_layers(network, 1, rng, 0.1)
    found = diagnose(network, layers)
    assert found.cause[0] == "vanishing_gradient"
    norms = found.symptoms.gradient[0]
    assert norms[0] < 1e-3 * norms[-1]
    decayed = diagnose(network, layers, step=Step(SGD(0.1, weight_decay=0.1)))  # shrinking weights is not learning
    assert decayed.cause[0] == "vanishing_gradient"
    np.testing.assert_array_equal(decayed.symptoms.gradient[0], norms)
    (wide,) = random_layers(Network((1, *[4] * 6, 1), "tanh", "linear"), 1, rng, 1.0)
    assert diagnose(Network((1, *[4] * 6, 1), "tanh", "linear"), wide).cause[0] != "vanishing_gradient"


def test_weights_next_to_nothing_leave_xor_on_its_plateau():
    small = trained(*XOR, "network.hidden=[5]", "init=gaussian", "init.std=0.01", "init.bias=0", "replicates=4",
                    "sgd.learning_rate=0.03", "sgd.epochs=5000")  # fmt: skip
    assert set(small.diagnosis.cause) == {"small_weights"}
    spread = small.diagnosis.symptoms.spread_at_start[0]
    assert f"{spread:.1e} over the examples at the start" in explanation.explain(small.diagnosis, 0)
    learned = trained(*XOR, "network.hidden=[5]", "init=gaussian", "sgd.learning_rate=1", "sgd.epochs=3000",
                      "replicates=4")  # fmt: skip
    assert set(learned.diagnosis.cause) == {"none"}


def test_too_few_steps_and_nothing_else():
    found = trained(*XOR, "network.hidden=[2]", "init=xavier_uniform", "sgd.learning_rate=0.01", "sgd.epochs=500",
                    "replicates=32").diagnosis  # fmt: skip
    assert set(found.cause) == {"too_few_steps"}
    assert (found.symptoms.moved < 0.5).all()


def test_what_is_on_its_way_is_not_said_to_be_at_a_minimum():
    """A gradient under 1 % of a fresh network's, whose steps still take most of the cost off."""
    network, train = Network((1, 1), output="linear", bias=False), Split(100 * LINE.x, LINE.x)
    end, start = [(np.array([[0.011]]), np.zeros(1))], [(np.array([[0.02]]), np.zeros(1))]
    found = diagnose(network, end, train, initial=start, step=Step(SGD(1e-5), taken=10), curved=True)
    assert (found.cause[0], found.point[0]) == ("too_few_steps", "not_stationary")
    assert found.symptoms.gradient_norm[0] < 0.01 * found.reference.gradient
    words = explanation.explain(found, 0)
    assert words.startswith("It is on its way")
    assert "no local minimum: steps still take the cost down" in words


def test_what_is_on_its_way_is_said_to_have_dead_units_where_it_has(rng: np.random.Generator):
    network = Network((1, 6, 1), "relu", "linear")
    (layers,) = random_layers(network, 1, rng)
    layers[0] = (np.array([[1.0, -1, 1, -1, 1, -1]]), np.array([0.1, 0.2, -9, -9, -9, 0.3]))
    moved = [(1.01 * weights, biases) for weights, biases in layers]
    found = diagnose(network, moved, initial=layers, step=Step(SGD(1e-3), taken=10))
    assert found.cause[0] == "too_few_steps"
    words = explanation.explain(found, 0)
    assert words.startswith("It is on its way, though ")
    assert "3 of 6 hidden units are dead (so before the first step)" in words
    assert "nothing is seen to be wrong" not in words


def test_steps_that_gain_nothing_are_not_too_few():
    """A gradient that is 2 % of the first one, of steps so small that as many again would not be seen."""
    network, train = Network((1, 1), output="linear", bias=False), Split(LINE.x, LINE.x)
    start, end = ([(np.array([[1 + distance]]), np.zeros(1))] for distance in (20.0, 0.4))
    for rate, expected in ((1e-9, "none"), (3e-2, "too_few_steps")):
        found = diagnose(network, end, train, initial=start, step=Step(SGD(rate), taken=10))
        assert found.symptoms.gradient_norm[0] > 0.01 * found.reference.gradient
        assert found.cause[0] == expected


def test_of_a_training_that_is_not_known_nothing_is_said(rng: np.random.Generator):
    network = Network((1, 4, 1), "tanh", "linear")
    (layers,) = random_layers(network, 1, rng)
    answers = np.tanh(LINE.x @ layers[0][0] + layers[0][1]) @ layers[1][0] + layers[1][1]
    train = Split(LINE.x, 0.8 * answers)
    found = diagnosis.diagnose(
        network, Regression(1), [layers], None, train, replicates=[0], converged=np.zeros(1, bool),
        curved=np.zeros(1, bool), dtype=np.dtype("f8"),
    )  # fmt: skip
    assert found.cause[0] == "too_few_steps"
    words = explanation.explain(found, 0)
    assert "may be on its way" in words
    assert "is on its way" not in words
    assert np.isnan(found.symptoms.next_step[0])


def test_nothing_is_wrong_with_what_converged(rng: np.random.Generator):
    network = Network((1, 4, 1), "relu", "linear")
    (layers,) = random_layers(network, 1, rng)
    layers[0] = (layers[0][0], np.full(4, -80.0))
    found = diagnosis.diagnose(
        network, Regression(1), [layers, layers], lambda member: layers, LINE, replicates=[0, 1],
        converged=np.array([True, False]), curved=np.zeros(2, bool), dtype=np.dtype("f8"),
    )  # fmt: skip
    assert found.cause.tolist() == ["none", "hidden_dead"]


@pytest.mark.parametrize(
    "how",
    [
        ("optimizer=adam", "sgd.learning_rate=0.05"),
        ("optimizer=adamw", "sgd.learning_rate=0.05"),
        ("optimizer=rmsprop", "sgd.learning_rate=0.01"),
        ("optimizer.momentum=0.9", "sgd.learning_rate=0.5"),
        ("sgd.learning_rate=5",),
    ],
    ids=lambda how: how[0],
)
def test_the_next_step_is_the_one_that_a_longer_training_takes(how: tuple[str, ...]):
    """... all of whose steps are along the whole gradient."""
    common = ("data=xor", "sgd.batch_size=4", "network.hidden=[3]", "dtype=float64", "replicates=4", *how)
    shorter, longer = trained(*common, "sgd.epochs=60"), trained(*common, "sgd.epochs=61")
    expected = longer.history.cost[-1] / shorter.history.cost[-1]
    np.testing.assert_allclose(shorter.diagnosis.symptoms.next_step, expected, rtol=1e-9)
    first = trained(*common, "sgd.epochs=1")
    expected = first.history.cost[-1] / first.history.cost[0]
    np.testing.assert_allclose(shorter.diagnosis.symptoms.first_step, expected, rtol=1e-9)


def test_the_next_step_of_a_rate_that_has_fallen_is_as_small():
    common = ("data=xor", "sgd.batch_size=4", "network.hidden=[3]", "sgd.epochs=100", "sgd.learning_rate=5")
    falling = trained(*common, "schedule.name=cosine", "replicates=4").diagnosis.symptoms
    constant = trained(*common, "replicates=4").diagnosis.symptoms
    assert (abs(falling.next_step - 1) < 0.01 * abs(constant.next_step - 1).max()).all()


def test_steps_too_large_for_inputs_of_that_size():
    """Iris, features up to 8 as they are, at a rate of 1: the first step throws the network to where it stays."""
    common = ("data=iris", "data.scale=raw", "network.hidden=[8]", "network.activation=relu", "network.output=softmax",
              "network.cost=cross_entropy", "init=torch_linear", "sgd.batch_size=16", "replicates=8")  # fmt: skip
    large = trained(*common, "sgd.learning_rate=5", "sgd.epochs=10").diagnosis
    thrown = large.cause == "step_too_large"
    assert thrown.sum() >= 4
    assert set(large.cause[~thrown]) <= {"hidden_dead", "units_dead"}  # by a later step
    assert (large.symptoms.first_step[thrown] >= 2).all()
    first = int(thrown.argmax())
    assert f"multiplies the cost by {large.symptoms.first_step[first]:.3g}" in explanation.explain(large, first)
    fitting = trained(*common, "sgd.learning_rate=0.02", "sgd.epochs=10").diagnosis
    assert "step_too_large" not in fitting.cause
    assert (fitting.symptoms.first_step < 1).all()


def test_a_cost_that_jumps_is_unsteady():
    """Of the quadratic cost 1/2 a x^2 a step multiplies x by 1 - rate a, and so the cost by its square."""
    network, train = Network((1, 1), output="linear", bias=False), Split(np.ones((5, 1)), np.ones((5, 1)))
    layers = [(np.array([[3.0]]), np.zeros(1))]
    for rate, expected in ((3.0, 4.0), (0.5, 0.25)):
        found = diagnose(network, layers, train, step=Step(SGD(rate)))
        assert found.symptoms.next_step[0] == pytest.approx(expected)
        assert (found.cause[0] == "unsteady") == (rate == 3.0)


def test_each_layer_takes_the_tried_step_at_its_own_rate():
    """Of the cost 1/2 (u v - 1)^2 the gradient is (u v - 1) (v, u)."""
    network, train = Network((1, 1, 1), "linear", "linear", bias=False), Split(np.ones((5, 1)), np.ones((5, 1)))
    u, v = 3.0, 0.5
    layers = [(np.array([[u]]), np.zeros(1)), (np.array([[v]]), np.zeros(1))]
    found = diagnose(network, layers, train, step=Step(SGD(np.array([[0.5, 0.1]]))))
    error = u * v - 1
    after = (u - 0.5 * error * v) * (v - 0.1 * error * u) - 1
    assert found.symptoms.next_step[0] == pytest.approx((after / error) ** 2)


def test_weight_decay_is_part_of_the_gradient(rng: np.random.Generator):
    """Central differences of the cost and the decay together, parameter by parameter."""
    network = Network((1, 3, 1), "tanh", "linear")
    (layers,) = random_layers(network, 1, rng)
    arrays = [array.astype(float) for layer in layers for array in layer]
    decay, step = 0.3, 1e-5

    def objective() -> float:
        a = np.tanh(LINE.x @ arrays[0] + arrays[1]) @ arrays[2] + arrays[3]
        return 0.5 * ((a - LINE.y) ** 2).mean() + 0.5 * decay * sum((array**2).sum() for array in arrays)

    squares = 0.0
    for array in arrays:
        slopes = []
        for place in np.ndindex(array.shape):
            kept, ends = array[place], []
            for shift in (step, -step):
                array[place] = kept + shift
                ends.append(objective())
            array[place] = kept
            slopes.append((ends[0] - ends[1]) / (2 * step))
        squares += sum(slope**2 for slope in slopes)
    plain = diagnose(network, layers).symptoms.gradient_norm[0]
    with_decay = diagnose(network, layers, step=Step(Adam(0.1, weight_decay=decay))).symptoms.gradient_norm[0]
    apart = diagnose(network, layers, step=Step(AdamW(0.1, weight_decay=decay))).symptoms.gradient_norm[0]
    assert plain == apart
    assert with_decay == pytest.approx(np.sqrt(squares), rel=1e-5)
    assert plain != pytest.approx(with_decay, rel=0.01)


def test_where_gradient_and_decay_cancel_a_network_is_at_rest():
    network, train = Network((1, 1), output="linear", bias=False), Split(np.ones((5, 1)), np.ones((5, 1)))
    layers = [(np.array([[0.8]]), np.zeros(1))]  # the gradient is 0.8 - 1, the decay 0.25 times 0.8
    found = diagnose(network, layers, train, step=Step(SGD(0.1, weight_decay=0.25)))
    assert found.symptoms.gradient_norm[0] == pytest.approx(0, abs=1e-12)
    assert found.symptoms.gradient[0, 0] == pytest.approx(0.2)  # the cost's alone


def test_curvature_has_the_weight_decay_in_it():
    network, train = Network((1, 1), output="linear", bias=False), Split(np.full((5, 1), 2.0), np.ones((5, 1)))
    found = diagnose(
        network, [(np.ones((1, 1)), np.zeros(1))], train, step=Step(SGD(0.1, weight_decay=0.5)), curved=True
    )
    assert found.spectrum.greatest[0] == pytest.approx(4.5)  # x^2 and the decay


@pytest.mark.parametrize(("units", "expected"), [(1, 0.5), (2, 0.25), (3, 0.125)])
def test_units_born_dead_on_one_example_are_as_many_as_signs_of_weights(
    units: int, expected: float, rng: np.random.Generator
):
    """With biases 0, a ReLU unit is dead on one example where its pre-activation is negative: one time in two, and a
    layer of so many one time in 2^units."""
    network = Network((2, units, 1), "relu", "linear")
    train = Split(np.array([[0.3, -1.2]]), np.ones((1, 1)))
    starts = [[(rng.normal(size=shape), np.zeros(shape[1])) for shape in network.layers] for _ in range(1000)]
    found = diagnosis.diagnose(
        network, Regression(1), starts, starts.__getitem__, train, replicates=range(1000),
        converged=np.zeros(1000, bool), curved=np.zeros(1000, bool), dtype=np.dtype("f8"),
    )  # fmt: skip
    dead = (found.cause == "hidden_dead").mean()
    assert abs(dead - expected) < 4 * np.sqrt(expected * (1 - expected) / 1000)
    below = [int((train.x @ start[0][0] <= 0).sum()) for start in starts]
    np.testing.assert_array_equal(found.symptoms.flat_units, below)
    np.testing.assert_array_equal(found.symptoms.born_units, below)
    assert np.mean(below) / units == pytest.approx(0.5, abs=0.06)


def test_examples_that_are_given_up_are_named_so():
    """Two of XOR's four learned, the others at one half, and no gradient."""
    found = trained("data=xor", "network.hidden=[2]", "sgd.batch_size=4", "init=uniform", "init.low=-2", "init.high=2",
                    "optimizer.momentum=0.9", "sgd.learning_rate=0.5", "sgd.epochs=5000", "replicates=16")  # fmt: skip
    partial = found.judgement.outcome == "partial"
    assert partial.any()
    assert set(found.diagnosis.cause[partial]) == {"dead_examples"}
    assert set(found.diagnosis.cause[found.judgement.outcome == "converged"]) == {"none"}


def test_units_that_jump_between_their_ends_are_not_said_to_answer_alike():
    """Steep logistic units, 0 on half of the examples and 1 on the others: flat, and of use to the output."""
    network = Network((1, 4, 1), output="linear")
    layers = [(np.full((1, 4), 1e6), np.array([0.0, 1e5, 2e5, 3e5])), (np.ones((4, 1)), np.zeros(1))]
    found = diagnose(network, layers)
    assert found.cause[0] == "hidden_saturated"
    assert [symptom[0] for symptom in (found.symptoms.flat_high, found.symptoms.flat_low)] == [0, 0]
    words = explanation.explain(found, 0)
    assert "4 jump between their ends" in words
    assert "the output can learn from 4 units" in words
    assert "one answer" not in words


def test_a_gradient_that_reaches_the_first_layer_is_not_denied():
    """Saturated units, z = 4.7 and up, whose outgoing weights are so large that the gradient is large all the same."""
    network = Network((1, 4, 1), output="linear")
    layers = [
        (np.full((1, 4), 0.01), np.array([4.7, 4.8, 4.9, 5.0])),
        (np.array([[900.0], [-800], [500], [-600]]), np.zeros(1)),
    ]
    found = diagnose(network, layers)
    assert found.cause[0] == "hidden_saturated"
    share = found.symptoms.gradient[0, 0] / found.reference.by_layer[0]
    assert share > 0.01
    words = explanation.explain(found, 0)
    assert "a gradient still reaches the first layer" in words
    assert "hardly a gradient" not in words


def test_weight_decay_is_not_told_as_the_cost(rng: np.random.Generator):
    """Outputs pinned wrong: nothing comes back from them, however large the weights' decay is."""
    network = Network((1, 4, 1))
    (layers,) = random_layers(network, 1, rng)
    layers[1] = (0.01 * layers[1][0], np.array([60.0]))
    found = diagnose(network, layers, step=Step(SGD(0.1, weight_decay=0.1)))
    assert found.symptoms.gradient_norm[0] > found.reference.gradient
    assert found.cause[0] == "outputs_saturated"
    assert "hardly a gradient is left (0.0 % of a fresh network's)" in explanation.explain(found, 0)


def test_of_one_output_nothing_is_said_to_have_been_learned_besides(rng: np.random.Generator):
    network = Network((1, 4, 1), "tanh", "linear")
    (layers,) = random_layers(network, 1, rng)
    layers[1] = (layers[1][0], np.array([5.0]))
    found = diagnose(network, layers, step=Step(SGD(10.0)))
    assert found.symptoms.part_scores[0, 0] < 0
    found.cause[0] = "dead_classes"
    assert explanation.explain(found, 0).startswith("It has learned hardly anything of output 0. ")


def test_weights_that_differ_by_their_own_size_are_not_alike(rng: np.random.Generator):
    network = Network((3, 4, 2), output="linear")
    weights = [(rng.normal(0, 0.01, (3, 4)), np.full(4, 60.0)), (0.1 + rng.normal(0, 0.01, (4, 2)), np.zeros(2))]
    x = rng.normal(size=(50, 3))
    train = Split(x, x[:, :2])
    assert diagnose(network, weights, train, Regression(2)).cause[0] == "hidden_saturated"
    alike = [
        (np.repeat(w[:, :1] if layer == 0 else w[:1], 4, axis=1 - layer), b) for layer, (w, b) in enumerate(weights)
    ]
    assert diagnose(network, alike, train, Regression(2)).cause[0] == "symmetric"


def test_units_born_saturated_were_not_thrown_there_by_the_steps():
    network, step = Network((1, 10, 1), output="linear"), Step(SGD(30.0))
    ones, out = np.ones((1, 10)), np.linspace(0.5, 1.5, 10)[:, None]
    after = [(ones, np.full(10, 60.0)), (out, np.zeros(1))]
    for born, expected in ((9, "hidden_saturated"), (5, "step_too_large")):
        before = [(ones, np.where(np.arange(10) < born, 60.0, 0.0)), (out, np.zeros(1))]
        found = diagnose(network, after, initial=before, step=step)
        assert found.symptoms.first_step[0] > 2
        assert (found.symptoms.born_units[0], found.cause[0]) == (born, expected)


def test_a_training_that_grows_without_bounds_has_exploded_before_it_overflows():
    network = Network((1, 1), output="linear")
    for size in (1e12, 1e160):
        layers = [(np.array([[size]]), np.zeros(1))]
        found = diagnose(network, layers, step=Step(SGD(10.0)), curved=True)
        assert (found.cause[0], found.point[0]) == ("exploded", "" if size > 1e100 else "not_stationary")
        words = explanation.explain(found, 0)
        assert "has exploded" in words
        assert "%" not in words.split(".")[0]


def test_a_cost_of_nothing_has_nothing_to_gain():
    network, train = Network((1, 1), output="linear", bias=False), Split(LINE.x, LINE.x)
    found = diagnose(network, [(np.ones((1, 1)), np.zeros(1))], train, step=Step(SGD(0.1), taken=1000))
    assert (found.symptoms.next_step[0], found.symptoms.gain[0]) == (1, 0)


def test_the_fresh_network_is_one_that_is_alive():
    network, train = Network((1, 1, 1), "relu", "linear"), Split(-1 - LINE.x**2, LINE.x)
    dead = [(np.ones((1, 1)), np.zeros(1)), (np.ones((1, 1)), np.zeros(1))]
    found = diagnose(network, dead, train)
    assert found.reference.gradient > 0
    assert found.cause[0] == "hidden_dead"


def test_small_answers_of_live_outputs_are_not_pinned():
    network, train = Network((1, 1), output="relu"), Split(LINE.x, np.full((101, 1), 0.004))
    alive = diagnose(network, [(np.zeros((1, 1)), np.array([0.006]))], train)
    assert alive.symptoms.outputs_low[0] == 0
    assert diagnose(network, [(np.zeros((1, 1)), np.array([-1.0]))], train).symptoms.outputs_low[0] == 1


def test_shares_of_many_classes_are_not_pinned(rng: np.random.Generator):
    network = Network((5, 8, 200), "tanh", "softmax", "cross_entropy")
    (layers,) = random_layers(network, 1, rng)
    layers[1] = (0.01 * layers[1][0], 0 * layers[1][1])
    train = Split(rng.normal(size=(400, 5)), rng.integers(0, 200, 400))
    found = diagnose(network, layers, train, Classification(200, 200))
    assert found.symptoms.outputs_low[0] == 200
    assert found.cause[0] != "outputs_saturated"
    start = start_of(network, Classification(200, 200), [layers], train)
    assert "pinned" not in in_words(start, 0)


def test_features_that_hardly_an_example_has_do_not_hinder_a_look():
    x = np.zeros((5000, 1))
    x[[7, 77, 777]] = 1
    network = Network((1, 3, 1), "tanh", "linear")
    layers = [(np.ones((1, 3)), np.array([0.1, 0.2, 0.3])), (np.array([[1.0], [2.0], [3.0]]), np.zeros(1))]
    assert diagnose(network, layers, Split(x, x), curved=True).point[0]


def test_networks_of_many_weights_share_their_memory(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator):
    """The ends of the spectra are the same, however few networks are looked at together."""
    network = Network((1, 4, 1), "tanh", "linear")
    layers = random_layers(network, 5, rng)

    def ends() -> np.ndarray:
        found = diagnosis.diagnose(
            network, Regression(1), layers, None, LINE, replicates=range(5), converged=np.zeros(5, bool),
            curved=np.ones(5, bool), dtype=np.dtype("f8"),
        )  # fmt: skip
        return np.stack([found.spectrum.least, found.spectrum.greatest])

    together = ends()
    sizes = []
    spectrum = diagnosis.spectrum
    monkeypatch.setattr(diagnosis, "MOST_STEPS", 10**6)
    monkeypatch.setattr(
        diagnosis,
        "spectrum",
        lambda product, start, *rest: (sizes.append(len(start)), spectrum(product, start, *rest))[1],
    )
    np.testing.assert_allclose(ends(), together, rtol=1e-6)
    assert max(sizes) < 5
