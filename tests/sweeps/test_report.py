"""What a report says of frames, in words and pictures."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from initodds.statistics import comparison, rates
from initodds.sweeps import report_pictures, report_words
from initodds.sweeps.report import Report
from initodds.sweeps.report_pictures import of_costs, of_curves, of_rates, of_times, plateaus_of
from initodds.sweeps.report_words import definitions, extremes, never_seen, target


def said_of(**converged: tuple[int, int]) -> list[str]:
    """What is said of cells of which so many of so many converged."""
    outcomes = {init: ["converged"] * hits + ["stuck"] * (n - hits) for init, (hits, n) in converged.items()}
    frame = pd.DataFrame([(init, outcome) for init, of_init in outcomes.items() for outcome in of_init])
    return extremes(rates.rates(frame.set_axis(["init", "outcome"], axis=1), "init"), ["init"])


def test_the_extremes_are_two_cells_or_none():
    assert said_of(half=(0, 3)) == ["Converged: 0 of 3, 0 % [0, 56]."]
    assert said_of(half=(0, 3), unit=(0, 3)) == ["Converged, in each of 2 cells alike: 0 of 3, 0 % [0, 56]."]
    of_several = "Converged, in each of 2 cells alike: 0 %; in that of the fewest networks, 0 of 3, 0 % [0, 56]."
    assert said_of(half=(0, 8), unit=(0, 3)) == [of_several]
    assert said_of(half=(3, 3), unit=(0, 3), zeros=(0, 3)) == [
        "Most often converged: init half, 3 of 3, 100 % [44, 100].",
        "Least often: init unit, 0 of 3, 0 % [0, 56], and 1 other cell alike.",
    ]
    assert said_of(a=(3, 3), b=(0, 3), c=(0, 3), d=(0, 3))[1].endswith("and 2 other cells alike.")


def test_one_pair_is_one_pair():
    frame = pd.DataFrame({"init": ["half"] * 9 + ["unit"] * 9, "outcome": ["converged"] * 9 + ["stuck"] * 9})
    compared = report_words.compared
    assert compared(comparison.compare(frame, "init")).startswith("Can be told apart: 1 of 1 pair. ")
    alike = comparison.compare(frame.assign(outcome="stuck"), "init")
    assert compared(alike).startswith("Can be told apart: 0 of 1 pair. ")


def targets(*rows: tuple[str, float], **columns: object) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["data", "outcome.target"]).assign(**{"accuracy": 0.5, **columns})


def test_every_target_is_named():
    assert target(targets(("digits", 0.85), ("digits", 0.85))) == "85 %"
    assert target(targets(("digits", 0.95), ("digits", 0.85))) == "85 % or 95 %"
    assert target(targets(("digits", 0.85), ("mnist", 0.9))) == "85 % of digits, 90 % of mnist"
    assert target(targets(("digits", 0.85), ("mnist", 0.9), ("mnist", 0.85))) == "85 % or 90 %"
    regression = pd.concat([targets(("digits", 0.85)), targets(("diabetes", 0.3), accuracy=np.nan, r_squared=0.1)])
    assert target(regression) == "85 % of digits, 0.3 of diabetes"


def test_outcomes_are_defined_as_the_task_has_them():
    classes = dict(definitions(targets(("digits", 0.85))))
    assert "on the test set (on the training set, where there is no other)" in classes["stuck"]
    assert "cannot be told from that of always naming one class" in classes["stuck"]
    assert classes["partial"] == "at least one class is hardly ever recognised"
    numbers = dict(definitions(targets(("diabetes", 0.3), accuracy=np.nan, r_squared=0.1)))
    assert "accuracy" not in " ".join(numbers.values())
    assert "class" not in " ".join(numbers.values())
    assert numbers["converged"] == "the R² is at or over the target, 0.3"
    xor = targets(("digits", 0.85), ("xor", 0.85)).assign(**{"outcome.every_example": [False, True]})
    assert dict(definitions(xor))["partial"].endswith("; of xor, where every example counts, if one is wrong")


def test_an_outcome_that_nobody_has_is_bounded():
    # 0 of 3: Wilson's upper end is z^2 / (3 + z^2) = 0.56.
    table = rates.rates(pd.DataFrame({"init": "half", "outcome": ["converged", "unfinished", "partial"]}), "init")
    assert never_seen(table) == "No network is stuck or diverged: at most 56 % would be compatible with that."


def of_cost(cost: str, best_constant: float, classes: int = 10, **columns: object) -> pd.DataFrame:
    """Two networks that were trained by this cost, on so many classes."""
    recall = {f"recall_{k}": 0.5 for k in range(classes)}
    ends = {"outcome": ["converged", "stuck"], "cost": [0.1, best_constant + 0.05], "data": "digits"}
    return pd.DataFrame({**ends, "network.cost": cost, "best_constant_cost": best_constant, **recall, **columns})


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_quadratic_cost_has_plateaus(classes: int):
    # By counting: with j outputs at 1 and the others at 0, an example of class c differs in so many.
    by_hand = {
        j: np.mean([0.5 * sum(abs((k < j) - (k == c)) for k in range(classes)) for c in range(classes)])
        for j in range(classes + 1)
    }
    best_constant = 0.5 * sum((1 / classes) * (1 - 1 / classes) for _ in range(classes))
    assert plateaus_of(of_cost("quadratic", best_constant, classes)) == pytest.approx(by_hand)
    if classes == 10:
        assert by_hand == pytest.approx({j: 0.5 + 0.4 * j for j in range(11)})


def test_another_cost_or_unequal_classes_have_none():
    assert plateaus_of(of_cost("cross_entropy", 3.25)) == {}
    shares = np.array([0.9, 0.1])
    assert plateaus_of(of_cost("quadratic", float(0.5 * (shares * (1 - shares)).sum()), classes=2)) == {}


def lines_of(ax: Axes) -> dict[str, list[float]]:
    """Where the dotted and the grey lines of a panel of `of_costs` stand."""
    styles: dict[str, list[float]] = {":": [], "-": []}
    for line in ax.get_lines():
        styles[line.get_linestyle()].append(line.get_xdata()[0])
    return styles


def test_costs_that_are_not_the_same_thing_do_not_share_an_axis():
    quadratic, entropy = of_cost("quadratic", 0.45), of_cost("cross_entropy", 3.25)
    left, right = of_costs(pd.concat([quadratic, entropy])).axes
    assert (left.get_title(), right.get_title()) == ("cost quadratic", "cost cross_entropy")
    assert (lines_of(left)[":"], len(lines_of(left)["-"])) == ([0.45], 11)
    assert lines_of(right) == {":": [3.25], "-": []}
    (alone,) = of_costs(entropy).axes
    assert lines_of(alone) == {":": [3.25], "-": []}
    two = pd.concat([quadratic, of_cost("quadratic", 0.25, 2, data="moons")])
    assert [lines_of(ax)[":"] for ax in of_costs(two).axes] == [[0.45], [0.25]]
    assert [len(lines_of(ax)["-"]) for ax in of_costs(two).axes] == [11, 3]


def replicates(**columns: object) -> pd.DataFrame:
    """Two cells of two networks, of which one has learned."""
    frame = pd.DataFrame(
        {
            "cell": ["a", "a", "b", "b"],
            "replicate": [0, 1, 0, 1],
            "init": ["half", "half", "unit", "unit"],
            "outcome": ["converged", "stuck", "stuck", "stuck"],
            "cause": ["", "hidden_saturated", "hidden_saturated", "exploded"],
            "explanation": ["", "All are saturated.", "All are.", "<script>alert(1)</script>"],
            "run_id": "",
            "accuracy": [0.9, 0.1, 0.1, 0.1],
            "cost": [0.1, 0.5, 0.5, 0.5],
            "steps_to_target": [20, np.nan, np.nan, np.nan],
            "steps": 100,
            "seed": 0,
            "sgd.orders": 2,
            "order": [0, 1, 0, 1],
            "data": "digits",
            "network.cost": "quadratic",
            "outcome.target": 0.85,
            "best_constant_cost": 0.45,
        }
    )
    return frame.assign(**columns)


def curves_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Two checkpoints of each."""
    steps = [frame.assign(step=step)[["cell", "replicate", "step", "accuracy", "cost"]] for step in (0, 100)]
    return pd.concat(steps)


