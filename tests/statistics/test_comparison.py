import numpy as np
import pandas as pd
import pytest
from scipy.stats import barnard_exact, false_discovery_control

from initodds.statistics.comparison import compare, holm, newcombe_interval, paired_interval
from initodds.vocabulary import InputError


def frame_of(**hits: list[int]) -> pd.DataFrame:
    """Replicates of several inits, each converged (1) or stuck (0), all of seed 0."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "init": init,
                    "seed": 0,
                    "replicate": range(len(of_init)),
                    "outcome": ["converged" if hit else "stuck" for hit in of_init],
                }
            )
            for init, of_init in hits.items()
        ],
        ignore_index=True,
    )


def test_newcombes_published_intervals():
    # Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10: 56/70 - 48/80 and 10/10 - 0/10.
    assert newcombe_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=6e-5)
    assert newcombe_interval(10, 10, 0, 10) == pytest.approx((0.6075, 1.0), abs=6e-5)


def test_unpaired_difference_and_test_agree_in_kind_with_barnards():
    table = compare(frame_of(half=[1] * 18 + [0] * 2, unit=[0] * 15 + [1] * 5), "init", paired=False)
    (row,) = table.to_dict("records")
    assert (row["a"], row["b"], row["difference"]) == ("half", "unit", pytest.approx(0.65))
    assert 0 < row["low"] < 0.65 < row["high"] < 1
    barnard = barnard_exact([[18, 2], [5, 15]]).pvalue
    assert barnard < row["p"] < 100 * barnard  # Fisher's is the more cautious of the two
    assert row["p"] == row["p_holm"] < 1e-3


def test_pairs_by_seed_are_found_and_use_the_discordant_ones():
    half, unit = [1] * 12 + [0] * 8, [1] * 4 + [0] * 8 + [0] * 7 + [1]
    table = compare(frame_of(half=half, unit=unit).sample(frac=1, random_state=1), "init")
    (row,) = table.to_dict("records")
    assert row["method"].startswith("paired")
    sign = 1 if row["a"] == "half" else -1
    assert sign * row["difference"] == pytest.approx((8 - 1) / 20)
    # McNemar's exact test: 8 of 9 discordant pairs on one side.
    assert row["p"] == pytest.approx(2 * (1 + 9) / 2**9)
    shifted = frame_of(half=half, unit=unit)
    shifted.loc[shifted["init"] == "unit", "seed"] = 1
    assert compare(shifted, "init")["method"].item().startswith("unpaired")


@pytest.mark.parametrize(("only_a", "only_b"), [(0.3, 0.1), (0.05, 0.05), (0.0, 0.02)])
def test_the_paired_interval_covers(only_a: float, only_b: float, rng: np.random.Generator):
    draws = rng.multinomial(60, [only_a, only_b, 1 - only_a - only_b], size=4000)
    bounds = np.array([paired_interval(a, b, 60) for a, b, _ in draws])
    covered = (bounds[:, 0] <= only_a - only_b) & (only_a - only_b <= bounds[:, 1])
    assert covered.mean() > 0.94


def test_holm_by_its_definition(rng: np.random.Generator):
    p = rng.random(7) ** 3
    order = np.argsort(p)
    expected = np.empty(7)
    for rank, at in enumerate(order):
        expected[at] = min(1, max((7 - k) * p[order[k]] for k in range(rank + 1)))
    np.testing.assert_allclose(holm(p), expected)
    assert (holm(p) >= false_discovery_control(p) - 1e-12).all()
    assert holm(np.empty(0)).size == 0


def test_all_pairs_within_each_combination():
    frame = pd.concat([frame_of(a=[1, 0], b=[0, 0], c=[1, 1]).assign(rate=rate) for rate in (0.3, 3.0)])
    table = compare(frame, "init", within=["rate"])
    assert len(table) == 2 * 3
    assert (table["p_holm"] >= table["p"]).all()


def test_degenerate_frames():
    assert len(compare(frame_of(unit=[0, 0]), "init")) == 0
    (row,) = compare(frame_of(unit=[0] * 5, half=[0] * 5), "init").to_dict("records")
    assert (row["difference"], row["p"]) == (0, 1)
    assert row["low"] < 0 < row["high"]
    with pytest.raises(InputError, match="by=speed"):
        compare(frame_of(unit=[0]), "speed")
    with pytest.raises(InputError, match="no replicate"):
        compare(frame_of(unit=[0]).iloc[:0], "init")


def test_pairs_are_one_to_one_or_refused():
    # The same draw at four batch sizes is there four times; matched many to many that would be 4 x 4 pairs of each.
    half, unit = [1] * 12 + [0] * 8, [1] * 4 + [0] * 16
    frame = pd.concat([frame_of(half=half, unit=unit).assign(batch=batch) for batch in (1, 10, 32, 100)])
    with pytest.raises(InputError, match=r"paired=True: replicate 0 of seed 0 is there more than once with init=half"):
        compare(frame, "init", paired=True)
    of_each = compare(frame, "init", within="batch", paired=True)
    assert of_each["n"].tolist() == [20] * 4
    assert of_each["p"].unique() == pytest.approx([2 / 2**8])
    assert compare(frame, "init")["method"].item().startswith("unpaired")


def test_what_has_no_match_is_left_out_and_nothing_but_that_is_refused():
    frame = frame_of(half=[1, 1, 0, 1, 0, 0], unit=[0, 1, 0, 0])
    (row,) = compare(frame, "init", paired=True).to_dict("records")
    assert (row["n"], row["rate_a"], row["rate_b"]) == (4, 0.75, 0.25)
    with pytest.raises(InputError, match="init=half and init=unit have no seed and replicate in common"):
        compare(frame.assign(seed=frame["init"].map({"half": 0, "unit": 1})), "init", paired=True)
    with pytest.raises(InputError, match="paired=seed: not a column"):
        compare(frame.drop(columns="seed"), "init", paired=True)


def test_a_missing_key_is_a_value_of_its_own():
    frame = frame_of(uniform=[1, 1, 1, 1], gaussian=[0, 0, 0, 0])
    of_keys = compare(frame.assign(**{"init.low": frame["init"].map({"uniform": -1.0})}), "init.low").iloc[0]
    of_names = compare(frame, "init").iloc[0]
    assert of_keys["a"] == -1
    assert np.isnan(of_keys["b"])
    assert of_keys[["n", "rate_a", "rate_b", "p"]].tolist() == of_names[["n", "rate_a", "rate_b", "p"]].tolist()


def test_an_unknown_outcome_is_no_difference_of_zero():
    with pytest.raises(InputError, match="outcome=convergd: choose from converged, "):
        compare(frame_of(unit=[0], half=[1]), "init", outcome="convergd")
    with pytest.raises(InputError, match="outcome=good: in 2 of 2 replicates"):
        compare(frame_of(unit=[0], half=[1]).assign(outcome="good"), "init")
    with pytest.raises(InputError, match="within=init: named twice"):
        compare(frame_of(unit=[0], half=[1]), "init", within=["init"])
    with pytest.raises(InputError, match=r"by=\['init', 'seed'\]: one column's name"):
        compare(frame_of(unit=[0], half=[1]), ["init", "seed"])  # type: ignore[arg-type]
