"""Phantoms in the Decathlon's layout, made once for all tests of the benchmarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from GenSegLib.phantoms import make_cases

PHANTOMS = 7


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven hippocampus phantoms."""
    folder = tmp_path_factory.mktemp("phantoms") / "cases"
    make_cases(folder, "hippocampus", PHANTOMS, seed=3)
    return folder
