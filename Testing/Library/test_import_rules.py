"""The import rules between packages."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from imports import ROOT, imported_modules, imports_of, module_name, source_files

LIBRARY = source_files("GenSegLib")
PANEL = source_files("GenSegSlicer")
MODULES = {module_name(file): file for file in LIBRARY}
HEAVY = {"torch", "monai", "SimpleITK", "scipy", "matplotlib", "psutil"}
HEAVY |= {"highdicom", "pydicom", "onnx", "onnxruntime"}
SLICER = {"slicer", "qt", "ctk", "vtk", "SampleData", "PyTorchUtils"}

IMPORT_WITHOUT = """
import importlib, sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
for name in sys.argv[2:]:
    importlib.import_module(name)
"""
USE_ON_PYTHON_3_9 = """
import importlib, pathlib, sys, tempfile
try:
    import numpy
except ImportError:
    from unittest.mock import MagicMock
    sys.modules["numpy"] = sys.modules["numpy.typing"] = MagicMock()
for name in sys.argv[1:]:
    importlib.import_module(name)
from GenSegLib.cases import Case, CaseSet
from GenSegLib.config import TrainConfig, parse_setting
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
preset = load_preset("hippocampus-mri")
config = TrainConfig.for_preset(preset, "quick", **dict([parse_setting("time_budget_s=none")]))
assert TrainConfig.from_json(config.to_json()) == config
with tempfile.TemporaryDirectory() as folder:
    pair = (pathlib.Path(folder, "a.nrrd"), pathlib.Path(folder, "b.nrrd"))
    cases = CaseSet((Case("a", *pair),), dict(preset.labels), preset.modality)
    RunFolder.create(pathlib.Path(folder, "run"), config, preset, cases)
    assert RunFolder.open(pathlib.Path(folder, "run")).config == config
"""


def package_of(module: str) -> str:
    """The package of a module; a module at the root of the library counts as its own package."""
    return module.split(".")[1] if "." in module else module


def is_declared_light(file: Path) -> bool:
    """Whether a module's docstring says that it is light: importable without heavy packages."""
    return "\nLight: " in (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "")


@cache
def packages_loaded_by(module: str) -> frozenset[str]:
    """The third-party packages that importing a module of the library loads."""
    todo, seen, loaded = [module], set[str](), set[str]()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        parents = {name.rpartition(".")[0]} - {""}
        todo += imported_modules(MODULES[name], set(MODULES), at_import=True) | parents
        loaded |= roots_of([MODULES[name]], at_import=True)
    return frozenset(loaded - {"GenSegLib", *sys.stdlib_module_names})


def package_graph() -> dict[str, set[str]]:
    """The packages that each package of the library imports, at import time or later."""
    graph: dict[str, set[str]] = {}
    for name, file in MODULES.items():
        imported = {package_of(other) for other in imported_modules(file, set(MODULES))}
        graph.setdefault(package_of(name), set()).update(imported - {package_of(name)})
    return graph


def test_packages_do_not_import_each_other_in_cycles() -> None:
    try:
        TopologicalSorter(package_graph()).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' <- '.join(error.args[1])}")


def test_the_library_imports_nothing_of_slicer() -> None:
    forbidden = SLICER | {"GenSegSlicer", "GenSegSlicerLib"}
    assert roots_of(LIBRARY) & forbidden == set()


def test_the_panel_imports_slicer_and_the_light_modules_of_the_library_only() -> None:
    allowed = SLICER | {"numpy", "psutil", "GenSegLib", "GenSegSlicerLib", *sys.stdlib_module_names}
    assert roots_of(PANEL) <= allowed
    known = set(MODULES)
    early = {name for file in PANEL for name in imported_modules(file, known, at_import=True)}
    late = {name for file in PANEL for name in imported_modules(file, known)} - early
    assert {name: packages_loaded_by(name) & HEAVY for name in early} == dict.fromkeys(
        early, frozenset()
    )
    # What reads DICOM is imported when it is needed; SimpleITK is a part of Slicer.
    assert {name for each in late for name in packages_loaded_by(each) & HEAVY} <= {"SimpleITK"}


def test_the_multilevel_package_imports_torch_only() -> None:
    files = source_files("GenSegLib/multilevel")
    assert roots_of(files) <= {"torch", "GenSegLib", *sys.stdlib_module_names}
    others = {name for file in files for name in imported_modules(file, set(MODULES))}
    assert {package_of(name) for name in others} <= {"multilevel"}


def test_nothing_accesses_the_network() -> None:
    network = ("urllib.request", "http.client", "http.server", "ssl", "requests", "urllib3")
    using = {
        file.name
        for file in (*LIBRARY, *PANEL)
        for name in imports_of(file)
        if f"{name}.".startswith(tuple(f"{package}." for package in network))
    }
    assert using == set()


def test_light_modules_load_the_standard_library_and_numpy_only() -> None:
    assert len(LIGHT) > 20
    assert {name for name in LIGHT if packages_loaded_by(name) - {"numpy"}} == set()


def test_light_modules_are_imported_where_nothing_heavy_is_installed() -> None:
    command = [sys.executable, "-c", IMPORT_WITHOUT, ",".join(sorted(HEAVY)), *LIGHT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_light_modules_run_on_python_3_9() -> None:
    """The oldest version of 3D Slicer that is supported comes with Python 3.9."""
    python = find_python39()
    if python is None:
        pytest.skip("there is no Python 3.9; GENSEG_PYTHON39 specifies one")
    modules = [name for name in LIGHT if name.split(".")[1] not in ("cli", "commands")]
    command = [python, "-B", "-c", USE_ON_PYTHON_3_9, *modules]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def roots_of(files: list[Path], **options: bool) -> set[str]:
    return {name.split(".")[0] for file in files for name in imports_of(file, **options)}


LIGHT = [name for name, file in MODULES.items() if is_declared_light(file)]


def find_python39() -> str | None:
    """The interpreter of GENSEG_PYTHON39, or else one of pyenv or on the path."""
    installed = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))
    for candidate in (os.environ.get("GENSEG_PYTHON39"), *installed, shutil.which("python3.9")):
        code = "import sys; assert sys.version_info[:2] == (3, 9)"
        if candidate and subprocess.run([candidate, "-c", code], check=False).returncode == 0:
            return str(candidate)
    return None
