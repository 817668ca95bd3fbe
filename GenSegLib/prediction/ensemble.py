"""Several models that answer together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from ..errors import GenSegError
from ..models.folder import ModelMetadata
from ..models.weights import load_segmenter

_SHARED = (
    *("spatial_dims", "channels", "orientation", "spacing", "coarse_spacing", "intensity"),
    *("crop_foreground", "multiple", "patch_size"),
)


def load_ensemble(
    folders: Sequence[Path], device: torch.device
) -> tuple[list[nn.Module], ModelMetadata]:
    """Read models that prepare images in the same way and know the same labels.

    Returns:
        The segmenters on the device, and what the first of them needs, which is true of all.

    Raises:
        GenSegError: a folder holds no model, or one of another kind.
    """
    networks, metadata = zip(*(load_segmenter(folder, device) for folder in folders))
    first = metadata[0]
    for folder, other in zip(folders[1:], metadata[1:]):
        if other.labels != first.labels:
            raise GenSegError(f"{folder} has other labels than {folders[0]}; leave it out")
        for name in _SHARED:
            if getattr(other.preset, name) != getattr(first.preset, name):
                raise GenSegError(
                    f"{folder} was trained with another {name} than {folders[0]}; leave it out"
                )
    return list(networks), first
