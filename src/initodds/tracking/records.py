"""A trained cell as a record: all that is kept of it, as plain data and words, whatever it is kept in.

A record is written to MLflow by `initodds.tracking.writing`, or to disk, where the store fails, by
`initodds.tracking.unsent`. Loads none of what trains a cell, so that what reads the frames need not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initodds.engines.optimizers import State
from initodds.networks.network import Layer
from initodds.tracking import stored_settings
from initodds.tracking.identity import PACKAGE, is_ours
from initodds.tracking.stored_settings import StoredSettings
from initodds.verdicts import outcomes
from initodds.vocabulary import SCORES

if TYPE_CHECKING:
    from initodds.cells.cell import Cell
    from initodds.cells.settings import Settings
    from initodds.cells.subject import Subject
    from initodds.tracking.page import Common
    from initodds.verdicts.diagnosis import Diagnosis

Array = np.ndarray

REPLICATES, HISTORY, WEIGHTS = "replicates.parquet", "history.npz", "weights.npz"
"""The artifacts of a cell's run, beside `stored_settings.NAME`."""

DIAGNOSIS = "diagnosis"
"""The tag of a cell's run with the settings of that group, as JSON."""

GROUPS = ("data", "network", "init", "engine", "optimizer")
"""The config groups whose options are names in a table."""

CURVES = (*SCORES, "cost", "hidden_saturated")
"""What is kept of each replicate at every checkpoint; of `SCORES`, that of the task."""

WORDS = ("outcome", "cause", "point", "explanation")
"""The columns of `replicates_frame` that are text; the others are numbers."""


@dataclass(frozen=True, eq=False)
class Record:
    """All that is kept of a trained cell: numbers, text, arrays of numbers, and frames of these.

    name, parent, tags: of its run; the parent is the run id of its sweep, or None.
    params, metrics, description: of its run too. Each replicate's run has the params as well.
    settings: the content of settings.json.  each_a_run: whether each replicate gets a run of its own.
    replicates: its `replicates_frame`.  history: the arrays of history.npz, see `history_arrays`.
    weights: the arrays of weights.npz, see `weights_arrays`; none where none are kept.
    """

    name: str
    parent: str | None
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    description: str
    settings: str
    each_a_run: bool
    replicates: pd.DataFrame
    history: dict[str, Array]
    weights: dict[str, Array]

    @property
    def title(self) -> str:
        """The settings that the figure of its curves is headed with."""
        keys = ("init", "sgd.batch_size", "sgd.learning_rate")
        return ", ".join(f"{key} {self.params[key]}" for key in keys if key in self.params)

    @property
    def data_sha256(self) -> str:
        """The SHA-256 of its data."""
        return stored_settings.from_text(self.settings, self.name).data_sha256

    @property
    def curves(self) -> pd.DataFrame:
        """Its `checkpoints_frame`, with each replicate's outcome."""
        curves = checkpoints_frame(self.history, self.history["replicates"])
        return curves.merge(self.replicates[["replicate", "outcome"]], on="replicate")


@dataclass(frozen=True)
class Heading:
    """What stands over a record: the name of its run, its parent, its tags and its params, as `Record` has them."""

    name: str
    parent: str | None
    tags: dict[str, str]
    params: dict[str, str]


def record_of(cell: "Cell", settings: "Settings", heading: Heading) -> Record:
    """The record of a cell that was trained with these settings."""
    numbers = (int(cell.history.steps[-1]), cell.chance_level, cell.best_constant_cost, cell.seconds)
    common = common_of(cell.subject, *numbers)
    kept = np.flatnonzero(outcomes.among(cell.judgement.outcome, settings.diagnosis.keep_weights))
    weights = weights_arrays(cell, kept) if len(kept) else {}
    stored = stored_settings.stored_settings(settings, cell.data.sha256)
    return put_together(heading, stored, common, replicates_frame(cell), history_arrays(cell), weights, cell.diagnosis)


def common_of(
    subject: "Subject", steps: int, chance_level: float, best_constant_cost: float, seconds: float
) -> "Common":
    """What the replicates of a cell have in common, see `page.Common`."""
    from initodds.tracking.page import Common

    data = subject.data
    judged_on = "test" if subject.judged_on_sample else "training"
    words = (data.name, judged_on, subject.task.parts_word, data.output_names)
    return Common(subject.network.sizes, *words, steps, chance_level, best_constant_cost, seconds)


