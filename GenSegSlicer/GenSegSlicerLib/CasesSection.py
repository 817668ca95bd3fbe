"""The *Training cases* section: pairs of volumes and segmentations, and classes of segments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.nesting import Includes
from GenSegSlicerLib import FilePairs
from GenSegSlicerLib.CaseImport import importFolder
from GenSegSlicerLib.Channels import setFurtherChannels
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.Job import Job
from GenSegSlicerLib.NestedClasses import includesOf, nestedText
from GenSegSlicerLib.PairChecker import PairChecker
from GenSegSlicerLib.PairChecks import pairSummary, trainingProblem
from GenSegSlicerLib.PairTable import PairTable
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.PartialAnnotation import classNames
from GenSegSlicerLib.PartialAnnotationView import PartialAnnotationView
from GenSegSlicerLib.Section import Section
from GenSegSlicerLib.SegmentMapping import SegmentMapping
from GenSegSlicerLib.SliceViews import showPair
from GenSegSlicerLib.TrainingPair import (
    TrainingPair,
    isInScene,
    loadPairs,
    nodeIDs,
    pairKey,
    savePairs,
    usedPairs,
)


class CasesSection(Section[Job]):
    """Manages the training pairs.

    Attributes:
        pairs: all pairs of the table.
        onChanged: called when pairs or classes of segments have changed.
    """

    def __init__(self, ui: Any, logic: Any) -> None:
        super().__init__(ui, logic)
        self.pairs: list[TrainingPair] = []
        self.onChanged = lambda: None
        self.message = InlineMessage(ui.casesMessage)
        self._table = PairTable(ui.casesTable, self._onPairEdited)
        self.segments = SegmentMapping(ui, self.refresh)
        self._checker = PairChecker(
            self.segments.classMap, self._table.showStatus, self._showSummary
        )
        self._reloadTimer = qt.QTimer()
        self._note = ("", "")  # kind and text about the last action, shown above the summary
        self._reloadTimer.setSingleShot(True)
        self._reloadTimer.connect("timeout()", self.reload)
        self._toolTips = [
            (button, button.toolTip)
            for button in (
                *(ui.roleTrainButton, ui.roleValidateButton, ui.roleIgnoreButton),
                *(ui.showPairButton, ui.removePairsButton),
            )
        ]
        self._partial = PartialAnnotationView(
            *(ui.pairPartialSection, ui.pairDrawnSelector, ui.pairClassesTable),
            self._onAnnotationEdited,
        )
        self._connect()
        self._enableButtons()

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Set the parameter node; None removes all pairs."""
        self.segments.setParameters(parameters)
        super().setParameters(parameters)
        self.pairs = [] if parameters is None else loadPairs(parameters, [])
        self._note = ("", "")
        self._showPairs()

    def cleanup(self) -> None:
        """Stop checking."""
        super().cleanup()
        self._checker.stop()
        self._reloadTimer.stop()

    def refresh(self) -> None:
        """Show the pairs of the parameter node if they have changed."""
        saved = loadPairs(self.parameters, self.pairs)
        if [pairKey(pair) for pair in saved] != [pairKey(pair) for pair in self.pairs]:
            self.pairs = saved
            self._showPairs()
        elif self._showSegments():
            self._showPairs()

    def reload(self) -> None:
        """Update pairs whose nodes may have been renamed, edited or removed."""
        if self.parameters is None:
            return
        self.pairs = [pair for pair in self.pairs if isInScene(pair)]
        self._checker.resetEdited(self.pairs)
        self.segments.invalidate()
        self._save()
        self._showPairs()

    def dropRemoved(self) -> None:
        """Remove pairs whose nodes were removed, once events have been processed."""
        if not all(isInScene(pair) for pair in self.pairs):
            self._reloadTimer.start(0)

    @property
    def isChecking(self) -> bool:
        """Whether pairs are being checked."""
        return self._checker.isChecking

    def usedPairs(self) -> list[TrainingPair]:
        """Return the pairs that are not ignored."""
        return usedPairs(self.pairs)

    def includes(self) -> Includes:
        """Return the classes within each class, if nested classes were found and are to be used."""
        isUsed = self.parameters is not None and self.parameters.trainNested
        return includesOf(self.pairs) if isUsed else {}

    def problem(self) -> str:
        """Return in one line why the pairs cannot be trained on, "" if they can."""
        return trainingProblem(self.pairs, self.segments.hasClasses())

    def addFromScene(self) -> None:
        """Add all pairs of the scene that are not in the table."""
        self._showErrors(lambda: self._add(self.logic.findPairs(self.pairs), _("in the scene")))

    def importFolder(self, folder: str) -> None:
        """Load the cases of a folder, add them to the table and show the first one."""
        self.ui.importFolderButton.enabled = False  # events are processed while loading
        self._showLoadingProgress(0, 0)
        notes: list[str] = []
        load = partial(importFolder, Path(folder), self._showLoadingProgress, notes.append)
        self._showErrors(lambda: self._addAndShow(load(), notes))
        self.ui.importFolderButton.enabled = True

    def addChosen(self) -> None:
        """Add the volume and the segmentation that are selected below the table."""
        volume = self.ui.pairVolumeSelector.currentNode()
        segmentation = self.ui.pairSegmentationSelector.currentNode()
        if volume is None or segmentation is None:
            self._setNote("warning", _("Select a volume and its segmentation to add them"))
        else:
            channels = self.ui.pairChannelsSelector.checkedNodes()
            if channels:
                setFurtherChannels(volume, channels)
            self._add([TrainingPair(volume, segmentation, "train")], "")

    def addPair(self, pair: TrainingPair) -> None:
        """Add a pair; it replaces the segmentation of a pair with the same volume."""
        known = next((each for each in self.pairs if each.volumeNode is pair.volumeNode), None)
        if known is None:
            self._add([pair], "")
        elif known.segmentationNode is not pair.segmentationNode:
            known.segmentationNode = pair.segmentationNode
            self._onPairEdited(known)

    def setRole(self, role: str) -> None:
        """Set the role of the selected pairs."""
        rows = self._table.selectedRows()
        self._note = ("", "")
        for row in rows:
            self.pairs[row].role = role
        if rows:
            self._save()
            self._showPairs()

    def removeSelected(self) -> None:
        """Remove the selected pairs from the table."""
        rows = set(self._table.selectedRows())
        self._note = ("", "")
        if rows:
            self.pairs = [pair for row, pair in enumerate(self.pairs) if row not in rows]
            self._save()
            self._showPairs()

    def showSelected(self) -> None:
        """Show the first selected pair in the slice views."""
        for row in self._table.selectedRows()[:1]:
            self._showErrors(partial(self._showPair, self.pairs[row]))

    def _connect(self) -> None:
        ui = self.ui
        ui.casesTable.connect("itemSelectionChanged()", self._enableButtons)
        ui.addFromSceneButton.connect("clicked(bool)", lambda checked: self.addFromScene())
        ui.importFolderButton.connect("directorySelected(QString)", self.importFolder)
        ui.addPairButton.connect("clicked(bool)", lambda checked: self.addChosen())
        ui.removePairsButton.connect("clicked(bool)", lambda checked: self.removeSelected())
        ui.showPairButton.connect("clicked(bool)", lambda checked: self.showSelected())
        ui.roleTrainButton.connect("clicked(bool)", lambda checked: self.setRole("train"))
        ui.roleValidateButton.connect("clicked(bool)", lambda checked: self.setRole("validate"))
        ui.roleIgnoreButton.connect("clicked(bool)", lambda checked: self.setRole("ignore"))

    def _enableButtons(self) -> None:
        """Enable buttons for selected pairs, or explain in tooltips why they are disabled."""
        selected = bool(self._table.selectedRows())
        for button, toolTip in self._toolTips:
            button.enabled = selected
            button.toolTip = toolTip if selected else _("Select one or more pairs first.")
        nodes = [pair.segmentationNode for pair in self._selectedPairs()]
        self._partial.show(nodes, classNames(self.segments.classMap().values()))

    def _selectedPairs(self) -> list[TrainingPair]:
        rows = self._table.selectedRows()
        return [self.pairs[row] for row in rows if row < len(self.pairs)]

    def _onAnnotationEdited(self) -> None:
        for pair in self._selectedPairs():
            self._onPairEdited(pair)

    def _showLoadingProgress(self, done: int, count: int) -> None:
        text = _("Loading {done} of {count} cases...") if count else _("Loading cases...")
        self.message.info(text.format(done=done, count=count))
        slicer.app.processEvents()

    def _showErrors(self, action: Any) -> None:
        try:
            action()
        except GenSegError as error:
            self._setNote("error", str(error))

    def _setNote(self, kind: str, text: str) -> None:
        self._note = (kind, text)
        self._showSummary()

    def _addAndShow(self, found: Sequence[TrainingPair], notes: Sequence[str]) -> None:
        self._add(found, _("in the folder"))
        if notes:
            self._setNote("warning", "\n".join(notes))
        for pair in found[:1]:
            self._showPair(pair)

    def _showPair(self, pair: TrainingPair) -> None:
        """Show a pair; raster images are read from their files then, and the last ones released."""
        FilePairs.load(pair)
        showPair(pair.volumeNode, pair.segmentationNode)
        for other in self.pairs:
            FilePairs.release(other)

    def _add(self, found: Sequence[TrainingPair], where: str) -> None:
        known = {nodeIDs(pair) for pair in self.pairs}
        new = [pair for pair in found if nodeIDs(pair) not in known]
        self.pairs.extend(new)
        self._note = ("", "")
        if not new and where:
            self._note = "info", _("No additional pairs were found {where}").format(where=where)
        elif not new:
            self._note = "info", _("This pair is already in the table")
        self._save()
        self._showPairs()

    def _onPairEdited(self, pair: TrainingPair) -> None:
        pair.status = ""
        self._note = ("", "")
        self._save()
        # The edited combo box must not be replaced while it is emitting a signal.
        self._reloadTimer.start(0)

    def _showSegments(self) -> bool:
        """Show the segments; returns whether a class was changed, which affects all pairs."""
        self.segments.show(self.pairs)
        return self._checker.resetIfRemapped(self.pairs)

    def _showPairs(self) -> None:
        self._showSegments()
        self._table.show(self.pairs)
        self._checker.check(self.pairs)
        self._showSummary()

    def _showSummary(self) -> None:
        nested = nestedText(includesOf(self.pairs))
        self.ui.nestedCheckBox.text = nested
        self.ui.nestedCheckBox.setVisible(bool(nested))
        kind, summary = pairSummary(self.pairs, self._checker.general)
        noteKind, note = self._note
        if noteKind == "error":
            kind, summary = noteKind, ""
        text = "\n".join(part for part in (note, summary) if part)
        self.message.show(kind if kind != "hint" else noteKind or kind, text)
        self.onChanged()

    def _save(self) -> None:
        """Store the pairs; invalid pairs and nodes that are used twice are checked again."""
        used = [
            node for pair in self.usedPairs() for node in (pair.volumeNode, pair.segmentationNode)
        ]
        for pair in self.pairs:
            counts = (used.count(node) for node in (pair.volumeNode, pair.segmentationNode))
            if pair.status != "ok" or max(counts) > 1:
                pair.status = ""
        if self.parameters is not None:
            savePairs(self.parameters, self.pairs)
