"""The frame at the top of the panel that is shown while Python packages are missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegSlicerLib.Dependencies import InstallationError, describeMissing
from GenSegSlicerLib.InlineMessage import ErrorDetails, InlineMessage


class InstallSection:
    """Lists missing packages, and installs them when the button is clicked.

    Args:
        ui: widgets of the panel.
        logic: module logic.
        onInstalled: called when no package is missing any longer.
    """

    def __init__(self, ui: Any, logic: Any, onInstalled: Callable[[], None]) -> None:
        self._ui = ui
        self._logic = logic
        self._onInstalled = onInstalled
        self.missing: list[str] = []
        self.message = InlineMessage(ui.dependencyLabel)
        self._details = ErrorDetails(ui.dependencyDetailsSection, ui.dependencyDetailsText)
        ui.installButton.connect("clicked(bool)", lambda checked: self.install())
        self.show()

    def show(self) -> None:
        """Show the frame if packages are missing."""
        self.missing = self._logic.missingPackages()
        self._ui.dependencyFrame.setVisible(bool(self.missing))
        if self.missing:
            text = _("Training and inference need Python packages that are not installed: {names}")
            self.message.info(text.format(names=describeMissing(self.missing)))

    def install(self) -> None:
        """Install the missing packages if the user agrees."""
        self._ui.installButton.enabled = False
        self._details.clear()
        try:
            installed = self._logic.installPackages(
                slicer.util.confirmOkCancelDisplay, self._showProgress
            )
        except InstallationError as error:
            self.message.error(str(error))
            self._details.show(error.details)
        else:
            if installed:
                self._onInstalled()
        finally:
            self._ui.installButton.enabled = True

    def _showProgress(self, text: str) -> None:
        self.message.info(text)
        slicer.app.processEvents()
