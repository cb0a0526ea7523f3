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
    with pytest.raises(InputError, match="by=steps_to_target"):
        time_to_target(FRAME.drop(columns="steps_to_target"), ["init"])
