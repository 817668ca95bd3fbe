"""Harmed inputs of every kind: a result or one line; `fuzz.py` tries them by the thousand."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inputs import INPUTS, Input

from GenSegLib.errors import GenSegError


@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.name)
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(random=st.randoms(use_true_random=False))
def test_a_harmed_input_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, kind: Input, random: Random
) -> None:
    folder = tmp_path_factory.getbasetemp() / "harmed"
    own = folder / "own"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    try:
        kind.attempt(own, random)
    except GenSegError as fault:
        assert len(str(fault).splitlines()) == 1
    assert {path.name for path in folder.iterdir()} <= {"own", "sound-run"}


@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.name)
def test_the_same_input_unharmed_is_read(tmp_path: Path, kind: Input) -> None:
    own = tmp_path / "own"
    own.mkdir()
    assert not (own / kind.file).exists()
    kind.make(own)
    kind.read(own)
    kind.replace(own, (own / kind.file).read_bytes())
