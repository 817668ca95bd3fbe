"""The section *Apply*: a trained model segments volumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.ApplyJob import ApplyJob
from GenSegSlicerLib.Bindings import CheckedNodesBinding, ChoiceBinding
from GenSegSlicerLib.FaultDetails import FaultDetails
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.ModelCard import misfits
from GenSegSlicerLib.ModelChooser import ModelChooser
from GenSegSlicerLib.ResultTable import showTableNode
from GenSegSlicerLib.Section import Section
from GenSegSlicerLib.SliceViews import showIn3D, showPair
from GenSegSlicerLib.Tables import volumesTable


class ApplySection(Section):
    """Segments one or several volumes with the chosen model."""

    def __init__(self, ui: Any, logic: Any) -> None:
        super().__init__(ui, logic)
        self.message = InlineMessage(ui.applyMessage)
        self._details = FaultDetails(ui.applyDetailsSection, ui.applyDetailsText)
        self.fit = InlineMessage(ui.fitMessage)
        self.models = ModelChooser(ui, logic)
        self.job: ApplyJob | None = None
        self._judged: object = None
        self._unfit = ""  # why the volume cannot be segmented
        mode = ChoiceBinding(ui.outputModeSelector, "outputMode")
        mode.setChoices(
            [
                ("replace", _("Replace them"), _("The segmentation holds the result alone")),
                ("add", _("Keep them and add"), _("The result is added to the segments there")),
            ]
        )
        further = CheckedNodesBinding(ui.furtherVolumesSelector, "furtherVolumes")
        self._bindings = [*self.models.bindings, mode, further]
        ui.volumesTable.setVisible(False)
        ui.applyProgressBar.setVisible(False)
        ui.applyButton.connect("clicked(bool)", lambda checked: self.apply())
        ui.cancelApplyButton.connect("clicked(bool)", lambda checked: self.cancel())

    def enter(self) -> None:
        """Look for models each time the panel is shown."""
        self.models.forget()
        self.models.offer()

    def cleanup(self) -> None:
        """Let go of the job."""
        super().cleanup()
        self._leave()

    def sceneClosed(self) -> None:
        """Give the running job up: the volume that it segments is gone."""
        self.cancel()
        self._leave()
        self._judged = None
        self.message.clear()
        self._details.clear()
        self.ui.volumesTable.setVisible(False)

    def refresh(self) -> None:
        """Show the chosen model, whether the volume suits it, and what can be done."""
        p, ui = self.parameters, self.ui
        self.models.show(p.modelFolder)
        self._judgeFit()
        several = bool(self._further())
        ui.outputSegmentationSelector.enabled = not several
        ui.outputSegmentationSelector.toolTip = (
            _("Each of several volumes gets a new segmentation")
            if several
            else _("Where the result goes")
        )
        ui.outputModeSelector.enabled = p.outputSegmentation is not None and not several
        ui.outputModeSelector.toolTip = (
            _("What happens to the segments that the chosen segmentation has already")
            if ui.outputModeSelector.enabled
            else _("Only for an existing segmentation")
        )
        ui.mirrorCheckBox.enabled = self._knowsMirrored()
        ui.mirrorCheckBox.toolTip = (
            _("Also segment mirrored copies and average: up to 8 times slower")
            if ui.mirrorCheckBox.enabled
            else _("This model learned from no mirrored cases, and would not know mirrored copies")
        )
        reason = self._fault()
        ui.applyButton.enabled = not reason
        ui.applyButton.toolTip = reason or _("Segment the volume with this model")
        ui.cancelApplyButton.enabled = self._isActive()
        ui.cancelApplyButton.toolTip = (
            _("Stop without a result") if self._isActive() else _("Nothing is running")
        )

    def apply(self) -> None:
        """Segment the chosen volumes."""
        p = self.parameters
        several = self._further()
        self._leave()
        try:
            self.job = self.logic.apply(
                Path(p.modelFolder),
                [p.inputVolume, *several],
                None if several else p.outputSegmentation,
                mode=p.outputMode,
                mirror=p.mirror and self._knowsMirrored(),
                uncertainty=p.uncertainty,
                device=p.device,
            )
        except GenSegError as fault:
            self.message.error(str(fault))
            return
        self.ui.modelFolderEdit.addCurrentPathToHistory()
        self.job.observers.add(self._onJobChanged)
        self._onJobChanged(self.job)

    def cancel(self) -> None:
        """Stop the segmentation without a result."""
        if self._isActive():
            self.job.cancel()

    def _fault(self) -> str:
        if self.missing:
            return _("Install the missing packages first (above)")
        if self._isActive():
            return _("A segmentation is running")
        if self.models.metadata is None:
            return self.models.fault
        if self.parameters.inputVolume is None:
            return _("Choose the volume to segment")
        return self._unfit

    def _further(self) -> list[Any]:
        p = self.parameters
        return [node for node in p.furtherVolumes if node not in (None, p.inputVolume)]

    def _knowsMirrored(self) -> bool:
        metadata = self.models.metadata
        return metadata is not None and bool(metadata.preset.mirror_axes)

    def _isActive(self) -> bool:
        return self.job is not None and self.job.isActive

    def _judgeFit(self) -> None:
        """Warn where model and volume do not fit, once for each choice of them."""
        p = self.parameters
        if self._judged == (p.inputVolume, p.modelFolder, self.models.metadata):
            return
        self._judged = (p.inputVolume, p.modelFolder, self.models.metadata)
        self._unfit, doubts = "", []
        if p.inputVolume is not None and self.models.metadata is not None:
            try:
                doubts = misfits(p.inputVolume, self.models.metadata)
            except GenSegError as fault:
                self._unfit = str(fault)
        self.fit.warning("\n".join(doubts) or self._unfit)

    def _onJobChanged(self, job: ApplyJob) -> None:
        self._details.show(job)
        bar = self.ui.applyProgressBar
        bar.setVisible(job.isActive)
        bar.setValue(round(1000 * job.fraction))
        if job.isActive:
            self.message.clear()
        elif job.state == "failed":
            self.message.error(job.message)
        elif job.state == "cancelled":
            self.message.info(_("Cancelled; nothing was changed"))
        elif job.state == "finished":
            self._showResult(job)
        if self.parameters is not None:
            self.refresh()

    def _showResult(self, job: ApplyJob) -> None:
        p, nodes = self.parameters, job.segmentationNodes
        self._leave()
        if p is None or not nodes:
            return
        for node in nodes if p.show3D else ():
            showIn3D(node)
        showPair(job.volumeNodes[0], nodes[0])
        done = _("Done: {names}").format(names=", ".join(n.GetName() for n in nodes))
        if job.warnings:
            self.message.warning("\n".join([done, *job.warnings]))
        else:
            self.message.good(done)
        self.ui.volumesTable.setVisible(False)
        if p.makeVolumesTable:
            self._showTable(nodes)
        if p.predictionNode is None:
            p.predictionNode = nodes[0]

    def _showTable(self, nodes: Sequence[Any]) -> None:
        try:
            showTableNode(self.ui.volumesTable, volumesTable(nodes, _tableName(nodes)))
        except GenSegError as fault:
            self.message.warning(_("Done, without a table of volumes: {f}").format(f=fault))

    def _leave(self) -> None:
        if self.job is not None:
            self.job.observers.discard(self._onJobChanged)
        self.job = None


def _tableName(nodes: Sequence[Any]) -> str:
    name = _("Volumes of {name}").format(name=nodes[0].GetName())
    if len(nodes) > 1:
        name = _("Volumes of {count} segmentations").format(count=len(nodes))
    return slicer.mrmlScene.GenerateUniqueName(name)
