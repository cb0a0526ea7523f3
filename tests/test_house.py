"""The house has floors: imports go one way, and a package loads no more than it needs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import initodds

SOURCE = Path(__file__).parents[1] / "src" / "initodds"

FLOORS = (
    "blas",
    "vocabulary",
    "initializers",
    "datasets",
    "networks",
    "engines",
    "training",
    "verdicts",
    "cells",
    "tracking",
    "sweeps",
    "commands",
)
"""From the bottom to the top; a module imports from its own floor and from those below."""

STATISTICS_KNOWS = {"vocabulary", "statistics"}
KNOW_STATISTICS = {"statistics", "tracking", "sweeps", "commands", "analysis", "__init__"}


def floor_of(module: str) -> str:
    """The floor of a module of the package: `initodds.networks.network` is on `networks`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports() -> list[tuple[str, str]]:
    """(importing floor, imported floor) of every import in the package, late ones and those for types alone too."""
    found = []
    for path in SOURCE.rglob("*.py"):
        here = path.relative_to(SOURCE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "initodds":
                modules = (
                    [f"initodds.{name.name}" for name in node.names] if node.module == "initodds" else [node.module]
                )
                found += [(here, floor_of(module)) for module in modules]
            elif isinstance(node, ast.Import):
                found += [(here, floor_of(name.name)) for name in node.names if name.name.startswith("initodds.")]
    return found


def in_a_process(code: str) -> str:
    """What a Python of its own prints that runs this code."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_imports_go_one_way():
    upwards = {
        (importing, imported)
        for importing, imported in imports()
        if importing in FLOORS and imported in FLOORS and FLOORS.index(imported) > FLOORS.index(importing)
    }
    assert upwards == set()


def test_statistics_stands_beside_the_floors():
    assert {imported for importing, imported in imports() if importing == "statistics"} <= STATISTICS_KNOWS
    assert {importing for importing, imported in imports() if imported == "statistics"} <= KNOW_STATISTICS


def test_every_floor_is_in_the_house():
    """So that a new package has to find its place here."""
    rooms = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert rooms - {"__init__", "__main__", "analysis", "statistics"} == set(FLOORS)


@pytest.mark.parametrize("floor", ["datasets", "networks", "engines", "training", "verdicts", "statistics"])
def test_numerical_floors_know_nothing_of_hydra_or_mlflow(floor: str):
    modules = sorted(
        f"initodds.{floor}.{path.stem}" for path in (SOURCE / floor).glob("*.py") if path.stem != "__init__"
    )
    code = f"import sys, {', '.join([f'initodds.{floor}', *modules])}; print({{'hydra', 'mlflow'}} & set(sys.modules))"
    assert in_a_process(code) == "set()\n"


def test_the_front_door_loads_what_is_asked_for_alone():
    """No more than pandas for `rates`; and BLAS is settled before NumPy is there."""
    code = """if True:
        import os, sys
        import initodds
        assert "numpy" not in sys.modules and os.environ["OPENBLAS_NUM_THREADS"]
        initodds.rates
        heavy = "hydra", "mlflow", "matplotlib", "seaborn", "sklearn", "scipy.stats", "initodds.cells"
        print({name for name in heavy if name in sys.modules}, "pandas" in sys.modules)
    """
    assert in_a_process(code) == "set() True\n"


def test_the_front_door_has_what_it_names():
    """The lazy names, `__all__`, and what a type checker sees are one list."""
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    (for_types,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {name.name for node in for_types.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert imported | {"__version__"} == set(initodds.__all__) == {*initodds._ROOMS, *initodds._MODULES, "__version__"}
    assert all(getattr(initodds, name) is not None for name in initodds.__all__)
    assert set(dir(initodds)) == set(initodds.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'rate'"):
        initodds.rate  # noqa: B018
    rooms = {path.stem for path in SOURCE.iterdir()}
    assert rooms & set(initodds.__all__) <= set(initodds._MODULES)  # or a module would take the place of a function


def test_the_front_door_is_typed(tmp_path: Path):
    """A user's mypy sees through the lazy names."""
    user = tmp_path / "user.py"
    user.write_text("import initodds\nreveal_type(initodds.run('init=unit'))\nreveal_type(initodds.rates)\n")
    code = f"from mypy import api; print(api.run([{str(user)!r}])[0])"  # with what `make lint` has in its cache
    said = in_a_process(code)
    assert 'Revealed type is "initodds.cells.cell.Cell"' in said
    assert "Success" in said


def test_help_loads_none_of_what_trains():
    code = """if True:
        import sys
        from initodds.commands import run
        print({"numpy", "pandas", "mlflow", "initodds.cells.config"} & set(sys.modules))
    """
    assert in_a_process(code) == "set()\n"


def test_a_look_at_the_start_loads_neither_what_tracks_nor_what_draws():
    """So that `initodds-explain --start` answers in a second."""
    code = """if True:
        import sys
        from initodds.commands import explain
        sys.argv = ["initodds-explain", "--start", "data=iris", "data.scale=standardize"]
        explain.main()
        print({"mlflow", "pandas", "matplotlib", "seaborn", "sklearn", "scipy.stats"} & set(sys.modules))
    """
    assert in_a_process(code).splitlines()[-1] == "set()"


def test_what_reads_results_loads_neither_hydra_nor_mlflow_nor_matplotlib():
    """So that a notebook starts at once; they are loaded where a store is opened, or a figure drawn."""
    heavy = "{'hydra', 'mlflow', 'matplotlib', 'seaborn'} & set(sys.modules)"
    code = f"import sys, initodds.analysis, initodds.tracking.loading; print({heavy})"
    assert in_a_process(code) == "set()\n"
