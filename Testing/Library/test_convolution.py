"""Convolutions of small grids have the gradient that PyTorch's own arithmetic gives."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from monai.networks.layers.factories import Conv
from monai.networks.nets import UNet
from small_runs import small_run
from torch.nn.modules.conv import _ConvNd
from torch.utils._python_dispatch import TorchDispatchMode

from GenSegLib.networks.convolution import convolve, right_on_small_grids
from GenSegLib.training.session import load_session

# kernel, stride
CONVOLUTIONS = [(1, 1), (2, 2), (3, 1), (3, 2), (4, 2), (5, 1), (7, 2), (8, 2)]
SIZES = [(1, 1, 1), (2, 2, 2), (2, 5, 3), (3, 3, 3), (4, 2, 6), (5, 5, 5), (6, 6, 6), (8, 8, 8)]


def gradients(
    layer: _ConvNd, features: torch.Tensor, weight: torch.Tensor, native: bool
) -> list[torch.Tensor]:
    """What a layer gives, and its gradients, by oneDNN or by PyTorch's own arithmetic."""
    with torch.backends.mkldnn.flags(enabled=not native):
        taking = [each.clone().requires_grad_() for each in (features, weight)]
        if native:
            taking = [each.double().detach().requires_grad_() for each in taking]
        output = convolve(layer, taking[0], taking[1], None)
        pull = torch.linspace(-9, 9, output.numel()).sin().reshape(output.shape).to(output.dtype)
        return [output, *torch.autograd.grad(output, taking, pull)]


@pytest.mark.parametrize("kind", [Conv.CONV, Conv.CONVTRANS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("kernel", "stride"), CONVOLUTIONS)
@pytest.mark.parametrize("size", SIZES)
def test_values_and_gradients_are_right(
    kind: str, dtype: torch.dtype, kernel: int, stride: int, size: tuple[int, ...]
) -> None:
    padding = (kernel - 1) // 2
    size = tuple(max(each, kernel - 2 * padding) for each in size)
    layer = Conv[kind, 3](16, 16, kernel, stride=stride, padding=padding)
    features, weight = torch.randn(2, 16, *size).to(dtype), layer.weight.detach().to(dtype)
    found = gradients(layer, features, weight, native=False)
    for ours, right in zip(found, gradients(layer, features, weight, native=True)):
        assert (ours.double() - right).norm() <= 0.03 * right.norm()


@pytest.mark.parametrize("instructions", ["AVX512_CORE_BF16", "AVX2"])
def test_values_are_right_on_processors_that_know_less(instructions: str) -> None:
    others = [sys.executable, "-m", "pytest", "-q", "-k", "gradients", __file__]
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": instructions}
    subprocess.run(others, env=environment, check=True)


def test_a_network_stays_the_same() -> None:
    network = UNet(3, 1, 3, channels=(4, 8, 16), strides=(2, 2))
    other = right_on_small_grids(copy.deepcopy(network))
    images = torch.randn(1, 1, 8, 8, 8)
    torch.testing.assert_close(network(images), other(images))
    assert list(network.state_dict()) == list(other.state_dict())


class Convolutions(TorchDispatchMode):
    """Notes the grid and the kernel of every padded 3-D convolution that PyTorch differentiates."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[torch.Size, torch.Size]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if func is torch.ops.aten.convolution_backward.default:
            _, features, weight, _, _, padding, _, is_transposed, *_ = args
            if features.ndim == 5 and any(padding) and not is_transposed:
                self.noted.append((features.shape[2:], weight.shape[2:]))
        return func(*args, **(kwargs or {}))


def test_no_level_of_a_training_meets_a_padded_grid_that_is_small(tmp_path: Path) -> None:
    learner = load_session(small_run(tmp_path / "run")).learner
    with Convolutions() as met:
        learner.joint_step(0)
    assert met.noted
    assert all(size > edge for grid, kernel in met.noted for size, edge in zip(grid, kernel))
