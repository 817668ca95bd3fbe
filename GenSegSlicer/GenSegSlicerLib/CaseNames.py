"""Names of the cases of volumes, which are names of files, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import slicer

from GenSegLib.annotation.folder import CaseEntry
from GenSegLib.images.file_names import numbered_names, valid_file_name
from GenSegSlicerLib.CaseContents import contentOf, firstChannel

CASE_ATTRIBUTE = "GenSeg.Case"
"""Volume node attribute with the name of its case in the annotation folder."""


class EditsNote(NamedTuple):
    """What is noted with a correction in progress.

    Attributes:
        content: fingerprint of its volume, "" if it is unknown.
        time: when it was saved, in seconds since 1970; 0 if that is unknown.
    """

    content: str = ""
    time: float = 0.0


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
        self._images = {name: Path(entry.image) for name, entry in entries.items()}
        oldest = sorted(self._images, key=lambda name: entries[name].time)
        self._ofFiles = {self._images[name]: name for name in oldest}
        self._used: set[str] = set()
        self._names: dict[str, str] = {}
        for node in sorted(volumeNodes, key=lambda node: not node.GetAttribute(CASE_ATTRIBUTE)):
            self._names[node.GetID()] = self._choose(node)

    def of(self, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
        """Return the name of a volume's case."""
        return self._names[volumeNode.GetID()]

    def ofFile(self, title: str, path: Path) -> str:
        """Return the name of the case of an image that is not loaded.

        Its voxels are compared when it is loaded.

        Args:
            title: name of the image in its folder.
            path: file of its first channel, or DICOM folder.
        """
        stored = self._ofFiles.get(path, "")
        return self._take(stored, title, lambda name: self._mayBeOf(name, path))

    def _choose(self, node: slicer.vtkMRMLScalarVolumeNode) -> str:
        stored = node.GetAttribute(CASE_ATTRIBUTE) or ""
        return self._take(stored, node.GetName() or "", lambda name: self._isOf(name, node))

    def _take(self, stored: str, title: str, fits: Callable[[str], bool]) -> str:
        names = chain([stored] if stored else [], numbered_names(valid_file_name(title)))
        name = next(each for each in names if self._isFree(each) and fits(each))
        self._used.add(name.casefold())
        return name

    def _isFree(self, name: str) -> bool:
        known, _content = self._known.get(name.casefold(), (name, ""))
        return name.casefold() not in self._used and known == name

    def _isOf(self, name: str, node: slicer.vtkMRMLScalarVolumeNode) -> bool:
        _known, content = self._known.get(name.casefold(), (name, ""))
        if not content or node.GetImageData() is None:
            return True
        return firstChannel(content) == firstChannel(contentOf(node))

    def _mayBeOf(self, name: str, path: Path) -> bool:
        """Whether the image of a case may be that of a file; one that is gone may have moved."""
        image = self._images.get(name, path)
        return image == path or not image.is_absolute() or not image.exists()
