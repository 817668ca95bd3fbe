"""How a training computes on a CPU: timed at its start, kept when it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_runs import phantom_cases, small_preset, small_run

from GenSegLib.computing.memory_format import CHANNELS_FIRST, CHANNELS_LAST
from GenSegLib.config import TrainConfig
from GenSegLib.events import EventLog, read_events
from GenSegLib.runs import RunFolder
from GenSegLib.training import pace, tuning
from GenSegLib.training.phases import Training
from GenSegLib.training.train import train
from GenSegLib.training.tuning import Tuning, rehearsal


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of two cores on which nobody chose yet.

    Threads are counted and not taken: two of them are slow beside tests of other processes.
    """
    taken = [2]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: taken[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda number: taken.__setitem__(0, number))


@pytest.mark.parametrize("segmenter", ["unet", "dynunet", "unetr"])
def test_measuring_draws_no_random_numbers_of_the_training(tmp_path: Path, segmenter: str) -> None:
    drawn_from = torch.get_rng_state()
    Tuning(small_run(tmp_path / "run", segmenter=segmenter), print).choose()
    assert torch.get_num_threads() in (1, 2)
    assert torch.equal(torch.get_rng_state(), drawn_from)


def test_measuring_takes_no_longer_with_large_patches(tmp_path: Path) -> None:
    preset = replace(small_preset(), patch_size=(512, 512, 512))
    run = RunFolder.create(tmp_path / "run", TrainConfig(), preset, phantom_cases())
    rehearsal(run, CHANNELS_LAST)()


def seconds_by(
    threads: dict[int, float], formats: dict[str, float] | None = None
) -> Callable[..., float]:
    """What a step takes with a number of threads, times what it takes in a memory format."""

    def seconds(run: RunFolder, memory_format: str, number: int) -> float:
        torch.set_num_threads(number)
        return threads[number] * (formats or {}).get(memory_format, 1.0)

    return seconds


def slow_on_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program computes: a thread that shares its core holds up the other one."""
    monkeypatch.setattr(tuning, "seconds_of_a_step", seconds_by({2: 9.0, 1: 1.0}))


def stopped_run(folder: Path, **settings: object) -> RunFolder:
    """A training that was stopped before its first step."""
    run = small_run(folder, warmup_steps=1, joint_steps=1, final_steps=1, **settings)
    run.request_stop()
    train(run, EventLog(run.events_file))
    return run


def told(run: RunFolder) -> list[str]:
    return [event["text"] for event in read_events(run.events_file) if "text" in event]


def test_a_training_says_that_it_computes_on_fewer_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_on_two(monkeypatch)
    assert (
        "trains on 1 of 2 CPU threads: 9.0 times as fast at the moment "
        "(--threads 2 takes all of them)"
    ) in told(stopped_run(tmp_path / "run"))
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("settings", [{"threads": 2}, {"deterministic": True}])
def test_settings_that_fix_the_threads_are_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    slow_on_two(monkeypatch)
    stopped_run(tmp_path / "run", **settings)
    assert torch.get_num_threads() == 2


def test_a_training_goes_on_with_the_threads_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_on_two(monkeypatch)
    run = stopped_run(tmp_path / "run")
    torch.set_num_threads(2)
    train(run, EventLog(run.events_file), resume=True)
    assert torch.get_num_threads() == 1


def test_all_threads_are_taken_again_when_nothing_is_in_their_way_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_on_two(monkeypatch)
    run = stopped_run(tmp_path / "run", validate_every=1)
    monkeypatch.setattr(tuning, "seconds_of_a_step", seconds_by({2: 0.5, 1: 1.0}))
    torch.set_num_threads(2)
    train(run, EventLog(run.events_file), resume=True)
    assert "trains on all 2 CPU threads again" in told(run)
    assert torch.get_num_threads() == 2


def test_fewer_threads_are_taken_where_something_gets_in_the_way_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "seconds_of_a_step", seconds_by({2: 0.5, 1: 1.0}))
    monkeypatch.setattr(pace, "_STEPS", 1)
    monkeypatch.setattr(pace, "_SECONDS", 0.0)
    run = stopped_run(tmp_path / "run")
    assert torch.get_num_threads() == 2
    slow_on_two(monkeypatch)
    train(run, EventLog(run.events_file), resume=True)
    assert any("trains on 1 of 2 CPU threads" in text for text in told(run))
    assert torch.get_num_threads() == 1


def slow_in(memory_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = seconds_by({2: 1.0, 1: 2.0}, {memory_format: 1.4})
    monkeypatch.setattr(tuning, "seconds_of_a_step", seconds)


def format_of(run: RunFolder) -> str:
    """The format with which a training goes on."""
    events = EventLog(run.events_file)
    going_on = Training(run, events, None, resume=True)
    going_on.run()
    return going_on.learner.memory_format


def test_a_training_says_its_format_and_goes_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_in(CHANNELS_LAST, monkeypatch)
    run = stopped_run(tmp_path / "run")
    assert "trains with channels-first in memory: 1.4 times as fast" in told(run)
    slow_in(CHANNELS_FIRST, monkeypatch)
    assert format_of(run) == CHANNELS_FIRST


@pytest.mark.parametrize("settings", [{"threads": 1}, {"deterministic": True}])
def test_nothing_is_measured_where_the_same_result_is_wanted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    slow_in(CHANNELS_LAST, monkeypatch)
    assert format_of(stopped_run(tmp_path / "run", **settings)) == CHANNELS_LAST
