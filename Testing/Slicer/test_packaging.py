"""The files of the extension's package, and its entry in the Extensions Index."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from Tools.list_for_cmake import resources_of, scripts_of
from vtk import vtkPNGReader

ROOT = Path(__file__).resolve().parents[2]
RAW = "https://raw.githubusercontent.com/genseg/SlicerGenSeg/main/"
SCHEMA = "slicer-extension-catalog-entry-schema-v1.0.1.json"
MIRROR = ROOT.parent / ".mirror" / "Slicer+ExtensionsIndex" / "repo"

# The index's requirements for an entry, narrowed to what this extension uses
REQUIREMENTS = {
    "type": "object",
    "required": ["$schema", "category", "scm_url", "scm_revision", "tier"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "pattern": f"^https://.*/{re.escape(SCHEMA)}#$"},
        "build_dependencies": {"type": "array", "items": {"type": "string"}},
        "build_subdirectory": {"const": "."},
        "category": {"type": "string", "minLength": 1},
        "scm_revision": {"type": "string", "minLength": 1},
        "scm_url": {"type": "string", "pattern": r"^https://[\w.]+/\w+/Slicer\w+\.git$"},
        "tier": {"enum": [1, 3, 5]},
    },
}

# The CMake macros of a Slicer build that the extension uses
SLICER = """
macro(ctkMacroCompilePythonScript)
  cmake_parse_arguments(
    MY "NO_INSTALL_SUBDIR" "TARGET_NAME;DESTINATION_DIR;INSTALL_DIR" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(file IN LISTS MY_SCRIPTS MY_RESOURCES)
    get_filename_component(folder ${file} DIRECTORY)
    install(FILES ${file} DESTINATION ${MY_INSTALL_DIR}/${folder})
  endforeach()
endmacro()
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MODULE "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  ctkMacroCompilePythonScript(
    TARGET_NAME ${MODULE_NAME} SCRIPTS ${MODULE_SCRIPTS} RESOURCES ${MODULE_RESOURCES}
    DESTINATION_DIR unused INSTALL_DIR ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR})
endmacro()
function(slicer_add_python_unittest)
endfunction()
"""
CONFIG = """
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake)
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR qt-scripted-modules)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR qt-scripted-modules)
set(BUILD_TESTING ON)
"""


def listed(package: str, suffix: str) -> list[str]:
    """The files of `set(..._PYTHON_<suffix> ...)` in a package's CMakeLists.txt."""
    text = (ROOT / package / "CMakeLists.txt").read_text(encoding="utf-8")
    found = re.search(rf"set\(\w+_PYTHON_{suffix}\n([^)]*)\)", text)
    assert found is not None
    return found[1].split()


@pytest.mark.parametrize("package", ["GenSegLib", "GenSegSlicer"])
def test_the_lists_of_files_for_cmake_are_up_to_date(package: str) -> None:
    hint = "run: python Testing/Tools/list_for_cmake.py"
    assert listed(package, "SCRIPTS") == scripts_of(ROOT / package), hint
    assert listed(package, "RESOURCES") == resources_of(ROOT / package), hint


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of scripted modules after a build and installation by CMake."""
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("CMake is not installed")
    folder = tmp_path_factory.mktemp("packaging")
    slicer = folder / "slicer"
    slicer.mkdir()
    (slicer / "SlicerConfig.cmake").write_text(CONFIG, encoding="utf-8")
    (slicer / "UseSlicer.cmake").write_text(SLICER, encoding="utf-8")
    (slicer / "Nothing.cmake").touch()
    build, prefix = folder / "build", folder / "Größe 1"
    for command in (
        [cmake, "-S", ROOT, "-B", build, f"-DSlicer_DIR={slicer}", "-Wno-dev"],
        [cmake, "--install", build, "--prefix", prefix],
    ):
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120)
        assert done.returncode == 0, done.stderr
    return prefix / "qt-scripted-modules"


def test_module_and_library_are_installed_side_by_side(installed: Path) -> None:
    files = {path.relative_to(installed).as_posix() for path in installed.rglob("*.*")}
    library = [*scripts_of(ROOT / "GenSegLib"), *resources_of(ROOT / "GenSegLib")]
    module = [*scripts_of(ROOT / "GenSegSlicer"), *resources_of(ROOT / "GenSegSlicer")]
    assert files == {*(f"GenSegLib/{name}" for name in library), *module}


def test_the_installed_library_runs(installed: Path) -> None:
    command = [sys.executable, "-m", "GenSegLib", "presets"]
    done = subprocess.run(command, cwd=installed, capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr
    assert "liver-ct" in done.stdout


def metadata() -> dict[str, str]:
    """The EXTENSION_... fields of the top-level CMakeLists."""
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    return dict(re.findall(r'^set\(EXTENSION_(\w+) "?([^"\n]*?)"?\)', text, re.MULTILINE))


def catalog_entry() -> dict[str, Any]:
    entry = json.loads((ROOT / "GenSeg.json").read_text(encoding="utf-8"))
    assert isinstance(entry, dict)
    return entry


def test_all_extension_fields_are_set() -> None:
    fields = metadata()
    for name in (
        *("HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS"),
        *("DEPENDS", "RECOMMENDS", "KEYWORDS", "STATUS", "TIER", "ENABLED", "BUILD_SUBDIRECTORY"),
        *("LICENSE_FILE", "README_FILE"),
    ):
        assert fields[name], name


def test_the_catalog_entry_matches_the_extension_fields() -> None:
    entry, fields = catalog_entry(), metadata()
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "project(GenSeg)" in text
    assert entry["build_dependencies"] == fields["DEPENDS"].split()
    assert entry["category"] == fields["CATEGORY"]
    assert str(entry["tier"]) == fields["TIER"]
    assert entry["scm_url"].removesuffix(".git") == fields["HOMEPAGE"]


def test_the_catalog_entry_meets_the_requirements_of_the_index() -> None:
    jsonschema.validate(catalog_entry(), REQUIREMENTS)
    assert b"\r" not in (ROOT / "GenSeg.json").read_bytes()


def test_the_catalog_entry_is_valid_against_the_schema_of_the_index() -> None:
    show = ["git", "-C", str(MIRROR), "show", f"HEAD:schemas/{SCHEMA}"]
    found = subprocess.run(show, capture_output=True, encoding="utf-8")
    if found.returncode:
        pytest.skip("there is no copy of the Extensions Index")
    jsonschema.validate(catalog_entry(), json.loads(found.stdout))


@pytest.mark.parametrize("name", ["ICONURL", "SCREENSHOTURLS"])
def test_the_icon_and_screenshots_exist(name: str) -> None:
    for address in metadata()[name].split():
        assert address.startswith(RAW)
        assert (ROOT / address[len(RAW) :]).is_file()


@pytest.mark.parametrize("name", ["GenSeg.png", "GenSegSlicer/Resources/Icons/GenSegSlicer.png"])
def test_the_icon_has_128_by_128_pixels(name: str) -> None:
    reader = vtkPNGReader()
    reader.SetFileName(str(ROOT / name))
    reader.Update()
    assert reader.GetOutput().GetDimensions() == (128, 128, 1)
