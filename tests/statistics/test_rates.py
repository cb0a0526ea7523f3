import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from initodds.statistics import rates
from initodds.vocabulary import OUTCOMES, InputError

Z = 1.959963984540054


@settings(deadline=None)
@given(st.integers(1, 1000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_the_closed_form(counted: tuple[int, int]):
    count, n = counted
    share = count / n
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    assert rates.interval(count, n) == pytest.approx((max(0, middle - half), min(1, middle + half)), abs=1e-12)


def test_exact_is_clopper_and_pearsons():
    assert rates.interval(0, 32, "exact") == pytest.approx((0, 1 - 0.025 ** (1 / 32)))
    assert rates.interval(5, 20, "exact") == pytest.approx((beta.ppf(0.025, 5, 16), beta.ppf(0.975, 6, 15)))


def test_published_values():
    # Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29, by the score method.
    for count, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert rates.interval(count, n) == pytest.approx((low, high), abs=6e-5)


FRAME = pd.DataFrame(
    {
        "init": ["unit"] * 4 + ["half"] * 5,
        "sgd.learning_rate": [1.0] * 9,
        "outcome": ["stuck"] * 3 + ["partial"] + ["converged"] * 5,
    }
)


def test_rates_count_every_outcome_of_every_group():
    table = rates.rates(FRAME, ["init", "sgd.learning_rate"])
    assert len(table) == 2 * len(OUTCOMES)
    assert table["init"].unique().tolist() == ["unit", "half"]
    counts = table.set_index(["init", "outcome"])["count"]
    assert counts["unit", "stuck"] == 3
    assert counts["half", "stuck"] == 0
    assert (table.groupby("init")["count"].sum() == table.groupby("init")["n"].first()).all()
    row = table[(table["init"] == "half") & (table["outcome"] == "stuck")].iloc[0]
    assert (row["low"], row["high"]) == rates.interval(0, 5)
    assert row["high"] > 0.4


def test_the_table_leaves_out_an_outcome_that_nothing_had_and_bounds_it_in_the_note():
    table, note = rates.table(rates.rates(FRAME, ["init"]), ["init"])
    assert table.columns.tolist() == ["init", "n", "converged", "partial", "stuck"]
    assert table["stuck"].tolist() == [rates.in_words(k, n, *rates.interval(k, n)) for k, n in ((3, 4), (0, 5))]
    assert "unfinished, diverged" in note
    assert f"0 of 4: at most {100 * rates.interval(0, 4)[1]:.0f} %" in note


def test_in_words():
    assert rates.in_words(8, 32, *rates.interval(8, 32)) == "8  25% [13, 42]"


def test_wilson_of_whole_counts_is_scipys():
    for count, n in ((0, 7), (3, 7), (7, 7), (50, 200)):
        assert rates.wilson(count, n) == pytest.approx(rates.interval(count, n), abs=1e-12)


def test_bad_frames_are_told():
    with pytest.raises(InputError, match=r"by=speed: not a column; the frame has init, sgd\.learning_rate, outcome"):
        rates.rates(FRAME, ["speed"])
    with pytest.raises(InputError, match="no replicate"):
        rates.rates(FRAME.iloc[:0], ["init"])


@pytest.mark.parametrize(
    ("frame", "by", "message"),
    [
        (FRAME.drop(columns="outcome"), ["init"], "the frame has no column outcome; it has init, "),
        (FRAME, ["init", "init"], "by=init: named twice"),
        (FRAME, ["outcome"], "by=outcome: a column of the result has this name"),
        (FRAME.assign(n=1), ["init", "n"], "by=n: a column of the result has this name"),
        (FRAME.assign(outcome="convergd"), ["init"], "outcome=convergd: in 9 of 9 replicates; known are converged, "),
        (FRAME.assign(outcome=FRAME["outcome"].where(FRAME.index > 2)), ["init"], "outcome=nan: in 3 of 9 replicates"),
    ],
)
def test_nothing_is_counted_of_a_frame_that_lacks_something(frame: pd.DataFrame, by: list[str], message: str):
    with pytest.raises(InputError, match=re.escape(message)):
        rates.rates(frame, by)


def test_one_column_may_be_given_as_its_name():
    pd.testing.assert_frame_equal(rates.rates(FRAME, "init"), rates.rates(FRAME, ["init"]))
    with pytest.raises(InputError, match="by=speed: not a column"):
        rates.rates(FRAME, "speed")


def test_an_interval_of_nothing_or_of_an_unknown_method_is_refused():
    for count, n in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(InputError, match=f"count={count}, n={n}: needs"):
            rates.interval(count, n)
    with pytest.raises(InputError, match="method=wald: choose from wilson, exact"):
        rates.rates(FRAME, "init", method="wald")


def test_a_missing_key_is_a_group_of_the_table_too():
    of_keys = rates.rates(FRAME.assign(**{"init.low": FRAME["init"].map({"half": -0.5})}), "init.low")
    shown, _ = rates.table(of_keys, "init.low")
    assert shown["n"].tolist() == [4, 5]
    assert np.isnan(shown["init.low"][0])


def test_no_column_at_all_pools_everything():
    table = rates.rates(FRAME, [])
    assert table["n"].unique().tolist() == [9]
    assert table["count"].sum() == 9
