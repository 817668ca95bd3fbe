"""The fastest number of CPU threads and memory format are used."""

from __future__ import annotations

import pytest

from GenSegLib.cli import main
from GenSegLib.computing.memory_format import CHANNELS_FIRST, CHANNELS_LAST
from GenSegLib.computing.thread_tuning import ThreadTuner, fastest_format, fastest_thread_count
from GenSegLib.training.tuning import SlowdownDetector


@pytest.mark.parametrize(
    ("current", "seconds", "expected"),
    [
        (8, {8: 1.0, 4: 1.6}, 8),
        (8, {8: 4.0, 4: 2.0, 2: 1.0, 1: 1.5}, 2),
        (1, {4: 1.0, 2: 1.7, 1: 3.0}, 4),
        (3, {3: 3.0, 1: 1.0}, 1),
    ],
    ids=["all are fastest", "halved while faster", "more than before", "odd number"],
)
def test_threads_are_halved_as_long_as_that_is_faster(
    current: int, seconds: dict[int, float], expected: int
) -> None:
    found, tried = fastest_thread_count(max(seconds), seconds.__getitem__, current)
    assert found == expected
    assert set(tried) == set(seconds)


@pytest.mark.parametrize("current", [1, 2])
@pytest.mark.parametrize("seconds", [{2: 1.1, 1: 1.0}, {2: 1.0, 1: 1.1}])
def test_a_gain_within_timing_noise_changes_nothing(
    current: int, seconds: dict[int, float]
) -> None:
    assert fastest_thread_count(2, seconds.__getitem__, current)[0] == current


@pytest.mark.parametrize(
    ("last_s", "first_s", "expected"),
    [(1.0, 0.5, CHANNELS_FIRST), (1.0, 0.9, CHANNELS_LAST), (0.5, 1.0, CHANNELS_LAST)],
)
def test_channels_first_is_used_if_clearly_faster(
    last_s: float, first_s: float, expected: str
) -> None:
    seconds = {CHANNELS_LAST: last_s, CHANNELS_FIRST: first_s}
    found, speedup = fastest_format(seconds.__getitem__)
    assert found == expected
    assert speedup == pytest.approx(last_s / seconds[expected])


def test_threads_set_by_the_environment_are_not_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert ThreadTuner().is_allowed
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert not ThreadTuner().is_allowed


def test_a_negative_number_of_threads_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    preset = ("--preset", "hippocampus-mri")
    assert main(["train", "cases", *preset, "--threads", "-1", "--out", "run"]) == 2
    assert "threads must be 0 or more" in capsys.readouterr().err


def decisions(detector: SlowdownDetector, seconds: float, cost: float, steps: int) -> list[bool]:
    return [detector.should_retune(seconds, cost) for _ in range(steps)]


def steady_detector() -> SlowdownDetector:
    """The detector of a training whose steps have taken 4 s each."""
    detector = SlowdownDetector()
    decisions(detector, 4.0, 1.0, 20)
    return detector


def test_retunes_once_after_the_first_steps() -> None:
    assert decisions(SlowdownDetector(), 4.0, 1.0, 40) == [*[False] * 9, True, *[False] * 30]
    assert decisions(SlowdownDetector(), 0.5, 1.0, 40) == [*[False] * 39, True]


@pytest.mark.parametrize(
    ("seconds", "cost", "retunes"),
    [(9.0, 1.0, 1), (6.0, 1.0, 0), (12.0, 3.0, 0)],
    ids=["twice as slow, once", "slightly slower", "slower as their cost"],
)
def test_retunes_when_steps_become_much_slower(seconds: float, cost: float, retunes: int) -> None:
    assert decisions(steady_detector(), seconds, cost, 40).count(True) == retunes


def test_slowdown_is_relative_to_the_fastest_steps_so_far() -> None:
    detector = steady_detector()
    assert not any(decisions(detector, 2.0, 1.0, 10))
    assert decisions(detector, 4.5, 1.0, 10)[-1]
