"""What a release is made of: every package pinned and hashed, as in the constraints."""

from __future__ import annotations

import re

import pytest

from imports import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
REQUIREMENT = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^\s;]+)(.*\n(?: .*\n)*)", re.MULTILINE)


def plain(name: str) -> str:
    """A package's name as the index has it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, set[str]]:
    """The versions of each package in the lock file."""
    found: dict[str, set[str]] = {}
    for name, version, _ in REQUIREMENT.findall(LOCK):
        found.setdefault(plain(name), set()).add(version)
    return found


def constrained() -> list[tuple[str, str]]:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", text, re.MULTILINE)
    return [(plain(name), version) for name, version in pins]


def test_every_locked_package_has_a_version_and_a_hash() -> None:
    lines = [line for line in LOCK.splitlines() if line and line[0] not in " #"]
    requirements = REQUIREMENT.findall(LOCK)
    assert len(lines) == len(requirements) > 80
    assert [name for name, _, more in requirements if "--hash=sha256:" not in more] == []


def test_the_lock_holds_what_the_constraints_say() -> None:
    assert [pin for pin in constrained() if pin[1] not in locked().get(pin[0], ())] == []


@pytest.mark.parametrize("extra", ["", "dev", "test", "dicom", "onnx", "bundle", "release", "fuzz"])
def test_the_lock_holds_all_that_the_project_asks_for(extra: str) -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    start = f"\n{extra} = [" if extra else "\ndependencies = ["
    listed = text.split(start, 1)[1]
    listed = re.split(r"\n?\]\n", listed, maxsplit=1)[0]
    names = [plain(name) for name in re.findall(r'"+([A-Za-z][\w.-]*)(?:[>=; "]|\[)', listed)]
    assert names
    assert {name for name in names if name != "genseg"} <= locked().keys()
