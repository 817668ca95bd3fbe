"""The walls around the panel: what it may import, and what may happen while it is imported."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from imports import HEAVY, LIGHT, ROOT, importing_files, imports_of

FILES = sorted((ROOT / "GenSegSlicer").rglob("*.py"))
APPLICATION = {"slicer", "qt", "ctk", "vtk", "SampleData", "PyTorchUtils"}
OTHERS = {"numpy", "GenSegLib", "GenSegSlicerLib"}
DEFINITIONS = (
    *(ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign),
)
HARMLESS = {
    *("Path", "resolve", "frozenset", "dict", "set", "tuple", "slice", "range", "zeros", "compile"),
}
CONSTANTS_OF_SLICER = "RepresentationName"
FINDS_THE_LIBRARY = "ensureImportable()"  # a folder more in sys.path, where that is needed

IMPORT_ALL = """
import importlib, sys
import Host
Host.install()
for name in sys.argv[1].split(","):
    sys.modules[name] = None
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def shown(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_the_panel_imports_nothing_heavy() -> None:
    assert importing_files("GenSegSlicer", HEAVY) == []


@pytest.mark.parametrize("file", FILES, ids=shown)
def test_a_file_imports_the_application_and_the_light_part_of_the_library_alone(file: Path) -> None:
    light = tuple(f"GenSegLib.{module}." for module in LIGHT)
    for name in imports_of(file):
        room = name.split(".")[0]
        assert room in APPLICATION | OTHERS | sys.stdlib_module_names, name
        assert room != "GenSegLib" or name == room or f"{name}.".startswith(light), name


def test_the_library_imports_nothing_of_the_application() -> None:
    assert importing_files("GenSegLib", {*APPLICATION, "GenSegSlicer", "GenSegSlicerLib"}) == []


def test_the_module_is_imported_where_nothing_heavy_is_installed() -> None:
    parts = (ROOT / "GenSegSlicer" / "GenSegSlicerLib").glob("*.py")
    names = ["GenSegSlicer", *(f"GenSegSlicerLib.{part.stem}" for part in sorted(parts))]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, ",".join(sorted(HEAVY)), *names],
        cwd=ROOT / "Testing",
        env={**os.environ, "PYTHONPATH": str(ROOT / "GenSegSlicer")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", FILES, ids=shown)
def test_nothing_runs_while_a_file_is_imported(file: Path) -> None:
    assert list(deeds_at_file_scope(file)) == []


def deeds_at_file_scope(file: Path) -> Iterator[str]:
    """What a file does outside its functions and classes but to define names."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        text = ast.unparse(node)
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_typing = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not (isinstance(node, DEFINITIONS) or is_text or is_typing or text == FINDS_THE_LIBRARY):
            yield f"line {node.lineno}: {text}"
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            called = (ast.unparse(c.func) for c in ast.walk(node) if isinstance(c, ast.Call))
            for name in (function.split(".")[-1] for function in called):
                if name not in HARMLESS and not name.endswith(CONSTANTS_OF_SLICER):
                    yield f"line {node.lineno}: {text}"


def test_a_deed_at_file_scope_would_be_noticed(tmp_path: Path) -> None:
    file = tmp_path / "Deeds.py"
    file.write_text("import a\nx = Path()\ny = a.open(1)\nfor k in x:\n    k()\n", encoding="utf-8")
    assert [deed.split(":")[0] for deed in deeds_at_file_scope(file)] == ["line 3", "line 4"]
