"""The candidate operations of searchable cells, and their weighted sum at the price of one.

Every candidate is linear: a weighted sum of what several convolutions give is what one convolution
with the weighted sum of their kernels gives. So nothing of an image's size is computed for each
candidate alone, neither forward nor for the gradient, and the shares meet only weights.
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
    """Return a convolution of an even kernel that halves (or, transposed, doubles) the size."""
    layer = Conv[kind, dims]
    built: _ConvNd = layer(inputs, outputs, kernel_size=kernel, stride=2, padding=kernel // 2 - 1)
    return built


class Resized(nn.Sequential, ABC):
    """A convolution of kernel 3 beside a change of size."""

    @abstractmethod
    def shared(self, features: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """Return a share of the output."""


class Pooled(Resized):
    """Halves the size by averaging, then convolves."""

    def __init__(self, dims: int, inputs: int, outputs: int) -> None:
        super().__init__(Halved(), Conv[CONVOLUTION, dims](inputs, outputs, 3, padding=1))

    def shared(self, features: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """See `Resized`."""
        halved, convolution = self
        return _share_of(convolution, share, halved(features))


class Upsampled(Resized):
    """Convolves, then doubles the size by repeating voxels."""

    def __init__(self, dims: int, inputs: int, outputs: int) -> None:
        convolution = Conv[CONVOLUTION, dims](inputs, outputs, 3, padding=1)
        super().__init__(convolution, nn.Upsample(scale_factor=2))

    def shared(self, features: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """See `Resized`."""
        convolution, doubled = self
        output: torch.Tensor = doubled(_share_of(convolution, share, features))
        return output


class Halved(nn.Module):
    """Averages blocks of 2 pixels or voxels along each side, in volumes plane by plane.

    PyTorch averages planes with their channels last as they lie, and copies volumes for it.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (batch, channel, *s) to (batch, channel, *(s / 2))."""
        if features.ndim == 4:
            return F.avg_pool2d(features, 2)
        depth = features.shape[2] // 2
        planes = features[:, :, : 2 * depth].transpose(1, 2)
        halved = F.avg_pool2d(planes.flatten(0, 1), 2).unflatten(0, (-1, depth, 2))
        return halved.mean(dim=2).transpose(1, 2)


def mixed(
    operations: Sequence[nn.Module], shares: torch.Tensor, features: torch.Tensor
) -> torch.Tensor:
    """Return the sum of what the operations give, weighted by their shares."""
    pairs = list(zip(operations, shares))
    alike = [(each, share) for each, share in pairs if isinstance(each, _ConvNd)]
    total = _convolved_in_one(alike, features)
    for operation, share in pairs:
        if isinstance(operation, Resized):
            total = total + operation.shared(features, share)
    return total


def _convolved_in_one(
    pairs: Sequence[tuple[_ConvNd, torch.Tensor]], features: torch.Tensor
) -> torch.Tensor:
    """Convolve once with the sum of all strided kernels, the smaller amid the largest."""
    largest = max((layer for layer, _ in pairs), key=lambda layer: layer.kernel_size)
    kernels = [_amid(share * layer.weight, largest) for layer, share in pairs]
    biases = [share * cast(torch.Tensor, layer.bias) for layer, share in pairs]
    return convolve(largest, features, torch.stack(kernels).sum(0), torch.stack(biases).sum(0))


def _amid(kernel: torch.Tensor, largest: _ConvNd) -> torch.Tensor:
    missing = largest.kernel_size[0] - kernel.shape[-1]
    return F.pad(kernel, [missing // 2] * 2 * len(largest.kernel_size))


def _share_of(layer: nn.Module, share: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    layer = cast(_ConvNd, layer)
    return convolve(layer, features, share * layer.weight, share * cast(torch.Tensor, layer.bias))
