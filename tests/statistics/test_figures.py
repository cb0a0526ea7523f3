import colorsys

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb

from initodds.statistics import figures, rates, survival
from initodds.vocabulary import OUTCOMES, InputError

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
    drawn = {
        to_hex(lines.get_color()[0]).upper(): list(lines.get_segments()[0][:, 1])
        for lines in ax.collections
        if len(lines.get_segments())
    }
    assert drawn == {
        figures.COLOURS["converged"]: [0.1, 0.3, 0.9],
        figures.COLOURS["stuck"]: [0.1, 0.1, 0.1],
    }


def test_outcome_curves_name_the_outcomes_and_their_counts():
    figure = figures.outcome_curves(CURVES, "init half")
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["1 converged", "1 stuck"]
    assert figure.get_suptitle() == "init half"


def test_costs_that_are_not_the_same_thing_have_a_panel_each():
    other = CURVES.assign(replicate=CURVES["replicate"] + 2, cost=100 * CURVES["cost"])
    both = pd.concat([CURVES.assign(**{"network.cost": "a"}), other.assign(**{"network.cost": "b"})])
    accuracy, *costs = figures.outcome_curves(both, "all", "network.cost").axes
    assert [ax.get_title() for ax in costs] == ["cost a", "cost b"]
    assert costs[1].get_ylim()[1] == pytest.approx(100 * costs[0].get_ylim()[1])
    assert sum(len(lines.get_segments()) for lines in accuracy.collections) == 4


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


def two_by_two() -> pd.DataFrame:
    """Replicates over (centre, half_width): 4 each, of which 4, 3, 2, 0 converged."""
    fields = [(0.0, 0.1, 4), (0.1, 0.1, 3), (0.0, 1.0, 2), (0.1, 1.0, 0)]
    rows = [
        {"init.centre": x, "init.half_width": y, "outcome": "converged" if k < hits else "stuck"}
        for x, y, hits in fields
        for k in range(4)
    ]
    return pd.DataFrame(rows)


def test_dots_stand_at_the_rates_with_their_intervals():
    by = ["init.half_width", "init.centre"]
    table = rates.rates(two_by_two(), by)
    _, (ax,) = figures.panels(1, 5, 3)
    figures.rate_dots(table, by, "converged", ax)
    (dots,) = [line for line in ax.get_lines() if line.get_marker() == "o"]
    of_label = dict(zip([t.get_text() for t in ax.get_yticklabels()], dots.get_xdata(), strict=True))
    assert of_label["half_width 0.1, centre 0.1"] == 0.75
    assert of_label["half_width 1.0, centre 0.1"] == 0
    segments = ax.collections[0].get_segments()
    low, high = rates.interval(3, 4)
    assert any(np.allclose(segment[:, 0], [low, high]) for segment in segments)
    assert "n = 4 each" in ax.get_xlabel()


