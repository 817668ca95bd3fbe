"""The segmentation loss: soft Dice with cross-entropy.

A Dice of arg-maxed predictions has no gradient and is a metric, not a loss. It is MONAI's
``DiceCELoss(softmax=True, include_background=False, batch=True)``, to the bit
(``Testing/Library/test_losses.py``), but that its sums go over the whole batch where several
processes share one.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    levels = [logits] if logits.ndim == labels.ndim else logits.unbind(dim=1)
    levels = [level.float() for level in levels]
    masks = one_hot(labels, levels[0].shape[1])
    dices = dice_losses([torch.softmax(level, 1) for level in levels], masks)
    weights = [0.5**place for place in range(len(levels))]
    terms = [
        weight * (dice + F.cross_entropy(level, masks))
        for weight, dice, level in zip(weights, dices, levels)
    ]
    return torch.stack(terms).sum() / sum(weights)


def dice_losses(levels: Sequence[torch.Tensor], masks: torch.Tensor) -> torch.Tensor:
    """Return each level's 1 - Dice, of the whole batch, averaged over the classes (level,).

    The background is left out.

    Args:
        levels: probabilities (batch, class, *shape).
        masks: (batch, class, *shape).
    """
    found, wanted = [level[:, 1:] for level in levels], masks[:, 1:]
    axes = [0, *range(2, wanted.ndim)]
    overlaps = [(each * wanted).sum(axes) for each in found]
    sizes = [each.sum(axes) for each in found]
    sums = summed(torch.stack([*overlaps, *sizes, wanted.sum(axes)]))
    (overlap, size_found), size_wanted = sums[:-1].chunk(2), sums[-1]
    false = 0.5 * (size_found - overlap), 0.5 * (size_wanted - overlap)
    below = 2 * (overlap + false[0] + false[1]) + _SMOOTH
    return (1 - (2 * overlap + _SMOOTH) / below).mean(1)
