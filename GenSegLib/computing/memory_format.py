"""Memory format of images and weights: channels last or channels first.

On CPUs convolutions are faster with channels last and group normalization in bfloat16 with channels
first; which format wins depends on the network and the machine, so it is timed.
"""

from __future__ import annotations

import torch

CHANNELS_LAST, CHANNELS_FIRST = "channels-last", "channels-first"

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def to_memory_format(tensor: torch.Tensor, memory_format: str = CHANNELS_LAST) -> torch.Tensor:
    """Return images (batch, channel, *shape) or convolution weights in a memory format.

    Tensors without two or three spatial axes are returned unchanged.
    """
    if tensor.ndim not in _FORMATS:
        return tensor
    is_last = memory_format == CHANNELS_LAST
    return tensor.contiguous(
        memory_format=_FORMATS[tensor.ndim] if is_last else torch.contiguous_format
    )
