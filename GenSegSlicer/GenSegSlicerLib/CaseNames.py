"""Names of the cases of volumes, which are names of files, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import slicer

from GenSegLib.annotation.folder import CaseEntry
from GenSegLib.images.file_names import numbered_names, valid_file_name
from GenSegSlicerLib.CaseContents import contentOf

CASE_ATTRIBUTE = "GenSeg.Case"
"""Volume node attribute with the name of its case in the annotation folder."""


class EditsNote(NamedTuple):
    """The fingerprint of the volume of a correction in progress; "" if it is unknown."""

    content: str


class CaseNames:
    """Chooses names: a volume with the name, but not the voxels of a case is another case.

    Upper and lower case do not matter. What earlier versions wrote has no fingerprint and belongs
    to any volume of its name.

    Args:
        entries: of the annotation folder.
        edits: corrections in progress by the name of their case.
        volumeNodes: the volumes; those whose case has a name keep it, also if they were renamed.
    """

    def __init__(
        self,
        entries: Mapping[str, CaseEntry],
        edits: Mapping[str, EditsNote],
        volumeNodes: Sequence[slicer.vtkMRMLScalarVolumeNode],
    ) -> None:
        contents = {name: note.content for name, note in edits.items()}
        for name, entry in entries.items():
            contents[name] = entry.content or contents.get(name, "")
        self._known = {name.casefold(): (name, content) for name, content in contents.items()}
        self._used: set[str] = set()
        self._names: dict[str, str] = {}
        for node in sorted(volumeNodes, key=lambda node: not node.GetAttribute(CASE_ATTRIBUTE)):
            self._names[node.GetID()] = self._choose(node)

    def of(self, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
        """Return the name of a volume's case."""
        return self._names[volumeNode.GetID()]

    def _choose(self, node: slicer.vtkMRMLScalarVolumeNode) -> str:
        stored = node.GetAttribute(CASE_ATTRIBUTE)
        name = str(stored)
        if not stored or stored.casefold() in self._used:
            base = valid_file_name(node.GetName() or "")
            name = next(each for each in numbered_names(base) if self._isFree(each, node))
        self._used.add(name.casefold())
        return name

    def _isFree(self, name: str, node: slicer.vtkMRMLScalarVolumeNode) -> bool:
        known, content = self._known.get(name.casefold(), (name, ""))
        if name.casefold() in self._used or known != name:
            return False
        return not content or node.GetImageData() is None or content == contentOf(node)
