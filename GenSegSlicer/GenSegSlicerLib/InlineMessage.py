"""Messages inside the panel, instead of pop-up windows."""

from __future__ import annotations

from typing import Any

import qt

from GenSegSlicerLib.Job import Job

# Translucent colors are readable in Slicer's light and dark styles.
_STYLES = {
    "hint": "",
    "info": "background: rgba(70, 130, 200, 38); border-left: 3px solid #4682c8; padding: 4px;",
    "success": "background: rgba(60, 160, 90, 38); border-left: 3px solid #3ca05a; padding: 4px;",
    "warning": "background: rgba(220, 150, 30, 46); border-left: 3px solid #dc961e; padding: 4px;",
    "error": "background: rgba(205, 60, 50, 46); border-left: 3px solid #cd3c32; padding: 4px;",
}


class InlineMessage:
    """Shows one message at a time in a label; the label is hidden when there is none."""

    def __init__(self, label: qt.QLabel) -> None:
        self._label = label
        self.clear()

    @property
    def text(self) -> str:
        """The current message, "" for none."""
        return self._label.text

    def hint(self, text: str) -> None:
        """Show what is missing or what to do next."""
        self.show("hint", text)

    def info(self, text: str) -> None:
        """Show what is happening."""
        self.show("info", text)

    def success(self, text: str) -> None:
        """Show a result."""
        self.show("success", text)

    def warning(self, text: str) -> None:
        """Show a possible problem."""
        self.show("warning", text)

    def error(self, text: str) -> None:
        """Show an error."""
        self.show("error", text)

    def clear(self) -> None:
        """Hide the message."""
        self.show("hint", "")

    def show(self, kind: str, text: str) -> None:
        """Show a message of a kind: "hint", "info", "success", "warning" or "error"."""
        if self._label.text != text:
            self._label.text = text
            self._label.toolTip = text  # complete, even if the panel is too narrow for it
        if self._label.styleSheet != _STYLES[kind]:
            self._label.styleSheet = _STYLES[kind]
        self._label.setVisible(bool(text))


class ErrorDetails:
    """A collapsed section with the output of a failed process.

    Args:
        section: the ctkCollapsibleButton.
        text: the QPlainTextEdit in it.
    """

    def __init__(self, section: Any, text: Any) -> None:
        self._section = section
        self._text = text
        self.clear()

    def showJob(self, job: Job) -> None:
        """Show the process output of a failed job."""
        self.show(job.details if job.state == "failed" else "")

    def show(self, details: str) -> None:
        """Show a text; the section is hidden if there is none."""
        self._text.plainText = details
        self._section.collapsed = True
        self._section.setVisible(bool(details))

    def clear(self) -> None:
        """Hide the section."""
        self._section.setVisible(False)
