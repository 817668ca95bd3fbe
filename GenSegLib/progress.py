"""Event sinks for terminals: JSON lines and a progress line.

Light: the standard library only.
"""

from __future__ import annotations

import shutil
import time
from typing import TextIO

from .events import Event, to_line

_BAR_WIDTH = 24


class JsonLines:
    """Write each event as a line of JSON and flush."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Write the event."""
        self._stream.write(to_line(event) + "\n")
        self._stream.flush()


class TerminalProgress:
    """Show progress: one updating line on a terminal, a plain line now and then elsewhere.

    Args:
        stream: output stream, usually standard error.
        interval_s: shortest time between two plain lines of a phase, in seconds.
    """

    def __init__(self, stream: TextIO, interval_s: float = 30.0) -> None:
        self._stream = stream
        self._interval_s = interval_s
        self._is_terminal = stream.isatty()
        self._dice: float | None = None
        self._phase = ""
        self._shown_at = -float("inf")
        self._line_open = False

    def __call__(self, event: Event) -> None:
        """Show the event."""
        kind = event["kind"]
        if kind == "progress":
            self._show_progress(event)
        elif kind == "metrics":
            dice = event.get("validation_dice")
            self._dice = self._dice if dice is None else dice  # 0 is a Dice, too
        elif kind == "log":
            prefix = "warning: " if event["level"] == "warning" else ""
            self._write_line(prefix + event["text"])

    def close(self) -> None:
        """End the updating line."""
        if self._line_open:
            self._stream.write("\n")
            self._stream.flush()
            self._line_open = False

    def _show_progress(self, event: Event) -> None:
        text = format_progress(event, self._dice)
        ended = event["step"] >= event["total"]
        if event["phase"] != self._phase:
            self.close()
            self._phase, self._shown_at = event["phase"], -float("inf")
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{text[:width]}")
            self._stream.flush()
            self._line_open = True
        elif ended or time.monotonic() - self._shown_at >= self._interval_s:
            self._shown_at = time.monotonic()
            self._write_line(text)

    def _write_line(self, text: str) -> None:
        start = "\r\x1b[K" if self._line_open else ""
        self._stream.write(f"{start}{text}\n")
        self._stream.flush()
        self._line_open = False


def format_progress(event: Event, dice: float | None = None) -> str:
    """Format a progress event: phase, bar, percentage, last Dice, remaining time."""
    fraction = min(event.get("fraction", event["step"] / max(event["total"], 1)), 1.0)
    filled = round(fraction * _BAR_WIDTH)
    parts = [f"{event['phase']:<8} [{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {fraction:4.0%}"]
    if dice is not None:
        parts.append(f"Dice {dice:.3f}")
    if event.get("remaining_s") is not None:
        parts.append(f"{format_duration(event['remaining_s'])} left")
    return "  ".join(parts)


def format_duration(seconds: float) -> str:
    """Format a duration: 45 s, 3 min 20 s, 20 min, 2 h 05 min."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60:02} s" if whole % 60 else "")
    minutes = whole % 3600 // 60
    return f"{whole // 3600} h" + (f" {minutes:02} min" if minutes else "")
