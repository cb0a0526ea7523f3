import numpy as np
import pytest

from initodds.networks.broadcasting import column_bias_shapes


def test_one_row_becomes_a_square_and_the_next_layer_fails():
    assert column_bias_shapes((784, 30, 10), batch=1) == [
        "(1, 30) + (30, 1) -> (30, 30), silently wrong: (1, 30) was wanted",
        "(30, 10) + (10, 1) -> error, at last",
    ]


def test_one_row_grows_layer_by_layer_and_nothing_fails():
    lines = column_bias_shapes((784, 30, 1), batch=1)
    assert lines[0].startswith("(1, 30) + (30, 1) -> (30, 30)")
    assert lines[1].startswith("(30, 1) + (1, 1) -> (30, 1)")
    assert all("error" not in line for line in lines)


def test_a_batch_fails_at_once_unless_it_happens_to_have_the_layers_size():
    assert column_bias_shapes((784, 30, 10), batch=20) == ["(20, 30) + (30, 1) -> error, at last"]
    lines = column_bias_shapes((784, 30, 30), batch=30)
    assert len(lines) == 2
    assert all("each example has got a bias" in line for line in lines)


@pytest.mark.parametrize("batch", [1, 4])
def test_what_is_told_is_what_numpy_does(batch: int, rng: np.random.Generator):
    z = rng.normal(size=(batch, 4))
    column = rng.normal(size=(4, 1))
    shape = (z + column).shape
    assert f"-> {shape}" in column_bias_shapes((3, 4), batch)[0]
    if batch == 4:
        # The right shape with the wrong content: bias i was added to example i.
        np.testing.assert_array_equal((z + column)[2], z[2] + column[2, 0])
