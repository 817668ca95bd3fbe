"""A line of text in the panel that says what a pop-up would have said."""

from __future__ import annotations

import qt

# Translucent, so that the text is readable in Slicer's light and dark styles.
_STYLES = {
    "hint": "",
    "info": "background: rgba(70, 130, 200, 38); border-left: 3px solid #4682c8; padding: 4px;",
    "good": "background: rgba(60, 160, 90, 38); border-left: 3px solid #3ca05a; padding: 4px;",
    "warning": "background: rgba(220, 150, 30, 46); border-left: 3px solid #dc961e; padding: 4px;",
    "error": "background: rgba(205, 60, 50, 46); border-left: 3px solid #cd3c32; padding: 4px;",
}


class InlineMessage:
    """Shows one message at a time in a label of plain text; without one the label is hidden."""

    def __init__(self, label: qt.QLabel) -> None:
        self._label = label
        self.clear()

    @property
    def text(self) -> str:
        """What is shown, "" for nothing."""
        return self._label.text

    def hint(self, text: str) -> None:
        """Tell what is missing or comes next."""
        self._show("hint", text)

    def info(self, text: str) -> None:
        """Tell what happens."""
        self._show("info", text)

    def good(self, text: str) -> None:
        """Tell what has been achieved."""
        self._show("good", text)

    def warning(self, text: str) -> None:
        """Tell what may go wrong."""
        self._show("warning", text)

    def error(self, text: str) -> None:
        """Tell what went wrong."""
        self._show("error", text)

    def clear(self) -> None:
        """Show nothing."""
        self._show("hint", "")

    def _show(self, kind: str, text: str) -> None:
        if self._label.text != text:
            self._label.text = text
            self._label.toolTip = text  # whole, where the panel is too narrow for a long path
        if self._label.styleSheet != _STYLES[kind]:
            self._label.styleSheet = _STYLES[kind]
        self._label.setVisible(bool(text))
