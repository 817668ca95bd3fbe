"""The data of one step of each phase."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..augmentation.pairs import PairBatch

Pair = tuple[torch.Tensor, torch.Tensor]  # images (b, c, *s), labels (b, 1, *s)


@dataclass(frozen=True)
class GeneratorBatch:
    """Data of one step of the generator.

    Attributes:
        reconstructed: real pairs with the source images from which they are reconstructed.
        blended: new masks with their source images, to be completed by the generator.
        resampled: real pairs, deformed like the blended ones, for the discriminator; None if it
            scores reconstructions.
        unlabeled: images (b, c, *s) of unlabeled cases, deformed alike, if there are any.
        seed: of noise and appearance, the same in every evaluation on this batch.
    """

    reconstructed: PairBatch
    blended: PairBatch
    resampled: PairBatch | None
    unlabeled: torch.Tensor | None
    seed: int


@dataclass(frozen=True)
class TrilevelBatch(GeneratorBatch):
    """Data of one step of all three levels.

    Attributes:
        real: augmented real pairs.
        validation: pairs of validation cases.
    """

    real: Pair
    validation: Pair


@dataclass(frozen=True)
class FinalBatch:
    """Data of one step of the final phase: real pairs, new masks, and the seed of their images."""

    real: Pair
    blended: PairBatch
    seed: int
