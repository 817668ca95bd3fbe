"""The walls between the rooms: who may import what."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "monai", "SimpleITK", "scipy", "matplotlib", "tensorboard"}
LIGHT = (
    *("errors", "files", "cases", "layouts", "label_maps", "config", "presets", "outputs"),
    *("runs", "run_lock", "events", "progress", "model_folder", "cli", "commands"),
    *("feedback", "image_fit", "bundle_config"),
)

IMPORT_WITH_BLOCKED = """
import importlib, sys
for name in sys.argv[2].split(","):
    sys.modules[name] = None
importlib.import_module(sys.argv[1])
"""


def imports_of(file: Path) -> Iterator[str]:
    """The absolute names of what a file imports, at its top or anywhere in it."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, node.module) if node.module else base
            if node.module:
                yield ".".join(module)
            else:
                yield from (".".join((*module, alias.name)) for alias in node.names)


def importing_files(folder: str, forbidden: set[str]) -> list[str]:
    """Each file below a folder that imports a forbidden package, with what it imports."""
    return [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for name in imports_of(file)
        if name.split(".")[0] in forbidden
    ]


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_is_imported_where_nothing_heavy_is_installed(module: str) -> None:
    subprocess.run(
        [sys.executable, "-c", IMPORT_WITH_BLOCKED, f"GenSegLib.{module}", ",".join(HEAVY)],
        cwd=ROOT,
        check=True,
        timeout=60,
    )


def test_the_wall_would_be_noticed() -> None:
    heavy = [sys.executable, "-c", IMPORT_WITH_BLOCKED, "GenSegLib.image_io", ",".join(HEAVY)]
    done = subprocess.run(heavy, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "ModuleNotFoundError: import of SimpleITK halted" in done.stderr
    assert "SimpleITK" in set(imports_of(ROOT / "GenSegLib" / "itk_files.py"))


def test_the_library_knows_nothing_of_slicer() -> None:
    assert importing_files("GenSegLib", {"slicer", "qt", "ctk", "vtk", "GenSegSlicer"}) == []


def test_the_panel_imports_nothing_heavy() -> None:
    if not (ROOT / "GenSegSlicer").is_dir():
        pytest.skip("there is no panel in this tree yet")
    assert importing_files("GenSegSlicer", HEAVY) == []


def test_the_three_levels_know_nothing_of_images() -> None:
    allowed = {"torch", *sys.stdlib_module_names}
    foreign = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / "GenSegLib" / "multilevel").rglob("*.py"))
        for name in imports_of(file)
        if name.split(".")[0] not in allowed and not name.startswith("GenSegLib.multilevel")
    ]
    assert foreign == []


def test_the_package_itself_imports_nothing() -> None:
    assert set(imports_of(ROOT / "GenSegLib" / "__init__.py")) <= {"__future__"}
