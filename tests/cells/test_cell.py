import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from initodds.cells import cell, objects
from initodds.cells.replicates import epochs_to_train, portions, stacks_of, train
from initodds.cells.streams import random_stream
from initodds.cells.subject import subject_of
from initodds.cells.threads import THREADS, StoppedError, in_threads, threads
from initodds.engines import auto, building, compiled
from initodds.engines.compiled import Compiled
from initodds.engines.stacked import Stacked
from initodds.initializers import Uniform
from initodds.networks.network import Network
from initodds.sweeps.progress import Report
from initodds.vocabulary import InputError
from tests.conftest import drawn, needs_compiler, settings_of

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
    settings = settings_of(*SMALL, "replicates=10", "sgd.orders=3", "engine=stacked")
    whole = cell.run(settings)
    monkeypatch.setattr(Stacked, "side_by_side", 2)
    split = cell.run(settings)
    np.testing.assert_allclose(split.history.cost, whole.history.cost, rtol=0, atol=1e-10)
    for mine, reference in zip(split.history.layers, whole.history.layers, strict=True):
        np.testing.assert_allclose(mine[0][0], reference[0][0], rtol=0, atol=1e-10)


def test_stacks_are_of_one_order_and_fill_the_threads():
    def stacks(*arguments: object) -> list[list[int]]:
        return [places.tolist() for places in stacks_of(*arguments)]

    assert stacks(np.arange(7) % 3, True, 2) == [[0, 3], [6], [1, 4], [2, 5]]
    assert stacks(np.arange(7), False, 4) == [[0, 1, 2, 3], [4, 5, 6]]
    assert [len(stack) for stack in stacks(np.arange(100), False, 32, 2)] == [25] * 4
    assert [len(stack) for stack in stacks(np.arange(9), False, 32, 2)] == [5, 4]
    assert stacks(np.arange(2), False, 32, 4) == [[0], [1]]


def test_progress_is_told_as_often_as_announced():
    for settings in (settings_of(*SMALL, "replicates=5"), settings_of(*SMALL, "replicates=5", "sgd.orders=2")):
        report = Report("a cell", 10)
        cell.run(settings, report)
        assert report.done == epochs_to_train(settings) == 5 * 2


COMPANY = [
    (),
    ("dtype=float32",),
    ("sgd.batch_size=7", "dtype=float32", "sgd.learning_rate=30"),
    ("engine=stacked", "dtype=float32"),
    ("engine=stacked", "dtype=float32", "sgd.batch_size=1442"),
    ("engine=stacked", "dtype=float32", "data=xor", "sgd.batch_size=4", "network.hidden=[2]", "sgd.epochs=30"),
    ("engine=stacked", "dtype=float32", "sgd.batch_size=1442", "optimizer=adam", "optimizer.clip_norm=0.01"),
    ("data=xor", "sgd.batch_size=4", "network.hidden=[2]", "sgd.epochs=30"),
    ("data=xor", "sgd.batch_size=2", "network.hidden=[3]", "sgd.epochs=130", "engine=stacked", "dtype=float32"),
    ("network.hidden=[9,5]", "network.activation=relu", "optimizer=adam", "sgd.learning_rate=0.01"),
]


@pytest.mark.parametrize("options", COMPANY, ids=" ".join)
def test_a_replicate_is_bit_for_bit_the_same_in_any_company(options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch):
    settings = settings_of(*SMALL, *options, "replicates=37", "diagnosis.of=none")
    monkeypatch.setenv(THREADS, "2")
    together = cell.run(settings)
    assert together.orders.tolist() == list(range(37))
    monkeypatch.setenv(THREADS, "1")
    for first, stop in ((5, 6), (20, 23), (36, 37)):
        alone, places = cell.run(settings, first=first, stop=stop), slice(first, stop)
        for name in ("score", "cost", "part_scores", "hidden_saturated", "outputs_high"):
            np.testing.assert_array_equal(getattr(alone.history, name), getattr(together.history, name)[:, places])
        for mine, reference in zip(alone.history.layers, together.history.layers[places], strict=True):
            for (weights, biases), (others, other_biases) in zip(mine, reference, strict=True):
                np.testing.assert_array_equal(weights, others)
                np.testing.assert_array_equal(biases, other_biases)


@pytest.mark.parametrize("batch_size", [50, 7, 1437, 1442])
def test_engines_and_shared_orders_agree_on_each_replicate(batch_size: int):
    options = (*SMALL, f"sgd.batch_size={batch_size}", "replicates=5")
    own = cell.run(settings_of(*options))
    for others in (("engine=stacked",), ("engine=matrix",), ("sgd.orders=5",), ("sgd.orders=5", "engine=stacked")):
        other = cell.run(settings_of(*options, *others))
        np.testing.assert_allclose(own.history.cost, other.history.cost, rtol=0, atol=1e-10)


