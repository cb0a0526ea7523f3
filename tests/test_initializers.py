import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.utils import instantiate
from scipy import stats

from initodds.cells import config
from initodds.initializers import Centred, Normal, Uniform, VarianceScaling, Zeros
from initodds.vocabulary import InputError

FAN_IN, FAN_OUT = 300, 200

# For each option of the group init: the distribution of its weights and that of its biases, by its definition.
EXPECTED = {
    "unit": (stats.uniform(0, 1), stats.uniform(0, 1)),
    "half": (stats.uniform(-0.5, 1), stats.uniform(-0.5, 1)),
    "symmetric": (stats.uniform(-1, 2), stats.uniform(-1, 2)),
    "uniform": (stats.uniform(-0.5, 1), stats.uniform(-0.5, 1)),
    "centred": (stats.uniform(-0.5, 1), stats.uniform(-0.5, 1)),
    "gaussian": (stats.norm(0, 1), stats.norm(0, 1)),
    "scaled_gaussian": (stats.norm(0, 1 / math.sqrt(FAN_IN)), stats.norm(0, 1)),
    "lecun_normal": (stats.norm(0, 1 / math.sqrt(FAN_IN)), 0),
    "he_normal": (stats.norm(0, math.sqrt(2 / FAN_IN)), 0),
    "xavier_normal": (stats.norm(0, math.sqrt(2 / (FAN_IN + FAN_OUT))), 0),
    "xavier_uniform": (stats.uniform(-math.sqrt(6 / 500), 2 * math.sqrt(6 / 500)), 0),
    "zeros": (0, 0),
}


def test_every_option_of_the_group_has_its_expected_distribution():
    assert {path.stem for path in (config.directory() / "init").glob("*.yaml")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_draws_follow_the_definition(name: str):
    made = instantiate(yaml.safe_load(Path(config.directory(), "init", f"{name}.yaml").read_text()))
    weights, biases = made(np.random.default_rng(3), FAN_IN, FAN_OUT)
    assert (weights.shape, biases.shape) == ((FAN_IN, FAN_OUT), (FAN_OUT,))
    for drawn, distribution in zip((weights, biases), EXPECTED[name], strict=True):
        if isinstance(distribution, int):
            assert (drawn == distribution).all()
        else:
            assert stats.kstest(drawn.ravel(), distribution.cdf).pvalue > 1e-3


def test_two_ranges_at_one_seed_are_the_same_draw_moved_and_scaled():
    unit, _ = Uniform(0, 1)(np.random.default_rng(5), 4, 3)
    wide, _ = Centred(centre=2, half_width=3)(np.random.default_rng(5), 4, 3)
    np.testing.assert_allclose(wide, -1 + 6 * unit)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Uniform(2, 1), "low=2"),
        (lambda: Uniform(float("nan"), 1), "low=nan"),
        (lambda: Uniform(0, True), "high=True"),
        (lambda: Centred(0, -0.1), "half_width=-0.1"),
        (lambda: Normal(-1), "std=-1"),
        (lambda: Normal(None), "std=None"),  # type: ignore[arg-type]
        (lambda: VarianceScaling(1, "fan_out", "normal"), "fan=fan_out"),  # type: ignore[arg-type]
        (lambda: VarianceScaling(1, "fan_in", "cauchy"), "distribution=cauchy"),  # type: ignore[arg-type]
        (lambda: VarianceScaling(-2, "fan_in", "normal"), "gain=-2"),
    ],
)
def test_a_bad_value_is_named(make, key: str):
    with pytest.raises(InputError, match=key):
        make()


def test_a_range_of_no_width_is_a_constant():
    weights, biases = Uniform(0.25, 0.25)(np.random.default_rng(0), 2, 2)
    assert (weights == 0.25).all()
    assert (biases == 0.25).all()
    assert not Zeros()(np.random.default_rng(0), 2, 2)[0].any()
