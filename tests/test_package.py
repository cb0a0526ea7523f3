"""What is installed: what the wheel holds, and what it says it needs."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normalized(requirement: str) -> str:
    """The name of a requirement's distribution, as PyPI compares names: `hydra_core>=1.3` is `hydra-core`."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def test_what_is_imported_is_declared():
    optional = [name for extra, names in PROJECT["optional-dependencies"].items() if extra != "dev" for name in names]
    declared = {normalized(requirement) for requirement in (*PROJECT["dependencies"], *optional)}
    installed, undeclared = packages_distributions(), set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for module in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"initodds"}:
                # MLflow's modules come with a distribution of their own, which it requires.
                distributions = {normalized(name) for name in installed.get(module, [module])}
                if not distributions & declared:
                    undeclared.add(module)
    assert undeclared == set()


def test_the_wheel_has_the_configs_the_sweeper_and_the_types(tmp_path: Path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    configs = {f"initodds/conf/{path.relative_to(ROOT / 'conf')}" for path in (ROOT / "conf").rglob("*.yaml")}
    modules = {
        str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.[pc]*") if path.suffix in (".py", ".c")
    }
    assert configs | modules | {"initodds/py.typed"} <= held
    assert {name.split("/")[0] for name in held} == {
        "initodds",
        "hydra_plugins",
        f"initodds-{PROJECT['version']}.dist-info",
    }
