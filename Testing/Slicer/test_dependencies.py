"""Missing packages: said by name, installed only with consent, Slicer's own left alone."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import slicer
from GenSegSlicerLib import Dependencies

from GenSegLib.errors import GenSegError

ROOT = Path(__file__).resolve().parents[2]


class Python:
    """A Python that lacks packages until they are installed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *lacking: str) -> None:
        self.lacking = set(lacking)
        self.pip: list[tuple[list[str], str]] = []
        self.offline = False
        monkeypatch.setattr(Dependencies, "find_spec", self.find_spec)
        for name in lacking:  # another test may have imported it
            monkeypatch.delitem(sys.modules, name, raising=False)
        packaging = ModuleType("slicer.packaging")
        packaging.pip_ensure = self.pip_ensure  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
        self._monkeypatch = monkeypatch

    def find_spec(self, name: str) -> Any:
        return None if name in self.lacking else object()

    def pip_ensure(self, requirements: list[str], constraints: Path, **options: Any) -> None:
        assert options["prompt_install"] is False  # the user was asked already
        self.install(requirements, constraints)

    def install(self, requirements: list[str], constraints: Path) -> None:
        if self.offline:
            raise RuntimeError("Command 'pip' returned\nexit status 1")
        self.pip.append((requirements, constraints.read_text()))
        self.lacking -= {re.split("[>=]", each)[0] for each in requirements}

    def add_pytorch_extension(self) -> list[str]:
        wanted: list[str] = []

        def install(**options: str) -> object:
            wanted.append(options["torchVersionRequirement"])
            self.lacking.discard("torch")
            return object()

        extension = ModuleType("PyTorchUtils")
        extension.PyTorchUtilsLogic = lambda: SimpleNamespace(  # type: ignore[attr-defined]
            installTorch=install
        )
        self._monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
        return wanted


def test_here_nothing_is_missing() -> None:
    assert Dependencies.missing() == []
    assert Dependencies.install(confirm=lambda question: pytest.fail("nobody is asked"))


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Python(monkeypatch, "torch", "monai")
    assert Dependencies.missing() == ["torch", "monai"]


def test_what_is_too_old_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.10.0+cu128", "monai": "1.3.2", "scipy": "1.11rc1"}
    monkeypatch.setattr(Dependencies, "_versionOf", lambda name: versions.get(name, ""))
    assert Dependencies.missing() == ["monai"]


def test_without_consent_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    python = Python(monkeypatch, "einops", "monai")
    asked: list[str] = []
    assert not Dependencies.install(confirm=lambda question: bool(asked.append(question)))
    assert "einops, monai" in asked[0]
    assert python.pip == []


def test_what_slicer_has_is_pinned_while_the_others_are_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    python = Python(monkeypatch, "einops", "monai")
    assert Dependencies.install(confirm=lambda question: True)
    ((requirements, constraints),) = python.pip
    assert [each.split(">=")[0] for each in requirements] == ["einops", "monai"]
    pinned = [line.split("==")[0] for line in constraints.splitlines()]
    assert {"numpy", "SimpleITK", "torch"} <= set(pinned)


def test_slicer_5_8_installs_by_its_own_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    python = Python(monkeypatch, "monai")
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)

    def pip_install(arguments: list[str]) -> None:
        option, constraints, *requirements = arguments
        assert option == "-c"
        python.install(requirements, Path(constraints))

    monkeypatch.setattr(slicer.util, "pip_install", pip_install)
    assert Dependencies.install(confirm=lambda question: True)
    assert python.lacking == set()


def test_pytorch_comes_through_its_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    python = Python(monkeypatch, "torch")
    wanted = python.add_pytorch_extension()
    told: list[str] = []
    assert Dependencies.install(lambda question: True, told.append)
    assert wanted == [">=2.4"]
    assert python.pip == []
    assert "PyTorch" in told[0]


def test_without_the_extension_a_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Python(monkeypatch, "torch", "PyTorchUtils")
    with pytest.raises(GenSegError, match="Extensions Manager"):
        Dependencies.install(confirm=lambda question: True)


def test_offline_one_clear_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    Python(monkeypatch, "monai").offline = True
    with pytest.raises(GenSegError, match="monai could not be installed; is the network") as fault:
        Dependencies.install(confirm=lambda question: True)
    assert "\n" not in str(fault.value)


def test_what_is_still_missing_afterwards_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    python = Python(monkeypatch, "monai")
    monkeypatch.setattr(python, "install", lambda *arguments: None)
    with pytest.raises(GenSegError, match="monai are still missing; restart Slicer"):
        Dependencies.install(confirm=lambda question: True)


def test_the_requirements_are_those_of_the_library_less_what_slicer_brings() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = project.partition("\ndependencies = [")[2].partition("]")[0]
    theirs = set(re.findall(r'"([^"]+)"', listed))
    slicers = {each for each in theirs if each.startswith(("numpy", "SimpleITK"))}
    assert {*Dependencies._requirements(), Dependencies.TORCH} == theirs - slicers
