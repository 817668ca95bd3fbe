"""Display of a training's report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer

_MARGIN = 60  # pixels between the main window's edges and the report's
_open: list[Any] = []  # keeps the window of the last report alive


def openReport(path: Path, title: str) -> bool:
    """Show an HTML file in a window of Slicer, or else in the web browser.

    Slicer may be built without QtWebEngine, and a computer may have no web browser.

    Returns:
        Whether it is shown.
    """
    url = qt.QUrl.fromLocalFile(str(path))
    if not hasattr(slicer, "qSlicerWebWidget"):
        return bool(qt.QDesktopServices.openUrl(url))
    window = slicer.qSlicerWebWidget()
    window.windowTitle = title
    main = slicer.util.mainWindow()
    if main is not None:
        window.resize(main.width - 2 * _MARGIN, main.height - 2 * _MARGIN)
    window.url = url.toString()
    window.show()
    _open[:] = [window]
    return True
