"""`slicer.i18n`: the host installs no translations, so every text stays as it is."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from PySide6.QtCore import QCoreApplication


def translate(context: str, text: str) -> str:
    """The text in the application's language."""
    return QCoreApplication.translate(context, text)


def getContext(sourceFile: str) -> str:
    """The translation context of a source file: its name, after its package's where it has one."""
    path = Path(sourceFile)
    in_package = (path.parent / "__init__.py").is_file()
    return f"{path.parent.name}.{path.stem}" if in_package else path.stem


def tr(text: str) -> str:
    """The text in the application's language; the context is the caller's file."""
    frame = inspect.currentframe()
    caller = frame.f_back if frame is not None else None
    return translate(getContext(inspect.getfile(caller) if caller is not None else ""), text)


def make_i18n() -> ModuleType:
    """The module that `import slicer.i18n` finds."""
    module: Any = ModuleType("slicer.i18n")
    module.translate, module.tr, module.getContext = translate, tr, getContext
    return module
