"""The default: compiled where that can be had, else by NumPy."""

import logging
from functools import cache
from multiprocessing import current_process

import numpy as np

from initodds.engines import Engine
from initodds.engines.compiled import Compiled, unsupported
from initodds.engines.optimizers import Optimizer
from initodds.engines.stacked import Stacked
from initodds.networks.network import Network

log = logging.getLogger(__name__)


class Auto(Stacked):
    """What `engine=auto` names: the cell is trained by its `choice`. Made by itself, it is the NumPy engine."""

    @staticmethod
    def choice(network: Network, optimizer: Optimizer, dtype: np.dtype) -> type[Engine]:
        """`Compiled` where such networks can be compiled, and `Stacked` elsewhere, which is said in a line. Both take
        the same steps, to rounding."""
        if (reason := unsupported(network, optimizer, np.dtype(dtype))) is None:
            return Compiled
        _say_once(f"{reason}: the NumPy engine is used, engine=stacked")
        return Stacked


@cache
def _say_once(line: str) -> None:
    if current_process().name == "MainProcess":  # the workers' own has said it
        log.warning(line)
