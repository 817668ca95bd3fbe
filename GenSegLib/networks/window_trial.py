"""Whether a segmenter can do with windows of a size, found without computing anything."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import nn

from ..errors import GenSegError


def require_windows(segmenter: nn.Module, channels: int, classes: int, size: Sequence[int]) -> None:
    """Make sure that a segmenter maps images of a size to logits of that size.

    A copy of it runs on tensors that have a shape and no values (PyTorch's device "meta").

    Args:
        segmenter: of the registry.
        channels: of the images.
        classes: that it is to tell apart, background included.
        size: in voxels.

    Raises:
        GenSegError: it cannot take such images, or gives something else.
    """
    shown = f"{' x '.join(map(str, size))} voxels (channels: {channels})"
    trial = deepcopy(segmenter).to("meta").eval()
    try:
        with torch.no_grad():
            logits = trial(torch.empty(1, channels, *size, device="meta"))
    except Exception as fault:  # each network stumbles in its own way
        if isinstance(fault, NotImplementedError) or " meta " in str(fault):
            return  # an operation that this PyTorch cannot try: nothing speaks against the network
        reason = str(fault).partition("\n")[0] or type(fault).__name__
        raise GenSegError(f"the network cannot take patches of {shown}: {reason}") from fault
    if logits.shape != (1, classes, *size):
        raise GenSegError(
            f"the network gives {' x '.join(map(str, logits.shape[1:]))} values for patches of "
            f"{shown}, not {classes} classes of each voxel"
        )
