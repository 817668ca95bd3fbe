"""How far a training is, from its events."""

from __future__ import annotations

from typing import Any

_MOST = 0.99  # the model and the report are still to be written


class TrainingProgress:
    """Phase, share and remaining time, last Dice, and what went wrong.

    The share is that of the time: what has passed, of what has passed and is estimated to remain.
    So bar and remaining time agree, and half of the bar is half of the wait. The bar never goes
    back, except where a resumed training does.
    """

    def __init__(self) -> None:
        self.phase = ""
        self.step = 0
        self.share = 0.0
        self.remainingS: float | None = None
        self.lastDice: float | None = None
        self.error = ""
        self.errorTime = 0.0
        self.state = ""
        self._passedS = 0.0
        self._last: float | None = None

    def take(self, event: dict[str, Any]) -> None:
        """Follow one event."""
        kind = event["kind"]
        if kind == "state":
            self._takeState(event["state"])
        elif kind == "error":
            self.error, self.errorTime = event["text"], float(event.get("time") or 0.0)
        elif kind == "metrics":
            self.step = int(event["step"])
            dice = event.get("validation_dice")
            self.lastDice = dice if isinstance(dice, (int, float)) else self.lastDice
        self._passTime(event.get("time"))
        if kind == "progress":
            self._takeProgress(event)

    def _takeState(self, state: str) -> None:
        self.state, self.remainingS = state, None
        if state != "stopping":
            self.phase = ""
        if state == "running":  # begun or resumed: what was between does not count
            self._last, self.share, self.error = None, 0.0, ""

    def _takeProgress(self, event: dict[str, Any]) -> None:
        self.phase = event["phase"]
        remaining = event.get("remaining_s")
        if isinstance(remaining, (int, float)):
            self.remainingS = float(remaining)
            whole = self._passedS + self.remainingS
            share = self._passedS / whole if whole > 0 else 0.0
            self.share = min(max(self.share, share), _MOST)

    def _passTime(self, now: object) -> None:
        if not isinstance(now, (int, float)):
            return
        if self._last is not None:
            self._passedS += max(now - self._last, 0.0)
        self._last = float(now)
