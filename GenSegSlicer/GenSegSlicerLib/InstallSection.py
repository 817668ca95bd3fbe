"""The frame at the top of the panel that is there only while packages are missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.InlineMessage import InlineMessage


class InstallSection:
    """Says what is missing, and installs it when the user presses the button.

    Args:
        ui: the widgets of the panel.
        logic: what does the work.
        onInstalled: called when nothing is missing any more.
    """

    def __init__(self, ui: Any, logic: Any, onInstalled: Callable[[], None]) -> None:
        self._ui = ui
        self._logic = logic
        self._onInstalled = onInstalled
        self.missing: list[str] = []
        self.message = InlineMessage(ui.dependencyLabel)
        ui.installButton.connect("clicked(bool)", lambda checked: self.install())
        self.show()

    def show(self) -> None:
        """Show the frame where something is missing."""
        self.missing = self._logic.missingPackages()
        self._ui.dependencyFrame.setVisible(bool(self.missing))
        if self.missing:
            text = _(
                "Training and applying need {names}, which Slicer's Python lacks. PyTorch is "
                "a download of several hundred megabytes."
            )
            self.message.info(text.format(names=", ".join(self.missing)))

    def install(self) -> None:
        """Install what is missing; the button that names it is the consent."""
        self._ui.installButton.enabled = False
        try:
            self._logic.installPackages(lambda question: True, self._tell)
        except GenSegError as fault:
            self.message.error(str(fault))
        else:
            self._onInstalled()
        finally:
            self._ui.installButton.enabled = True

    def _tell(self, progress: str) -> None:
        self.message.info(progress)
        slicer.app.processEvents()