def put_together(
    heading: Heading,
    stored: StoredSettings,
    common: "Common",
    replicates: pd.DataFrame,
    history: dict[str, Array],
    weights: dict[str, Array],
    diagnosis: "Diagnosis | None",
) -> Record:
    """A record from its parts, its numbers and words made of them; `replicates` has the `diagnosis` already."""
    from initodds.tracking import page

    table = page.rates_of(replicates)
    return Record(
        name=heading.name,
        parent=heading.parent,
        tags=heading.tags,
        params={**heading.params, "first": str(replicates["replicate"].iloc[0])},
        metrics=page.metrics(replicates, common, table),
        description=page.description(replicates, common, diagnosis, table),
        settings=stored_settings.to_text(stored),
        each_a_run=stored.settings["tracking"]["replicates"] == "runs",
        replicates=replicates,
        history=history,
        weights=weights,
    )


def parameters(settings: "Settings", choices: Mapping[str, str]) -> dict[str, str]:
    """The settings that can change a result, flat, as text, by the keys that the command line has for them.

    `choices` has the option that was chosen of each config group; where a class or function of a user's own stands in
    its place, its name does here too, as in `init: my_module.MyInit`, and an activation or output of a user's own is
    one text, `my_module.Softsign(width=2)`. Left out are paths, of which the file's
    name is told, the diagnosis, the tracking, and what acts through another setting.
    """
    left_out: Any = {
        "tracking": True,
        "diagnosis": True,
        "data": {"load", "root", "path", "output", "usual_batch_size"},
        "optimizer": {"usual_rate", "usual_rate_unbounded"},
    }
    plain = settings.model_dump(exclude=left_out)
    parts = {**plain, "data": settings.data.load}
    targets = {name: str(parts[name].get("_target_", PACKAGE)) for name in GROUPS}
    groups = {name: choices[name] if is_ours(targets[name]) else targets[name] for name in GROUPS if name in choices}
    plain["network"] |= {key: _called(value) for key, value in plain["network"].items() if isinstance(value, dict)}
    leaves = pd.json_normalize(plain).iloc[0]
    flat = {**groups, **{key: value for key, value in leaves.items() if key != "engine._target_"}}
    if path := settings.data.load.get("path"):
        flat["data.path"] = Path(path).name
    return {str(key): str(value) for key, value in flat.items()}


def _called(part: Mapping[str, Any]) -> str:
    """A part of the settings with a `_target_` as one text: `my_module.Softsign(width=2)`."""
    arguments = ", ".join(f"{key}={value}" for key, value in part.items() if key != "_target_")
    return str(part["_target_"]) + f"({arguments})" * bool(arguments)


def history_arrays(cell: "Cell") -> dict[str, Array]:
    """What is kept of the checkpoints of a cell: replicates (R,), steps (C,), and of each checkpoint and replicate the
    task's score and cost and hidden_saturated (C, R), its parts' scores (C, R, parts), outputs_high and outputs_low
    (C, R). The score and its parts' have the names that the task has for them, as accuracy and recall."""
    history, task = cell.history, cell.task
    parts = f"{task.part_name}_of_parts" if task.part_name == task.score_name else task.part_name
    return {
        "replicates": cell.replicates,
        "steps": history.steps,
        task.score_name: history.score,
        parts: history.part_scores,
        **{name: getattr(history, name) for name in ("cost", "hidden_saturated", "outputs_high", "outputs_low")},
    }


def replicates_frame(cell: "Cell") -> pd.DataFrame:
    """One row a replicate: replicate, order, `WORDS`, and the numbers it ended with.

    cause, point and explanation are "" where a replicate was not diagnosed, its numbers are NaN there; steps_to_target
    is NaN where the target was never reached.
    """
    history, judgement, task = cell.history, cell.judgement, cell.task
    frame = pd.DataFrame(
        {
            "replicate": cell.replicates,
            "order": cell.orders,
            "outcome": judgement.outcome,
            task.score_name: history.score[-1],
            "cost": history.cost[-1],
            "hidden_saturated": history.hidden_saturated[-1],
            f"best_{task.score_name}": history.score.max(axis=0),
            f"dead_{task.parts_word}": judgement.dead_parts,
            "outputs_high": history.outputs_high[-1],
            "outputs_low": history.outputs_low[-1],
            "naive_overflows": history.overflows,
            "steps_to_target": judgement.steps_to_target,
            **{f"{task.part_name}_{part}": scores for part, scores in enumerate(history.part_scores[-1].T)},
        }
    )
    return with_diagnosis(frame, cell.diagnosis, cell.escaped)


