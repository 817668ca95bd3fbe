"""Volumes of a training, those with a segmentation, and their storage in the parameter node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from GenSegLib.checks.duplicates import ImageContent
from GenSegLib.errors import GenSegError
from GenSegLib.images.file_names import unique_names, valid_file_name
from GenSegSlicerLib.Arguments import requireChoice, requireSegmentation, requireVolume
from GenSegSlicerLib.Channels import channelNodes
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.Segments import segmentTimes

ROLES = ("train", "validate", "ignore")
PERSON_ATTRIBUTE = "GenSeg.Person"
FILE_ATTRIBUTE = "GenSeg.File"  # of a raster image or its mask, see `FilePairs`


@dataclass
class TrainingVolume:
    """A volume that a training learns from.

    Attributes:
        volumeNode: the volume.
    """

    volumeNode: slicer.vtkMRMLScalarVolumeNode

    @property
    def name(self) -> str:
        """The volume's name, made valid as part of a file name on all platforms."""
        return valid_file_name(self.volumeNode.GetName() or "")

    @property
    def files(self) -> tuple[Path, ...]:
        """Files of an image, one a channel, if its voxels are not in memory, see `FilePairs`."""
        if self.volumeNode.GetImageData() is not None:
            return ()
        paths = (node.GetAttribute(FILE_ATTRIBUTE) for node in channelNodes(self.volumeNode))
        return tuple(Path(path) for path in paths if path)

    @property
    def person(self) -> str:
        """Whom the volume shows, stored with the volume; "" if only its name says so."""
        return self.volumeNode.GetAttribute(PERSON_ATTRIBUTE) or ""

    @person.setter
    def person(self, person: str) -> None:
        self.volumeNode.SetAttribute(PERSON_ATTRIBUTE, person)


@dataclass
class TrainingPair(TrainingVolume):
    """A volume with its segmentation.

    Attributes:
        volumeNode: the volume.
        segmentationNode: segmentation node or label map volume.
        role: one of `ROLES`.
        status: "" until the pair is checked, then "ok" or the reason why it cannot be used.
        volumes: volumes in ml by label value of the class, as far as drawn; set by the check.
        unknown: label values of the classes whose volume says nothing, since they are absent or
            were not drawn completely; set by the check.
        isStated: whether the user has said which classes are absent or not annotated; set by the
            check.
        content: what identifies the voxels of a small volume, set by the check.
        lost: what segments have lost in the voxels of the volume, set by the check.
        nested: outer and inner class where one lies within another, set by the check.
        notes: what was unclear when volume and segmentation were imported.
        warning: reasons to review the pair, set when all pairs are checked.
        channels: number of channels of the image, set by the check.
        isGrayInColor: whether it is gray, but stored in color; set by the check.
        isFlat: whether the image is a 2-D image, or a clip of several; set by the check.
        channelWarnings: what is not used of the channels, or missing; set by the check.
        readTimes: `segmentTimes` when the segmentation was read from its file.
    """

    segmentationNode: slicer.vtkMRMLNode
    role: str = "train"
    status: str = ""
    volumes: dict[int, float] = field(default_factory=dict)
    unknown: frozenset[int] = frozenset()
    isStated: bool = False
    content: ImageContent | None = None
    lost: list[str] = field(default_factory=list)
    nested: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warning: str = ""
    channels: int = 1
    isGrayInColor: bool = False
    isFlat: bool = False
    channelWarnings: list[str] = field(default_factory=list)
    readTimes: tuple[int, ...] = ()

    @property
    def isFromFiles(self) -> bool:
        """Whether the voxels can be read again, see `FilePairs`."""
        nodes = (self.volumeNode, self.segmentationNode)
        return all(node.GetAttribute(FILE_ATTRIBUTE) for node in nodes)

    @property
    def isReleased(self) -> bool:
        """Whether the voxels must be read first, see `FilePairs`."""
        return self.isFromFiles and self.volumeNode.GetImageData() is None

    @property
    def isEdited(self) -> bool:
        """Whether the segmentation has changed since it was read from its file."""
        return not self.isReleased and segmentTimes(self.segmentationNode) != self.readTimes

    @property
    def isEmpty(self) -> bool:
        """Whether the check has found no voxel of any class."""
        return not any(self.volumes.values())


