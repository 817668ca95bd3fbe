"""The whole panel: its sections, and what one of them tells the others."""

from __future__ import annotations

from typing import Any

import vtk

from GenSegSlicerLib.ApplySection import ApplySection
from GenSegSlicerLib.CasesSection import CasesSection
from GenSegSlicerLib.EvaluateSection import EvaluateSection
from GenSegSlicerLib.InstallSection import InstallSection
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.ReviewSection import ReviewSection
from GenSegSlicerLib.RunSection import RunSection
from GenSegSlicerLib.TrainingSection import TrainingSection


class Panel:
    """Makes the sections and keeps them and the parameter node equal.

    Args:
        ui: the named widgets of `GenSegSlicer.ui`.
        logic: what does the work.
    """

    def __init__(self, ui: Any, logic: GenSegSlicerLogic) -> None:
        self.ui = ui
        self.parameters: GenSegSlicerParameterNode | None = None
        self._guiTag: int | None = None
        self._observerTag: int | None = None
        self.cases = CasesSection(ui, logic)
        self.runs = RunSection(ui, logic)
        self.training = TrainingSection(ui, logic, self.cases, self.runs)
        self.review = ReviewSection(ui, logic, self.runs)
        self.apply = ApplySection(ui, logic)
        self.evaluate = EvaluateSection(ui, logic)
        self.install = InstallSection(ui, logic, self.enter)
        self._sections = [
            *(self.cases, self.runs, self.training),
            *(self.review, self.apply, self.evaluate),
        ]
        self._lookForPackages()
        self.cases.onChanged = self.training.update
        self.runs.onChanged = self._onRunChanged

    def setParameterNode(self, node: vtk.vtkObject | None) -> None:
        """Show and edit the choices of this parameter node from now on."""
        if self.parameters is not None and node is self.parameters.parameterNode:
            return
        self._disconnect()
        self.parameters = None if node is None else GenSegSlicerParameterNode(node)
        if self.parameters is not None:
            tag = self.parameters.connectGui(self.ui)
            self._guiTag = 0 if tag is None else tag  # the first one, where Slicer keeps it (5.8)
        for section in self._sections:
            section.setParameters(self.parameters)
        if self.parameters is not None:
            # Only now: a section that changes a choice must not refresh one that has none yet.
            self._observerTag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onModified)
            self.refresh()

    def enter(self) -> None:
        """Look anew at what may have changed while the panel was not shown."""
        if self.install.missing:  # they may have been installed meanwhile
            self.install.show()
            self._lookForPackages()
        self.cases.reload()
        for section in (self.runs, self.training, self.apply, self.review):
            section.enter()
        self.refresh()

    def exit(self) -> None:
        """Give the slice views back."""
        self.review.exit()

    def refresh(self) -> None:
        """Bring all sections up to date."""
        if self.parameters is not None:
            for section in self._sections:
                section.onParametersChanged()

    def sceneCloses(self) -> None:
        """Let go of the nodes of the scene; a running training goes on."""
        for section in self._sections:
            section.sceneClosed()
        self.setParameterNode(None)

    def slicerCloses(self) -> None:
        """Do with a running training what the user answered."""
        self.runs.slicerCloses()

    def nodeRemoved(self) -> None:
        """Forget what was removed from the scene."""
        if self.parameters is not None:
            self.cases.dropRemoved()

    def cleanup(self) -> None:
        """Let go of everything."""
        for section in self._sections:
            section.cleanup()
        self._disconnect()
        self.parameters = None

    def _offerModel(self) -> None:
        """Let Apply know of a model that has just been trained, and choose it if none is."""
        self.apply.enter()
        model = self.runs.newModel()
        if model is not None and not self.parameters.modelFolder:
            self.parameters.modelFolder = str(model)
        self.apply.refresh()

    def _lookForPackages(self) -> None:
        for section in self._sections:
            section.missing = self.install.missing

    def _disconnect(self) -> None:
        if self.parameters is not None:
            self.parameters.disconnectGui(self._guiTag)
            self.parameters.RemoveObserver(self._observerTag)

    def _onModified(self, caller: vtk.vtkObject, event: str) -> None:
        self.refresh()

    def _onRunChanged(self) -> None:
        self.training.update()
        if self.parameters is not None:
            self.review.refresh()
            if not self.runs.isTraining():
                self._offerModel()
