"""`slicer.parameterNodeWrapper`: typed parameters in a node of the scene, connected to widgets."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from . import annotations, wrapper


def make_parameter_node_wrapper() -> ModuleType:
    """Create the module for `import slicer.parameterNodeWrapper`."""
    module: Any = ModuleType("slicer.parameterNodeWrapper")
    for source in (annotations, wrapper):
        for name in source.__all__:
            setattr(module, name, getattr(source, name))
    module.__all__ = [*annotations.__all__, *wrapper.__all__]
    return module
