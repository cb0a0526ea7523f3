"""What makes a cell another cell, and what does not."""

import itertools
import json
import sys
from pathlib import Path

import pytest

from initodds.cells import objects
from initodds.datasets import digits
from initodds.tracking import identity, stored_settings
from initodds.vocabulary import InputError
from tests.conftest import settings_of

SMALL = ("data=digits", "network.hidden=[6]", "sgd.epochs=2")


def mark(*overrides: str, data: str = "data") -> str:
    return stored_settings.stored_settings(settings_of(*SMALL, *overrides), data).fingerprint


def of(data: str = "", sources: dict[str, str] | None = None, **settings: object) -> str:
    return identity.fingerprint(settings, data, sources or {})


SAME = [
    ("tracking.uri=sqlite:///other.db", "replicates=7", "tracking.job=3", "+hydra.job.name=x"),
    ("diagnosis.of=all", "diagnosis.curvature=all", "diagnosis.escape=true", "diagnosis.keep_weights=none"),
    ("init=uniform",),
    ("init=uniform", "init.low=-0.5", "init.high=0.5"),
    ("sgd.learning_rate=3",),
    ("data.target_accuracy=0.9", "outcome.target=0.85"),
    ("init=centred",),
    ("init=centred", "init.centre=0", "init.half_width=0.5"),
    ("schedule.every=5", "schedule.factor=0.5"),
    ("sgd.layer_rates=[1,1.0]",),
    ("network.negative_slope=0.2",),
    ("network.activation=[logistic]",),
    ("network.activation={_target_: initodds.networks.activations.Logistic}",),
]

OTHER = [
    ("seed=1",),
    ("init=uniform", "init.low=-0.4"),
    ("init=gaussian",),
    ("init=zeros",),
    ("sgd.learning_rate=3.5",),
    ("sgd.layer_rates=[1,0.5]",),
    ("sgd.batch_size=11",),
    ("sgd.checkpoints=3",),
    ("dtype=float64",),
    ("outcome.target=0.8",),
    ("data.invert=true",),
    ("network.hidden=[6,6]",),
    ("network.activation=tanh",),
    ("network.activation=leaky_relu",),
    ("network.activation=leaky_relu", "network.negative_slope=0.2"),
    ("init=centred", "init.half_width=0.4"),
    ("schedule.name=step",),
    ("schedule.name=step", "schedule.factor=0.5"),
    ("network.cost=cross_entropy",),
    ("engine=matrix",),
]


@pytest.mark.parametrize("overrides", SAME)
def test_what_changes_no_result_makes_no_other_cell(overrides: tuple[str, ...]):
    assert mark(*overrides) == mark()


def test_what_changes_a_result_makes_another_cell():
    marks = [mark(), mark(data="other data"), *(mark(*overrides) for overrides in OTHER)]
    for (_, first), (at, second) in itertools.combinations(enumerate(marks), 2):
        assert first != second, OTHER[at - 2]


def test_compiled_is_what_auto_takes():
    engines = ("auto.Auto", "compiled.Compiled", "stacked.Stacked")
    auto, compiled, stacked = (of(engine={"_target_": f"initodds.engines.{name}"}) for name in engines)
    assert auto == compiled != stacked


def test_a_slope_is_the_same_however_it_is_given():
    given = "network.activation={_target_: initodds.networks.activations.LeakyRelu, negative_slope: 0.2}"
    assert mark(given) == mark("network.activation=leaky_relu", "network.negative_slope=0.2")


def test_what_acts_through_another_setting_is_that_one():
    assert mark("data.target_accuracy=0.8") == mark("outcome.target=0.8") != mark()


def test_the_folder_of_the_data_is_no_part():
    assert mark("data=mnist") == mark("data=mnist", "data.root=/elsewhere") != mark()


def test_a_module_that_moves_changes_nothing():
    draw = {"low": -1, "high": 1}
    here, moved = (
        of(init={"_target_": name, **draw})
        for name in ("initodds.initializers.Uniform", "initodds.initializers.plain.Uniform")
    )
    assert here == moved
    assert here != of(init={"_target_": "initodds.initializers.Other", **draw})


def test_whole_numbers_are_one_value_however_written_and_true_is_none_of_them():
    assert of(a={"b": [3, {"c": -0.0}]}) == of(a={"b": [3.0, {"c": 0}]}) == of(a={"b": (3.0, {"c": 0})})
    assert of(a=True) != of(a=1)
    assert of(a=False) != of(a=0)
    assert of(a="3") != of(a=3)
    assert of(a=2**70) != of(a=2**70 + 1)


def test_a_new_setting_at_its_neutral_value_leaves_cells_what_they_are(monkeypatch: pytest.MonkeyPatch):
    before = of(sgd={"batch_size": 10}, init={"_target_": "initodds.initializers.Normal", "std": 1.0})
    monkeypatch.setitem(identity.NEUTRAL, "sgd.momentum", 0)
    monkeypatch.setitem(identity.NEUTRAL, "Normal.truncated", False)
    monkeypatch.setitem(identity.NEUTRAL, "optimizer", {"_target_": "initodds.optimizers.Sgd"})
    monkeypatch.setitem(identity.NEUTRAL, "Sgd.momentum", 0)

    def after(momentum: float, truncated: object, optimizer: str) -> str:
        return of(
            sgd={"batch_size": 10, "momentum": momentum},
            init={"_target_": "initodds.initializers.Normal", "std": 1.0, "truncated": truncated},
            optimizer={"_target_": optimizer},
            schedule=None,
            regularization={"l2": None},
        )

    assert after(0.0, False, "initodds.optimizers.Sgd") == before
    changed = {after(0.9, False, "initodds.optimizers.Sgd"), after(0, True, "initodds.optimizers.Sgd"),
               after(0, 0, "initodds.optimizers.Sgd"), after(0, False, "initodds.optimizers.Adam")}  # fmt: skip
    assert len(changed | {before}) == 5


