"""The settings of the *Training* section."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from GenSegLib.config import GENERATORLESS
from GenSegLib.errors import GenSegError
from GenSegSlicerLib import TrainingSettings
from GenSegSlicerLib.Bindings import CheckedNodesBinding, ChoiceBinding, PathBinding
from GenSegSlicerLib.CasesSection import CasesSection
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.Job import Job
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.Paths import isFile, isFolder
from GenSegSlicerLib.RunSection import RunSection
from GenSegSlicerLib.Section import Section
from GenSegSlicerLib.UnlabeledScans import UnlabeledScans

_FOLDER_KEY = "GenSegSlicer/outputFolder"


class TrainingSection(Section[Job]):
    """Starts training runs on the pairs of the table."""

    def __init__(self, ui: Any, logic: Any, cases: CasesSection, runs: RunSection) -> None:
        super().__init__(ui, logic)
        self.cases, self.runs = cases, runs
        self.problemMessage = InlineMessage(ui.trainReason)
        self._device = ChoiceBinding(ui.deviceSelector, "device")
        self._purpose = InlineMessage(ui.generationLabel)
        self._bindings = [
            self._device,
            PathBinding(ui.outputFolderEdit, "outputFolder"),
            PathBinding(ui.adaptFolderEdit, "adaptFolder"),
            CheckedNodesBinding(ui.adaptVolumesSelector, "adaptVolumes"),
        ]
        self._device.setChoices([("auto", _("Automatic (fastest device)"), "")])
        preset = ChoiceBinding(ui.presetSelector, "preset", TrainingSettings.presetText)
        preset.setChoices(TrainingSettings.presetChoices())
        self._bindings.append(preset)
        for box, name, choices in (
            (ui.segmenterSelector, "segmenter", TrainingSettings.segmenterChoices()),
            (ui.effortSelector, "effort", TrainingSettings.effortChoices()),
            (
                ui.targetScannerSelector,
                "targetScanner",
                TrainingSettings.targetScannerChoices(),
            ),
            (ui.generatorSelector, "generator", TrainingSettings.generatorChoices()),
            (ui.hypergradientSelector, "hypergradient", TrainingSettings.hypergradientChoices()),
        ):
            binding = ChoiceBinding(box, name)
            binding.setChoices(choices)
            self._bindings.append(binding)
        ui.trainButton.connect("clicked(bool)", lambda checked: self.train())

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Set the parameter node; a new scene gets the last used output folder."""
        if parameters is not None and not parameters.outputFolder:
            parameters.outputFolder = str(qt.QSettings().value(_FOLDER_KEY, "") or "")
        super().setParameters(parameters)

    def enter(self) -> None:
        """Query the devices in another process, so that PyTorch is not imported into Slicer."""
        if not self.missing:
            self.logic.devices(self._updateDeviceList)

    def refresh(self) -> None:
        """Show the widgets that apply to the current settings."""
        p, ui = self.parameters, self.ui
        ui.timeBudgetSpinBox.setVisible(p.effort == TrainingSettings.BUDGET)
        hasGenerator = p.generator not in GENERATORLESS
        ui.hypergradientSelector.enabled = hasGenerator
        ui.hypergradientSelector.toolTip = (
            _("How gradients of the validation loss with respect to the generator are computed.")
            if hasGenerator
            else _("Applies only to generators that are trained.")
        )
        self.update()

    def update(self) -> None:
        """Enable the Start training button, or show why it is disabled."""
        if self.parameters is None:
            return
        self._suggestPreset()
        problem = self.problem()
        self.ui.trainButton.enabled = not problem
        self.ui.trainButton.toolTip = problem or _("Train a model on the pairs above.")
        if problem and not self.runs.isTraining():
            self.problemMessage.hint(_("To train: {problem}").format(problem=problem))
        else:
            self.problemMessage.clear()
        pairs = self.cases.usedPairs()
        scans = 0 if self._scansProblem() else self.scans().count(pairs)
        self._purpose.hint(TrainingSettings.purpose(self.parameters, scans, len(pairs) or None))

    def scans(self) -> UnlabeledScans:
        """Return the scans without labels to adapt to."""
        p = self.parameters
        nodes = tuple(node for node in p.adaptVolumes if node is not None)
        return UnlabeledScans(nodes, Path(p.adaptFolder) if p.adaptFolder else None)

    def _scansProblem(self) -> str:
        return self.scans().problem(self.cases.usedPairs())

    def _suggestPreset(self) -> None:
        """Choose a preset for 2-D images once the pairs are such, and one for volumes again."""
        p = self.parameters
        checked = [pair for pair in self.cases.usedPairs() if pair.status == "ok"]
        preset = TrainingSettings.suggestedPreset(checked, p.preset)
        if preset != p.preset:
            p.preset = preset

    def problem(self) -> str:
        """Return in one line why training cannot start, "" if it can."""
        if self.missing:
            return _("install the missing packages first (see above)")
        if self.runs.isTraining():
            return _("another training is running; stop it or wait until it ends")
        problem = self.cases.problem() or self._scansProblem()
        return problem or _folderProblem(self.parameters.outputFolder)

    def train(self) -> None:
        """Start a training on the pairs of the table."""
        p = self.parameters
        try:
            job = self.logic.train(
                self.cases.usedPairs(),
                p.preset,
                Path(p.outputFolder),
                classMap=self.cases.segments.classMap(),
                settings=TrainingSettings.trainSettings(p),
                effort=TrainingSettings.effort(p),
                includes=self.cases.includes(),
                scans=self.scans(),
            )
        except GenSegError as error:
            self.runs.message.error(str(error))
        else:
            self.ui.outputFolderEdit.addCurrentPathToHistory()
            qt.QSettings().setValue(_FOLDER_KEY, p.outputFolder)
            self.runs.follow(job)

    def _updateDeviceList(self, devices: list[dict[str, Any]]) -> None:
        if self.parameters is None:  # the panel was closed meanwhile
            return
        automatic = _("Automatic (fastest device)")
        if devices:
            automatic = _("Automatic ({title})").format(title=devices[0]["title"])
        choices = [(each["name"], _deviceText(each), each["name"]) for each in devices]
        self._device.setChoices([("auto", automatic, ""), *choices])


def _deviceText(device: dict[str, Any]) -> str:
    memory = device.get("memory_gb")
    if memory is None:
        return str(device["title"])
    return _("{title}, {memory:.0f} GB").format(title=device["title"], memory=memory)


def _folderProblem(folder: str) -> str:
    if not folder:
        return _("select an output folder")
    if isFile(Path(folder)):
        return _("the output folder is a file; select a folder")
    if isFolder(Path(folder)) and not os.access(folder, os.W_OK):
        return _("the output folder is not writable; select another folder")
    return ""
