"""What a terminal shows of a running job: sinks for `events.EventLog`.

Light: the standard library alone.
"""

from __future__ import annotations

import shutil
import time
from typing import TextIO

from .events import Event, to_line

_BAR_WIDTH = 24


class JsonLines:
    """Writes each event as one line of JSON, at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Write the event."""
        self._stream.write(to_line(event) + "\n")
        self._stream.flush()


class TerminalProgress:
    """One line that moves on a terminal; a plain line now and then elsewhere.

    Args:
        stream: where to write, usually standard error.
        every_s: least time between two plain lines of one phase, in seconds.
    """

    def __init__(self, stream: TextIO, every_s: float = 30.0) -> None:
        self._stream = stream
        self._every_s = every_s
        self._moves = stream.isatty()
        self._dice: float | None = None
        self._phase = ""
        self._told_at = -float("inf")
        self._drawn = False

    def __call__(self, event: Event) -> None:
        """Show the event."""
        kind = event["kind"]
        if kind == "progress":
            self._show_progress(event)
        elif kind == "metrics":
            self._dice = event.get("validation_dice") or self._dice
        elif kind == "log":
            prefix = "warning: " if event["level"] == "warning" else ""
            self._write_line(prefix + event["text"])

    def close(self) -> None:
        """Leave the moving line as it stands and go on below it."""
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
            self._drawn = False

    def _show_progress(self, event: Event) -> None:
        text = describe(event, self._dice)
        ended = event["step"] >= event["total"]
        if event["phase"] != self._phase:
            self.close()
            self._phase, self._told_at = event["phase"], -float("inf")
        if self._moves:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{text[:width]}")
            self._stream.flush()
            self._drawn = True
        elif ended or time.monotonic() - self._told_at >= self._every_s:
            self._told_at = time.monotonic()
            self._write_line(text)

    def _write_line(self, text: str) -> None:
        start = "\r\x1b[K" if self._drawn else ""
        self._stream.write(f"{start}{text}\n")
        self._stream.flush()
        self._drawn = False


def describe(event: Event, dice: float | None = None) -> str:
    """Give a progress event as one line: phase, bar, percent, last Dice, remaining time."""
    share = min(event["step"] / max(event["total"], 1), 1.0)
    filled = round(share * _BAR_WIDTH)
    parts = [f"{event['phase']:<8} [{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {share:4.0%}"]
    if dice is not None:
        parts.append(f"Dice {dice:.3f}")
    if event.get("remaining_s") is not None:
        parts.append(f"{describe_duration(event['remaining_s'])} left")
    return "  ".join(parts)


def describe_duration(seconds: float) -> str:
    """Give a duration as a person says it: 45 s, 3 min 20 s, 2 h 05 min."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
