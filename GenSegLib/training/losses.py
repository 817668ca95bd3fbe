"""Segmentation and reconstruction losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from ..augmentation.spatial import one_hot

_SMOOTH = 1e-3
_MAX_WEIGHT_RATIO = 20.0
_BLOCK = 4  # voxels per side


def class_weights(voxels: Sequence[int], exponent: float) -> torch.Tensor | None:
    """Return the weight of each class in the cross-entropy; None if all weigh the same.

    Without them a short training does not find small structures: with 13 abdominal organs, 1,500
    steps gave a Dice of 0.42, with an exponent of 0.5 (and twice the learning rate) 0.60.

    Args:
        voxels: number of voxels of each class, background first.
        exponent: weights are the fraction of voxels to the power of minus this, at most
            `_MAX_WEIGHT_RATIO` times the smallest one; their mean over the voxels is 1.
    """
    if exponent == 0:
        return None
    fractions = torch.tensor(voxels, dtype=torch.float32).clamp_min(1)
    fractions = fractions / fractions.sum()
    weights = fractions**-exponent
    weights = weights.clamp_max(_MAX_WEIGHT_RATIO * float(weights.min()))
    return weights / (weights * fractions).sum()


def segmentation_loss(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the sum of batch Dice loss and cross-entropy.

    Without weights it equals MONAI's
    ``DiceCELoss(softmax=True, include_background=False, batch=True)`` bit by bit.

    Args:
        logits: (batch, class, *shape), or (batch, level, class, *shape) with deep supervision,
            whose levels are weighted by 1, 1/2, 1/4, ... (Isensee et al., Nat Methods 2021).
        labels: integer labels (batch, 1, *shape).
        weights: of the classes in the cross-entropy, whose weighted mean is taken.
    """
    levels = [logits] if logits.ndim == labels.ndim else logits.unbind(dim=1)
    levels = [level.float() for level in levels]
    masks = one_hot(labels, levels[0].shape[1])
    dices = dice_losses([torch.softmax(level, 1) for level in levels], masks)
    target = masks if weights is None else labels[:, 0].to(torch.int64)
    level_weights = [0.5**depth for depth in range(len(levels))]
    terms = [
        level_weight * (dice + F.cross_entropy(level, target, weights))
        for level_weight, dice, level in zip(level_weights, dices, levels)
    ]
    return torch.stack(terms).sum() / sum(level_weights)


def dice_losses(levels: Sequence[torch.Tensor], masks: torch.Tensor) -> torch.Tensor:
    """Return the batch Dice loss of each level (level,), averaged over the foreground classes.

    Args:
        levels: probabilities (batch, class, *shape).
        masks: one-hot masks (batch, class, *shape).
    """
    predicted, target = [level[:, 1:] for level in levels], masks[:, 1:]
    axes = [0, *range(2, target.ndim)]
    overlaps = [(each * target).sum(axes) for each in predicted]
    sizes = [each.sum(axes) for each in predicted]
    sums = torch.stack([*overlaps, *sizes, target.sum(axes)])
    (overlap, predicted_size), target_size = sums[:-1].chunk(2), sums[-1]
    errors = 0.5 * (predicted_size - overlap), 0.5 * (target_size - overlap)
    denominator = 2 * (overlap + errors[0] + errors[1]) + _SMOOTH
    return (1 - (2 * overlap + _SMOOTH) / denominator).mean(1)


def block_means(images: torch.Tensor) -> torch.Tensor:
    """Return the means of blocks of 4 voxels per side; incomplete blocks are dropped.

    Uses reductions, since the gradient of PyTorch's 3-D pooling is not deterministic on GPUs.
    """
    for axis in range(2, images.ndim):
        whole = images.narrow(axis, 0, images.shape[axis] // _BLOCK * _BLOCK)
        images = whole.unflatten(axis, (-1, _BLOCK)).mean(axis + 1)
    return images


def pooled_l1_loss(reconstructions: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Return the L1 loss of block means, which leaves fine detail to the adversarial loss.

    The voxelwise loss of the publication favors blurred images, since fine detail is never
    registered exactly.
    """
    return F.l1_loss(block_means(reconstructions), block_means(images))


# by the values of TrainConfig.reconstruction_loss
RECONSTRUCTION_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "pooled-l1": pooled_l1_loss,
    "l1": F.l1_loss,
}
