"""Which runs are taken for which replicates, against a count of every replicate by itself."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initodds.tracking.parts import CellRun, Missing, covers, missing, parts_of

DEFAULT = {"of": "failed", "curvature": "stuck", "escape": False, "keep_weights": "failed"}


def run(first: int, replicates: int, start: int, **diagnosis: Any) -> CellRun:
    return CellRun(f"{start}", "cell", first, replicates, start, {**DEFAULT, **diagnosis}, {}, {}, {})


RUNS = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 6)), max_size=6)


@given(RUNS, st.none() | st.integers(1, 12))
def test_every_replicate_comes_from_the_newest_run_that_has_it(spans: list[tuple[int, int]], asked: int | None):
    runs = [run(first, count, start) for start, (first, count) in enumerate(spans)]
    expected: list[str] = []
    while having := [one for one in runs if one.first <= len(expected) < one.stop]:
        expected.append(having[-1].id)
    parts = parts_of(runs, asked)
    assert [part.run.id for part in parts for _ in range(part.first, part.stop)] == expected[:asked]
    assert all(part.run.first <= part.first < part.stop <= part.run.stop for part in parts)
    assert all(left.run is not right.run for left, right in itertools.pairwise(parts))


def test_nothing_is_missing_where_all_is_there():
    assert missing([run(0, 3, 0), run(3, 2, 1)], 5, DEFAULT) is None
    assert missing([run(0, 3, 0), run(3, 2, 1)], 2, DEFAULT) is None
    assert missing([run(0, 3, 0)], 3, {**DEFAULT, "of": "none", "curvature": "none"}) is None


def test_more_replicates_are_missing_from_the_first_new_one_on():
    assert missing([run(0, 3, 0)], 5, DEFAULT) == Missing(3, DEFAULT)
    assert missing([], 5, DEFAULT) == Missing(0, DEFAULT)
    assert missing([run(3, 2, 0)], 5, DEFAULT) == Missing(0, DEFAULT)


def test_more_of_a_diagnosis_is_missing_and_loses_nothing_that_was_there():
    runs = [run(0, 3, 0, escape=True), run(3, 2, 1)]
    asked = {**DEFAULT, "of": "all"}
    assert missing(runs, 5, asked) == Missing(0, {**asked, "escape": True})
    assert missing([*runs, run(0, 5, 2, of="all", escape=True)], 5, asked) is None
    assert missing([run(0, 3, 0, of="all"), run(3, 2, 1)], 5, asked) == Missing(3, asked)


@pytest.mark.parametrize(
    ("done", "asked", "enough"),
    [
        ({"of": "all"}, {"of": "failed"}, True),
        ({"of": "failed"}, {"of": "all"}, False),
        ({"curvature": "stuck"}, {"curvature": "failed"}, False),
        ({"escape": True}, {"escape": False}, True),
        ({"escape": False}, {"escape": True}, False),
        ({}, {"of": "none"}, True),
        ({}, {"of": "failed"}, False),
        ({}, {"escape": False}, True),
        ({"new": 3}, {"new": 3}, True),
        ({"new": 3}, {"new": 2}, False),
    ],
)
def test_a_diagnosis_covers_one_that_asks_for_no_more(done: dict[str, Any], asked: dict[str, Any], enough: bool):
    assert covers(done, asked) is enough
