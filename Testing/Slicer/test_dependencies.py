"""Missing packages are named and installed with consent; Slicer's own packages are kept."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest
import slicer
from GenSegSlicerLib import Dependencies

from GenSegLib.errors import GenSegError

ROOT = Path(__file__).resolve().parents[2]


def constraints() -> str:
    """The constraints that pip would read: it splits the variable at blanks."""
    (url,) = os.environ["PIP_CONSTRAINT"].split()
    return Path(url2pathname(urlparse(url).path)).read_text()


class FakePython:
    """A Python without some packages until they are installed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
        self.missing = set(missing)
        self.pip: list[tuple[list[str], str]] = []
        self.offline = False
        monkeypatch.setattr(Dependencies, "find_spec", self.find_spec)
        for name in missing:  # another test may have imported it
            monkeypatch.delitem(sys.modules, name, raising=False)
        packaging = ModuleType("slicer.packaging")
        packaging.pip_ensure = self.pip_ensure  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
        self._monkeypatch = monkeypatch

    def find_spec(self, name: str) -> Any:
        return None if name in self.missing else object()

    def pip_ensure(self, requirements: list[str], **options: Any) -> None:
        assert options["prompt_install"] is False  # the user has already agreed
        self.install(requirements)

    def install(self, requirements: list[str]) -> None:
        if self.offline:
            raise RuntimeError("Command 'pip' returned\nexit status 1")
        self.pip.append((requirements, constraints()))
        self.missing -= {re.split("[>=]", each)[0] for each in requirements}

    def add_pytorch_extension(self) -> list[str]:
        versions: list[str] = []

        def install(**options: str) -> object:
            versions.append(options["torchVersionRequirement"])
            self.pip.append((["torch"], constraints()))
            self.missing.discard("torch")
            return object()

        extension = ModuleType("PyTorchUtils")
        extension.PyTorchUtilsLogic = lambda: SimpleNamespace(  # type: ignore[attr-defined]
            installTorch=install
        )
        self._monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
        return versions


def test_nothing_is_missing_in_the_test_environment() -> None:
    assert Dependencies.missingPackages() == []
    assert Dependencies.installPackages(
        confirm=lambda question: pytest.fail("no question is needed")
    )


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    FakePython(monkeypatch, "torch", "monai")
    assert Dependencies.missingPackages() == ["torch", "monai"]


def test_outdated_packages_count_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.10.0+cu128", "monai": "1.3.2", "scipy": "1.11rc1"}
    monkeypatch.setattr(Dependencies, "_versionOf", lambda name: versions.get(name, ""))
    assert Dependencies.missingPackages() == ["monai"]


def test_nothing_is_installed_without_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    python = FakePython(monkeypatch, "einops", "monai")
    questions: list[str] = []
    assert not Dependencies.installPackages(
        confirm=lambda question: bool(questions.append(question))
    )
    assert "einops (1 MB), monai (3 MB)" in questions[0]
    assert "PyTorch" not in questions[0]
    assert python.pip == []


def test_slicers_own_packages_are_constrained_to_their_versions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    python = FakePython(monkeypatch, "einops", "monai")
    assert Dependencies.installPackages(confirm=lambda question: True)
    ((requirements, constraints),) = python.pip
    assert [each.split(">=")[0] for each in requirements] == ["einops", "monai"]
    constrained = [line.split("==")[0] for line in constraints.splitlines()]
    assert {"numpy", "SimpleITK", "torch", "setuptools"} <= set(constrained)
    assert "PIP_CONSTRAINT" not in os.environ


def test_slicer_5_8_installs_with_slicer_util_pip_install(monkeypatch: pytest.MonkeyPatch) -> None:
    python = FakePython(monkeypatch, "monai")
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)

    def pip_install(arguments: list[str]) -> None:
        python.install(arguments)

    monkeypatch.setattr(slicer.util, "pip_install", pip_install)
    assert Dependencies.installPackages(confirm=lambda question: True)
    assert python.missing == set()


def test_pytorch_is_installed_by_its_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    python = FakePython(monkeypatch, "torch")
    versions = python.add_pytorch_extension()
    steps: list[str] = []
    assert Dependencies.installPackages(lambda question: True, steps.append)
    assert versions == [">=2.4"]
    ((_, constrained),) = python.pip
    assert "setuptools==" in constrained and "torch==" not in constrained
    assert "PyTorch" in steps[0]


def test_without_the_pytorch_extension_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    FakePython(monkeypatch, "torch", "PyTorchUtils")
    with pytest.raises(GenSegError, match="Extensions Manager"):
        Dependencies.installPackages(confirm=lambda question: True)


def test_a_failed_installation_is_a_one_line_error(monkeypatch: pytest.MonkeyPatch) -> None:
    FakePython(monkeypatch, "monai").offline = True
    with pytest.raises(
        GenSegError, match="monai could not be installed; check the network"
    ) as error:
        Dependencies.installPackages(confirm=lambda question: True)
    assert "\n" not in str(error.value)


def test_packages_that_are_still_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    python = FakePython(monkeypatch, "monai")
    monkeypatch.setattr(python, "install", lambda *arguments: None)
    with pytest.raises(GenSegError, match="monai are still missing; restart Slicer"):
        Dependencies.installPackages(confirm=lambda question: True)


def test_the_requirements_are_those_of_the_library_without_slicers_own() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = project.partition("\ndependencies = [")[2].partition("]")[0]
    required = set(re.findall(r'"([^"]+)"', listed))
    slicers = {each for each in required if each.startswith(("numpy", "SimpleITK"))}
    installed = {each.replace("_", "-") for each in Dependencies._requirements()}  # as pip does
    assert {*installed, Dependencies.TORCH} == required - slicers
