"""A trained cell as tidy frames: what is kept of it, whatever it is kept in."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from initodds.cells.cell import Cell
from initodds.verdicts.diagnosis import Diagnosis
from initodds.verdicts.explanation import explain

CURVES = ("accuracy", "cost", "hidden_saturated")
"""The arrays of a `History` that are kept of each replicate at every checkpoint."""

CHECKPOINTS = ("steps", *CURVES, "recall", "outputs_high", "outputs_low")
"""The arrays of a `History` that are kept of a cell."""

WORDS = ("outcome", "cause", "point", "explanation")
"""The columns of `replicates_frame` that are text; the others are numbers."""


def replicates_frame(cell: Cell) -> pd.DataFrame:
    """One row a replicate: replicate, order, `WORDS`, and the numbers it ended with.

    cause, point and explanation are "" where a replicate was not diagnosed, its numbers are NaN there; steps_to_target
    is NaN where the target was never reached.
    """
    history, judgement = cell.history, cell.judgement
    frame = pd.DataFrame(
        {
            "replicate": cell.replicates,
            "order": cell.orders,
            "outcome": judgement.outcome,
            **{name: getattr(history, name)[-1] for name in CURVES},
            "best_accuracy": history.accuracy.max(axis=0),
            "dead_classes": judgement.dead_classes,
            "outputs_high": history.outputs_high[-1],
            "outputs_low": history.outputs_low[-1],
            "naive_overflows": history.overflows,
            "steps_to_target": judgement.steps_to_target,
            **{f"recall_{k}": recall for k, recall in enumerate(history.recall[-1].T)},
        }
    )
    if cell.diagnosis is None:
        return frame.assign(cause="", point="", explanation="")
    frame = frame.merge(diagnosis_frame(cell.diagnosis, cell.escaped), on="replicate", how="left")
    return frame.fillna({"cause": "", "point": "", "explanation": ""})


def diagnosis_frame(diagnosis: Diagnosis, escaped: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """One row a diagnosed replicate: replicate, cause, point, explanation, the numbers of its symptoms and of its
    Hessian's spectrum, and whether it got out, 1 or 0, by each way that was tried."""
    symptoms, spectrum = diagnosis.symptoms, diagnosis.spectrum
    return pd.DataFrame(
        {
            "replicate": diagnosis.replicates,
            "cause": diagnosis.cause,
            "point": diagnosis.point,
            "explanation": [explain(diagnosis, at) for at in range(len(diagnosis.replicates))],
            "hidden_constant": symptoms.hidden_constant,
            "weights_growth": symptoms.growth,
            "gradient_norm": symptoms.gradient_norm,
            "gradient_relative": symptoms.gradient_norm / diagnosis.reference.gradient,
            **{f"gradient_norm_layer_{layer}": norm for layer, norm in enumerate(symptoms.gradient.T, start=1)},
            "gradient_zero": symptoms.gradient_zero,
            "eigenvalue_least": spectrum.least,
            "eigenvalue_greatest": spectrum.greatest,
            "curvature_relative": spectrum.largest / diagnosis.reference.curvature,
            "eigenvalues_near_zero": spectrum.near_zero,
            **{f"escaped_{name}": out.astype(float) for name, out in escaped.items()},
        }
    )


def checkpoints_frame(history: Mapping[str, Any], replicates: np.ndarray) -> pd.DataFrame:
    """A history's checkpoints, one row a replicate and step: replicate, step, and each of `CURVES`."""
    steps = len(history["steps"])
    columns = {name: history[name].ravel() for name in CURVES}
    numbers = {"replicate": np.tile(replicates, steps), "step": np.repeat(history["steps"], len(replicates))}
    return pd.DataFrame({**numbers, **columns})


def weights_arrays(cell: Cell, places: np.ndarray) -> dict[str, np.ndarray]:
    """The weights of the replicates at these places (K,): replicates (K,), and for each layer l, counted from 1,
    weights_l (K, fan_in, fan_out) and biases_l (K, fan_out)."""
    arrays = {"replicates": cell.replicates[places]}
    for number, layer in enumerate(zip(*(cell.history.layers[place] for place in places), strict=True), start=1):
        arrays[f"weights_{number}"] = np.stack([weights for weights, _ in layer])
        arrays[f"biases_{number}"] = np.stack([biases for _, biases in layer])
    return arrays


def layers_of(arrays: Mapping[str, np.ndarray]) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """The layers of each of the K networks in `weights_arrays`."""
    count = sum(name.startswith("weights_") for name in arrays)
    numbers = range(1, count + 1)
    return [
        [(arrays[f"weights_{number}"][k], arrays[f"biases_{number}"][k]) for number in numbers]
        for k in range(len(arrays["replicates"]))
    ]
