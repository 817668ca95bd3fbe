"""How far a prediction has come, window by window over all its images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..events import EventLog
from ..progress import describe_duration
from .views import View

_WORTH_TELLING_S = 10.0


@dataclass(frozen=True)
class Pass:
    """A pass of windows over an image.

    `purpose` is told to the user. Each window is looked at in these views, and in passes to come,
    over as many windows, in so many more.
    """

    purpose: str
    views: Sequence[View]
    views_to_come: int = 0


class WindowWatch:
    """Tells events of the windows that are done, and of the time that remains.

    A step is one look at a window, or the reading and writing of an image. How many windows an
    image takes is known once it is read, and with a coarse pass once the organ is found; until then
    those to come are taken for as many as those before.

    Args:
        events: is told.
        images: how many there are.
    """

    def __init__(self, events: EventLog | None = None, images: int = 1) -> None:
        self._events = events or EventLog(None)
        self._images = images
        self._started_at = time.monotonic()
        self._image = "the image"
        self._finished_images = 0
        self._finished_steps = 0
        self._steps = 0
        self._planned = 1
        self._events.progress("predict", 0, images)

    def start_image(self, name: str) -> None:
        """Begin with an image."""
        self._image, self._steps, self._planned = name, 0, 1

    def start_pass(self, begun: Pass, windows: int, on_cpu: bool) -> None:
        """Begin with a pass of so many windows over the image."""
        self._planned = self._steps + windows * (len(begun.views) + begun.views_to_come) + 1
        self._pass, self._windows = begun, windows
        self._timed_from = time.monotonic() if on_cpu else None

    def add(self, windows: int) -> None:
        """Count windows that are done; the first ones of a pass tell how long it takes on a CPU."""
        if self._timed_from is not None:
            self._tell_duration((time.monotonic() - self._timed_from) / windows * self._windows)
            self._timed_from = None
        self._steps += windows * len(self._pass.views)
        self._tell()

    def finish_image(self) -> None:
        """Count an image as done."""
        self._steps += 1
        self._planned = self._steps
        self._tell()
        self._finished_images += 1
        self._finished_steps += self._steps

    def _tell(self) -> None:
        known = self._finished_steps + self._planned
        ahead = self._images - self._finished_images - 1
        total = known + round(ahead * known / (self._finished_images + 1))
        done = self._finished_steps + self._steps
        remaining = (time.monotonic() - self._started_at) / done * (total - done)
        self._events.progress("predict", done, total, remaining)

    def _tell_duration(self, seconds: float) -> None:
        if seconds >= _WORTH_TELLING_S:
            self._events.log(
                f"{self._image}: {self._windows} windows on the CPU {self._pass.purpose}, "
                f"about {describe_duration(seconds)}"
            )
