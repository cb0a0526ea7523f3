import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from initodds.cells import cell, objects, options
from initodds.networks.network import Network
from initodds.vocabulary import InputError
from tests.conftest import settings_of


def test_the_defaults_are_accepted():
    settings = settings_of()
    assert settings.network.hidden == [30]
    assert settings.outcome.target == settings.data.target_accuracy == 0.85


EXPERIMENTS = sorted(options.directory().glob("experiment/**/*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_is_accepted(path: Path):
    settings_of(f"experiment={path.relative_to(options.directory() / 'experiment').with_suffix('')}")


def test_every_option_of_every_group_is_accepted(tmp_path: Path):
    table = tmp_path / "flowers.csv"
    table.write_text("length,kind\n" + "1.5,rose\n0.9,flax\n" * 5)
    own = {  # of the options that have no value of their own for a key
        "from_function": ["init.function=tests.conftest:random_layers"],
        "table": [f"data.path={table}", "data.target=kind"],
    }
    for group in ("data", "network", "init", "engine", "outcome", "tracking"):
        names = sorted(path.stem for path in (options.directory() / group).glob("*.yaml"))
        assert names
        for option in names:
            settings_of(f"{group}={option}", *own.get(option, []))


@pytest.mark.parametrize(("option", "rate"), [("sgd", 3.0), ("adam", 0.001), ("adamw", 0.001), ("rmsprop", 0.001)])
def test_the_rate_is_the_optimizers_usual_one_unless_it_is_set(option: str, rate: float):
    assert settings_of(f"optimizer={option}").sgd.learning_rate == rate
    assert settings_of(f"optimizer={option}", "sgd.learning_rate=0.5").sgd.learning_rate == 0.5


@pytest.mark.parametrize(
    ("task", "set_by_hand", "output", "rate"),
    [
        ("classification", [], "logistic", 3.0),
        ("regression", [], "linear", 0.1),
        ("regression", ["network.output=tanh"], "tanh", 3.0),
        ("regression", ["sgd.learning_rate=3.0"], "linear", 3.0),
        ("regression", ["optimizer=adam"], "linear", 0.001),
        (None, [], "linear", 0.1),
    ],
)
def test_a_tables_outputs_and_rate_suit_its_task(
    tmp_path: Path, task: str | None, set_by_hand: list[str], output: str, rate: float
):
    path = tmp_path / "houses.csv"
    path.write_text("area,price\n" + "".join(f"{row},{row * 1.5 if task is None else row % 2}\n" for row in range(30)))
    told = [] if task is None else [f"data.task={task}"]
    settings = settings_of("data=table", f"data.path={path}", "data.target=price", *told, *set_by_hand)
    assert (settings.network.output, settings.sgd.learning_rate) == (output, rate)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["sgd.batch_size=0"], "sgd.batch_size=0"),
        (["sgd.batch_size=ten"], "sgd.batch_size=ten"),
        (["sgd.batch_size=2.5"], "sgd.batch_size=2.5"),
        (["sgd.learning_rate=0"], "sgd.learning_rate=0"),
        (["sgd.learning_rate=-3"], "sgd.learning_rate=-3"),
        (["sgd.learning_rate=nan"], "sgd.learning_rate=nan"),
        (["sgd.learning_rate=fast"], "sgd.learning_rate=fast"),
        (["sgd.learning_rate=true"], "sgd.learning_rate=True"),
        (["sgd.layer_rates=[1]"], "sgd.layer_rates=[1.0]: 2 numbers, one for each"),
        (["sgd.layer_rates=[1,0]"], "sgd.layer_rates"),
        (["sgd.layer_rates=[1,1e39]"], "sgd.layer_rates=[1.0, 1e+39]: times sgd.learning_rate at most 3.4e+38"),
        (["sgd.reduction=max"], "sgd.reduction=max"),
        (["sgd.orders=0"], "sgd.orders=0"),
        (["init=uniform", "init.low=1"], "init.low=1"),
        (["init=uniform", "init.low=wide"], "init.low=wide"),
        (["init=centred", "init.half_width=-1"], "init.half_width=-1"),
        (["init._target_=nowhere.Init"], "init._target_=nowhere.Init"),
        (["init._target_=builtins.dict"], "init._target_=builtins.dict"),
        (["engine._target_=nowhere.Engine"], "engine._target_=nowhere.Engine"),
        (["network.hidden=[30,0]"], "network.hidden.1=0"),
        (["network.hidden=30"], "network.hidden=30"),
        (["network.activation=3"], "network.activation=3: input should be a valid string"),
        (["network.activation=sine"], "network.activation=sine: one of logistic"),
        (["network.activation=[relu,tanh]"], "network.activation=[relu, tanh]: one for all, or one for each of the 1"),
        (["network.activation=[relu,sine]", "network.hidden=[5,5]"], "network.activation=sine: one of logistic"),
        (["network.cost=hinge"], "network.cost=hinge"),
        (["replicates=0"], "replicates=0"),
        (["seed=-1"], "seed=-1"),
        (["dtype=float16"], "dtype=float16"),
        (["outcome.target=1.5"], "outcome.target=1.5"),
        (["tracking.uri=''"], "tracking.uri="),
        (["+sgd.momentum=0.9"], "sgd.momentum"),
        (["sgd.learning_rate=1e39"], "sgd.learning_rate=1e+39"),
        (["dtype=float64", "sgd.learning_rate=1e999"], "sgd.learning_rate=inf"),
        (["init.low=-1e300"], "init._target_=initodds.initializers.Uniform"),
        (["init=gaussian", "init.std=1e308"], "init._target_=initodds.initializers.Normal"),
        (["init.low=-1e308", "init.high=1e308"], "init.low=-1e+308, high=1e+308"),
        (["init=centred", "init.centre=1e308", "init.half_width=1e308"], "init.high=inf"),
        (["init._target_=null"], "init._target_=None"),
        (["init._target_=json"], "init._target_=json"),
        (["engine._target_=builtins.int"], "engine._target_=builtins.int"),
        (["engine._target_=initodds.engines.Engine"], "engine._target_=initodds.engines.Engine"),
        (["engine._target_=initodds.engines"], "engine._target_=initodds.engines"),
        (["~init"], "init={}: an option of the group init"),
        (["~outcome.target"], "outcome.target: is needed"),
        (["sgd=null"], "sgd=None: "),
        (["sgd.learning_rate=${nope}"], "sgd.learning_rate: "),
        (["init.low=???"], "init.low: "),
        (["seed=2**70"], "seed=2**70"),
        (["+lerning=3"], "; sgd.learning_rate is near"),
        (["+sgd.lerning=3"], "; sgd.learning_rate is near"),
    ],
)
def test_a_bad_value_is_told_in_one_line_with_its_key(overrides: list[str], key: str):
    with pytest.raises(InputError) as raised:
        settings_of(*overrides)
    message = str(raised.value)
    assert key in message
    assert "\n" not in message
    assert len(message) > len(key) + 5  # and what is accepted
    assert len(message) < 250


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("lerning=3", "lerning: there is no such key; sgd.learning_rate is near"),
        ("sgd.lerning=3", "sgd.lerning: there is no such key; sgd.learning_rate is near"),
        ("init.lo=3", "init.lo: there is no such key; init.low is near"),
        ("sgd.speed=3", "sgd.speed: there is no such key; there are batch_size, learning_rate, layer_rates, "),
        (
            "init=nowhere",
            "Could not find 'init/nowhere' Available options in 'init': centred constant flax_dense from_function ",
        ),
        ("tracking.experiment=Überprüfung/🚀", "Überprüfung/🚀: cannot be read; .*quoted twice: 'tracking.experiment="),
        ("sgd.batch_size", "sgd.batch_size: cannot be read; sgd.batch_size=VALUE is needed"),
        ("init=unit,half", "init=unit,half: one value is needed; the command sweeps several, with -m"),
        ("init=null", "init=null: an option of init is chosen by its name"),
        ("+init.low=3", "An item is already at 'init.low'"),
    ],
)
def test_what_cannot_be_composed_is_told_in_one_line_with_what_may_be_meant(override: str, said: str):
    with pytest.raises(InputError) as raised:
        settings_of(override)
    message = str(raised.value)
    assert re.search(said, message)
    assert "\n" not in message
    assert "search path" not in message


