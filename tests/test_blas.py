import json
import os
import subprocess
import sys

import pytest

from initodds import blas


def settled(**environment: str) -> dict[str, str]:
    """The BLAS variables of a new process that has imported initodds."""
    clean = {key: text for key, text in os.environ.items() if key not in (*blas.THREAD_VARIABLES, "OPENBLAS_CORETYPE")}
    code = "import json, os, initodds; print(json.dumps(dict(os.environ)))"
    result = subprocess.run(
        [sys.executable, "-c", code], env={**clean, **environment}, capture_output=True, text=True, check=True
    )
    return json.loads(result.stdout)


def test_one_thread_and_the_kernel_that_the_processor_has():
    after = settled()
    assert all(after[variable] == "1" for variable in blas.THREAD_VARIABLES)
    has_avx512 = blas.processor_flags() >= blas.SKYLAKEX_FLAGS
    assert after.get("OPENBLAS_CORETYPE") == ("SkylakeX" if has_avx512 else None)


def test_what_the_user_has_set_stays():
    after = settled(OPENBLAS_NUM_THREADS="3", OPENBLAS_CORETYPE="Haswell")
    assert (after["OPENBLAS_NUM_THREADS"], after["OPENBLAS_CORETYPE"]) == ("3", "Haswell")


def test_nothing_is_set_once_numpy_is_loaded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    blas.settle()
    assert "OMP_NUM_THREADS" not in os.environ


def test_in_use_names_the_library_that_numpy_has_loaded():
    import threadpoolctl

    used = blas.in_use()
    blas_versions = [info["version"] for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"]
    assert blas_versions
    assert all(version in used for version in blas_versions if version)
