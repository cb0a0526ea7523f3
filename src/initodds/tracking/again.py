"""Networks that are tracked already, diagnosed from the weights that were kept of them, without training them again."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from initodds.cells import cell
from initodds.cells.subject import subject_of
from initodds.tracking import reading, records, stored_settings
from initodds.tracking.parts import Part
from initodds.tracking.records import HISTORY, WEIGHTS, Heading, Record
from initodds.tracking.store import Store
from initodds.verdicts import outcomes
from initodds.vocabulary import InputError

if TYPE_CHECKING:
    from initodds.cells.cell import Observer
    from initodds.cells.settings import Settings

Array = np.ndarray


def diagnosed(
    store: Store, parts: Sequence[Part], settings: "Settings", heading: Heading, observer: "Observer"
) -> Record | None:
    """The record of the replicates that these parts of a cell have, diagnosed as far as the settings ask.

    None where there are no parts, where the weights that this takes were not kept, or where it takes training, as an
    escape does.
    """
    if not parts or settings.diagnosis.escape:
        return None
    observer.stage("reading what is tracked")
    frames = [reading.rows_of(reading.read_replicates(store, part.run.id), part) for part in parts]
    frame = pd.concat(frames, ignore_index=True)
    outcome = frame["outcome"].to_numpy(dtype=str)
    of, keep = (outcomes.among(outcome, which) for which in (settings.diagnosis.of, settings.diagnosis.keep_weights))
    weights = _weights(store, parts)
    if not set(frame.loc[of | keep, "replicate"]) <= set(weights.get("replicates", ())):
        return None
    subject = subject_of(settings)
    diagnosis = None
    if of.any():
        members = _chosen(weights, np.isin(weights["replicates"], frame.loc[of, "replicate"]))
        curved = outcomes.among(outcome[of], settings.diagnosis.curvature)
        layers = records.layers_of(members)
        states = records.states_of(members)
        diagnosis = cell.diagnose(
            settings, subject, layers, members["replicates"], outcome[of], curved, observer.stage, states
        )
    numbers = parts[0].run.metrics
    common = records.common_of(
        subject,
        steps=int(numbers["steps"]),
        chance_level=numbers["chance_level"],
        best_constant_cost=numbers["best_constant_cost"],
        seconds=sum(part.run.metrics["training_seconds"] for part in parts),
    )
    kept = _chosen(weights, np.isin(weights["replicates"], frame.loc[keep, "replicate"])) if keep.any() else {}
    stored = stored_settings.stored_settings(settings, subject.data.sha256)
    replicates = records.with_diagnosis(records.without_diagnosis(frame), diagnosis)
    return records.put_together(heading, stored, common, replicates, _history(store, parts), kept, diagnosis)


def _history(store: Store, parts: Sequence[Part]) -> dict[str, Array]:
    """The arrays of history.npz of the replicates that these parts have."""
    pieces = []
    for part in parts:
        arrays = reading.read_arrays(store, part.run.id, HISTORY)
        of_part = _is_of(part, arrays)
        steps, replicates = arrays.pop("steps"), arrays.pop("replicates")[of_part]
        pieces.append({"replicates": replicates, **{name: array[:, of_part] for name, array in arrays.items()}})
    axis = {"replicates": 0}
    joined = {name: np.concatenate([piece[name] for piece in pieces], axis.get(name, 1)) for name in pieces[0]}
    return {"steps": steps, **joined}


def _weights(store: Store, parts: Sequence[Part]) -> dict[str, Array]:
    """The weights that were kept of the replicates that these parts have; nothing where a part has none."""
    pieces = []
    for part in parts:
        try:
            arrays = reading.read_arrays(store, part.run.id, WEIGHTS)
        except InputError:
            continue
        pieces.append(_chosen(arrays, _is_of(part, arrays)))
    in_all = [name for name in (pieces[0] if pieces else ()) if all(name in piece for piece in pieces)]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in in_all}


def _is_of(part: Part, arrays: Mapping[str, Array]) -> Array:
    """Which of a run's replicates a part has."""
    return (part.first <= arrays["replicates"]) & (arrays["replicates"] < part.stop)


def _chosen(arrays: Mapping[str, Array], chosen: Array) -> dict[str, Array]:
    """The weights of the replicates that are chosen."""
    return {name: array[chosen] for name, array in arrays.items()}
