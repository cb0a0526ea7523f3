"""Empty Axes for the figures: so many side by side, in a figure of a size."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def panels(count: int, width: float, height: float, across: int | None = None) -> tuple[Figure, list[Axes]]:
    """A figure of this size in inches with so many empty Axes side by side; freed with the last reference to it.

    across: how many stand side by side at most, the others in further rows; width and height are those of one row.

    >>> figure, axes = panels(2, 9, 3.6)
    >>> len(axes), figure.get_size_inches().tolist()
    (2, [9.0, 3.6])
    >>> figure, axes = panels(3, 9, 3.6, across=2)
    >>> len(axes), figure.get_size_inches().tolist()
    (3, [9.0, 7.2])
    """
    columns = min(count, across or count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width, rows * height), layout="constrained", dpi=120)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for idle in axes[count:]:
        idle.remove()
    return figure, axes[:count]
