"""The adversarial loss: a discriminator scores generated and real pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

import torch

from ..augmentation.spatial import one_hot
from ..computing.devices import Precision
from ..networks.discriminator import ADVERSARIAL_LOSSES, Discriminator

DiscriminatorInput = tuple[torch.Tensor, Union[torch.Tensor, None]]
"""Images (b, c, *s) and their labels (b, 1, *s), or None for images alone."""


class AdversarialLoss:
    """Both sides of the adversarial loss.

    Images alone, such as those of unlabeled cases, are scored with empty masks. So are generated
    images in addition then, since otherwise the masks would give them away.

    Args:
        discriminator: a network of images and masks, in evaluation mode.
        loss: a key of `ADVERSARIAL_LOSSES`.
        classes: channels of its masks.
        autocast: its precision.
    """

    def __init__(
        self, discriminator: Discriminator, loss: str, classes: int, autocast: Precision
    ) -> None:
        self._discriminator, self._loss = discriminator, ADVERSARIAL_LOSSES[loss]
        self._classes, self._autocast = classes, autocast
        discriminator.eval()

    def generator_loss(self, generated: Sequence[DiscriminatorInput]) -> torch.Tensor:
        """Return the loss of a generator of these images."""
        return self._loss.generator(self._scores(generated))

    def discriminator_loss(
        self, real: Sequence[DiscriminatorInput], generated: Sequence[DiscriminatorInput]
    ) -> torch.Tensor:
        """Return the discriminator's loss.

        Only here is it in training mode, which updates the estimates of its spectral norms; the
        other losses must be deterministic.
        """
        self._discriminator.train()
        scores = self._scores([*real, *generated])
        self._discriminator.eval()
        count = sum(len(images) for images, _ in real)
        return self._loss.discriminator(scores[:count], scores[count:])

    def _scores(self, inputs: Sequence[DiscriminatorInput]) -> torch.Tensor:
        masks = torch.cat([self._masks(*each) for each in inputs])
        with self._autocast():
            scores: torch.Tensor = self._discriminator(masks, torch.cat([x for x, _ in inputs]))
        return scores.float()

    def _masks(self, images: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        if labels is not None:
            return one_hot(labels, self._classes)
        return images.new_zeros(len(images), self._classes, *images.shape[2:])
