"""The stream of events between a training and who watches it: one JSON object a line.

Each event has `time` (seconds since 1970) and `kind` (one of `KINDS`) beside its own entries.
Light: the standard library alone.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .files import append_line

KINDS = ("progress", "metrics", "preview", "log", "state", "error")
PHASES = ("warm-up", "joint", "final", "predict", "evaluate", "download")

Event = dict[str, Any]
Sink = Callable[[Event], None]


class EventLog:
    """Appends events to a file and hands each one to the sinks.

    Args:
        path: the file, made when it is missing; None writes none.
        sinks: called with each event, in order (see `GenSegLib.progress`).
    """

    def __init__(self, path: Path | None, sinks: Sequence[Sink] = ()) -> None:
        self._path = path
        self._sinks = tuple(sinks)

    def progress(self, phase: str, step: int, total: int, remaining_s: float | None = None) -> None:
        """Tell how far a phase (one of `PHASES`) has come; the time that remains in seconds."""
        self._emit("progress", phase=phase, step=step, total=total, remaining_s=remaining_s)

    def metrics(self, phase: str, step: int, **values: float) -> None:
        """Tell what was measured at a step; what is not finite becomes null."""
        self._emit("metrics", phase=phase, step=step, **values)

    def preview(self, step: int, folder: str) -> None:
        """Tell that a folder of preview volumes is there, named from the run folder."""
        self._emit("preview", step=step, folder=folder)

    def log(self, text: str, level: str = "info") -> None:
        """Tell something to the user; level `info` or `warning`."""
        self._emit("log", text=text, level=level)

    def state(self, state: str) -> None:
        """Tell the run's new state (see `runs.State`)."""
        self._emit("state", state=str(getattr(state, "value", state)))

    def error(self, text: str) -> None:
        """Tell what ended the run."""
        self._emit("error", text=text)

    def _emit(self, kind: str, **entries: Any) -> None:
        event = {"time": round(time.time(), 3), "kind": kind}
        event |= {name: _plain(value) for name, value in entries.items()}
        if self._path is not None:
            append_line(self._path, to_line(event))
        for sink in self._sinks:
            sink(event)


def to_line(event: Event) -> str:
    """Give an event as one line of JSON, without the line's end."""
    return json.dumps(event, ensure_ascii=False, allow_nan=False)


def parse_line(line: bytes | str) -> Event | None:
    """Read one line of a stream; None where it is no event (cut, empty, or another's output)."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and event.get("kind") in KINDS else None


def read_events(path: Path) -> list[Event]:
    """Read the events of a file, without those lines that are none; [] where it is missing."""
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    events = (parse_line(line) for line in lines)
    return [event for event in events if event is not None]


def _plain(value: Any) -> Any:
    """Turn a number of NumPy or PyTorch into Python's own, and NaN and infinity into None."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
