"""Corrupted inputs of every kind are read or rejected in one line."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest
from corrupted_inputs import INPUTS, Input
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from GenSegLib.errors import GenSegError


@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.name)
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(random=st.randoms(use_true_random=False))
def test_a_corrupted_input_is_read_or_rejected_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, kind: Input, random: Random
) -> None:
    folder = tmp_path_factory.getbasetemp() / "corrupted"
    own = folder / "own"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    try:
        kind.try_corrupted(own, random)
    except GenSegError as error:
        assert len(str(error).splitlines()) == 1
    assert {path.name for path in folder.iterdir()} <= {"own", "valid-run"}


@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.name)
def test_a_valid_input_is_read(tmp_path: Path, kind: Input) -> None:
    (tmp_path / "own").mkdir()
    kind.make(tmp_path / "own")
    kind.finish(tmp_path / "own")
    kind.read(tmp_path / "own")
