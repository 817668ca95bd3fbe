"""The *Evaluate* section: compares a segmentation with a reference."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.Bindings import NodeBinding
from GenSegSlicerLib.EvaluateJob import EvaluateJob
from GenSegSlicerLib.InlineMessage import ErrorDetails, InlineMessage
from GenSegSlicerLib.LearnedCases import learnedWarning
from GenSegSlicerLib.Section import Section
from GenSegSlicerLib.TableWidgets import showTableNode


class EvaluateSection(Section[EvaluateJob]):
    """Compares two segmentations and shows a table of scores."""

    def __init__(self, ui: Any, logic: Any) -> None:
        super().__init__(ui, logic)
        self.message = InlineMessage(ui.evaluateMessage)
        self._selection: object = None  # the nodes that the message is about
        self._details = ErrorDetails(ui.evaluateDetailsSection, ui.evaluateDetailsText)
        self._bindings = [
            NodeBinding(ui.predictionSelector, "predictionNode"),
            NodeBinding(ui.referenceSelector, "referenceNode"),
        ]
        ui.scoresTable.setVisible(False)
        ui.evaluateButton.connect("clicked(bool)", lambda checked: self.evaluate())

    def refresh(self) -> None:
        """Enable the button, or explain in its tooltip why it is disabled."""
        problem = self._problem()
        selection = (self.parameters.predictionNode, self.parameters.referenceNode)
        if selection != self._selection:
            self._selection = selection
            self._warn("" if problem else learnedWarning(*selection))
        self.ui.evaluateButton.enabled = not problem
        self.ui.evaluateButton.toolTip = problem or _(
            "Compare the segmentation with the reference."
        )

    def onSceneClosed(self) -> None:
        """Hide the table, whose node is removed with the scene."""
        self._setJob(None)
        self.message.clear()
        self._details.clear()
        self.ui.scoresTable.setVisible(False)

    def evaluate(self) -> None:
        """Compare the selected segmentation with the selected reference."""
        p = self.parameters
        self._setJob(None)
        try:
            job = self.logic.evaluate(p.predictionNode, p.referenceNode)
        except GenSegError as error:
            self.message.error(str(error))
            return
        self._setJob(job)
        self._onJobChanged(job)

    def _warn(self, text: str) -> None:
        self.message.show("warning" if text else "hint", text)

    def _problem(self) -> str:
        p = self.parameters
        if self.missing:
            return _("Install the missing packages first (see above).")
        if self.job is not None and self.job.isActive:
            return _("Evaluation is running.")
        if p.predictionNode is None or p.referenceNode is None:
            return _("Select a segmentation and a reference.")
        if p.predictionNode is p.referenceNode:
            return _("Select two different segmentations.")
        return ""

    def _onJobChanged(self, job: EvaluateJob) -> None:
        self._details.showJob(job)
        if job.isActive:
            self.message.info(_("Comparing..."))
        elif job.state == "failed":
            self.message.error(job.message)
        elif job.tableNode is not None:
            self._warn(learnedWarning(*job.nodes))
            showTableNode(self.ui.scoresTable, job.tableNode)
        if self.parameters is not None:
            self.refresh()
