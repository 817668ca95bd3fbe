"""How images and weights lie in memory: measured, where a CPU computes.

Convolutions are faster on channels last, group normalization in bfloat16 on channels first, and
which of both tells is a matter of the network and the machine.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from .trials import is_clearly_faster

CHANNELS_LAST, CHANNELS_FIRST = "channels-last", "channels-first"


def laid_out(tensor: torch.Tensor, memory_format: str = CHANNELS_LAST) -> torch.Tensor:
    """Return images (batch, channel, *shape), or a convolution's weights, in a memory format.

    Tensors without two or three axes of space have but one.
    """
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    if tensor.ndim not in formats:
        return tensor
    is_last = memory_format == CHANNELS_LAST
    return tensor.contiguous(
        memory_format=formats[tensor.ndim] if is_last else torch.contiguous_format
    )


def fitting_format(seconds_in: Callable[[str], float]) -> tuple[str, float]:
    """Return the format to take, and how many times as fast as channels last it is.

    Args:
        seconds_in: gives the seconds of a step in a memory format.
    """
    last, first = (seconds_in(each) for each in (CHANNELS_LAST, CHANNELS_FIRST))
    if is_clearly_faster(first, last):
        return CHANNELS_FIRST, last / first
    return CHANNELS_LAST, 1.0
