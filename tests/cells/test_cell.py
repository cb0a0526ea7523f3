from pathlib import Path

import numpy as np
import pytest

from initodds.cells import cell, objects
from initodds.cells.streams import random_stream
from initodds.engines.stacked import Stacked
from initodds.initializers import Uniform
from initodds.networks.network import Network
from initodds.sweeps.progress import Report
from initodds.vocabulary import InputError
from tests.conftest import drawn, settings_of

SMALL = ("data=digits", "network.hidden=[8]", "sgd.epochs=2", "sgd.batch_size=50", "dtype=float64")


def test_weights_of_a_replicate_depend_on_the_seed_and_its_number_alone():
    network = Network((20, 6, 4, 3))
    first = drawn(Uniform(0, 1), network, 7, 3)
    again = drawn(Uniform(0, 1), network, 7, 3)
    for mine, reference in zip(first, again, strict=True):
        np.testing.assert_array_equal(mine[0], reference[0])
    for seed, replicate in ((7, 4), (8, 3), (3, 7)):
        assert (drawn(Uniform(0, 1), network, seed, replicate)[0][0] != first[0][0]).all()
    assert not (random_stream(7, 1, 3).random(5) == np.random.default_rng(7).random(5)).any()


def test_more_replicates_leave_the_first_ones_as_they_were():
    few = cell.run(settings_of(*SMALL, "replicates=3", "sgd.orders=2"))
    more = cell.run(settings_of(*SMALL, "replicates=7", "sgd.orders=2"))
    np.testing.assert_allclose(more.history.cost[:, :3], few.history.cost, rtol=0, atol=1e-10)
    assert more.orders.tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_a_cell_does_not_depend_on_how_its_replicates_are_stacked(monkeypatch: pytest.MonkeyPatch):
    settings = settings_of(*SMALL, "replicates=10", "sgd.orders=3")
    whole = cell.run(settings)
    monkeypatch.setattr(Stacked, "side_by_side", 2)
    split = cell.run(settings)
    assert [list(places) for places in cell.stacks_of(settings, np.arange(10) % 3)] == [
        [0, 3],
        [6, 9],
        [1, 4],
        [7],
        [2, 5],
        [8],
    ]
    np.testing.assert_allclose(split.history.cost, whole.history.cost, rtol=0, atol=1e-10)
    for mine, reference in zip(split.history.layers, whole.history.layers, strict=True):
        np.testing.assert_allclose(mine[0][0], reference[0][0], rtol=0, atol=1e-10)


def test_progress_is_told_as_often_as_announced():
    settings = settings_of(*SMALL, "replicates=5", "sgd.orders=2")
    report = Report("a cell", 4)
    cell.run(settings, report)
    assert report.done == cell.epochs_to_train(settings) == 2 * 2


@pytest.mark.parametrize("batch_size", [50, 7])
def test_a_replicate_with_its_own_order_is_the_same_in_any_company(batch_size: int, monkeypatch: pytest.MonkeyPatch):
    options = (*SMALL, "sgd.orders=null", f"sgd.batch_size={batch_size}")
    together = cell.run(settings_of(*options, "replicates=5"))
    alone = cell.run(settings_of(*options, "replicates=5"), first=3)
    monkeypatch.setattr(Stacked, "side_by_side", 1)
    apart = cell.run(settings_of(*options, "replicates=5"))
    assert together.orders.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(together.history.cost, apart.history.cost, rtol=0, atol=1e-10)
    np.testing.assert_allclose(together.history.cost[:, 3:], alone.history.cost, rtol=0, atol=1e-10)
    # The order of replicate r is that of number r where they are shared.
    shared = cell.run(settings_of(*SMALL, f"sgd.batch_size={batch_size}", "replicates=5", "sgd.orders=5"))
    np.testing.assert_allclose(together.history.cost, shared.history.cost, rtol=0, atol=1e-10)


def test_the_data_orders_differ():
    settings = settings_of(*SMALL, "replicates=4", "sgd.orders=2", "init=zeros")
    costs = cell.run(settings).history.cost[-1]
    # Networks that start alike differ by their data order alone.
    assert costs[0] == costs[2]
    assert costs[1] == costs[3]
    assert costs[0] != costs[1]


def test_the_classic_ranges_on_mnist():
    unit, half = (cell.run(settings_of(f"init={init}", "replicates=8", "sgd.epochs=3")) for init in ("unit", "half"))
    assert (unit.judgement.outcome == "stuck").all()
    assert (unit.history.hidden_saturated[0] == 1).all()
    assert (half.judgement.outcome == "converged").all()
    assert half.best_constant_cost == pytest.approx(0.45)


def test_an_initializer_of_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path):
    (tmp_path / "ones_init.py").write_text(
        "import numpy as np\nclass Ones:\n"
        "    def __call__(self, rng, fan_in, fan_out): return np.ones((fan_in, fan_out)), np.ones(fan_out)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = settings_of(*SMALL, "init=zeros", "init._target_=ones_init.Ones", "replicates=1")
    assert objects.initializer(settings)(np.random.default_rng(0), 2, 2)[0].tolist() == [[1, 1], [1, 1]]
    assert cell.run(settings).history.replicates == 1


@pytest.mark.parametrize("engine", ["matrix", "per_example"])
def test_engines_agree_on_outcome_and_cost(engine: str, caplog: pytest.LogCaptureFixture):
    other = cell.run(settings_of(*SMALL, "replicates=2", f"engine={engine}"))
    stacked = cell.run(settings_of(*SMALL, "replicates=2"))
    assert other.judgement.outcome.tolist() == stacked.judgement.outcome.tolist()
    np.testing.assert_allclose(other.history.cost, stacked.history.cost, rtol=0, atol=1e-8)
    assert "one after another" in caplog.text
    assert " s; engine=stacked" in caplog.text


@pytest.mark.parametrize(
    "overrides", [["data=diabetes", "outcome.every_example=true"], ["data=xor", "data.autoencode=true"]]
)
def test_examples_of_a_regression_are_not_right_or_wrong(overrides: list[str]):
    with pytest.raises(InputError, match=r"^outcome\.every_example=true: false for a regression, as .* is one"):
        cell.subject_of(settings_of(*overrides, "network.output=linear", "sgd.batch_size=4"))


def test_targets_that_no_output_can_have_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "prices.csv"
    path.write_text("rooms,price\n" + "".join(f"{rooms},{2500 * rooms - 2500}\n" for rooms in (1, 2, 3, 5)))
    settings = settings_of(
        "data=table",
        f"data.path={path}",
        "data.target=price",
        "data.task=regression",
        "data.scale_targets=raw",
        "sgd.batch_size=4",
        "sgd.epochs=1",
        "replicates=1",
        "diagnosis.of=none",
    )
    cell.run(settings)
    assert "targets from 0 to 10000 are not all in the outputs' range, 0 to 1: see network.output" in caplog.text
    caplog.clear()
    cell.run(settings.model_copy(update={"network": settings.network.model_copy(update={"output": "linear"})}))
    assert "targets" not in caplog.text
