"""What holds for the project as a whole: layers, exports, types, packaging, and the price of an import."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
PACKAGES = [ROOT / package for package in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
CORE_MODULES = sorted((ROOT / "crdtshadow").rglob("*.py"))

# Too slow to load for what starts cold; the core may import them where it needs them, inside a function.
COSTLY_MODULES = {"asyncio", "boto3", "dataclasses", "enum", "hypothesis", "json", "logging", "re", "rich", "sqlite3"}


def run_bare(code: str) -> str:
    """Return what *code* prints in a fresh interpreter that runs no start-up hooks of the environment."""
    prologue = f"import sys; sys.path[:0] = {[entry for entry in sys.path if entry]!r}\n"
    command = [sys.executable, "-I", "-S", "-c", prologue + code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def import_seconds(module: str) -> float:
    clock = "from time import perf_counter as now; start = now(); import {}; print(now() - start)"
    return float(run_bare(clock.format(module)))


def names_imported(statements: Iterable[ast.AST]) -> set[str]:
    """Return the top-level packages that *statements* import."""
    names: set[str] = set()
    for statement in statements:
        if isinstance(statement, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            names.add((statement.module or "").partition(".")[0])
    return names


def is_testing(module: Path) -> bool:
    return "testing" in module.relative_to(ROOT).with_suffix("").parts


def test_importing_the_core_loads_nothing_costly() -> None:
    # What `typing` loads by itself, `re` in most versions of Python, cannot be spared.
    spent = run_bare("import collections.abc, msgpack, typing; print(*sys.modules)").split()
    loaded = run_bare("import crdtshadow; print(*sys.modules)").split()
    assert "crdtshadow.replica" in loaded
    assert "crdtshadow.testing" not in loaded
    assert (COSTLY_MODULES & set(loaded)) - set(spent) == set()


def test_importing_the_core_takes_less_time_than_importing_asyncio() -> None:
    # Interleaved, and the best of several: what else the machine does then slows both or neither.
    pairs = [(import_seconds("crdtshadow"), import_seconds("asyncio")) for _ in range(5)]
    core, asyncio = (min(column) for column in zip(*pairs, strict=True))
    assert core < asyncio


@pytest.mark.parametrize("module", CORE_MODULES, ids=lambda path: path.stem)
def test_the_core_imports_the_standard_library_and_msgpack_only(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    allowed = {"crdtshadow", "msgpack", *sys.stdlib_module_names}
    if is_testing(module):
        allowed |= {"hypothesis"}
    else:
        assert names_imported(tree.body) & COSTLY_MODULES == set()
    assert names_imported(ast.walk(tree)) <= allowed


def test_the_layers_hold() -> None:
    path = "import sys; sys.path[:0] = ['.', 'adapters']; "
    linter = path + "from importlinter.cli import lint_imports_command; lint_imports_command()"
    outcome = subprocess.run(
        [sys.executable, "-c", linter, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_every_package_is_shipped_and_its_layer_is_checked() -> None:
    present = {ROOT / "crdtshadow", *(ROOT / "adapters").glob("crdtshadow_*")}
    assert set(PACKAGES) == present
    assert set(PYPROJECT["tool"]["importlinter"]["root_packages"]) == {package.name for package in present}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_package_is_typed_and_exports_what_it_says(package: Path) -> None:
    assert (package / "py.typed").is_file()
    module = importlib.import_module(package.name)
    assert module.__doc__
    exported = getattr(module, "__all__", [])
    assert len(set(exported)) == len(exported)
    assert [name for name in exported if not hasattr(module, name)] == []


def test_the_core_exports_something() -> None:
    assert importlib.import_module("crdtshadow").__all__


@pytest.mark.parametrize("script", PROJECT["scripts"].values())
def test_scripts_can_be_called(script: str) -> None:
    module, _, function = script.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_development_is_pinned_from_no_particular_place() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in pins if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in pins}
    requirements = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    names = {re.split(r"[\[<>=]", requirement)[0].lower() for requirement in requirements} - {"crdtshadow"}
    assert names <= pinned
