import numpy as np
import pytest

from initodds.training.schedules import SCHEDULES, Schedule
from initodds.vocabulary import InputError
from tests.conftest import settings_of
from tests.engines import torch_numbers
from tests.engines.torch_numbers import CASES, EPOCHS, SCHEDULED, STEPS_PER_EPOCH

TORCH = dict(np.load(torch_numbers.PATH))


@pytest.mark.parametrize("name", SCHEDULED)
def test_each_schedule_has_pytorchs_rates(name: str):
    case, schedule = SCHEDULED[name]
    factors = Schedule(**schedule).factors(np.arange(EPOCHS * STEPS_PER_EPOCH), STEPS_PER_EPOCH, EPOCHS)
    rates = CASES[case][1]["lr"] * factors
    np.testing.assert_allclose(rates, TORCH[f"rates/{name}"], rtol=1e-12, atol=1e-15)
    assert np.ptp(rates) > 0


def test_every_schedule_is_compared_with_pytorchs():
    assert set(SCHEDULES) == {"constant"} | {schedule.get("name", "constant") for _, schedule in SCHEDULED.values()}


def test_a_schedule_by_hand():
    """Three epochs of four steps."""
    steps = np.arange(12)
    assert Schedule().factors(steps, 4, 3).tolist() == [1.0] * 12
    assert Schedule("step", every=2, factor=0.5).factors(steps, 4, 3).tolist() == [1.0] * 8 + [0.5] * 4
    warm = [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6]
    np.testing.assert_allclose(Schedule(warmup=1.5).factors(steps, 4, 3), warm + [1.0] * 7)
    cosine = Schedule("cosine").factors(steps, 4, 3)
    np.testing.assert_allclose(cosine[[0, 3, 6, 9]], [1, 0.5 + np.sqrt(0.125), 0.5, 0.5 - np.sqrt(0.125)])
    assert (np.diff(cosine) < 0).all()
    assert cosine[-1] > 0


def test_parts_of_a_training_are_those_of_the_whole():
    schedule = Schedule("cosine", warmup=1.5)
    whole = schedule.factors(np.arange(12), 4, 3)
    np.testing.assert_array_equal(
        np.concatenate([schedule.factors(np.arange(5), 4, 3), schedule.factors(np.arange(5, 12), 4, 3)]), whole
    )


def test_only_what_never_changes_is_constant():
    assert Schedule().is_constant
    assert not Schedule(warmup=0.5).is_constant
    assert not Schedule("cosine").is_constant


@pytest.mark.parametrize(
    "override",
    [
        "schedule.name=linear",
        "schedule.name=null",
        "schedule.warmup=-1",
        "schedule.warmup=inf",
        "schedule.every=0",
        "schedule.every=1.5",
        "schedule.factor=0",
        "schedule.factor=1.5",
        "schedule.factor=nan",
    ],
)
def test_a_bad_value_is_told_in_one_line_with_its_key(override: str):
    with pytest.raises(InputError) as raised:
        settings_of(override)
    message = str(raised.value)
    assert message.startswith(override.partition("=")[0] + "=")
    assert "\n" not in message
    assert len(message) < 150
