"""Plot views: the chart that a view node references, drawn by VTK as in Slicer."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from .properties import registered, stored
from .views import RenderedView, qMRMLWidget


@registered
class qMRMLPlotView(RenderedView):
    """A chart of the scene."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._chart = vtk.vtkChartXY()

    def _get_title(self) -> str:
        node = self._chart_node()
        return node.GetTitle() or "" if node is not None else ""

    title = Property("QString", _get_title)

    def chart(self) -> Any:
        return self._chart

    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._node = node

    def fitToContent(self) -> None:
        self._chart.RecalculateBounds()

    def _chart_node(self) -> Any:
        return self._node.GetPlotChartNode() if self._node is not None else None

    def _add_props(self, renderer: Any) -> None:
        scene, actor = vtk.vtkContextScene(), vtk.vtkContextActor()
        scene.AddItem(self._chart)
        actor.SetScene(scene)
        scene.SetRenderer(renderer)
        renderer.AddViewProp(actor)
        renderer.SetBackground(1, 1, 1)

    def _update_for(self, width: int, height: int) -> None:
        self._chart.ClearPlots()
        node = self._chart_node()
        self._chart.SetVisible(node is not None)
        if node is None:
            return
        self._chart.SetTitle(self.title if node.GetTitleVisibility() else "")
        self._chart.SetShowLegend(bool(node.GetLegendVisibility()))
        for index in range(node.GetNumberOfPlotSeriesNodes()):
            self._add_series(node.GetNthPlotSeriesNode(index))
        self._chart.RecalculateBounds()
        x_axis, y_axis = self._chart.GetAxis(1), self._chart.GetAxis(0)
        x_axis.SetTitle(node.GetXAxisTitle() or "")
        y_axis.SetTitle(node.GetYAxisTitle() or "")
        _set_range(x_axis, node.GetXAxisRangeAuto(), node.GetXAxisRange())
        _set_range(y_axis, node.GetYAxisRangeAuto(), node.GetYAxisRange())

    def _add_series(self, series: Any) -> None:
        table_node = series.GetTableNode() if series is not None else None
        if table_node is None or table_node.GetTable() is None:
            return
        table = table_node.GetTable()
        x_name, y_name = series.GetXColumnName(), series.GetYColumnName()
        if table.GetColumnByName(y_name or "") is None or table.GetNumberOfRows() == 0:
            return
        is_line = series.GetPlotType() in (series.PlotTypeScatter, series.PlotTypeLine)
        plot = self._chart.AddPlot(vtk.vtkChart.LINE if is_line else vtk.vtkChart.BAR)
        plot.SetInputData(table, x_name or y_name, y_name)
        plot.SetUseIndexForXSeries(not x_name)
        plot.SetLabel(series.GetName())
        plot.SetColorF(*series.GetColor())
        plot.SetWidth(series.GetLineWidth())
        if isinstance(plot, vtk.vtkPlotPoints):
            plot.SetMarkerStyle(series.GetMarkerStyle())
            plot.SetMarkerSize(series.GetMarkerSize())
        if series.GetLineStyle() == series.LineStyleNone:
            plot.GetPen().SetLineType(vtk.vtkPen.NO_PEN)


def _set_range(axis: Any, is_automatic: bool, limits: tuple[float, float]) -> None:
    axis.SetBehavior(vtk.vtkAxis.AUTO if is_automatic else vtk.vtkAxis.FIXED)
    if not is_automatic:
        axis.SetRange(*limits)


@registered
class qMRMLPlotWidget(qMRMLWidget):
    """A plot view in the layout."""

    viewLabel = stored("QString", "viewLabel", "")
    viewColor = stored("QColor", "viewColor", QColor())

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = qMRMLPlotView(self)
        QVBoxLayout(self).addWidget(self._view)

    def setMRMLScene(self, scene: Any) -> None:
        self._view.setMRMLScene(scene)
        super().setMRMLScene(scene)

    def pauseRender(self) -> None:
        """Do nothing: the host renders on request."""

    resumeRender = pauseRender

    def setRenderPaused(self, paused: bool) -> None:
        """Do nothing, as `pauseRender`."""

    def plotView(self) -> qMRMLPlotView:
        return self._view

    def mrmlPlotViewNode(self) -> Any:
        return self._view.mrmlPlotViewNode()

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._view.setMRMLPlotViewNode(node)

    setMRMLAbstractViewNode = setMRMLPlotViewNode


def make_plot_widget(view_node: Any) -> qMRMLPlotWidget:
    """Create the plot widget of a view node."""
    widget = qMRMLPlotWidget()
    widget.setMRMLScene(slicer.app.mrmlScene())
    widget.setMRMLPlotViewNode(view_node)
    return widget
