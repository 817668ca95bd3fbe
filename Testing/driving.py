"""Drive an application, the desktop host or a real 3D Slicer, in tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Driver:
    """Runs an application's event loop.

    Attributes:
        app: the application.
    """

    def __init__(self, application: Any) -> None:
        self.app = application

    def process_events(self) -> None:
        """Process pending events."""
        self.app.processEvents()

    def wait_until(self, condition: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Process events until the condition holds.

        Raises:
            AssertionError: if it does not hold within the time.
        """
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"The condition does not hold after {timeout_s:g} s")
            self.process_events()
            time.sleep(0.01)
