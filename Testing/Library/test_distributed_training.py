"""A training that several processes share is one training: same gradients, one run folder."""

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
from small_runs import small_preset

from GenSegLib.cases import CaseSet
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog, read_events
from GenSegLib.files import write_json
from GenSegLib.multilevel import Trilevel, finite_difference, unroll
from GenSegLib.multilevel.levels import Tensors, gradient
from GenSegLib.runs import RunFolder, State
from GenSegLib.training.learner import Learner
from GenSegLib.training.problem import Batches
from GenSegLib.training.session import load_session
from GenSegLib.training.train import train
from Testing.Faults.tiny_training import few_channels, logs, tiny_cases, tiny_run
from Testing.imports import ROOT
from Testing.level_gradients import lower, middle, upper
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
    """A learner whose generator has begun to draw."""
    with few_channels():
        found = load_session(tiny_run(tmp_path_factory.mktemp("learner") / "run", cases)).learner
    torch.nn.init.normal_(found.problem.generator.head.weight, std=0.05)
    return found


@pytest.fixture(scope="module")
def parts(learner: Learner) -> list[Batches]:
    """What each process has of a batch."""
    return [learner.sampling.batches() for _ in range(PROCESSES)]


def of_all(learner: Learner, parts: list[Batches]) -> Trilevel:
    """The three levels of one process that has all samples."""
    problem = learner.problem

    def joined(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = zip(*pairs)
        return torch.cat(images), torch.cat(labels)

    def bridge(w: Tensors, a: Tensors) -> list[torch.Tensor]:
        bridges = [problem.bridge(part.blends, w, a, part.seed) for part in parts]
        return [torch.cat([images for images, _ in bridges]), bridges[0][1]]

    middle, upper = joined([p.middle for p in parts]), joined([p.upper for p in parts])
    judged = learner.average.tensors
    labels = torch.cat([part.blends.labels for part in parts])
    return replace(
        learner._trilevel(parts[0]),
        lower_loss=lambda w, a: sum(problem.lower_loss(p, w, a) for p in parts) / len(parts),
        bridge=bridge,
        middle_loss=lambda s, x: problem.middle_loss(middle, labels, s, x),
        upper_loss=lambda s, a: problem.upper_loss(replace(parts[0], upper=upper), s, judged),
        crossing_part=None,
    )


def apart(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> float:
    """The norm of the difference, as a share of what is wanted."""
    one, other = (torch.cat([tensor.flatten() for tensor in x]) for x in (found, wanted))
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize(
    ("find", "tolerance"),
    [
        (lower, NEAR),
        (middle, NEAR),
        (upper, NEAR),
        (unroll, NEAR),
        (finite_difference, OF_DIFFERENCES),
    ],
    ids=["lower", "middle", "upper", "unrolled hypergradient", "hypergradient by differences"],
)
def test_gradients_of_all_levels_are_those_of_the_whole_batch(
    learner: Learner,
    parts: list[Batches],
    find: Callable[[Trilevel], list[torch.Tensor]],
    tolerance: float,
    tmp_path: Path,
) -> None:
    def with_a_part(rank: int) -> list[torch.Tensor]:
        return find(learner._trilevel(parts[rank]))

    wanted = find(of_all(learner, parts))
    for found in in_processes(PROCESSES, with_a_part, tmp_path):
        assert apart(found, wanted) < tolerance


def test_so_is_the_adversarys(learner: Learner, parts: list[Batches], tmp_path: Path) -> None:
    adversary = learner.problem.discriminator
    weights = list(adversary.parameters())
    norms = {name: tensor.clone() for name, tensor in adversary.state_dict().items()}

    def found_with(part: Batches) -> list[torch.Tensor]:
        adversary.load_state_dict(norms)  # they are estimated anew in each call
        return gradient(learner.problem.adversary_loss(part), weights)

    each = [found_with(part) for part in parts]
    wanted = [sum(gradients) / len(parts) for gradients in zip(*each)]
    for found in in_processes(PROCESSES, lambda rank: found_with(parts[rank]), tmp_path):
        assert apart(found, wanted) < NEAR


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
    """A training by two processes that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return trained(tiny_run(folder / "run", cases), folder / "processes")


def test_a_shared_training_tells_each_step_once_and_leaves_one_model(whole: RunFolder) -> None:
    events = list(read_events(whole.events_file))
    assert [e["step"] for e in events if e["kind"] == "progress"] == [4, 5, 6, 5, 6]
    assert whole.read_status()["state"] == State.FINISHED.value
    assert whole.model.is_dir()
    assert len(list(whole.checkpoints.iterdir())) == 1


@pytest.fixture(scope="module")
def stopped(cases: CaseSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training by two processes that was stopped in its joint phase."""
    folder = tmp_path_factory.mktemp("stopped")
    run = trained(tiny_run(folder / "run", cases), folder / "processes", stop_at=9)
    assert run.read_status()["state"] == State.STOPPED.value
    return run.path


def test_stopped_and_resumed_by_as_many_it_goes_on_to_the_bit(
    whole: RunFolder, stopped: Path, tmp_path: Path
) -> None:
    run = RunFolder(shutil.copytree(stopped, tmp_path / "run"))
    trained(run, tmp_path / "processes", resume=True)
    assert differing(final_state(whole)["learner"], final_state(run)["learner"]) == []


def test_a_checkpoint_of_two_moves_to_one(stopped: Path, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(stopped, tmp_path / "run"))
    take_part(run, 0, resume=True)
    assert "goes on from step 9 of 16" in logs(run)
    assert run.read_status()["state"] == State.FINISHED.value


def test_a_checkpoint_of_one_moves_to_two(cases: CaseSet, tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", cases)
    take_part(run, 0, resume=False, stop_at=9)
    trained(run, tmp_path / "processes", resume=True)
    assert "goes on from step 9 of 16" in logs(run)
    assert run.read_status()["state"] == State.FINISHED.value


def test_a_batch_that_cannot_be_shared_is_refused_by_all(cases: CaseSet, tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", cases, batch_size=3)

    def refused(rank: int) -> bool:
        with pytest.raises(GenSegError, match="--set batch_size=4"):
            take_part(run, rank, resume=False)
        return True

    assert in_processes(PROCESSES, refused, tmp_path / "processes") == [True, True]


def test_torchrun_restarts_a_training_of_which_a_process_was_killed(
    cases: CaseSet, tmp_path: Path
) -> None:
    folder = cases.cases[0].image.parents[1]
    write_json(tmp_path / "preset.json", small_preset().to_json())
    settings = ["warmup_steps=2", "joint_steps=6", "final_steps=2", "checkpoint_every_s=1e-9"]
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
    assert any(text.startswith("goes on from step") for text in logs(run))
