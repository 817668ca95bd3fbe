"""Copy-paste of boxes between training samples, in both directions.

Bidirectional copy-paste (Bai et al., CVPR 2023): a box of an unlabeled image, under a teacher's
labels, replaces that of a labeled one, and the other way round. So labeled and unlabeled images
share their surroundings.
"""

from __future__ import annotations

import torch

from .random_generator import RandomGenerator

Pair = tuple[torch.Tensor, torch.Tensor]

_BOX = 2 / 3  # of the size, along each axis
_PROBABILITY = 0.5  # of a sample; the others show the context that predictions have


def copy_paste(first: Pair, second: Pair, rng: RandomGenerator) -> Pair:
    """Return samples of two batches, boxes of a part of them exchanged.

    Args:
        first: images (batch, channel, *s) and labels (batch, 1, *s).
        second: the same, of any batch size.
        rng: random generator.

    Returns:
        The samples of the first batch, then those of the second.
    """
    images, labels = (torch.cat(parts) for parts in zip(first, second))
    count, others = len(first[0]), len(second[0])
    donors = torch.tensor(
        [count + k % others for k in range(count)] + [k % count for k in range(others)],
        device=images.device,
    )
    boxes = _random_boxes(len(images), images.shape[2:], rng)
    return torch.where(boxes, images[donors], images), torch.where(boxes, labels[donors], labels)


def _random_boxes(batch: int, shape: torch.Size, rng: RandomGenerator) -> torch.Tensor:
    """Return masks (batch, 1, *shape) of a random box each, empty for a part of them."""
    inside = rng.bernoulli(batch, _PROBABILITY, len(shape)) > 0
    for axis, size in enumerate(shape):
        edge = round(_BOX * size)
        start = (rng.uniform(batch, 1) * (size - edge + 1)).long()
        positions = torch.arange(size, device=start.device)
        covered = (positions >= start) & (positions < start + edge)
        along = [-1 if k == axis else 1 for k in range(len(shape))]
        inside = inside & covered.reshape(batch, 1, *along)
    return inside
