"""The segmentation loss: soft Dice with cross-entropy, through MONAI.

A Dice of arg-maxed predictions has no gradient and is a metric, not a loss.
"""

from __future__ import annotations

import torch
from monai.losses import DiceCELoss

from .augmentation.spatial import one_hot

_DICE_AND_CROSS_ENTROPY = DiceCELoss(
    softmax=True, include_background=False, batch=True, smooth_nr=1e-3, smooth_dr=1e-3
)


def segmentation_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean loss of a batch.

    Args:
        logits: (batch, class, *shape), or (batch, level, class, *shape) under deep supervision,
            whose levels weigh 1, 1/2, 1/4, ... (Isensee et al., Nat Methods 2021).
        labels: integer labels (batch, 1, *shape).
    """
    logits = logits.float()
    if logits.ndim == labels.ndim:
        masks = one_hot(labels, logits.shape[1])
        loss: torch.Tensor = _DICE_AND_CROSS_ENTROPY(logits, masks)
        return loss
    levels = logits.unbind(dim=1)
    weights = [0.5**level for level in range(len(levels))]
    terms = [w * segmentation_loss(x, labels) for w, x in zip(weights, levels)]
    return torch.stack(terms).sum() / sum(weights)
