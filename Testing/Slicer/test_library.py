"""Location of the library and of the Python executable."""

from __future__ import annotations

import subprocess
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


def test_python_slicer_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Any
) -> None:
    from GenSegSlicerLib.Library import pythonExecutable

    for name in ("SlicerApp-real", "PythonSlicer"):
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "SlicerApp-real"))
    assert pythonExecutable() == str(tmp_path / "PythonSlicer")


def test_python_of_a_build_tree_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Any
) -> None:
    from GenSegSlicerLib.Library import pythonExecutable

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "SlicerApp-real"))
    monkeypatch.setattr(sys, "exec_prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pythonExecutable() == str(tmp_path / "bin" / "python3")


def test_missing_python_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Any
) -> None:
    from GenSegSlicerLib.Library import pythonExecutable

    from GenSegLib.errors import GenSegError

    monkeypatch.setattr(sys, "executable", str(tmp_path / "SlicerApp-real"))
    monkeypatch.setattr(sys, "exec_prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GenSegError, match="reinstall Slicer"):
        pythonExecutable()


@pytest.mark.skipif("PythonQt" in sys.modules, reason="a running Slicer has imported much")
def test_logic_imports_neither_pytorch_nor_monai() -> None:
    code = (
        "import sys; sys.path[:0] = ['Testing', 'GenSegSlicer']; import Host; Host.install();"
        "import GenSegSlicerLib.Logic;"
        "print([name for name in ('torch', 'monai', 'SimpleITK', 'scipy') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout.splitlines()[-1] == "[]"


def _library_of(file: Path) -> Path:
    """Return `libraryFolder` of a copy of the module."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("CopiedLibrary", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.libraryFolder()
