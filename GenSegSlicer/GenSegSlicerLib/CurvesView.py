"""A plot in the layout, shown and hidden with a button."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from GenSegSlicerLib.Charts import TrainingCharts
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.SliceViews import layoutNode, showChart, viewsInLayout

_PLOT_VIEW = "vtkMRMLPlotViewNode"
_NONE = -1  # `layoutBeforeCurves` while no curves are shown


class CurvesView:
    """Shows one chart at a time, and restores the layout of before.

    The parameter node remembers that layout, since a scene may be saved while curves are shown: its
    plot view would be empty, because charts are not saved.

    Args:
        newChart: creates the chart, whose `add` takes what is passed to `show`.
    """

    def __init__(self, newChart: Callable[[], Any] = TrainingCharts) -> None:
        self._newChart = newChart
        self._parameters: GenSegSlicerParameterNode | None = None
        self._charts: Any = None

    @property
    def chart(self) -> Any:
        """The chart, None while there is none."""
        return self._charts

    @property
    def isShown(self) -> bool:
        """Whether the current layout shows the chart."""
        if self._charts is None:
            return False
        chartId = self._charts.chartNode.GetID()
        return any(view.GetPlotChartNodeID() == chartId for view in viewsInLayout(_PLOT_VIEW))

    def setParameters(
        self, parameters: GenSegSlicerParameterNode | None, restore: bool = True
    ) -> None:
        """Set the parameter node.

        Args:
            parameters: the parameter node.
            restore: remove a plot view that a loaded scene left empty.
        """
        self._parameters = parameters
        if restore and parameters is not None and not self.isShown:
            views = viewsInLayout(_PLOT_VIEW)
            self._restoreLayout(any(view.GetPlotChartNode() is None for view in views))

    def show(self, events: Iterable[Any]) -> None:
        """Show the curves of a training, or other items that the chart knows."""
        if self._charts is None:
            self._charts = self._newChart()
            self._add(events)
        layout = layoutNode()
        if layout is not None and self._parameters is not None and not self._isPlotShown():
            self._parameters.layoutBeforeCurves = layout.GetViewArrangement()
        showChart(self._charts.chartNode)

    def _isPlotShown(self) -> bool:
        """Whether the layout is that of this chart, or of another one that it replaces."""
        isOther = self._parameters.layoutBeforeCurves != _NONE
        return self.isShown or (isOther and bool(viewsInLayout(_PLOT_VIEW)))

    def hide(self) -> None:
        """Restore the layout of before, unless the user has selected another one since."""
        self._restoreLayout(self.isShown)

    def setEvents(self, events: Iterable[Any]) -> None:
        """Show another training in the same chart."""
        if self._charts is not None:
            self._charts.clear()
            self._add(events)
            self._charts.update()

    def add(self, event: Any) -> None:
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

    def _add(self, events: Iterable[Any]) -> None:
        for event in events:
            self._charts.add(event)

    def _restoreLayout(self, isNeeded: bool) -> None:
        if self._parameters is None or self._parameters.layoutBeforeCurves == _NONE:
            return
        layout = layoutNode()
        if isNeeded and layout is not None:
            layout.SetViewArrangement(self._parameters.layoutBeforeCurves)
        self._parameters.layoutBeforeCurves = _NONE
