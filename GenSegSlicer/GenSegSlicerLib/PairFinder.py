"""Finds which segmentation belongs to which volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import slicer

from GenSegLib.data.layouts import image_stem
from GenSegSlicerLib.CaseImport import importFolder
from GenSegSlicerLib.PairNames import longKey, shortKey
from GenSegSlicerLib.SegmentNodes import MADE_BY
from GenSegSlicerLib.Segments import isSegmentation
from GenSegSlicerLib.SubjectHierarchy import studyOf
from GenSegSlicerLib.TrainingPair import TrainingPair

__all__ = ["findPairs", "importFolder"]

_Match = tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLNode]


def findPairs(scene: slicer.vtkMRMLScene, known: Sequence[TrainingPair] = ()) -> list[TrainingPair]:
    """Find the volumes in the scene that have a segmentation.

    A segmentation's reference volume decides first, then the study in the subject hierarchy that
    has one volume and one segmentation, then the names ("patient1_T1" and "patient1_seg") of nodes
    and files. Where several nodes would do, no pair is made. Label map volumes count only for
    volumes without a segmentation node. What a model of GenSeg segmented is nobody's reference and
    is left out, and so are hidden nodes.

    Args:
        scene: the scene to search.
        known: pairs that are there already; their nodes are left alone.
    """
    volumes = _volumesIn(scene)
    taken = {id(node) for pair in known for node in (pair.volumeNode, pair.segmentationNode)}
    matches: list[_Match] = []
    for className in ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode"):
        candidates = [node for node in _nodesIn(scene, className) if _isOfUser(node)]
        for rule in (_byReference, _byStudy, _byLongName, _byShortName, _byFileName):
            new = [m for m in rule(volumes, candidates) if not taken & {id(node) for node in m}]
            matches += new
            taken |= {id(node) for match in new for node in match}
    order = {id(volume): k for k, volume in enumerate(volumes)}
    matches.sort(key=lambda match: order[id(match[0])])
    return [TrainingPair(volume, segmentation) for volume, segmentation in matches]


def _volumesIn(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLScalarVolumeNode]:
    nodes = _nodesIn(scene, "vtkMRMLScalarVolumeNode")
    return [node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode"]


def _nodesIn(scene: slicer.vtkMRMLScene, className: str) -> list[slicer.vtkMRMLNode]:
    count = scene.GetNumberOfNodesByClass(className)
    nodes = [scene.GetNthNodeByClass(k, className) for k in range(count)]
    return [node for node in nodes if not node.GetHideFromEditors()]


def _isOfUser(node: slicer.vtkMRMLNode) -> bool:
    """Whether there is something in a node that a person may have drawn."""
    if not isSegmentation(node):
        return node.GetImageData() is not None
    return node.GetSegmentation().GetNumberOfSegments() > 0 and not node.GetAttribute(MADE_BY)


def _byReference(
    volumes: Sequence[slicer.vtkMRMLNode], candidates: Sequence[slicer.vtkMRMLNode]
) -> list[_Match]:
    """Pairs by the reference volume; several segmentations of one volume are all shown."""
    found = ((_referenceOf(node), node) for node in candidates)
    return [match for match in found if any(match[0] is volume for volume in volumes)]


def _byStudy(
    volumes: Sequence[slicer.vtkMRMLNode], candidates: Sequence[slicer.vtkMRMLNode]
) -> list[_Match]:
    return _single(volumes, candidates, studyOf)


def _byLongName(
    volumes: Sequence[slicer.vtkMRMLNode], candidates: Sequence[slicer.vtkMRMLNode]
) -> list[_Match]:
    return _single(volumes, candidates, lambda node: longKey(node.GetName() or ""))


def _byShortName(
    volumes: Sequence[slicer.vtkMRMLNode], candidates: Sequence[slicer.vtkMRMLNode]
) -> list[_Match]:
    matches = _single(volumes, candidates, lambda node: shortKey(node.GetName() or ""))
    return [match for match in matches if not all(map(_saysSequence, match))]


def _saysSequence(node: slicer.vtkMRMLNode) -> bool:
    """Whether the name says how it was imaged; two that do and differ are no pair."""
    return longKey(node.GetName()) != shortKey(node.GetName())


def _byFileName(
    volumes: Sequence[slicer.vtkMRMLNode], candidates: Sequence[slicer.vtkMRMLNode]
) -> list[_Match]:
    """Pairs of files such as images/a.nrrd and labels/a.nrrd: Slicer names the second one a_1."""
    return _single(volumes, candidates, _fileKey)


def _fileKey(node: slicer.vtkMRMLStorableNode) -> tuple[str, ...]:
    storage = node.GetStorageNode()
    path = storage.GetFileName() if storage is not None else None
    return longKey(image_stem(Path(path))) if path else ()


def _referenceOf(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The volume that a segmentation node names as its own; label maps name none."""
    if not isSegmentation(node):
        return None
    volume = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    isVolume = volume is not None and volume.GetClassName() == "vtkMRMLScalarVolumeNode"
    return volume if isVolume else None


def _mayBelong(volume: slicer.vtkMRMLNode, node: slicer.vtkMRMLNode) -> bool:
    """Whether neither a reference volume nor the study speaks against a pair."""
    reference = _referenceOf(node)
    if reference is not None:
        return reference is volume
    studies = {studyOf(volume), studyOf(node)} - {None}
    return len(studies) < 2


def _single(
    volumes: Sequence[slicer.vtkMRMLNode],
    candidates: Sequence[slicer.vtkMRMLNode],
    keyOf: Callable[[slicer.vtkMRMLNode], object],
) -> list[_Match]:
    """Pairs of the volume and the segmentation that alone have a key; empty keys say nothing.

    All that the scene holds is compared, also what is paired already: what is left over after
    other pairs were made is no match for that.
    """
    volumesOf, nodesOf = _grouped(volumes, keyOf), _grouped(candidates, keyOf)
    single = [
        (found[0], nodesOf[key][0])
        for key, found in volumesOf.items()
        if len(found) == 1 and len(nodesOf.get(key, ())) == 1
    ]
    return [match for match in single if _mayBelong(*match)]


def _grouped(
    nodes: Sequence[slicer.vtkMRMLNode], keyOf: Callable[[slicer.vtkMRMLNode], object]
) -> dict[object, list[slicer.vtkMRMLNode]]:
    groups: dict[object, list[slicer.vtkMRMLNode]] = {}
    for node in nodes:
        key = keyOf(node)
        if key:
            groups.setdefault(key, []).append(node)
    return groups
