"""How many CPU threads are the fastest, and whose choice they are."""

from __future__ import annotations

import pytest

from GenSegLib.cli import main
from GenSegLib.computing.threads import Threads, fitting_threads


def test_all_threads_are_taken_where_they_are_fastest() -> None:
    chosen, seconds = fitting_threads(8, {8: 1.0, 4: 1.6}.__getitem__, 8)
    assert chosen == 8
    assert list(seconds) == [8, 4]


def test_threads_are_halved_for_as_long_as_fewer_are_faster() -> None:
    chosen, _ = fitting_threads(8, {8: 4.0, 4: 2.0, 2: 1.0, 1: 1.5}.__getitem__, 8)
    assert chosen == 2


@pytest.mark.parametrize("now", [1, 2])
@pytest.mark.parametrize("seconds", [{2: 1.1, 1: 1.0}, {2: 1.0, 1: 1.1}])
def test_a_gain_that_noise_could_give_changes_nothing(now: int, seconds: dict[int, float]) -> None:
    chosen, _ = fitting_threads(2, seconds.__getitem__, now)
    assert chosen == now


def test_more_threads_are_taken_again_where_they_have_become_faster() -> None:
    chosen, _ = fitting_threads(4, {4: 1.0, 2: 1.7, 1: 3.0}.__getitem__, 1)
    assert chosen == 4


def test_an_odd_number_of_threads_is_halved_to_one() -> None:
    chosen, seconds = fitting_threads(3, {3: 3.0, 1: 1.0}.__getitem__, 3)
    assert chosen == 1
    assert list(seconds) == [3, 1]


def test_threads_that_the_environment_names_are_nobody_elses_to_choose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert Threads().are_free
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert not Threads().are_free


def test_a_number_of_threads_below_zero_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    preset = ("--preset", "hippocampus-mri")
    assert main(["train", "cases", *preset, "--threads", "-1", "--out", "run"]) == 2
    assert "threads must be 0 or more" in capsys.readouterr().err
