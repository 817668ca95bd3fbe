"""The complete panel: creates the sections and connects them to each other."""

from __future__ import annotations

from typing import Any

import qt
import slicer
import vtk

from GenSegSlicerLib.AnnotateSection import AnnotateSection
from GenSegSlicerLib.ApplySection import ApplySection
from GenSegSlicerLib.CasesSection import CasesSection
from GenSegSlicerLib.EvaluateSection import EvaluateSection
from GenSegSlicerLib.InstallSection import InstallSection
from GenSegSlicerLib.LiveSection import LiveSection
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.PanelSections import PanelSections
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.ReviewSection import ReviewSection
from GenSegSlicerLib.RunSection import RunSection
from GenSegSlicerLib.TrainingPair import mergeImported
from GenSegSlicerLib.TrainingSection import TrainingSection


class Panel:
    """Creates the sections and synchronizes them with the parameter node.

    Args:
        ui: named widgets of `GenSegSlicer.ui`.
        logic: module logic.
    """

    def __init__(self, ui: Any, logic: GenSegSlicerLogic) -> None:
        self.ui = ui
        self.parameters: GenSegSlicerParameterNode | None = None
        self._kept: slicer.vtkMRMLScriptedModuleNode | None = None
        self._guiTag: int | None = None
        self._observerTag: int | None = None
        _copyToolTips(ui)
        self.cases = CasesSection(ui, logic)
        self.runs = RunSection(ui, logic)
        self.annotate = AnnotateSection(ui, logic, self.cases, self.runs)
        self.training = TrainingSection(ui, logic, self.cases, self.runs)
        self.review = ReviewSection(ui, logic, self.runs)
        self.apply = ApplySection(ui, logic)
        self.live = LiveSection(ui, logic)
        self.evaluate = EvaluateSection(ui, logic)
        self.install = InstallSection(ui, logic, self.enter)
        self._sections = [
            *(self.cases, self.runs, self.annotate, self.training),
            *(self.review, self.apply, self.live, self.evaluate),
        ]
        self._layout = PanelSections(
            [
                *(ui.casesSection, ui.annotateSection, ui.trainingSection, ui.reviewSection),
                *(ui.applySection, ui.liveSection, ui.evaluateSection),
            ]
        )
        self._updateMissingPackages()
        self.cases.onChanged = self.training.update
        self.runs.onChanged = self._onRunChanged

    def setParameterNode(self, node: vtk.vtkObject | None) -> None:
        """Set and observe the parameter node."""
        if self.parameters is not None and node is self.parameters.parameterNode:
            return
        self._disconnect()
        self.parameters = None if node is None else GenSegSlicerParameterNode(node)
        if self.parameters is not None:
            tag = self.parameters.connectGui(self.ui)
            self._guiTag = 0 if tag is None else tag  # Slicer 5.8 stores the first GUI as 0
        for section in self._sections:
            section.setParameters(self.parameters)
        if self.parameters is not None:
            # Observe only now: a section that sets a parameter must not refresh one without it.
            self._observerTag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onModified)
            self.refresh()

    def enter(self) -> None:
        """Update everything that may have changed while the panel was hidden."""
        if self.install.missing:  # packages may have been installed meanwhile
            self.install.show()
            self._updateMissingPackages()
        self.cases.reload()
        for section in (self.runs, self.annotate, self.training, self.apply, self.review):
            section.enter()
        self.live.enter()
        self.refresh()

    def exit(self) -> None:
        """Restore the slice views."""
        self.annotate.exit()
        self.review.exit()

    def refresh(self) -> None:
        """Update all sections."""
        if self.parameters is not None:
            for section in self._sections:
                section.onParametersChanged()
            if self.cases.pairs or self.runs.job is not None:
                self._layout.openOnce(self.ui.trainingSection)

    def onSceneClosing(self) -> None:
        """Release the nodes of the scene; a running training continues."""
        for section in self._sections:
            section.onSceneClosed()
        self.setParameterNode(None)

    def onSceneImporting(self) -> None:
        """Release the parameter node, and remember what the imported scene must not replace."""
        self._kept = None
        if self.parameters is not None and self.cases.pairs:
            self._kept = slicer.vtkMRMLScriptedModuleNode()
            self._kept.Copy(self.parameters.parameterNode)
        self.setParameterNode(None)

    def onSceneReady(self, node: vtk.vtkObject) -> None:
        """Show the parameters of a new scene, or those from before an import with its pairs."""
        if self._kept is not None:
            mergeImported(node, GenSegSlicerParameterNode(node), self._kept)
            self._kept = None
        self.setParameterNode(node)

    def onApplicationQuit(self) -> None:
        """Stop a running training if the user chose so."""
        self.runs.onApplicationQuit()

    def onNodeRemoved(self) -> None:
        """Remove pairs whose nodes were removed from the scene."""
        if self.parameters is not None:
            self.cases.dropRemoved()
            self.annotate.onNodesChanged()

    def onNodeAdded(self) -> None:
        """List a volume that was added to the scene."""
        if self.parameters is not None:
            self.annotate.onNodesChanged()

    def cleanup(self) -> None:
        """Release jobs, timers and nodes."""
        self._disconnect()  # sections that are released must not be refreshed
        for section in self._sections:
            section.cleanup()
        self.parameters = None

    def _offerTrainedModel(self) -> None:
        """List a model that was just trained in *Apply*, and select it if there is no other."""
        self.apply.enter()
        self.live.enter()
        model = self.runs.trainedModel()
        if model is not None and not self.parameters.modelFolder:
            self.parameters.modelFolder = str(model)
        self.apply.refresh()

    def _updateMissingPackages(self) -> None:
        for section in self._sections:
            section.missing = self.install.missing

    def _disconnect(self) -> None:
        if self.parameters is not None:
            self.parameters.disconnectGui(self._guiTag)
            self.parameters.RemoveObserver(self._observerTag)

    def _onModified(self, caller: vtk.vtkObject, event: str) -> None:
        self.refresh()

    def _onRunChanged(self) -> None:
        if self.runs.job is not None and self.runs.job.state == "failed":
            self.install.show()  # a package may be missing
            self._updateMissingPackages()
        self.training.update()
        self.annotate.refresh()
        if self.parameters is not None:
            self.review.refresh()
            if not self.runs.isTraining():
                self._offerTrainedModel()


def _copyToolTips(ui: Any) -> None:
    """Show on each label the tooltip of the widget that it names."""
    for widget in vars(ui).values():
        if isinstance(widget, qt.QLabel) and widget.buddy() is not None:
            widget.toolTip = widget.buddy().toolTip
