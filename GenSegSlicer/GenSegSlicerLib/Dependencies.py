"""The Python packages that GenSegLib needs: which are missing, and how they are installed.

PyTorch comes through Slicer's PyTorch extension, which picks the build for the graphics card. The
others come from Resources/requirements.txt. NumPy and SimpleITK are Slicer's own: they, and a
PyTorch that is there already, are pinned to their versions while pip runs.
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
_PINNED = ("numpy", "SimpleITK", "torch", "torchvision")


def missing() -> list[str]:
    """Names of the packages that are absent or too old; imports none of them."""
    return [_nameOf(each) for each in [TORCH, *_requirements()] if not _isMet(each)]


def install(
    confirm: Callable[[str], bool], progress: Callable[[str], None] = lambda text: None
) -> bool:
    """Install what is missing, if the user agrees.

    Args:
        confirm: asked with a question; nothing is installed unless it gives True.
        progress: told what is being done.

    Returns:
        Whether everything is there now; False where the user did not agree.

    Raises:
        GenSegError: it could not be installed.
    """
    needed = missing()
    if not needed:
        return True
    question = _("GenSeg needs the Python packages {names} in Slicer. Install them now?")
    if not confirm(question.format(names=", ".join(needed))):
        return False
    if "torch" in needed:
        progress(_("Installing PyTorch (several hundred megabytes)..."))
        _installTorch()
    others = [each for each in _requirements() if not _isMet(each)]
    if others:
        progress(_("Installing {names}...").format(names=", ".join(map(_nameOf, others))))
        _try(lambda: _installOthers(others), [_nameOf(each) for each in others])
    _requireAll()
    return True


def _installTorch() -> None:
    if not _isThere("PyTorchUtils"):
        raise GenSegError(
            _(
                "PyTorch is missing: install the extension PyTorch in the Extensions Manager, "
                "restart Slicer, and try again"
            )
        )
    from PyTorchUtils import PyTorchUtilsLogic

    version = TORCH[len("torch") :]
    _try(lambda: PyTorchUtilsLogic().installTorch(torchVersionRequirement=version), ["torch"])


def _installOthers(requirements: list[str]) -> None:
    """Let Slicer run pip; its installer of 5.10 and later shows the progress."""
    with tempfile.TemporaryDirectory(prefix="genseg-") as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(_pins()), encoding="utf-8")
        try:
            from slicer.packaging import pip_ensure
        except ImportError:
            slicer.util.pip_install(["-c", str(constraints), *requirements])
        else:
            pip_ensure(
                requirements, constraints=constraints, prompt_install=False, requester="GenSeg"
            )


def _try(action: Callable[[], object], names: list[str]) -> None:
    """Run an installer; whatever goes wrong there becomes one line."""
    try:
        action()
    except Exception as fault:
        text = _(
            "{names} could not be installed; is the network reachable? What pip said is in the "
            "Python console ({fault})"
        )
        reason = " ".join(str(fault).split())[:200] or type(fault).__name__
        raise GenSegError(text.format(names=", ".join(names), fault=reason)) from fault


def _requireAll() -> None:
    importlib.invalidate_caches()
    left = missing()
    if left:
        text = _("{names} are still missing; restart Slicer and try again")
        raise GenSegError(text.format(names=", ".join(left)))


def _pins() -> list[str]:
    versions = {name: _versionOf(name) for name in _PINNED}
    return [f"{name}=={version}" for name, version in versions.items() if version]


def _requirements() -> list[str]:
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


def _isMet(requirement: str) -> bool:
    name, _sign, least = requirement.partition(">=")
    if not _isThere(name):
        return False
    found = _versionOf(name)
    return not found or _numbers(found) >= _numbers(least)


def _isThere(name: str) -> bool:
    """Whether a module can be imported, or is already: Slicer's own modules have no spec."""
    return sys.modules.get(name) is not None or find_spec(name) is not None


def _versionOf(name: str) -> str:
    """The installed version, "" where the package does not tell one."""
    try:
        return metadata.version(name) or ""
    except metadata.PackageNotFoundError:
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with: (2, 4, 1) for 2.4.1+cu118."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found.group().split("."))) if found else ()


def _nameOf(requirement: str) -> str:
    return requirement.partition(">=")[0]
