"""The section *Training*: what a training is asked, and whether it can start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from GenSegLib.config import GENERATORLESS
from GenSegLib.errors import GenSegError
from GenSegSlicerLib import TrainingSettings
from GenSegSlicerLib.Bindings import ChoiceBinding, PathBinding
from GenSegSlicerLib.CasesSection import CasesSection
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.RunSection import RunSection
from GenSegSlicerLib.Section import Section

_FOLDER_KEY = "GenSegSlicer/outputFolder"


class TrainingSection(Section):
    """Starts trainings on the pairs of the table, and says what is missing for that."""

    def __init__(self, ui: Any, logic: Any, cases: CasesSection, runs: RunSection) -> None:
        super().__init__(ui, logic)
        self.cases, self.runs = cases, runs
        self.reason = InlineMessage(ui.trainReason)
        self._device = ChoiceBinding(ui.deviceSelector, "device")
        self._bindings = [self._device, PathBinding(ui.outputFolderEdit, "outputFolder")]
        self._device.setChoices([("auto", _("Automatic: the fastest"), "")])
        preset = ChoiceBinding(ui.presetSelector, "preset", TrainingSettings.presetText)
        preset.setChoices(TrainingSettings.presetChoices())
        self._bindings.append(preset)
        for box, name, choices in (
            (ui.segmenterSelector, "segmenter", TrainingSettings.segmenterChoices()),
            (ui.effortSelector, "effort", TrainingSettings.effortChoices()),
            (ui.generatorSelector, "generator", TrainingSettings.generatorChoices()),
            (ui.hypergradientSelector, "hypergradient", TrainingSettings.hypergradientChoices()),
        ):
            binding = ChoiceBinding(box, name)
            binding.setChoices(choices)
            self._bindings.append(binding)
        ui.trainButton.connect("clicked(bool)", lambda checked: self.train())

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Work on these parameters; a new scene starts with the folder that was used last."""
        if parameters is not None and not parameters.outputFolder:
            parameters.outputFolder = str(qt.QSettings().value(_FOLDER_KEY, "") or "")
        super().setParameters(parameters)

    def enter(self) -> None:
        """Ask the training's Python for the devices; PyTorch is never imported into Slicer."""
        if not self.missing:
            self.logic.devices(self._offerDevices)

    def refresh(self) -> None:
        """Show only what matters, and say whether a training can start."""
        p, ui = self.parameters, self.ui
        ui.timeBudgetSpinBox.setVisible(p.effort == TrainingSettings.BUDGET)
        hasGenerator = p.generator not in GENERATORLESS
        ui.hypergradientSelector.enabled = hasGenerator
        ui.hypergradientSelector.toolTip = (
            _("How the error on the held-back cases steers the generator")
            if hasGenerator
            else _("Without a generator there is nothing to steer")
        )
        self.update()

    def update(self) -> None:
        """Enable the button Train, or say why not."""
        if self.parameters is None:
            return
        fault = self.fault()
        self.ui.trainButton.enabled = not fault
        self.ui.trainButton.toolTip = fault or _("Train a model on the pairs above")
        if fault and not self.runs.isTraining():
            self.reason.hint(_("To train: {fault}").format(fault=fault))
        else:
            self.reason.clear()

    def fault(self) -> str:
        """Tell in one line why no training can start; "" where one can."""
        if self.missing:
            return _("install the missing packages first (above)")
        if self.runs.isTraining():
            return _("a training is running; stop it or wait for its end")
        return self.cases.fault() or _folderFault(self.parameters.outputFolder)

    def train(self) -> None:
        """Start a training on the pairs of the table."""
        p = self.parameters
        try:
            job = self.logic.train(
                self.cases.used(),
                p.preset,
                Path(p.outputFolder),
                classMap=self.cases.segments.classMap(),
                settings=TrainingSettings.trainSettings(p),
                effort=TrainingSettings.effort(p),
            )
        except GenSegError as fault:
            self.runs.message.error(str(fault))
        else:
            self.ui.outputFolderEdit.addCurrentPathToHistory()
            qt.QSettings().setValue(_FOLDER_KEY, p.outputFolder)
            self.runs.follow(job)

    def _offerDevices(self, devices: list[dict[str, Any]]) -> None:
        if self.parameters is None:  # the panel was closed meanwhile
            return
        automatic = _("Automatic: the fastest")
        if devices:
            automatic = _("Automatic: {title}").format(title=devices[0]["title"])
        listed = [(each["name"], _deviceText(each), each["name"]) for each in devices]
        self._device.setChoices([("auto", automatic, ""), *listed])


def _deviceText(device: dict[str, Any]) -> str:
    memory = device.get("memory_gb")
    if memory is None:
        return str(device["title"])
    return _("{title}, {memory:.0f} GB").format(title=device["title"], memory=memory)


def _folderFault(folder: str) -> str:
    if not folder:
        return _("choose an output folder")
    if Path(folder).is_file():
        return _("the output folder is a file; choose a folder")
    if Path(folder).is_dir() and not os.access(folder, os.W_OK):
        return _("the output folder cannot be written to; choose another one")
    return ""
