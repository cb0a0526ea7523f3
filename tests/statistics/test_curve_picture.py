"""The picture of a cell's curves, read as the SVG that it is."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from initodds.statistics.colours import COLOURS
from initodds.statistics.curve_picture import HEIGHT, TOP, curve_picture

SVG = "{http://www.w3.org/2000/svg}"
STEPS = np.array([0, 1, 10, 100])


def lines(picture: str) -> list[tuple[str, list[tuple[float, float]]]]:
    """(colour, points) of each curve."""
    groups = ET.fromstring(picture).iter(f"{SVG}g")
    paths = [path for group in groups for path in group.iter(f"{SVG}path")]
    number = re.compile(r"[ML]([-\d.]+) ([-\d.]+)")
    return [(p.get("stroke"), [(float(x), float(y)) for x, y in number.findall(p.get("d"))]) for p in paths]


def words(picture: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(picture).iter(f"{SVG}text")]


def test_points_stand_where_their_values_are():
    values = np.array([[0.0], [0.25], [0.5], [1.0]])
    ((colour, points),) = lines(curve_picture(STEPS, {"accuracy": values}, np.array(["converged"]), "a"))
    assert colour == COLOURS["converged"]
    assert [y for _, y in points] == pytest.approx([TOP + HEIGHT * (1 - v) for v in (0, 0.25, 0.5, 1)])
    steps = np.diff([x for x, _ in points])
    assert steps == pytest.approx([steps[0]] * 3, abs=0.2)  # linear up to 1, logarithmic beyond


def test_outcomes_are_counted_and_a_title_is_text():
    picture = curve_picture(STEPS, {"cost": np.ones((4, 3))}, np.array(["stuck", "stuck", "diverged"]), "a < b & c")
    assert {"2 stuck", "1 diverged", "a < b & c"} <= set(words(picture))


def test_what_is_not_finite_breaks_a_line_and_what_is_out_of_proportion_leaves_it():
    cost = np.array([[0.5, 0.5, 0.5], [0.5, 0.4, np.nan], [0.5, 0.3, 0.5], [0.5, 0.2, 5000.0]])
    picture = curve_picture(STEPS, {"cost": cost}, np.array(["stuck", "converged", "diverged"]), "")
    assert [len(points) for _, points in lines(picture)] == [4, 4, 3]
    assert "1 beyond, up to 5e+03" in words(picture)
    low = max(y for colour, points in lines(picture) for _, y in points if colour == COLOURS["converged"])
    assert low < TOP + HEIGHT * 0.7  # 0.2 of 0.5 is not flattened
    assert "none is finite" in words(
        curve_picture(STEPS, {"cost": np.full((4, 1), np.nan)}, np.array(["diverged"]), "")
    )


def test_of_very_many_some_are_drawn():
    picture = curve_picture(STEPS, {"cost": np.ones((4, 1000))}, np.array(["stuck"] * 1000), "many")
    assert len(lines(picture)) == 250
    assert {"many (one replicate in 4)", "1000 stuck"} <= set(words(picture))


@pytest.mark.parametrize("last", [0, 1])
def test_a_training_of_no_step_or_one_is_no_error(last: int):
    steps = np.array([0, last][: last + 1])
    assert lines(curve_picture(steps, {"cost": np.zeros((len(steps), 1))}, np.array(["stuck"]), ""))
