"""Location of the library and of the Python executable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_library_is_beside_the_source_module() -> None:
    from GenSegSlicerLib.Library import libraryFolder

    assert libraryFolder() == ROOT


def test_library_is_beside_the_installed_module(tmp_path: Path) -> None:
    installed = tmp_path / "qt-scripted-modules"
    (installed / "GenSegSlicerLib").mkdir(parents=True)
    source = ROOT / "GenSegSlicer" / "GenSegSlicerLib" / "Library.py"
    copy = installed / "GenSegSlicerLib" / "Library.py"
    copy.write_bytes(source.read_bytes())
    (installed / "GenSegLib").mkdir()
    (installed / "GenSegLib" / "__init__.py").touch()
    assert _library_of(copy) == installed


def test_incomplete_installation_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    copy = tmp_path / "a" / "b" / "Library.py"
    source = ROOT / "GenSegSlicer" / "GenSegSlicerLib" / "Library.py"
    copy.write_bytes(source.read_bytes())
    with pytest.raises(ImportError, match="reinstall the GenSeg extension"):
        _library_of(copy)


def test_python_slicer_is_preferred_to_the_python_of_a_build_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Any
) -> None:
    from GenSegSlicerLib.Library import pythonExecutable

    from GenSegLib.errors import GenSegError

    monkeypatch.setattr(sys, "executable", str(tmp_path / "SlicerApp-real"))
    monkeypatch.setattr(sys, "exec_prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GenSegError, match="reinstall Slicer"):
        pythonExecutable()
    for name in ("bin/python3", "PythonSlicer"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        assert pythonExecutable() == str(tmp_path / name)


def _library_of(file: Path) -> Path:
    """Return `libraryFolder` of a copy of the module."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("CopiedLibrary", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.libraryFolder()
