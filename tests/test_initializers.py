import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.utils import instantiate
from scipy import stats

from initodds.cells import objects, options
from initodds.initializers import (
    Centred,
    Constant,
    Lsuv,
    Normal,
    Orthogonal,
    PerLayer,
    RandomizedAsymmetric,
    SklearnMLP,
    TorchLinear,
    TruncatedNormal,
    Uniform,
    Units,
    VarianceScaling,
    WithBias,
    Zeros,
    draw_network,
)
from initodds.vocabulary import InputError
from tests.conftest import settings_of

FAN_IN, FAN_OUT = 300, 200


def uniform_within(half_width: float):
    return stats.uniform(-half_width, 2 * half_width)


def truncated(std: float):
    return stats.truncnorm(-2, 2, scale=std)


# For each option of the group init: the distribution of its weights and that of its biases, by its definition.
EXPECTED = {
    "unit": (stats.uniform(0, 1), stats.uniform(0, 1)),
    "half": (stats.uniform(-0.5, 1), stats.uniform(-0.5, 1)),
    "symmetric": (stats.uniform(-1, 2), stats.uniform(-1, 2)),
    "uniform": (stats.uniform(-0.5, 1), stats.uniform(-0.5, 1)),
    "centred": (stats.uniform(-0.5, 1), stats.uniform(-0.5, 1)),
    "gaussian": (stats.norm(0, 1), stats.norm(0, 1)),
    "scaled_gaussian": (stats.norm(0, 1 / math.sqrt(FAN_IN)), stats.norm(0, 1)),
    "lecun_normal": (stats.norm(0, 1 / math.sqrt(FAN_IN)), 0),
    "he_normal": (stats.norm(0, math.sqrt(2 / FAN_IN)), 0),
    "xavier_normal": (stats.norm(0, math.sqrt(2 / (FAN_IN + FAN_OUT))), 0),
    "xavier_uniform": (stats.uniform(-math.sqrt(6 / 500), 2 * math.sqrt(6 / 500)), 0),
    "zeros": (0, 0),
    "constant": (0.1, 0.1),
    "torch_linear": (uniform_within(1 / math.sqrt(FAN_IN)), uniform_within(1 / math.sqrt(FAN_IN))),
    "keras_dense": (uniform_within(math.sqrt(6 / 500)), 0),
    "sklearn_mlp": (uniform_within(math.sqrt(6 / 500)), uniform_within(math.sqrt(6 / 500))),
    "flax_dense": (truncated(1 / math.sqrt(FAN_IN) / 0.87962566103423978), 0),
    "he_uniform": (uniform_within(math.sqrt(6 / FAN_IN)), 0),
    "lecun_uniform": (uniform_within(math.sqrt(3 / FAN_IN)), 0),
    "truncated_normal": (truncated(0.05), 0),
}

# Of these, one number says too little: each has a test of its own.
JOINT = {"orthogonal", "lsuv", "randomized_asymmetric"}
# What this one draws is the user's, see test_from_function.py.
OWN = {"from_function"}


def test_every_option_of_the_group_has_its_expected_distribution():
    assert {path.stem for path in (options.directory() / "init").glob("*.yaml")} == set(EXPECTED) | JOINT | OWN


@pytest.mark.parametrize("name", EXPECTED)
def test_draws_follow_the_definition(name: str):
    made = instantiate(yaml.safe_load(Path(options.directory(), "init", f"{name}.yaml").read_text()))
    weights, biases = made(np.random.default_rng(3), FAN_IN, FAN_OUT)
    assert (weights.shape, biases.shape) == ((FAN_IN, FAN_OUT), (FAN_OUT,))
    for drawn, distribution in zip((weights, biases), EXPECTED[name], strict=True):
        if isinstance(distribution, int | float):
            assert (drawn == distribution).all()
        else:
            assert stats.kstest(drawn.ravel(), distribution.cdf).pvalue > 1e-3


