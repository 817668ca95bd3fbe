"""The table of training pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from GenSegSlicerLib.Arguments import VOLUME_CLASSES
from GenSegSlicerLib.Channels import imageTitle
from GenSegSlicerLib.Persons import assumedPersons
from GenSegSlicerLib.TableWidgets import fitHeight
from GenSegSlicerLib.TrainingPair import TrainingPair

VOLUME, SEGMENTATION, ROLE, STATUS, PERSON = range(5)
SEGMENTATION_TYPES = ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode")
_PERSON_WIDTH = 70
_ERROR_COLOR, _WARNING_COLOR, _OK_COLOR = "#c8402e", "#b87a14", "#2f8f53"


class PairTable:
    """Shows pairs in a QTableWidget with columns for volume, segmentation, role, status and person.

    Args:
        table: the table.
        onEdited: called with a pair after the user changed its role, its person or a node.
    """

    def __init__(self, table: qt.QTableWidget, onEdited: Callable[[TrainingPair], None]) -> None:
        self._table = table
        self._onEdited = onEdited
        self._pairs: list[TrainingPair] = []
        header = table.horizontalHeader()
        header.setSectionResizeMode(VOLUME, qt.QHeaderView.Stretch)
        header.setSectionResizeMode(SEGMENTATION, qt.QHeaderView.Stretch)
        header.setSectionResizeMode(ROLE, qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(STATUS, qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(PERSON, qt.QHeaderView.Fixed)
        table.setColumnWidth(PERSON, _PERSON_WIDTH)
        table.connect("cellDoubleClicked(int,int)", self._onDoubleClicked)

    def show(self, pairs: Sequence[TrainingPair]) -> None:
        """Show pairs; the selection is kept if its rows still exist."""
        selected = self.selectedRows()
        self._pairs = list(pairs)
        self._table.clearSelection()
        self._table.setRowCount(len(self._pairs))
        for row, (pair, person) in enumerate(zip(self._pairs, assumedPersons(self._pairs))):
            self._setText(row, PERSON, "")
            self._table.setCellWidget(row, PERSON, self._personBox(pair, person))
            self._table.removeCellWidget(row, VOLUME)
            self._table.removeCellWidget(row, SEGMENTATION)
            self._setText(row, VOLUME, imageTitle(pair.volumeNode))
            self._setText(row, SEGMENTATION, pair.segmentationNode.GetName())
            self._setText(row, ROLE, "")
            self._table.setCellWidget(row, ROLE, self._roleBox(pair))
            self.showStatus(row)
        fitHeight(self._table, len(self._pairs), minimum=3)
        if selected and selected[-1] < len(self._pairs):
            self.select(selected)

    def showStatus(self, row: int) -> None:
        """Show the result of checking the pair of a row."""
        pair = self._pairs[row]
        text, color = _("Checking..."), ""
        if pair.role == "ignore":
            text = _("Ignored")
        elif pair.status == "ok" and pair.warning:
            text, color = _("Warning"), _WARNING_COLOR
        elif pair.status == "ok":
            text, color = _("OK"), _OK_COLOR
        elif pair.status:
            text, color = _("Error"), _ERROR_COLOR
        item = self._setText(row, STATUS, text)
        valid = pair.warning or _("This pair can be used for training.")
        item.setToolTip(valid if pair.status == "ok" else pair.status)
        item.setForeground(qt.QBrush(qt.QColor(color)) if color else qt.QBrush())

    def selectedRows(self) -> list[int]:
        """Return the selected rows, from top to bottom."""
        return sorted({self._table.row(item) for item in self._table.selectedItems()})

    def select(self, rows: Sequence[int]) -> None:
        """Select these rows only."""
        self._table.clearSelection()
        for row in rows:
            for column in range(self._table.columnCount):
                self._table.item(row, column).setSelected(True)

    def _setText(self, row: int, column: int, text: str) -> Any:
        item = self._table.item(row, column)
        if item is None:
            item = qt.QTableWidgetItem("")
            self._table.setItem(row, column, item)
        item.setText(text)
        if column in (VOLUME, SEGMENTATION):
            item.setToolTip(_("{name}. Double-click to select another node.").format(name=text))
        return item

    def _roleBox(self, pair: TrainingPair) -> qt.QComboBox:
        box = qt.QComboBox()
        for role, text in roles():
            box.addItem(text, role)
        box.setCurrentIndex(box.findData(pair.role))
        box.toolTip = _("Use the pair for training or for validation, or ignore it.")

        def onChosen(index: int) -> None:
            pair.role = box.itemData(index)
            self._onEdited(pair)

        box.connect("currentIndexChanged(int)", onChosen)
        return box

    def _personBox(self, pair: TrainingPair, assumed: str) -> qt.QLineEdit:
        box = qt.QLineEdit(pair.person)
        box.placeholderText = assumed
        box.toolTip = _(
            "The person that the volume shows. All volumes of a person are used either for "
            "training or for validation. If empty, the person is assumed from the DICOM patient "
            "ID or the name."
        )

        def onEdited() -> None:
            if box.text.strip() != pair.person:
                pair.person = box.text.strip()
                self._onEdited(pair)

        box.connect("editingFinished()", onEdited)
        return box

    def _onDoubleClicked(self, row: int, column: int) -> None:
        if column not in (VOLUME, SEGMENTATION):
            return
        pair = self._pairs[row]
        attribute = "volumeNode" if column == VOLUME else "segmentationNode"
        box = slicer.qMRMLNodeComboBox()
        box.nodeTypes = list(VOLUME_CLASSES if column == VOLUME else SEGMENTATION_TYPES)
        box.showChildNodeTypes = False
        box.addEnabled = box.removeEnabled = False
        box.setMRMLScene(slicer.mrmlScene)
        box.setCurrentNode(getattr(pair, attribute))

        def onChosen(node: Any) -> None:
            if node is not None and node is not getattr(pair, attribute):
                setattr(pair, attribute, node)
                self._onEdited(pair)

        # Only changes by the user: a combo box selects another node if its node is removed.
        box.connect("nodeActivated(vtkMRMLNode*)", onChosen)
        self._table.setCellWidget(row, column, box)


def roles() -> list[tuple[str, str]]:
    """Return the roles of a pair with their translated names."""
    return [("train", _("Train")), ("validate", _("Validate")), ("ignore", _("Ignore"))]