def with_diagnosis(
    frame: pd.DataFrame, diagnosis: "Diagnosis | None", escaped: Mapping[str, Array] | None = None
) -> pd.DataFrame:
    """The frame of replicates with the columns of `diagnosis_frame`; cause, point and explanation only, and empty,
    where nothing was diagnosed."""
    if diagnosis is None:
        return frame.assign(cause="", point="", explanation="")
    frame = frame.merge(diagnosis_frame(diagnosis, escaped or {}), on="replicate", how="left")
    return frame.fillna({"cause": "", "point": "", "explanation": ""})


def without_diagnosis(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of a `replicates_frame` that are known from the training: those before cause."""
    return frame.loc[:, :"cause"].drop(columns="cause")


def diagnosis_frame(diagnosis: "Diagnosis", escaped: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """One row a diagnosed replicate: replicate, cause, point, explanation, the numbers of its symptoms and of its
    Hessian's spectrum, and whether it got out, 1 or 0, by each way that was tried."""
    from initodds.verdicts.explanation import explain

    symptoms, spectrum = diagnosis.symptoms, diagnosis.spectrum
    return pd.DataFrame(
        {
            "replicate": diagnosis.replicates,
            "cause": diagnosis.cause,
            "point": diagnosis.point,
            "explanation": [explain(diagnosis, at) for at in range(len(diagnosis.replicates))],
            "hidden_constant": symptoms.hidden_constant,
            "weights_growth": symptoms.growth,
            "next_step": symptoms.next_step,
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
    """A history's checkpoints, one row a replicate and step: replicate, step, and those of `CURVES` that it has."""
    steps = len(history["steps"])
    columns = {name: history[name].ravel() for name in CURVES if name in history}
    numbers = {"replicate": np.tile(replicates, steps), "step": np.repeat(history["steps"], len(replicates))}
    return pd.DataFrame({**numbers, **columns})


def weights_arrays(cell: "Cell", places: np.ndarray) -> dict[str, np.ndarray]:
    """The weights of the replicates at these places (K,): replicates (K,), and for each layer l, counted from 1,
    weights_l (K, fan_in, fan_out) and biases_l (K, fan_out).

    Where it is known what the optimizer had kept: steps (K,), and of each of its slots s, from 1, arrays of the same
    shapes, slot_s_weights_l and slot_s_biases_l.
    """
    history = cell.history
    arrays = {"replicates": cell.replicates[places], **_arrays_of([history.layers[place] for place in places])}
    if history.states:
        states = [history.states[place] for place in places]
        arrays["steps"] = np.array([state.steps for state in states])
        for slot in range(len(states[0].slots)):
            arrays |= _arrays_of([state.slots[slot] for state in states], f"slot_{slot + 1}_")
    return arrays


def _arrays_of(networks: Sequence[Sequence[Layer]], prefix: str = "") -> dict[str, Array]:
    """The layers of K networks as arrays, each layer's under its names."""
    arrays = {}
    for number, layer in enumerate(zip(*networks, strict=True), start=1):
        arrays[f"{prefix}weights_{number}"] = np.stack([weights for weights, _ in layer])
        arrays[f"{prefix}biases_{number}"] = np.stack([biases for _, biases in layer])
    return arrays


def layers_of(arrays: Mapping[str, Array], prefix: str = "") -> list[list[Layer]]:
    """The layers of each of the K networks in `weights_arrays`; or, by their prefix, a slot's."""
    numbers = range(1, 1 + sum(name.startswith(f"{prefix}weights_") for name in arrays))
    return [
        [(arrays[f"{prefix}weights_{number}"][k], arrays[f"{prefix}biases_{number}"][k]) for number in numbers]
        for k in range(len(arrays["replicates"]))
    ]


def states_of(arrays: Mapping[str, Array]) -> list[State]:
    """What the optimizer had kept of each of the K networks in `weights_arrays`; empty where that is not known."""
    if "steps" not in arrays:
        return []
    count = sum(name.endswith("_weights_1") for name in arrays)
    slots = zip(*(layers_of(arrays, f"slot_{slot + 1}_") for slot in range(count)), strict=True)
    return [State(int(steps), kept) for steps, kept in zip(arrays["steps"], slots, strict=True)]
