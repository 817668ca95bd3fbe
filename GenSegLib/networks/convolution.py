"""Convolutions with correct gradients on small grids on CPUs.

Where a grid is hardly larger than the kernel, oneDNN (3.12, with PyTorch 2.13) computes the weight
gradient of a padded 3-D convolution from uninitialized memory or writes out of bounds: in bfloat16
on processors without AMX (2 voxels and a kernel of 3 are enough), in float32 for kernels from 7 on.
Explicit padding avoids it. Without gradients nothing is wrong, and an exported network keeps its
implicit padding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.conv import _ConvNd

_Network = TypeVar("_Network", bound=nn.Module)

_OPERATIONS: dict[tuple[int, bool], Callable[..., torch.Tensor]] = {
    (2, False): F.conv2d,
    (3, False): F.conv3d,
    (2, True): F.conv_transpose2d,
    (3, True): F.conv_transpose3d,
}


class _Convolution(nn.Conv3d):
    def _conv_forward(
        self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        return convolve(self, input, weight, bias)


def fix_small_grid_gradients(network: _Network) -> _Network:
    """Replace a network's 3-D convolutions in place; parameters and their names stay."""
    for module in network.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = _Convolution
    return network


def convolve(
    layer: _ConvNd, features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Apply a zero-padded layer to features (batch, channel, *s) with the given parameters.

    Transposed layers must have no dilation and no output padding.
    """
    operation = _OPERATIONS[features.ndim - 2, layer.transposed]
    padding = cast("tuple[int, ...]", layer.padding)
    settings = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups}
    if not torch.is_grad_enabled() or not _is_small(layer, features):
        return operation(features, weight, bias, padding=padding, **settings)
    border = [margin for each in reversed(padding) for margin in (each, each)]
    if not layer.transposed:
        return operation(F.pad(features, border), weight, bias, **settings)
    return F.pad(operation(features, weight, bias, **settings), [-each for each in border])


def _is_small(layer: _ConvNd, features: torch.Tensor) -> bool:
    """Return whether the finer grid of a convolution is no larger than its kernel.

    Dilated convolutions are computed correctly, and would need much padding.
    """
    if features.ndim != 5 or features.device.type != "cpu" or max(layer.dilation) > 1:
        return False
    finer = layer.stride if layer.transposed else (1, 1, 1)
    sizes = [size * factor for size, factor in zip(features.shape[2:], finer)]
    return any(size <= kernel for size, kernel in zip(sizes, layer.kernel_size))
