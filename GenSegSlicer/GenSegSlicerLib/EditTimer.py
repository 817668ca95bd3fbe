"""Time that a user spends on a segmentation."""

from __future__ import annotations

import time
from typing import Any

import slicer
import vtk

_LONGEST_PAUSE_S = 120.0  # a longer time without an edit is a pause


class EditTimer:
    """Measures the time from opening to accepting a segmentation, without long pauses.

    Args:
        node: the segmentation; each change of a segment counts as activity.
        seconds: that were spent on it before.
    """

    def __init__(self, node: slicer.vtkMRMLSegmentationNode, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._last = time.monotonic()
        self._segmentation = node.GetSegmentation()
        self._tags = [
            self._segmentation.AddObserver(event, self._onEdited)
            for event in (
                slicer.vtkSegmentation.SourceRepresentationModified,
                slicer.vtkSegmentation.SegmentModified,
                vtk.vtkCommand.ModifiedEvent,
            )
        ]

    @property
    def seconds(self) -> float:
        """Seconds until now."""
        self._count()
        return self._seconds

    def stop(self) -> None:
        """Stop observing the segmentation."""
        for tag in self._tags:
            self._segmentation.RemoveObserver(tag)
        self._tags = []

    def _onEdited(self, caller: Any, event: str) -> None:
        self._count()

    def _count(self) -> None:
        now = time.monotonic()
        self._seconds += min(now - self._last, _LONGEST_PAUSE_S)
        self._last = now