def test_a_quoted_value_may_have_any_signs():
    assert settings_of('tracking.experiment="Überprüfung/🚀"').tracking.experiment == "Überprüfung/🚀"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("lacking.Draw", "No module named 'no_such_package'"),
        ("misspelt.Draw", r"SyntaxError: .*\(misspelt\.py, line 1\)"),
        ("failing.Draw", "ZeroDivisionError: division by zero"),
        ("no_such_module.Draw", "No module named 'no_such_module'"),
        ("nothere", "No module named 'nothere'"),
        ("initodds.datasets.nope", "no attribute 'nope'"),
        ("os.system", "blocklisted"),
    ],
)
@pytest.mark.parametrize("key", ["init", "engine", "data.load"])
def test_why_an_object_cannot_be_had_is_told(
    key: str, target: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture
):
    if (key, target) == ("engine", "os.system"):
        reason = "a class with side_by_side, in_threads, steps, "
    for name, program in (("lacking", "import no_such_package"), ("misspelt", "def f(:"), ("failing", "1 / 0")):
        (tmp_path / f"{name}.py").write_text(f"{program}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=rf"^{key}\._target_={target}: .*{reason}") as raised:
        objects.dataset(settings_of(f"{key}._target_={target}"))
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""


def test_what_gives_no_data_set_is_refused():
    with pytest.raises(InputError, match=r"data\.load\._target_=os\.getcwd: gives a str, .*Dataset"):
        objects.dataset(settings_of("data.load._target_=os.getcwd"))


@pytest.mark.parametrize("key", ["replicates", "network.hidden"])
def test_a_cell_far_over_the_memory_is_refused_before_it_starts(key: str):
    value = "[100000000]" if key == "network.hidden" else "1000000000"
    with pytest.raises(InputError, match=rf"{key}={re.escape(value)}.* GB of memory, and this machine has \d+"):
        cell.run(settings_of("data=digits", "replicates=2", f"{key}={value}"))


@pytest.mark.parametrize("key", ["sgd.epochs", "sgd.checkpoints"])
def test_what_takes_long_but_no_memory_is_not_refused(key: str):
    objects.dataset(settings_of("data=digits", f"{key}=1000000000"))


def test_a_cell_that_has_room_is_not_refused(monkeypatch: pytest.MonkeyPatch):
    # 784-30-10 has 23,860 parameters, drawn as float64 and trained as float32, and 18 checkpoints: 288 kB each.
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=300_000_000))
    settings = settings_of("replicates=1000000000")
    objects.dataset(settings)
    objects.require_room(settings, Network((784, 30, 10)), 1000)
    with pytest.raises(InputError, match="replicates=1100, "):
        objects.require_room(settings, Network((784, 30, 10)), 1100)


