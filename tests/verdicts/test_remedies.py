"""What is worth trying: every remedy of every cause, on cells of many kinds."""

import pytest

from initodds.cells import config, objects
from initodds.cells.settings import Settings
from initodds.networks.activations import ACTIVATIONS
from initodds.sweeps.advising import changed
from initodds.verdicts.causes import ENTRIES
from initodds.verdicts.remedies import CHANGES, Facts, Remedy, remedies_of, together

CLASSIC = config.settings_of(["init=unit"])


def remedies(cause: str, settings: Settings) -> list[Remedy]:
    """What is worth trying, were it a network of MNIST's size."""
    facts = Facts("classification", objects.network(settings, 784, 10), objects.optimizer(settings))
    return remedies_of([cause], settings.model_dump(), facts)


def texts(cause: str, *overrides: str) -> list[str]:
    return [remedy.text for remedy in remedies(cause, config.settings_of(overrides))]


def test_every_remedy_that_a_cause_names_is_there_and_every_cause_has_some():
    assert {name for entry in ENTRIES for name in entry.remedies} == set(CHANGES)
    assert all(entry.remedies for entry in ENTRIES)


@pytest.mark.parametrize("cause", [entry.name for entry in ENTRIES])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_what_is_worth_trying_gives_settings_that_are_accepted(cause: str, activation: str):
    settings = CLASSIC.model_copy(
        update={"network": CLASSIC.network.model_copy(update={"activation": activation, "hidden": [30, 20]})}
    )
    found = remedies(cause, settings)
    assert found
    for remedy in found:
        assert changed(settings, remedy.values) != settings
        assert "{" not in remedy.words
        assert remedy.text


def test_the_init_is_the_one_that_theory_gives_for_the_units():
    assert texts("symmetric", "init=zeros")[0] == "init=xavier_uniform"
    assert texts("symmetric", "init=zeros", "network.activation=relu")[0] == "init=he_normal"
    assert texts("symmetric", "init=zeros", "network.activation=selu")[0] == "init=lecun_normal"
    assert texts("symmetric", "init=zeros", "network.activation=gelu")[0] == "init=he_normal"
    mixed = ("network.hidden=[30,20]", "network.activation=[tanh,relu]")
    assert texts("symmetric", "init=zeros", *mixed)[0] == "init=xavier_uniform"


def test_the_mean_is_taken_off_a_range_that_has_one():
    assert "init=uniform init.low=-0.5 init.high=0.5" in texts("hidden_saturated", "init=unit")
    assert not [text for text in texts("hidden_saturated", "init=half") if "init.low" in text]


def test_weight_decay_is_taken_off_where_there_is_any():
    assert texts("constant_prediction", "optimizer.weight_decay=1")[0] == "optimizer.weight_decay=0"
    assert not [text for text in texts("constant_prediction") if "decay" in text]


def test_what_is_so_already_is_not_tried():
    assert "data.scale=standardize" not in texts("unsteady", "data=iris")
    assert "data.scale=standardize" in texts("unsteady", "data=iris", "data.scale=raw")
    assert not [text for text in texts("unsteady", "optimizer=adam", "sgd.learning_rate=0.01") if "adam" in text]


def test_two_together_set_all_that_both_set_unless_they_contradict():
    one, other = Remedy("Do this", {"init": "half"}), Remedy("Do that", {"sgd.epochs": 3})
    assert together(one, other).text == "init=half sgd.epochs=3"
    assert together(one, other).words == "Do this, and do that"
    assert together(one, Remedy("", {"init": "unit"})) is None


def test_a_change_and_a_part_of_it_are_no_pair():
    """As Adam at 0.01 and a rate of 0.01: it would be tried again as if it were another, and take its place."""
    adam, rate = Remedy("", {"optimizer": "adam", "sgd.learning_rate": 0.01}), Remedy("", {"sgd.learning_rate": 0.01})
    assert together(adam, rate) is together(rate, adam) is together(adam, adam) is None


def test_too_few_steps_from_large_weights_are_answered_by_an_init_of_the_right_size():
    start = ("network.hidden=[]", "network.output=softmax", "network.cost=cross_entropy", "init=gaussian")
    assert "init=xavier_uniform" in texts("too_few_steps", *start)


def test_a_change_of_the_optimizer_takes_its_own_keys_and_leaves_no_other():
    made = changed(config.settings_of(["optimizer.momentum=0.9"]), {"optimizer": "adam", "sgd.learning_rate": 0.01})
    assert made == config.settings_of(["optimizer=adam", "sgd.learning_rate=0.01"])
