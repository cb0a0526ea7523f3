"""What an init does to signals and gradients, layer by layer, before any training; and what theory expects of it.

Theory is that of many random weights (Poole et al. 2016; Schoenholz et al. 2017): a pre-activation is normal over the
units of its layer, with a mean and a variance that follow from the layer before it. It is told the mean and the
variance of the weights as they were drawn, and the first layer's inputs; nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from initodds.datasets import Split
from initodds.datasets.tasks import NEARLY_ALL, Task
from initodds.networks.curvature import Landscape
from initodds.networks.features import Features
from initodds.networks.network import Layer, Network, Stack
from initodds.verdicts.causes import SMALL, vanishes
from initodds.verdicts.symptoms import ALIVE, norms_by_layer, spread_evenly, symmetric

Array = np.ndarray

LARGE = 10.0
"""Pre-activations of a larger size are told of, where no unit is flat for it."""
NODES = 64
"""Points of the Gauss-Hermite rule by which expectations over a normal number are taken."""


@dataclass(frozen=True, eq=False)
class Start:
    """Of M networks with L layers of weights before training; each is (M, L), and of the outputs' layer too, but where
    another shape is said.

    size: root mean square of the pre-activations over examples and units.
    spread: of a unit, its pre-activation's standard deviation over the examples; the root mean square of the units.
    flat: share of the units that are flat on nearly all examples; of the outputs, that are pinned.
    flat_examples: share of all units and examples where a unit is flat, or an output pinned.
    gradient: norm of the gradient by the layer.
    expected_size, expected_flat: what theory expects of size, and of the share of examples on which a unit is flat.
    symmetric: (M,) bool, whether in some hidden layer all units have the same weights, in and out.
    """

    network: Network
    size: Array
    spread: Array
    flat: Array
    flat_examples: Array
    gradient: Array
    expected_size: Array
    expected_flat: Array
    symmetric: Array


def start_of(network: Network, task: Task, layers: Sequence[Sequence[Layer]], train: Split) -> Start:
    """Look at M networks with these `layers` on at most 500 examples of the training set, spread evenly."""
    rows = spread_evenly(len(train))
    sample = Split(train.x[rows], train.y[rows])
    features = Features(sample.x, np.dtype(np.float64), everything=True)
    stack = Stack(network, layers, np.dtype(np.float64)).restricted(features.present)
    landscape = Landscape(stack, features, task.targets(sample.y))
    numbers = range(len(network.layers))
    z = [np.concatenate([seen.pre_activations[layer] for seen in landscape.passes], 1) for layer in numbers]
    a = [np.concatenate([seen.activations[layer] for seen in landscape.passes], 1) for layer in numbers]
    is_flat = [unit.is_flat(z[layer], a[layer]) for layer, unit in enumerate(network.activations)]
    pinned = network.head.pinned(a[-1])
    is_flat.append(np.logical_or(*pinned))
    held = network.head.pinned_outputs(*((ends.mean(axis=1) >= NEARLY_ALL).sum(axis=1) for ends in pinned))
    expected = [_expected(network, one, sample.x.astype(float)) for one in layers]
    return Start(
        network=network,
        size=np.stack([np.sqrt((of_layer**2).mean(axis=(1, 2))) for of_layer in z], 1),
        spread=np.stack([np.sqrt((of_layer.std(axis=1) ** 2).mean(axis=1)) for of_layer in z], 1),
        flat=np.stack(
            [*((true.mean(axis=1) >= NEARLY_ALL).mean(axis=1) for true in is_flat[:-1]), held / network.sizes[-1]], 1
        ),
        flat_examples=np.stack([true.mean(axis=(1, 2)) for true in is_flat], 1),
        gradient=norms_by_layer(stack.network, landscape.gradient),
        expected_size=np.array([size for size, _ in expected]),
        expected_flat=np.array([flat for _, flat in expected]),
        symmetric=symmetric(stack),
    )


def _expected(network: Network, layers: Sequence[Layer], x: Array) -> tuple[list[float], list[float]]:
    """The sizes and shares that theory expects of each layer, see `Start`; NaN for the outputs' share.

    z of a unit over random weights: mean m_w s_1 + m_b and variance v_w s_2 + v_b, where s_1 is the sum of what comes
    in, s_2 of its squares, and m, v the mean and variance of the weights and of the biases.
    """
    sums, squares = x.sum(axis=1), (x**2).sum(axis=1)
    sizes, flats = [], []
    for number, (weights, biases) in enumerate(layers):
        mean = weights.mean() * sums + biases.mean()
        variance = weights.var() * squares + biases.var()
        sizes.append(float(np.sqrt((mean**2 + variance).mean())))
        if number == len(network.activations):
            flats.append(np.nan)
            break
        z, chances = normal_points(mean, variance)
        activation = network.activations[number]
        a = activation.value(z)
        flats.append(float((activation.is_flat(z, a).astype(float) @ chances).mean()))
        sums, squares = weights.shape[1] * (a @ chances), weights.shape[1] * (a**2 @ chances)
    return sizes, flats


def normal_points(mean: Array, variance: Array) -> tuple[Array, Array]:
    """Points (examples, NODES) of normal numbers with these means and variances (examples,), and their chances
    (NODES,), by the Gauss-Hermite rule.

    >>> points, chances = normal_points(np.array([1.0]), np.array([4.0]))
    >>> round(float(points[0] ** 2 @ chances), 9)  # mean^2 + variance
    5.0
    """
    nodes, weights = _rule()
    return mean[:, None] + np.sqrt(variance)[:, None] * nodes, weights / weights.sum()


@cache
def _rule() -> tuple[Array, Array]:
    """The rule's nodes and weights, each (NODES,): kept, since all layers of all networks take them."""
    return np.polynomial.hermite_e.hermegauss(NODES)


