"""Judges training pairs without keeping Slicer waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import qt

from GenSegLib.data.volume_ranges import find_odd_cases
from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.PairStorage import contentOf, nodeIDs
from GenSegSlicerLib.SegmentClasses import labelsOf
from GenSegSlicerLib.TrainingPair import TrainingPair


class PairChecker:
    """Checks one pair at each tick, and again only what has changed since.

    Args:
        classMap: gives the class of each segment name.
        onChecked: called with the place of each pair that was judged.
        onEnd: called when all of them are.
    """

    def __init__(
        self,
        classMap: Callable[[], Mapping[str, str]],
        onChecked: Callable[[int], None],
        onEnd: Callable[[], None],
    ) -> None:
        self._classMap, self._onChecked, self._onEnd = classMap, onChecked, onEnd
        self._pairs: Sequence[TrainingPair] = ()
        # As they were when they were judged: the content of pairs, the classes of segments.
        self._contents: dict[tuple[str, str], tuple[object, ...]] = {}
        self._classes: dict[str, str] = {}
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._checkNext)

    def check(self, pairs: Sequence[TrainingPair]) -> None:
        """Judge the pairs that have no status."""
        self._pairs = pairs
        self._timer.start()

    def stop(self) -> None:
        """Judge no further pair."""
        self._timer.stop()

    def forgetEdited(self, pairs: Sequence[TrainingPair]) -> None:
        """Take the status from the pairs whose voxels or segments were edited."""
        for pair in pairs:
            if self._contents.get(nodeIDs(pair)) != contentOf(pair):
                pair.status = ""

    def forgetIfMapped(self, pairs: Sequence[TrainingPair]) -> bool:
        """Take the status from all pairs where a segment has another class now; tells whether."""
        classes = self._classMap()
        changed = any(self._classes.get(name, found) != found for name, found in classes.items())
        self._classes.update(classes)
        for pair in pairs if changed else ():
            pair.status = ""
        return changed

    def _checkNext(self) -> None:
        waiting = [row for row, pair in enumerate(self._pairs) if pair.status == ""]
        if not waiting:
            self.stop()
            self._compare()
            self._onEnd()
            return
        pair = self._pairs[waiting[0]]
        self._contents[nodeIDs(pair)] = contentOf(pair)
        pair.status = checkPair(pair, self._classMap(), self._pairs)
        self._onChecked(waiting[0])

    def _compare(self) -> None:
        """Note which segmentations are of another size than all others."""
        sound = {
            str(row): pair.volumes
            for row, pair in enumerate(self._pairs)
            if pair.role != "ignore" and pair.status == "ok"
        }
        odd = find_odd_cases(sound, labelsOf(self._classMap()))
        for row, pair in enumerate(self._pairs):
            name = pair.volumeNode.GetName()
            remark = "\n".join(f"{name}: {line}" for line in odd.get(str(row), ()))
            if pair.remark != remark:
                pair.remark = remark
                self._onChecked(row)