def test_two_ranges_at_one_seed_are_the_same_draw_moved_and_scaled():
    unit, _ = Uniform(0, 1)(np.random.default_rng(5), 4, 3)
    wide, _ = Centred(centre=2, half_width=3)(np.random.default_rng(5), 4, 3)
    np.testing.assert_allclose(wide, -1 + 6 * unit)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Uniform(2, 1), "low=2"),
        (lambda: Uniform(float("nan"), 1), "low=nan"),
        (lambda: Uniform(0, True), "high=True"),
        (lambda: Centred(0, -0.1), "half_width=-0.1"),
        (lambda: Normal(-1), "std=-1"),
        (lambda: Normal(None), "std=None"),  # type: ignore[arg-type]
        (lambda: VarianceScaling(1, "fan_out", "normal"), "fan=fan_out"),  # type: ignore[arg-type]
        (lambda: VarianceScaling(1, "fan_in", "cauchy"), "distribution=cauchy"),  # type: ignore[arg-type]
        (lambda: VarianceScaling(-2, "fan_in", "normal"), "gain=-2"),
        (lambda: VarianceScaling("much", "fan_in", "normal"), "gain=much: auto"),  # type: ignore[arg-type]
        (lambda: Orthogonal(-1), "gain=-1"),
        (lambda: TruncatedNormal(-1), "std=-1"),
        (lambda: Constant(float("inf")), "value=inf"),
        (lambda: Lsuv(-0.1), "tolerance=-0.1"),
        (lambda: WithBias(Zeros(), float("nan")), "bias=nan"),
    ],
)
def test_a_bad_value_is_named(make, key: str):
    with pytest.raises(InputError, match=key):
        make()


def test_a_range_of_no_width_is_a_constant():
    weights, biases = Uniform(0.25, 0.25)(np.random.default_rng(0), 2, 2)
    assert (weights == 0.25).all()
    assert (biases == 0.25).all()
    assert not Zeros()(np.random.default_rng(0), 2, 2)[0].any()


# Minimum, nine deciles and maximum of the weights and biases of a layer 300 -> 200 as the framework drew it once:
# PyTorch 2.14.1, nn.Linear(300, 200) after manual_seed(0); Flax 0.12.8 with JAX 0.10.2, nn.Dense(200), key(0);
# PyTorch's trunc_normal_(std=0.05, a=-0.1, b=0.1) for what Keras calls TruncatedNormal(stddev=0.05).
# fmt: off
DRAWN = {
    "torch_linear": [
        [-0.057734, -0.046097, -0.034364, -0.022813, -0.011318, 1.9247e-05, 0.01154, 0.022966, 0.034469, 0.046192,
         0.057733],
        [-0.056779, -0.047626, -0.034081, -0.021969, -0.013832, -0.001203, 0.0055344, 0.025399, 0.039884, 0.048707,
         0.057456],
    ],
    "flax_dense": [
        [-0.1312, -0.078567, -0.052351, -0.033008, -0.016238, -0.00044236, 0.015341, 0.032299, 0.051724, 0.077462,
         0.13125],
        [0.0] * 11,
    ],
    "truncated_normal": [
        [-0.099993, -0.059145, -0.039645, -0.025129, -0.012382, -0.00055952, 0.011387, 0.024252, 0.039072, 0.058839,
         0.099961],
        [0.0] * 11,
    ],
}
# fmt: on


@pytest.mark.parametrize("name", DRAWN)
def test_what_a_framework_drew_is_of_the_same_law(name: str):
    made = instantiate(yaml.safe_load(Path(options.directory(), "init", f"{name}.yaml").read_text()))
    for drawn, theirs in zip(made(np.random.default_rng(4), FAN_IN, FAN_OUT), DRAWN[name], strict=True):
        # The share of ours under each of their deciles: two samples, so twice the variance p (1 - p) / n.
        shares, deciles = [np.mean(drawn < value) for value in theirs[1:-1]], np.linspace(0.1, 0.9, 9)
        if drawn.any():
            assert (np.abs(shares - deciles) < 4 * np.sqrt(2 * deciles * (1 - deciles) / drawn.size)).all()
            width = theirs[-1] - theirs[0]
            np.testing.assert_allclose([drawn.min(), drawn.max()], [theirs[0], theirs[-1]], atol=0.03 * width)
        else:
            assert not any(theirs)


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
def test_sklearn_mlp_is_what_scikit_learn_draws(activation: str):
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(20, 30)), np.arange(20) % 10
    theirs = MLPClassifier((25,), activation=activation, solver="sgd", learning_rate_init=1e-300, max_iter=1, alpha=0)
    with pytest.warns(UserWarning, match="hasn.t converged"):  # in one epoch
        theirs.set_params(random_state=5).fit(x, labels)
    units = [Units(activation), Units("softmax")]
    ours = draw_network(SklearnMLP(), np.random.RandomState(5), [(30, 25), (25, 10)], units)  # type: ignore[arg-type]
    for (weights, biases), their_weights, their_biases in zip(ours, theirs.coefs_, theirs.intercepts_, strict=True):
        np.testing.assert_allclose(weights, their_weights, rtol=1e-12)
        np.testing.assert_allclose(biases, their_biases, rtol=1e-12)


