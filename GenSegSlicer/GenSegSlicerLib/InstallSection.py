"""The frame at the top of the panel that is shown while Python packages are missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.InlineMessage import InlineMessage


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
        ui.installButton.connect("clicked(bool)", lambda checked: self.install())
        self.show()

    def show(self) -> None:
        """Show the frame if packages are missing."""
        self.missing = self._logic.missingPackages()
        self._ui.dependencyFrame.setVisible(bool(self.missing))
        if self.missing:
            text = _(
                "Training and inference need Python packages that are not installed in Slicer: "
                "{names}. PyTorch is a download of several hundred megabytes."
            )
            self.message.info(text.format(names=", ".join(self.missing)))

    def install(self) -> None:
        """Install the missing packages; clicking the button is the consent."""
        self._ui.installButton.enabled = False
        try:
            self._logic.installPackages(lambda question: True, self._showProgress)
        except GenSegError as error:
            self.message.error(str(error))
        else:
            self._onInstalled()
        finally:
            self._ui.installButton.enabled = True

    def _showProgress(self, text: str) -> None:
        self.message.info(text)
        slicer.app.processEvents()
