"""The plot of a training in the layout, shown and hidden with a button."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from GenSegSlicerLib.Charts import TrainingCharts
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.SliceViews import layoutNode, showChart, viewsInLayout

_PLOT_VIEW = "vtkMRMLPlotViewNode"
_NONE = -1  # `layoutBeforeCurves` while no curves are shown


class CurvesView:
    """Shows the chart of one training at a time, and restores the layout of before.

    The parameter node remembers that layout, since a scene may be saved while curves are shown: its
    plot view would be empty, because charts are not saved.
    """

    def __init__(self) -> None:
        self._parameters: GenSegSlicerParameterNode | None = None
        self._charts: TrainingCharts | None = None

    @property
    def isShown(self) -> bool:
        """Whether the current layout shows the chart."""
        if self._charts is None:
            return False
        chartId = self._charts.chartNode.GetID()
        return any(view.GetPlotChartNodeID() == chartId for view in viewsInLayout(_PLOT_VIEW))

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Set the parameter node; a plot view that a loaded scene left empty is removed."""
        self._parameters = parameters
        if parameters is not None and not self.isShown:
            views = viewsInLayout(_PLOT_VIEW)
            self._restoreLayout(any(view.GetPlotChartNode() is None for view in views))

    def show(self, events: Iterable[dict[str, Any]]) -> None:
        """Show the curves of a training."""
        if self._charts is None:
            self._charts = TrainingCharts()
            self._add(events)
        layout = layoutNode()
        if layout is not None and self._parameters is not None and not self.isShown:
            self._parameters.layoutBeforeCurves = layout.GetViewArrangement()
        showChart(self._charts.chartNode)

    def hide(self) -> None:
        """Restore the layout of before, unless the user has selected another one since."""
        self._restoreLayout(self.isShown)

    def setEvents(self, events: Iterable[dict[str, Any]]) -> None:
        """Show another training in the same chart."""
        if self._charts is not None:
            self._charts.clear()
            self._add(events)
            self._charts.update()

    def add(self, event: dict[str, Any]) -> None:
        """Add an event, which is shown by the next `update`."""
        if self._charts is not None:
            self._charts.add(event)

    def update(self) -> None:
        """Show the events that were added."""
        if self._charts is not None:
            self._charts.update()

    def remove(self) -> None:
        """Restore the layout and remove the chart from the scene."""
        if self._charts is not None:
            self.hide()
            self._charts.remove()
            self._charts = None

    def _add(self, events: Iterable[dict[str, Any]]) -> None:
        for event in events:
            self._charts.add(event)

    def _restoreLayout(self, isNeeded: bool) -> None:
        if self._parameters is None or self._parameters.layoutBeforeCurves == _NONE:
            return
        layout = layoutNode()
        if isNeeded and layout is not None:
            layout.SetViewArrangement(self._parameters.layoutBeforeCurves)
        self._parameters.layoutBeforeCurves = _NONE
