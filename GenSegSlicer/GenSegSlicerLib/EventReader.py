"""Reads the events of GenSegLib from bytes that come in pieces of any size."""

from __future__ import annotations

from collections import deque
from numbers import Real
from typing import Any

from GenSegLib.events import parse_line

_LINES_KEPT = 200
_LONGEST_LINE = 1 << 20
_LONGEST_KEPT = 2000
_ENTRIES: dict[str, dict[str, type]] = {
    "progress": {"phase": str, "step": Real, "total": Real},
    "metrics": {"phase": str, "step": Real},
    "preview": {"step": Real, "folder": str},
    "log": {"text": str},
    "state": {"state": str},
    "error": {"text": str},
}


class EventReader:
    """Turns a stream of bytes into events; what is no event is kept as text.

    A piece may end anywhere, also within a letter. Lines that are no sound event (cut short, in
    another encoding, or printed by someone else) end up in `rest`.
    """

    def __init__(self) -> None:
        self._begun = b""
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)

    @property
    def rest(self) -> str:
        """The last lines that are no events."""
        return "\n".join(self._lines)

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take in the next bytes; gives the events that they complete."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > _LONGEST_LINE:
            lines.append(self._begun)
            self._begun = b""
        return [event for event in map(self._read, lines) if event is not None]

    def finish(self) -> list[dict[str, Any]]:
        """Take what is there for the last line, now that nothing more comes."""
        return self.feed(b"\n") if self._begun else []

    def _read(self, line: bytes) -> dict[str, Any] | None:
        event = _eventOf(line)
        if event is None and line.strip():
            text = line[:_LONGEST_KEPT].decode("utf-8", errors="replace")
            self._lines.append(text.rstrip("\r"))
        return event


def _eventOf(line: bytes) -> dict[str, Any] | None:
    try:
        event = parse_line(line)
    except RecursionError:  # json, of many opening brackets
        return None
    if event is None:
        return None
    wanted = _ENTRIES[event["kind"]]
    return event if all(isinstance(event.get(k), kind) for k, kind in wanted.items()) else None
