"""Recovery of training runs from diverged losses and exhausted memory."""

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
from GenSegLib.multilevel.hypergradients import StepResult
from GenSegLib.runs import RunFolder, State
from GenSegLib.training.learner import Learner
from GenSegLib.training.session import load_session


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> CaseSet:
    return tiny_cases(tmp_path_factory.mktemp("cases"))


def diverge(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Set a weight of the segmenter to NaN after the first steps of the final phase."""
    step, remaining = Learner.final_step, [times]

    def diverging(self: Learner) -> dict[str, float]:
        losses = step(self)
        if remaining[0]:
            remaining[0] -= 1
            with torch.no_grad():
                self.problem.middle_parameters()[0].fill_(float("nan"))
        return losses

    monkeypatch.setattr(Learner, "final_step", diverging)


def limit_memory(monkeypatch: pytest.MonkeyPatch, samples: int) -> list[int]:
    """Raise out-of-memory errors for larger batches; return the list of batch sizes tried."""
    sizes: list[int] = []
    functional_call: Callable[..., torch.Tensor] = torch.func.functional_call

    def limited(network: Any, parameters: Any, inputs: Any, **options: Any) -> torch.Tensor:
        if len(inputs) == 1:
            sizes.append(len(inputs[0]))
            if len(inputs[0]) > samples:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        return functional_call(network, parameters, inputs, **options)

    monkeypatch.setattr("GenSegLib.computing.micro_batches.functional_call", limited)
    return sizes


def has_finite_weights(run: RunFolder) -> bool:
    weights = final_learner(run)["segmenter"].values()
    return all(bool(torch.isfinite(weight).all()) for weight in weights)


def test_diverged_weights_are_restored_with_halved_learning_rates(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverge(monkeypatch, times=2)
    run = trained(
        tiny_run(tmp_path / "run", cases, generator="none", checkpoint_interval_s=EVERY_STEP_S)
    )
    assert run.read_status()["state"] == State.FINISHED.value
    assert sum("is NaN or infinite after step" in text for text in logs(run)) == 2
    rates = [group["lr"] for group in final_learner(run)["optimizers"][0]["param_groups"]]
    assert rates == [TrainConfig().generator_lr / 2**2]
    assert has_finite_weights(run)


def test_a_stop_never_saves_diverged_weights(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny_run(tmp_path / "run", cases, generator="none")
    diverge(monkeypatch, times=1)
    diverging = Learner.final_step

    def stopping(self: Learner) -> dict[str, float]:
        run.request_stop()
        return diverging(self)

    monkeypatch.setattr(Learner, "final_step", stopping)
    trained(run)
    assert run.read_status()["state"] == State.STOPPED.value
    assert has_finite_weights(run)


def test_without_a_checkpoint_the_training_restarts_from_scratch(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverge(monkeypatch, times=1)
    run = trained(tiny_run(tmp_path / "run", cases, generator="none"))
    assert any("no checkpoint yet" in text for text in logs(run))
    assert run.read_status()["state"] == State.FINISHED.value


def test_repeated_divergence_fails_with_a_clear_message(tmp_path: Path, cases: CaseSet) -> None:
    run = tiny_run(tmp_path / "run", cases, generator="none", segmenter_lr=1e30)
    with pytest.raises(GenSegError, match=r"is NaN or infinite after step \d+, .* halved 3 times"):
        trained(run)
    assert run.read_status()["state"] == State.FAILED.value
    assert not run.model.exists()


def test_exhausted_memory_halves_the_micro_batches_until_they_fit(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = limit_memory(monkeypatch, samples=1)
    run = trained(tiny_run(tmp_path / "run", cases, generator="none", batch_size=4))
    messages = [text for text in logs(run) if "out of memory" in text]
    assert ["micro-batches of 2" in messages[0], "micro-batches of 1" in messages[1]] == [True] * 2
    assert len(messages) == 2
    assert sizes[:3] == [4, 2, 1]
    assert run.read_status()["state"] == State.FINISHED.value


def test_the_size_of_micro_batches_is_kept_on_resume(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_memory(monkeypatch, samples=2)
    run = tiny_run(tmp_path / "run", cases, generator="none", batch_size=4)

    def stop(*_: object) -> None:
        run.request_stop()

    monkeypatch.setattr("GenSegLib.training.rounds.Rounds.validate", stop)
    trained(run)
    assert run.read_status()["state"] == State.STOPPED.value
    monkeypatch.undo()
    before = len(logs(run))
    sizes = limit_memory(monkeypatch, samples=2)
    trained(run, resume=True)
    assert not any("out of memory" in text for text in logs(run)[before:])
    assert max(sizes) == 2


def test_memory_for_less_than_a_sample_fails_with_a_clear_message(
    tmp_path: Path, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_memory(monkeypatch, samples=0)
    with pytest.raises(GenSegError, match="not enough memory for a single sample; close other"):
        trained(tiny_run(tmp_path / "run", cases, generator="none"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("shape '[2]' is invalid for input of size 3"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_errors_are_recognized(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_micro_batches_give_the_losses_and_gradients_of_the_batch(
    tmp_path: Path, cases: CaseSet
) -> None:
    run = tiny_run(tmp_path / "run", cases)
    results = []
    for size in (0, 1):
        with few_channels():
            learner = load_session(run).learner
        learner.problem.micro_batches.size = size
        problem = learner.trilevel(learner.sampler.trilevel_batch())
        hypergradient = learner.engine.hypergradient
        assert hypergradient is not None
        generated = problem.generate(problem.lower, problem.upper)
        after = StepResult(problem.lower, problem.middle, problem.upper, generated)
        loss = problem.middle_loss(problem.middle, [tensor.detach() for tensor in generated])
        gradients = torch.autograd.grad(loss, problem.middle)
        results.append([loss, *gradients, *hypergradient(problem, after)])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
