"""How tests drive an application, be it the desktop host or a running 3D Slicer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Driver:
    """Drives an application by its event loop.

    Attributes:
        app: the application.
    """

    def __init__(self, application: Any) -> None:
        self.app = application

    def process_events(self) -> None:
        """Let Qt do what is due."""
        self.app.processEvents()

    def wait_until(self, condition: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Process events until the condition holds.

        Raises:
            AssertionError: it does not within the time.
        """
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"Still not so after {timeout_s:g} s")
            self.process_events()
            time.sleep(0.002)
