"""A volume and its segmentation, to learn from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import slicer

ROLES = ("train", "validate", "ignore")
# What some file system forbids in a name, and the names that Windows keeps for devices.
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST = 80


@dataclass
class TrainingPair:
    """A volume with its segmentation, a segmentation node or a label map volume.

    `role` is one of `ROLES`, `status` is "" before the pair was checked, then "ok" or the reason
    why it cannot be learned from. The check also notes the `volumes` of its classes in ml by their
    label values, and, once all pairs are checked, in `remark` what is to be looked at.
    """

    volumeNode: slicer.vtkMRMLScalarVolumeNode
    segmentationNode: slicer.vtkMRMLNode
    role: str = "train"
    status: str = ""
    volumes: dict[int, float] = field(default_factory=dict)
    remark: str = ""

    @property
    def name(self) -> str:
        """The volume's name as it can be part of a file name on every system."""
        name = _FORBIDDEN.sub("_", self.volumeNode.GetName() or "")[:_LONGEST].strip(". ")
        return f"_{name}" if not name or _DEVICES.fullmatch(name) else name


def usedPairs(pairs: Sequence[TrainingPair]) -> list[TrainingPair]:
    """Give the pairs that a training would use."""
    return [pair for pair in pairs if pair.role != "ignore"]


def caseNames(pairs: Sequence[TrainingPair]) -> list[str]:
    """A file name for each pair that no other one has, whatever the case of its letters."""
    names: list[str] = []
    for pair in pairs:
        taken = {name.casefold() for name in names}
        candidates = (pair.name, *(f"{pair.name}_{k}" for k in range(2, len(pairs) + 2)))
        names.append(next(name for name in candidates if name.casefold() not in taken))
    return names
