"""What the five sections of the panel have in common."""

from __future__ import annotations

from typing import Any

from GenSegSlicerLib.Bindings import Binding
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode


class Section:
    """Binds the widgets of one section to the logic and to the parameter node.

    Args:
        ui: the named widgets of the panel, as `slicer.util.childWidgetVariables` gives them.
        logic: what does the work.

    Attributes:
        missing: the Python packages that are not installed; looked up once for all sections.
    """

    def __init__(self, ui: Any, logic: GenSegSlicerLogic) -> None:
        self.ui = ui
        self.logic = logic
        self.missing: list[str] = []
        self.parameters: GenSegSlicerParameterNode | None = None
        self._bindings: list[Binding] = []

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Work on these parameters from now on; None while no scene is there."""
        self.parameters = parameters
        for binding in self._bindings:
            binding.parameters = parameters
        if parameters is not None:
            self.onParametersChanged()

    def onParametersChanged(self) -> None:
        """Show what the parameters say."""
        for binding in self._bindings:
            binding.show()
        self.refresh()

    def refresh(self) -> None:
        """Bring everything that depends on the parameters up to date."""

    def sceneClosed(self) -> None:
        """Let go of the nodes of a scene that is about to be closed."""

    def cleanup(self) -> None:
        """Let go of timers, observers and nodes; the widgets are about to be deleted."""
        self.parameters = None
        for binding in self._bindings:
            binding.parameters = None
