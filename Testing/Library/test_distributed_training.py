"""Data-parallel training: gradients of the whole batch, and one run folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from multilevel_problems import level_gradients
from small_runs import small_preset

from GenSegLib.cases import CaseSet
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog, read_events
from GenSegLib.files import write_json
from GenSegLib.multilevel import TrilevelProblem, finite_difference, unroll
from GenSegLib.multilevel.vectors import Tensors, gradient
from GenSegLib.runs import RunFolder, State
from GenSegLib.training.learner import Learner
from GenSegLib.training.problem import TrilevelBatch
from GenSegLib.training.session import load_session
from GenSegLib.training.train import train
from Testing.Faults.tiny_training import few_channels, logs, tiny_cases, tiny_run
from Testing.imports import ROOT
from Testing.several_processes import in_processes
from Testing.training_states import differing, final_state

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the processes")

PROCESSES = 2
STEPS = 16  # of all phases of a tiny run
# Single precision; finite differences divide what rounding leaves of a difference by their step.
NEAR, OF_DIFFERENCES = 1e-4, 1e-2


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> CaseSet:
    return tiny_cases(tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="module")
def learner(cases: CaseSet, tmp_path_factory: pytest.TempPathFactory) -> Learner:
    """A learner whose generator does not only pass its source images through."""
    with few_channels():
        found = load_session(tiny_run(tmp_path_factory.mktemp("learner") / "run", cases)).learner
    torch.nn.init.normal_(found.problem.generator.head.weight, std=0.05)
    return found


@pytest.fixture(scope="module")
def parts(learner: Learner) -> list[TrilevelBatch]:
    """The parts of a batch, one per process."""
    return [learner.sampler.trilevel_batch() for _ in range(PROCESSES)]


def whole_batch(learner: Learner, parts: list[TrilevelBatch]) -> TrilevelProblem:
    """The three levels of a single process with all samples."""
    problem = learner.problem

    def joined(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = zip(*pairs)
        return torch.cat(images), torch.cat(labels)

    def generate(w: Tensors, a: Tensors) -> list[torch.Tensor]:
        batches = [problem.generate_batch(part.blended, w, a, part.seed) for part in parts]
        return [torch.cat([images for images, _ in batches]), batches[0][1]]

    real, validation = joined([p.real for p in parts]), joined([p.validation for p in parts])
    averaged = list(learner.averaged_segmenter.parameters())
    labels = torch.cat([part.blended.labels for part in parts])
    return replace(
        learner.trilevel(parts[0]),
        lower_loss=lambda w, a: sum(problem.lower_loss(p, w, a) for p in parts) / len(parts),
        generate=generate,
        middle_loss=lambda s, x: problem.middle_loss(real, labels, s, x),
        upper_loss=lambda s, a: problem.upper_loss(validation, s, averaged),
        split_middle_loss=None,
    )


def relative_error(found: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    one, other = (torch.cat([tensor.flatten() for tensor in x]) for x in (found, expected))
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize(
    ("gradients", "tolerance"),
    [(level_gradients, NEAR), (unroll, NEAR), (finite_difference, OF_DIFFERENCES)],
    ids=["levels", "unrolling", "finite differences"],
)
def test_gradients_of_all_levels_are_those_of_the_whole_batch(
    learner: Learner,
    parts: list[TrilevelBatch],
    gradients: Callable[[TrilevelProblem], list[torch.Tensor]],
    tolerance: float,
    tmp_path: Path,
) -> None:
    def on_own_part(rank: int) -> list[torch.Tensor]:
        return gradients(learner.trilevel(parts[rank]))

    expected = gradients(whole_batch(learner, parts))
    for found in in_processes(PROCESSES, on_own_part, tmp_path):
        assert relative_error(found, expected) < tolerance


def test_gradients_of_the_discriminator_are_those_of_the_whole_batch(
    learner: Learner, parts: list[TrilevelBatch], tmp_path: Path
) -> None:
    discriminator = learner.problem.discriminator
    weights = list(discriminator.parameters())
    norms = {name: tensor.clone() for name, tensor in discriminator.state_dict().items()}

    def gradients(part: TrilevelBatch) -> list[torch.Tensor]:
        discriminator.load_state_dict(norms)  # each call updates the spectral norms
        return gradient(learner.problem.discriminator_loss(part), weights)

    expected = [sum(grads) / len(parts) for grads in zip(*map(gradients, parts))]
    for found in in_processes(PROCESSES, lambda rank: gradients(parts[rank]), tmp_path):
        assert relative_error(found, expected) < NEAR


def trained(run: RunFolder, folder: Path, *, resume: bool = False, **how: Any) -> RunFolder:
    in_processes(PROCESSES, lambda rank: take_part(run, rank, resume=resume, **how), folder)
    return run


def take_part(run: RunFolder, rank: int, *, resume: bool, stop_at: int = STEPS) -> None:
    def stop_there(event: dict[str, Any]) -> None:
        if event["kind"] == "metrics" and event["step"] == stop_at < STEPS:
            run.request_stop()

    events = EventLog(run.events_file if rank == 0 else None, [stop_there])
    with few_channels():
        train(run, events, resume=resume)


@pytest.fixture(scope="module")
def whole(cases: CaseSet, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """An uninterrupted training by two processes."""
    folder = tmp_path_factory.mktemp("whole")
    return trained(tiny_run(folder / "run", cases), folder / "processes")


def test_a_training_by_two_processes_logs_each_step_once_and_writes_one_model(
    whole: RunFolder,
) -> None:
    events = list(read_events(whole.events_file))
    assert [e["step"] for e in events if e["kind"] == "progress"] == [4, 5, 6, 5, 6]
    assert whole.read_status()["state"] == State.FINISHED.value
    assert whole.model.is_dir()
    assert len(list(whole.checkpoints.iterdir())) == 1


@pytest.fixture(scope="module")
def stopped(cases: CaseSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training by two processes, stopped in its joint phase."""
    folder = tmp_path_factory.mktemp("stopped")
    run = trained(tiny_run(folder / "run", cases), folder / "processes", stop_at=9)
    assert run.read_status()["state"] == State.STOPPED.value
    return run.path


