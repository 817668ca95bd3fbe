"""Which class of the model each segment belongs to: suggested at first, then as the user says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.presets import Preset, load_preset
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.SegmentClasses import (
    SegmentUse,
    classesLacking,
    segmentNames,
    suggestClasses,
)
from GenSegSlicerLib.SegmentTable import SegmentTable
from GenSegSlicerLib.TrainingPair import TrainingPair, usedPairs


class SegmentMapping:
    """Fills the table of segments and keeps the parameter `classMap`.

    Args:
        ui: the widgets of the panel.
        onEdited: called when the user gave a segment another class.
    """

    def __init__(self, ui: Any, onEdited: Callable[[], None]) -> None:
        self._onEdited = onEdited
        self._message = InlineMessage(ui.segmentsMessage)
        self._table = SegmentTable(ui.segmentsTable, self._onClassChosen)
        self._parameters: GenSegSlicerParameterNode | None = None
        self._preset: str | None = None
        self._shown: object = None
        self._uses: list[SegmentUse] = []

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Work on these parameters; their map is kept, whatever their preset is."""
        self._parameters = parameters
        self._preset = parameters.preset if parameters and len(parameters.classMap) else None
        self.forget()

    def forget(self) -> None:
        """Look at the segmentations anew the next time: their segments may have changed."""
        self._shown = None

    def classMap(self) -> dict[str, str]:
        """Give the class of each segment found, "" for those that are ignored."""
        chosen = dict(self._parameters.classMap) if self._parameters else {}
        return {use.name: chosen.get(use.name) or "" for use in self._uses}

    def hasClasses(self) -> bool:
        """Tell whether at least one segment belongs to a class."""
        return any(self.classMap().values())

    def show(self, pairs: Sequence[TrainingPair]) -> None:
        """Show the segments of the pairs that are used."""
        used = usedPairs(pairs)
        nodes = [pair.segmentationNode.GetID() for pair in used]
        if self._parameters is None or self._shown == (nodes, self._parameters.preset):
            return
        self._shown = (nodes, self._parameters.preset)
        self._uses = segmentNames(used)
        self._suggest()
        self._fillTable()

    def _suggest(self) -> None:
        """Suggest a class for new segments, and for all of them where the preset is another one."""
        known = dict(self._parameters.classMap)
        names = [use.name for use in self._uses]
        if self._preset != self._parameters.preset:
            known = {}
            self._preset = self._parameters.preset
        new = [use for use in self._uses if use.name not in known]
        if new:
            suggested = suggestClasses(new, load_preset(self._parameters.preset))
            self._parameters.classMap = {**known, **suggested}
        elif set(known) - set(names):
            self._parameters.classMap = {name: known[name] for name in names}

    def _fillTable(self) -> None:
        preset = load_preset(self._parameters.preset)
        self._table.show(self._uses, self.classMap(), list(preset.labels.values()))
        self._warn(preset)

    def _warn(self, preset: Preset) -> None:
        """Say which classes get nothing, or which of them not every case has."""
        found = set(self.classMap().values())
        needed = preset.labels_of(()).values()
        unmapped = [name for name in needed if name not in found]
        if not self._uses:
            self._message.clear()
        elif needed and not self.hasClasses():
            text = _("No segment is a class of {preset}; choose another anatomy in Training")
            self._message.warning(text.format(preset=preset.title))
        elif unmapped:
            names = ", ".join(unmapped)
            self._message.warning(_("No segment belongs to {names} yet").format(names=names))
        else:
            parts = _("{name} is missing in {count} of the cases")
            lacking = classesLacking(self._uses, self.classMap()).items()
            self._message.info("; ".join(parts.format(name=n, count=c) for n, c in lacking))

    def _onClassChosen(self, segment: str, name: str) -> None:
        if self._parameters is None or self.classMap().get(segment) == name:
            return
        self._parameters.classMap = {**dict(self._parameters.classMap), segment: name}
        self._warn(load_preset(self._parameters.preset))
        self._onEdited()
