"""Widgets with a scene, and the slice and plot views of a layout, without rendering."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from .properties import registered

_SIZE = 400, 300  # pixels


@registered
class qMRMLWidget(QWidget):
    """A widget with a scene."""

    mrmlSceneChanged = Signal(object)
    signatures = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}

    def mrmlScene(self) -> Any:
        return vars(self).get("_scene")

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self.mrmlScene():
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class SliceView:
    """A slice view of the layout."""

    def __init__(self, slice_node: Any) -> None:
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(slicer.app.mrmlScene())
        self._logic.SetSliceNode(slice_node)

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground(*_SIZE)
        self._logic.SnapSliceOffsetToIJK()


class PlotView:
    """A plot view of the layout, which is its own widget.

    Attributes:
        last_step: end of the horizontal axis. As observed in Slicer, axes do not follow a series
            whose table is replaced by a longer one.
    """

    def __init__(self, view_node: Any) -> None:
        self._node = view_node
        self.last_step = 0.0

    def plotView(self) -> PlotView:
        return self

    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def fitToContent(self) -> None:
        chart = self._node.GetPlotChartNode()
        count = chart.GetNumberOfPlotSeriesNodes() if chart is not None else 0
        series = [chart.GetNthPlotSeriesNode(index) for index in range(count)]
        columns = (
            slicer.util.arrayFromTableColumn(each.GetTableNode(), each.GetXColumnName())
            for each in series
        )
        self.last_step = max((column.max() for column in columns), default=0.0)
