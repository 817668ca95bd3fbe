"""Progress and remaining time of a prediction, window by window over all images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..events import EventLog
from ..progress import format_duration
from .tta import Augmentation

_MIN_LOGGED_S = 10.0


@dataclass(frozen=True)
class InferencePass:
    """One pass of sliding-window inference over an image.

    Attributes:
        purpose: completes "windows on the CPU ..." in the log.
        augmentations: test-time augmentations of each window.
        later_augmentations: number of augmentations per window in the passes still to come.
    """

    purpose: str
    augmentations: Sequence[Augmentation]
    later_augmentations: int = 0


class PredictionProgress:
    """Writes progress events with the estimated remaining time.

    A step is one augmentation of a window, or reading and writing one image. The number of windows
    is known once an image is read, with a coarse pass once the organ is located; until then the
    remaining images are assumed to take as many steps as the previous ones.

    Args:
        events: event stream to write to.
        images: number of images.
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
        """Start an image."""
        self._image, self._steps, self._planned = name, 0, 1

    def start_pass(self, inference_pass: InferencePass, windows: int, on_cpu: bool) -> None:
        """Start a pass over the image with a number of windows."""
        per_window = len(inference_pass.augmentations) + inference_pass.later_augmentations
        self._planned = self._steps + windows * per_window + 1
        self._pass, self._windows = inference_pass, windows
        self._timed_from = time.monotonic() if on_cpu else None

    def add(self, windows: int) -> None:
        """Count finished windows; on a CPU the first ones give the duration of the pass."""
        if self._timed_from is not None:
            self._log_duration((time.monotonic() - self._timed_from) / windows * self._windows)
            self._timed_from = None
        self._steps += windows * len(self._pass.augmentations)
        self._report()

    def finish_image(self) -> None:
        """Count an image as finished."""
        self._steps += 1
        self._planned = self._steps
        self._report()
        self._finished_images += 1
        self._finished_steps += self._steps

    def _report(self) -> None:
        known = self._finished_steps + self._planned
        remaining_images = self._images - self._finished_images - 1
        total = known + round(remaining_images * known / (self._finished_images + 1))
        done = self._finished_steps + self._steps
        remaining = (time.monotonic() - self._started_at) / done * (total - done)
        self._events.progress("predict", done, total, remaining)

    def _log_duration(self, seconds: float) -> None:
        if seconds >= _MIN_LOGGED_S:
            self._events.log(
                f"{self._image}: {self._windows} windows on the CPU {self._pass.purpose}, "
                f"about {format_duration(seconds)}"
            )
