"""Checks training pairs between the turns of the event loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from GenSegLib.steps import Steps
from GenSegSlicerLib.Job import IdleTask
from GenSegSlicerLib.PairChecks import checkSteps
from GenSegSlicerLib.PairSetChecks import checkTogetherSteps
from GenSegSlicerLib.TrainingPair import TrainingPair, modifiedTimes, nodeIDs
from GenSegSlicerLib.VolumeContents import VolumeContents


class PairChecker:
    """Checks pairs that changed since the last check, see `IdleTask`.

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
        self._task: IdleTask | None = None

    @property
    def isChecking(self) -> bool:
        """Whether a check has not ended yet."""
        return self._task is not None

    def check(self, pairs: Sequence[TrainingPair]) -> None:
        """Check all pairs without a status, and all of them against each other."""
        self.stop()
        self._pairs = pairs
        self._task = IdleTask(self._checks(), lambda fraction: None, self._finish)

    def stop(self) -> None:
        """Stop checking."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

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

    def _finish(self, error: str) -> None:
        self._task = None
        self._onFinished()

    def _checks(self) -> Steps[None]:
        for row, pair in enumerate(self._pairs):
            if pair.status == "":
                self._times[nodeIDs(pair)] = modifiedTimes(pair)
                pair.status = yield from checkSteps(pair, self._classMap(), self._pairs)
                self._onChecked(row)
        before = [(pair.status, pair.warning) for pair in self._pairs]
        self.general = yield from checkTogetherSteps(self._pairs, self._classMap(), self._contents)
        for row, (pair, known) in enumerate(zip(self._pairs, before)):
            if (pair.status, pair.warning) != known:
                self._onChecked(row)
