"""Import of a folder of cases into the scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.images.file_names import is_raster_file
from GenSegLib.images.label_counts import label_counts
from GenSegLib.label_maps import format_labels
from GenSegLib.presets import list_presets, load_preset
from GenSegSlicerLib.Channels import setFurtherChannels
from GenSegSlicerLib.FilePairs import makeFilePair
from GenSegSlicerLib.LabelFiles import fileGrid, readPlacedLabel
from GenSegSlicerLib.PartialAnnotation import setAnnotation, specialNames
from GenSegSlicerLib.SegmentNodes import SegmentStyle, addSegments, newSegmentation, resetToVolume
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.TrainingPair import TrainingPair
from GenSegSlicerLib.VolumeFiles import loadVolume


def importFolder(
    path: Path,
    onLoaded: Callable[[int, int], None] = lambda done, total: None,
    onNote: Callable[[str], None] = lambda text: None,
) -> list[TrainingPair]:
    """Load the labeled cases of a folder as volume and segmentation nodes.

    `GenSegLib.datasets.layouts.read_cases` lists the supported layouts. Segments get the label
    names of the data set, and colors and terminology of the preset with the same labels. Raster
    images are read one by one and released again, see `FilePairs`.

    Args:
        path: folder of cases, or JSON file that lists them.
        onLoaded: called after each case with the number of loaded cases and their total.
        onNote: called with what was assumed when the folder was read.

    Raises:
        GenSegError: there is no labeled case, or one cannot be loaded; all nodes are then removed.
    """
    cases = read_cases(Path(path))
    if not cases.labeled:
        raise GenSegError(_("{path}: no case has a label; add label files").format(path=path))
    for note in cases.notes:
        onNote(note)
    style = _segmentStyle(cases)
    loaded: list[slicer.vtkMRMLNode] = []
    pairs = []
    try:
        for case in cases.labeled:
            pairs.append(_load(case, style, loaded))
            onLoaded(len(pairs), len(cases.labeled))
            if any(node.GetScene() is None for node in loaded):
                raise GenSegError(_("the scene was closed during loading"))
    except GenSegError as error:
        for node in loaded:
            _remove(node)
        raise GenSegError(_("case {name}: {error}").format(name=case.name, error=error)) from None
    return pairs


def _load(case: Case, style: SegmentStyle, loaded: list[slicer.vtkMRMLNode]) -> TrainingPair:
    """Load a case; its nodes are appended to `loaded` as soon as they are in the scene."""
    notes: list[str] = []
    volumeNode = loadVolume(case.image, case.name, notes.append)
    loaded.append(volumeNode)
    loaded += _loadChannels(case, volumeNode)
    name = _("{name} segmentation").format(name=case.name)
    node = newSegmentation(volumeNode, name)
    loaded.append(node)
    resetToVolume(node, volumeNode)
    grid = fileGrid(case.image, volumeNode)
    notes += (text for text in grid.warnings if text not in notes)
    if case.label.name.lower().endswith(".seg.nrrd"):
        _readSegments(node, case.label)
    else:
        special = specialNames(case.annotation)
        known = {**style.names, **special}
        image, own = readPlacedLabel(case, volumeNode, grid, notes.append, known)
        values = label_counts(voxelsOf(image))
        names = own or {**{value: f"Label {value}" for value in values}, **style.names, **special}
        ownStyle = replace(style, colors={}, terminology={}) if own else style
        if is_raster_file(case.label):  # whose segments share one labelmap
            ownStyle = replace(ownStyle, includes={})
        addSegments(node, image, volumeNode, ownStyle.withNames(names))
    pair = TrainingPair(volumeNode, node, "validate" if case.role is Role.VALIDATE else "train")
    pair.notes = notes
    pair.person = case.person
    setAnnotation(node, case.annotation)
    if is_raster_file(case.image) and all(map(is_raster_file, case.labels)):
        makeFilePair(pair, case, style.names)
    return pair


def _loadChannels(
    case: Case, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Load the further channels of a case."""
    name = _("{case} channel {number}")
    names = (name.format(case=case.name, number=k) for k in range(2, 2 + len(case.others)))
    nodes = [loadVolume(path, each) for path, each in zip(case.others, names)]
    setFurtherChannels(volumeNode, nodes)
    return nodes


def _readSegments(node: slicer.vtkMRMLSegmentationNode, path: Path) -> None:
    """Read a .seg.nrrd file with its own names, colors and layers."""
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    if not path.is_file() or not storage.ReadData(node):
        raise GenSegError(
            _("{path}: cannot be read as a segmentation; save it again in Slicer").format(path=path)
        )


def _segmentStyle(cases: CaseSet) -> SegmentStyle:
    """Classes of the cases; colors and terminology of the preset with the same labels, if any."""
    for preset in map(load_preset, list_presets()):
        same = format_labels(preset.labels).casefold() == format_labels(cases.labels).casefold()
        if cases.labels and same and cases.modality in ("", preset.modality):
            return SegmentStyle.ofPreset(cases.labels, preset, cases.includes)
    return SegmentStyle(cases.labels, includes=cases.includes)


def _remove(node: slicer.vtkMRMLStorableNode) -> None:
    """Remove a node with its display and storage nodes."""
    scene = node.GetScene()
    if scene is None:
        return
    for other in (node.GetDisplayNode(), node.GetStorageNode(), node):
        if other is not None:
            scene.RemoveNode(other)