def test_the_engine_is_chosen_and_known(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    settings = settings_of(*SMALL)
    assert subject_of(settings).engine is (Compiled if compiled.available() else Stacked)
    monkeypatch.setattr(compiled, "_built", lambda real: building.BuildError("there is no C compiler"))
    auto._say_once.cache_clear()
    assert subject_of(settings).engine is Stacked
    assert caplog.messages == ["there is no C compiler: the NumPy engine is used, engine=stacked"]
    with pytest.raises(InputError, match=r"^engine=compiled: there is no C compiler; engine=stacked, by NumPy,"):
        settings_of(*SMALL, "engine=compiled")


@pytest.mark.parametrize("failing", [0, 2])
def test_a_thread_that_fails_ends_the_others(failing: int):
    begun = []

    def work(piece: int, go_on: Callable[[], None]) -> None:
        begun.append(piece)
        if piece == failing:
            while len(begun) < 3:
                go_on()
            raise InputError("no")
        try:
            while True:
                go_on()
        except StoppedError:
            raise InputError("later") from None

    with pytest.raises(InputError, match=r"^no$"):
        in_threads(work, range(5), 3)
    assert sorted(begun) == [0, 1, 2]
    assert in_threads(lambda piece, go_on: piece**2, range(5), 3) == [0, 1, 4, 9, 16]


def test_threads_are_what_the_user_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(THREADS, raising=False)
    assert threads() >= 1
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert threads() == 1
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert threads() == 3
    monkeypatch.setenv(THREADS, "7")
    assert threads() == 7
    for bad in ("0", "-1", "two"):
        monkeypatch.setenv(THREADS, bad)
        with pytest.raises(InputError, match=f"^INITODDS_THREADS={bad}: "):
            threads()


def test_portions_are_as_large_as_work_and_memory_allow(monkeypatch: pytest.MonkeyPatch):
    settings = settings_of(*SMALL, "replicates=1000000000", "diagnosis.of=none")
    subject = subject_of(settings)
    first, second = itertools.islice(portions(settings, subject, 7), 2)
    assert first[0] == 7
    assert first[1] == second[0]
    assert epochs_to_train(settings, 7) == 2 * (10**9 - 7)
    monkeypatch.setattr("initodds.cells.replicates.MEMORY_AT_ONCE", 3 * objects.memory(settings, subject.network, 1))
    assert next(portions(settings, subject)) == (0, 3)
    few = settings.model_copy(update={"replicates": 5})
    assert list(portions(few, subject)) == [(0, 3), (3, 5)]
    monkeypatch.setattr("initodds.cells.replicates.MEMORY_AT_ONCE", 1)
    assert list(portions(few, subject, 3)) == [(3, 4), (4, 5)]


def test_the_data_orders_differ():
    # Networks that start alike differ by their data order alone.
    assert len(set(cell.run(settings_of(*SMALL, "replicates=4", "init=zeros")).history.cost[-1])) == 4
    costs = cell.run(settings_of(*SMALL, "replicates=4", "sgd.orders=2", "init=zeros")).history.cost[-1]
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
    assert " s; engine=auto" in caplog.text


@pytest.mark.parametrize(
    "overrides", [["data=diabetes", "outcome.every_example=true"], ["data=xor", "data.autoencode=true"]]
)
def test_examples_of_a_regression_are_not_right_or_wrong(overrides: list[str]):
    with pytest.raises(InputError, match=r"^outcome\.every_example=true: false for a regression, as .* is one"):
        subject_of(settings_of(*overrides, "network.output=linear", "sgd.batch_size=4"))


def test_targets_that_no_output_can_have_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "prices.csv"
    path.write_text("rooms,price\n" + "".join(f"{rooms},{2500 * rooms - 2500}\n" for rooms in (1, 2, 3, 5)))
    settings = settings_of(
        "data=table",
        f"data.path={path}",
        "data.target=price",
        "data.task=regression",
        "network.output=logistic",
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


def test_a_regression_that_learned_nothing_is_stuck_on_whichever_side_of_the_mean_it_ends(tmp_path: Path):
    """Where the training examples are judged, R^2 is near 0 and of either sign."""
    rng = np.random.default_rng(0)
    rows = [f"{a:.4f},{b:.4f},{2 * a - b:.4f}" for a, b in rng.normal(size=(300, 2))]
    (tmp_path / "two.csv").write_text("\n".join(["a,b,y", *rows]))
    trained = cell.run(settings_of("data=table", f"data.path={tmp_path}/two.csv", "data.target=y", "init=gaussian",
                                   "init.std=0.001", "sgd.epochs=1", "sgd.learning_rate=1e-4", "replicates=16",
                                   "diagnosis.of=none"))  # fmt: skip
    scores = trained.history.score[-1]
    assert (scores > 0).any()
    assert (scores < 0).any()
    assert set(trained.judgement.outcome) == {"stuck"}


@pytest.mark.parametrize("engine", [pytest.param("compiled", marks=needs_compiler), "stacked"])
def test_each_replicate_is_trained_in_the_order_that_is_given(engine: str):
    settings = settings_of(*SMALL, f"engine={engine}", "replicates=3")
    subject = subject_of(settings)
    layers = [subject.drawing.replicate(settings.seed, 0)] * 3
    given = np.array([5, 2, 5])
    costs = train(settings, subject, layers, given).cost[-1]
    alone = [train(settings, subject, layers[:1], given[[r]]).cost[-1, 0] for r in range(3)]
    assert costs.tolist() == alone
    assert costs[0] == costs[2] != costs[1]


@needs_compiler
def test_an_escape_in_float64_is_by_an_engine_that_has_it(monkeypatch: pytest.MonkeyPatch):
    built = compiled._built
    no_double = building.BuildError("no double")
    monkeypatch.setattr(compiled, "_built", lambda real: built(real) if real == "float" else no_double)
    options = (*SMALL, "dtype=float32", "init=unit", "replicates=2", "diagnosis.of=all", "diagnosis.curvature=none")
    escaped = cell.run(settings_of(*options, "diagnosis.escape=true")).escaped
    assert escaped["float64"].shape == (2,)
    with pytest.raises(InputError, match=r"^engine=compiled: no double; "):
        settings_of(*SMALL, "engine=compiled", "dtype=float64")