def test_sklearn_mlp_goes_by_the_hidden_units_alone():
    for units, factor in ([Units("logistic")], 6), ([Units("logistic"), Units("softmax")], 2):
        layers = draw_network(SklearnMLP(), np.random.default_rng(0), [(90, 110), (110, 90)][: len(units)], units)
        assert abs(layers[-1][0]).max() == pytest.approx(math.sqrt(factor / 200), rel=1e-3)


def test_gain_auto_is_each_layers_own():
    units = [Units("relu", math.sqrt(2)), Units("tanh", 5 / 3), Units("softmax")]
    shapes = [(400, 300), (300, 500), (500, 200)]
    scaled = draw_network(VarianceScaling("auto", "fan_in", "normal"), np.random.default_rng(1), shapes, units)
    for (weights, _), (fan_in, _), variance_gain in zip(scaled, shapes, (2, 25 / 9, 1), strict=True):
        assert stats.kstest(weights.ravel(), stats.norm(0, math.sqrt(variance_gain / fan_in)).cdf).pvalue > 1e-3
    orthogonal = draw_network(Orthogonal("auto"), np.random.default_rng(1), shapes, units)
    for (weights, _), gain in zip(orthogonal, (math.sqrt(2), 5 / 3, 1), strict=True):
        np.testing.assert_allclose(np.linalg.svd(weights, compute_uv=False), gain)
    # And as with gain 1 where there is no network around it.
    alone, _ = VarianceScaling("auto", "fan_in", "normal")(np.random.default_rng(1), 4, 3)
    np.testing.assert_array_equal(alone, VarianceScaling(1, "fan_in", "normal")(np.random.default_rng(1), 4, 3)[0])


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5), (1, 3)])
def test_orthogonal_columns_or_rows(shape: tuple[int, int]):
    weights, biases = Orthogonal(gain=3)(np.random.default_rng(2), *shape)
    assert weights.shape == shape
    assert not biases.any()
    small = weights.T @ weights if shape[0] >= shape[1] else weights @ weights.T
    np.testing.assert_allclose(small, 9 * np.eye(min(shape)), atol=1e-12)


def test_orthogonal_matrices_are_uniform_among_themselves():
    """Each unit vector's entry then has the law of the first coordinate of a random point of the sphere: its square is
    Beta(1/2, (n - 1) / 2), and either sign is as likely. QR's own choice of signs would fail it."""
    drawn = np.array([Orthogonal()(np.random.default_rng(seed), 4, 4)[0] for seed in range(2000)])
    for row, column in ((0, 0), (1, 2), (3, 3)):
        entries = drawn[:, row, column]
        assert stats.kstest(entries**2, stats.beta(0.5, 1.5).cdf).pvalue > 1e-3
        assert stats.binomtest(int((entries > 0).sum()), len(entries)).pvalue > 1e-3


