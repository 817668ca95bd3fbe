"""Loads the cases of a folder into the scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.data.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.label_maps import show_labels
from GenSegLib.presets import list_presets, load_preset
from GenSegSlicerLib.Geometry import fileGrid
from GenSegSlicerLib.LabelFiles import readLabelImage
from GenSegSlicerLib.SegmentNodes import SegmentStyle, addSegments, emptyOver, newSegmentation
from GenSegSlicerLib.Segments import countValues, voxelsOf
from GenSegSlicerLib.TrainingPair import TrainingPair
from GenSegSlicerLib.VolumeFiles import loadVolume


def importFolder(
    path: Path, onLoaded: Callable[[int, int], None] = lambda done, total: None
) -> list[TrainingPair]:
    """Load the labeled cases of a folder as volumes with segmentation nodes.

    Known are the layouts of `GenSegLib.data.layouts.read_cases`. Segments get the names that the
    folder gives its labels, and the colors and terminology of the preset with the same labels.

    Args:
        path: folder or list file of the cases.
        onLoaded: called after each case with the number of loaded cases and of all.

    Raises:
        GenSegError: no labeled case is there, or one cannot be loaded. Then none is.
    """
    cases = read_cases(Path(path))
    if not cases.labeled:
        raise GenSegError(_("{path}: no case has a label; add labels").format(path=path))
    style = _styleOf(cases)
    loaded: list[slicer.vtkMRMLNode] = []
    pairs = []
    try:
        for case in cases.labeled:
            pairs.append(_load(case, style, loaded))
            onLoaded(len(pairs), len(cases.labeled))
            if any(node.GetScene() is None for node in loaded):
                raise GenSegError(_("the scene was closed while the cases were loaded"))
    except GenSegError as fault:
        for node in loaded:
            _remove(node)
        raise GenSegError(_("case {name}: {fault}").format(name=case.name, fault=fault)) from None
    return pairs


def _load(case: Case, style: SegmentStyle, loaded: list[slicer.vtkMRMLNode]) -> TrainingPair:
    """Load a case; its nodes are added to `loaded` as soon as they are in the scene."""
    volumeNode = loadVolume(case.image, case.name)
    loaded.append(volumeNode)
    name = _("{name} segmentation").format(name=case.name)
    node = newSegmentation(volumeNode, name)
    loaded.append(node)
    emptyOver(node, volumeNode)
    if case.label.name.lower().endswith(".seg.nrrd"):
        _readSegments(node, case.label)
    else:
        image = readLabelImage(case.label, volumeNode, fileGrid(volumeNode))
        values = [value for value in countValues(voxelsOf(image)) if value]
        names = {value: f"Label {value}" for value in values}
        addSegments(node, image, volumeNode, style.withNames({**names, **style.names}))
    return TrainingPair(volumeNode, node, "validate" if case.role is Role.VALIDATE else "train")


def _readSegments(node: slicer.vtkMRMLSegmentationNode, path: Path) -> None:
    """Read Slicer's own format, with the names, colors and layers that it has."""
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    if not path.is_file() or not storage.ReadData(node):
        raise GenSegError(_("{path}: not a segmentation that can be read").format(path=path))


def _styleOf(cases: CaseSet) -> SegmentStyle:
    """Names as the cases have them; the rest from the preset with the same labels, if there is."""
    for preset in map(load_preset, list_presets()):
        same = show_labels(preset.labels).casefold() == show_labels(cases.labels).casefold()
        if cases.labels and same and cases.modality in ("", preset.modality):
            return SegmentStyle.ofPreset(cases.labels, preset)
    return SegmentStyle(cases.labels)


def _remove(node: slicer.vtkMRMLStorableNode) -> None:
    """Remove a node with those that were made for it alone."""
    scene = node.GetScene()
    if scene is None:
        return
    for other in (node.GetDisplayNode(), node.GetStorageNode(), node):
        if other is not None:
            scene.RemoveNode(other)
