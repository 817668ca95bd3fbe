"""The cases of the annotation loop: volumes of the scene and of a folder, with their states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import slicer

from GenSegLib.annotation.folder import CaseEntry, CaseState
from GenSegSlicerLib.CaseContents import isMadeFor
from GenSegSlicerLib.CaseNames import CaseNames, EditsNote
from GenSegSlicerLib.LabelImages import hasVoxels
from GenSegSlicerLib.PairFinder import volumesIn
from GenSegSlicerLib.PartialAnnotation import CLASSES_ATTRIBUTE, DRAWN_ATTRIBUTE
from GenSegSlicerLib.SegmentationStates import STATE_ATTRIBUTE, isOlderThan, stateOf
from GenSegSlicerLib.Segments import (
    isSegmentation,
    isSurface,
    segmentsOf,
    segmentTimes,
)
from GenSegSlicerLib.TrainingPair import FILE_ATTRIBUTE, TrainingPair, TrainingVolume
from GenSegSlicerLib.VolumeFiles import DERIVED_ATTRIBUTE

SOURCE_ATTRIBUTE = "GenSeg.Source"
"""Attribute of volumes that the loop has loaded: the path of their file or DICOM folder."""

# Structures of segmentations by node ID, with the modification time at which they were found.
_structures: dict[str, tuple[tuple[int, ...], list[str]]] = {}
_RANK = {CaseState.CHECKED: 0, CaseState.DRAFT: 1, CaseState.TODO: 2}


@dataclass
class AnnotationCase:
    """A volume to annotate.

    Attributes:
        name: name of the case in the annotation folder.
        title: name of the volume or of the file.
        state: what is known of it.
        volumeNode: the volume; None while it is not loaded.
        image: file of the folder that the volume is loaded from when it is its turn, else None.
        others: files of its further channels.
        segmentationNode: its segmentation in the scene; None if there is none.
        structures: names of the structures that it has.
        entry: its last entry in the annotation folder; None if there is none.
        content: fingerprint of the voxels that the user was shown; "" before it is opened.
        saved: when its correction or checked label was saved, in seconds since 1970; 0 if never.
        outdated: its segmentations in the scene, if all are older than what was saved.
    """

    name: str
    title: str
    state: CaseState = CaseState.TODO
    volumeNode: slicer.vtkMRMLScalarVolumeNode | None = None
    image: Path | None = None
    others: tuple[Path, ...] = ()
    segmentationNode: slicer.vtkMRMLNode | None = None
    structures: list[str] = field(default_factory=list)
    entry: CaseEntry | None = None
    content: str = ""
    saved: float = 0.0
    outdated: list[slicer.vtkMRMLNode] = field(default_factory=list)


def collectCases(
    entries: Mapping[str, CaseEntry],
    images: Mapping[str, Sequence[Path]],
    pairs: Sequence[TrainingPair] = (),
    edits: Mapping[str, EditsNote] | None = None,
) -> list[AnnotationCase]:
    """Return all cases: those of the scene, of a folder, and those that only have files.

    Args:
        entries: of the annotation folder.
        images: files by name, one for each channel, of a folder whose volumes are loaded case by
            case.
        pairs: training pairs, whose volumes are checked.
        edits: corrections in progress by the name of their case.
    """
    segmentations = _segmentationsByVolume(pairs)
    cases: list[AnnotationCase] = []
    nodes = list(filter(_isCase, volumesIn(slicer.mrmlScene)))
    files = {paths[0]: tuple(paths[1:]) for paths in images.values()}
    notes = edits or {}
    names = CaseNames(entries, notes, nodes)
    for node in nodes:
        name, own = names.of(node), segmentations.get(node.GetID(), [])
        case = _caseOfVolume(name, node, own, entries.get(name), notes.get(name))
        path = _loadedFrom(node)
        if path in files:
            case.image, case.others = path, files[path]
        cases.append(case)
    cases += _casesOfFiles(images, entries, cases, names)
    known = {case.name for case in cases}
    for name, entry in entries.items():
        if name not in known and entry.state == CaseState.CHECKED.value:
            cases.append(_withFiles(AnnotationCase(name, name), entry))
    return cases


def _isCase(node: slicer.vtkMRMLNode) -> bool:
    hasVoxels = node.GetImageData() is not None or bool(TrainingVolume(node).files)
    return node.GetAttribute(DERIVED_ATTRIBUTE) is None and hasVoxels


def _segmentationsByVolume(
    pairs: Iterable[TrainingPair],
) -> dict[str, list[slicer.vtkMRMLNode]]:
    """Segmentations by the ID of their reference volume, and those of training pairs before."""
    found: dict[str, list[slicer.vtkMRMLNode]] = {}
    for pair in pairs:
        found.setdefault(pair.volumeNode.GetID(), []).append(pair.segmentationNode)
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        volumeId = node.GetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole())
        if volumeId and not node.GetHideFromEditors():
            found.setdefault(volumeId, []).append(node)
    return found


def _caseOfVolume(
    name: str,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    segmentations: Sequence[slicer.vtkMRMLNode],
    entry: CaseEntry | None,
    note: EditsNote | None,
) -> AnnotationCase:
    """The case of a volume; its segmentation is of the scene unless the folder has a newer one."""
    isChecked = entry is not None and entry.state == CaseState.CHECKED.value
    saved = max(entry.time if isChecked else 0.0, note.time if note is not None else 0.0)
    title = volumeNode.GetName() or name
    case = AnnotationCase(name, title, volumeNode=volumeNode, entry=entry, saved=saved)
    own = [node for node in segmentations if isMadeFor(node, volumeNode)]
    current = [node for node in own if not isOlderThan(node, saved)]
    case.outdated = [] if current else own
    candidates = [node for node in current if not _isOutranked(node, isChecked, note is not None)]
    if candidates:
        case.segmentationNode = min(candidates, key=_rank)
        case.state = _stateOf(case.segmentationNode)
        case.structures = structuresOf(case.segmentationNode)
    if entry is not None and case.state is CaseState.TODO:
        return _withFiles(case, entry)
    return case


def _isOutranked(node: slicer.vtkMRMLNode, isChecked: bool, hasEdits: bool) -> bool:
    """Whether a segmentation was not checked, and the folder has what the user made.

    Args:
        node: the segmentation.
        isChecked: whether the folder has a checked label.
        hasEdits: whether it has a correction in progress, which the loop's own nodes may continue.
    """
    if _stateOf(node) is CaseState.CHECKED:
        return False
    return isChecked or (hasEdits and node.GetAttribute(STATE_ATTRIBUTE) is None)


def _rank(node: slicer.vtkMRMLNode) -> tuple[bool, int]:
    """Position among the segmentations of a volume: those of the loop, then checked ones.

    Others may be drawn to help with the correction, and are no reason to drop it.
    """
    return node.GetAttribute(STATE_ATTRIBUTE) is None, _RANK[_stateOf(node)]


def _stateOf(node: slicer.vtkMRMLNode) -> CaseState:
    """State of a segmentation or label map; one that is empty and was not accepted is to do."""
    state = stateOf(node)
    isAccepted = node.GetAttribute(STATE_ATTRIBUTE) is not None
    if state is CaseState.CHECKED and not isAccepted and not structuresOf(node):
        return CaseState.TODO
    return state


def _loadedFrom(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Path | None:
    storage = volumeNode.GetStorageNode()
    path = volumeNode.GetAttribute(SOURCE_ATTRIBUTE) or (
        storage.GetFileName() if storage is not None else ""
    )
    return Path(path) if path else None


def _casesOfFiles(
    images: Mapping[str, Sequence[Path]],
    entries: Mapping[str, CaseEntry],
    others: Sequence[AnnotationCase],
    names: CaseNames,
) -> list[AnnotationCase]:
    """Cases of files that are not loaded."""
    loaded = {case.image for case in others}
    cases = []
    for title, (path, *further) in images.items():
        if path in loaded:
            continue
        name = names.ofFile(title, path)
        case = AnnotationCase(name, title, image=path, others=tuple(further))
        cases.append(_withFiles(case, entries[name]) if name in entries else case)
    return cases


def _withFiles(case: AnnotationCase, entry: CaseEntry) -> AnnotationCase:
    """A case whose segmentation is in a file."""
    case.entry = entry
    case.state = CaseState(entry.state)
    case.structures = list(entry.names.values()) if case.state is not CaseState.TODO else []
    return case


def structuresOf(node: slicer.vtkMRMLNode) -> list[str]:
    """Return the names of the segments that have voxels, or a closed surface."""
    key, version = node.GetID(), segmentTimes(node)
    if key not in _structures or _structures[key][0] != version:
        _structures[key] = version, _findStructures(node)
    return list(_structures[key][1])


def annotationVersion(node: slicer.vtkMRMLNode) -> tuple[object, ...]:
    """Return a value that changes whenever a segmentation or what is said about it does."""
    said = (node.GetAttribute(name) for name in (DRAWN_ATTRIBUTE, CLASSES_ATTRIBUTE))
    times = (node.GetAttribute(FILE_ATTRIBUTE),) if _isReleased(node) else segmentTimes(node)
    return (*times, *said)


def _findStructures(node: slicer.vtkMRMLNode) -> list[str]:
    if isSegmentation(node) and not isSurface(node) and not _isReleased(node):
        return [segment.name for segment in segmentsOf(node) if hasVoxels(node, segment)]
    return [segment.name for segment in segmentsOf(node)]


def _isReleased(node: slicer.vtkMRMLNode) -> bool:
    """Whether the voxels of an image's segmentation are in its file alone, see `FilePairs`."""
    isOfFile = isSegmentation(node) and node.GetAttribute(FILE_ATTRIBUTE) is not None
    return isOfFile and not any(hasVoxels(node, segment) for segment in segmentsOf(node))