def test_resumed_by_as_many_processes_it_continues_bit_by_bit(
    whole: RunFolder, stopped: Path, tmp_path: Path
) -> None:
    run = RunFolder(shutil.copytree(stopped, tmp_path / "run"))
    trained(run, tmp_path / "processes", resume=True)
    assert differing(final_state(whole)["learner"], final_state(run)["learner"]) == []


def test_a_checkpoint_of_two_processes_is_resumed_by_one(stopped: Path, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(stopped, tmp_path / "run"))
    take_part(run, 0, resume=True)
    assert "resuming at step 9 of 16" in logs(run)
    assert run.read_status()["state"] == State.FINISHED.value


def test_a_checkpoint_of_one_process_is_resumed_by_two(cases: CaseSet, tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", cases)
    take_part(run, 0, resume=False, stop_at=9)
    trained(run, tmp_path / "processes", resume=True)
    assert "resuming at step 9 of 16" in logs(run)
    assert run.read_status()["state"] == State.FINISHED.value


def test_an_uneven_batch_is_refused_by_all_processes(cases: CaseSet, tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", cases, batch_size=3)

    def refused(rank: int) -> bool:
        with pytest.raises(GenSegError, match="--set batch_size=4"):
            take_part(run, rank, resume=False)
        return True

    assert in_processes(PROCESSES, refused, tmp_path / "processes") == [True, True]


def test_torchrun_restarts_a_training_after_a_process_was_killed(
    cases: CaseSet, tmp_path: Path
) -> None:
    folder = cases.cases[0].image.parents[1]
    write_json(tmp_path / "preset.json", small_preset().to_json())
    settings = ["warmup_steps=2", "joint_steps=6", "final_steps=2", "checkpoint_interval_s=1e-9"]
    arguments = [
        *("train", str(folder), "--preset", str(tmp_path / "preset.json")),
        *("--out", str(tmp_path / "run")),
        *(word for setting in settings for word in ("--set", setting)),
    ]
    launch = ("-m", "torch.distributed.run", "--nproc-per-node", str(PROCESSES))
    script = Path(__file__).with_name("killed_once.py")
    command = [sys.executable, *launch, "--max-restarts", "1", str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    run = RunFolder.open(tmp_path / "run")
    assert run.read_status()["state"] == State.FINISHED.value
    assert "2 processes share each batch" in logs(run)
    assert any(text.startswith("resuming at step") for text in logs(run))
