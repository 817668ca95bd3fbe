"""The walls between the rooms: who may import what."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from imports import HEAVY, IMPORT_WITH_BLOCKED, LIGHT, ROOT, importing_files, imports_of


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_is_imported_where_nothing_heavy_is_installed(module: str) -> None:
    subprocess.run(
        [sys.executable, "-c", IMPORT_WITH_BLOCKED, f"GenSegLib.{module}", ",".join(HEAVY)],
        cwd=ROOT,
        check=True,
        timeout=60,
    )


def test_the_wall_would_be_noticed() -> None:
    module = "GenSegLib.images.image_io"
    heavy = [sys.executable, "-c", IMPORT_WITH_BLOCKED, module, ",".join(HEAVY)]
    done = subprocess.run(heavy, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "ModuleNotFoundError: import of SimpleITK halted" in done.stderr
    assert "SimpleITK" in set(imports_of(ROOT / "GenSegLib" / "images" / "itk_files.py"))


def test_the_library_knows_nothing_of_slicer() -> None:
    assert importing_files("GenSegLib", {"slicer", "qt", "ctk", "vtk", "GenSegSlicer"}) == []


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


@pytest.mark.parametrize(
    ("room", "unknown"),
    [
        ("images", "data models networks prediction training"),
        ("dicom", "networks prediction training"),
        ("data", "models networks prediction training"),
        ("networks", "data images models prediction training"),
        ("models", "images prediction training"),
        ("prediction", "augmentation multilevel training"),
        ("evaluation", "augmentation networks training"),
        ("computing", "data images models prediction training"),
    ],
)
def test_a_room_knows_nothing_of_what_is_built_upon_it(room: str, unknown: str) -> None:
    upon = tuple(f"GenSegLib.{name}." for name in unknown.split())
    found = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / "GenSegLib" / room).rglob("*.py"))
        for name in imports_of(file)
        if f"{name}.".startswith(upon)
    ]
    assert found == []


def test_the_readme_says_what_is_in_each_room() -> None:
    rooms = {path.parent.name for path in (ROOT / "GenSegLib").glob("*/__init__.py")}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("| room |")[2].partition("## Limits")[0]
    assert set(re.findall(r"`(\w+)/`", table)) == rooms
