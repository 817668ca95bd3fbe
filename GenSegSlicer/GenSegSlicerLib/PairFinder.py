"""Search of the scene for volumes with a segmentation."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import slicer

from GenSegLib.images.file_names import image_stem
from GenSegSlicerLib.Arguments import VOLUME_CLASSES
from GenSegSlicerLib.CaseImport import importFolder
from GenSegSlicerLib.Channels import furtherChannels
from GenSegSlicerLib.SegmentationStates import isDrawn
from GenSegSlicerLib.Segments import isSegmentation
from GenSegSlicerLib.SubjectHierarchy import studyOf
from GenSegSlicerLib.TrainingPair import TrainingPair

__all__ = ["findPairs", "importFolder", "volumesIn"]

# Words for the type of a node.
_NODE_TYPE = re.compile(
    "seg(ment(s|ed|ations?))?|labels?|labelmap|masks?|truth|ground|gt|manual|contours?|roi|"
    "annotation|vol(ume)?|img|image|scan|final"
)
# Sequences and modalities.
_SEQUENCE = re.compile("t1(w|c|ce)?|t2w?|flair|pd|dwi|adc|dce|swi|mri?|cta?|cbct|pet|us")

_Match = tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLNode]


def findPairs(scene: slicer.vtkMRMLScene, known: Sequence[TrainingPair] = ()) -> list[TrainingPair]:
    """Find the volumes in the scene that have a segmentation.

    Pairs are matched by the segmentation's reference volume, then by studies in the subject
    hierarchy with one volume and one segmentation, then by names ("patient1_T1", "patient1_seg") of
    nodes and files. Ambiguous matches are ignored. Label map volumes are considered only for
    volumes without a segmentation node. Predictions of GenSeg models that were neither edited nor
    accepted, and hidden nodes, are skipped.

    Args:
        scene: the scene to search.
        known: existing pairs, whose nodes are skipped.
    """
    volumes = volumesIn(scene)
    used = {id(node) for pair in known for node in (pair.volumeNode, pair.segmentationNode)}
    matches: list[_Match] = []
    for className in ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode"):
        candidates = [node for node in _nodesIn(scene, className) if _isCandidate(node)]
        for rule in (_byReference, _byStudy, _byCaseAndSequence, _byCaseName, _byFileName):
            new = [m for m in rule(volumes, candidates) if not used & {id(node) for node in m}]
            matches += new
            used |= {id(node) for match in new for node in match}
    order = {id(volume): k for k, volume in enumerate(volumes)}
    matches.sort(key=lambda match: order[id(match[0])])
    return [TrainingPair(volume, segmentation) for volume, segmentation in matches]


def volumesIn(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Return the volumes of a scene, without those that are further channels of others."""
    nodes = _nodesIn(scene, "vtkMRMLScalarVolumeNode")
    volumes = [node for node in nodes if node.GetClassName() in VOLUME_CLASSES]
    channels = {id(node) for volume in volumes for node in furtherChannels(volume)}
    return [node for node in volumes if id(node) not in channels]


def _nodesIn(scene: slicer.vtkMRMLScene, className: str) -> list[slicer.vtkMRMLNode]:
    count = scene.GetNumberOfNodesByClass(className)
    nodes = [scene.GetNthNodeByClass(k, className) for k in range(count)]
    return [node for node in nodes if not node.GetHideFromEditors()]


def _isCandidate(node: slicer.vtkMRMLNode) -> bool:
    """Whether a node is not empty, and no prediction that the user neither edited nor accepted."""
    if not isSegmentation(node):
        return node.GetImageData() is not None
    return node.GetSegmentation().GetNumberOfSegments() > 0 and isDrawn(node)


def _byReference(
    volumes: Sequence[slicer.vtkMRMLNode], candidates: Sequence[slicer.vtkMRMLNode]
) -> list[_Match]:
    """Match by reference volume; all segmentations of a volume are returned."""
    found = ((_referenceOf(node), node) for node in candidates)
    return [match for match in found if any(match[0] is volume for volume in volumes)]


def _byStudy(
    volumes: Sequence[slicer.vtkMRMLNode], candidates: Sequence[slicer.vtkMRMLNode]
) -> list[_Match]:
    return _uniqueMatches(volumes, candidates, studyOf)


