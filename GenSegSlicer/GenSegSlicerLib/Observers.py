"""Functions that want to hear of something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Observers:
    """Calls each of its functions with every piece of news, in the order in which they came."""

    def __init__(self) -> None:
        self._functions: list[Callable[[Any], None]] = []

    def add(self, function: Callable[[Any], None]) -> None:
        """Call this one, too, from now on."""
        self._functions.append(function)

    def discard(self, function: Callable[[Any], None]) -> None:
        """Call this one no more; it need not be there."""
        if function in self._functions:
            self._functions.remove(function)

    def tell(self, news: Any) -> None:
        """Call all of them; one may leave meanwhile."""
        for function in list(self._functions):
            function(news)
