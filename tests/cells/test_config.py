from pathlib import Path

import pytest

from initodds.cells import config
from initodds.vocabulary import InputError
from tests.conftest import settings_of


def test_the_defaults_are_accepted():
    settings = settings_of()
    assert settings.network.hidden == [30]
    assert settings.outcome.target == settings.data.target_accuracy == 0.85


EXPERIMENTS = sorted(config.directory().glob("experiment/**/*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_is_accepted(path: Path):
    settings_of(f"experiment={path.relative_to(config.directory() / 'experiment').with_suffix('')}")


def test_every_option_of_every_group_is_accepted():
    for group in ("data", "network", "init", "engine", "outcome", "tracking"):
        options = sorted(path.stem for path in (config.directory() / group).glob("*.yaml"))
        assert options
        for option in options:
            settings_of(f"{group}={option}")


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
        (["sgd.reduction=max"], "sgd.reduction=max"),
        (["sgd.orders=0"], "sgd.orders=0"),
        (["init=uniform", "init.low=1"], "init.low=1"),
        (["init=uniform", "init.low=wide"], "init.low=wide"),
        (["init=centred", "init.half_width=-1"], "init.half_width=-1"),
        (["init._target_=nowhere.Init"], "init._target_=nowhere.Init"),
        (["init._target_=builtins.dict"], "init._target_=builtins.dict"),
        (["engine._target_=nowhere.Engine"], "engine._target_=nowhere.Engine"),
        (["network.hidden=[]"], "network.hidden"),
        (["network.hidden=[30,0]"], "network.hidden.1=0"),
        (["network.hidden=30"], "network.hidden=30"),
        (["network.activation=relu"], "network.activation=relu"),
        (["network.cost=hinge"], "network.cost=hinge"),
        (["replicates=0"], "replicates=0"),
        (["seed=-1"], "seed=-1"),
        (["dtype=float16"], "dtype=float16"),
        (["outcome.target=1.5"], "outcome.target=1.5"),
        (["tracking.uri=''"], "tracking.uri="),
        (["+sgd.momentum=0.9"], "sgd.momentum"),
    ],
)
def test_a_bad_value_is_told_in_one_line_with_its_key(overrides: list[str], key: str):
    with pytest.raises(InputError) as raised:
        settings_of(*overrides)
    message = str(raised.value)
    assert key in message
    assert "\n" not in message
    assert len(message) > len(key) + 5  # and what is accepted


def test_a_batch_over_the_training_set_is_refused_with_its_size():
    with pytest.raises(InputError, match=r"sgd\.batch_size=4001: .* 4000"):
        config.dataset(settings_of("sgd.batch_size=4001"))


def test_an_initializer_that_draws_other_shapes_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path):
    (tmp_path / "own_init.py").write_text("def draw(rng, fan_in, fan_out): return rng.random((fan_out, fan_in)), []\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"init\._target_=own_init\.draw"):
        settings_of("init._target_=own_init.draw", "+init._partial_=true", "~init.low", "~init.high")
