"""Segments an image of any size by windows of the segmenter's patch size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, combinations

import torch
from monai.inferers.utils import sliding_window_inference
from torch import Tensor, nn

_OVERLAP = 0.5
_WINDOWS_AT_ONCE = 2


@torch.no_grad()
def segment(
    network: nn.Module | Callable[[Tensor], Tensor],
    patch_size: Sequence[int],
    image: Tensor,
    mirror: bool = False,
) -> Tensor:
    """Give the class probabilities of a prepared image, without gradients.

    Windows overlap by half and are blended with Gaussian weights (Isensee et al., Nat Methods
    2021, doi:10.1038/s41592-020-01008-z). What is averaged is the softmax.

    Args:
        network: from (batch, channel, *patch_size) to logits (batch, class, *patch_size); a
            module is to be in evaluation mode.
        patch_size: of the windows, in voxels.
        image: (1, channel, x, y, z), or one spatial axis fewer, on the network's device.
        mirror: average over the image mirrored along each combination of its axes.

    Returns:
        Probabilities (1, class, x, y, z) on the image's device.
    """
    axes = range(2, image.ndim) if mirror else range(0)
    flips = list(chain.from_iterable(combinations(axes, count) for count in range(len(axes) + 1)))
    total = torch.zeros((), device=image.device)
    for flip in flips:
        total = total + _by_windows(network, patch_size, image.flip(flip)).flip(flip)
    return total / len(flips)


def _by_windows(
    network: nn.Module | Callable[[Tensor], Tensor], patch_size: Sequence[int], image: Tensor
) -> Tensor:
    def probabilities(windows: Tensor) -> Tensor:
        return torch.softmax(network(windows).float(), dim=1)

    result = sliding_window_inference(
        image, tuple(patch_size), _WINDOWS_AT_ONCE, probabilities, _OVERLAP, mode="gaussian"
    )
    assert isinstance(result, Tensor)
    return result
