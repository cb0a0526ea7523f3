"""Why a network did not learn, one entry a cause: how it is told, in which words, and what is worth trying.

`ENTRIES` has them in the order in which they are asked for of a network that did not converge; the first that holds is
the cause. A new one is an entry here, its name in `initodds.vocabulary.CAUSES`, and a test on a network that was built
to have it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from initodds.networks.activations import Activation
from initodds.networks.network import Network
from initodds.verdicts import phrases
from initodds.verdicts.symptoms import ALIVE, MOSTLY, NEGLIGIBLE, Symptoms

if TYPE_CHECKING:
    from initodds.verdicts.diagnosis import Diagnosis, Reference

Array = np.ndarray

LEAPT = 2.0
"""The steps are too large where the first one multiplies the cost by this much, or more."""
UNSTEADY = 1.1
"""... and too large to come to rest where one more, at the end, multiplies it by this much."""
SMALL = 0.1
"""Weights are small where a hidden layer's pre-activations have a standard deviation under this over the examples: the
units then answer a straight line of nearly no slope."""
NEARBY = 1e-4
"""An argument that is small for any activation."""
BENT = 0.01
"""A function has its bend at 0 if its slopes on both sides, so near, differ by this share of their sum."""
VANISHED = 1e-3
"""The cost's gradient vanishes on its way where the first layer's norm is under this share of the last's."""
BARELY = 0.5
"""A network has barely moved where no layer's weights have gone this share of their norm."""
STILL = 0.03
"""... and is not at rest where its gradient is over this share of what it was before the first step,"""
GAIN = 0.1
"""... or as many steps again, each like one more now, would take this share off the cost; of a network that has barely
moved a share that is as much smaller as its way."""
EXPLODED = 1e6
"""Training has exploded where the gradient is over so many times a fresh network's."""
OUTSIDE = 0.01
"""Targets are out of range where over this share of them is."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What causes are told by, of M networks: their symptoms; a fresh network; and under which score a part of the task
    is dead."""

    network: Network
    symptoms: Symptoms
    reference: "Reference"
    dead_recall: float

    @property
    def moves(self) -> Array:
        """Whether the gradient is not negligible."""
        return np.asarray(self.symptoms.gradient_norm > NEGLIGIBLE * self.reference.gradient)

    @property
    def lacks(self) -> Array:
        """Whether a part of the task is dead."""
        return np.asarray((self.symptoms.part_scores < self.dead_recall).any(axis=1))

    @property
    def on_its_way(self) -> Array:
        """Whether the network is not at rest: its gradient is not small beside what it was, or steps still pay; and the
        next one, where that is known, does not raise the cost."""
        symptoms = self.symptoms
        moves = symptoms.gradient_norm > STILL * symptoms.gradient_at_start
        pays = symptoms.gain > GAIN * np.minimum(symptoms.moved / BARELY, 1)
        return np.asarray((moves | pays) & ~(symptoms.gain <= 0))

    @property
    def flat_units_are_dead(self) -> Array:
        """Whether the units of the flattest hidden layer, where they are flat, are dead, and not saturated."""
        can_die = np.array([False, *(activation.can_die for activation in self.network.activations)])
        return can_die[np.nan_to_num(self.symptoms.flattest_layer).astype(int)]

    @property
    def born_flat(self) -> Array:
        """Whether the flattest hidden layer was mostly flat before the first step."""
        units = np.array([np.inf, *self.network.sizes[1:-1]])
        return self.symptoms.born_units >= MOSTLY * units[np.nan_to_num(self.symptoms.flattest_layer).astype(int)]


@dataclass(frozen=True)
class Cause:
    """holds: (M,) bool, of which networks it is true, where none before it is.
    words: of the network at a place of a diagnosis, what is wrong, told by what was seen.
    remedies: names of entries of `initodds.verdicts.remedies`, what is worth trying, the likeliest first.
    """

    name: str
    holds: Callable[[Evidence], Array]
    words: Callable[["Diagnosis", int], str]
    remedies: tuple[str, ...] = ()


