"""`slicer.app.layoutManager()`: slice and plot views of Slicer's layouts, without a window."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, QObject, Signal

from .views import PlotView, SliceView


class LayoutManager(QObject):
    """Create a view for each slice and plot view node of the current layout."""

    layoutChanged = Signal(int)

    def __init__(self, scene: Any, application_logic: Any) -> None:
        super().__init__()
        self._scene = scene
        self._views: dict[str, SliceView] = {}
        self._plot_views: dict[str, PlotView] = {}
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

    def mrmlSliceLogics(self) -> Any:
        return self._slice_logics

    def setLayout(self, layout: int) -> None:
        self._node.SetViewArrangement(layout)

    layout = Property("int", lambda self: self._node.GetViewArrangement(), setLayout)

    def _modified(self, *_: Any) -> None:
        arrangement = self._node.GetViewArrangement()
        if arrangement != self._current:
            self._current = arrangement
            self._create_views()
            self.layoutChanged.emit(arrangement)

    def _create_views(self) -> None:
        nodes = self._logic.GetViewNodes()
        for index in range(nodes.GetNumberOfItems()):
            node = nodes.GetItemAsObject(index)
            if node.IsA("vtkMRMLSliceNode") and node.GetLayoutName() not in self._views:
                view = self._views[node.GetLayoutName()] = SliceView(node)
                self._slice_logics.AddItem(view.sliceLogic())
            if node.IsA("vtkMRMLPlotViewNode") and node.GetID() not in self._plot_views:
                self._plot_views[node.GetID()] = PlotView(node)

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(self._views)

    def sliceWidget(self, name: str) -> SliceView | None:
        return self._views.get(name)

    plotViewCount = Property("int", lambda self: len(self._plot_views))

    def plotWidget(self, index: int) -> PlotView:
        return list(self._plot_views.values())[index]

    def resetSliceViews(self) -> None:
        for view in self._views.values():
            view.fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        """Do nothing: the host has no 3D views."""
