"""The 3D view and the views of tables, with the names that the layout gives them."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from .mrml_widgets import SceneHolder
from .rendering import RenderedView, displayable_managers

_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
)


class qMRMLThreeDView(RenderedView):
    """Models and segmentations in 3D, by Slicer's displayable managers."""

    def __init__(self, view_node: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = view_node
        self._group: Any = None

    def _fill(self, renderer: Any) -> None:
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        self._group = displayable_managers(factory, _MANAGERS, renderer, self._node)
        renderer.ResetCamera()

    def mrmlViewNode(self) -> Any:
        return self._node

    def resetFocalPoint(self) -> None:
        """Look at what is shown; box and labels do not count, and then follow it."""
        node, renderer = self._node, self.renderer()
        shown = node.GetBoxVisible(), node.GetAxisLabelsVisible()
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        bounds = [0.0] * 6
        renderer.ComputeVisiblePropBounds(bounds)
        if bounds[0] <= bounds[1]:
            center = [(bounds[k] + bounds[k + 1]) / 2 for k in (0, 2, 4)]
            renderer.GetActiveCamera().SetFocalPoint(*center)
        node.SetBoxVisible(shown[0])
        node.SetAxisLabelsVisible(shown[1])
        node.InvokeEvent(node.ResetFocalPointRequestedEvent)
        self.update()

    def resetCamera(
        self, rotation: bool = True, translation: bool = True, distance: bool = True
    ) -> None:
        self.cameraNode().Reset(rotation, translation, distance, self.renderer())
        self.update()

    def cameraNode(self) -> Any:
        return slicer.modules.cameras.logic().GetViewActiveCameraNode(self._node)


class qMRMLThreeDWidget(SceneHolder, QWidget):
    """A 3D view in the layout."""

    mrmlSceneChanged = Signal(object)
    signatures = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}

    def __init__(self, view_node: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = qMRMLThreeDView(view_node, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)

    def threeDView(self) -> qMRMLThreeDView:
        return self._view

    def mrmlViewNode(self) -> Any:
        return self._view.mrmlViewNode()