def _step_too_large(evidence: Evidence) -> Array:
    """The first step multiplies the cost, and now a hidden layer is flat that was not mostly so before, or, where none
    is, the network has one answer to everything."""
    symptoms = evidence.symptoms
    became_flat = (symptoms.saturated_layer > 0) & (symptoms.flat_units > symptoms.born_units) & ~evidence.born_flat
    is_constant = (symptoms.constant_answer == 1) & (symptoms.saturated_layer == 0)
    return (symptoms.first_step >= LEAPT) & (became_flat | is_constant)


def _outputs_saturated(evidence: Evidence) -> Array:
    symptoms, network = evidence.symptoms, evidence.network
    return network.head.pinned_outputs(symptoms.outputs_high, symptoms.outputs_low) == network.sizes[-1]


def vanishes(network: Network, gradient: Array) -> Array:
    """(M,) bool: whether the cost's gradient, of these norms by layer (M, L), vanishes on its way back through several
    hidden layers."""
    return np.asarray((gradient[:, 0] < VANISHED * gradient[:, -1]) & (len(network.activations) > 1))


def _small_weights(evidence: Evidence) -> Array:
    """Weights as small as they were drawn, at rest."""
    symptoms = evidence.symptoms
    small = (symptoms.spread < SMALL) & (symptoms.spread_at_start < SMALL) & (symptoms.constant_answer == 1)
    return small & ~evidence.moves & ~evidence.on_its_way & all(map(_is_smooth, evidence.network.activations))


def _is_smooth(activation: Activation) -> bool:
    """Whether a function is a straight line where its argument is small: not where it has its bend at 0, as ReLU."""
    below, middle, above = activation.value(np.array([-NEARBY, 0.0, NEARBY]))
    return bool(abs(above + below - 2 * middle) < BENT * abs(above - below))


def _too_few_steps(evidence: Evidence) -> Array:
    """It has barely moved, and is not at rest: then it is too early to ask for more. Or nothing else is wrong with it
    that more steps would leave, and it is on its way, as far as that is known."""
    symptoms = evidence.symptoms
    barely = (symptoms.moved < BARELY) & evidence.on_its_way & (symptoms.next_step < 1)
    has_some = (symptoms.part_scores >= evidence.dead_recall).any(axis=1)
    wrong = (symptoms.constant_answer == 1) | (symptoms.fewest_alive < ALIVE) | (evidence.lacks & has_some)
    wrong |= symptoms.next_step >= UNSTEADY
    may_be_on_its_way = evidence.on_its_way | np.isnan(symptoms.gradient_at_start)
    return barely | (evidence.moves & may_be_on_its_way & ~wrong)


