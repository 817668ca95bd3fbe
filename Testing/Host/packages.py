"""`slicer.packaging`: tells what is installed; the host itself installs nothing."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement

Requirements = "str | Requirement | list[str | Requirement]"

#: What was asked to be installed, in order. Tests read and clear it.
asked: list[list[str]] = []


def load_requirements(path: str | Path) -> list[Requirement]:
    """The requirements of a requirements file, without comments and options."""
    lines = (line.partition("#")[0].strip() for line in Path(path).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def _listed(requirements: Requirements) -> list[Requirement]:
    several = requirements if isinstance(requirements, list) else [requirements]
    return [Requirement(str(each)) for each in several]


def pip_check(req: Requirements, _seen: Any = None) -> bool:
    """Whether every requirement is installed in a version that it allows."""
    return all(_is_met(each) for each in _listed(req))


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
    """Note what is missing, as Slicer would install it. In testing mode Slicer does not either."""
    missing = [str(each) for each in _listed(requirements) if not _is_met(each)]
    if missing and not skip_in_testing:
        pip_install(missing)
    return None


def pip_install(requirements: str | list[str], **_: Any) -> list[str] | None:
    """Refuse: tests must not change the Python that runs them.

    Raises:
        RuntimeError: always.
    """
    asked.append([requirements] if isinstance(requirements, str) else list(requirements))
    raise RuntimeError("The desktop host installs no packages")


def pip_uninstall(requirements: str | list[str], **_: Any) -> None:
    """Refuse, as `pip_install` does."""
    raise RuntimeError("The desktop host removes no packages")


def isPipInstallInProgress() -> bool:
    return False


def make_packaging() -> ModuleType:
    """The module that `import slicer.packaging` finds."""
    module: Any = ModuleType("slicer.packaging")
    functions = (
        isPipInstallInProgress,
        load_requirements,
        pip_check,
        pip_ensure,
        pip_install,
        pip_uninstall,
    )
    for each in functions:
        setattr(module, each.__name__, each)
    return module
