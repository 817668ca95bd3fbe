"""Segmentation and reconstruction losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Union

import torch
import torch.nn.functional as F

from ..augmentation.spatial import one_hot
from ..data.label_sets import LabelSets

Logits = Union[torch.Tensor, tuple[torch.Tensor, ...]]
"""Logits (batch, class, *shape), or those of all levels of deep supervision, finest first."""

_SMOOTH, _SMOOTH_IMAGE = 1e-3, 1.0  # voxels; the latter for images that may lack the class
_EPSILON = 1e-6  # voxels, by which sums are divided
_MAX_WEIGHT_RATIO = 20.0
_BLOCK = 4  # voxels per side
_MAX_DIVERSITY = 0.2  # mean distance of two images in units of the noise's
_MAX_EXCESS = 0.1  # by which the teacher's loss may rise with hard pairs
_DISAGREEMENT = 3.0  # weight of what it rises further; above 1, to outweigh the student's loss


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
    logits: Logits,
    labels: torch.Tensor,
    weights: torch.Tensor | None = None,
    sets: LabelSets | None = None,
    *,
    batch_dice: bool = True,
) -> torch.Tensor:
    """Return the sum of Dice loss and cross-entropy.

    Without weights it equals MONAI's
    ``DiceCELoss(softmax=True, include_background=False, batch=batch_dice)``. With deep supervision
    each level is compared with the fractions of the classes in its voxels, which gives the loss of
    logits upsampled to full size at a fraction of its cost; levels are weighted by 1, 1/2, 1/4, ...
    (Isensee et al., Nat Methods 2021).

    Where only a set of classes is known, the cross-entropy is that of the sum of their
    probabilities (the marginal loss of Shi et al., Med Image Anal 2021,
    doi:10.1016/j.media.2021.101979), and the Dice loss of a class in the set leaves the voxel out.
    Ignored voxels have no part in the loss.

    Args:
        logits: (batch, class, *shape), or those of all levels of deep supervision, finest first.
        labels: integer labels (batch, 1, *shape).
        weights: of the classes in the cross-entropy, whose weighted mean is taken; that of a set is
            that of its first class.
        sets: meaning of labels beyond the classes; None if there are none.
        batch_dice: whether the Dice loss is that of the batch, or the mean over its samples.
    """
    levels = logits if isinstance(logits, tuple) else (logits,)
    masks = one_hot(labels, levels[0].shape[1] if sets is None else sets.values)
    terms = [
        0.5**depth
        * _level_loss(
            level, _mean_over_blocks(masks, level.shape[2:]), weights, sets, batch_dice=batch_dice
        )
        for depth, level in enumerate(levels)
    ]
    return torch.stack(terms).sum() / sum(0.5**depth for depth in range(len(levels)))


def finest_level(logits: Logits) -> torch.Tensor:
    """Return the logits at full resolution (batch, class, *shape)."""
    return logits[0] if isinstance(logits, tuple) else logits


def _mean_over_blocks(masks: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return the fractions of the labels in the voxels of a coarser level."""
    blocks = [size // coarse for size, coarse in zip(masks.shape[2:], shape)]
    if max(blocks) == 1:
        return masks
    return (F.avg_pool2d if len(shape) == 2 else F.avg_pool3d)(masks, blocks)


def _level_loss(
    logits: torch.Tensor,
    fractions: torch.Tensor,
    weights: torch.Tensor | None,
    sets: LabelSets | None,
    *,
    batch_dice: bool,
) -> torch.Tensor:
    """Return the loss of logits for fractions of the classes, both (batch, class, *shape).

    With sets, the fractions are those of all labels. On a CPU the sums over all voxels of a class
    are faster with channels first.
    """
    log_probabilities = torch.log_softmax(logits.float().contiguous(), 1)
    if sets is None:
        entropy = _mean_entropy(log_probabilities, fractions, weights)
        return dice_loss(log_probabilities.exp(), fractions, batch=batch_dice) + entropy
    certain = (~sets.members).index_fill(0, torch.arange(sets.classes), True)
    known = torch.tensordot(fractions, certain.to(fractions), dims=([1], [0])).movedim(-1, 1)
    of_classes = fractions[:, : sets.classes]
    dice = dice_loss(known * log_probabilities.exp(), of_classes, batch=batch_dice)
    marginals = [log_probabilities[:, list(each)].logsumexp(1) for each in sets.sets[1:]]
    log_probabilities = torch.cat([log_probabilities, *(each[:, None] for each in marginals)], 1)
    fractions = torch.cat([of_classes, fractions[:, sets.classes + 1 :]], 1)
    if weights is not None:
        weights = weights[[k for v, k in enumerate(sets.first_class) if v != sets.classes]]
    return dice + _mean_entropy(log_probabilities, fractions, weights)


def _mean_entropy(
    log_probabilities: torch.Tensor, fractions: torch.Tensor, weights: torch.Tensor | None
) -> torch.Tensor:
    """Return the mean cross-entropy; 0 where no label counts."""
    axes = [0, *range(2, fractions.ndim)]
    likelihoods, sizes = (fractions * log_probabilities).sum(axes), fractions.sum(axes)
    if weights is not None:
        likelihoods, sizes = weights * likelihoods, weights * sizes
    return -likelihoods.sum() / sizes.sum().clamp_min(_EPSILON)


def dice_loss(
    probabilities: torch.Tensor, fractions: torch.Tensor, *, batch: bool = True
) -> torch.Tensor:
    """Return the Dice loss, averaged over the foreground classes.

    Args:
        probabilities: (batch, class, *shape); 0 where the class is not known.
        fractions: of the classes in each voxel (batch, class, *shape).
        batch: of all samples together, instead of the mean over the samples.
    """
    predicted, target = probabilities[:, 1:], fractions[:, 1:]
    axes = [*([0] if batch else []), *range(2, target.ndim)]
    smooth = _SMOOTH if batch else _SMOOTH_IMAGE
    overlap = (predicted * target).sum(axes)
    sizes = predicted.sum(axes) + target.sum(axes)
    return (1 - (2 * overlap + smooth) / (sizes + smooth)).mean()


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


def diversity(
    images: torch.Tensor, others: torch.Tensor, noise: torch.Tensor, other_noise: torch.Tensor
) -> torch.Tensor:
    """Return how far images of the same masks lie apart, relative to the noise they come from.

    Maximizing it is the mode-seeking term (Mao et al., CVPR 2019, doi:10.1109/CVPR.2019.00152).
    Each sample's ratio is clipped, as in diversity-sensitive GANs (Yang et al., ICLR 2019), so that
    no image has to leave the real ones behind.

    Args:
        images: (batch, channel, *shape).
        others: the same.
        noise: that the images were generated from (batch, any, *shape).
        other_noise: that of the others.
    """
    apart = (images - others).abs().flatten(1).mean(1)
    ratios = apart / (noise - other_noise).abs().flatten(1).mean(1)
    return ratios.clamp_max(_MAX_DIVERSITY).mean()


def hard_pair_loss(
    student: torch.Tensor, teacher: torch.Tensor, teacher_on_source: torch.Tensor
) -> torch.Tensor:
    """Return the loss of a generator of hard pairs.

    It is the negative loss of the segmenter (student), as long as that of its moving average
    (teacher) stays near that on the source images, which show their masks for certain.

    Args:
        student: its segmentation loss on generated pairs.
        teacher: its loss on them.
        teacher_on_source: its loss on the source images of these pairs.
    """
    excess = F.relu(teacher - teacher_on_source - _MAX_EXCESS)
    return _DISAGREEMENT * excess - student


# by the values of TrainConfig.reconstruction_loss
RECONSTRUCTION_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "pooled-l1": pooled_l1_loss,
    "l1": F.l1_loss,
}
