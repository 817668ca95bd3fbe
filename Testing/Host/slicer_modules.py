"""`slicer.packaging` and `slicer.i18n`: no package is installed, and no text is translated."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement
from PySide6.QtCore import QCoreApplication

Requirements = "str | Requirement | list[str | Requirement]"


def load_requirements(path: str | Path) -> list[Requirement]:
    """Read a requirements file, ignoring comments and options."""
    lines = (line.partition("#")[0].strip() for line in Path(path).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def _as_list(requirements: Requirements) -> list[Requirement]:
    several = requirements if isinstance(requirements, list) else [requirements]
    return [Requirement(str(each)) for each in several]


def pip_check(req: Requirements, _seen: Any = None) -> bool:
    """Whether all requirements are met by installed packages."""
    return all(_is_met(each) for each in _as_list(req))


def _is_met(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(found, prereleases=True)


def pip_ensure(
    requirements: Requirements,
    constraints: str | Path | None = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> list[str] | None:
    """Install missing packages, which fails in the host; in testing mode Slicer installs none."""
    missing = [str(each) for each in _as_list(requirements) if not _is_met(each)]
    if missing and not skip_in_testing:
        pip_install(missing)
    return None


def pip_install(requirements: str | list[str], **_: Any) -> list[str] | None:
    """Raise RuntimeError: tests must not change the Python that runs them."""
    raise RuntimeError("The desktop host installs no packages")


def pip_uninstall(requirements: str | list[str], **_: Any) -> None:
    """Raise RuntimeError, as `pip_install`."""
    raise RuntimeError("The desktop host uninstalls no packages")


def isPipInstallInProgress() -> bool:
    return False


def translate(context: str, text: str) -> str:
    """Translate a text."""
    return QCoreApplication.translate(context, text)


@cache
def getContext(sourceFile: str) -> str:
    """The translation context of a source file: its stem, after its package if it has one.

    Slicer remembers them, too.
    """
    path = Path(sourceFile)
    is_in_package = (path.parent / "__init__.py").is_file()
    return f"{path.parent.name}.{path.stem}" if is_in_package else path.stem


def tr(text: str) -> str:
    """Translate a text in the context of the caller's file."""
    frame = inspect.currentframe()
    caller = frame.f_back if frame is not None else None
    return translate(getContext(inspect.getfile(caller) if caller is not None else ""), text)


_FUNCTIONS = {
    "slicer.packaging": (
        *(isPipInstallInProgress, load_requirements, pip_check, pip_ensure),
        *(pip_install, pip_uninstall),
    ),
    "slicer.i18n": (getContext, tr, translate),
}


def make_modules() -> dict[str, ModuleType]:
    """Create the modules for `import slicer.packaging` and `import slicer.i18n`."""
    modules = {name: ModuleType(name) for name in _FUNCTIONS}
    for name, module in modules.items():
        for function in _FUNCTIONS[name]:
            setattr(module, function.__name__, function)
    return modules
