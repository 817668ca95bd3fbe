"""Tiny training runs shared by the tests of a file: uninterrupted, and stopped halfway."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_training import SMALL, final_learner, stopped, tiny_cases, tiny_run, trained

from GenSegLib.cases import CaseSet
from GenSegLib.runs import RunFolder


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> CaseSet:
    return tiny_cases(tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, cases: CaseSet) -> dict[str, Any]:
    """The final state of an uninterrupted training."""
    return final_learner(
        trained(tiny_run(tmp_path_factory.mktemp("whole") / "run", cases, **SMALL))
    )


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory, cases: CaseSet) -> Path:
    """A run that was stopped in its final phase."""
    return stopped(tiny_run(tmp_path_factory.mktemp("halfway") / "run", cases, **SMALL), at=10).path


@pytest.fixture
def run(halfway: Path, tmp_path: Path) -> RunFolder:
    """A copy of the stopped run."""
    shutil.copytree(halfway, tmp_path / "run")
    return RunFolder(tmp_path / "run")
