"""Work in small steps, so that a user interface responds in between.

Light: standard library.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Optional, TypeVar

T = TypeVar("T")

Steps = Generator[Optional[float], None, T]
"""Yields the completed fraction after each step, None if it is unknown; returns a result."""


def finish(steps: Generator[Any, None, T]) -> T:
    """Do all steps at once; return their result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
