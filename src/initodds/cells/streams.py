"""The random numbers of a cell: each use has a stream of its own, and each replicate its own numbers in it."""

import numpy as np

WEIGHTS, ORDERS, ORDERS_ONWARD = range(3)
"""A replicate's weights, a data order, and a data order for training on after the end."""


def random_stream(seed: int, stream: int, number: int) -> np.random.Generator:
    """The random numbers number `number` of one of the streams of a seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, int(number))))
