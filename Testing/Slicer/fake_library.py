"""A script in place of GenSegLib, to simulate its failures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def fake_library(
    module: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, start: str = ""
) -> Callable[[str], Path]:
    """Return a function that replaces GenSegLib by a script and returns the package's folder.

    Args:
        module: module of GenSegSlicerLib that calls `libraryFolder`.
        folder: parent folder for the package.
        monkeypatch: restores the library after the test.
        start: code before each script.
    """

    def replace(script: str) -> Path:
        package = folder / "other lïbrary" / "GenSegLib"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(start + script, encoding="utf-8")
        monkeypatch.setattr(module, "libraryFolder", lambda: package.parent)
        return package

    return replace