def in_words(start: Start, member: int) -> str:
    """What is to be seen of one network, the first thing that is wrong: in a sentence or two."""
    network = start.network
    if start.symmetric[member]:
        return "The units of a hidden layer have the same weights, in and out: they get the same gradient for ever."
    for layer, activation in enumerate(network.activations):
        units = network.sizes[layer + 1]
        flat = round(units * start.flat[member, layer])
        where = f"hidden layer {layer + 1}" if len(network.activations) > 1 else "the hidden layer"
        if start.flat[member, layer] > 1 - ALIVE:
            return (
                f"{'All' if flat == units else flat} {f'{units} units' if flat == units else f'of {units} units'} of"
                f" {where} are {activation.flat_word} on nearly every example before the first step: pre-activations"
                f" have a size of {start.size[member, layer]:.3g}, and a unit is flat on"
                f" {100 * start.flat_examples[member, layer]:.0f} % of the examples, where theory expects"
                f" {100 * start.expected_flat[member, layer]:.0f} %."
            )
    if network.activations and start.size[member, 0] > LARGE:
        return (
            f"The inputs are large for the weights: pre-activations of the first layer have a size of"
            f" {start.size[member, 0]:.3g}, where about 1 is usual; steps have to be so much smaller."
        )
    if vanishes(network, start.gradient)[member]:
        first, last = start.gradient[member, 0], start.gradient[member, -1]
        return f"The gradient vanishes on its way: the first layer's is {first / last:.0e} of the last one's."
    if network.activations and start.size[member, :-1].min() < SMALL:
        layer = int(start.size[member, :-1].argmin())
        return (
            f"The weights are small: pre-activations of hidden layer {layer + 1} have a size of"
            f" {start.size[member, layer]:.1e}, so that hardly a signal gets through."
        )
    if start.flat[member, -1] >= 0.5:
        return "The outputs are pinned from the start, before anything is learned."
    return "Nothing wrong is seen with the start: signals and gradients get through."
