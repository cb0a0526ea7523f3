"""What is learned: named sets, classic problems, a user's own table; their splits, and how they are prepared."""

from initodds.datasets.classic import blobs, circles, moons, parity, spirals, xor
from initodds.datasets.dataset import Dataset, Split, split_examples
from initodds.datasets.images import digits, fashion_mnist, mnist, mnist_5k
from initodds.datasets.preparation import prepare
from initodds.datasets.tables import breast_cancer, diabetes, iris, table, wine

__all__ = [
    "Dataset",
    "Split",
    "blobs",
    "breast_cancer",
    "circles",
    "diabetes",
    "digits",
    "fashion_mnist",
    "iris",
    "mnist",
    "mnist_5k",
    "moons",
    "parity",
    "prepare",
    "spirals",
    "split_examples",
    "table",
    "wine",
    "xor",
]
