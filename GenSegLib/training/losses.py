"""The segmentation loss: soft Dice with cross-entropy.

A Dice of arg-maxed predictions has no gradient and is a metric, not a loss. It is MONAI's
``DiceCELoss(softmax=True, include_background=False, batch=True)``, to the bit
(``Testing/Library/test_losses.py``), but that its sums go over the whole batch where several
processes share one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..augmentation.spatial import one_hot
from ..computing.distributed import summed

_SMOOTH = 1e-3


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
        return dice_loss(torch.softmax(logits, 1), masks) + F.cross_entropy(logits, masks)
    levels = logits.unbind(dim=1)
    weights = [0.5**level for level in range(len(levels))]
    terms = [w * segmentation_loss(x, labels) for w, x in zip(weights, levels)]
    return torch.stack(terms).sum() / sum(weights)


def dice_loss(probabilities: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return 1 - Dice, of the whole batch, averaged over the classes but the background."""
    found, wanted = probabilities[:, 1:], masks[:, 1:]
    axes = [0, *range(2, found.ndim)]
    parts = [(found * wanted).sum(axes), found.sum(axes), wanted.sum(axes)]
    overlap, size_found, size_wanted = summed(torch.stack(parts))
    false = 0.5 * (size_found - overlap), 0.5 * (size_wanted - overlap)
    below = 2 * (overlap + false[0] + false[1]) + _SMOOTH
    return (1 - (2 * overlap + _SMOOTH) / below).mean()
