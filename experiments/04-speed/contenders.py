"""Every way a user would train many small networks, each written as its own users would write it well.

A contender is made from the initial layers of R networks, the training set, and one batch size; `steps(rows)` takes
the SGD steps of network r on the mini-batches `rows[r]` (steps, batch), so that each has an order of its own, and
`layers()` gives the networks back. All do the same: 784-30-10, logistic units, quadratic cost, the mini-batch's mean
gradient.
"""

from collections.abc import Sequence

import numpy as np

from initodds.engines import Problem
from initodds.engines.compiled import Compiled
from initodds.engines.optimizers import SGD
from initodds.engines.per_example import PerExample
from initodds.engines.stacked import Stacked
from initodds.networks.network import Layer, Network

Array = np.ndarray
RATE = 3.0


class Ours:
    """This project's compiled engine."""

    engine: type = Compiled
    one_by_one = False

    def __init__(self, layers: Sequence[Sequence[Layer]], x: Array, targets: Array, batch: int, dtype: str) -> None:
        network = Network((784, 30, 10))
        self.made = self.engine(Problem(network, x, targets, SGD(RATE), "mean", np.dtype(dtype)), layers)

    def steps(self, rows: Array) -> None:
        self.made.steps(rows)

    def layers(self) -> list[list[Layer]]:
        stack = self.made.stack()
        return [stack.replicate(r) for r in range(stack.replicates)]


class OursByNumpy(Ours):
    """This project's NumPy engine."""

    engine = Stacked


class PerExampleLoop(Ours):
    """The textbook's loop over examples, one network after another."""

    engine = PerExample
    one_by_one = True


class TorchLoop:
    """PyTorch, one network after another: a module, an optimizer, a loop."""

    one_by_one = True

    def __init__(self, layers: Sequence[Sequence[Layer]], x: Array, targets: Array, batch: int, dtype: str) -> None:
        import torch
        from torch import nn

        torch.set_num_threads(1)
        self.torch, self.dtype = torch, getattr(torch, dtype)
        self.x, self.targets = torch.as_tensor(x, dtype=self.dtype), torch.as_tensor(targets, dtype=self.dtype)
        self.models = []
        for (w1, b1), (w2, b2) in layers:
            model = nn.Sequential(nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10), nn.Sigmoid()).to(self.dtype)
            with torch.no_grad():
                for parameter, value in zip(model.parameters(), (w1.T, b1, w2.T, b2), strict=True):
                    parameter.copy_(torch.as_tensor(value))
            self.models.append(model)

    def steps(self, rows: Array) -> None:
        for model, indices in zip(self.models, self.torch.as_tensor(rows), strict=True):
            optimizer = self.torch.optim.SGD(model.parameters(), lr=RATE)
            for batch in indices:
                optimizer.zero_grad(set_to_none=True)
                loss = 0.5 * ((model(self.x[batch]) - self.targets[batch]) ** 2).sum() / len(batch)
                loss.backward()
                optimizer.step()

    def layers(self) -> list[list[Layer]]:
        result = []
        for model in self.models:
            w1, b1, w2, b2 = (parameter.detach().numpy() for parameter in model.parameters())
            result.append([(w1.T, b1), (w2.T, b2)])
        return result


class TorchStacked:
    """PyTorch, the networks stacked by hand: each layer of all networks is one batched product; gradients by
    autograd."""

    one_by_one = False

    def __init__(self, layers: Sequence[Sequence[Layer]], x: Array, targets: Array, batch: int, dtype: str) -> None:
        import torch

        torch.set_num_threads(1)
        self.torch, kind = torch, getattr(torch, dtype)
        self.x, self.targets = torch.as_tensor(x, dtype=kind), torch.as_tensor(targets, dtype=kind)
        self.count = len(layers)
        arrays = [
            part
            for number in (0, 1)
            for part in (
                np.stack([layer[number][0] for layer in layers]),
                np.stack([layer[number][1] for layer in layers])[:, None],
            )
        ]
        self.parameters = [torch.tensor(array, dtype=kind, requires_grad=True) for array in arrays]

    def steps(self, rows: Array) -> None:
        torch = self.torch
        w1, b1, w2, b2 = self.parameters
        for batch in torch.as_tensor(rows).transpose(0, 1):
            hidden = torch.sigmoid(torch.baddbmm(b1, self.x[batch], w1))
            outputs = torch.sigmoid(torch.baddbmm(b2, hidden, w2))
            loss = 0.5 * ((outputs - self.targets[batch]) ** 2).sum() / batch.shape[1]
            gradients = torch.autograd.grad(loss, self.parameters)
            with torch.no_grad():
                torch._foreach_add_(self.parameters, gradients, alpha=-RATE)

    def layers(self) -> list[list[Layer]]:
        w1, b1, w2, b2 = (parameter.detach().numpy() for parameter in self.parameters)
        return [[(w1[r], b1[r, 0]), (w2[r], b2[r, 0])] for r in range(self.count)]