def _byCaseAndSequence(
    volumes: Sequence[slicer.vtkMRMLNode], candidates: Sequence[slicer.vtkMRMLNode]
) -> list[_Match]:
    return _uniqueMatches(
        volumes, candidates, lambda node: caseAndSequenceWords(node.GetName() or "")
    )


def _byCaseName(
    volumes: Sequence[slicer.vtkMRMLNode], candidates: Sequence[slicer.vtkMRMLNode]
) -> list[_Match]:
    matches = _uniqueMatches(volumes, candidates, lambda node: caseWords(node.GetName() or ""))
    return [match for match in matches if not all(map(_namesSequence, match))]


def _namesSequence(node: slicer.vtkMRMLNode) -> bool:
    """Whether the name contains a sequence; two nodes with different sequences do not match."""
    return caseAndSequenceWords(node.GetName()) != caseWords(node.GetName())


def _byFileName(
    volumes: Sequence[slicer.vtkMRMLNode], candidates: Sequence[slicer.vtkMRMLNode]
) -> list[_Match]:
    """Match files such as images/a.nrrd and labels/a.nrrd, which Slicer names "a" and "a_1"."""
    return _uniqueMatches(volumes, candidates, _fileKey)


def _fileKey(node: slicer.vtkMRMLStorableNode) -> tuple[str, ...]:
    storage = node.GetStorageNode()
    path = storage.GetFileName() if storage is not None else None
    return caseAndSequenceWords(image_stem(Path(path))) if path else ()


def _referenceOf(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Reference volume of a segmentation node; None for label maps."""
    if not isSegmentation(node):
        return None
    volume = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    isVolume = volume is not None and volume.GetClassName() in VOLUME_CLASSES
    return volume if isVolume else None


def _isConsistent(volume: slicer.vtkMRMLNode, node: slicer.vtkMRMLNode) -> bool:
    """Whether neither reference volume nor study contradicts a match."""
    reference = _referenceOf(node)
    if reference is not None:
        return reference is volume
    studies = {studyOf(volume), studyOf(node)} - {None}
    return len(studies) < 2


def _uniqueMatches(
    volumes: Sequence[slicer.vtkMRMLNode],
    candidates: Sequence[slicer.vtkMRMLNode],
    keyOf: Callable[[slicer.vtkMRMLNode], object],
) -> list[_Match]:
    """Match each volume and segmentation that are the only ones with a key; skips empty keys.

    Nodes that are already paired are included, since the remaining ones need not match each other.
    """
    volumesByKey, nodesByKey = _groupByKey(volumes, keyOf), _groupByKey(candidates, keyOf)
    unique = [
        (found[0], nodesByKey[key][0])
        for key, found in volumesByKey.items()
        if len(found) == 1 and len(nodesByKey.get(key, ())) == 1
    ]
    return [match for match in unique if _isConsistent(*match)]


def _groupByKey(
    nodes: Sequence[slicer.vtkMRMLNode], keyOf: Callable[[slicer.vtkMRMLNode], object]
) -> dict[object, list[slicer.vtkMRMLNode]]:
    groups: dict[object, list[slicer.vtkMRMLNode]] = {}
    for node in nodes:
        key = keyOf(node)
        if key:
            groups.setdefault(key, []).append(node)
    return groups


def caseAndSequenceWords(name: str) -> tuple[str, ...]:
    """Return the words of a name without words for the type of node ("volume", "seg")."""
    words = _wordsOf(name)
    return tuple(word for word in words if not _NODE_TYPE.fullmatch(word))


def caseWords(name: str) -> tuple[str, ...]:
    """Return the words of a name without type, sequence and modality."""
    return tuple(word for word in caseAndSequenceWords(name) if not _SEQUENCE.fullmatch(word))


def _wordsOf(name: str) -> list[str]:
    """Lower-case words and numbers, without the channel suffix _0000 of nnU-Net."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"_0000$", "", name))
    parts = re.sub(r"\.(nii|nrrd|mha|mhd|gz|seg)\b", " ", parts, flags=re.IGNORECASE)
    return re.findall(r"\w+", parts.replace("_", " ").casefold())
