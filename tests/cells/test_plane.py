"""A plane of settings: its points are the settings of cells, and each is checked."""

import pytest

from initodds.cells.axes import Axis, axis_of, zoomed
from initodds.cells.plane import Plane, plane_of
from initodds.vocabulary import InputError
from tests.conftest import settings_of

SMALL = ("data=xor", "network.hidden=[2]", "sgd.batch_size=4", "init=centred", "init.centre=0", "init.half_width=1")


def plane(x: str, y: str, *overrides: str, size: int = 3, replicates: int = 1, draw: str = "same") -> Plane:
    return plane_of([*SMALL, *overrides], axis_of(x, "--x"), axis_of(y, "--y"), size, replicates, draw)


def test_the_settings_of_a_point_are_those_that_the_command_has():
    made = plane("init.centre=-0.3:0.3", "sgd.learning_rate=0.01:1:log")
    for point, (centre, rate) in {0: (-0.3, 0.01), 4: (0.0, 0.1), 5: (0.3, 0.1), 8: (0.3, 1.0)}.items():
        asked = settings_of(*SMALL, f"init.centre={centre}", f"sgd.learning_rate={rate}", "replicates=1")
        assert made.settings(point) == asked
        assert made.name(point) == f"init.centre={centre} sgd.learning_rate={rate}"


def test_what_others_interpolate_goes_with_it():
    made = plane("data.target_accuracy=0.5:1", "network.negative_slope=0:0.1")
    assert [made.settings(point).outcome.target for point in range(3)] == [0.5, 0.75, 1.0]


def test_an_axis_may_be_an_entry_of_a_list():
    made = plane("sgd.layer_rates.0=0.1:10:log", "sgd.layer_rates.1=2:4", "sgd.layer_rates=[1,1]")
    assert [made.settings(point).sgd.layer_rates for point in (0, 1, 5)] == [[0.1, 2.0], [1.0, 2.0], [10.0, 3.0]]


def test_whole_numbers_stay_whole():
    made = plane("sgd.epochs=1:10:log", "sgd.batch_size=1:4")
    assert made.x_values == [1, 3, 10]
    assert [made.settings(point).sgd.batch_size for point in (0, 3, 6)] == [1, 2, 4]


def test_numbers_of_the_replicates():
    assert list(plane("init.centre=0:1", "sgd.epochs=1:3", replicates=4).numbers(5)) == [0, 1, 2, 3]
    assert list(plane("init.centre=0:1", "sgd.epochs=1:3", replicates=4, draw="each").numbers(5)) == [20, 21, 22, 23]


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ("network.hidden.x=0:1", "init.centre=0:2", "--x network.hidden.x: there is no such key"),
        ("network.hidden.1=1:2", "init.centre=0:2", "--x network.hidden.1: there is no such key"),
        ("sgd.layer_rates.0=1:2", "init.centre=0:2", "--x sgd.layer_rates.0: sgd.layer_rates is null or not there"),
        ("init.centre=0:1", "init.centre=0:2", "--x init.centre, --y init.centre: two keys are needed"),
        ("init.center=0:1", "sgd.epochs=1:3", "--x init.center: there is no such key; init.centre is near"),
        ("sgd=0:1", "sgd.epochs=1:3", "--x sgd: the key of a number is needed"),
        ("sgd.epochs=1:3", "sgd.reduction=0:1", "--y sgd.reduction, which is mean: the key of a number is needed"),
        ("sgd.epochs=0:2", "init.centre=0:1", "at sgd.epochs=0 init.centre=0.0: sgd.epochs=0: input should be"),
        (
            "init.half_width=-1:1",
            "init.centre=0:1",
            "at init.half_width=-1.0 init.centre=0.0: init.half_width=-1.0: a number of at least 0",
        ),
        ("sgd.batch_size=2:6", "init.centre=0:1", "at sgd.batch_size=6 init.centre=0.0: sgd.batch_size=6: a whole"),
        ("inti.centre=0:1", "init.centre=0:1", "--x inti: there is no such key; "),
    ],
)
def test_what_is_refused(x: str, y: str, message: str):
    with pytest.raises(InputError) as error:
        plane(x, y)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_point_is_refused_though_its_axes_are_fine():
    message = r"at init.low=0.7 init.high=0.5: init.low=0.7, high=0.5: low must not be over high"
    with pytest.raises(InputError, match=message):
        plane_of(
            ["data=xor", "init=uniform", "sgd.batch_size=4"], Axis("init.low", 0, 0.7), Axis("init.high", 0.5, 1), 2
        )


def test_a_corner_is_refused_though_its_row_and_column_are_fine():
    """The largest batch where the fewest examples are trained on."""
    with pytest.raises(InputError, match=r"^at data.test_share=0.9 sgd.batch_size=200: sgd.batch_size=200: "):
        plane_of(["data=moons"], Axis("data.test_share", 0.1, 0.9), Axis("sgd.batch_size", 1, 200), 3)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ("sgd.epochs=1:2", "--x sgd.epochs=1:2: has 2 different numbers, for --size 3"),
        ("init.centre=1:1.00000000000001", "--x init.centre=1:1.00000000000001: has 2 different numbers, for --size 3"),
    ],
)
def test_an_axis_has_as_many_numbers_as_points(x: str, message: str):
    with pytest.raises(InputError, match=f"^{message}"):
        plane(x, "sgd.learning_rate=1:2")


def test_axes_that_differ_in_a_late_digit_are_two():
    assert str(axis_of("a=0.1:0.3000000000001", "--x")) != str(axis_of("a=0.1:0.3000000000002", "--x"))
    assert axis_of(f"a={Axis('a', 0.1, 0.30000000000012).ends}", "--x").high == 0.30000000000012


@pytest.mark.parametrize("text", ["init.centre", "init.centre=1", "init.centre=1:x", "=0:1", "a=0:1:lin", "a=0:1:2"])
def test_what_is_no_axis(text: str):
    with pytest.raises(InputError, match=r"^--x .*KEY=LOW:HIGH"):
        axis_of(text, "--x")


@pytest.mark.parametrize("text", ["a=1:1", "a=2:1", "a=0:inf", "a=nan:1", "a=0:1:log", "a=-1:1:log"])
def test_axes_of_no_numbers(text: str):
    with pytest.raises(InputError, match=r"^--y a=.*: (two finite|a logarithmic)"):
        axis_of(text, "--y")


@pytest.mark.parametrize("text", ["0:1", "0:1,0", "0.5:0.2,0:1", "-1:0.5,0:1", "0:x,0:1"])
def test_what_is_no_zoom(text: str):
    with pytest.raises(InputError, match=r"^--zoom"):
        zoomed(Axis("x", 0, 1), Axis("y", 0, 1), text)
