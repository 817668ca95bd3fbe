"""What segments have and lose where they are merged into one label volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from GenSegLib.images.segment_overlaps import overlap_warning
from GenSegSlicerLib.Segments import Segment


class SegmentLosses:
    """Counts the voxels of segments, and those that they lose to later ones of other classes.

    Args:
        chosen: the segments with the label values of their classes.
    """

    def __init__(self, chosen: Sequence[tuple[Segment, int]]) -> None:
        self.chosen = chosen
        self._names: dict[int, str] = {}
        for segment, value in chosen:
            known = self._names.get(value)
            self._names[value] = f"{known}, {segment.name}" if known else segment.name
        self._totals = dict.fromkeys(self._names, 0)
        self._lost: dict[int, dict[str, int]] = {value: {} for value in self._names}

    def add(self, covered: np.ndarray, drawn: np.ndarray) -> None:
        """Count voxels of segments that are drawn.

        Args:
            covered: labels so far, of voxels that get another one.
            drawn: their new labels.
        """
        factor = int(drawn.max(initial=0)) + 1
        pairs = np.bincount(covered.astype(np.intp) * factor + drawn)
        for pair in np.flatnonzero(pairs).tolist():
            (before, after), count = divmod(pair, factor), int(pairs[pair])
            if before != after:
                self._totals[after] += count
            if before not in (0, after):
                lost, name = self._lost[before], self._names[after]
                lost[name] = lost.get(name, 0) + count

    def counts(self) -> dict[int, int]:
        """Return the number of voxels of each label that no later segment has covered."""
        return {
            value: self._totals[value] - sum(self._lost[value].values()) for value in self._lost
        }

    def withoutVoxels(self) -> list[Segment]:
        """Return the segments of classes of which nothing was drawn."""
        return [segment for segment, value in self.chosen if not self._totals[value]]

    def warnings(self) -> list[str]:
        """Return a line for each class that lost voxels to others."""
        return [
            overlap_warning(self._names[value], self._totals[value], lost)
            for value, lost in self._lost.items()
            if lost
        ]
