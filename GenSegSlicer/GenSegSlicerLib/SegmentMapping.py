"""The table that maps segments to classes of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import qt
from slicer.i18n import tr as _

from GenSegLib.checks.class_counts import unnamed_note
from GenSegLib.label_maps import normalized
from GenSegLib.presets import Preset, load_preset
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.SegmentClasses import (
    SegmentOccurrence,
    collectSegments,
    matchedByNumber,
    missingClasses,
    statedClasses,
    suggestClasses,
)
from GenSegSlicerLib.TableWidgets import fitHeight
from GenSegSlicerLib.TrainingPair import TrainingPair, usedPairs

SEGMENT, FOUND, CLASS = range(3)


class SegmentMapping:
    """Fills the segments table and updates the parameter `classMap`.

    Args:
        ui: widgets of the panel.
        onEdited: called when the user changed the class of a segment.
    """

    def __init__(self, ui: Any, onEdited: Callable[[], None]) -> None:
        self._onEdited = onEdited
        self._message = InlineMessage(ui.segmentsMessage)
        self._table = SegmentTable(ui.segmentsTable, self._onClassChosen)
        self._parameters: GenSegSlicerParameterNode | None = None
        self._preset: str | None = None
        self._shown: object = None
        self._segments: list[SegmentOccurrence] = []
        self._pairs: list[TrainingPair] = []

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Set the parameter node; its class map is kept if it is not empty."""
        self._parameters = parameters
        self._preset = parameters.preset if parameters and len(parameters.classMap) else None
        self.invalidate()

    def invalidate(self) -> None:
        """Read the segments again at the next update."""
        self._shown = None

    def classMap(self) -> dict[str, str]:
        """Return the class of each segment, "" for those that are not used."""
        chosen = dict(self._parameters.classMap) if self._parameters else {}
        return {segment.name: chosen.get(segment.name) or "" for segment in self._segments}

    def hasClasses(self) -> bool:
        """Return whether at least one segment is mapped to a class."""
        return any(self.classMap().values())

    def show(self, pairs: Sequence[TrainingPair]) -> None:
        """Show the segments of all pairs that are used."""
        used = usedPairs(pairs)
        nodes = [pair.segmentationNode.GetID() for pair in used]
        if self._parameters is None or self._shown == (nodes, self._parameters.preset):
            return
        self._shown = (nodes, self._parameters.preset)
        self._segments, self._pairs = collectSegments(used), used
        self._updateClassMap()
        self._fillTable()

    def _updateClassMap(self) -> None:
        """Suggest classes for new segments, and for all if the preset was changed."""
        known = dict(self._parameters.classMap)
        names = [segment.name for segment in self._segments]
        if self._preset != self._parameters.preset:
            known = {}
            self._preset = self._parameters.preset
        new = [segment for segment in self._segments if segment.name not in known]
        if new:
            suggested = suggestClasses(new, load_preset(self._parameters.preset), known)
            self._parameters.classMap = {**known, **suggested}
        elif set(known) - set(names):
            self._parameters.classMap = {name: known[name] for name in names}

    def _fillTable(self) -> None:
        preset = load_preset(self._parameters.preset)
        self._table.show(self._segments, self.classMap(), list(preset.labels.values()))
        self._showWarnings(preset)

    def _showWarnings(self, preset: Preset) -> None:
        """Show which classes have no segment, or are missing in some cases."""
        mapped = set(self.classMap().values())
        required = preset.labels_of(()).values()
        unmapped = [name for name in required if name not in mapped]
        if not self._segments:
            self._message.clear()
        elif required and not self.hasClasses():
            text = _("No segment matches a class of {preset}; select another anatomy in Training")
            self._message.warning(text.format(preset=preset.title))
        elif unmapped:
            names = ", ".join(unmapped)
            self._message.warning(_("No segment is mapped to {names}").format(names=names))
        else:
            text = _("{name} is missing in {count} of the cases")
            stated = statedClasses(self._pairs, mapped)
            missing = missingClasses(self._segments, self.classMap(), stated).items()
            lines = [text.format(name=n, count=c) for n, c in missing]
            if lines:
                lines.append(
                    _(
                        'if it was not annotated there, set it to "not annotated" in Partial '
                        "annotation"
                    )
                )
            unnamed = matchedByNumber(self._segments, self.classMap(), preset)
            if unnamed:
                self._message.warning("; ".join([unnamed_note(preset.name, unnamed), *lines]))
            else:
                self._message.info("; ".join(lines))

    def _onClassChosen(self, segment: str, name: str) -> None:
        if self._parameters is None or self.classMap().get(segment) == name:
            return
        others = (each for key, each in self.classMap().items() if key != segment)
        # "tumor" is the class "Tumor" of another segment
        name = next((each for each in others if normalized(each) == normalized(name)), name)
        self._parameters.classMap = {**dict(self._parameters.classMap), segment: name}
        self._showWarnings(load_preset(self._parameters.preset))
        self._onEdited()


class SegmentTable:
    """Shows segments in a QTableWidget with a combo box for the class of each.

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
        segments: Sequence[SegmentOccurrence],
        classMap: Mapping[str, str],
        classes: Sequence[str],
    ) -> None:
        """Show segments with their classes; without `classes` the user enters class names."""
        self._table.setRowCount(len(segments))
        for row, segment in enumerate(segments):
            total = segment.count + len(segment.missingIn)
            self._setText(row, SEGMENT, segment.name, segment.name)
            found = _("{count} of {total}").format(count=segment.count, total=total)
            missing = _("Missing in: {names}").format(names=", ".join(segment.missingIn))
            self._setText(row, FOUND, found, missing if segment.missingIn else _("In all cases"))
            self._setText(row, CLASS, "", "")
            box = self._classBox(segment.name, classMap.get(segment.name) or "", classes)
            self._table.setCellWidget(row, CLASS, box)
        fitHeight(self._table, len(segments), minimum=2, maximum=12)

    def _setText(self, row: int, column: int, text: str, toolTip: str) -> None:
        item = self._table.item(row, column)
        if item is None:
            item = qt.QTableWidgetItem("")
            self._table.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(toolTip)

    def _classBox(self, segment: str, chosen: str, classes: Sequence[str]) -> qt.QComboBox:
        box = qt.QComboBox()
        box.addItem(_("Not used"), "")
        offered = list(classes) or [segment]
        if chosen and chosen not in offered:
            offered.append(chosen)
        for name in offered:
            box.addItem(name, name)
        box.setCurrentIndex(box.findData(chosen))
        box.toolTip = _("Class of the model for this segment.")
        if not classes:
            self._makeEditable(box, segment)
        else:
            box.connect(
                "currentIndexChanged(int)",
                lambda index: self._onEdited(segment, box.itemData(index)),
            )
        return box

    def _makeEditable(self, box: qt.QComboBox, segment: str) -> None:
        """Let the user enter a class name; segments with the same name become one class."""
        box.editable = True
        box.toolTip = _("Name of the class. Segments with the same class name are merged.")

        def onNamed() -> None:
            known = box.findText(box.currentText)
            self._onEdited(segment, box.currentText.strip() if known < 0 else box.itemData(known))

        box.lineEdit().connect("editingFinished()", onNamed)
        box.connect("activated(int)", lambda index: onNamed())
