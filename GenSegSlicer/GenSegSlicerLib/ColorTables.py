"""Color tables with the classes of a model, for label maps."""

from __future__ import annotations

from typing import Any

import slicer

from GenSegSlicerLib.SegmentNodes import SegmentStyle


def addHidden(node: Any) -> Any:
    """Add a node to the scene that is neither listed nor saved."""
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return slicer.mrmlScene.AddNode(node)


def setClasses(table: slicer.vtkMRMLColorTableNode, style: SegmentStyle) -> None:
    """Give a color table the names and colors of classes; background is transparent."""
    with slicer.util.NodeModify(table):
        table.SetTypeToUser()
        table.SetNumberOfColors(max(style.names, default=0) + 1)
        table.SetColor(0, "background", 0.0, 0.0, 0.0, 0.0)
        for value, name in style.names.items():
            table.SetColor(value, name, *style.colorOf(value), 1.0)
