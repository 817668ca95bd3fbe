"""Widgets that say which voxels and classes of segmentations were annotated."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from GenSegLib.case_annotation import ClassState
from GenSegSlicerLib.PartialAnnotation import (
    annotationOf,
    annotationText,
    classStateChoices,
    drawnChoices,
    drawnPartOf,
    setClassState,
    setDrawnPart,
)
from GenSegSlicerLib.TableWidgets import fitHeight

CLASS, STATE = range(2)
_SUMMARY_LENGTH = 36  # a longer title would widen the panel


class PartialAnnotationView:
    """Shows what the first of some segmentations says, and stores what the user chooses with all.

    Args:
        section: ctkCollapsibleButton of the widgets; its text sums up what is not annotated.
        drawnSelector: QComboBox of what is drawn.
        table: QTableWidget of the classes.
        onEdited: called after the user has chosen something.
    """

    def __init__(
        self, section: Any, drawnSelector: Any, table: Any, onEdited: Callable[[], None]
    ) -> None:
        self._section, self._drawn, self._table = section, drawnSelector, table
        self._title, self._onEdited = section.text, onEdited
        self._nodes: list[slicer.vtkMRMLNode] = []
        self._shown: object = None
        for index, (part, text, toolTip) in enumerate(drawnChoices()):
            drawnSelector.addItem(text, part)
            drawnSelector.setItemData(index, toolTip, qt.Qt.ToolTipRole)
        drawnSelector.connect("currentIndexChanged(int)", self._onDrawnChosen)
        header = table.horizontalHeader()
        header.setSectionResizeMode(CLASS, qt.QHeaderView.Stretch)
        header.setSectionResizeMode(STATE, qt.QHeaderView.ResizeToContents)
        self.show([], [])

    def show(self, nodes: Sequence[slicer.vtkMRMLNode], classes: Sequence[str]) -> None:
        """Show what is said of segmentations; nothing is shown without any.

        Args:
            nodes: segmentations or label maps.
            classes: names of the classes that they may have.
        """
        said = [annotationOf(node) for node in nodes]
        shown = [node.GetID() for node in nodes], said, list(classes)
        if shown == self._shown:  # a list that is open must not be replaced
            return
        self._nodes, self._shown = list(nodes), shown
        self._section.setVisible(bool(nodes))
        if not nodes:
            return
        wasBlocked = self._drawn.blockSignals(True)
        self._drawn.setCurrentIndex(self._drawn.findData(drawnPartOf(nodes[0])))
        self._drawn.blockSignals(wasBlocked)
        self._showClasses(classes)
        self._showSummary()

    def _showClasses(self, classes: Sequence[str]) -> None:
        annotation = annotationOf(self._nodes[0])
        self._table.setRowCount(len(classes))
        for row, name in enumerate(classes):
            item = qt.QTableWidgetItem(name)
            item.setToolTip(name)
            self._table.setItem(row, CLASS, item)
            self._table.setCellWidget(row, STATE, self._stateBox(name, annotation.state(name)))
        fitHeight(self._table, len(classes), minimum=2)

    def _stateBox(self, name: str, state: ClassState) -> qt.QComboBox:
        box = qt.QComboBox()
        for index, (each, text, toolTip) in enumerate(classStateChoices()):
            box.addItem(text, each.value)
            box.setItemData(index, toolTip, qt.Qt.ToolTipRole)
        box.setCurrentIndex(box.findData(state.value))
        box.toolTip = _("Whether the class was annotated in this case.")

        def onChosen(index: int) -> None:
            for node in self._nodes:
                setClassState(node, name, ClassState(box.itemData(index)))
            self._changed()

        box.connect("currentIndexChanged(int)", onChosen)
        return box

    def _onDrawnChosen(self, index: int) -> None:
        for node in self._nodes:
            setDrawnPart(node, self._drawn.itemData(index))
        if self._nodes:
            self._changed()

    def _changed(self) -> None:
        self._showSummary()
        self._onEdited()

    def _showSummary(self) -> None:
        text = annotationText(annotationOf(self._nodes[0]))
        short = textwrap.shorten(text, _SUMMARY_LENGTH, placeholder=" ...")
        self._section.text = f"{self._title}: {short}" if text else self._title
