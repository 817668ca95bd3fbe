"""Importing the panel needs no heavy package and has no side effects."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from imports import ROOT, source_files

FILES = source_files("GenSegSlicer")
HEAVY = ("torch", "monai", "SimpleITK", "scipy", "matplotlib", "pydicom", "highdicom", "onnx")

IMPORT_WITHOUT = """
import importlib, sys
import Host
Host.install()
for name in sys.argv[1].split(","):
    sys.modules[name] = None
for name in sys.argv[2:]:
    importlib.import_module(name)
"""

DEFINITIONS = (
    *(ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign),
)
PURE_CALLS = {
    *("Path", "resolve", "frozenset", "dict", "set", "tuple", "slice", "range", "zeros", "compile"),
}
SLICER_CONSTANTS = "RepresentationName"
ADDS_THE_LIBRARY_TO_SYS_PATH = "ensureImportable()"


def test_the_module_is_imported_where_nothing_heavy_is_installed() -> None:
    parts = (ROOT / "GenSegSlicer" / "GenSegSlicerLib").glob("*.py")
    names = ["GenSegSlicer", *(f"GenSegSlicerLib.{part.stem}" for part in sorted(parts))]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT, ",".join(HEAVY), *names],
        cwd=ROOT / "Testing",
        env={**os.environ, "PYTHONPATH": str(ROOT / "GenSegSlicer")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_nothing_runs_at_import() -> None:
    found = [f"{file.name}: {each}" for file in FILES for each in side_effects_of(file)]
    assert found == []


def side_effects_of(file: Path) -> Iterator[str]:
    """Yield the statements at file scope that do more than define names."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        text = ast.unparse(node)
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_typing = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        is_allowed = is_docstring or is_typing or text == ADDS_THE_LIBRARY_TO_SYS_PATH
        if not (isinstance(node, DEFINITIONS) or is_allowed):
            yield f"line {node.lineno}: {text}"
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            calls = (ast.unparse(c.func) for c in ast.walk(node) if isinstance(c, ast.Call))
            for name in (call.split(".")[-1] for call in calls):
                if name not in PURE_CALLS and not name.endswith(SLICER_CONSTANTS):
                    yield f"line {node.lineno}: {text}"


def test_a_side_effect_at_import_is_found(tmp_path: Path) -> None:
    file = tmp_path / "SideEffects.py"
    file.write_text("import a\nx = Path()\ny = a.open(1)\nfor k in x:\n    k()\n", encoding="utf-8")
    assert [each.split(":")[0] for each in side_effects_of(file)] == ["line 3", "line 4"]