ENTRIES: tuple[Cause, ...] = (
    Cause(
        "exploded",
        lambda evidence: ~(evidence.symptoms.gradient_norm <= EXPLODED * evidence.reference.gradient),
        phrases.exploded,
        ("rate_div10", "rate_div100", "scale_inputs", "init_of_activation", "clip", "adam"),
    ),
    Cause(
        "targets_out_of_range",
        lambda evidence: evidence.symptoms.outside > OUTSIDE,
        phrases.targets_out_of_range,
        ("linear_output", "standardize_targets"),
    ),
    Cause(
        "symmetric",
        lambda evidence: evidence.symptoms.symmetric == 1,
        phrases.symmetric,
        ("init_of_activation", "init_lecun"),
    ),
    Cause(
        "step_too_large",
        _step_too_large,
        phrases.step_too_large,
        ("rate_div10", "rate_div100", "scale_inputs", "standardize_inputs", "adam", "clip"),
    ),
    Cause(
        "hidden_dead",
        lambda evidence: (evidence.symptoms.saturated_layer > 0) & evidence.flat_units_are_dead,
        phrases.hidden_flat,
        ("leaky_relu", "init_of_activation", "rate_div10", "wider", "shallower", "tanh", "standardize_inputs"),
    ),
    Cause(
        "hidden_saturated",
        lambda evidence: evidence.symptoms.saturated_layer > 0,
        phrases.hidden_flat,
        ("init_of_activation", "init_centred", "standardize_inputs", "rate_div10", "relu", "adam"),
    ),
    Cause(
        "outputs_dead",
        lambda evidence: evidence.symptoms.outputs_dead > 0,
        phrases.outputs_dead,
        ("linear_output", "logistic_output", "init_of_activation"),
    ),
    Cause(
        "outputs_saturated",
        _outputs_saturated,
        phrases.outputs_saturated,
        ("cross_entropy", "init_of_activation", "rate_div10", "standardize_inputs", "adam"),
    ),
    Cause(
        "vanishing_gradient",
        lambda evidence: vanishes(evidence.network, evidence.symptoms.gradient),
        phrases.vanishing_gradient,
        ("init_of_activation", "relu", "tanh", "adam", "shallower", "rate_x10", "steps_x10"),
    ),
    Cause(
        "small_weights",
        _small_weights,
        phrases.small_weights,
        ("init_of_activation", "init_unit_normal", "adam", "rate_x10", "steps_x10"),
    ),
    Cause(
        "too_few_steps",
        _too_few_steps,
        phrases.too_few_steps,
        (
            "rate_x10",
            "rate_x100",
            "adam",
            "init_of_activation",
            "momentum",
            "cross_entropy",
            "standardize_inputs",
            "small_batch",
            "wider",
            "steps_x10",
        ),
    ),
    Cause(
        "straight_line",
        lambda evidence: (evidence.symptoms.straight == 1) & (evidence.symptoms.constant_answer == 0),
        phrases.straight_line,
        ("standardize_all", "rate_x10", "wider", "tanh", "adam", "steps_x10"),
    ),
    Cause(
        "units_dead",
        lambda evidence: (evidence.symptoms.fewest_alive < ALIVE) & evidence.flat_units_are_dead,
        phrases.units_flat,
        ("wider", "leaky_relu", "tanh", "logistic", "init_of_activation", "rate_div10", "adam"),
    ),
    Cause(
        "constant_prediction",
        lambda evidence: evidence.symptoms.constant_answer == 1,
        phrases.constant_prediction,
        (
            "no_decay",
            "rate_x10",
            "init_of_activation",
            "adam",
            "steps_x10",
            "rate_div10",
            "standardize_inputs",
            "cross_entropy",
        ),
    ),
    Cause(
        "unsteady",
        lambda evidence: evidence.symptoms.next_step >= UNSTEADY,
        phrases.unsteady,
        ("rate_div10", "rate_div100", "cosine", "adam", "standardize_inputs"),
    ),
    Cause(
        "dead_classes",
        lambda evidence: evidence.lacks,
        phrases.dead_classes,
        ("init_of_activation", "cross_entropy", "wider", "steps_x10", "rate_x10", "adam", "momentum"),
    ),
    Cause(
        "units_saturated",
        lambda evidence: evidence.symptoms.fewest_alive < ALIVE,
        phrases.units_flat,
        ("init_of_activation", "init_centred", "standardize_inputs", "wider", "relu", "rate_div10", "adam"),
    ),
    Cause(
        "dead_examples",
        lambda evidence: ~evidence.moves & (evidence.symptoms.score < 1),
        phrases.dead_examples,
        ("init_of_activation", "wider", "cross_entropy", "rate_x10", "adam", "small_batch", "momentum"),
    ),
    Cause(
        "none",
        lambda evidence: np.ones(len(evidence.symptoms.score), bool),
        phrases.none,
        ("wider", "steps_x10", "rate_x10", "rate_div10", "adam", "standardize_inputs", "tanh", "no_decay"),
    ),
)
"""Every cause, in the order in which they are asked for."""

BY_NAME = {entry.name: entry for entry in ENTRIES}


def causes_of(evidence: Evidence, converged: Array) -> Array:
    """(M,) str: the cause of each network's state, the first of `ENTRIES` that holds; of one that has `converged` (M,)
    the last, that nothing is wrong."""
    *asked, last = ENTRIES
    holding = [entry.holds(evidence) & ~converged for entry in asked]
    return np.select(holding, [entry.name for entry in asked], last.name)