def test_a_picture_of_nothing_is_a_word_instead():
    nobody = replicates(steps_to_target=np.nan)
    assert of_times(nobody, ["init"]) == "No network has reached the target."
    assert of_costs(replicates(cost=np.nan)) == "No network has a finite cost."
    assert isinstance(of_times(replicates(), ["init"]), Figure)
    many = replicates().loc[np.repeat(range(4), 40)].assign(**{"sgd.learning_rate": np.tile(np.arange(40), 4)})
    by = ["init", "sgd.learning_rate"]
    assert str(of_rates(rates.rates(many, by), by)).startswith("80 cells are too many")
    assert str(of_times(many, by)).startswith("40 combinations of sgd.learning_rate are too many")


@pytest.mark.parametrize("key", ["network.output", "network.targets", "data.scale_targets", "data.autoencode"])
def test_whatever_a_cost_hangs_on_has_its_panel(key: str):
    frame = replicates(**{key: ["u", "u", "v", "v"]})
    costs, curves = of_costs(frame), of_curves(frame, curves_of(frame))
    assert isinstance(costs, Figure)
    assert isinstance(curves, Figure)
    word = key.split(".")[1]
    assert [ax.get_title() for ax in costs.axes] == [f"{word} u", f"{word} v"]
    assert [ax.get_title() for ax in curves.axes] == ["", f"{word} u", f"{word} v"]


def test_of_very_many_networks_some_are_drawn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report_pictures, "MOST_LINES", 2)
    figure = of_curves(replicates(), curves_of(replicates()))
    assert isinstance(figure, Figure)
    assert sum(len(lines.get_segments()) for lines in figure.axes[0].collections) == 2
    assert figure.get_suptitle() == "one network in 2"


def test_one_colour_is_one_setting_in_every_panel():
    """Though a setting be missing in one of them."""
    frame = replicates(**{"sgd.batch_size": [10, 10, 10, 20]})
    figure = of_times(frame, ["init", "sgd.batch_size"])
    assert isinstance(figure, Figure)
    first, second = figure.axes
    of_first = {line.get_label(): line.get_color() for line in first.get_lines()}
    (line,) = second.get_lines()
    assert line.get_color() == of_first[line.get_label()]
    assert first.get_legend() is None


def test_causes_are_counted_and_whatever_they_say_is_text():
    report = Report("A sweep", replicates(), curves_of(replicates()), ["init"])
    page = report.html()
    assert "<strong>hidden_saturated</strong>: 2 (2 stuck). <q>All are saturated.</q>" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert report.by == ["init"]


def test_cells_that_differ_in_what_has_no_name_are_told_apart_all_the_same():
    alike = replicates(init="half")
    assert Report("A sweep", alike, curves_of(alike), ["init"]).by == ["init", "cell"]
