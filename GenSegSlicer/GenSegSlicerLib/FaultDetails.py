"""What a process said before it failed, for those who open it."""

from __future__ import annotations

from typing import Any

from GenSegSlicerLib.Job import Job


class FaultDetails:
    """A collapsed part of a section that is there only after a fault.

    Args:
        section: the ctkCollapsibleButton.
        text: the QPlainTextEdit in it.
    """

    def __init__(self, section: Any, text: Any) -> None:
        self._section = section
        self._text = text
        self.clear()

    def show(self, job: Job) -> None:
        """Offer what the process of a job said, if the job failed."""
        details = job.details if job.state == "failed" else ""
        self._text.plainText = details
        self._section.collapsed = True
        self._section.setVisible(bool(details))

    def clear(self) -> None:
        """Offer nothing."""
        self._section.setVisible(False)
