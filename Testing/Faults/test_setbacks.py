"""Losses that become NaN and memory that runs out, while a training is under way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import (
    EVERY_STEP_S,
    few_channels,
    final_learner,
    logs,
    tiny_cases,
    tiny_run,
    trained,
)

from GenSegLib.cases import CaseSet
from GenSegLib.computing.devices import is_out_of_memory
from GenSegLib.config import TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.runs import State
from GenSegLib.training.learner import Learner
from GenSegLib.training.session import load_session


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> CaseSet:
    return tiny_cases(tmp_path_factory.mktemp("cases"))


def poison(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let a weight of the segmenter become NaN in the final phase, so many times."""
    step, left = Learner.final_step, [times]

    def poisoned(self: Learner) -> dict[str, float]:
        losses = step(self)
        if left[0]:
            left[0] -= 1
            with torch.no_grad():
                self.problem.middle_parameters()[0].fill_(float("nan"))
        return losses

    monkeypatch.setattr(Learner, "final_step", poisoned)


def limit_memory(monkeypatch: pytest.MonkeyPatch, samples: int) -> list[int]:
    """Let more samples at a time than these be more than the memory holds."""
    taken: list[int] = []
    apply: Callable[..., torch.Tensor] = torch.func.functional_call

    def limited(network: Any, parameters: Any, inputs: Any, **more: Any) -> torch.Tensor:
        if len(inputs) == 1:
            taken.append(len(inputs[0]))
            if len(inputs[0]) > samples:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        return apply(network, parameters, inputs, **more)

    monkeypatch.setattr("GenSegLib.computing.pieces.functional_call", limited)
    return taken


def test_a_weight_that_becomes_nan_is_undone_with_smaller_steps(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, times=2)
    run = trained(
        tiny_run(tmp_path / "run", cases, generator="none", checkpoint_every_s=EVERY_STEP_S)
    )
    assert run.read_status()["state"] == State.FINISHED.value
    assert sum("is no number after step" in text for text in logs(run)) == 2
    rates = [group["lr"] for group in final_learner(run)["optimizers"][0]["param_groups"]]
    assert rates == [TrainConfig().generator_rate / 2**2]
    weights = final_learner(run)["segmenter"].values()
    assert all(bool(torch.isfinite(weight).all()) for weight in weights)


def test_a_stop_never_keeps_weights_that_are_no_numbers(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny_run(tmp_path / "run", cases, generator="none")
    poison(monkeypatch, times=1)
    poisoned = Learner.final_step

    def stopping(self: Learner) -> dict[str, float]:
        run.request_stop()
        return poisoned(self)

    monkeypatch.setattr(Learner, "final_step", stopping)
    trained(run)
    assert run.read_status()["state"] == State.STOPPED.value
    weights = final_learner(run)["segmenter"].values()
    assert all(bool(torch.isfinite(weight).all()) for weight in weights)


def test_without_a_checkpoint_the_training_starts_anew_with_smaller_steps(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, times=1)
    run = trained(tiny_run(tmp_path / "run", cases, generator="none"))
    assert any("there is no checkpoint yet" in text for text in logs(run))
    assert run.read_status()["state"] == State.FINISHED.value


def test_a_loss_that_stays_nan_stops_the_training_with_a_clear_line(
    tmp_path: Path, cases: CaseSet
) -> None:
    run = tiny_run(tmp_path / "run", cases, generator="none", segmenter_rate=1e30)
    with pytest.raises(GenSegError, match=r"is no number after step \d+, though .* halved 3 times"):
        trained(run)
    assert run.read_status()["state"] == State.FAILED.value
    assert not run.model.exists()


def test_memory_that_runs_out_halves_the_samples_at_a_time_until_they_fit(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = limit_memory(monkeypatch, samples=1)
    run = trained(tiny_run(tmp_path / "run", cases, generator="none", batch_size=4))
    told = [text for text in logs(run) if "memory ran out" in text]
    assert ["on 2 of a batch" in told[0], "on 1 of a batch" in told[1]] == [True, True]
    assert len(told) == 2
    assert taken[:3] == [4, 2, 1]
    assert run.read_status()["state"] == State.FINISHED.value


def test_how_many_samples_fit_is_remembered_by_the_run(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_memory(monkeypatch, samples=2)
    run = tiny_run(tmp_path / "run", cases, generator="none", batch_size=4)

    def stop(*round_: object) -> None:
        run.request_stop()

    monkeypatch.setattr("GenSegLib.training.rounds.Rounds.look_back", stop)
    trained(run)
    assert run.read_status()["state"] == State.STOPPED.value
    monkeypatch.undo()
    told = len(logs(run))
    taken = limit_memory(monkeypatch, samples=2)
    trained(run, resume=True)
    assert not any("memory ran out" in text for text in logs(run)[told:])
    assert max(taken) == 2


def test_memory_that_holds_no_single_sample_stops_the_training_with_a_clear_line(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_memory(monkeypatch, samples=0)
    with pytest.raises(GenSegError, match="not enough for one sample at a time; close other"):
        trained(tiny_run(tmp_path / "run", cases, generator="none"))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("shape '[2]' is invalid for input of size 3"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_memory_that_ran_out_is_told_from_a_bug(fault: Exception, expected: bool) -> None:
    assert is_out_of_memory(fault) is expected


def test_gradients_of_fewer_samples_at_a_time_add_up_to_those_of_the_batch(
    tmp_path: Path, cases: CaseSet
) -> None:
    run = tiny_run(tmp_path / "run", cases)
    found = []
    for size in (0, 1):
        with few_channels():
            learner = load_session(run).learner
        learner.problem.pieces.size = size
        batches = learner.sampling.batches()
        problem = learner._trilevel(batches)
        upper = learner.engine.hypergradient
        assert upper is not None
        found.append(
            [problem.middle_loss(problem.middle, problem.bridge(problem.lower, problem.upper))]
        )
        found[-1] += torch.autograd.grad(found[-1][0], problem.middle)
        found[-1] += upper(problem)
    for one, other in zip(*found):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
