"""From tracked sweeps to statements that hold up. `import initodds` has the same and more, each as it is first used.

`load_replicates` reads one tidy row a replicate; the others take such a frame, or any that has the columns they name.
"""

from initodds.statistics.boundary import boundary
from initodds.statistics.comparison import compare
from initodds.statistics.rates import interval, rates
from initodds.statistics.survival import log_rank, median_time, time_to_target
from initodds.tracking.loading import load_curves, load_replicates
from initodds.verdicts.theory import predict_boundary

__all__ = [
    "boundary",
    "compare",
    "interval",
    "load_curves",
    "load_replicates",
    "log_rank",
    "median_time",
    "predict_boundary",
    "rates",
    "time_to_target",
]