def test_randomized_asymmetric_is_the_published_algorithm():
    fan_in, fan_out = 6, 20_000
    weights, biases = RandomizedAsymmetric()(np.random.default_rng(7), fan_in, fan_out)
    ours = np.vstack([weights, biases])
    # Algorithm 1 of the paper, one unit after another.
    rng = np.random.default_rng(8)
    theirs = np.empty((fan_in + 1, fan_out))
    for unit in range(fan_out):
        theirs[:, unit] = rng.normal(0, 0.6007 / math.sqrt(fan_in), fan_in + 1)
        theirs[rng.integers(0, fan_in + 1), unit] = rng.beta(2, 1)
    for row in range(fan_in + 1):
        assert stats.ks_2samp(ours[row], theirs[row]).pvalue > 1e-3
    for statistic in (np.max, np.min, np.sum):
        assert stats.ks_2samp(statistic(ours, axis=0), statistic(theirs, axis=0)).pvalue > 1e-3
    # And by its law: one of the seven is from Beta(2, 1), of mean 2/3.
    assert ours.mean() == pytest.approx(2 / 3 / (fan_in + 1), abs=4 * ours.std() / math.sqrt(ours.size))


@pytest.mark.parametrize("function", [np.tanh, lambda z: np.maximum(z, 0)])
def test_lsuv_gives_every_layer_unit_variance(function):
    rng = np.random.default_rng(9)
    batch, shapes = 7 * rng.random((300, 40)), [(40, 30), (30, 30), (30, 10)]
    layers = draw_network(Lsuv(), rng, shapes, [Units(function=function)] * 3, batch)
    inputs = batch
    for weights, biases in layers:
        pre_activations = inputs @ weights + biases
        assert pre_activations.var() == pytest.approx(1, abs=0.1)
        singular = np.linalg.svd(weights, compute_uv=False)  # orthonormal still, but for one factor
        np.testing.assert_allclose(singular, singular[0])
        inputs = function(pre_activations)


def test_lsuv_leaves_what_it_cannot_scale_and_needs_a_batch():
    (weights, _), *_ = draw_network(Lsuv(), np.random.default_rng(0), [(3, 3)], batch=np.zeros((5, 3)))
    np.testing.assert_allclose(weights.T @ weights, np.eye(3), atol=1e-12)
    with pytest.raises(InputError, match="batch"):
        draw_network(Lsuv(), np.random.default_rng(0), [(3, 3)])


@pytest.mark.parametrize(("width", "depth", "dead"), [(2, 2, 620), (2, 10, 3592), (3, 10, 2528), (5, 20, 1524)])
def test_deep_narrow_relu_networks_are_born_dead_as_often_as_elsewhere(width: int, depth: int, dead: int):
    """Beside an independent program's count among 4,000: networks from He's normal law, biases 0, that answer the same
    to every x from [-sqrt 3, sqrt 3]. Lu et al. (2019) have the theory."""
    he, networks = VarianceScaling(2, "fan_in", "normal"), 1000
    shapes = [(1, width), *[(width, width)] * (depth - 1), (width, 1)]
    x = np.linspace(-math.sqrt(3), math.sqrt(3), 21)[:, None]
    ours = 0
    for seed in range(networks):
        activations = x
        *hidden, (weights, _) = draw_network(he, np.random.default_rng(seed), shapes)
        for hidden_weights, _ in hidden:
            activations = np.maximum(activations @ hidden_weights, 0)
        ours += np.ptp(activations @ weights) == 0
    assert stats.fisher_exact([[ours, networks - ours], [dead, 4000 - dead]]).pvalue > 1e-3


def test_a_network_is_drawn_layer_by_layer_from_one_generator():
    """As it was before there were places: results that are stored hang on it."""
    rule, shapes = Uniform(-0.5, 0.5), [(5, 4), (4, 3)]
    rng = np.random.default_rng(3)
    for ours, (fan_in, fan_out) in zip(draw_network(rule, np.random.default_rng(3), shapes), shapes, strict=True):
        np.testing.assert_array_equal(ours[0], rng.uniform(-0.5, 0.5, (fan_in, fan_out)))
        np.testing.assert_array_equal(ours[1], rng.uniform(-0.5, 0.5, fan_out))


