import colorsys

import pandas as pd
from matplotlib.colors import to_hex, to_rgb

from initodds import figures, rates
from initodds.outcomes import OUTCOMES

CURVES = pd.DataFrame(
    {
        "replicate": [0, 0, 0, 1, 1, 1],
        "outcome": ["stuck"] * 3 + ["converged"] * 3,
        "step": [0, 1, 400] * 2,
        "accuracy": [0.1, 0.1, 0.1, 0.1, 0.3, 0.9],
        "cost": [4, 4, 4.5, 1, 0.8, 0.1],
    }
)


def test_a_line_a_replicate_in_its_outcomes_colour():
    _, (ax,) = figures.panels(1, 4, 3)
    figures.curves(CURVES, "accuracy", ax)
    drawn = {to_hex(line.get_color()).upper(): list(line.get_ydata()) for line in ax.get_lines()}
    assert drawn == {
        figures.COLOURS["converged"]: [0.1, 0.3, 0.9],
        figures.COLOURS["stuck"]: [0.1, 0.1, 0.1],
    }


def test_outcome_curves_name_the_outcomes_and_their_counts():
    figure = figures.outcome_curves(CURVES, "init half")
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["1 converged", "1 stuck"]
    assert figure.get_suptitle() == "init half"


def test_colours_are_told_apart_without_hue():
    lightness = sorted(colorsys.rgb_to_hls(*to_rgb(figures.COLOURS[name]))[1] for name in OUTCOMES)
    assert len(set(figures.COLOURS.values())) == len(OUTCOMES)
    assert lightness[-1] - lightness[0] > 0.5


def test_the_map_has_a_field_for_every_cell_with_percent_and_count():
    frame = pd.DataFrame(
        {
            "init": ["unit"] * 4 + ["half"] * 4,
            "sgd.batch_size": ["10", "10", "100", "100"] * 2,
            "outcome": ["stuck"] * 4 + ["converged", "stuck", "converged", "converged"],
        }
    )
    by = ["init", "sgd.batch_size"]
    figure = figures.sweep_map(rates.rates(frame, by), by)
    converged, stuck = figure.axes
    assert [text.get_text() for text in converged.texts] == ["0 %\n0 of 2"] * 2 + ["50 %\n1 of 2", "100 %\n2 of 2"]
    assert [text.get_text() for text in stuck.texts] == ["100 %\n2 of 2"] * 2 + ["50 %\n1 of 2", "0 %\n0 of 2"]
    assert [label.get_text() for label in converged.get_yticklabels()] == ["unit", "half"]
    assert [label.get_text() for label in converged.get_xticklabels()] == ["batch_size 10", "batch_size 100"]
