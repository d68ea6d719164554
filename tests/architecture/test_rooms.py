"""The walls of the house, proved in a process of their own."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]

BLOCKED = """
import sys, importlib, pkgutil
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError("walled off: " + name)
sys.meta_path.insert(0, Wall())
import {package}
for module in pkgutil.walk_packages({package}.__path__, "{package}."):
    importlib.import_module(module.name)
"""


def test_calibration_imports_with_the_rest_of_the_program_walled_off() -> None:
    code = BLOCKED.format(blocked={"livestereo", "typer", "rich", "av", "numba", "viser"}, package="calibration")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_livestereo_imports_without_its_extras_and_without_heavy_libraries() -> None:
    # Extras may be absent (only kernels need numba), and av, reportlab and jinja2 load only where they are used.
    blocked = {"numba", "llvmlite", "viser", "mcap", "av", "reportlab", "jinja2"}
    code = BLOCKED.format(blocked=blocked, package="livestereo").replace(
        "importlib.import_module(module.name)",
        'module.name.endswith(("__main__", "_kernel", "_vectors")) or importlib.import_module(module.name)',
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_every_module_says_what_it_is_for() -> None:
    for package in ("livestereo", "calibration"):
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            path = ROOT / module.name.replace(".", "/")
            source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
            assert source.lstrip().startswith(('"""', 'r"""')), module.name


def test_the_contracts_that_speak_of_all_rooms_name_all() -> None:
    rooms = {f"livestereo.{one.name}" for one in pkgutil.iter_modules([str(ROOT / "livestereo")])}
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = {one["name"]: one for one in tomllib.load(file)["tool"]["importlinter"]["contracts"]}
    everyone = set(contracts["nobody imports the command line"]["source_modules"])
    assert everyone == rooms - {"livestereo.cli", "livestereo.__main__"}
    running = set(contracts["pipeline and engine know bases, not members"]["source_modules"])
    assert running == {one for one in rooms if one.startswith(("livestereo.engine", "livestereo.pipeline"))}
