"""The table that maps the segments that were found to the classes of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import qt
from slicer.i18n import tr as _

from GenSegSlicerLib.SegmentClasses import SegmentUse
from GenSegSlicerLib.TableSizes import fitHeight

SEGMENT, FOUND, CLASS = range(3)


class SegmentTable:
    """Shows segments in a `QTableWidget` with a choice of the class for each.

    Args:
        table: the table.
        onEdited: called with a segment's name and its new class, "" for none.
    """

    def __init__(self, table: qt.QTableWidget, onEdited: Callable[[str, str], None]) -> None:
        self._table = table
        self._onEdited = onEdited
        header = table.horizontalHeader()
        header.setSectionResizeMode(SEGMENT, qt.QHeaderView.Stretch)
        header.setSectionResizeMode(FOUND, qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(CLASS, qt.QHeaderView.Stretch)

    def show(
        self,
        uses: Sequence[SegmentUse],
        classMap: Mapping[str, str],
        classes: Sequence[str],
    ) -> None:
        """Show the segments with their classes.

        `classes` are those that may be chosen; where it is empty the user names them freely.
        """
        self._table.setRowCount(len(uses))
        for row, use in enumerate(uses):
            cases = use.count + len(use.missingIn)
            self._setText(row, SEGMENT, use.name, use.name)
            found = _("{count} of {cases}").format(count=use.count, cases=cases)
            lacking = _("Missing in: {names}").format(names=", ".join(use.missingIn))
            self._setText(row, FOUND, found, lacking if use.missingIn else _("In every case"))
            self._setText(row, CLASS, "", "")
            box = self._classBox(use.name, classMap.get(use.name) or "", classes)
            self._table.setCellWidget(row, CLASS, box)
        fitHeight(self._table, len(uses), least=2, most=12)

    def _setText(self, row: int, column: int, text: str, toolTip: str) -> None:
        item = self._table.item(row, column)
        if item is None:
            item = qt.QTableWidgetItem("")
            self._table.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(toolTip)

    def _classBox(self, segment: str, chosen: str, classes: Sequence[str]) -> qt.QComboBox:
        box = qt.QComboBox()
        box.addItem(_("Ignore"), "")
        offered = list(classes) or [segment]
        if chosen and chosen not in offered:
            offered.append(chosen)
        for name in offered:
            box.addItem(name, name)
        box.setCurrentIndex(box.findData(chosen))
        box.toolTip = _("The class that the model learns from this segment")
        if not classes:
            self._letName(box, segment)
        else:
            box.connect(
                "currentIndexChanged(int)",
                lambda index: self._onEdited(segment, box.itemData(index)),
            )
        return box

    def _letName(self, box: qt.QComboBox, segment: str) -> None:
        """Let the user type a name; two segments with one name become one class."""
        box.editable = True
        box.toolTip = _("Name of the class; segments with the same name become one class")

        def onNamed() -> None:
            known = box.findText(box.currentText)
            self._onEdited(segment, box.currentText.strip() if known < 0 else box.itemData(known))

        box.lineEdit().connect("editingFinished()", onNamed)
        box.connect("activated(int)", lambda index: onNamed())
