"""Importing the panel has no side effects; heavy packages: `test_panel_opening`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from imports import source_files

FILES = source_files("GenSegSlicer")
DEFINITIONS = (
    *(ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign),
)
PURE_CALLS = {
    *("Path", "resolve", "frozenset", "dict", "set", "tuple", "slice", "range", "zeros", "compile"),
    *("TypeVar", "iinfo", "UnlabeledScans"),
}
SLICER_CONSTANTS = "RepresentationName"
ADDS_THE_LIBRARY_TO_SYS_PATH = "ensureImportable()"


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
