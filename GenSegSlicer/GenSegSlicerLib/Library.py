"""Where GenSegLib is, and the Python that runs it.

The library is found from this file's own folder: beside the module where the extension is
installed, one level up in the source tree. No inherited path has a say in it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import slicer
from slicer.i18n import tr as _

_PROGRAMS = ("PythonSlicer", "PythonSlicer.exe")


def libraryFolder() -> Path:
    """The folder that holds the package GenSegLib.

    Raises:
        ImportError: the extension is installed in part.
    """
    moduleFolder = Path(__file__).resolve().parents[1]
    for folder in (moduleFolder, moduleFolder.parent):
        if (folder / "GenSegLib" / "__init__.py").is_file():
            return folder
    raise ImportError(f"GenSegLib is not beside {moduleFolder}; install the extension GenSeg anew")


def ensureImportable() -> None:
    """Let `import GenSegLib` find the library that belongs to this module, and no other one."""
    folder = str(libraryFolder())
    if folder not in sys.path:
        sys.path.insert(0, folder)


def pythonProgram() -> str:
    """Slicer's own Python as a program: PythonSlicer, else the Python that this runs in.

    Raises:
        GenSegError: Slicer is installed without it.
    """
    from GenSegLib.errors import GenSegError

    present = Path(sys.executable or ".")
    for folder in (present.parent, Path(slicer.app.slicerHome, "bin")):
        for name in _PROGRAMS:
            if (folder / name).is_file():
                return str(folder / name)
    onPath = shutil.which("PythonSlicer")
    if onPath:
        return onPath
    root = Path(sys.exec_prefix)
    for path in (present, root / "bin" / "python3", root / "python.exe"):
        if path.stem.lower().startswith("python") and path.is_file():
            return str(path)
    raise GenSegError(_("PythonSlicer is not beside Slicer; install Slicer anew"))


def commandLine(arguments: list[str]) -> list[str]:
    """The arguments for `pythonProgram` that run GenSegLib, to be started in `libraryFolder`.

    UTF-8 is asked for by an option: Slicer's environment need not be changed for it.
    """
    return ["-X", "utf8", "-u", "-m", "GenSegLib", *arguments]