def test_biases_set_apart_leave_the_weights():
    shapes = [(5, 4), (4, 3)]
    alone = draw_network(Normal(0.01), np.random.default_rng(3), shapes)
    apart = draw_network(WithBias(Normal(0.01), 0.25), np.random.default_rng(3), shapes)
    for mine, reference in zip(apart, alone, strict=True):
        np.testing.assert_array_equal(mine[0], reference[0])
        assert (mine[1] == 0.25).all()
    _, by_law = WithBias(Zeros(), TorchLinear())(np.random.default_rng(3), 100, 2000)
    assert stats.kstest(by_law, uniform_within(0.1).cdf).pvalue > 1e-3


def test_a_rule_for_one_layer():
    shapes = [(5, 4), (4, 3), (3, 2)]
    rule = PerLayer(Constant(1), {0: Constant(2), -1: WithBias(Constant(3), 4)})
    layers = draw_network(rule, np.random.default_rng(0), shapes)
    assert [(w[0, 0], b[0]) for w, b in layers] == [(2, 2), (1, 1), (3, 4)]
    with pytest.raises(InputError, match=r"init\.layers\.3: 0 to 2"):
        draw_network(PerLayer(Constant(1), {3: Zeros()}), np.random.default_rng(0), shapes)


def test_an_initializer_of_the_users_own_may_know_its_place():
    class ByDepth:
        def __call__(self, rng, fan_in, fan_out):
            raise AssertionError

        def draw_at(self, rng, fan_in, fan_out, place):
            return np.full((fan_in, fan_out), float(place.index)), place.inputs().mean(axis=0)[:fan_out]

    (first, _), (second, biases) = draw_network(
        ByDepth(), np.random.default_rng(0), [(2, 2), (2, 2)], [Units(function=lambda z: z + 1)] * 2, np.ones((3, 2))
    )
    assert (first == 0).all()
    assert (second == 1).all()
    assert biases.tolist() == [2, 2]  # 1 * 0 + 1, the first layer's bias, and 1 of its function


@pytest.mark.parametrize(
    ("overrides", "made"),
    [
        (["init=gaussian", "init.std=0.01", "init.bias=0"], WithBias(Normal(0.01), 0)),
        (["init.bias=zeros"], WithBias(Uniform(-0.5, 0.5), Zeros())),
        (["init.bias={init: gaussian, std: 0.01}"], WithBias(Uniform(-0.5, 0.5), Normal(0.01))),
        (["init=zeros", "init.layers={-1:unit}"], PerLayer(Zeros(), {-1: Uniform(0.0, 1.0)})),
        (
            ["init=zeros", "init.layers={0: lsuv, -1: {init: gaussian, bias: 0.5}}"],
            PerLayer(Zeros(), {0: Lsuv(), -1: WithBias(Normal(1.0), 0.5)}),
        ),
        (["init=orthogonal", "init.gain=auto"], Orthogonal("auto")),
    ],
)
def test_rules_composed_on_the_command_line(overrides: list[str], made: object):
    assert objects.initializer(settings_of(*overrides)).initializer == made


def test_settings_that_ask_for_nothing_more_are_as_before_there_was_more():
    assert settings_of().init == {"_target_": "initodds.initializers.Uniform", "low": -0.5, "high": 0.5}
    assert settings_of("init.layers={}").init == settings_of().init
    init = settings_of("init.layers={-1: zeros, 0: {init: gaussian, bias: 0}}").init
    assert json.loads(json.dumps(init)) == init


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("init.bias=nothing", "init.bias=nothing: an option of the group init, one of centred, "),
        ("init.bias=nan", "init.bias=nan: a finite number"),
        ("init.bias={std: 1}", "init.bias={'std': 1}: an option of the group init"),
        ("init.layers=zeros", "init.layers=zeros: options by the layer's place"),
        ("init.layers={last: zeros}", "init.layers={'last': 'zeros'}: options by"),
        ("init.layers={2: zeros}", "init.layers.2: 0 to 1"),
        ("init.layers={-1: {init: gaussian, std: -1}}", "init.std=-1: a number of at least 0"),
        ("init.layers={-1: {init: gaussian, width: 1}}", "'width'"),
    ],
)
def test_a_bad_composition_is_told_in_one_line(override: str, message: str):
    with pytest.raises(InputError) as raised:
        settings_of(override)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
