"""EfficientNet-Lite0 as an encoder: features of five resolutions.

Tan and Le, "EfficientNet", ICML 2019; the lite variant has no squeeze-and-excitation and no swish.
It has 3 million weights, few enough for a CPU. Modules are in the order of the published weights,
see `pretrained.load_encoder`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

# repeats, kernel, stride, expansion and channels of each stage
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_ENDS = (0, 1, 2, 4, 6)  # last stage of each resolution
_LAST_HALVING = 5
_STEM = 32
_EPSILON, _MOMENTUM = 1e-3, 0.1


class EfficientNetLite0(nn.Module):
    """Maps images (batch, channel, x, y) to features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size.

    Args:
        in_channels: image channels.
        coarsest: 32, or 16 for dilated convolutions instead of the last halving.

    Attributes:
        channels: of the features, finest first.
    """

    channels = tuple(_STAGES[stage][-1] for stage in _ENDS)

    def __init__(self, in_channels: int = 3, coarsest: int = 32) -> None:
        super().__init__()
        self.stem = _ConvNorm(in_channels, _STEM, 3, stride=2)
        self.stages = nn.ModuleList()
        inputs, dilation = _STEM, 1
        for index, (repeats, kernel, stride, expansion, outputs) in enumerate(_STAGES):
            if index == _LAST_HALVING and coarsest == 16:
                stride, dilation = 1, 2
            blocks: list[nn.Module] = []
            for _ in range(repeats):
                block = _InvertedResidual(inputs, outputs, kernel, stride, expansion, dilation)
                blocks.append(block)
                inputs, stride = outputs, 1
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return the features, finest first."""
        x = self.stem(images)
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _ENDS:
                features.append(x)
        return features


class _ConvNorm(nn.Module):
    """Convolution with batch normalization and, unless it is linear, ReLU6.

    Padded like TensorFlow's for even sizes, since the published weights come from there: with a
    stride of 2 there is one voxel less before the image than after it.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.margins = [dilation * ((kernel - stride) // 2), dilation * (kernel // 2)] * 2
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, dilation=dilation, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(outputs, eps=_EPSILON, momentum=_MOMENTUM)
        self.linear = linear

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.pad(x, self.margins) if self.margins[1] else x
        x = self.norm(self.conv(x))
        return x if self.linear else F.relu6(x)


class _InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and projection (Sandler et al., CVPR 2018)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        expansion: int,
        dilation: int,
    ) -> None:
        super().__init__()
        inner = inputs * expansion
        layers = [_ConvNorm(inputs, inner, 1)] if expansion > 1 else []
        layers.append(_ConvNorm(inner, inner, kernel, stride, inner, dilation))
        layers.append(_ConvNorm(inner, outputs, 1, linear=True))
        self.layers = nn.Sequential(*layers)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers(x)
        return x + result if self.is_residual else result
