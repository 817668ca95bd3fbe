"""The section *Evaluate*: how well does a segmentation agree with a reference?"""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.Bindings import NodeBinding
from GenSegSlicerLib.EvaluateJob import EvaluateJob
from GenSegSlicerLib.FaultDetails import FaultDetails
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.ResultTable import showTableNode
from GenSegSlicerLib.Section import Section


class EvaluateSection(Section):
    """Compares two segmentations in a table of scores."""

    def __init__(self, ui: Any, logic: Any) -> None:
        super().__init__(ui, logic)
        self.message = InlineMessage(ui.evaluateMessage)
        self._details = FaultDetails(ui.evaluateDetailsSection, ui.evaluateDetailsText)
        self.job: EvaluateJob | None = None
        self._bindings = [
            NodeBinding(ui.predictionSelector, "predictionNode"),
            NodeBinding(ui.referenceSelector, "referenceNode"),
        ]
        ui.scoresTable.setVisible(False)
        ui.evaluateButton.connect("clicked(bool)", lambda checked: self.evaluate())

    def refresh(self) -> None:
        """Enable the button, or say why not."""
        reason = self._fault()
        self.ui.evaluateButton.enabled = not reason
        self.ui.evaluateButton.toolTip = reason or _("Compare the two")

    def sceneClosed(self) -> None:
        """Forget the table, which went with the scene."""
        self._leave()
        self.message.clear()
        self._details.clear()
        self.ui.scoresTable.setVisible(False)

    def cleanup(self) -> None:
        """Let go of the job."""
        super().cleanup()
        self._leave()

    def evaluate(self) -> None:
        """Compare the chosen segmentation with the chosen reference."""
        p = self.parameters
        self._leave()
        try:
            self.job = self.logic.evaluate(p.predictionNode, p.referenceNode)
        except GenSegError as fault:
            self.message.error(str(fault))
            return
        self.job.observers.add(self._onJobChanged)
        self._onJobChanged(self.job)

    def _fault(self) -> str:
        p = self.parameters
        if self.missing:
            return _("Install the missing packages first (above)")
        if self.job is not None and self.job.isActive:
            return _("The comparison is running")
        if p.predictionNode is None or p.referenceNode is None:
            return _("Choose a segmentation and a reference")
        if p.predictionNode is p.referenceNode:
            return _("Choose two different segmentations")
        return ""

    def _onJobChanged(self, job: EvaluateJob) -> None:
        self._details.show(job)
        if job.isActive:
            self.message.info(_("Comparing…"))
        elif job.state == "failed":
            self.message.error(job.message)
        elif job.tableNode is not None:
            self.message.clear()
            showTableNode(self.ui.scoresTable, job.tableNode)
        if self.parameters is not None:
            self.refresh()

    def _leave(self) -> None:
        if self.job is not None:
            self.job.observers.discard(self._onJobChanged)
        self.job = None
