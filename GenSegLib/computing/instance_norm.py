"""Instance normalization that preserves the channels-last memory format.

PyTorch computes instance normalization as batch normalization of one sample with batch * channels
channels. In channels-last format, in which convolutions are faster, that copies every image twice:
on a CPU a quarter of a training step. Batch normalization sample by sample gives the same result
without copies.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class _InstanceNorm2d(nn.InstanceNorm2d):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return _sample_by_sample(self, images)


class _InstanceNorm3d(nn.InstanceNorm3d):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return _sample_by_sample(self, images)


_REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {
    nn.InstanceNorm2d: _InstanceNorm2d,
    nn.InstanceNorm3d: _InstanceNorm3d,
}


def replace_instance_norm(network: nn.Module) -> None:
    """Replace instance normalization layers in place; parameters and their names stay."""
    for module in network.modules():
        for name, child in module.named_children():
            if type(child) in _REPLACEMENTS and not child.track_running_stats:
                setattr(module, name, _replacement(child))


def _sample_by_sample(
    norm: nn.InstanceNorm2d | nn.InstanceNorm3d, images: torch.Tensor
) -> torch.Tensor:
    normalized = [
        F.batch_norm(image, None, None, norm.weight, norm.bias, True, 0.0, norm.eps)
        for image in images.split(1)
    ]
    return torch.cat(normalized)


def _replacement(norm: nn.Module) -> nn.Module:
    replaced = _REPLACEMENTS[type(norm)](norm.num_features, norm.eps, affine=norm.affine)
    replaced.weight, replaced.bias = norm.weight, norm.bias
    return replaced
