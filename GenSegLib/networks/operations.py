"""Candidate operations of searchable cells, and their weighted sum at the cost of one.

Every candidate is linear, so that a weighted sum of several convolutions equals one convolution
with the weighted sum of their kernels: in published cells no candidate is computed by itself,
neither forward nor backward.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from monai.networks.layers.factories import Conv
from torch import nn
from torch.nn.modules.conv import _ConvNd

from .convolution import convolve

CONVOLUTION, TRANSPOSED = Conv.CONV, Conv.CONVTRANS


def strided(kind: str, kernel: int, dims: int, inputs: int, outputs: int) -> _ConvNd:
    """Return a convolution with an even kernel that halves (transposed: doubles) the size."""
    layer = Conv[kind, dims]
    built: _ConvNd = layer(inputs, outputs, kernel_size=kernel, stride=2, padding=kernel // 2 - 1)
    return built


class ResizedConvolution(nn.Sequential, ABC):
    """A convolution with kernel 3, before or after resizing."""

    @abstractmethod
    def weighted(self, features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the output times a scalar weight."""


class PooledConvolution(ResizedConvolution):
    """Average pooling by 2, then a convolution."""

    def __init__(self, dims: int, inputs: int, outputs: int) -> None:
        super().__init__(AveragePool(), Conv[CONVOLUTION, dims](inputs, outputs, 3, padding=1))

    def weighted(self, features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """See `ResizedConvolution`."""
        pool, convolution = self
        return _weighted_convolution(convolution, weight, pool(features))


class UpsampledConvolution(ResizedConvolution):
    """A convolution, then nearest-neighbor upsampling by 2."""

    def __init__(self, dims: int, inputs: int, outputs: int) -> None:
        convolution = Conv[CONVOLUTION, dims](inputs, outputs, 3, padding=1)
        super().__init__(convolution, nn.Upsample(scale_factor=2))

    def weighted(self, features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """See `ResizedConvolution`."""
        convolution, upsample = self
        output: torch.Tensor = upsample(_weighted_convolution(convolution, weight, features))
        return output


class AveragePool(nn.Module):
    """Average pooling by 2; in volumes plane by plane.

    PyTorch pools channels-last planes without a copy, but copies channels-last volumes.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (batch, channel, *s) to (batch, channel, *(s / 2))."""
        if features.ndim == 4:
            return F.avg_pool2d(features, 2)
        depth = features.shape[2] // 2
        planes = features[:, :, : 2 * depth].transpose(1, 2)
        pooled = F.avg_pool2d(planes.flatten(0, 1), 2).unflatten(0, (-1, depth, 2))
        return pooled.mean(dim=2).transpose(1, 2)


def apply_operation(operation: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """Return the output of one operation for features (batch, channel, *s)."""
    if isinstance(operation, _ConvNd):
        return convolve(operation, features, operation.weight, operation.bias)
    output: torch.Tensor = operation(features)
    return output


def weighted_sum(
    operations: Sequence[nn.Module], weights: torch.Tensor, features: torch.Tensor
) -> torch.Tensor:
    """Return the weighted sum of the operations' outputs for features (batch, channel, *s)."""
    pairs = list(zip(operations, weights))
    convolutions = [(each, weight) for each, weight in pairs if isinstance(each, _ConvNd)]
    total = _merged_convolution(convolutions, features)
    for operation, weight in pairs:
        if isinstance(operation, ResizedConvolution):
            total = total + operation.weighted(features, weight)
    return total


def _merged_convolution(
    pairs: Sequence[tuple[_ConvNd, torch.Tensor]], features: torch.Tensor
) -> torch.Tensor:
    """Convolve once with the weighted sum of all kernels, padded to the size of the largest."""
    largest = max((layer for layer, _ in pairs), key=lambda layer: layer.kernel_size)
    kernels = [_pad_kernel(weight * layer.weight, largest) for layer, weight in pairs]
    biases = [weight * cast(torch.Tensor, layer.bias) for layer, weight in pairs]
    return convolve(largest, features, torch.stack(kernels).sum(0), torch.stack(biases).sum(0))


def _pad_kernel(kernel: torch.Tensor, largest: _ConvNd) -> torch.Tensor:
    missing = largest.kernel_size[0] - kernel.shape[-1]
    return F.pad(kernel, [missing // 2] * 2 * len(largest.kernel_size))


def _weighted_convolution(
    layer: nn.Module, weight: torch.Tensor, features: torch.Tensor
) -> torch.Tensor:
    layer = cast(_ConvNd, layer)
    return convolve(layer, features, weight * layer.weight, weight * cast(torch.Tensor, layer.bias))
