"""How deep a signal reaches in wide random networks: mean-field theory, by Gauss-Hermite quadrature.

Weights are from N(0, weights / fan_in), biases from N(0, biases). Two inputs then lead to pre-activations of a layer
that are normal over its units, with a variance q and a correlation c, which follow from those of the layer before
(Poole et al. 2016, "Exponential expressivity in deep neural networks through transient chaos"; Schoenholz, Gilmer,
Ganguli and Sohl-Dickstein 2017, "Deep information propagation").
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import roots_hermitenorm

from initodds.networks.activations import ACTIVATIONS, Activation

Array = np.ndarray

NODES = 300
"""Points of the quadrature, so many that the step of a logistic function of z from N(0, 100) lies on twenty of them."""


@cache
def _normal() -> tuple[Array, Array]:
    """(NODES,) normal numbers, and their chances."""
    nodes, chances = roots_hermitenorm(NODES)
    return nodes, chances / chances.sum()


def _activation(name: str) -> Activation:
    return ACTIVATIONS[name]()


def size(activation: str, weights: float, biases: float) -> float:
    """q*, the variance of the pre-activations far down a bounded network: where q = weights E f(sqrt(q) z)^2 + biases.

    >>> round(size("tanh", 0.9, 0.0), 6), size("tanh", 2.0, 0.0) > 0.5
    (0.0, True)
    """
    z, chances = _normal()
    function = _activation(activation)

    def excess(q: float) -> float:
        return float(weights * (function.value(np.sqrt(q) * z) ** 2 @ chances) + biases - q)

    least = 1e-9  # with biases of 0, and in the ordered phase, 0 is the only one
    return float(brentq(excess, least, 10 + weights + biases)) if excess(least) > 0 else 0.0


def slope(activation: str, weights: float, q: float, c: float = 1.0) -> float:
    """chi, by which a small change of c is multiplied in a layer: weights E f'(u) f'(v) for u and v of variance q and
    correlation c. At c = 1 it is chi_1, by which a gradient's mean square is multiplied too.

    >>> slope("tanh", 1.0, 0.0), round(slope("relu", 2.0, 1.0), 9)
    (1.0, 1.0)
    """
    return weights * product(_activation(activation).slope, q, c)


def similarity(activation: str, weights: float, biases: float) -> float:
    """c*, the correlation of the pre-activations that two inputs lead to, far down a bounded network.

    It is 1 in the ordered phase, chi_1 <= 1. The map of c is convex on [0, 1], as a power series with coefficients of
    at least 0, so that in the chaotic phase there is one other fixed point.
    """
    q = size(activation, weights, biases)
    if slope(activation, weights, q) <= 1:
        return 1.0

    def excess(c: float) -> float:
        return (weights * product(_activation(activation).value, q, c) + biases) / q - c

    return float(brentq(excess, 0.0, 1 - 1e-7)) if excess(0.0) > 1e-12 else 0.0


def depth_scale(activation: str, weights: float, biases: float) -> float:
    """xi_c = 1 / abs(ln chi(c*)), in layers: over so many the correlation of two inputs comes e times nearer to c*, of
    which nothing is then to be told. Infinite on the edge of chaos.

    Of ReLU, whose q has no fixed point but 0 and infinity, it is 1 / abs(ln(weights / 2)), over which the size of the
    signal, and of the gradient, changes by e; with biases of 0.

    >>> round(depth_scale("relu", 1.0, 0.0), 4)  # 1 / ln 2
    1.4427
    """
    if activation == "relu":
        chi = slope(activation, weights, 1.0)
    else:
        c = similarity(activation, weights, biases)
        chi = slope(activation, weights, size(activation, weights, biases), c)
    return float(np.inf) if np.isclose(chi, 1, rtol=0, atol=1e-9) else float(1 / abs(np.log(chi)))


def edge(activation: str, biases: float, between: tuple[float, float]) -> float:
    """The variance of the weights at which chi_1 is 1: order below, chaos beyond.

    >>> round(edge("tanh", 0.05, (1.0, 3.0)), 2)
    1.76
    """
    return float(brentq(lambda weights: slope(activation, weights, size(activation, weights, biases)) - 1, *between))


def product(function: Callable[[Array], Array], q: float, c: float) -> float:
    """E f(u) f(v) for normal u and v of variance q and correlation c."""
    z, chances = _normal()
    if c == 1:
        return float(function(np.sqrt(q) * z) ** 2 @ chances)
    u, v = np.sqrt(q) * z[:, None], np.sqrt(q) * (c * z[:, None] + np.sqrt(1 - c**2) * z)
    return float(chances @ (function(u) * function(v)) @ chances)
