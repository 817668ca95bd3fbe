"""Accumulates the outputs of a prediction on the image's own grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..images.geometry import Array, argmax_label
from .coarse_to_fine import Box
from .inversion import Slab, SlabInverter
from .uncertainty import ExpectedDice, normalized_entropy


class OutputAccumulator:
    """Label and optional outputs on the image's grid, initialized to background.

    Args:
        shape: (x, y, z) of the image.
        values: label value of each class, background first.
        probabilities: whether to store the probabilities of all classes.
        uncertainty: whether to store the entropy and to estimate the Dice.

    Attributes:
        label: (x, y, z) int16.
        probabilities: (class, x, y, z) float32, or None.
        uncertainty: (1, x, y, z) float32, or None.
        expected_dice: of the voxels added so far, or None.
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
        self.probabilities = self._zeros(len(values), shape) if probabilities else None
        if self.probabilities is not None:
            self.probabilities[0] = 1
        self.uncertainty = self._zeros(1, shape) if uncertainty else None
        self.expected_dice = ExpectedDice(values) if uncertainty else None

    @staticmethod
    def _zeros(count: int, shape: tuple[int, ...]) -> Array:
        """Allocate (count, *shape) in the memory order of image files, x fastest."""
        return np.moveaxis(np.zeros((*shape, count), np.float32, order="F"), -1, 0)

    def add(self, box: Box, inverter: SlabInverter, slabs: Iterable[Slab]) -> None:
        """Fill a box of the label, and of the probabilities if they are stored.

        Args:
            box: the image's voxels that were preprocessed.
            inverter: maps slabs back to the image's grid.
            slabs: probabilities on the preprocessed grid, see `SlabInverter.invert`.
        """
        label = inverter.view(self.label[np.newaxis][(slice(None), *box)])[0]
        if self.probabilities is None:
            for index, values in inverter.invert_labels(slabs, self._values):
                label[index] = values
            return
        stored = inverter.view(self.probabilities[(slice(None), *box)])
        for index, probabilities in inverter.invert(slabs):
            label[index[1:]] = self._argmax(probabilities)
            stored[index] = probabilities

    def add_uncertainty(self, box: Box, inverter: SlabInverter, slabs: Iterable[Slab]) -> None:
        """Fill a box of the uncertainty and update the expected Dice; see `add`."""
        assert self.uncertainty is not None
        assert self.expected_dice is not None
        entropy = inverter.view(self.uncertainty[(slice(None), *box)])
        for index, probabilities in inverter.invert(slabs):
            entropy[index] = normalized_entropy(probabilities)
            self.expected_dice.add(probabilities, self._argmax(probabilities))

    def _argmax(self, probabilities: Array) -> Array:
        return argmax_label(zip(self._values, probabilities), np.dtype(np.int16))


def output_bytes(shape: Sequence[int], classes: int, probabilities: bool, uncertainty: bool) -> int:
    """Return the memory of an accumulator plus two copies of its largest output, in bytes."""
    floats = (classes if probabilities else 0) + (1 if uncertainty else 0)
    return int(np.prod(shape)) * (2 + 4 * floats + (8 if floats else 4))
