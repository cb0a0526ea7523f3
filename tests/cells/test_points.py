"""The points of a plane, trained together, are the cells of their settings, each run alone."""

from collections.abc import Callable

import numpy as np
import pytest

from initodds.cells import cell, points
from initodds.cells.axes import axis_of
from initodds.cells.drawing import Drawing
from initodds.cells.plane import Plane, plane_of
from initodds.cells.points import Trainer
from initodds.cells.settings import Settings
from initodds.networks.network import Layer

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
    chosen = [7, 0, 5, 8]
    found = Trainer(plane).train(chosen)
    assert found.point.tolist() == [point for point in chosen for _ in range(2)]
    for place, point in enumerate(chosen):
        numbers = plane.numbers(point)
        alone = cell.run(alone_of(plane, point), first=numbers.start)
        mine = slice(2 * place, 2 * place + 2)
        assert found.replicate[mine].tolist() == alone.replicates.tolist()
        assert found.outcome[mine].tolist() == alone.judgement.outcome.tolist()
        np.testing.assert_array_equal(found.score[mine], alone.history.score[-1])
        np.testing.assert_allclose(found.cost[mine], alone.history.cost[-1], rtol=1e-6)


@pytest.mark.parametrize(
    "axes", [("init.centre=0:1", "sgd.learning_rate=1:3"), ("sgd.learning_rate=1:3", "init.centre=0:1")]
)
def test_weights_are_drawn_once_for_all_learning_rates(axes: tuple[str, str], monkeypatch: pytest.MonkeyPatch):
    plane = plane_of([*XOR, "init.centre=0"], *map(axis_of, axes, ("--x", "--y")), 6, 2)
    drawn: list[tuple[int, int]] = []
    replicate = Drawing.replicate

    def counted(self: Drawing, seed: int, number: int) -> list[Layer]:
        drawn.append((seed, number))
        return replicate(self, seed, number)

    monkeypatch.setattr(Drawing, "replicate", counted)
    Trainer(plane).train([int(point) for point in plane.order])
    assert len(drawn) == 6 * 2  # inits, and replicates of each


def seconds_of(monkeypatch: pytest.MonkeyPatch, x: str, y: str, of_step: Callable[[int], float], size: int) -> float:
    """How long a plane is said to take where a step of so many examples takes so long."""
    plane = plane_of(["data=digits", "network.hidden=[2]", "init=half"], axis_of(x, "--x"), axis_of(y, "--y"), size)
    monkeypatch.setattr(
        Trainer, "_seconds_of_step", lambda self, point: of_step(self.plane.settings(point).sgd.batch_size)
    )
    return Trainer(plane).seconds()


def test_the_time_is_that_of_all_points(monkeypatch: pytest.MonkeyPatch):
    """Where a step takes a second for itself and one for each of its examples."""
    examples = len(
        plane_of(["data=digits"], axis_of("sgd.learning_rate=1:2", "--x"), axis_of("sgd.epochs=1:2", "--y"), 2)
        .subject(0)
        .data.train
    )
    for x, y in (
        ("sgd.epochs=1:1000:log", "sgd.learning_rate=1:3"),
        ("sgd.learning_rate=1:3", "sgd.batch_size=1:1000"),
        ("sgd.batch_size=1:1000:log", "sgd.epochs=1:1000"),
    ):
        ends = {
            axis.key: axis.values(7, axis.key != "sgd.learning_rate") for axis in (axis_of(x, "--x"), axis_of(y, "--y"))
        }
        batches, epochs = (
            np.array(ends.get(key, [default] * 7)) for key, default in (("sgd.batch_size", 10), ("sgd.epochs", 10))
        )
        each = -(-examples // batches) * (1 + batches)
        expected = (
            7 * (each * epochs).sum()
            if len(set(ends) & {"sgd.batch_size", "sgd.epochs"}) == 1
            else each.sum() * epochs.sum()
        )
        assert seconds_of(monkeypatch, x, y, lambda batch: 1 + batch, 7) == pytest.approx(expected)


def test_tiles_go_by_the_largest_network_and_are_several(monkeypatch: pytest.MonkeyPatch):
    ends = axis_of("network.hidden.0=1:100", "--x"), axis_of("sgd.learning_rate=1:3", "--y")
    assert Trainer(plane_of(XOR, *ends, 46)).tile == 46**2 // 64
    assert Trainer(plane_of(XOR, *ends, 4)).tile == 32  # of 16 points
    assert Trainer(plane_of(XOR, *ends, 4, 16)).tile == 2
    monkeypatch.setattr(points, "NUMBERS_TOGETHER", 802)  # numbers of two networks with 100 units: 3 each, and one
    assert Trainer(plane_of(XOR, *ends, 4)).tile == 2
    assert Trainer(plane_of(XOR, *ends, 4, 16)).tile == 1


def test_many_replicates_of_a_point_are_trained_in_portions(monkeypatch: pytest.MonkeyPatch):
    plane = plane_of(
        [*XOR, "init.centre=0"],
        axis_of("init.half_width=0.1:3", "--x"),
        axis_of("sgd.learning_rate=1:50:log", "--y"),
        2,
        7,
    )
    whole = Trainer(plane).train([2, 1])
    portions: list[int] = []
    train = Trainer._train
    monkeypatch.setattr(points, "NUMBERS_TOGETHER", 3 * plane.subject(0).network.parameters)
    monkeypatch.setattr(
        Trainer, "_train", lambda self, networks: (portions.append(len(networks)), train(self, networks))[1]
    )
    cut = Trainer(plane).train([2, 1])
    assert max(portions) == 3
    for name, array in vars(whole).items():
        np.testing.assert_array_equal(getattr(cut, name), array)
