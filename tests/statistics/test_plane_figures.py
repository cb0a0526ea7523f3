"""Maps as pictures: the right colour at the right place."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from initodds.statistics import figures
from initodds.statistics.colours import COLOURS
from initodds.statistics.grids import grid_of
from initodds.vocabulary import InputError


def frame(**columns: object) -> pd.DataFrame:
    """Three by two points, two networks each."""
    x, y, replicate = (grid.ravel() for grid in np.meshgrid([0.1, 1.0, 10.0], [0.0, 2.0], [0, 1], indexing="ij"))
    made = pd.DataFrame({"x": x, "y": y, "replicate": replicate, "outcome": "stuck", "cost": x + y})
    return made.assign(**columns).sample(frac=1, random_state=3)


def test_colours_are_those_of_the_outcomes_and_are_mixed():
    table = frame()
    table.loc[(table["x"] == 1) & (table["y"] == 2), "outcome"] = "converged"
    table.loc[(table["x"] == 10) & (table["y"] == 0) & (table["replicate"] == 1), "outcome"] = "diverged"
    _, (ax,) = figures.panels(1, 4, 4)
    figures.map(table, "x", "y", ax)
    (mesh,) = ax.collections
    colours = mesh.get_array()
    assert colours.shape == (2, 3, 3)
    np.testing.assert_allclose(colours[1, 1], to_rgb(COLOURS["converged"]))
    np.testing.assert_allclose(colours[0, 0], to_rgb(COLOURS["stuck"]))
    np.testing.assert_allclose(colours[0, 2], np.array(to_rgb(COLOURS["stuck"])) / 2)
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["converged 17 %", "stuck 75 %", "diverged 8 %"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    # The points lie in the middle of their squares.
    edges = mesh.get_coordinates()[0, :, 0]
    np.testing.assert_allclose(np.sqrt(edges[1:] * edges[:-1]), [0.1, 1, 10])


def test_a_cost_is_shown_by_its_logarithm_and_what_is_not_finite_is_grey():
    table = frame()
    table.loc[table["x"] == 10, "cost"] = np.inf
    _, (ax,) = figures.panels(1, 4, 4)
    figures.map(table, "x", "y", ax, "cost")
    mesh = ax.collections[0]
    assert mesh.get_array().mask.tolist() == [[False, False, True], [False, False, True]]
    assert type(mesh.norm).__name__ == "LogNorm"
    assert ax.get_facecolor()[:3] == (0.75, 0.75, 0.75)


def test_costs_on_their_way_to_infinity_do_not_take_the_colours():
    table = frame()
    table["cost"] = np.where(table["x"] == 10, 1e300, table["x"])
    figure, (ax,) = figures.panels(1, 4, 4)
    figures.map(table, "x", "y", ax, "cost")
    assert ax.collections[0].norm.vmax == 1e6
    figure.canvas.draw()


def test_one_point_and_no_finite_cost_are_drawn_too():
    table = frame(cost=np.nan).query("x == 1 and y == 2")
    for value in ("outcome", "cost"):
        figure, (ax,) = figures.panels(1, 4, 4)
        figures.map(table, "x", "y", ax, value)
        figure.canvas.draw()


def test_what_is_no_grid_is_refused():
    table = frame()
    with pytest.raises(InputError, match="1 of the 6 points of the grid are not there"):
        grid_of(table[(table["x"] < 10) | (table["y"] > 0)], "x", "y", table["cost"])
    with pytest.raises(InputError, match="value=accuracy: not a column"):
        figures.map(table, "x", "y", figures.panels(1, 4, 4)[1][0], "accuracy")
