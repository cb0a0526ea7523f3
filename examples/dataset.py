"""A data set of one's own: the fields of a chessboard, black or white.

    PYTHONPATH=examples initodds data=digits data.load._target_=dataset.chessboard +data.load.fields=2

Any function that returns a `Dataset` will do; its arguments are keys of the command line.
"""

import numpy as np

from initodds.datasets import Dataset, split_examples


def chessboard(examples: int = 1000, fields: int = 3, seed: int = 0) -> Dataset:
    """Points of a board with so many fields a side: class 1 on the white, 0 on the black. A fifth is the test set."""
    x = np.random.default_rng(seed).uniform(-1, 1, (examples, 2))
    field = np.floor((x + 1) / 2 * fields).astype(int)
    return split_examples("chessboard", x, field.sum(axis=1) % 2, test_share=0.2, seed=seed)
