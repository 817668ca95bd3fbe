"""Plots of curves: losses and validation Dice of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from GenSegSlicerLib.SliceViews import fitChart


@dataclass(frozen=True)
class Curve:
    """A curve of a chart: title, color, and whether single values are marked."""

    title: str
    color: tuple[float, float, float]
    isMarked: bool = False


class CurveChart:
    """A plot chart of curves, whose values are added one by one.

    The nodes are not saved with the scene, since files contain the values, and tables and series
    are hidden from editors. They are created on request, again after the scene was closed.

    Args:
        title: of the chart.
        axes: titles of both axes.
        curves: by name.
    """

    def __init__(self, title: str, axes: tuple[str, str], curves: Mapping[str, Curve]) -> None:
        self._title, self._axes, self._styles = title, axes, dict(curves)
        self._curves: dict[str, dict[float, float]] = {}
        self._changed: set[str] = set()
        self._seriesIds: dict[str, str] = {}
        self._chartId = ""

    @property
    def chartNode(self) -> slicer.vtkMRMLPlotChartNode:
        """The chart node with all values so far."""
        chart = self._existingChart()
        if chart is None:
            chart = self._newChart()
            self._chartId = chart.GetID()
            self._seriesIds = {}
            self._changed = set(self._curves)
        self.update()
        return chart

    def addValue(self, name: str, x: float, y: float) -> None:
        """Add a value to a curve, shown by the next `update`; it replaces that of the same `x`."""
        self._curves.setdefault(name, {})[x] = y
        self._changed.add(name)

    def update(self) -> None:
        """Show the values that were added, and fit the axes, which do not follow by themselves."""
        chart = self._existingChart()
        if chart is None or not self._changed:
            return
        for name in self._styles:
            if name in self._changed:
                self._showCurve(name)
        self._changed = set()
        fitChart(chart)

    def clear(self) -> None:
        """Remove all values, and all nodes except the chart node."""
        self._curves, self._changed = {}, set()
        for seriesId in self._seriesIds.values():
            _removeSeries(slicer.mrmlScene.GetNodeByID(seriesId))
        self._seriesIds = {}

    def remove(self) -> None:
        """Remove all nodes from the scene."""
        self.clear()
        chart = self._existingChart()
        if chart is not None:
            slicer.mrmlScene.RemoveNode(chart)
        self._chartId = ""

    def _existingChart(self) -> slicer.vtkMRMLPlotChartNode | None:
        return slicer.mrmlScene.GetNodeByID(self._chartId) if self._chartId else None

    def _newChart(self) -> slicer.vtkMRMLPlotChartNode:
        chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", self._title)
        chart.SetTitle(self._title)
        chart.SetXAxisTitle(self._axes[0])
        chart.SetYAxisTitle(self._axes[1])
        chart.SetSaveWithScene(False)
        return chart

    def _showCurve(self, name: str) -> None:
        """Create or update the table of a curve."""
        series = slicer.mrmlScene.GetNodeByID(self._seriesIds.get(name, ""))
        if series is None:
            self._addSeries(name)
        else:
            series.GetTableNode().SetAndObserveTable(self._tableOf(name))

    def _addSeries(self, name: str) -> None:
        """Create table and series of a curve and add them to the chart."""
        style = self._styles[name]
        title = style.title
        table = _addHidden("vtkMRMLTableNode", title)
        table.SetAndObserveTable(self._tableOf(name))
        series = _addHidden("vtkMRMLPlotSeriesNode", title)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(self._axes[0])
        series.SetYColumnName(title)
        series.SetPlotType(series.PlotTypeScatter)
        isMarked = style.isMarked
        series.SetMarkerStyle(series.MarkerStyleCircle if isMarked else series.MarkerStyleNone)
        series.SetColor(*style.color)
        self._seriesIds[name] = series.GetID()
        slicer.mrmlScene.GetNodeByID(self._chartId).AddAndObservePlotSeriesNodeID(series.GetID())

    def _tableOf(self, name: str) -> vtk.vtkTable:
        table = vtk.vtkTable()
        points = sorted(self._curves[name].items())
        if len(points) == 1:  # VTK logs an error for a line with a single point
            points *= 2
        for title, k in ((self._axes[0], 0), (self._styles[name].title, 1)):
            column = vtk.vtkDoubleArray()
            column.SetName(title)
            for point in points:
                column.InsertNextValue(point[k])
            table.AddColumn(column)
        return table


class TrainingCharts(CurveChart):
    """Losses and validation Dice of a training over its steps, from its events."""

    def __init__(self) -> None:
        curves = {
            "validation_dice": Curve(_("Validation Dice"), (0.18, 0.56, 0.33), isMarked=True),
            "segmenter_loss": Curve(_("Segmenter loss"), (0.12, 0.40, 0.75)),
            "generator_loss": Curve(_("Generator loss"), (0.88, 0.52, 0.16)),
            "discriminator_loss": Curve(_("Discriminator loss"), (0.62, 0.62, 0.62)),
        }
        super().__init__(_("GenSeg training"), (_("Step"), _("Loss and Dice")), curves)

    def add(self, event: Mapping[str, Any]) -> None:
        """Add the values of a metrics event; they replace earlier values of the same step.

        They are shown by the next `update`.
        """
        if event.get("kind") != "metrics" or not isinstance(event.get("step"), (int, float)):
            return
        for name in self._styles:
            value = event.get(name)
            if isinstance(value, (int, float)):
                self.addValue(name, event["step"], value)


def _addHidden(className: str, name: str) -> slicer.vtkMRMLNode:
    node = getattr(slicer, className)()
    node.SetName(name)
    node.HideFromEditorsOn()
    node.SetSaveWithScene(False)
    return slicer.mrmlScene.AddNode(node)


def _removeSeries(series: slicer.vtkMRMLPlotSeriesNode | None) -> None:
    if series is not None:
        slicer.mrmlScene.RemoveNode(series.GetTableNode())
        slicer.mrmlScene.RemoveNode(series)
