"""One small matrix along each axis: how smooth fields and finer images are computed here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch


def along_axes(field: torch.Tensor, matrices: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return a field (batch, channel, *old) times a matrix (new, old) along each axis."""
    for axis, matrix in reversed(list(enumerate(matrices, 2))):
        before, after = field.shape[:axis], field.shape[axis + 1 :]
        if after:
            lines = field.reshape(math.prod(before), -1, math.prod(after))
            field = matrix @ lines
        else:
            field = field.reshape(math.prod(before), -1) @ matrix.T
        field = field.reshape(*before, len(matrix), *after)
    return field
