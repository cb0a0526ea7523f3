"""The default: compiled where that can be had, else by NumPy."""

import logging
from collections.abc import Sequence
from functools import cache
from multiprocessing import current_process

import numpy as np

from initodds.engines import Engine, Problem
from initodds.engines.compiled import Compiled, unsupported
from initodds.engines.optimizers import Optimizer, State
from initodds.engines.stacked import Stacked
from initodds.networks.network import Layer, Network

log = logging.getLogger(__name__)


class Auto(Stacked):
    """Makes a `Compiled` engine where the problem can be compiled, and a `Stacked` one elsewhere, which is said in a
    line. Both take the same steps, to rounding."""

    def __new__(  # type: ignore[misc]
        cls, problem: Problem, replicates: Sequence[Sequence[Layer]], states: Sequence[State] = ()
    ) -> Engine:
        return cls.choice(problem.network, problem.optimizer, problem.dtype)(problem, replicates, states)

    @classmethod
    def choice(cls, network: Network, optimizer: Optimizer, dtype: np.dtype) -> type[Engine]:
        """The engine for such networks."""
        if (reason := unsupported(network, optimizer, np.dtype(dtype))) is None:
            return Compiled
        _say_once(f"{reason}: the NumPy engine is used, engine=stacked")
        return Stacked


@cache
def _say_once(line: str) -> None:
    if current_process().name == "MainProcess":  # the workers' own has said it
        log.warning(line)
