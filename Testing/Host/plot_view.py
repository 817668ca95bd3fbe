"""Plots: the scene's charts and series, drawn by VTK as in Slicer."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from .mrml_widgets import SceneHolder
from .properties import stored
from .rendering import RenderedView
from .ui_loader import offered

_VIEW_SIGNATURES = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}
_AXIS_BOTTOM, _AXIS_LEFT = 1, 0


@offered
class qMRMLPlotView(SceneHolder, RenderedView):
    """One chart of the scene: the one that the view node names."""

    mrmlSceneChanged = Signal(object)
    signatures = _VIEW_SIGNATURES

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._chart = vtk.vtkChartXY()

    def _get_title(self) -> str:
        chart = self._chart_node()
        return chart.GetTitle() or "" if chart is not None else ""

    title = Property("QString", _get_title)

    def chart(self) -> Any:
        return self._chart

    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._node = node
        if node is not None:
            node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self.update())
        self.update()

    def fitToContent(self) -> None:
        self.update()

    def _chart_node(self) -> Any:
        return self._node.GetPlotChartNode() if self._node is not None else None

    def _fill(self, renderer: Any) -> None:
        scene, actor = vtk.vtkContextScene(), vtk.vtkContextActor()
        scene.AddItem(self._chart)
        actor.SetScene(scene)
        scene.SetRenderer(renderer)
        renderer.AddViewProp(actor)
        renderer.SetBackground(1, 1, 1)

    def _prepare(self, width: int, height: int) -> None:
        self._chart.ClearPlots()
        node = self._chart_node()
        self._chart.SetVisible(node is not None)
        if node is None:
            return
        self._chart.SetTitle(self.title if node.GetTitleVisibility() else "")
        self._chart.SetShowLegend(bool(node.GetLegendVisibility()))
        self._chart.GetAxis(_AXIS_BOTTOM).SetTitle(node.GetXAxisTitle() or "")
        self._chart.GetAxis(_AXIS_LEFT).SetTitle(node.GetYAxisTitle() or "")
        for index in range(node.GetNumberOfPlotSeriesNodes()):
            self._add_series(node.GetNthPlotSeriesNode(index))
        self._apply_ranges(node)

    def _add_series(self, series: Any) -> None:
        table_node = series.GetTableNode() if series is not None else None
        if table_node is None or table_node.GetTable() is None:
            return
        table = table_node.GetTable()
        x_name, y_name = series.GetXColumnName(), series.GetYColumnName()
        if table.GetColumnByName(y_name or "") is None or table.GetNumberOfRows() == 0:
            return
        is_scatter = series.GetPlotType() in (series.PlotTypeScatter, series.PlotTypeLine)
        plot = self._chart.AddPlot(vtk.vtkChart.LINE if is_scatter else vtk.vtkChart.BAR)
        plot.SetInputData(table, x_name or y_name, y_name)
        plot.SetUseIndexForXSeries(not x_name)
        plot.SetLabel(series.GetName())
        red, green, blue = series.GetColor()
        plot.SetColorF(red, green, blue)
        plot.SetWidth(series.GetLineWidth())
        if isinstance(plot, vtk.vtkPlotPoints):
            plot.SetMarkerStyle(series.GetMarkerStyle())
            plot.SetMarkerSize(series.GetMarkerSize())
        if series.GetLineStyle() == series.LineStyleNone:
            plot.GetPen().SetLineType(vtk.vtkPen.NO_PEN)

    def _apply_ranges(self, node: Any) -> None:
        automatic = {
            _AXIS_BOTTOM: (node.GetXAxisRangeAuto(), node.GetXAxisRange()),
            _AXIS_LEFT: (node.GetYAxisRangeAuto(), node.GetYAxisRange()),
        }
        self._chart.RecalculateBounds()
        for index, (by_data, limits) in automatic.items():
            axis = self._chart.GetAxis(index)
            axis.SetBehavior(vtk.vtkAxis.AUTO if by_data else vtk.vtkAxis.FIXED)
            if not by_data:
                axis.SetRange(*limits)


@offered
class qMRMLPlotWidget(SceneHolder, QWidget):
    """A plot view in the layout."""

    mrmlSceneChanged = Signal(object)
    signatures = _VIEW_SIGNATURES
    viewLabel = stored("QString", "viewLabel", "")
    viewColor = stored("QColor", "viewColor", QColor())

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = qMRMLPlotView(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)

    def setMRMLScene(self, scene: Any) -> None:
        self._view.setMRMLScene(scene)
        super().setMRMLScene(scene)

    def pauseRender(self) -> None:
        """The host's views draw only when Qt asks them to."""

    resumeRender = pauseRender

    def setRenderPaused(self, paused: bool) -> None:
        """See `pauseRender`."""

    def plotView(self) -> qMRMLPlotView:
        return self._view

    def mrmlPlotViewNode(self) -> Any:
        return self._view.mrmlPlotViewNode()

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._view.setMRMLPlotViewNode(node)

    setMRMLAbstractViewNode = setMRMLPlotViewNode


def plot_widget(view_node: Any) -> qMRMLPlotWidget:
    """A plot widget for a view node of the layout."""
    widget = qMRMLPlotWidget()
    widget.setMRMLScene(slicer.app.mrmlScene())
    widget.setMRMLPlotViewNode(view_node)
    return widget
