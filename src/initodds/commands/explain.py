"""The command `initodds-explain`: why is this network stuck? From a run's stored weights, without training again."""

import argparse
import json
import os
import sys
from typing import Any

import numpy as np

from initodds.cells import cell, config
from initodds.cells.config import Settings
from initodds.networks.network import Network
from initodds.tracking import cell_runs, loading, records
from initodds.tracking.store import Store
from initodds.verdicts import diagnosis
from initodds.verdicts.diagnosis import Diagnosis
from initodds.verdicts.explanation import explain
from initodds.vocabulary import InputError


def main() -> None:
    """The command `initodds-explain`: why a network is stuck, from its stored weights."""
    parser = argparse.ArgumentParser(prog="initodds-explain", description=main.__doc__)
    parser.add_argument("run", metavar="RUN_ID", help="a replicate's run, or a cell's for all its stored networks")
    parser.add_argument("--uri", default=loading.DEFAULT_URI, help="tracking URI (default: %(default)s)")
    parser.add_argument("--experiment", default=loading.DEFAULT_EXPERIMENT, help="default: %(default)s")
    parser.add_argument("--data-root", help="folder with the data set's files, where it has any (default: as trained)")
    options = parser.parse_args()
    try:
        store = loading.open_store(options.uri, options.experiment)
        found = diagnose_run(store, options.run, options.data_root or os.environ.get("INITODDS_DATA"))
    except InputError as error:
        sys.exit(f"initodds-explain: {error}")
    print("\n\n".join(report(found, at) for at in range(len(found.replicates))))


def diagnose_run(store: Store, run_id: str, data_root: str | None) -> Diagnosis:
    """The diagnosis, curvature included, of the networks whose weights a replicate's or a cell's run has.

    Raises InputError where there is no such run, its weights were not kept, or the data are no longer the same.
    """
    run = run_of(store, run_id)
    is_replicate = run.data.tags.get("level") == "replicate"
    cell_id = run.data.tags["mlflow.parentRunId"] if is_replicate else run_id
    arrays = weights_of(store, cell_id, int(run.data.params["replicate"]) if is_replicate else None)
    settings, data_sha256 = read_settings(store, cell_id, data_root)
    data = config.dataset(settings)
    if data.sha256 != data_sha256:
        raise InputError(f"RUN_ID={run_id}: the data set {data.name} is not the one that it was trained on any more")
    network = Network((data.features, *settings.network.hidden, data.classes), settings.network.activation,
                      settings.network.cost)  # fmt: skip
    initializer = config.initializer(settings)
    rows = cell_runs.read_replicates(store, cell_id).set_index("replicate").loc[arrays["replicates"]]
    return diagnosis.diagnose(
        network,
        records.layers_of(arrays),
        [cell.draw(initializer, network, settings.seed, replicate) for replicate in arrays["replicates"]],
        data.train,
        replicates=arrays["replicates"],
        converged=(rows["outcome"] == "converged").to_numpy(),
        curved=np.ones(len(rows), bool),
        dtype=np.dtype(settings.dtype),
        dead_recall=settings.outcome.dead_recall,
        on_step=lambda stage: print(f"\r{stage:<40}", end="", file=sys.stderr) if sys.stderr.isatty() else None,
    )


def weights_of(store: Store, cell_id: str, replicate: int | None) -> dict[str, np.ndarray]:
    """The arrays of a cell's `records.weights_arrays`, of one replicate or of all that it has.

    Raises InputError where they were not kept.
    """
    not_kept = "its weights were not kept; diagnosis.keep_weights says whose are"
    try:
        arrays = cell_runs.read_arrays(store, cell_id, cell_runs.WEIGHTS)
    except InputError as error:
        raise InputError(f"RUN_ID={cell_id}: {not_kept}") from error
    if replicate is None:
        return arrays
    chosen = arrays["replicates"] == replicate
    if not chosen.any():
        raise InputError(f"RUN_ID: replicate {replicate}: {not_kept}")
    return {name: array[chosen] for name, array in arrays.items()}


def run_of(store: Store, run_id: str) -> Any:
    """The run of a cell or a replicate. Raises InputError where there is none of this id."""
    from mlflow.exceptions import MlflowException

    try:
        run = store.client.get_run(run_id)
    except MlflowException:
        raise InputError(f"RUN_ID={run_id}: there is no such run; the id of a replicate's or a cell's") from None
    if run.data.tags.get("level") not in ("cell", "replicate"):
        raise InputError(
            f"RUN_ID={run_id}: is a {run.data.tags.get('level', 'run')}; a replicate's or a cell's is needed"
        )
    return run


def read_settings(store: Store, cell_id: str, data_root: str | None) -> tuple[Settings, str]:
    """A cell's settings and the SHA-256 of its data, with the folder of the data as it is here."""
    plain = json.loads(cell_runs.artifact(store, cell_id, cell_runs.SETTINGS))
    sha256 = plain.pop("data_sha256")
    for part in (plain["data"], plain["data"]["load"]):
        part |= {"root": data_root} if "root" in part else {}
    plain["tracking"]["uri"] = cell_id  # nothing is tracked here
    return Settings.model_validate(plain), sha256


def report(found: Diagnosis, at: int) -> str:
    """What is to say of one network: its number, the words, and the numbers behind them."""
    row = records.diagnosis_frame(found, {}).iloc[at]
    numbers = row.drop(["replicate", "cause", "point", "explanation"]).dropna()
    lines = [f"  {name:24} {value:.4g}" for name, value in numbers.items()]
    head = f"replicate {row['replicate']}: {row['cause']}" + (f", {row['point']}" if row["point"] else "")
    return "\n".join([head, "", explain(found, at), "", *lines])


if __name__ == "__main__":
    main()
