"""What PyTorch's optimizers and schedules do with a small network over 100 steps: the origin of torch_numbers.npz.

    python tests/engines/torch_numbers.py    # with torch installed, from the checkout's folder; writes the file anew

The file has the examples, the layers that the network begins with, and for each case of `CASES` and `SCHEDULED` its
weights and biases after the last step; of the latter also the learning rate of each step. The tests read the file, and
need no PyTorch.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

PATH = Path(__file__).with_suffix(".npz")
SIZES = (5, 4, 3)
EXAMPLES, BATCH_SIZE, EPOCHS, ORDER_SEED = 20, 4, 20, 8
STEPS_PER_EPOCH = EXAMPLES // BATCH_SIZE

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.3}),
    "momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd_decay": ("SGD", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.05}),
    "nesterov_decay": ("SGD", {"lr": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.05}),
    "sgd_clipped": ("SGD", {"lr": 0.3, "clip_norm": 0.2}),
    "momentum_clipped": ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "clip_norm": 0.2}),
    "adam": ("Adam", {"lr": 0.01}),
    "adam_betas": ("Adam", {"lr": 0.02, "betas": (0.7, 0.95), "eps": 1e-3, "weight_decay": 0.05}),
    "adam_clipped": ("Adam", {"lr": 0.01, "clip_norm": 0.2}),
    "adamw": ("AdamW", {"lr": 0.01}),
    "adamw_betas": ("AdamW", {"lr": 0.02, "betas": (0.7, 0.95), "eps": 1e-3, "weight_decay": 0.2}),
    "rmsprop": ("RMSprop", {"lr": 0.01}),
    "rmsprop_momentum": ("RMSprop", {"lr": 0.003, "alpha": 0.9, "eps": 1e-4, "momentum": 0.8, "weight_decay": 0.05}),
    "rmsprop_clipped": ("RMSprop", {"lr": 0.01, "clip_norm": 0.2}),
}
"""Each optimizer's class and arguments as PyTorch has them, and clip_norm, by which clip_grad_norm_ is called."""

SCHEDULED: dict[str, tuple[str, dict[str, Any]]] = {
    "step": ("sgd", {"name": "step", "every": 6, "factor": 0.3}),
    "cosine": ("momentum", {"name": "cosine"}),
    "warmup": ("adam", {"warmup": 4.0}),
    "cosine_warmup": ("adamw", {"name": "cosine", "warmup": 4.0}),
}
"""A case of the above and the arguments of a `Schedule`, epochs where it counts in epochs."""


def arguments(options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an optimizer of the project, for those of PyTorch's."""
    names = {"lr": "learning_rate", "eps": "epsilon"}
    ours = {names.get(name, name): value for name, value in options.items()}
    if "betas" in ours:
        ours["beta1"], ours["beta2"] = ours.pop("betas")
    return ours


def start() -> dict[str, np.ndarray]:
    """The examples, and the layers that the network begins with."""
    rng = np.random.default_rng(13)
    begun = {"x": rng.normal(size=(EXAMPLES, SIZES[0])), "targets": np.eye(SIZES[-1])[rng.integers(3, size=EXAMPLES)]}
    for layer, shape in enumerate(pairwise(SIZES)):
        begun |= {f"weights{layer}": rng.normal(size=shape), f"biases{layer}": rng.normal(size=shape[1])}
    return begun


def flat(layers: Any) -> np.ndarray:
    """All weights and biases of a network in a row, layer by layer."""
    return np.concatenate([np.ravel(array) for layer in layers for array in layer])


def main() -> None:
    import torch

    begun = start()
    x, targets = torch.tensor(begun["x"]), torch.tensor(begun["targets"])

    def trained(case: str, schedule: dict[str, Any]) -> tuple[np.ndarray, list[float]]:
        kind, options = CASES[case]
        options = dict(options)
        clip_norm = options.pop("clip_norm", None)
        layers = [
            [torch.tensor(begun[f"{name}{layer}"], requires_grad=True) for name in ("weights", "biases")]
            for layer in range(len(SIZES) - 1)
        ]
        parameters = [parameter for layer in layers for parameter in layer]
        optimizer = getattr(torch.optim, kind)(parameters, **options)
        scheduler = scheduler_of(optimizer, schedule)
        order, rates = np.random.default_rng(ORDER_SEED), []
        for _ in range(EPOCHS):
            for rows in order.permutation(EXAMPLES).reshape(-1, BATCH_SIZE):
                hidden = torch.tanh(x[rows] @ layers[0][0] + layers[0][1])
                outputs = torch.sigmoid(hidden @ layers[1][0] + layers[1][1])
                loss = 0.5 * ((outputs - targets[rows]) ** 2).sum(dim=1).mean()
                optimizer.zero_grad()
                loss.backward()
                if clip_norm is not None:
                    torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
                rates.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                scheduler.step()
        return flat([[parameter.detach().numpy() for parameter in layer] for layer in layers]), rates

    def scheduler_of(optimizer: Any, schedule: dict[str, Any]) -> Any:
        kinds, parts = torch.optim.lr_scheduler, []
        if schedule.get("warmup"):
            steps = int(schedule["warmup"] * STEPS_PER_EPOCH)
            parts.append(kinds.LinearLR(optimizer, start_factor=1 / steps, total_iters=steps - 1))
        if schedule.get("name") == "step":
            parts.append(kinds.StepLR(optimizer, schedule["every"] * STEPS_PER_EPOCH, schedule["factor"]))
        if schedule.get("name") == "cosine":
            parts.append(kinds.CosineAnnealingLR(optimizer, EPOCHS * STEPS_PER_EPOCH))
        return kinds.ChainedScheduler(parts or [kinds.ConstantLR(optimizer, 1.0)])

    numbers = {f"case/{case}": trained(case, {})[0] for case in CASES}
    for name, (case, schedule) in SCHEDULED.items():
        numbers[f"scheduled/{name}"], numbers[f"rates/{name}"] = map(np.array, trained(case, schedule))
    version = np.array(torch.__version__.partition("+")[0])
    np.savez_compressed(PATH, torch_version=version, **begun, **numbers)


if __name__ == "__main__":
    main()
