"""Base class of the sections of the panel."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from GenSegSlicerLib.Bindings import Binding
from GenSegSlicerLib.Job import Job
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode

JobT = TypeVar("JobT", bound=Job)


class Section(Generic[JobT]):
    """Connects the widgets of a section to the logic and the parameter node.

    Args:
        ui: named widgets of the panel, from `slicer.util.childWidgetVariables`.
        logic: module logic.

    Attributes:
        missing: names of missing Python packages.
        job: current job, None if there is none.
    """

    def __init__(self, ui: Any, logic: GenSegSlicerLogic) -> None:
        self.ui = ui
        self.logic = logic
        self.missing: list[str] = []
        self.parameters: GenSegSlicerParameterNode | None = None
        self.job: JobT | None = None
        self._bindings: list[Binding] = []

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Set the parameter node, which `onParametersChanged` shows; None while there is none."""
        self.parameters = parameters
        for binding in self._bindings:
            binding.parameters = parameters

    def onParametersChanged(self) -> None:
        """Update the widgets from the parameter node."""
        for binding in self._bindings:
            binding.show()
        self.refresh()

    def refresh(self) -> None:
        """Update everything that depends on the parameter node."""

    def onSceneClosed(self) -> None:
        """Release the nodes of a scene that is being closed."""

    def cleanup(self) -> None:
        """Release timers, observers and nodes before the widgets are deleted."""
        self.parameters = None
        for binding in self._bindings:
            binding.parameters = None
        self._setJob(None)

    def _setJob(self, job: JobT | None) -> None:
        """Observe a job, instead of the previous one, which continues."""
        if self.job is not None:
            self.job.observers.discard(self._onJobChanged)
        self.job = job
        if job is not None:
            job.observers.add(self._onJobChanged)

    def _onJobChanged(self, job: JobT) -> None:
        """Show the state of the job."""
