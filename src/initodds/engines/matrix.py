"""The thread's engine: row-major, row biases, and the whole mini-batch in one product.

There is no loop over examples, and no gradient for each of them: in A^T D, where example i is row i of both A and D,
the product over i adds up what the examples contribute. The derivative of C = 1/2 |A - Y|^2 by the output layer's
weights is A_prev^T D with D = (A - Y) * s'(Z), of the weights' own shape, whatever the batch.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from initodds.engines.sequential import One, Sequential
from initodds.networks.network import Layer

Array = np.ndarray


class MatrixNetwork(One):
    """weights[l] (fan_in, fan_out), biases[l] (1, fan_out); a batch is (batch, features)."""

    activations: ClassVar = ("logistic",)
    costs: ClassVar = ("quadratic", "cross_entropy")

    def __init__(self, layers: Sequence[Layer], cost: str) -> None:
        super().__init__(layers, cost)
        self.weights = [weights for weights, _ in layers]
        self.biases = [biases[None, :] for _, biases in layers]

    def step(self, x: Array, targets: Array, rates: Array) -> None:
        activations = [x]
        for weights, biases in zip(self.weights, self.biases, strict=True):
            activations.append(self.logistic(activations[-1] @ weights + biases))

        error = activations[-1] - targets
        if self.cost == "quadratic":
            error = error * activations[-1] * (1 - activations[-1])

        for layer in reversed(range(len(self.weights))):
            before = activations[layer]
            weights_gradient = before.T @ error
            biases_gradient = error.sum(axis=0, keepdims=True)
            if layer:
                error = error @ self.weights[layer].T * before * (1 - before)
            self.weights[layer] -= rates[layer] * weights_gradient
            self.biases[layer] -= rates[layer] * biases_gradient

    def layers(self) -> list[Layer]:
        return [(w.copy(), b[0].copy()) for w, b in zip(self.weights, self.biases, strict=True)]


class Matrix(Sequential):
    """The thread's networks, one after another. See `initodds.engines.Engine`."""

    one = MatrixNetwork
