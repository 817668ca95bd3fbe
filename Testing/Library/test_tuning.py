"""CPU threads and memory format of a training: timed at its start, kept when it is resumed."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from threading import get_ident

import pytest
import torch
from small_runs import phantom_cases, small_preset, small_run

from GenSegLib.computing.memory_format import CHANNELS_FIRST, CHANNELS_LAST
from GenSegLib.config import TrainConfig
from GenSegLib.events import EventLog, read_events
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegLib.training import tuning
from GenSegLib.training.train import train
from GenSegLib.training.trainer import Trainer
from GenSegLib.training.tuning import Tuner, step_seconds

pytestmark = pytest.mark.usefixtures("few_channels")


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two cores and no settings; each thread's number is recorded, not applied."""
    threads: dict[int, int] = {}
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads.get(get_ident(), 2))
    record = lambda number: threads.__setitem__(get_ident(), number)  # noqa: E731
    monkeypatch.setattr(torch, "set_num_threads", record)


@pytest.mark.parametrize("segmenter", ["unet", "dynunet", "unetr"])
def test_timing_leaves_the_global_random_state_alone(tmp_path: Path, segmenter: str) -> None:
    state = torch.get_rng_state()
    Tuner(small_run(tmp_path / "run", segmenter=segmenter), print).tune()
    assert torch.get_num_threads() in (1, 2)
    assert torch.equal(torch.get_rng_state(), state)


def test_large_patches_are_timed_on_small_ones(tmp_path: Path) -> None:
    preset = replace(small_preset(), patch_size=(512, 512, 512))
    run = RunFolder.create(tmp_path / "run", TrainConfig(), preset, phantom_cases())
    assert step_seconds(run, CHANNELS_LAST, 1) < 60


@pytest.mark.parametrize("side", [96, 128, 256, 512])
def test_the_small_patch_is_one_that_preset_and_network_allow(tmp_path: Path, side: int) -> None:
    """Presets of 2-D images want multiples of 32; their networks halve patches to 8 pixels."""
    halvings = int(math.log2(side // 8))
    network = {
        "filters": [4] * (halvings + 1),
        "strides": [[1, 1], *[[2, 2]] * halvings],
        "kernel_size": [[3, 3]] * (halvings + 1),
        "upsample_kernel_size": [[2, 2]] * halvings,
        "deep_supervision": False,
    }
    preset = replace(
        load_preset("polyp"), patch_size=(side, side), spacing=(1.0, 1.0), network=network
    )
    config = TrainConfig(segmenter="dynunet", generator="none")
    run = RunFolder.create(tmp_path / "run", config, preset, phantom_cases())
    assert step_seconds(run, CHANNELS_LAST, 1) < 60


def step_takes(
    monkeypatch: pytest.MonkeyPatch,
    by_threads: dict[int, float],
    by_format: dict[str, float] | None = None,
) -> None:
    """Set the seconds of a step by number of threads, times a factor by memory format."""

    def seconds(run: RunFolder, memory_format: str, number: int) -> float:
        torch.set_num_threads(number)
        return by_threads[number] * (by_format or {}).get(memory_format, 1.0)

    monkeypatch.setattr(tuning, "step_seconds", seconds)


SLOW_ON_TWO, FAST_ON_TWO = {2: 9.0, 1: 1.0}, {2: 0.5, 1: 1.0}


def stopped_run(folder: Path, **settings: object) -> RunFolder:
    """A training stopped before its first step."""
    run = small_run(folder, warmup_steps=1, joint_steps=1, final_steps=1, **settings)
    run.request_stop()
    train(run, EventLog(run.events_file))
    return run


def resume(run: RunFolder) -> None:
    train(run, EventLog(run.events_file), resume=True)


def messages(run: RunFolder) -> list[str]:
    return [event["text"] for event in read_events(run.events_file) if "text" in event]


def test_fewer_threads_are_reported_and_kept_on_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step_takes(monkeypatch, SLOW_ON_TWO)
    run = stopped_run(tmp_path / "run")
    text = "training uses 1 of 2 CPU threads, which is 9.0 times as fast at the moment"
    assert text in messages(run)
    torch.set_num_threads(2)
    resume(run)
    assert torch.get_num_threads() == 1


def test_all_threads_are_used_again_when_that_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step_takes(monkeypatch, SLOW_ON_TWO)
    run = stopped_run(tmp_path / "run")
    step_takes(monkeypatch, FAST_ON_TWO)
    monkeypatch.setattr(tuning, "_RETRY_S", 0.0)
    torch.set_num_threads(2)
    resume(run)
    assert "training uses all 2 CPU threads again" in messages(run)
    assert torch.get_num_threads() == 2


def test_threads_are_reduced_when_steps_become_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step_takes(monkeypatch, FAST_ON_TWO)
    monkeypatch.setattr(tuning, "_WINDOW_STEPS", 1)
    monkeypatch.setattr(tuning, "_WINDOW_S", 0.0)
    run = stopped_run(tmp_path / "run")
    assert torch.get_num_threads() == 2
    step_takes(monkeypatch, SLOW_ON_TWO)
    resume(run)
    assert any("training uses 1 of 2 CPU threads" in text for text in messages(run))
    assert torch.get_num_threads() == 1


def resumed_format(run: RunFolder) -> str:
    with run.lock() as lock:
        trainer = Trainer(
            run, EventLog(run.events_file), lock, resume=True, started=time.monotonic()
        )
    return trainer.learner.problem.memory_format


def test_the_memory_format_is_reported_and_kept_on_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step_takes(monkeypatch, {2: 1.0, 1: 2.0}, {CHANNELS_LAST: 1.4})
    run = stopped_run(tmp_path / "run")
    expected = "training uses the memory format channels-first: 1.4 times as fast"
    assert expected in messages(run)
    step_takes(monkeypatch, {2: 1.0, 1: 2.0}, {CHANNELS_FIRST: 1.4})
    assert resumed_format(run) == CHANNELS_FIRST


def test_nothing_is_tuned_if_the_user_sets_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step_takes(monkeypatch, SLOW_ON_TWO, {CHANNELS_LAST: 1.4})
    run = stopped_run(tmp_path / "run", threads=2)
    assert torch.get_num_threads() == 2
    assert resumed_format(run) == CHANNELS_LAST
