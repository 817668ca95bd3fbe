"""Detection and installation of the Python packages that GenSegLib needs.

PyTorch is installed by Slicer's PyTorch extension, which selects the build for the graphics card;
the other packages are listed in Resources/requirements.txt. While pip runs, NumPy, SimpleITK and an
already installed PyTorch are constrained to their current versions.
"""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError

REQUIREMENTS = Path(__file__).resolve().parents[1] / "Resources" / "requirements.txt"
TORCH = "torch>=2.4"
_CONSTRAINED = ("numpy", "SimpleITK", "torch", "torchvision")


def missingPackages() -> list[str]:
    """Return the names of packages that are missing or too old, without importing any."""
    return [_nameOf(each) for each in [TORCH, *_requirements()] if not _isSatisfied(each)]


def installPackages(
    confirm: Callable[[str], bool], progress: Callable[[str], None] = lambda text: None
) -> bool:
    """Install missing packages if the user agrees.

    Args:
        confirm: called with a question; returns whether to install.
        progress: called with a description of each step.

    Returns:
        Whether all packages are installed; False if the user declined.

    Raises:
        GenSegError: installation failed.
    """
    needed = missingPackages()
    if not needed:
        return True
    question = _("GenSeg needs the Python packages {names}. Install them in Slicer now?")
    if not confirm(question.format(names=", ".join(needed))):
        return False
    if "torch" in needed:
        progress(_("Installing PyTorch (several hundred megabytes)..."))
        _installTorch()
    others = [each for each in _requirements() if not _isSatisfied(each)]
    if others:
        names = [_nameOf(each) for each in others]
        progress(_("Installing {names}...").format(names=", ".join(names)))
        _runInstaller(lambda: _pipInstall(others), names)
    _requireInstalled()
    return True


def _installTorch() -> None:
    if not _isImportable("PyTorchUtils"):
        raise GenSegError(
            _(
                "PyTorch is missing: install the PyTorch extension in the Extensions Manager, "
                "restart Slicer and try again"
            )
        )
    from PyTorchUtils import PyTorchUtilsLogic

    version = TORCH[len("torch") :]
    _runInstaller(
        lambda: PyTorchUtilsLogic().installTorch(torchVersionRequirement=version), ["torch"]
    )


def _pipInstall(requirements: list[str]) -> None:
    """Run pip through Slicer; `slicer.packaging` of Slicer 5.10 and later shows the progress."""
    with tempfile.TemporaryDirectory(prefix="genseg-") as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(_constraints()), encoding="utf-8")
        try:
            from slicer.packaging import pip_ensure
        except ImportError:
            slicer.util.pip_install(["-c", str(constraints), *requirements])
        else:
            pip_ensure(
                requirements, constraints=constraints, prompt_install=False, requester="GenSeg"
            )


def _runInstaller(action: Callable[[], object], names: list[str]) -> None:
    """Run an installer and convert any exception into a one-line error."""
    try:
        action()
    except Exception as error:
        text = _(
            "{names} could not be installed; check the network connection and the output of pip "
            "in the Python console ({error})"
        )
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise GenSegError(text.format(names=", ".join(names), error=reason)) from error


def _requireInstalled() -> None:
    importlib.invalidate_caches()
    missing = missingPackages()
    if missing:
        text = _("{names} are still missing; restart Slicer and try again")
        raise GenSegError(text.format(names=", ".join(missing)))


def _constraints() -> list[str]:
    versions = {name: _versionOf(name) for name in _CONSTRAINED}
    return [f"{name}=={version}" for name, version in versions.items() if version]


def _requirements() -> list[str]:
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


def _isSatisfied(requirement: str) -> bool:
    name, _operator, minimum = requirement.partition(">=")
    if not _isImportable(name):
        return False
    found = _versionOf(name)
    return not found or _release(found) >= _release(minimum)


def _isImportable(name: str) -> bool:
    """Whether a module can be imported or is loaded; Slicer's own modules have no spec."""
    return sys.modules.get(name) is not None or find_spec(name) is not None


def _versionOf(name: str) -> str:
    """The installed version, "" if unknown."""
    try:
        return metadata.version(name) or ""
    except metadata.PackageNotFoundError:
        return ""


def _release(version: str) -> tuple[int, ...]:
    """The release segment of a version: (2, 4, 1) for 2.4.1+cu118."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found.group().split("."))) if found else ()


def _nameOf(requirement: str) -> str:
    return requirement.partition(">=")[0]