class TorchVmap:
    """PyTorch, `torch.func.vmap` over the gradient of one network's loss."""

    one_by_one = False

    def __init__(self, layers: Sequence[Sequence[Layer]], x: Array, targets: Array, batch: int, dtype: str) -> None:
        import torch

        torch.set_num_threads(1)
        self.torch, kind = torch, getattr(torch, dtype)
        self.x, self.targets = torch.as_tensor(x, dtype=kind), torch.as_tensor(targets, dtype=kind)
        self.parameters = tuple(
            torch.as_tensor(np.stack([layer[number][part] for layer in layers]), dtype=kind)
            for number in (0, 1)
            for part in (0, 1)
        )

        def loss(parameters: tuple, x: "torch.Tensor", y: "torch.Tensor") -> "torch.Tensor":
            w1, b1, w2, b2 = parameters
            outputs = torch.sigmoid(torch.sigmoid(x @ w1 + b1) @ w2 + b2)
            return 0.5 * ((outputs - y) ** 2).sum() / len(x)

        self.gradient = torch.func.vmap(torch.func.grad(loss))

    def steps(self, rows: Array) -> None:
        with self.torch.no_grad():
            for batch in self.torch.as_tensor(rows).transpose(0, 1):
                gradients = self.gradient(self.parameters, self.x[batch], self.targets[batch])
                self.torch._foreach_add_(self.parameters, gradients, alpha=-RATE)

    def layers(self) -> list[list[Layer]]:
        w1, b1, w2, b2 = (parameter.numpy() for parameter in self.parameters)
        return [[(w1[r], b1[r]), (w2[r], b2[r])] for r in range(len(w1))]


class Jax:
    """JAX: jit(vmap(scan)), all steps in one compiled call, the parameters donated."""

    one_by_one = False

    def __init__(self, layers: Sequence[Sequence[Layer]], x: Array, targets: Array, batch: int, dtype: str) -> None:
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", dtype == "float64")
        self.jax = jax
        self.x, self.targets = jnp.asarray(x, dtype), jnp.asarray(targets, dtype)
        self.parameters = tuple(
            jnp.asarray(np.stack([layer[number][part] for layer in layers]), dtype)
            for number in (0, 1)
            for part in (0, 1)
        )

        def loss(parameters, x, y):
            w1, b1, w2, b2 = parameters
            outputs = jax.nn.sigmoid(jax.nn.sigmoid(x @ w1 + b1) @ w2 + b2)
            return 0.5 * jnp.sum((outputs - y) ** 2) / len(x)

        gradient = jax.grad(loss)

        def run(parameters, x, targets, rows):
            def step(parameters, batch):
                gradients = gradient(parameters, x[batch], targets[batch])
                return jax.tree.map(lambda p, g: p - RATE * g, parameters, gradients), None

            return jax.lax.scan(step, parameters, rows)[0]

        run = jax.vmap(run, in_axes=(0, None, None, 0))
        self.run = jax.jit(run, donate_argnums=0)

    def steps(self, rows: Array) -> None:
        self.parameters = self.run(self.parameters, self.x, self.targets, rows)
        self.jax.block_until_ready(self.parameters)

    def layers(self) -> list[list[Layer]]:
        w1, b1, w2, b2 = (np.asarray(parameter) for parameter in self.parameters)
        return [[(w1[r], b1[r]), (w2[r], b2[r])] for r in range(len(w1))]


class ScikitLearn:
    """scikit-learn's MLPClassifier, one network after another. Its cost is cross-entropy of a softmax, and its weights
    are its own: the same amount of work, but not the same networks."""

    one_by_one = True

    def __init__(self, layers: Sequence[Sequence[Layer]], x: Array, targets: Array, batch: int, dtype: str) -> None:
        from sklearn.neural_network import MLPClassifier

        self.x, self.labels = x.astype(dtype), targets.argmax(axis=1)
        self.models = [
            MLPClassifier((30,), activation="logistic", solver="sgd", alpha=0, momentum=0, batch_size=batch,
                          learning_rate_init=0.3, max_iter=1, shuffle=False, random_state=r)
            for r in range(len(layers))
        ]  # fmt: skip

    def steps(self, rows: Array) -> None:
        for model, of_model in zip(self.models, rows.reshape(len(rows), -1), strict=True):
            model.partial_fit(self.x[of_model], self.labels[of_model], classes=range(10))

    def layers(self) -> list[list[Layer]]:
        return [list(zip(model.coefs_, model.intercepts_, strict=True)) for model in self.models]


CONTENDERS = {
    "initodds": (Ours, "numpy"),
    "initodds, NumPy": (OursByNumpy, "numpy"),
    "per-example loop": (PerExampleLoop, "numpy"),
    "PyTorch loop": (TorchLoop, "torch"),
    "PyTorch stacked by hand": (TorchStacked, "torch"),
    "torch.func.vmap": (TorchVmap, "torch"),
    "JAX jit(vmap(scan))": (Jax, "jax"),
    "scikit-learn": (ScikitLearn, "sklearn"),
}
"""By name: the class, and the package that it needs."""
