import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from initodds import rates
from initodds.outcomes import OUTCOMES

Z = 1.959963984540054


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
        "rate": [1.0] * 9,
        "outcome": ["stuck"] * 3 + ["partial"] + ["converged"] * 5,
    }
)


def test_rates_count_every_outcome_of_every_group():
    table = rates.rates(FRAME, ["init", "rate"])
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
    assert table["stuck"].tolist() == [rates.in_words(3, 4), rates.in_words(0, 5)]
    assert "unfinished, diverged" in note
    assert f"0 of 4: at most {100 * rates.interval(0, 4)[1]:.0f} %" in note


def test_in_words():
    assert rates.in_words(8, 32) == "8  25% [13, 42]"
