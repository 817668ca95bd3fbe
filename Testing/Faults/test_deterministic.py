"""`genseg train --deterministic`: reproducible bit by bit, or a clear error.

On GPUs `segresnet` and `deeplab` are not reproducible: the gradients of
MONAI's pooling and trilinear upsampling are not deterministic there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import STEPS, few_channels, final_learner, tiny_cases, tiny_run
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from GenSegLib.cli import main
from GenSegLib.computing.devices import deterministic, deterministic_device
from GenSegLib.config import GENERATORS
from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder
from GenSegLib.training.learner import Learner
from GenSegLib.training.session import load_session
from Testing.training_states import differing

# operations that trainings might use, from the documentation of `use_deterministic_algorithms`
NONDETERMINISTIC_ON_GPUS = {
    *("avg_pool3d_backward", "_adaptive_avg_pool3d_backward", "reflection_pad3d_backward"),
    *("upsample_linear1d_backward", "upsample_bilinear2d_backward"),
    *("upsample_trilinear3d_backward", "upsample_bicubic2d_backward"),
    *("grid_sampler_2d_backward", "grid_sampler_3d_backward", "nll_loss2d_forward"),
    *("nll_loss2d_backward", "put_", "histc", "cumsum"),
}
SETTINGS = {**STEPS, "validation_interval": 6, "threads": 1, "segmenter": "unet"}


def train(data: Path, run: Path) -> RunFolder:
    settings = [part for item in SETTINGS.items() for part in ("--set", "{}={}".format(*item))]
    arguments = [str(data), "--preset", "hippocampus-mri", "--out", str(run), *settings]
    with few_channels():
        assert main(["train", *arguments, "--deterministic"]) == 0
    return RunFolder.open(run)


def test_two_trainings_with_one_seed_are_equal_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_cases(tmp_path / "cases")
    step, modes = Learner.joint_step, []

    def watched(learner: Learner, *arguments: Any) -> dict[str, float]:
        modes.append(torch.are_deterministic_algorithms_enabled())
        return step(learner, *arguments)

    monkeypatch.setattr(Learner, "joint_step", watched)
    first, second = (train(tmp_path / "cases", tmp_path / name) for name in ("a", "b"))
    assert differing(final_learner(first), final_learner(second)) == []
    assert first.config.deterministic
    assert set(modes) == {True}
    assert not torch.are_deterministic_algorithms_enabled(), "only during the training"


class OperationRecorder(TorchDispatchMode):
    """Records the names of the operations that run in a block."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, operation: OpOverload, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.names.add(operation._schema.name.partition("::")[2])
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize("generator", sorted({*GENERATORS} - {"none"}))
def test_no_phase_uses_operations_that_are_not_deterministic_on_gpus(
    tmp_path: Path, generator: str
) -> None:
    run = tiny_run(tmp_path / "run", tiny_cases(tmp_path / "cases"), generator=generator)
    learner = load_session(run).learner
    with OperationRecorder() as recorder:
        if learner.config.has_generator:
            learner.warmup_step()
        for step in range(learner.config.upper_interval):
            learner.joint_step(step)
        learner.final_step()
    assert "convolution_backward" in recorder.names, "gradients are recorded too"
    assert recorder.names & NONDETERMINISTIC_ON_GPUS == set()


def test_registration_runs_on_the_cpu_if_determinism_is_requested() -> None:
    gpu = torch.device("cuda")
    assert deterministic_device(gpu) == gpu
    with deterministic(True):
        assert deterministic_device(gpu) == torch.device("cpu")


def test_an_operation_without_deterministic_implementation_is_a_clear_error() -> None:
    message = r"no deterministic implementation .* without --deterministic"
    with pytest.raises(GenSegError, match=message), deterministic(True):
        torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))


def test_nothing_is_refused_without_the_option() -> None:
    with deterministic(False):
        torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))
