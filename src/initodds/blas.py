"""BLAS kernel and threads, settled before NumPy loads.

The matrices here are small: a second BLAS thread gains little, and beside another busy process it costs 10 to
100 times the run. Parallel work is done by processes, one BLAS thread each.
"""

import os
import sys
from pathlib import Path

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

# What OpenBLAS's SkylakeX kernels need. OpenBLAS goes by a list of processor models and takes a newer one for a
# Haswell, which halves its speed; the kernels themselves only need these instruction sets.
SKYLAKEX_FLAGS = frozenset({"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"})


def settle() -> None:
    """Set the BLAS environment variables that the user has not set. Without effect once NumPy is loaded."""
    if "numpy" in sys.modules:
        return
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")
    if processor_flags() >= SKYLAKEX_FLAGS:
        os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")


def processor_flags() -> frozenset[str]:
    """The instruction sets that Linux reports for the first processor; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return next((frozenset(line.split()) for line in lines if line.startswith("flags")), frozenset())


def in_use() -> str:
    """The BLAS libraries loaded in this process: name, version, kernel, threads, in one line."""
    import threadpoolctl

    libraries = {
        f"{info['internal_api']} {info['version']} {info.get('architecture', '')} x{info['num_threads']}"
        for info in threadpoolctl.threadpool_info()
        if info["user_api"] == "blas"
    }
    return ", ".join(sorted(libraries))
