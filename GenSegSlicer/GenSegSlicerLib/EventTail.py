"""Follows the file of a run's events while a training writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from GenSegSlicerLib.EventReader import EventReader

_AT_ONCE = 16 * 1024


class EventTail:
    """Reads a growing file piece by piece; one that is missing is taken for empty.

    Args:
        path: RUN/events.jsonl.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._reader = EventReader()

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """Give the next events, and whether the file holds still more of them.

        So little is read at once that a long history does not keep Slicer waiting.
        """
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read(_AT_ONCE)
        except OSError:  # not there yet, or a drive that is away for a moment
            return [], False
        self._offset += len(data)
        return self._reader.feed(data), len(data) == _AT_ONCE
