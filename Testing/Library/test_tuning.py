"""How a training computes on a CPU: timed at its start, kept when it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_runs import small_run

from GenSegLib import threads, tuning
from GenSegLib.events import EventLog, read_events
from GenSegLib.memory_format import CHANNELS_FIRST, CHANNELS_LAST, fitting_format
from GenSegLib.phases import Training
from GenSegLib.runs import RunFolder
from GenSegLib.session import load_session
from GenSegLib.threads import Threads
from GenSegLib.training import train
from GenSegLib.tuning import rehearsal


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine of two cores on which nobody chose yet."""
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("segmenter", ["unet", "dynunet"])
def test_measuring_leaves_the_learner_as_it_was(tmp_path: Path, segmenter: str) -> None:
    learner = load_session(small_run(tmp_path / "run", segmenter=segmenter)).learner
    learner.warm_up_step()
    learner.joint_step(0)
    before = [weight.clone() for weight in learner.problem.middle_parameters()]
    drawn_from = learner.rng.generator.get_state()
    drawn_by_others_from = torch.get_rng_state()
    Threads().choose(rehearsal(learner, CHANNELS_LAST))
    fitting_format(lambda each: rehearsal(learner, each))
    assert torch.get_num_threads() in (1, 2)
    assert all(map(torch.equal, learner.problem.middle_parameters(), before))
    assert all(weight.grad is None for weight in learner.problem.middle_parameters())
    assert torch.equal(learner.rng.generator.get_state(), drawn_from)
    assert torch.equal(torch.get_rng_state(), drawn_by_others_from)


def slow_on_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program computes: a thread that shares its core holds up the other one."""
    monkeypatch.setattr(threads, "_seconds_with", lambda step, number: {2: 9.0, 1: 1.0}[number])


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
    monkeypatch.setattr(threads, "_seconds_with", lambda step, number: 1 / number)
    torch.set_num_threads(2)
    train(run, EventLog(run.events_file), resume=True)
    assert "trains on all 2 CPU threads again" in told(run)
    assert torch.get_num_threads() == 2


def fitting_first(step_in: object) -> tuple[str, float]:
    return CHANNELS_FIRST, 1.4


def format_of(run: RunFolder) -> str:
    """The format with which a training goes on."""
    events = EventLog(run.events_file)
    going_on = Training(run, events, None)
    going_on.run(resume=True)
    return going_on.learner.memory_format


def test_a_training_says_its_format_and_goes_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "fitting_format", fitting_first)
    run = stopped_run(tmp_path / "run")
    assert "trains with channels-first in memory: 1.4 times as fast" in told(run)
    monkeypatch.undo()
    assert format_of(run) == CHANNELS_FIRST


@pytest.mark.parametrize("settings", [{"threads": 1}, {"deterministic": True}])
def test_nothing_is_measured_where_the_same_result_is_wanted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    monkeypatch.setattr(tuning, "fitting_format", fitting_first)
    assert format_of(stopped_run(tmp_path / "run", **settings)) == CHANNELS_LAST
