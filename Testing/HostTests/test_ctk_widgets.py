"""ctk's widgets behave as observed in a running Slicer."""

from __future__ import annotations

import ctk


def test_an_emptied_path_is_only_announced_as_invalid(host: object) -> None:
    edit = ctk.ctkPathLineEdit()
    events: list[object] = []
    edit.connect("currentPathChanged(QString)", events.append)
    edit.connect("validInputChanged(bool)", events.append)
    edit.currentPath = "/data"
    edit.currentPath = ""
    assert events == ["/data", True, False]
