"""The textbook's engine, as it is taught: column vectors, and backpropagation of one example after another.

To be read beside Nielsen, "Neural Networks and Deep Learning", chapters 1 and 2; the equations' names are the book's.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from initodds.engines.sequential import One, Sequential
from initodds.networks.network import Layer

Array = np.ndarray


class PerExampleNetwork(One):
    """weights[l] (fan_out, fan_in), biases[l] (fan_out, 1); an example is a column (features, 1)."""

    activations: ClassVar = ("logistic",)
    costs: ClassVar = ("quadratic",)

    def __init__(self, layers: Sequence[Layer], cost: str) -> None:
        super().__init__(layers, cost)
        self.weights = [np.ascontiguousarray(weights.T) for weights, _ in layers]
        self.biases = [biases[:, None] for _, biases in layers]

    def step(self, x: Array, targets: Array, rates: Array) -> None:
        weights_sum = [np.zeros_like(weights) for weights in self.weights]
        biases_sum = [np.zeros_like(biases) for biases in self.biases]
        for row, target in zip(x, targets, strict=True):
            weights_gradient, biases_gradient = self.backpropagate(row[:, None], target[:, None])
            for total, gradient in zip(weights_sum + biases_sum, weights_gradient + biases_gradient, strict=True):
                total += gradient
        for parameters, totals in ((self.weights, weights_sum), (self.biases, biases_sum)):
            for parameter, total, rate in zip(parameters, totals, rates, strict=True):
                parameter -= rate * total

    def backpropagate(self, example: Array, target: Array) -> tuple[list[Array], list[Array]]:
        """The gradient of the cost of one example (features, 1), by the weights and by the biases of each layer."""
        activations = [example]
        for weights, biases in zip(self.weights, self.biases, strict=True):
            activations.append(self.logistic(weights @ activations[-1] + biases))

        delta = (activations[-1] - target) * activations[-1] * (1 - activations[-1])  # (BP1)
        biases_gradient = [delta]  # (BP3)
        weights_gradient = [delta @ activations[-2].T]  # (BP4)
        for layer in reversed(range(len(self.weights) - 1)):
            activation = activations[layer + 1]
            delta = (self.weights[layer + 1].T @ delta) * activation * (1 - activation)  # (BP2)
            biases_gradient.insert(0, delta)
            weights_gradient.insert(0, delta @ activations[layer].T)
        return weights_gradient, biases_gradient

    def layers(self) -> list[Layer]:
        return [(w.T.copy(), b[:, 0].copy()) for w, b in zip(self.weights, self.biases, strict=True)]


class PerExample(Sequential):
    """The textbook's networks, one after another. See `initodds.engines.Engine`."""

    one = PerExampleNetwork
