"""The table of cases in the *Annotate* section."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import qt
from slicer.i18n import tr as _

from GenSegLib.annotation.folder import CaseState
from GenSegLib.annotation.records import AnnotationRecord
from GenSegLib.case_annotation import COMPLETE
from GenSegSlicerLib.AnnotationCases import AnnotationCase
from GenSegSlicerLib.PartialAnnotation import annotationOf, annotationText
from GenSegSlicerLib.TableWidgets import fitHeight

VOLUME, STATE, STRUCTURES, DICE, MINUTES = range(5)
_COLORS = {CaseState.TODO: "", CaseState.DRAFT: "#b87a14", CaseState.CHECKED: "#2f8f53"}


class AnnotateTable:
    """Shows cases with their states, and what became of their drafts.

    Args:
        table: the QTableWidget.
        onOpened: called with the case that the user double-clicked.
    """

    def __init__(self, table: qt.QTableWidget, onOpened: Callable[[AnnotationCase], None]) -> None:
        self._table, self._onOpened = table, onOpened
        self._cases: list[AnnotationCase] = []
        self._shown: list[tuple[str, ...]] = []  # texts of the rows
        header = table.horizontalHeader()
        for column in (VOLUME, STRUCTURES):
            header.setSectionResizeMode(column, qt.QHeaderView.Stretch)
        for column in (STATE, DICE, MINUTES):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        table.connect("cellDoubleClicked(int,int)", self._onDoubleClicked)

    def show(
        self,
        cases: Sequence[AnnotationCase],
        records: Mapping[str, AnnotationRecord],
        current: str,
    ) -> None:
        """Show cases.

        Args:
            cases: the cases.
            records: last record of each case, by name.
            current: name of the open case, whose row is selected; "" if there is none.
        """
        self._cases = list(cases)
        self._table.setRowCount(len(self._cases))
        before, self._shown = self._shown, [_rowOf(c, records.get(c.name)) for c in self._cases]
        for row, (case, texts) in enumerate(zip(self._cases, self._shown)):
            if row < len(before) and before[row] == texts:
                continue  # there may be thousands
            for column, text in enumerate(texts):
                self._setText(row, column, text, _COLORS[case.state] if column == STATE else "")
        self._select(current)
        fitHeight(self._table, len(self._cases), minimum=3)

    def _select(self, current: str) -> None:
        self._table.clearSelection()
        for row, case in enumerate(self._cases):
            if case.name == current:
                self._table.selectRow(row)
                self._table.scrollToItem(self._table.item(row, VOLUME))

    def _setText(self, row: int, column: int, text: str, color: str = "") -> None:
        item = self._table.item(row, column)
        if item is None:
            item = qt.QTableWidgetItem("")
            self._table.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(text)
        item.setForeground(qt.QBrush(qt.QColor(color)) if color else qt.QBrush())

    def _onDoubleClicked(self, row: int, column: int) -> None:
        if row < len(self._cases):
            self._onOpened(self._cases[row])


def _rowOf(case: AnnotationCase, record: AnnotationRecord | None) -> tuple[str, ...]:
    """Texts of a case's row."""
    hasDice = record is not None and record.dice is not None
    return (
        case.title,
        stateText(case.state),
        _structuresText(case),
        f"{record.dice:.3f}" if hasDice else "",
        f"{record.seconds / 60:.1f}" if record is not None else "",
    )


def stateText(state: CaseState) -> str:
    """Return the translated name of a state."""
    return {
        CaseState.TODO: _("to do"),
        CaseState.DRAFT: _("draft"),
        CaseState.CHECKED: _("accepted"),
    }[state]


def _structuresText(case: AnnotationCase) -> str:
    """Names of the structures, and what is not annotated or absent."""
    text, annotation = ", ".join(case.structures), COMPLETE
    if case.segmentationNode is not None:
        annotation = annotationOf(case.segmentationNode)
    elif case.entry is not None:
        annotation = case.entry.annotation
    if annotation == COMPLETE:
        return text
    return f"{text} ({annotationText(annotation)})".lstrip()
