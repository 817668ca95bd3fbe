"""Convolutions on small grids have the gradients of PyTorch's own arithmetic."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from convolution_gradients import deviations
from monai.networks.nets import UNet
from small_runs import small_run
from torch.utils._python_dispatch import TorchDispatchMode

from GenSegLib.networks.convolution import convolve, fix_small_grid_gradients
from GenSegLib.training.session import load_session


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_outputs_and_gradients_are_correct(transposed: bool, dtype: torch.dtype) -> None:
    assert deviations(convolve, dtype, transposed) == []


def test_outputs_and_gradients_are_correct_on_older_processors() -> None:
    program = Path(__file__).with_name("convolution_gradients.py")
    runs = [
        subprocess.Popen([sys.executable, program], env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa})
        for isa in ("AVX512_CORE_BF16", "AVX2")
    ]
    assert [run.wait() for run in runs] == [0, 0]


def test_a_network_keeps_its_outputs_and_parameter_names() -> None:
    network = UNet(3, 1, 3, channels=(4, 8, 16), strides=(2, 2))
    fixed = fix_small_grid_gradients(copy.deepcopy(network))
    images = torch.randn(1, 1, 8, 8, 8)
    torch.testing.assert_close(network(images), fixed(images))
    assert list(network.state_dict()) == list(fixed.state_dict())


class ConvolutionRecorder(TorchDispatchMode):
    """Records grid and kernel of every padded 3-D convolution with a backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded: list[tuple[torch.Size, torch.Size]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if func is torch.ops.aten.convolution_backward.default:
            _, features, weight, _, _, padding, _, is_transposed, *_ = args
            if features.ndim == 5 and any(padding) and not is_transposed:
                self.recorded.append((features.shape[2:], weight.shape[2:]))
        return func(*args, **(kwargs or {}))


def test_no_level_of_a_training_pads_a_small_grid_implicitly(tmp_path: Path) -> None:
    learner = load_session(small_run(tmp_path / "run")).learner
    with ConvolutionRecorder() as recorder:
        learner.joint_step(0)
    assert recorder.recorded
    for grid, kernel in recorder.recorded:
        assert all(size > edge for size, edge in zip(grid, kernel))
