"""A script in the place of GenSegLib: it does what the real one never does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def replacing_library(
    module: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, start: str = ""
) -> Callable[[str], Path]:
    """A function that lets `module` find a script as GenSegLib, and gives its package.

    Args:
        module: of GenSegSlicerLib; it asks for the library's folder.
        folder: for the package.
        monkeypatch: takes it back after the test.
        start: what every script begins with.
    """

    def replace(script: str) -> Path:
        package = folder / "other lïbrary" / "GenSegLib"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(start + script, encoding="utf-8")
        monkeypatch.setattr(module, "libraryFolder", lambda: package.parent)
        return package

    return replace
