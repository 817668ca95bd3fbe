"""Release files: every package pinned and hashed, consistent with the constraints."""

from __future__ import annotations

import re

from imports import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
REQUIREMENT = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^\s;]+)(.*\n(?: .*\n)*)", re.MULTILINE)


def normalized(name: str) -> str:
    """A package name in the form of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, set[str]]:
    """The versions of each package in the lock file."""
    found: dict[str, set[str]] = {}
    for name, version, _ in REQUIREMENT.findall(LOCK):
        found.setdefault(normalized(name), set()).add(version)
    return found


def test_every_locked_package_has_a_version_and_a_hash() -> None:
    lines = [line for line in LOCK.splitlines() if line and line[0] not in " #"]
    requirements = REQUIREMENT.findall(LOCK)
    assert len(lines) == len(requirements) > 80
    assert [name for name, _, more in requirements if "--hash=sha256:" not in more] == []


def test_the_lock_file_agrees_with_the_constraints() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", text, re.MULTILINE)
    assert [pin for pin in pins if pin[1] not in locked().get(normalized(pin[0]), ())] == []


def test_the_lock_file_contains_all_requirements() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    requirements = text.partition("\ndependencies = [")[2].partition("[project.scripts]")[0]
    found = re.findall(r'"+([A-Za-z][\w.-]*)(?:\[\w+\])?[>=]=\d', requirements)
    names = {normalized(name) for name in found}
    assert len(names) > 20
    assert names <= locked().keys()
