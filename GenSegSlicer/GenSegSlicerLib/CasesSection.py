"""The section *Training cases*: which volumes are learned from, and what their segments mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.CaseImport import importFolder
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.PairChecker import PairChecker
from GenSegSlicerLib.PairStorage import identity, isInScene, loadPairs, nodeIDs, savePairs
from GenSegSlicerLib.PairSummary import faultOf, tellAbout
from GenSegSlicerLib.PairTable import PairTable
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.Section import Section
from GenSegSlicerLib.SegmentMapping import SegmentMapping
from GenSegSlicerLib.SliceViews import showPair
from GenSegSlicerLib.TrainingPair import TrainingPair, usedPairs


class CasesSection(Section):
    """Holds the training pairs; `onChanged` is called when they or their classes changed."""

    def __init__(self, ui: Any, logic: Any) -> None:
        super().__init__(ui, logic)
        self.pairs: list[TrainingPair] = []
        self.onChanged = lambda: None
        self.message = InlineMessage(ui.casesMessage)
        self._table = PairTable(ui.casesTable, self._onPairEdited)
        self.segments = SegmentMapping(ui, self.refresh)
        self._checker = PairChecker(self.segments.classMap, self._table.showStatus, self._tell)
        self._rebuilding = qt.QTimer()
        self._rebuilding.setSingleShot(True)
        self._rebuilding.connect("timeout()", self.reload)
        self._toolTips = [
            (button, button.toolTip)
            for button in (
                *(ui.roleTrainButton, ui.roleValidateButton, ui.roleIgnoreButton),
                *(ui.showPairButton, ui.removePairsButton),
            )
        ]
        self._connect()
        self._enableButtons()

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Work on these parameters; without any there are no pairs."""
        self.segments.setParameters(parameters)
        self.pairs = []
        super().setParameters(parameters)
        if parameters is None or not self.pairs:
            self._showPairs()

    def cleanup(self) -> None:
        """Stop checking."""
        super().cleanup()
        self._checker.stop()
        self._rebuilding.stop()

    def refresh(self) -> None:
        """Show the pairs of the parameter node, unless they are shown already."""
        saved = loadPairs(self.parameters, self.pairs)
        if [identity(pair) for pair in saved] != [identity(pair) for pair in self.pairs]:
            self.pairs = saved
            self._showPairs()
        elif self._showSegments():
            self._showPairs()

    def reload(self) -> None:
        """Look at nodes anew that may have been renamed, edited or removed meanwhile."""
        if self.parameters is None:
            return
        self.pairs = [pair for pair in self.pairs if isInScene(pair)]
        self._checker.forgetEdited(self.pairs)
        self.segments.forget()
        self._save()
        self._showPairs()

    def dropRemoved(self) -> None:
        """Drop pairs whose nodes are gone, when Slicer has time for it."""
        if not all(isInScene(pair) for pair in self.pairs):
            self._rebuilding.start(0)

    def used(self) -> list[TrainingPair]:
        """Give the pairs that a training would use."""
        return usedPairs(self.pairs)

    def fault(self) -> str:
        """Tell in one line why these pairs cannot be learned from; "" where they can."""
        return faultOf(self.pairs, self.segments.hasClasses())

    def addFromScene(self) -> None:
        """Add every pair that the scene holds and the table does not."""
        self._try(lambda: self._add(self.logic.findPairs(self.pairs), _("in the scene")))

    def importFolder(self, folder: str) -> None:
        """Load the cases of a folder and add them."""
        self.ui.importFolderButton.enabled = False  # events are handled while it loads
        self._tellLoading(0, 0)
        self._try(
            lambda: self._add(importFolder(Path(folder), self._tellLoading), _("in the folder"))
        )
        self.ui.importFolderButton.enabled = True

    def addChosen(self) -> None:
        """Add the volume and the segmentation of the two boxes below the table."""
        volume = self.ui.pairVolumeSelector.currentNode()
        segmentation = self.ui.pairSegmentationSelector.currentNode()
        if volume is None or segmentation is None:
            self.message.warning(_("Choose a volume and its segmentation to add them as a pair"))
        else:
            self._add([TrainingPair(volume, segmentation, "train")], "")

    def setRole(self, role: str) -> None:
        """Give the selected pairs a role."""
        rows = self._table.selectedRows()
        for row in rows:
            self.pairs[row].role = role
        if rows:
            self._save()
            self._showPairs()

    def removeSelected(self) -> None:
        """Take the selected pairs out of the table."""
        rows = set(self._table.selectedRows())
        if rows:
            self.pairs = [pair for row, pair in enumerate(self.pairs) if row not in rows]
            self._save()
            self._showPairs()

    def showSelected(self) -> None:
        """Show the first selected pair in the slice views."""
        for row in self._table.selectedRows()[:1]:
            showPair(self.pairs[row].volumeNode, self.pairs[row].segmentationNode)

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
        """Enable what works on selected pairs, or say that none is selected."""
        selected = bool(self._table.selectedRows())
        for button, toolTip in self._toolTips:
            button.enabled = selected
            button.toolTip = toolTip if selected else _("Select one or more pairs first")

    def _tellLoading(self, done: int, count: int) -> None:
        text = _("Loading: {done} of {count} cases") if count else _("Loading the cases…")
        self.message.info(text.format(done=done, count=count))
        slicer.app.processEvents()

    def _try(self, action: Any) -> None:
        try:
            action()
        except GenSegError as fault:
            self.message.error(str(fault))

    def _add(self, found: Sequence[TrainingPair], where: str) -> None:
        known = {nodeIDs(pair) for pair in self.pairs}
        new = [pair for pair in found if nodeIDs(pair) not in known]
        self.pairs.extend(new)
        self._save()
        self._showPairs()
        if not new and where:
            self.message.info(_("No further pair was found {where}").format(where=where))
        elif not new:
            self.message.info(_("This pair is in the table already"))

    def _onPairEdited(self, pair: TrainingPair) -> None:
        pair.status = ""
        self._save()
        # The edited box must not be replaced while its own signal is being handled.
        self._rebuilding.start(0)

    def _showSegments(self) -> bool:
        """Show the segments; tells whether one has another class now, which counts for all."""
        self.segments.show(self.pairs)
        return self._checker.forgetIfMapped(self.pairs)

    def _showPairs(self) -> None:
        self._showSegments()
        self._table.show(self.pairs)
        self._checker.check(self.pairs)
        self._tell()

    def _tell(self) -> None:
        tellAbout(self.pairs, self.message)
        self.onChanged()

    def _save(self) -> None:
        """Keep the pairs; faults, and volumes that are there twice, are judged anew."""
        volumes = [pair.volumeNode for pair in self.used()]
        for pair in self.pairs:
            if pair.status != "ok" or volumes.count(pair.volumeNode) > 1:
                pair.status = ""
        if self.parameters is not None:
            savePairs(self.parameters, self.pairs)
