"""Incremental parsing of the JSON-lines events of GenSegLib."""

from __future__ import annotations

from collections import deque
from numbers import Real
from pathlib import Path
from typing import Any

from GenSegLib.events import parse_line

_MAX_LINES = 200
_MAX_LINE_BYTES = 1 << 20
_MAX_TEXT_BYTES = 2000
_CHUNK_BYTES = 16 * 1024
_REQUIRED: dict[str, dict[str, type]] = {
    "progress": {"phase": str, "step": Real, "total": Real},
    "metrics": {"phase": str, "step": Real},
    "preview": {"step": Real, "folder": str},
    "log": {"text": str},
    "state": {"state": str},
    "error": {"text": str},
    "ready": {"protocol": int, "channels": int, "spatial_dims": int},
    "result": {"frame": int, "offset": int, "shape": list, "dtype": str, "seconds": Real},
    "refused": {"frame": int, "text": str},
}


class EventReader:
    """Converts a byte stream, in chunks of any size, into events.

    A chunk may end anywhere, even within a character. Lines that are not valid events (truncated,
    in another encoding, or printed by another library) are collected in `otherText`.
    """

    def __init__(self) -> None:
        self._partialLine = b""
        self._otherLines: deque[str] = deque(maxlen=_MAX_LINES)

    @property
    def otherText(self) -> str:
        """Last lines that are not events."""
        return "\n".join(self._otherLines)

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Append data; returns the events that it completes."""
        *lines, self._partialLine = (self._partialLine + data).split(b"\n")
        if len(self._partialLine) > _MAX_LINE_BYTES:
            lines.append(self._partialLine)
            self._partialLine = b""
        return [event for event in map(self._parse, lines) if event is not None]

    def finish(self) -> list[dict[str, Any]]:
        """Parse the unfinished last line at the end of the stream."""
        return self.feed(b"\n") if self._partialLine else []

    def _parse(self, line: bytes) -> dict[str, Any] | None:
        event = _parseEvent(line)
        if event is None and line.strip():
            text = line[:_MAX_TEXT_BYTES].decode("utf-8", errors="replace")
            self._otherLines.append(text.rstrip("\r"))
        return event


class EventFile:
    """Reads an event file that a training is appending to; a missing file counts as empty.

    Args:
        path: RUN/events.jsonl.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._reader = EventReader()

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the next events, and whether more are left.

        One call reads one chunk, so that a long history does not block the GUI.
        """
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read(_CHUNK_BYTES)
        except OSError:  # not written yet, or a network drive that is temporarily unavailable
            return [], False
        self._offset += len(data)
        return self._reader.feed(data), len(data) == _CHUNK_BYTES


def _parseEvent(line: bytes) -> dict[str, Any] | None:
    try:
        event = parse_line(line)
    except RecursionError:  # raised by json for deeply nested brackets
        return None
    if event is None:
        return None
    required = _REQUIRED[event["kind"]]
    return event if all(isinstance(event.get(k), kind) for k, kind in required.items()) else None
