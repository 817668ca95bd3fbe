"""The event stream of a training, prediction or evaluation: one JSON object per line.

Each event has `time` (seconds since 1970) and `kind` (one of `KINDS`), and entries of its kind.
Light: the standard library only.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .files import append_line

KINDS = (
    *("progress", "metrics", "preview", "log", "state", "error"),
    *("ready", "result", "refused"),  # of `genseg serve`
)
PHASES = ("warm-up", "joint", "final", "predict", "evaluate")

Event = dict[str, Any]
Sink = Callable[[Event], None]


class EventLog:
    """Append events to a file and pass each one to the sinks.

    Args:
        path: the file, created if missing; None writes no file.
        sinks: called with each event, in order (see `GenSegLib.progress`).
    """

    def __init__(self, path: Path | None, sinks: Sequence[Sink] = ()) -> None:
        self._path = path
        self._sinks = tuple(sinks)

    def progress(
        self,
        phase: str,
        step: int,
        total: int,
        remaining_s: float | None = None,
        fraction: float | None = None,
    ) -> None:
        """Report progress.

        Args:
            phase: one of `PHASES`.
            step: steps of the phase so far.
            total: all steps of the phase.
            remaining_s: remaining time of all phases in seconds.
            fraction: of all phases together that is done; by default that is `step` / `total`.
        """
        entries = {"phase": phase, "step": step, "total": total, "remaining_s": remaining_s}
        if fraction is not None:
            entries["fraction"] = round(fraction, 4)
        self._emit("progress", **entries)

    def metrics(self, phase: str, step: int, **values: float) -> None:
        """Report metrics of a step; NaN and infinity become null."""
        self._emit("metrics", phase=phase, step=step, **values)

    def preview(self, step: int, folder: str) -> None:
        """Report a folder of preview volumes, relative to the run folder."""
        self._emit("preview", step=step, folder=folder)

    def log(self, text: str, level: str = "info") -> None:
        """Report a message to the user; level `info` or `warning`."""
        self._emit("log", text=text, level=level)

    def state(self, state: str) -> None:
        """Report the run's new state (see `runs.State`)."""
        self._emit("state", state=str(getattr(state, "value", state)))

    def error(self, text: str) -> None:
        """Report the error that ended the run."""
        self._emit("error", text=text)

    def ready(self, **entries: Any) -> None:
        """Report that a model is loaded; see `serving.protocol` for this and the next two."""
        self._emit("ready", **entries)

    def result(self, frame: int, **entries: Any) -> None:
        """Report the result of a frame."""
        self._emit("result", frame=frame, **entries)

    def refused(self, frame: int, text: str) -> None:
        """Report why a frame was not segmented."""
        self._emit("refused", frame=frame, text=text)

    def _emit(self, kind: str, **entries: Any) -> None:
        event = {"time": round(time.time(), 3), "kind": kind}
        event |= {name: _to_json(value) for name, value in entries.items()}
        if self._path is not None:
            append_line(self._path, to_line(event))
        for sink in self._sinks:
            sink(event)


def to_line(event: Event) -> str:
    """Return an event as one line of JSON, without the line break."""
    return json.dumps(event, ensure_ascii=False, allow_nan=False)


def parse_line(line: bytes | str) -> Event | None:
    """Parse a line of the stream; None if it is not an event (truncated, empty, other output)."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and event.get("kind") in KINDS else None


def read_events(path: Path) -> list[Event]:
    """Read the events of a file, skipping other lines; [] if the file is missing."""
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    events = (parse_line(line) for line in lines)
    return [event for event in events if event is not None]


def _to_json(value: Any) -> Any:
    """Convert NumPy and PyTorch scalars to Python's, and NaN and infinity to None."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
