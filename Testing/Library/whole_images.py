"""Predictions of whole images, which the library computes in slabs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from GenSegLib.prediction.ensemble import EnsemblePredictor
from GenSegLib.prediction.sliding_window import SlidingWindows, iterate_slabs
from GenSegLib.prediction.tta import flips


def predict_probabilities(
    network: nn.Module | Callable[[Tensor], Tensor],
    windows: SlidingWindows,
    image: Tensor,
    mirror_axes: Sequence[int] = (),
) -> Tensor:
    """Return the class probabilities of a preprocessed image, without gradients.

    Args:
        network: from (batch, channel, *patch_size) to logits (batch, class, *patch_size); a
            module must be in evaluation mode.
        windows: the windows over the image.
        image: (1, channel, *spatial), 2-D or 3-D, on the network's device.
        mirror_axes: spatial axes to flip along; results are averaged.

    Returns:
        Probabilities (1, class, *spatial) on the image's device.
    """
    predictor = EnsemblePredictor([network], image.device, flips(mirror_axes))
    slabs = [slab for _, _, slab in iterate_slabs(predictor, image, windows)]
    return torch.cat(slabs, dim=1 + windows.along)[None]
