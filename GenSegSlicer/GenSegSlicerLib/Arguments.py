"""Checks of the arguments that scripts pass to the module logic."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError

VOLUME_CLASSES = ("vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode")
"""Volumes of one channel, and of several such as photos."""


def requirePath(path: Any, name: str) -> Path:
    """Return a path as an absolute one.

    Raises:
        GenSegError: it is no path, or empty.
    """
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise GenSegError(
            _("{name} must be the path of a file or folder, not {value!r}").format(
                name=name, value=path
            )
        )
    return Path(path).absolute()


def requireVolume(node: Any) -> Any:
    """Return a node if it is a scalar or vector volume.

    Raises:
        GenSegError: it is not.
    """
    return _requireNode(node, ("vtkMRMLScalarVolumeNode",), _("a volume"))


def requireSegmentation(node: Any, labelMaps: bool = True) -> Any:
    """Return a node if it is a segmentation, or a label map volume where these are accepted.

    Raises:
        GenSegError: it is not.
    """
    classNames = ["vtkMRMLSegmentationNode", *["vtkMRMLLabelMapVolumeNode"][: int(labelMaps)]]
    return _requireNode(node, classNames, _("a segmentation"))


def _requireNode(node: Any, classNames: Sequence[str], description: str) -> Any:
    if any(getattr(node, "IsA", lambda name: False)(name) for name in classNames):
        return node
    found = node.GetName() if hasattr(node, "GetName") else repr(node)
    raise GenSegError(
        _("{found} is not {description}; select {description}").format(
            found=found, description=description
        )
    )


def requireChoice(value: Any, choices: Sequence[str], name: str) -> str:
    """Return a value if it is one of the choices.

    Raises:
        GenSegError: it is not.
    """
    if value not in choices:
        raise GenSegError(
            _("{name} must be one of {choices}, not {value!r}").format(
                name=name, choices=", ".join(choices), value=value
            )
        )
    return str(value)
