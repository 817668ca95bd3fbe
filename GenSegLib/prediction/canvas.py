"""Collects what is made of class probabilities on an image's own grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..images.geometry import Array, likeliest
from .coarse import Box
from .restoring import Restorer, Slab
from .uncertainty import ExpectedDice, normalized_entropy


class Canvas:
    """The label, and what else was asked for; background all over at first.

    Args:
        shape: of the image, (x, y, z).
        values: the label value of each class, background first.
        probabilities: keep those of all classes.
        uncertainty: keep the entropy, and expect a Dice.

    Attributes:
        label: (x, y, z) int16.
        probabilities: (class, x, y, z) float32, or None.
        uncertainty: (1, x, y, z) float32, or None.
        expected_dice: of what was filled, or None.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        values: Sequence[int],
        probabilities: bool = False,
        uncertainty: bool = False,
    ) -> None:
        self._values = values
        self.label = np.zeros(shape, np.int16, order="F")
        self.probabilities = self._floats(len(values), shape) if probabilities else None
        if self.probabilities is not None:
            self.probabilities[0] = 1
        self.uncertainty = self._floats(1, shape) if uncertainty else None
        self.expected_dice = ExpectedDice(values) if uncertainty else None

    @staticmethod
    def _floats(count: int, shape: tuple[int, ...]) -> Array:
        """Make volumes that lie in memory as files have them, x fastest."""
        return np.moveaxis(np.zeros((*shape, count), np.float32, order="F"), -1, 0)

    def fill(self, box: Box, restorer: Restorer, slabs: Iterable[Slab]) -> None:
        """Fill a box of the label, and of the probabilities where they are kept.

        Args:
            box: of the image's voxels, which was prepared.
            restorer: its way back.
            slabs: probabilities on the prepared grid, see `Restorer.restore`.
        """
        inside = (slice(None), *box)
        label = restorer.view(self.label[np.newaxis][inside])[0]
        dense = self.probabilities
        dense = None if dense is None else restorer.view(dense[inside])
        for place, shares in restorer.restore(slabs):
            found = likeliest(zip(self._values, shares), np.dtype(np.int16))
            label[place[1:]] = found
            if dense is not None:
                dense[place] = shares

    def doubt(self, box: Box, restorer: Restorer, slabs: Iterable[Slab]) -> None:
        """Fill a box of the uncertainty, and expect a Dice; see `fill`."""
        assert self.uncertainty is not None
        assert self.expected_dice is not None
        entropy = restorer.view(self.uncertainty[(slice(None), *box)])
        for place, shares in restorer.restore(slabs):
            entropy[place] = normalized_entropy(shares)
            found = likeliest(zip(self._values, shares), np.dtype(np.int16))
            self.expected_dice.add(shares, found)


def canvas_bytes(shape: Sequence[int], classes: int, probabilities: bool, uncertainty: bool) -> int:
    """Give the bytes that a canvas takes, and two copies of its largest part to write it."""
    floats = (classes if probabilities else 0) + (1 if uncertainty else 0)
    return int(np.prod(shape)) * (2 + 4 * floats + (8 if floats else 4))
