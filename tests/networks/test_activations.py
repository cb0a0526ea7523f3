"""One test over all activations: each of an entry's parts against the others, and against what is published."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from initodds.networks.activations import ACTIVATIONS, FLAT_SLOPE, Activation, LeakyRelu, activation_of
from initodds.vocabulary import InputError

Z = np.concatenate([np.arange(-3000, 0) / 100, [-1e-9], np.arange(1, 3001) / 100, [-300.0, 300.0]])
every_activation = pytest.mark.parametrize("activation", [kind() for kind in ACTIVATIONS.values()], ids=ACTIVATIONS)


@every_activation
def test_slope_and_second_derivative_are_those_of_the_value(activation: Activation):
    z, step = Z[(np.abs(Z) > 1e-5) & (np.abs(Z) < 25)], 1e-30
    np.testing.assert_allclose(activation.value(z + 1j * step).imag / step, activation.slope(z), rtol=1e-9, atol=1e-12)
    differences = (activation.slope(z + 1e-6) - activation.slope(z - 1e-6)) / 2e-6
    np.testing.assert_allclose(activation.second(z), differences, rtol=1e-5, atol=1e-8)


@every_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_training_calls_is_the_definition(activation: Activation, dtype: type):
    z = Z.astype(dtype)
    a, scratch = z.copy(), np.empty_like(z)
    activation.tame(a)
    activation.activate(a, scratch)
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(a, activation.value(z), **tolerance)
    kept = z if activation.needs_pre_activation else None
    error = np.full_like(z, 2)
    activation.times_slope(kept, a, error, scratch)
    np.testing.assert_allclose(error, 2 * activation.slope(z.astype(float)), **tolerance)
    share = np.abs(activation.slope(Z)) / activation.steepest
    if activation.ends == (None, None):  # as leaky_relu, which goes on, however slowly
        share = np.ones_like(share)
    if activation.name in ("gelu", "silu"):  # which are level where they turn round, and not for good
        share = np.where(Z[activation.slope(Z).argmin()] >= Z, share, 1)
    clear = np.abs(share - FLAT_SLOPE) > 1e-4
    np.testing.assert_array_equal(activation.is_flat(kept, a)[clear], (share < FLAT_SLOPE)[clear])


@every_activation
def test_ends_bounds_and_steepest_slope_are_the_functions(activation: Activation):
    values, slopes = activation.value(Z), activation.slope(Z)
    assert slopes.max() == pytest.approx(activation.steepest, rel=1e-4)
    least, greatest = activation.bounded
    assert values.min() == pytest.approx(least, abs=1e-4) if math.isfinite(least) else values.min() < -1
    assert values.max() == pytest.approx(greatest, abs=1e-4) if math.isfinite(greatest) else values.max() > 10
    is_flat = activation.is_flat(Z, values)
    for end, side in zip(activation.ends, (Z < -25, Z > 25), strict=True):
        assert is_flat[side].all() == (end is not None)
        if end is not None:
            np.testing.assert_allclose(values[side], end, atol=1e-6)


def test_gelu_is_exact_where_it_is_nearly_flat():
    # Phi(-9) and phi(9), to twelve digits.
    below, density = 1.12858840595e-19, 1.02797735717e-18
    gelu, z = activation_of("gelu"), np.array([-9.0])
    np.testing.assert_allclose(gelu.value(z), -9 * below, rtol=1e-11)
    np.testing.assert_allclose(gelu.slope(z), below - 9 * density, rtol=1e-11)


def test_a_leaky_relu_has_the_slope_that_it_is_given():
    assert LeakyRelu(0.2).value(np.array([-1.0, 1.0])).tolist() == [-0.2, 1.0]
    with pytest.raises(InputError, match=r"network\.negative_slope=1"):
        LeakyRelu(1.0)


def test_an_unknown_activation_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"network.activation=sine: one of logistic, tanh, relu"):
        activation_of("sine")


# PyTorch 2.14.1's torch.nn.init.calculate_gain(name), and for leaky_relu calculate_gain(name, 0.2).
TORCH_GAINS = {
    "linear": 1,
    "logistic": 1,
    "tanh": 1.6666666666666667,
    "relu": 1.4142135623730951,
    "selu": 0.75,
}


@pytest.mark.parametrize("name", TORCH_GAINS)
def test_gains_are_pytorchs(name: str):
    assert activation_of(name).gain == TORCH_GAINS[name]
    assert LeakyRelu(0.2).gain == 1.3867504905630728


@pytest.mark.parametrize("name", ["relu", "elu", "gelu", "silu", "softplus"])
def test_other_gains_keep_the_mean_square(name: str):
    activation = activation_of(name)

    def integrand(z: float) -> float:
        return float(activation.value(np.array(z))) ** 2 * stats.norm.pdf(z)

    mean_square = sum(integrate.quad(integrand, *ends, epsabs=1e-13)[0] for ends in ((-30, 0), (0, 30)))
    assert activation.gain == pytest.approx(1 / math.sqrt(mean_square), rel=1e-10)