def test_a_batch_over_the_training_set_is_refused_with_its_size():
    with pytest.raises(InputError, match=r"sgd\.batch_size=4001: .* 4000"):
        objects.dataset(settings_of("sgd.batch_size=4001"))


OWN = ("+init._partial_=true", "~init.low", "~init.high")
"""Overrides for an initializer that is a function."""


def own_initializer(drawn: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """The override for a user's initializer that returns an expression in rng, fan_in, fan_out."""
    module = f"own_init_{abs(hash((drawn, folder)))}"
    (folder / f"{module}.py").write_text(f"import numpy as np\ndef draw(rng, fan_in, fan_out):\n    return {drawn}\n")
    monkeypatch.syspath_prepend(str(folder))
    return f"init._target_={module}.draw"


MATRICES = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")


@MATRICES
@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        ("rng.random((fan_out, fan_in)), []", r"shape \(2, 3\) instead of \(3, 2\)"),
        ("np.asmatrix(rng.random((fan_in, fan_out))), np.asmatrix(np.ones(fan_out))", r"shape \(1, 2\)"),
        ("[['0.5'] * fan_out] * fan_in, [0] * fan_out", "dtype <U3"),
        ("[[None] * fan_out] * fan_in, [0] * fan_out", "dtype object"),
        ("np.ones((fan_in, fan_out)) + 1j, np.ones(fan_out)", "dtype complex128"),
        ("np.ones((fan_in, fan_out)), np.full(fan_out, np.nan)", "numbers from nan to nan"),
        ("np.full((fan_in, fan_out), -np.inf), np.ones(fan_out)", "numbers from -inf to -inf"),
        ("np.full((fan_in, fan_out), 1e39), np.ones(fan_out)", r"numbers from 1e\+39 .*float32"),
        ("[[0], [0, 1], []], []", "ValueError"),
        ("np.ones((fan_in, fan_out))", "ValueError: too many values to unpack"),
        ("None", "TypeError: cannot unpack"),
        ("rng.no_such()", "AttributeError: .*no_such"),
    ],
)
def test_what_an_initializer_may_not_draw_is_refused(
    drawn: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    override = own_initializer(drawn, monkeypatch, tmp_path)
    with pytest.raises(InputError, match=rf"{override}, called with \(rng, 3, 2\): .*{said}") as raised:
        settings_of(override, *OWN)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        ("rng.random((3, 2)), rng.random(2)", r"shape \(3, 2\) instead of"),
        ("np.zeros((fan_in, fan_out)) / (64 // fan_in - 1 and 1), np.zeros(fan_out)", "numbers from nan"),
        ("1 / 0 if fan_in == 64 else (np.zeros((fan_in, fan_out)), np.zeros(fan_out))", "ZeroDivisionError"),
    ],
)
def test_an_initializer_that_fails_at_the_true_size_is_told_before_training(
    drawn: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("initodds.training.loop.train", None)
    override = own_initializer(drawn, monkeypatch, tmp_path)
    with (
        np.errstate(all="ignore"),
        pytest.raises(InputError, match=rf"{override}, called with \(rng, (64, 6|2, 2)\): .*{said}"),
    ):
        cell.run(settings_of(override, *OWN, "data=digits", "network.hidden=[6]", "replicates=2"))


@MATRICES
@pytest.mark.parametrize(
    "drawn",
    [
        "rng.random((fan_in, fan_out)).tolist(), [0] * fan_out",
        "np.asmatrix(rng.random((fan_in, fan_out))), np.zeros(fan_out)",
        "rng.random((fan_in, fan_out)), np.zeros(fan_out, np.int8)",
    ],
)
def test_numbers_in_any_container_are_taken_as_they_are(drawn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    overrides = ("data=digits", "network.hidden=[6]", "sgd.epochs=1", "replicates=2", "diagnosis.of=failed")
    plain = own_initializer("rng.random((fan_in, fan_out)), np.zeros(fan_out)", monkeypatch, tmp_path)
    expected = cell.run(settings_of(plain, *OWN, *overrides))
    trained = cell.run(settings_of(own_initializer(drawn, monkeypatch, tmp_path), *OWN, *overrides))
    np.testing.assert_array_equal(trained.history.cost, expected.history.cost)
    assert trained.diagnosis is not None
    weights, biases = objects.initializer(settings_of(plain, *OWN))(np.random.default_rng(0), 4, 3)
    assert (type(weights), weights.dtype, type(biases), biases.dtype) == (np.ndarray, np.float64) * 2
