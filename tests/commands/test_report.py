"""The folder that `initodds-report` makes of a sweep of the command."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from initodds import analysis
from initodds.commands import report as report_command
from initodds.commands.report import comparisons_text, costs_figure, extremes, missing, plateaus_of, target
from initodds.statistics import comparison, rates
from tests.processes import command

SWEEP = (
    "-m",
    "data=digits",
    "init=unit,half",
    "network.hidden=[8]",
    "sgd.learning_rate=0.01,3.0",
    "sgd.epochs=5",
    "replicates=6",
)


report = partial(command, main=report_command.main, database=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep")
    assert command(path, *SWEEP).returncode == 0
    done = report(path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "report/README.md: 24 networks"
    return path


def test_the_rates_are_those_of_the_replicates(folder: Path):
    table = pd.read_csv(folder / "report" / "rates.csv")
    frame = analysis.load_replicates(f"sqlite:///{folder}/mlflow.db")
    for (init, rate), group in frame.groupby(["init", "sgd.learning_rate"]):
        of_cell = table[(table["init"] == init) & (table["sgd.learning_rate"] == rate)].set_index("outcome")
        assert (of_cell["n"] == 6).all()
        counts = group["outcome"].value_counts()
        assert of_cell["count"].to_dict() == {o: counts[o] for o in of_cell.index}


def test_it_names_what_was_swept_what_was_not_and_where_it_comes_from(folder: Path):
    text = (folder / "report" / "README.md").read_text()
    assert "**24 networks**" in text
    assert "4 cells that differ in init, sgd.learning_rate" in text
    assert "data digits" in text
    assert "Is one init better than another?" in text
    assert "initodds -m data=digits" in text
    assert "nan" not in text.replace("\n", " ").split(" ")


def test_every_picture_and_table_it_points_to_is_there(folder: Path):
    text = (folder / "report" / "README.md").read_text()
    linked = [part.split(")")[0] for part in text.split("](")[1:]]
    assert {"converged.png", "stuck.png", "map.png", "rates.csv", "replicates.csv"} <= set(linked)
    for name in linked:
        path = folder / "report" / name
        assert path.stat().st_size > 0
        if path.suffix == ".png":
            assert path.with_suffix(".svg").stat().st_size > 0


def test_a_sweep_that_is_not_there_is_one_line(folder: Path, tmp_path: Path):
    unknown = report(folder, "--sweep", "zzz")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("initodds-report: sweep=zzz: 0 sweeps found")
    nothing = report(tmp_path)
    assert nothing.returncode == 1
    assert "no such file; run a sweep first" in nothing.stderr
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def half_failed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The README.md of a sweep of four cells of which one is there."""
    path = tmp_path_factory.mktemp("failed")
    small = ("-m", "data=digits", "network.hidden=[4]", "sgd.epochs=1", "replicates=3")
    assert command(path, *small, "init=half,nothere", "sgd.batch_size=10,9999").returncode == 1
    done = report(path)
    assert done.returncode == 0, done.stderr
    return (path / "report" / "README.md").read_text()


def test_cells_that_failed_are_named_with_their_errors(half_failed: str):
    assert "**3 of 4 cells did not finish**" in half_failed
    lines = [line for line in half_failed.splitlines() if line.startswith("- `")]
    assert len(lines) == 3
    assert any("sgd.batch_size=9999`: sgd.batch_size=9999: a whole number from 1 to " in line for line in lines)
    assert sum("init=nothere" in line for line in lines) == 2
    assert missing([], 4) == ""
    many = missing([(f"init={k}", "refused") for k in range(30)], 1)
    assert many.count("- `") == 20
    assert "- and 10 more" in many


def test_settings_that_do_not_differ_are_not_said_to(half_failed: str):
    (networks,) = [line for line in half_failed.splitlines() if line.startswith("**3 networks**")]
    assert networks.endswith(" in 1 cell.")
    (same,) = [line for line in half_failed.splitlines() if line.startswith("The same in all of them:")]
    assert "init half, sgd.batch_size 10, " in same
    assert "differ" not in half_failed
    assert "Converged: " in half_failed
    assert "Least often" not in half_failed


def of_rates(**converged: tuple[int, int]) -> str:
    """What is said of cells of which so many of so many converged."""
    outcomes = {init: ["converged"] * hits + ["stuck"] * (n - hits) for init, (hits, n) in converged.items()}
    frame = pd.DataFrame([(init, outcome) for init, of_init in outcomes.items() for outcome in of_init])
    return extremes(rates.rates(frame.set_axis(["init", "outcome"], axis=1), "init"), ["init"])


def test_the_extremes_are_two_cells_or_none():
    assert of_rates(half=(0, 3)) == "Converged: 0 of 3, 0 % [0, 56]."
    assert of_rates(half=(0, 3), unit=(0, 3)) == "Converged, in each of 2 cells alike: 0 of 3, 0 % [0, 56]."
    assert of_rates(half=(3, 3), unit=(0, 3), zeros=(0, 3)).splitlines() == [
        "Most often converged: init half, 3 of 3, 100 % [44, 100].",
        "Least often: init unit, 0 of 3, 0 % [0, 56], and 1 other cell alike.",
    ]
    assert of_rates(a=(3, 3), b=(0, 3), c=(0, 3), d=(0, 3)).endswith("and 2 other cells alike.")


def test_one_pair_is_one_pair():
    frame = pd.DataFrame({"init": ["half"] * 9 + ["unit"] * 9, "outcome": ["converged"] * 9 + ["stuck"] * 9})
    assert comparisons_text(comparison.compare(frame, "init")).startswith("Can be told apart: 1 of 1 pair, shown here;")
    alike = comparison.compare(frame.assign(outcome="stuck"), "init")
    assert comparisons_text(alike).startswith("Can be told apart: 0 of 1 pair; all are in")


def test_every_target_is_named():
    assert target(pd.DataFrame({"outcome.target": [0.85] * 3})) == "85 %"
    assert target(pd.DataFrame({"outcome.target": [0.95, 0.85, 0.85]})) == "85 % or 95 %"


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
    """Where the dotted and the grey lines of a panel of `costs_figure` stand."""
    styles: dict[str, list[float]] = {":": [], "-": []}
    for line in ax.get_lines():
        styles[line.get_linestyle()].append(line.get_xdata()[0])
    return styles


def test_costs_that_are_not_the_same_thing_do_not_share_an_axis():
    quadratic, entropy = of_cost("quadratic", 0.45), of_cost("cross_entropy", 3.25)
    left, right = costs_figure(pd.concat([quadratic, entropy])).axes
    assert (left.get_title(), right.get_title()) == ("cost quadratic", "cost cross_entropy")
    assert (lines_of(left)[":"], len(lines_of(left)["-"])) == ([0.45], 11)
    assert lines_of(right) == {":": [3.25], "-": []}
    (alone,) = costs_figure(entropy).axes
    assert lines_of(alone) == {":": [3.25], "-": []}
    two = pd.concat([quadratic, of_cost("quadratic", 0.25, 2, data="moons")])
    assert [lines_of(ax)[":"] for ax in costs_figure(two).axes] == [[0.45], [0.25]]
    assert [len(lines_of(ax)["-"]) for ax in costs_figure(two).axes] == [11, 3]
