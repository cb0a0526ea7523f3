import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from initodds.statistics.survival import log_rank, median_time, time_to_target
from initodds.vocabulary import InputError

# Freireich et al. (1963), remission of leukaemia in weeks under 6-MP and placebo, as in every textbook of survival
# analysis; NaN for those still in remission when last seen.
WEEKS = {
    "6-MP": ([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]),
    "placebo": ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], []),
}
FRAME = pd.concat(
    [
        pd.DataFrame(
            {
                "init": name,
                "steps_to_target": [*map(float, reached), *[np.nan] * len(censored)],
                "steps": [*map(float, reached), *map(float, censored)],
            }
        )
        for name, (reached, censored) in WEEKS.items()
    ],
    ignore_index=True,
)


def test_the_published_curve():
    curve = time_to_target(FRAME[FRAME["init"] == "6-MP"], ["init"]).set_index("step")["share"]
    published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    for step, still in published.items():
        assert 1 - curve[step] == pytest.approx(still, abs=5e-4)
    assert curve[0] == 0
    assert curve[35] == curve[23]


def test_the_band_is_the_log_log_one():
    # Collett (2015) and R's survfit(conf.type = "log-log") for 6-MP at 10 weeks: survival 0.753, 0.503 to 0.889.
    row = time_to_target(FRAME, ["init"]).query("init == '6-MP' and step == 10").iloc[0]
    assert (1 - row["high"], 1 - row["low"]) == pytest.approx((0.503, 0.889), abs=2e-3)


def test_published_medians():
    table = median_time(FRAME, ["init"]).set_index("init")
    assert table.loc["6-MP", ["median", "n", "reached"]].tolist() == [23, 21, 9]
    assert table.loc["placebo", "median"] == 8
    # R, conf.type = "log-log": 6-MP 13 to not reached, placebo 4 to 11.
    assert table.loc["6-MP", ["low", "high"]].tolist() == [13, np.inf]
    assert table.loc["placebo", ["low", "high"]].tolist() == [4, 11]


def test_the_published_log_rank_test():
    # The textbooks' chi-squared is 16.79 on one degree of freedom.
    (row,) = log_rank(FRAME, ["init"]).to_dict("records")
    assert row["p"] == pytest.approx(chi2.sf(16.79, 1), rel=0.01)
    assert row["p_holm"] == row["p"]


def test_groups_in_which_nobody_or_everybody_reached_it():
    never = pd.DataFrame({"init": "unit", "steps_to_target": np.nan, "steps": [400.0] * 5})
    always = pd.DataFrame({"init": "half", "steps_to_target": 80.0, "steps": [400.0] * 5})
    both = pd.concat([never, always])
    curves = time_to_target(both, ["init"])
    assert curves.query("init == 'unit'")[["step", "share"]].to_numpy().tolist() == [[0, 0], [400, 0]]
    assert curves.query("init == 'half'")["share"].tolist() == [0, 1]
    table = median_time(both, ["init"]).set_index("init")
    assert table.loc["unit", ["median", "low", "high", "reached"]].tolist() == [np.inf, np.inf, np.inf, 0]
    assert table.loc["half", ["median", "low", "high", "reached"]].tolist() == [80, 80, 80, 5]
    assert log_rank(both, ["init"])["p"].item() < 0.01
    assert log_rank(pd.concat([never, never.assign(init="zeros")]), ["init"])["p"].item() == 1


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="no column steps_to_target; it has init, steps"):
        time_to_target(FRAME.drop(columns="steps_to_target"), ["init"])


def times_of(reached: list[float], never: int, **columns: object) -> pd.DataFrame:
    """Networks that reached the target at these steps, and so many that did not in 100."""
    return pd.DataFrame({"steps_to_target": [*reached, *[np.nan] * never], "steps": 100.0, **columns})


def test_a_target_reached_at_step_0_is_reached():
    at_once = times_of([0] * 8, 0)
    assert time_to_target(at_once, [])[["step", "share"]].to_numpy().tolist() == [[0, 1]]
    assert median_time(at_once, [])[["median", "low", "high"]].to_numpy().tolist() == [[0, 0, 0]]
    most = times_of([0] * 5 + [10] * 4, 0)
    assert time_to_target(most, [])["share"].tolist() == pytest.approx([5 / 9, 1])
    row = median_time(most, []).iloc[0]
    assert (row["median"], row["low"], row["high"]) == (0, 0, 10)


def test_the_same_curve_begins_a_step_later():
    # What happens at step 0 is what happens at step 1, one step earlier.
    reached = [0, 0, 3, 5, 5, 20]
    early, late = times_of(reached, 3), times_of([step + 1.0 for step in reached], 3).assign(steps=101.0)
    columns = ["share", "low", "high"]
    of_early, of_late = (time_to_target(frame, [])[columns].to_numpy() for frame in (early, late))
    np.testing.assert_allclose(of_early, of_late[1:])
    for name in ("median", "low", "high"):
        assert median_time(early, [])[name].item() == median_time(late, [])[name].item() - 1


def test_the_band_is_not_defined_where_nobody_or_everybody_has_reached_it():
    curve = time_to_target(times_of([10, 20], 0), [])
    assert curve["share"].tolist() == [0, 0.5, 1]
    assert curve[["low", "high"]].isna().to_numpy().tolist() == [[True, True], [False, False], [True, True]]
    assert time_to_target(times_of([], 3), [])[["low", "high"]].isna().to_numpy().all()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (times_of([80.0] * 5, 0), times_of([80.0] * 4, 0)),
        (times_of([], 5), times_of([], 5)),
        # b was not looked at any more when the first of a, 49 of them one by one, got there.
        (times_of([50.0 + k for k in range(49)], 0), times_of([], 7).assign(steps=40.0)),
    ],
)
def test_a_log_rank_test_with_nothing_to_go_by_tells_nothing(a: pd.DataFrame, b: pd.DataFrame):
    (row,) = log_rank(pd.concat([a.assign(init="a"), b.assign(init="b")]), "init").to_dict("records")
    assert (row["p"], row["p_holm"]) == (1, 1)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"steps": np.nan}, "steps: nan is no finite number, in 2 of 2 rows"),
        ({"steps_to_target": "soon"}, "steps_to_target: soon is no finite number"),
        ({"steps_to_target": np.inf}, "steps_to_target: inf is no finite number"),
        ({"steps_to_target": -1.0}, "steps_to_target=-1: a step is not less than 0"),
        ({"share": 1}, "by=share: a column of the result has this name"),
    ],
)
def test_steps_that_are_none_are_told(columns: dict[str, object], message: str):
    frame = times_of([10, 20], 2).assign(**columns)
    with pytest.raises(InputError, match=re.escape(message)):
        time_to_target(frame, ["share"] if "share" in columns else [])


def test_the_last_step_of_one_that_reached_the_target_is_not_needed():
    frame = times_of([10, 20], 2)
    missing = frame.assign(steps=frame["steps"].where(frame["steps_to_target"].isna()))
    pd.testing.assert_frame_equal(median_time(missing, []), median_time(frame, []))
