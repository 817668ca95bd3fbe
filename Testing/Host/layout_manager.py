"""`slicer.app.layoutManager()`: the views of Slicer's layouts, without a window."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtWidgets import QWidget

from .plot_view import make_plot_widget
from .views import qMRMLSliceWidget, qMRMLThreeDWidget

_FACTORIES = {
    "vtkMRMLSliceNode": qMRMLSliceWidget,
    "vtkMRMLViewNode": qMRMLThreeDWidget,
    "vtkMRMLPlotViewNode": make_plot_widget,
}


class LayoutManager(QObject):
    """Create a widget for each view of the current layout."""

    layoutChanged = Signal(int)

    def __init__(self, scene: Any, application_logic: Any) -> None:
        super().__init__()
        self._scene = scene
        self._widgets: dict[str, QWidget] = {}
        self._slice_logics, self._view_logics = vtk.vtkCollection(), vtk.vtkCollection()
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(scene)
        application_logic.SetSliceLogics(self._slice_logics)
        application_logic.SetViewLogics(self._view_logics)
        self._node = self._logic.GetLayoutNode()
        self._current = -1

    def start(self) -> None:
        """Set the first layout; requires `slicer.app`."""
        self._node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._modified)
        self.setLayout(self._node.SlicerLayoutFourUpView)

    def layoutLogic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return self._scene

    def mrmlSliceLogics(self) -> Any:
        return self._slice_logics

    def setLayout(self, layout: int) -> None:
        self._node.SetViewArrangement(layout)

    layout = Property("int", lambda self: self._node.GetViewArrangement(), setLayout)

    def _modified(self, *_: Any) -> None:
        arrangement = self._node.GetViewArrangement()
        if arrangement != self._current:
            self._current = arrangement
            self._create_widgets()
            self.layoutChanged.emit(arrangement)

    def _create_widgets(self) -> None:
        nodes = self._logic.GetViewNodes()
        for index in range(nodes.GetNumberOfItems()):
            node = nodes.GetItemAsObject(index)
            if node.GetID() not in self._widgets and node.GetClassName() in _FACTORIES:
                widget = _FACTORIES[node.GetClassName()](node)
                self._widgets[node.GetID()] = widget
                if isinstance(widget, qMRMLSliceWidget):
                    self._slice_logics.AddItem(widget.sliceLogic())

    def _of_class(self, node_class: str) -> list[QWidget]:
        found = ((self._scene.GetNodeByID(each), w) for each, w in self._widgets.items())
        return [w for node, w in found if node is not None and node.GetClassName() == node_class]

    def sliceViewNames(self) -> tuple[str, ...]:
        widgets = self._of_class("vtkMRMLSliceNode")
        return tuple(each.mrmlSliceNode().GetLayoutName() for each in widgets)

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        widgets = self._of_class("vtkMRMLSliceNode")
        return next((e for e in widgets if e.mrmlSliceNode().GetLayoutName() == name), None)

    def viewWidget(self, node: Any) -> QWidget | None:
        return self._widgets.get(node.GetID()) if node is not None else None

    def _nth(self, node_class: str, index: int) -> Any:
        widgets = self._of_class(node_class)
        return widgets[index] if 0 <= index < len(widgets) else None

    def threeDWidget(self, index: int) -> Any:
        return self._nth("vtkMRMLViewNode", index)

    def plotWidget(self, index: int) -> Any:
        return self._nth("vtkMRMLPlotViewNode", index)

    threeDViewCount = Property("int", lambda self: len(self._of_class("vtkMRMLViewNode")))
    plotViewCount = Property("int", lambda self: len(self._of_class("vtkMRMLPlotViewNode")))
    tableViewCount = Property("int", lambda self: 0)

    def resetSliceViews(self) -> None:
        for each in self._of_class("vtkMRMLSliceNode"):
            each.fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        for each in self._of_class("vtkMRMLViewNode"):
            each.threeDView().resetFocalPoint()
            each.threeDView().resetCamera()

    def pauseRender(self) -> None:
        """Do nothing: the host renders on request."""

    resumeRender = pauseRender

    def setRenderPaused(self, paused: bool) -> None:
        """Do nothing, as `pauseRender`."""