def requirePairs(pairs: Sequence[TrainingPair]) -> None:
    """Check nodes and roles of pairs that a script passes.

    Raises:
        GenSegError: something else is in the list, a node is missing or of a wrong class, or a role
            is unknown.
    """
    for pair in pairs:
        if not isinstance(pair, TrainingPair):
            raise GenSegError(_("{pair!r} is not a TrainingPair").format(pair=pair))
        requireVolume(pair.volumeNode)
        requireSegmentation(pair.segmentationNode)
        requireChoice(pair.role, ROLES, "role")


def usedPairs(pairs: Sequence[TrainingPair]) -> list[TrainingPair]:
    """Return the pairs that are not ignored."""
    return [pair for pair in pairs if pair.role != "ignore"]


def caseNames(volumes: Sequence[TrainingVolume]) -> list[str]:
    """Return a unique (case-insensitive) file name for each volume."""
    return unique_names(each.name for each in volumes)


def loadPairs(
    parameters: GenSegSlicerParameterNode, known: Sequence[TrainingPair]
) -> list[TrainingPair]:
    """Return the pairs of the parameter node; unchanged ones are taken from `known`."""
    rows = zip(parameters.pairVolumes, parameters.pairSegmentations, parameters.pairRoles)
    pairs = [TrainingPair(*row) for row in rows if row[0] is not None and row[1] is not None]
    byKey = {pairKey(pair): pair for pair in known}
    return [byKey.get(pairKey(pair), pair) for pair in pairs]


def savePairs(parameters: GenSegSlicerParameterNode, pairs: Sequence[TrainingPair]) -> None:
    """Write the pairs into the parameter node, as one modification."""
    with slicer.util.NodeModify(parameters):
        parameters.pairVolumes = [pair.volumeNode for pair in pairs]
        parameters.pairSegmentations = [pair.segmentationNode for pair in pairs]
        parameters.pairRoles = [pair.role for pair in pairs]


def mergeImported(
    node: slicer.vtkMRMLNode, parameters: GenSegSlicerParameterNode, kept: slicer.vtkMRMLNode
) -> None:
    """Restore the parameters that an imported scene has replaced; its pairs are added to them.

    Args:
        node: the parameter node.
        parameters: its parameters, now those of the imported scene.
        kept: copy of the node from before the import.
    """
    imported = loadPairs(parameters, ())
    node.Copy(kept)
    pairs = loadPairs(parameters, ())
    known = {nodeIDs(pair) for pair in pairs}
    savePairs(parameters, [*pairs, *(pair for pair in imported if nodeIDs(pair) not in known)])


def nodeIDs(pair: TrainingPair) -> tuple[str, str]:
    """Return the IDs of both nodes, which identify a pair."""
    return pair.volumeNode.GetID(), pair.segmentationNode.GetID()


def pairKey(pair: TrainingPair) -> tuple[str, str, str]:
    """Return everything that the parameter node stores of a pair."""
    return (*nodeIDs(pair), pair.role)


def modifiedTimes(pair: TrainingPair) -> tuple[object, ...]:
    """Return a value that changes whenever voxels, segments or transforms of a pair do.

    Reading the files of a pair, and releasing its voxels, does not change it.
    """
    node = pair.segmentationNode
    transforms = (each.GetTransformNodeID() for each in (pair.volumeNode, node))
    if pair.isFromFiles and not pair.isEdited:
        return (node.GetAttribute(FILE_ATTRIBUTE), *transforms)
    channels = (each.GetImageData() for each in channelNodes(pair.volumeNode))
    times = (0 if image is None else image.GetMTime() for image in channels)
    return (*times, *segmentTimes(node), *transforms)


def isInScene(pair: TrainingPair) -> bool:
    """Return whether both nodes are still in the scene."""
    nodes = (pair.volumeNode, pair.segmentationNode)
    return all(slicer.mrmlScene.IsNodePresent(node) for node in nodes)
