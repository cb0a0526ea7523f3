"""Maps as pictures: the right colour at the right place."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from initodds.statistics import figures
from initodds.statistics.colours import COLOURS
from initodds.statistics.grids import grid_of
from initodds.statistics.plane_figures import pictures
from initodds.vocabulary import OUTCOMES, InputError


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


def plane(x: np.ndarray, y: np.ndarray, outcomes: tuple[str, ...] = OUTCOMES) -> pd.DataFrame:
    """A grid of these points, one network each, with every outcome."""
    across, upwards = (grid.ravel() for grid in np.meshgrid(x, y))
    outcome = np.resize(outcomes, across.size)
    return pd.DataFrame({"init.half_width": across, "sgd.layer_rates.1": upwards, "outcome": outcome, "cost": across})


@pytest.mark.parametrize(
    "ends",
    [(1.076, 2.847), (0.6141, 1.422), (6.906, 21.16), (0.1043, 0.2759), (0.6141, 0.6142), (1e-4, 5e-4), (0.3, 20),
     (200, 3e4), (1e-3, 100), (1e-12, 1e12), (0.02, 0.9)],
)  # fmt: skip
@pytest.mark.parametrize("spaced", [np.geomspace, np.linspace])
def test_labels_of_any_part_of_a_plane_lie_beside_each_other_and_within_the_figure(ends, spaced):
    table = plane(spaced(*ends, 9), spaced(*ends, 9))
    two, axes = figures.panels(2, 11, 5.4)  # as the study has it
    for ax, value in zip(axes, ("outcome", "cost"), strict=True):
        figures.map(table, "init.half_width", "sgd.layer_rates.1", ax, value)
    for figure in (two, *pictures(table, "init.half_width", "sgd.layer_rates.1").values()):
        figure.draw_without_rendering()
        for ax in figure.axes:
            sides = ((ax.xaxis, "x0", "x1"), (ax.yaxis, "y0", "y1"))
            for axis, low, high in (side for side in sides if side[0].get_label_text()):
                boxes = [
                    label.get_window_extent()
                    for label in axis.get_ticklabels(which="both")
                    if label.get_visible() and label.get_text() and min(ends) <= _at(axis, label) <= max(ends)
                ]
                assert len(boxes) >= 2
                boxes.sort(key=lambda box: getattr(box, low))
                assert all(getattr(a, high) < getattr(b, low) for a, b in pairwise(boxes))
            if (legend := ax.get_legend()) is not None:
                box = legend.get_window_extent()
                assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1
                assert box.y0 >= 0
                assert box.y1 < ax.xaxis.label.get_window_extent().y0


def _at(axis: Axis, label: Text) -> float:
    return label.get_position()[0 if axis.axis_name == "x" else 1]


def test_how_many_networks_there_are_stands_above():
    _, (ax,) = figures.panels(1, 4, 4)
    figures.map(pd.concat([frame()] * 100), "x", "y", ax)
    assert ax.get_title() == "3 x 2 points, n = 1,200"


def test_a_cost_that_is_the_same_everywhere_has_a_word_and_no_colour_bar():
    table = frame(cost=9.99974e-7)
    table.loc[table["x"] == 10, "cost"] = np.nan
    figure, (ax,) = figures.panels(1, 4, 4)
    figures.map(table, "x", "y", ax, "cost")
    assert figure.axes == [ax]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["cost 1e-06", "not finite 33 %"]
    # Where it differs, the bar has plain numbers.
    figure, (ax,) = figures.panels(1, 4, 4)
    figures.map(frame(), "x", "y", ax, "cost")
    figure.draw_without_rendering()
    assert {"0.2", "0.5", "1", "2", "5", "10"} <= {text.get_text() for text in figure.axes[1].get_yticklabels()}


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
