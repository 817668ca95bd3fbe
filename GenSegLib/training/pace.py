"""Notices when a training has become much slower than it was: something else computes by now."""

from __future__ import annotations

_STEPS, _SECONDS = 10, 20.0  # of training, at least, that are compared with others
_SLOWER = 2.0  # phases differ from what they are reckoned to cost by less than that


class Pace:
    """Compares the last steps of a training with the fastest before them."""

    def __init__(self) -> None:
        self._fastest: float | None = None
        self._begin()

    def asks_for_a_look(self, seconds: float, cost: float) -> bool:
        """Take in a step; tell whether to look anew how the training computes.

        That is so where steps have become twice as slow, and once after the first ones: what was
        chosen before the cases were prepared may be out of date by then.

        Args:
            seconds: the time that the step took.
            cost: what such a step costs, in steps of any one kind.
        """
        self._steps += 1
        self._seconds += seconds
        self._cost += cost
        if self._steps < _STEPS or self._seconds < _SECONDS:
            return False
        pace = self._seconds / self._cost
        self._begin()
        if self._fastest is None or pace > _SLOWER * self._fastest:
            self._fastest = pace
            return True
        self._fastest = min(pace, self._fastest)
        return False

    def _begin(self) -> None:
        self._steps, self._seconds, self._cost = 0, 0.0, 0.0
