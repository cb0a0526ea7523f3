"""How often does a network get stuck, given how its weights were drawn?

The front door: what a notebook needs, each loaded as it is first used, so that `initodds.rates` waits neither for what
trains nor for MLflow.

>>> import initodds
>>> cell = initodds.run("data=xor", "network.hidden=[2]", "init=zeros", "sgd.batch_size=4", "replicates=3")
>>> initodds.explain(initodds.diagnose(cell), 0)[:51]
'The 2 hidden units have the same weights, in and ou'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from initodds import blas

# Every way into the package passes here first, worker processes too, and NumPy may not be loaded yet.
blas.settle()

if TYPE_CHECKING:
    from initodds import datasets, initializers
    from initodds.cells.cell import Cell
    from initodds.cells.interactive import diagnose, run, settings
    from initodds.cells.settings import Settings
    from initodds.statistics import figures
    from initodds.statistics.boundary import boundary
    from initodds.statistics.comparison import compare
    from initodds.statistics.dimension import border, box_dimension
    from initodds.statistics.rates import interval, rates
    from initodds.statistics.survival import log_rank, median_time, time_to_target
    from initodds.tracking.loading import load_curves, load_replicates
    from initodds.tracking.maps import load_map
    from initodds.tracking.records import replicates_frame
    from initodds.verdicts.diagnosis import Diagnosis
    from initodds.verdicts.explanation import explain
    from initodds.verdicts.theory import predict_boundary
    from initodds.vocabulary import InputError

    __version__: str

__all__ = [
    "Cell",
    "Diagnosis",
    "InputError",
    "Settings",
    "__version__",
    "border",
    "boundary",
    "box_dimension",
    "compare",
    "datasets",
    "diagnose",
    "explain",
    "figures",
    "initializers",
    "interval",
    "load_curves",
    "load_map",
    "load_replicates",
    "log_rank",
    "median_time",
    "predict_boundary",
    "rates",
    "replicates_frame",
    "run",
    "settings",
    "time_to_target",
]

_ROOMS = {
    "Cell": "cells.cell",
    "Diagnosis": "verdicts.diagnosis",
    "InputError": "vocabulary",
    "Settings": "cells.settings",
    "border": "statistics.dimension",
    "boundary": "statistics.boundary",
    "box_dimension": "statistics.dimension",
    "compare": "statistics.comparison",
    "diagnose": "cells.interactive",
    "explain": "verdicts.explanation",
    "interval": "statistics.rates",
    "load_curves": "tracking.loading",
    "load_map": "tracking.maps",
    "load_replicates": "tracking.loading",
    "log_rank": "statistics.survival",
    "median_time": "statistics.survival",
    "predict_boundary": "verdicts.theory",
    "rates": "statistics.rates",
    "replicates_frame": "tracking.records",
    "run": "cells.interactive",
    "settings": "cells.interactive",
    "time_to_target": "statistics.survival",
}
"""The module that each name is from."""

_MODULES = {"datasets": "datasets", "figures": "statistics.figures", "initializers": "initializers"}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"{__name__}.{_MODULES[name]}")
    elif name == "__version__":
        from importlib.metadata import version

        value = version(__name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
