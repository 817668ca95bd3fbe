"""Which of the panel's collapsible sections are open."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import slicer

_MIN_HEIGHT = 900  # of a main window that has room for two open sections


class PanelSections:
    """Opens sections when they are first needed; one at a time where the main window is low.

    Args:
        sections: the ctkCollapsibleButtons, from top to bottom.
    """

    def __init__(self, sections: Sequence[Any]) -> None:
        self._sections = sections
        self._opened: set[str] = set()
        for section in sections:
            section.connect("contentsCollapsed(bool)", partial(self._onCollapsed, section))

    def openOnce(self, section: Any) -> None:
        """Open a section that is needed now, unless that was done before or there is no room."""
        if section.objectName not in self._opened and not _isLow():
            self._opened.add(section.objectName)
            section.collapsed = False

    def _onCollapsed(self, section: Any, collapsed: bool) -> None:
        if collapsed or not _isLow():
            return
        for other in self._sections:
            if other is not section:
                other.collapsed = True


def _isLow() -> bool:
    window = slicer.util.mainWindow()
    return window is not None and window.height < _MIN_HEIGHT
