"""Checks training pairs in the background."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import qt

from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.PairSetChecks import checkTogether
from GenSegSlicerLib.TrainingPair import TrainingPair, modifiedTimes, nodeIDs
from GenSegSlicerLib.VolumeContents import VolumeContents


class PairChecker:
    """Checks one pair per timer event, and only those that changed since the last check.

    Args:
        classMap: returns the class of each segment name.
        onChecked: called with the row of each pair whose status or warning changed.
        onFinished: called when all pairs are checked.

    Attributes:
        general: warnings about the classes and persons of all pairs.
    """

    def __init__(
        self,
        classMap: Callable[[], Mapping[str, str]],
        onChecked: Callable[[int], None],
        onFinished: Callable[[], None],
    ) -> None:
        self._classMap, self._onChecked, self._onFinished = classMap, onChecked, onFinished
        self.general: list[str] = []
        self._pairs: Sequence[TrainingPair] = ()
        self._contents = VolumeContents()
        # State at the last check: modification times of nodes, and classes of segments.
        self._times: dict[tuple[str, str], tuple[object, ...]] = {}
        self._classes: dict[str, str] = {}
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._checkNext)

    def check(self, pairs: Sequence[TrainingPair]) -> None:
        """Check all pairs without a status."""
        self._pairs = pairs
        self._timer.start()

    def stop(self) -> None:
        """Stop checking."""
        self._timer.stop()

    def resetEdited(self, pairs: Sequence[TrainingPair]) -> None:
        """Clear the status of pairs whose voxels or segments were modified."""
        for pair in pairs:
            if self._times.get(nodeIDs(pair)) != modifiedTimes(pair):
                pair.status = ""

    def resetIfRemapped(self, pairs: Sequence[TrainingPair]) -> bool:
        """Clear the status of all pairs if a segment has another class; returns whether it has."""
        classes = self._classMap()
        changed = any(self._classes.get(name, found) != found for name, found in classes.items())
        self._classes.update(classes)
        for pair in pairs if changed else ():
            pair.status = ""
        return changed

    def _checkNext(self) -> None:
        unchecked = [row for row, pair in enumerate(self._pairs) if pair.status == ""]
        if not unchecked:
            self.stop()
            self._checkTogether()
            self._onFinished()
            return
        pair = self._pairs[unchecked[0]]
        self._times[nodeIDs(pair)] = modifiedTimes(pair)
        pair.status = checkPair(pair, self._classMap(), self._pairs)
        self._onChecked(unchecked[0])

    def _checkTogether(self) -> None:
        before = [(pair.status, pair.warning) for pair in self._pairs]
        self.general = checkTogether(self._pairs, self._classMap(), self._contents)
        for row, (pair, known) in enumerate(zip(self._pairs, before)):
            if (pair.status, pair.warning) != known:
                self._onChecked(row)
