"""The broadcasting trap: a column bias, right for the textbook's column vectors, in a network of rows."""

from itertools import pairwise

import numpy as np


def column_bias_shapes(sizes: tuple[int, ...], batch: int) -> list[str]:
    """Feed a batch of rows forward with biases that are columns, (n, 1) instead of (1, n), and tell the shapes.

    `sizes` has the units of each layer, the features first. Each line says what NumPy did with Z = X W + b: an array of
    the right shape or of another one, made without a word, or an error, after which the list ends.
    """
    lines: list[str] = []
    activations = np.zeros((batch, sizes[0]))
    for fan_in, fan_out in pairwise(sizes):
        products = activations @ np.zeros((fan_in, fan_out))
        sum_of = f"{products.shape} + {(fan_out, 1)}"
        try:
            activations = products + np.zeros((fan_out, 1))
        except ValueError:
            return [*lines, f"{sum_of} -> error, at last"]
        wanted = (batch, fan_out)
        if fan_out == 1:
            verdict = "right, since a column of one is a row of one"
        elif activations.shape == wanted:
            verdict = "silently wrong: each example has got a bias, instead of each unit"
        else:
            verdict = f"silently wrong: {wanted} was wanted"
        lines.append(f"{sum_of} -> {activations.shape}, {verdict}")
    return lines
