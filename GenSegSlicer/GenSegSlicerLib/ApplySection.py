"""The *Apply* section: segments volumes with a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.ApplyJob import ApplyJob, requireChannels
from GenSegSlicerLib.Bindings import CheckedNodesBinding, ChoiceBinding
from GenSegSlicerLib.Channels import furtherChannels, setFurtherChannels
from GenSegSlicerLib.CoarseSurfaces import isLarge
from GenSegSlicerLib.Geometry import isFlat
from GenSegSlicerLib.InlineMessage import ErrorDetails, InlineMessage
from GenSegSlicerLib.Job import IdleTask
from GenSegSlicerLib.ModelSelector import ModelSelector, fitWarnings
from GenSegSlicerLib.Resampling import overlapWarnings
from GenSegSlicerLib.Section import Section
from GenSegSlicerLib.SegmentNodes import hideEarlierResults
from GenSegSlicerLib.SliceViews import showIn3DSteps, showOverlay, showPair
from GenSegSlicerLib.Tables import volumesTable
from GenSegSlicerLib.TableWidgets import showTableNode
from GenSegSlicerLib.VolumeFiles import requireUsableVolume


class ApplySection(Section[ApplyJob]):
    """Segments one or several volumes with the selected model."""

    def __init__(self, ui: Any, logic: Any) -> None:
        super().__init__(ui, logic)
        self.message = InlineMessage(ui.applyMessage)
        self._details = ErrorDetails(ui.applyDetailsSection, ui.applyDetailsText)
        self.fit = InlineMessage(ui.fitMessage)
        self.models = ModelSelector(ui, logic)
        self._checkedFit: object = None
        self._unsuitable = ""  # why the volume cannot be segmented
        self._surfaces: IdleTask | None = None  # of results that are being shown in 3D
        mode = ChoiceBinding(ui.outputModeSelector, "outputMode")
        mode.setChoices(
            [
                ("replace", _("Replace"), _("Replace existing segments with the result.")),
                ("add", _("Keep"), _("Add the result to the existing segments.")),
            ]
        )
        further = CheckedNodesBinding(ui.furtherVolumesSelector, "furtherVolumes")
        self._bindings = [*self.models.bindings, mode, further]
        ui.inputChannelsSelector.connect("checkedNodesChanged()", self._onChannelsChecked)
        ui.volumesTable.setVisible(False)
        ui.applyProgressBar.setVisible(False)
        ui.applyButton.connect("clicked(bool)", lambda checked: self.apply())
        ui.cancelApplyButton.connect("clicked(bool)", lambda checked: self.cancel())

    def enter(self) -> None:
        """Update the list of models each time the panel is shown."""
        self.models.invalidate()
        self.models.updateList()

    def onSceneClosed(self) -> None:
        """Cancel the running job, whose volume is removed from the scene."""
        self.cancel()
        self._cancelSurfaces()
        self._setJob(None)
        self._checkedFit = None
        self.message.clear()
        self._details.clear()
        self.ui.volumesTable.setVisible(False)

    def refresh(self) -> None:
        """Show the selected model and whether it suits the volume; enable widgets."""
        self.models.show(self.parameters.modelFolder)
        self._showChannels()
        self._checkFit()
        self._updateOptions()
        problem = self._problem()
        self.ui.applyButton.enabled = not problem
        self.ui.applyButton.toolTip = problem or _("Segment the volume with the selected model.")
        self.ui.cancelApplyButton.enabled = self._isActive()

    def _updateOptions(self) -> None:
        p, ui = self.parameters, self.ui
        several = bool(self._furtherVolumes())
        ui.outputSegmentationSelector.enabled = not several
        ui.outputSegmentationSelector.toolTip = (
            _("A new segmentation is created for each of several volumes.")
            if several
            else _("Segmentation node that stores the result.")
        )
        ui.outputModeSelector.enabled = p.outputSegmentation is not None and not several
        ui.outputModeSelector.toolTip = (
            _("Whether to keep or replace the segments of the selected segmentation.")
            if ui.outputModeSelector.enabled
            else _("Select an existing segmentation to keep or replace its segments.")
        )
        ui.mirrorCheckBox.enabled = self._supportsMirroring()
        ui.mirrorCheckBox.toolTip = (
            _("Average the predictions of mirrored copies. Up to 8 times slower.")
            if ui.mirrorCheckBox.enabled
            else _("This model was trained without mirroring.")
        )

    def apply(self) -> None:
        """Segment the selected volumes."""
        p = self.parameters
        further = self._furtherVolumes()
        self._setJob(None)
        try:
            job = self.logic.apply(
                Path(p.modelFolder),
                [p.inputVolume, *further],
                None if further else p.outputSegmentation,
                mode=p.outputMode,
                mirror=p.mirror and self._supportsMirroring(),
                uncertainty=p.uncertainty,
                device=p.device,
            )
        except GenSegError as error:
            self.message.error(str(error))
            return
        self.ui.modelFolderEdit.addCurrentPathToHistory()
        self._setJob(job)
        self._onJobChanged(job)

    def cleanup(self) -> None:
        """Release the results that are being shown."""
        super().cleanup()
        self._cancelSurfaces()

    def _cancelSurfaces(self) -> None:
        if self._surfaces is not None:
            self._surfaces.cancel()
            self._surfaces = None

    def cancel(self) -> None:
        """Cancel the segmentation."""
        if self._isActive():
            self.job.cancel()

    def _problem(self) -> str:
        if self.missing:
            return _("Install the missing packages first (see above).")
        if self._isActive():
            return _("Segmentation is running.")
        if self.models.metadata is None:
            return self.models.problem
        if self.parameters.inputVolume is None:
            return _("Select a volume to segment.")
        return self._unsuitable

    def _furtherVolumes(self) -> list[Any]:
        p = self.parameters
        return [node for node in p.furtherVolumes if node not in (None, p.inputVolume)]

    def _supportsMirroring(self) -> bool:
        metadata = self.models.metadata
        return metadata is not None and bool(metadata.preset.mirror_axes)

    def _isActive(self) -> bool:
        return self.job is not None and self.job.isActive

    def _onChannelsChecked(self) -> None:
        """Make the checked volumes further channels of the volume."""
        if self.parameters is not None and self.parameters.inputVolume is not None:
            channels = self.ui.inputChannelsSelector.checkedNodes()
            setFurtherChannels(self.parameters.inputVolume, channels)
            self._checkedFit = None
            self.refresh()

    def _showChannels(self) -> None:
        """Check the further channels of the volume; only models of several channels have any."""
        box, volume = self.ui.inputChannelsSelector, self.parameters.inputVolume
        metadata = self.models.metadata
        hasChannels = metadata is not None and metadata.preset.channels > 1
        for widget in (box, self.ui.inputChannelsLabel):
            widget.setVisible(hasChannels)
        channels = [] if volume is None else furtherChannels(volume)
        wasBlocked = box.blockSignals(True)
        for node in box.checkedNodes():
            if node not in channels:
                box.uncheck(node)
        for node in channels:
            box.check(node)
        box.blockSignals(wasBlocked)

    def _checkFit(self) -> None:
        """Warn if the model is not suitable for the volume; checked once per selection."""
        p = self.parameters
        selection = (p.inputVolume, p.modelFolder, self.models.metadata)
        if self._checkedFit == selection:
            return
        self._checkedFit = selection
        self._unsuitable, warnings = "", []
        if p.inputVolume is not None and self.models.metadata is not None:
            try:
                requireUsableVolume(p.inputVolume)
                requireChannels(p.inputVolume, self.models.metadata)
                warnings = fitWarnings(p.inputVolume, self.models.metadata)
                warnings += overlapWarnings(p.inputVolume)
            except GenSegError as error:
                self._unsuitable = str(error)
        self.fit.warning("\n".join(warnings) or self._unsuitable)

    def _onJobChanged(self, job: ApplyJob) -> None:
        self._details.showJob(job)
        bar = self.ui.applyProgressBar
        bar.setVisible(job.isActive)
        bar.setValue(round(1000 * job.fraction))
        if job.isActive:
            self.message.clear()
        elif job.state == "failed" and not job.segmentationNodes:
            self.message.error(job.message)
        elif job.state == "cancelled":
            self.message.info(_("Canceled; the scene was not changed"))
        else:
            self._showResult(job)
        if self.parameters is not None:
            self.refresh()

    def _showResult(self, job: ApplyJob) -> None:
        p, nodes = self.parameters, job.segmentationNodes
        self._setJob(None)
        if p is None or not nodes:
            return
        results = zip(nodes, job.segmentedNodes)
        solid = [node for node, volume in results if p.show3D and not isFlat(volume)]
        coarse = [node.GetName() for node in solid if isLarge(node)]
        for node in nodes:
            hideEarlierResults(node)
        self._showIn3D(solid)
        showPair(job.segmentedNodes[0], nodes[0])
        if job.uncertaintyNodes:
            showOverlay(job.uncertaintyNodes[0])
        names = [node.GetName() for node in (*nodes, *job.uncertaintyNodes)]
        done = _("Done: {names}").format(names=", ".join(names))
        if coarse:
            text = _("{names}: shown in 3D with less detail, since the segments are large")
            done += "\n" + text.format(names=", ".join(coarse))
        if job.message:  # the other volumes could not be segmented
            self.message.error("\n".join([job.message, done, *job.warnings]))
        elif job.warnings:
            self.message.warning("\n".join([done, *job.warnings]))
        else:
            self.message.success(done)
        self.ui.volumesTable.setVisible(False)
        if p.makeVolumesTable:
            self._showTable(nodes)
        if p.predictionNode is None:
            p.predictionNode = nodes[0]

    def _showIn3D(self, nodes: Sequence[Any]) -> None:
        """Show results in 3D one after another, since their surfaces take time."""
        if not nodes:
            return

        def showNext(error: str) -> None:
            self._surfaces = None
            if error:
                self.message.error(error)
            else:
                self._showIn3D(nodes[1:])

        self._surfaces = IdleTask(showIn3DSteps(nodes[0]), lambda fraction: None, showNext)

    def _showTable(self, nodes: Sequence[Any]) -> None:
        try:
            showTableNode(self.ui.volumesTable, volumesTable(nodes, _tableName(nodes)))
        except GenSegError as error:
            text = _("Done, but volumes could not be measured: {error}")
            self.message.warning(text.format(error=error))


def _tableName(nodes: Sequence[Any]) -> str:
    name = _("Volumes of {name}").format(name=nodes[0].GetName())
    if len(nodes) > 1:
        name = _("Volumes of {count} segmentations").format(count=len(nodes))
    return name
