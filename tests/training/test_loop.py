import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import accuracy_score, recall_score

from initodds.datasets import Split
from initodds.datasets.tasks import Classification
from initodds.engines.stacked import Stacked
from initodds.networks.network import Network, Stack
from initodds.training import evaluation, loop
from initodds.training.evaluation import evaluate
from initodds.training.history import Checkpoint, History, gather
from tests.conftest import problem_of, random_layers

NETWORK = Network((6, 4, 3))
TASK = Classification(classes=3, outputs=3)


def example_split(examples: int, rng: np.random.Generator) -> Split:
    return Split(rng.random((examples, 6)).astype(np.float32), rng.permutation(np.arange(examples) % 3))


@given(examples=st.integers(1, 50), batch_size=st.integers(1, 50), epochs=st.integers(1, 3))
def test_each_epoch_takes_every_example_once(examples: int, batch_size: int, epochs: int):
    batches: list[np.ndarray] = []

    class Recorder:
        overflows = np.zeros(1)

        def steps(self, rows: np.ndarray, factors: np.ndarray | None = None) -> None:
            batches.extend(rows[0])

        def stack(self) -> Stack:
            return Stack(Network((1, 1)), [[(np.zeros((1, 1)), np.zeros(1))]], np.float64)

    seen = Checkpoint(*np.zeros((6, 1)))
    order = np.random.default_rng(0)
    loop.train(
        Recorder(), examples, lambda stack: seen, batch_size=batch_size, epochs=epochs, checkpoints=3, orders=[order]
    )
    assert (
        all(len(rows) == batch_size or (len(rows) == examples % batch_size) for rows in batches)
        or batch_size > examples
    )
    order = np.concatenate(batches).reshape(epochs, examples)
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(examples), (epochs, 1)))


def test_checkpoints_are_log_spaced_in_the_first_epoch_and_then_one_an_epoch():
    assert loop.first_epoch_checkpoints(1000, 4) == [1, 10, 100, 1000]
    assert loop.first_epoch_checkpoints(5, 0) == [5]
    assert loop.first_epoch_checkpoints(1, 8) == [1]
    assert loop.epochs_looked_after(100) == set(range(1, 101))
    many = loop.epochs_looked_after(20_000)
    assert len(many) <= 100
    assert {1, 2, 20_000} <= many


@pytest.mark.parametrize("rows_at_once", [1000, 7])
def test_evaluation_equals_scikit_learn_and_plain_formulas(
    rows_at_once: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(evaluation, "EVALUATION_ROWS", rows_at_once)
    split = example_split(33, rng)
    layers = random_layers(NETWORK, 4, rng, scale=2)
    layers[1][0][0][:, 0] = 100  # one hidden unit of network 1 is saturated on every example
    layers[2][1][1][:] = (50, -50, 0)  # network 2 has its first output pinned high, its second low
    seen = evaluate(Stack(NETWORK, layers, np.float64), split, TASK)
    for r, ((w1, b1), (w2, b2)) in enumerate(layers):
        hidden = expit(split.x.astype(float) @ w1 + b1)
        outputs = expit(hidden @ w2 + b2)
        named = outputs.argmax(axis=1)
        assert seen.score[r] == pytest.approx(accuracy_score(split.y, named))
        recall = recall_score(split.y, named, average=None, zero_division=0)
        np.testing.assert_allclose(seen.part_scores[r], recall)
        squared = (outputs - np.eye(3)[split.y]) ** 2
        assert seen.cost[r] == pytest.approx(0.5 * squared.sum(axis=1).mean())
        saturated = (hidden * (1 - hidden) < 0.01).mean(axis=0) >= 0.99
        assert seen.hidden_saturated[r] == pytest.approx(saturated.mean())
        assert seen.outputs_high[r] == ((outputs > 0.99).mean(axis=0) >= 0.99).sum()
        assert seen.outputs_low[r] == ((outputs < 0.01).mean(axis=0) >= 0.99).sum()
    assert seen.hidden_saturated[1] >= 0.25
    assert (seen.outputs_high[2], seen.outputs_low[2]) == (1, 1)


def test_the_history_is_what_one_sees_by_stepping_by_hand(rng: np.random.Generator):
    split, test = example_split(20, rng), example_split(15, rng)
    layers = random_layers(NETWORK, 2, rng)
    targets = np.eye(3)[split.y]

    def engine() -> Stacked:
        return Stacked(problem_of(NETWORK, split.x, targets), layers)

    epochs_seen = []
    history = loop.train(
        engine(),
        20,
        lambda stack: evaluate(stack, test, TASK),
        batch_size=6,
        epochs=2,
        checkpoints=2,
        orders=[np.random.default_rng(8)],
        on_epochs=epochs_seen.append,
    )
    by_hand = engine()
    order = np.random.default_rng(8)
    seen = [evaluate(by_hand.stack(), test, TASK)]
    for epoch in range(2):
        permutation = order.permutation(20)
        for k in range(4):
            by_hand.steps(permutation[None, 6 * k : 6 * k + 6])
            if (epoch, k) == (0, 0) or k == 3:
                seen.append(evaluate(by_hand.stack(), test, TASK))
    assert history.steps.tolist() == [0, 1, 4, 8]
    assert epochs_seen == [1, 1]
    np.testing.assert_array_equal(history.score, [checkpoint.score for checkpoint in seen])
    np.testing.assert_array_equal(history.cost, [checkpoint.cost for checkpoint in seen])
    np.testing.assert_array_equal(history.layers[1][0][0], by_hand.stack().replicate(1)[0][0])


def test_gather_puts_replicates_where_they_belong(rng: np.random.Generator):
    split = example_split(12, rng)
    layers = random_layers(NETWORK, 5, rng)

    def trained(members: list[int]) -> History:
        engine = Stacked(problem_of(NETWORK, split.x, np.eye(3)[split.y]), [layers[r] for r in members])
        order = np.random.default_rng(0)
        return loop.train(
            engine,
            12,
            lambda stack: evaluate(stack, split, TASK),
            batch_size=5,
            epochs=1,
            checkpoints=2,
            orders=[order],
        )

    members = [[0, 3], [4, 1], [2]]
    gathered = gather([trained(part) for part in members], members)
    together = trained([0, 1, 2, 3, 4])
    assert gathered.replicates == 5
    for name in ("score", "cost", "part_scores", "hidden_saturated", "outputs_high", "finite", "overflows"):
        np.testing.assert_allclose(getattr(gathered, name), getattr(together, name), atol=1e-12)
    for mine, reference in zip(gathered.layers, together.layers, strict=True):
        np.testing.assert_allclose(mine[0][0], reference[0][0], atol=1e-12)
