"""Location of GenSegLib and of the Python executable that runs it.

The library is located relative to this file: beside the module in the installed extension, one
level up in the source tree. `PYTHONPATH` is not used.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import slicer
from slicer.i18n import tr as _

_PROGRAMS = ("PythonSlicer", "PythonSlicer.exe")


def libraryFolder() -> Path:
    """Return the folder that contains the package GenSegLib.

    Raises:
        ImportError: the installation is incomplete.
    """
    moduleFolder = Path(__file__).resolve().parents[1]
    for folder in (moduleFolder, moduleFolder.parent):
        if (folder / "GenSegLib" / "__init__.py").is_file():
            return folder
    raise ImportError(f"GenSegLib is not beside {moduleFolder}; reinstall the GenSeg extension")


def ensureImportable() -> None:
    """Make `import GenSegLib` find the library of this module."""
    folder = str(libraryFolder())
    if folder not in sys.path:
        sys.path.insert(0, folder)


def pythonExecutable() -> str:
    """Return Slicer's own Python executable: PythonSlicer, or else the running interpreter.

    Raises:
        GenSegError: there is none.
    """
    from GenSegLib.errors import GenSegError

    current = Path(sys.executable or ".")
    for folder in (current.parent, Path(slicer.app.slicerHome, "bin")):
        for name in _PROGRAMS:
            if (folder / name).is_file():
                return str(folder / name)
    onPath = shutil.which("PythonSlicer")
    if onPath:
        return onPath
    root = Path(sys.exec_prefix)
    for path in (current, root / "bin" / "python3", root / "python.exe"):
        if path.stem.lower().startswith("python") and path.is_file():
            return str(path)
    raise GenSegError(_("PythonSlicer was not found; reinstall Slicer"))


def libraryArguments(arguments: list[str]) -> list[str]:
    """Return arguments for `pythonExecutable` that run GenSegLib, started in `libraryFolder`.

    UTF-8 mode is enabled by an option, since Slicer's environment may not set it.
    """
    return ["-X", "utf8", "-u", "-m", "GenSegLib", *arguments]
