"""The points of a plane, trained together, are the cells of their settings, each run alone."""

import numpy as np
import pytest

from initodds.cells import cell
from initodds.cells.axes import axis_of
from initodds.cells.plane import Plane, plane_of
from initodds.cells.points import Trainer
from initodds.cells.settings import Settings

XOR = ("data=xor", "network.hidden=[3]", "sgd.batch_size=4", "sgd.epochs=200", "init=centred", "init.half_width=1")
DIGITS = (
    "data=digits",
    "network.hidden=[5]",
    "sgd.epochs=2",
    "init=centred",
    "init.half_width=0.5",
)
CASES = {
    "rates and inits, on the compiled engine": (DIGITS, "init.centre=-0.2:0.4", "sgd.learning_rate=0.1:300:log"),
    "an order for each": ((*DIGITS, "sgd.orders=null"), "init.centre=-0.2:0.4", "sgd.learning_rate=0.1:30:log"),
    "both of the init": (DIGITS, "init.half_width=0:2", "init.centre=-0.2:0.4"),
    "a schedule, and epochs that differ": (
        (*DIGITS, "init.centre=0", "schedule.name=cosine", "schedule.warmup=0.5"),
        "sgd.epochs=1:3",
        "sgd.learning_rate=0.1:30:log",
    ),
    "many epochs of few examples": ((*XOR, "init.centre=0"), "sgd.learning_rate=1:50:log", "init.half_width=0.1:3"),
    "the optimizer's own": (
        (*DIGITS, "init.centre=0", "optimizer=adam", "sgd.learning_rate=0.01"),
        "optimizer.beta1=0:0.9",
        "sgd.learning_rate=0.001:1:log",
    ),
    "rates of the layers": (
        (*DIGITS, "init.centre=0", "sgd.learning_rate=3", "sgd.layer_rates=[1,1]"),
        "sgd.layer_rates.0=0.01:10:log",
        "sgd.layer_rates.1=0.1:30:log",
    ),
    "on the NumPy engine": (
        (*DIGITS, "engine=stacked"),
        "init.centre=-0.2:0.4",
        "sgd.learning_rate=0.1:300:log",
    ),
    "other data": (
        ("data=moons", "network.hidden=[3]", "sgd.epochs=2", "init=half"),
        "data.noise=0:0.5",
        "sgd.batch_size=1:10",
    ),
}


def alone_of(plane: Plane, point: int) -> Settings:
    """The settings of the cell that has a point's networks as its last ones, without a diagnosis."""
    settings = plane.settings(point)
    undiagnosed = settings.diagnosis.model_copy(update={"of": "none"})
    return settings.model_copy(update={"replicates": plane.numbers(point).stop, "diagnosis": undiagnosed})


@pytest.mark.parametrize("draw", ["same", "each"])
@pytest.mark.parametrize("case", CASES)
def test_a_point_is_its_cell_run_alone(case: str, draw: str):
    overrides, x, y = CASES[case]
    plane = plane_of(["engine=compiled", *overrides], axis_of(x, "--x"), axis_of(y, "--y"), 3, 2, draw)
    points = [7, 0, 5, 8]
    found = Trainer(plane).train(points)
    assert found.point.tolist() == [point for point in points for _ in range(2)]
    for place, point in enumerate(points):
        numbers = plane.numbers(point)
        alone = cell.run(alone_of(plane, point), first=numbers.start)
        mine = slice(2 * place, 2 * place + 2)
        assert found.replicate[mine].tolist() == alone.replicates.tolist()
        assert found.outcome[mine].tolist() == alone.judgement.outcome.tolist()
        np.testing.assert_array_equal(found.score[mine], alone.history.score[-1])
        np.testing.assert_allclose(found.cost[mine], alone.history.cost[-1], rtol=1e-6)


def test_points_of_one_init_are_trained_after_each_other():
    ends = axis_of("init.centre=0:1", "--x"), axis_of("sgd.learning_rate=1:3", "--y")
    assert plane_of(XOR, *ends, 2).order.tolist() == [0, 2, 1, 3]
    assert plane_of([*XOR, "init.centre=0"], *reversed(ends), 2).order.tolist() == [0, 1, 2, 3]
