"""One test over all outputs with their costs; their errors are held to complex steps in test_network."""

import numpy as np
import pytest
from scipy.optimize import minimize

from initodds.networks.network import Network
from initodds.networks.outputs import OUTPUTS, output_of
from initodds.vocabulary import InputError

every_pair = pytest.mark.parametrize(("output", "cost"), OUTPUTS)


@every_pair
@pytest.mark.parametrize("values", [(0.0, 1.0), (0.01, 0.99), (-0.5, 0.9)])
def test_no_constant_is_better_than_the_best_constant(
    output: str, cost: str, values: tuple[float, float], rng: np.random.Generator
):
    low, high = values
    y = np.where(np.eye(4)[rng.choice(4, size=200, p=[0.5, 0.3, 0.15, 0.05])] == 1, high, low)
    head = output_of(output, cost)
    if head.needs_shares and low < 0:
        pytest.skip("its cost has no least value")

    def mean_cost(z: np.ndarray) -> float:
        a = z[None, None].copy()
        head.activate(a, np.empty_like(a))
        return float(head.cost(z[None, None], a, y[None]).sum() / len(y))

    starts = [np.full(4, 0.1), np.full(4, 0.5), np.array([3.0, 0.0, -3.0, -6.0])]
    least = min(minimize(mean_cost, start, method="BFGS").fun for start in starts)
    assert head.best_constant_cost(y) == pytest.approx(least, rel=1e-3)
    assert head.best_constant_cost(y) <= least + 1e-12


@every_pair
def test_the_exact_error_is_the_error_and_it_moves_as_it_says(output: str, cost: str, rng: np.random.Generator):
    head, y = output_of(output, cost), np.eye(4)[[0, 3, 1]]
    z, moved = rng.normal(size=(2, 2, 3, 4))

    def error_at(z: np.ndarray, exact: bool) -> np.ndarray:
        a, scratch, out = z.copy(), np.empty_like(z), np.empty_like(z)
        head.activate(a, scratch)
        if exact:
            return head.exact_error(z, a, y)
        head.error(z, a, y, out, scratch)
        return out

    np.testing.assert_allclose(error_at(z, exact=True), error_at(z, exact=False), rtol=1e-12, atol=1e-14)
    a = z.copy()
    head.activate(a, np.empty_like(a))
    along = error_at(z + 1e-30j * moved, exact=False).imag / 1e-30
    np.testing.assert_allclose(head.error_along(z, a, y, moved), along, rtol=1e-10, atol=1e-14)


@every_pair
def test_plateau_costs_are_those_of_pinned_outputs(output: str, cost: str):
    head, y = output_of(output, cost), np.eye(4)
    assert len(head.plateau_costs(4)) == (5 if output in ("logistic", "tanh") and cost != "cross_entropy" else 0)
    for pinned, expected in enumerate(head.plateau_costs(4)):
        low, high = head.bounded
        a = np.broadcast_to(np.where(np.arange(4) < pinned, high, low), (1, 4, 4))
        assert head.cost(a, a, y).sum() / 4 == pytest.approx(expected)


def test_plateaus_of_ten_equal_classes_are_the_textbooks():
    np.testing.assert_allclose(output_of("logistic", "quadratic").plateau_costs(10), 0.5 + 0.4 * np.arange(11))


@every_pair
def test_large_pre_activations_overflow_nothing(output: str, cost: str):
    head = output_of(output, cost)
    z = np.array([[[800.0, -800.0, 3.0]]])
    a = z.copy()
    with np.errstate(over="raise", invalid="raise"):
        counted = head.tame(a)
        head.activate(a, np.empty_like(a))
        assert np.isfinite(head.cost(z, a, np.eye(3)[None, [2]])).all()
    naive = {"logistic": z < -709.7, "softmax": z > 709.7}.get(output, np.zeros(z.shape, bool))
    np.testing.assert_array_equal(np.zeros(z.shape, bool) if counted is None else counted, naive)


@pytest.mark.parametrize(
    ("output", "cost", "said"),
    [
        ("sine", "quadratic", "network.output=sine: one of logistic, linear, tanh, relu, softmax"),
        ("linear", "log", "network.cost=log: one of quadratic, mean_squared, cross_entropy"),
        ("linear", "cross_entropy", "network.cost=cross_entropy: does not fit network.output=linear; it fits logistic"),
    ],
)
def test_what_is_unknown_or_does_not_fit_is_refused(output: str, cost: str, said: str):
    with pytest.raises(InputError, match=said):
        Network((3, 2), output=output, cost=cost)


def test_softmax_needs_an_output_for_each_class():
    with pytest.raises(InputError, match=r"network.output=softmax: shares that add up to 1, of two classes"):
        Network((3, 1), output="softmax", cost="cross_entropy")
