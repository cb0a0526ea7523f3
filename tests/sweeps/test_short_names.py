"""Names of a sweep's cells: short, and one for each."""

import itertools

import pytest

from initodds.sweeps.names import short_name, swept_part


def init(rule: str, **numbers: float) -> dict[str, object]:
    return {"_target_": f"initodds.initializers.{rule}", **numbers}


UNIT = init("Uniform", low=0.0, high=1.0)


@pytest.mark.parametrize(
    ("overrides", "rule", "name"),
    [
        ("init=unit sgd.batch_size=9 sgd.learning_rate=3.0", UNIT, "U[0, 1] · batch 9 · rate 3.0"),
        ("init=uniform init.low=-0.25 init.high=1", init("Uniform", low=-0.25, high=1.0), "U[-0.25, 1]"),
        ("init=gaussian", init("Normal", std=1.0), "N(0, 1)"),
        ("init=gaussian init.std=0.1", init("Normal", std=0.1), "N(0, 0.1²)"),
        ("init=centred init.centre=0.02", init("Centred", centre=0.02, half_width=0.5), "U[0.02 ± 0.5]"),
        ("init=xavier_uniform", init("VarianceScaling", scale=1.0), "xavier_uniform"),
        ("init=unit init.bias=0.5", init("Uniform", low=0.0, high=1.0, bias=0.5), "U[0, 1] · bias 0.5"),
        ("data=xor network.hidden=[2] seed=3", init("Uniform", low=0.0, high=1.0), "xor · hidden [2] · seed 3"),
        ("init.bias=1 network.bias=true", init("Zeros"), "init.bias 1 · network.bias true"),
        ("init._target_=mine.Draw", {"_target_": "mine.Draw", "low": 0.0, "high": 1.0}, "target mine.Draw"),
    ],
)  # fmt: skip
def test_a_cell_is_named_by_what_was_swept(overrides: str, rule: dict[str, object], name: str):
    given = overrides.split()
    swept = [text.partition("=")[0] for text in given]
    assert short_name([*given, "replicates=3"], swept, rule) == name


def test_no_two_cells_of_a_sweep_have_one_name():
    lows, highs, batches = (-1, -0.5, -0.1000000001, -0.1), (0.5, 1, 1e-7), (1, 10, 100)
    names = [
        short_name(
            [f"init.low={low}", f"init.high={high}", f"sgd.batch_size={batch}"],
            ["init.low", "init.high", "sgd.batch_size"],
            init("Uniform", low=low, high=high),
        )
        for low, high, batch in itertools.product(lows, highs, batches)
    ]
    assert len(set(names)) == len(names) == 36


def test_what_cannot_be_run_is_named_as_the_command_line_has_it():
    assert swept_part(["data=digits", "init=nothere", "seed=1"], ["init", "seed"]) == "init=nothere seed=1"
    assert swept_part(["data=digits"], []) == "data=digits"