def test_the_heat_map_has_y_upwards_and_n_in_every_field():
    table = rates.rates(two_by_two(), ["init.centre", "init.half_width"])
    _, (ax,) = figures.panels(1, 5, 3)
    figures.heat_map(table, "init.centre", "init.half_width", "converged", ax)
    assert [text.get_text() for text in ax.texts] == ["50 %\nn 4", "0 %\nn 4", "100 %\nn 4", "75 %\nn 4"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1.0", "0.1"]


def test_the_heat_map_leaves_out_a_field_that_was_not_swept():
    table = rates.rates(two_by_two().iloc[:12], ["init.centre", "init.half_width"])
    _, (ax,) = figures.panels(1, 5, 3)
    figures.heat_map(table, "init.centre", "init.half_width", "converged", ax)
    assert "nan" not in " ".join(text.get_text() for text in ax.texts)


def test_the_phase_diagram_shows_shares_edges_and_the_predicted_line():
    frame = two_by_two()
    edges = pd.DataFrame({"init.half_width": [0.1, 1.0], "boundary": [0.12, np.nan], "low": [0.1, -np.inf],
                          "high": [0.15, np.inf]})  # fmt: skip
    _, (ax,) = figures.panels(1, 5, 4)
    line = (np.array([0.1, 1.0]), np.array([0.05, 0.15]))
    figures.phase_diagram(rates.rates(frame, ["init.centre", "init.half_width"]), edges, ax, line)
    assert sorted(ax.collections[0].get_array()) == [0, 0.5, 0.75, 1]
    drawn = {entry.get_label(): entry for entry in ax.get_lines()}
    np.testing.assert_array_equal(drawn["predicted"].get_xdata(), line[1])
    (dots,) = [entry for entry in ax.get_lines() if entry.get_marker() == "o"]
    assert list(dots.get_xdata()) == [0.12]
    assert ax.get_yscale() == "log"
    assert ax.figure.axes[1].get_ylabel() == "share converged, n = 4 each"


def test_survival_curves_rise_to_the_share_that_reached():
    frame = pd.DataFrame({"init": ["a"] * 4 + ["b"] * 4, "steps": 100.0})
    frame["steps_to_target"] = [10, 20, 20, 50, 50, np.nan, np.nan, np.nan]
    _, (ax,) = figures.panels(1, 5, 4)
    figures.survival_curves(survival.time_to_target(frame, ["init"]), ["init"], ax)
    last = {line.get_label(): line.get_ydata()[-1] for line in ax.get_lines()}
    assert last == {"a": 1.0, "b": 0.25}


def test_who_has_all_arrived_stays_there_and_who_never_did_is_said():
    frame = pd.DataFrame({"init": ["a"] * 2 + ["b"] * 2, "steps": 100.0, "steps_to_target": [10, 20, 50, np.nan]})
    _, (ax,) = figures.panels(1, 5, 4)
    figures.survival_curves(survival.time_to_target(frame, ["init"]), ["init"], ax)
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert (lines["a"].get_xdata()[-1], lines["a"].get_ydata()[-1]) == (100, 1)
    assert lines["a"].get_linewidth() > lines["b"].get_linewidth()  # so that both are seen where one lies on the other
    assert not ax.texts
    _, (ax,) = figures.panels(1, 5, 4)
    nobody = survival.time_to_target(frame.assign(steps_to_target=np.nan), ["init"])
    figures.survival_curves(nobody, ["init"], ax)
    assert [text.get_text() for text in ax.texts] == ["nobody has reached it"]


def test_a_cost_out_of_all_proportion_does_not_flatten_the_others():
    blown_up = pd.DataFrame(
        {"replicate": 2, "outcome": "stuck", "step": [0, 1, 400], "accuracy": 0.1, "cost": [4, 90, 2500]}
    )
    figure = figures.outcome_curves(pd.concat([CURVES, blown_up]), "")
    _, costs = figure.axes
    assert costs.get_ylim()[1] < 10
    assert [text.get_text() for text in costs.texts] == ["1 beyond, up to 2.5e+03"]
    figure.draw_without_rendering()
    legend = costs.get_legend().get_window_extent()
    assert legend.x0 >= costs.get_window_extent().x1 - 1  # beside the data


def test_a_network_stands_at_its_gradient_and_curvature():
    frame = pd.DataFrame({"kind": ["a", "a", "b"], "gradient_relative": [1e-5, 0.0, 0.5],
                          "curvature_relative": [1e-4, 1e-3, 1.0]})  # fmt: skip
    _, (ax,) = figures.panels(1, 5, 4)
    figures.point_map(frame, ["a", "b"], 0.01, ax)
    first, second = [
        part for part in ax.collections if len(part.get_offsets()) and part.get_label().startswith(("a", "b"))
    ]
    np.testing.assert_allclose(first.get_offsets(), [[1e-5, 1e-4], [1e-20, 1e-3]])
    np.testing.assert_allclose(second.get_offsets(), [[0.5, 1.0]])
    assert first.get_label() == "a (n = 2)"


def test_who_got_out_stands_at_its_rate_with_the_interval():
    frame = pd.DataFrame({"kind": ["a"] * 4 + ["b"], "escaped_noise": [1.0, 1.0, 0.0, 1.0, np.nan]})
    _, (ax,) = figures.panels(1, 5, 4)
    figures.escape_dots(frame, ["a", "b"], {"noise": "1 % of noise"}, ax)
    (dot,) = [line for line in ax.get_lines() if len(line.get_xdata())]
    assert dot.get_xdata()[0] == 0.75
    (segments,) = [part.get_segments() for part in ax.collections]
    np.testing.assert_allclose(segments[0][:, 0], rates.interval(3, 4))


def test_costs_stand_beside_the_levels_that_are_given():
    plateaus = {j: 0.5 + 0.4 * j for j in range(11)}
    frame = pd.DataFrame({"cost": [0.1, 0.45, 4.1, np.nan], "outcome": ["converged", "stuck", "stuck", "diverged"]})
    _, (ax,) = figures.panels(1, 6, 4)
    figures.final_costs(frame, ax, [0.45], plateaus)
    levels = [line.get_xdata()[0] for line in ax.get_lines() if line.get_linestyle() == "-"]
    assert levels == list(plateaus.values())
    assert [text.get_text() for text in ax.texts] == [str(j) for j in plateaus]
    assert bars(ax) == 3
    assert ax.get_xlabel() == "final test cost; 1 not finite"
    assert "diverged" not in [text.get_text() for text in ax.get_legend().get_texts()]


def bars(ax: Axes) -> float:
    """The height of all bars together: how many networks are drawn."""
    return sum(bar.get_height() for bar in ax.patches)


def test_without_plateaus_none_are_drawn_and_every_finite_cost_is():
    # Cross-entropy of ten classes costs 3.25 at best without looking; networks that have blown up cost thousands.
    frame = pd.DataFrame({"cost": [0.3, 3.4, 3.7, 14.0, 1300.0, 2700.0], "outcome": ["converged"] + ["stuck"] * 5})
    _, (ax,) = figures.panels(1, 6, 4)
    figures.final_costs(frame, ax, [3.25])
    assert [line.get_xdata()[0] for line in ax.get_lines()] == [3.25]
    assert "j outputs pinned high" not in [text.get_text() for text in ax.get_legend().get_texts()]
    assert bars(ax) == 6
    assert max(bar.get_x() + bar.get_width() for bar in ax.patches) < 20
    assert ax.get_xlabel() == "final test cost; last bar: 2 over 14, up to 2.7e+03"


def test_costs_beyond_every_plateau_are_drawn():
    frame = pd.DataFrame({"cost": [0.1, 4.8, 5.0], "outcome": "stuck"})
    _, (ax,) = figures.panels(1, 6, 4)
    figures.final_costs(frame, ax, [0.45], {j: 0.5 + 0.4 * j for j in range(11)})
    assert bars(ax) == 3


def test_costs_of_which_none_is_finite_or_all_are_zero_are_no_error():
    for cost in (np.nan, 0.0):
        _, (ax,) = figures.panels(1, 6, 4)
        figures.final_costs(pd.DataFrame({"cost": [cost] * 2, "outcome": "diverged"}), ax)
        assert bars(ax) == (0 if np.isnan(cost) else 2)


def test_an_unknown_outcome_is_told():
    table = rates.rates(two_by_two(), ["init.centre", "init.half_width"])
    draw = {
        "outcome_map": lambda ax: figures.outcome_map(table.assign(columns=""), "init.centre", "good", ax),
        "rate_dots": lambda ax: figures.rate_dots(table, "init.centre", "good", ax),
        "heat_map": lambda ax: figures.heat_map(table, "init.centre", "init.half_width", "good", ax),
        "phase_diagram": lambda ax: figures.phase_diagram(table, table, ax, outcome="good"),
    }
    for drawn in draw.values():
        with pytest.raises(InputError, match="outcome=good: choose from converged, "):
            drawn(figures.panels(1, 4, 3)[1][0])


def test_a_label_has_a_whole_number_as_one_and_a_missing_key_has_its_curve():
    frame = two_by_two().assign(**{"sgd.batch_size": 10, "steps": 100, "steps_to_target": 50.0})
    table = rates.rates(frame, ["sgd.batch_size", "init.half_width"])
    _, (ax,) = figures.panels(1, 5, 3)
    figures.rate_dots(table, ["sgd.batch_size", "init.half_width"], "stuck", ax)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["batch_size 10, half_width 1.0", "batch_size 10, half_width 0.1"]
    across = figures.sweep_map(table, ["init.half_width", "sgd.batch_size"]).axes[0]
    assert [label.get_text() for label in across.get_xticklabels()] == ["batch_size 10"]
    frame["init.low"] = frame["init.centre"].where(frame["init.centre"] > 0)
    curves = survival.time_to_target(frame, "init.low")
    _, (ax,) = figures.panels(1, 5, 3)
    figures.survival_curves(curves, "init.low", ax)
    assert [line.get_label() for line in ax.get_lines()] == ["low nan", "low 0.1"]