def test_the_package_is_known_by_its_own_name():
    assert identity.NEUTRAL["optimizer"]["_target_"].split(".")[0] == identity.PACKAGE == "initodds"


def test_what_a_users_own_class_is_called_with_always_counts():
    """Its neutral values are not known: null may be another thing than nothing, and the package's names are not its."""
    own, known = "mine.VarianceScaling", {"mine.VarianceScaling": "a"}
    marks = {
        of("", known, init={"_target_": own}),
        of("", known, init={"_target_": own, "bias_std": 0}),
        of("", known, init={"_target_": own, "bias_std": None}),
        of("", {own: "b"}, init={"_target_": own}),
        of("", {}, init={"_target_": own}),
        of("", {"other.VarianceScaling": "a"}, init={"_target_": "other.VarianceScaling"}),
        of("", {}, init={"_target_": "initodds.initializers.VarianceScaling"}),
    }
    assert len(marks) == 7


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a user's module `drawn_here`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "drawn_here", raising=False)
    path = tmp_path / "drawn_here.py"
    path.write_text(
        "import numpy as np\nclass Draw:\n    def __call__(self, rng, fan_in, fan_out):\n"
        "        return np.zeros((fan_in, fan_out)), np.zeros(fan_out)\ndraw = Draw()\n"
    )
    return path


def test_edited_code_is_another_cell(module: Path):
    own = ("init=zeros", "init._target_=drawn_here.Draw")
    first = mark(*own)
    assert mark(*own) == first
    module.write_text(module.read_text().replace("zeros", "ones"))
    assert mark(*own) != first
    assert mark(*own) != mark("init=zeros")


def test_sources_are_found_as_deep_as_they_are_named(module: Path):
    deep = {"a": [{"_target_": "drawn_here.Draw", "b": {"_target_": "initodds.initializers.Zeros"}}], "c": {"d": 1}}
    assert list(identity.sources_of(deep)) == ["drawn_here.Draw"]
    of_object = identity.sources_of({"_target_": "drawn_here.draw"})["drawn_here.draw"]
    assert len(of_object) == 64
    assert identity.sources_of({"_target_": "builtins.len"})  # has no file
    with pytest.raises(InputError, match=r"^_target_=nowhere\.X: cannot be found"):
        identity.sources_of({"_target_": "nowhere.X"})


def test_stored_settings_are_read_back():
    settings = settings_of("data=mnist", "tracking.uri=sqlite:///secret.db", "data.root='~/here'")
    stored = stored_settings.stored_settings(settings, "sha")
    text = stored_settings.to_text(stored)
    again = stored_settings.from_text(text, "run a")
    assert again == stored
    assert "secret" not in text
    assert json.loads(text)["schema"] == stored_settings.SCHEMA
    assert stored_settings.validated(again, "run a").sgd == settings.sgd
    assert again.settings["data"]["root"] == str(Path.home() / "here")


def test_settings_of_the_first_schema_are_read():
    """As version 0.1.0 wrote them: flat, with the data's hash among them."""
    settings = settings_of(*SMALL)
    old = {**settings.model_dump(exclude={"tracking": {"uri"}}), "data_sha256": "data"}
    stored = stored_settings.from_text(json.dumps(old), "run a")
    assert stored.fingerprint == mark()
    assert stored_settings.validated(stored, "run a").model_dump(exclude={"tracking"}) == settings.model_dump(
        exclude={"tracking"}
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": 3}', r"run a: its settings\.json is of schema 3, .* reads schemas 1 to 2"),
        ('{"schema": "x"}', r"run a: its settings\.json cannot be read"),
        ('{"schema": 2}', r"run a: its settings\.json cannot be read"),
        ("[]", r"run a: its settings\.json cannot be read"),
        ("{", r"run a: its settings\.json cannot be read"),
        ("{}", r"run a: its settings\.json cannot be read"),
        ('{"schema": 0, "data_sha256": ""}', r"run a: its settings\.json cannot be read"),
    ],
)
def test_settings_that_cannot_be_read_are_one_line(text: str, message: str):
    with pytest.raises(InputError, match=message) as raised:
        stored_settings.from_text(text, "run a")
    assert "\n" not in str(raised.value)


def test_settings_that_are_not_accepted_are_one_line():
    stored = stored_settings.stored_settings(settings_of(*SMALL), "sha")
    stored.settings["sgd"]["batch_size"] = 0
    with pytest.raises(InputError, match=r"run a: its settings\.json is not accepted: sgd\.batch_size: "):
        stored_settings.validated(stored, "run a")


def test_data_that_are_prepared_in_another_way_have_another_hash():
    plain, inverted = (objects.dataset(settings_of(*SMALL, f"data.invert={value}")) for value in ("false", "true"))
    assert plain.sha256 == digits().sha256 != inverted.sha256
