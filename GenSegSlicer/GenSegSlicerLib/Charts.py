"""Plot of the losses and validation Dice of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from GenSegSlicerLib.SliceViews import fitChart

_COLORS = {
    "validation_dice": (0.18, 0.56, 0.33),
    "segmenter_loss": (0.12, 0.40, 0.75),
    "consistency_loss": (0.47, 0.33, 0.72),
    "generator_loss": (0.88, 0.52, 0.16),
    "discriminator_loss": (0.62, 0.62, 0.62),
}


class TrainingCharts:
    """A plot chart of losses and validation Dice over training steps, updated from events.

    The nodes are not saved with the scene, since the run folder contains the events, and tables and
    series are hidden from editors. They are created on request, again after the scene was closed.
    """

    def __init__(self) -> None:
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

    def add(self, event: Mapping[str, Any]) -> None:
        """Add the values of a metrics event; they replace earlier values of the same step.

        They are shown by the next `update`.
        """
        if event.get("kind") != "metrics" or not isinstance(event.get("step"), (int, float)):
            return
        for name in _COLORS:
            value = event.get(name)
            if isinstance(value, (int, float)):
                self._curves.setdefault(name, {})[event["step"]] = value
                self._changed.add(name)

    def update(self) -> None:
        """Show the values that were added, and fit the axes, which do not follow by themselves."""
        chart = self._existingChart()
        if chart is None or not self._changed:
            return
        for name in _COLORS:
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
        chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", _("GenSeg training"))
        chart.SetTitle(_("GenSeg training"))
        chart.SetXAxisTitle(_("Step"))
        chart.SetYAxisTitle(_("Loss and Dice"))
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
        title = _titles()[name]
        table = _addHidden("vtkMRMLTableNode", title)
        table.SetAndObserveTable(self._tableOf(name))
        series = _addHidden("vtkMRMLPlotSeriesNode", title)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(_("Step"))
        series.SetYColumnName(title)
        series.SetPlotType(series.PlotTypeScatter)
        isSparse = name == "validation_dice"  # measured once per round, so markers are visible
        series.SetMarkerStyle(series.MarkerStyleCircle if isSparse else series.MarkerStyleNone)
        series.SetColor(*_COLORS[name])
        self._seriesIds[name] = series.GetID()
        slicer.mrmlScene.GetNodeByID(self._chartId).AddAndObservePlotSeriesNodeID(series.GetID())

    def _tableOf(self, name: str) -> vtk.vtkTable:
        table = vtk.vtkTable()
        points = sorted(self._curves[name].items())
        if len(points) == 1:  # VTK logs an error for a line with a single point
            points *= 2
        for title, k in ((_("Step"), 0), (_titles()[name], 1)):
            column = vtk.vtkDoubleArray()
            column.SetName(title)
            for point in points:
                column.InsertNextValue(point[k])
            table.AddColumn(column)
        return table


def _titles() -> dict[str, str]:
    return {
        "validation_dice": _("Validation Dice"),
        "segmenter_loss": _("Segmenter loss"),
        "consistency_loss": _("Consistency loss (unlabeled cases)"),
        "generator_loss": _("Generator loss"),
        "discriminator_loss": _("Discriminator loss"),
    }


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
