"""Box counting on sets whose dimension is known."""

import numpy as np
import pytest

from initodds.statistics.dimension import border, box_dimension
from initodds.vocabulary import InputError

SIZE = 256


def grid(size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:size, :size]
    return x.astype(float), y.astype(float)


def koch(size: int) -> np.ndarray:
    """The Koch curve, drawn as the cells that its points fall into."""
    points = np.array([0, 1 + 0j])
    for _ in range(9):
        step, start = np.diff(points) / 3, points[:-1]
        turned = start + step * (1 + np.exp(1j * np.pi / 3))
        points = np.append(np.stack([start, start + step, turned, start + 2 * step], axis=1).ravel(), 1)
    cells = np.zeros((size, size), bool)
    at = points * 0.9 * size + (0.05 + 0.3j) * size
    cells[at.imag.astype(int), at.real.astype(int)] = True
    return cells


def mandelbrot(low: complex, side: float, size: int, steps: int) -> np.ndarray:
    """Whether each point is still bounded after so many steps."""
    x, y = grid(size)
    c = low + side / size * (x + 1j * y)
    z, inside = np.zeros_like(c), np.ones(c.shape, bool)
    for _ in range(steps):
        z[inside] = z[inside] ** 2 + c[inside]
        inside &= abs(z) < 2
    return inside


def test_a_line_has_dimension_1_and_a_filled_square_2():
    line = np.zeros((SIZE, SIZE), bool)
    line[SIZE // 3] = True
    assert box_dimension(line).dimension == pytest.approx(1, abs=1e-9)
    assert box_dimension(np.ones((SIZE, SIZE), bool)).dimension == pytest.approx(2, abs=1e-9)


def test_smooth_borders_have_dimension_1():
    x, y = grid()
    for inside in (y < 0.37 * x + 11.3, np.hypot(x - 0.47 * SIZE, y - 0.51 * SIZE) < 0.4 * SIZE):
        found = box_dimension(border(inside))
        assert found.dimension == pytest.approx(1, abs=0.01)
        assert found.scatter < 0.02


def test_the_koch_curve():
    found = box_dimension(koch(512))
    assert abs(found.dimension - np.log(4) / np.log(3)) < min(2 * found.scatter, 0.05)


def test_the_border_of_the_mandelbrot_set_comes_near_2_as_it_is_zoomed_into():
    """It has dimension 2 (Shishikura 1998), which shows at no scale, but more and more in its valleys."""
    whole = box_dimension(border(mandelbrot(-2 - 1.3j, 2.6, SIZE, 200))).dimension
    valley = box_dimension(border(mandelbrot(-0.752 + 0.095j, 0.008, SIZE, 500))).dimension
    assert 1.05 < whole < 1.3 < 1.45 < valley < 2


def test_what_is_a_border_everywhere_has_dimension_2(rng: np.random.Generator):
    found = box_dimension(border(rng.random((SIZE, SIZE)) < 0.5))
    assert abs(found.dimension - 2) < 0.05


def test_counts_are_those_of_brute_force(rng: np.random.Generator):
    """At sizes that divide the side, with the boxes' corner at 0."""
    cells = rng.random((32, 48)) < 0.02
    found = box_dimension(cells)
    assert found.sizes.tolist() == [1, 2, 3, 4]
    assert found.counts[0] == cells.sum()
    for size, count in zip(found.sizes.tolist(), found.counts, strict=True):
        starts = sorted({int(size * k / 4) for k in range(4)})
        counted = []
        for row in starts:
            for column in starts:
                boxes: dict[tuple[int, int], float] = {}
                for r, c in np.argwhere(cells):
                    box = ((r - row) // size, (c - column) // size)
                    boxes[box] = 1.0
                    for axis, (number, start, length) in enumerate(((box[0], row, 32), (box[1], column, 48))):
                        low, high = number * size + start, (number + 1) * size + start
                        boxes[box] *= (min(high, length) - max(low, 0)) / size if axis in (0, 1) else 1
                counted.append(sum(boxes.values()))
        assert count == pytest.approx(np.mean(counted))


def test_no_border_has_no_dimension_and_too_few_cells_are_refused():
    assert np.isnan(box_dimension(np.zeros((40, 40), bool)).dimension)
    assert str(box_dimension(np.zeros((40, 40), bool))) == "none"
    with pytest.raises(InputError, match="at least 32"):
        box_dimension(np.ones((31, 100), bool))
