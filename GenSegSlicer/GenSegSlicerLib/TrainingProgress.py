"""Progress of a training, computed from its events."""

from __future__ import annotations

from typing import Any

_MAX_FRACTION = 0.99  # the model and the report are still to be written


class TrainingProgress:
    """Phase, completed fraction, remaining time, last validation Dice, and the last error.

    The fraction is the event's, or that of the time, elapsed / (elapsed + remaining). It never
    decreases, except when a training is resumed.
    """

    def __init__(self) -> None:
        self.phase = ""
        self.step = 0
        self.fraction = 0.0
        self.remainingS: float | None = None
        self.lastDice: float | None = None
        self.error = ""
        self.errorTime = 0.0
        self.state = ""
        self._elapsedS = 0.0
        self._lastTime: float | None = None

    def update(self, event: dict[str, Any]) -> None:
        """Process one event."""
        kind = event["kind"]
        if kind == "state":
            self._setState(event["state"])
        elif kind == "error":
            self.error, self.errorTime = event["text"], float(event.get("time") or 0.0)
        elif kind == "metrics":
            self.step = int(event["step"])
            dice = event.get("validation_dice")
            self.lastDice = dice if isinstance(dice, (int, float)) else self.lastDice
        self._addElapsedTime(event.get("time"))
        if kind == "progress":
            self._setProgress(event)

    def _setState(self, state: str) -> None:
        self.state, self.remainingS = state, None
        if state != "stopping":
            self.phase = ""
        if state == "running":  # started or resumed: the time in between does not count
            self._lastTime, self.fraction, self.error = None, 0.0, ""

    def _setProgress(self, event: dict[str, Any]) -> None:
        self.phase = event["phase"]
        remaining = event.get("remaining_s")
        if isinstance(remaining, (int, float)):
            self.remainingS = float(remaining)
            total = self._elapsedS + self.remainingS
            fraction = event.get("fraction")
            if not isinstance(fraction, (int, float)):
                fraction = self._elapsedS / total if total > 0 else 0.0
            self.fraction = min(max(self.fraction, fraction), _MAX_FRACTION)

    def _addElapsedTime(self, now: object) -> None:
        if not isinstance(now, (int, float)):
            return
        if self._lastTime is not None:
            self._elapsedS += max(now - self._lastTime, 0.0)
        self._lastTime = float(now)
