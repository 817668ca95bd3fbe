"""Evaluation of a segmentation against a reference."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.case_annotation import COMPLETE
from GenSegLib.cases import Case, CaseSet
from GenSegLib.errors import GenSegError
from GenSegLib.files import read_json, write_json
from GenSegLib.label_maps import special_value
from GenSegLib.nesting import direct_includes
from GenSegLib.steps import Steps
from GenSegSlicerLib.Arguments import requireSegmentation
from GenSegSlicerLib.Geometry import (
    arrayFromMatrix,
    isFlat,
    linearMatrix,
    matrixFromArray,
    transformBetween,
)
from GenSegSlicerLib.LabelImages import rasterizeSteps
from GenSegSlicerLib.NestedClasses import nestedSteps
from GenSegSlicerLib.PartialAnnotation import annotationOf
from GenSegSlicerLib.ProcessJob import ProcessJob
from GenSegSlicerLib.SegmentationFiles import chooseSegments, writeLabelSteps
from GenSegSlicerLib.SegmentLosses import SegmentLosses
from GenSegSlicerLib.Segments import BINARY, isSegmentation, segmentsOf
from GenSegSlicerLib.SubjectHierarchy import placeInSameFolder
from GenSegSlicerLib.Tables import scoresTable
from GenSegSlicerLib.Units import unitOf

_METRICS = ("dice", "hd95_mm", "surface_dice", "volume_error_ml")
_METRICS_2D = ("dice", "hd95_{unit}", "surface_dice_{unit}", "area_error_{unit}")


class EvaluateJob(ProcessJob):
    """Compares segments with the same name (case-insensitive) in two nodes.

    A segment that is only in the reference gets Dice 0; one that is only in the prediction is
    ignored. What nobody annotated in the reference counts neither as right nor as wrong, see
    `PartialAnnotation`. A segment with others within it in one of the nodes includes these in both.

    Args:
        predictionNode: segmentation node or label map volume.
        referenceNode: segmentation node or label map volume with the reference standard.

    Attributes:
        nodes: prediction and reference.
        rows: one for each segment, with `segment` and the metrics.
        tableNode: the same as a table node; None until the job is finished.

    Raises:
        GenSegError: the nodes have no segment name in common, or are the same node.
    """

    def __init__(self, predictionNode: slicer.vtkMRMLNode, referenceNode: slicer.vtkMRMLNode):
        if predictionNode is None or referenceNode is None or predictionNode is referenceNode:
            raise GenSegError(_("Select a segmentation and a different one as its reference"))
        for node in (predictionNode, referenceNode):
            requireSegmentation(node)
        self._labels = dict(enumerate(_segmentNames(referenceNode), start=1))
        self._maps = [_classMap(node, self._labels) for node in (predictionNode, referenceNode)]
        if not self._maps[0]:
            raise GenSegError(
                _(
                    "{prediction} and {reference} have no segment names in common; rename the "
                    "segments of one to match the other ({names})"
                ).format(
                    prediction=predictionNode.GetName(),
                    reference=referenceNode.GetName(),
                    names=", ".join(self._labels.values()),
                )
            )
        super().__init__()
        self.rows: list[dict[str, Any]] = []
        self.tableNode: slicer.vtkMRMLTableNode | None = None
        self.nodes = (predictionNode, referenceNode)
        self._volumeNode: slicer.vtkMRMLScalarVolumeNode | None = None

    def _writeInputs(self) -> Steps:
        prediction, reference = self.nodes
        volumeNode = self._volumeNode = commonReferenceVolume(reference, prediction)
        includes = yield from self._nestedSteps(volumeNode)
        for index, (node, classMap) in enumerate(zip(self.nodes, self._maps)):
            yield index / 2
            self._requireInScene()
            path = self.folder / ("predictions", "references")[index] / "case.nrrd"
            details = (classMap, self._labels, path, True, includes)
            yield from writeLabelSteps(node, volumeNode, *details)
        annotation = annotationOf(reference).of_classes(self._labels.values())
        if annotation != COMPLETE or includes or any(map(special_value, self._labels.values())):
            case = Case("case", path, path, annotation=annotation)
            listed = CaseSet((case,), self._labels, includes=includes).to_json(self.folder)
            write_json(self.folder / "cases.json", listed)

    def _nestedSteps(
        self, volumeNode: slicer.vtkMRMLScalarVolumeNode
    ) -> Steps[dict[str, tuple[str, ...]]]:
        """Find the classes within others, which are compared as regions, in whichever order."""
        found: list[tuple[str, str]] = []
        for node, classMap in zip(self.nodes, self._maps):
            chosen = chooseSegments(node, classMap, self._labels)
            losses = SegmentLosses(chosen)
            yield from rasterizeSteps(node, volumeNode, losses)
            if losses.warnings():  # segments overlap
                found += yield from nestedSteps(node, volumeNode, chosen, self._labels)
        return direct_includes(found)

    def _arguments(self) -> list[object]:
        folders = [self.folder / "predictions", "--references", self.folder / "references"]
        return ["evaluate", "--predictions", *folders, "--out", self.folder / "scores.csv"]

    def _readOutputs(self) -> Steps:
        yield 0.0
        self._requireInScene()
        (case,) = read_json(self.folder / "scores.json")["cases"]
        for row in case["scores"]:
            scores = {metric: row.get(metric) for metric in _METRICS}
            self.rows.append({"segment": self._labels[row["label"]], **self._inUnits(scores)})
        prediction, reference = self.nodes
        text = _("Scores of {prediction} against {reference}")
        name = text.format(prediction=prediction.GetName(), reference=reference.GetName())
        self.tableNode = scoresTable(self.rows, slicer.mrmlScene.GenerateUniqueName(name))
        placeInSameFolder(self.tableNode, prediction)

    def _inUnits(self, scores: dict[str, Any]) -> dict[str, Any]:
        """Name the scores in a 2-D image by what they are there: areas, in mm or in pixels."""
        volumeNode = self._volumeNode
        if volumeNode is None or not isFlat(volumeNode):
            return scores
        unit = unitOf(volumeNode)
        return {new.format(unit=unit): scores[name] for name, new in zip(_METRICS, _METRICS_2D)}

    def _requireInScene(self) -> None:
        if any(node.GetScene() is None for node in self.nodes):
            raise GenSegError(_("A segmentation was removed from the scene; nothing was evaluated"))


def _segmentNames(node: slicer.vtkMRMLNode) -> list[str]:
    return list(dict.fromkeys(segment.name for segment in segmentsOf(node)))


def _classMap(node: slicer.vtkMRMLNode, labels: dict[int, str]) -> dict[str, str]:
    """The matching segment name of the reference for each segment name of a node."""
    byName = {name.casefold(): name for name in labels.values()}
    names = _segmentNames(node)
    return {name: byName[name.casefold()] for name in names if name.casefold() in byName}


def commonReferenceVolume(
    reference: slicer.vtkMRMLNode, prediction: slicer.vtkMRMLNode
) -> slicer.vtkMRMLScalarVolumeNode:
    """Return a volume whose geometry both nodes can be resampled to.

    It is the reference volume of the reference segmentation, or else of the prediction. If neither
    has one, it is an empty volume, not in the scene, with the voxels of the reference's binary
    labelmap, large enough for both.

    Raises:
        GenSegError: there are only closed surfaces and no reference volume.
    """
    for node in (reference, prediction):
        volumeNode = referenceVolume(node)
        if volumeNode is not None and volumeNode.GetImageData() is not None:
            return volumeNode
    image = _labelmapGeometry(reference)
    toWorld = linearMatrix(transformBetween(reference, None))
    if image is None or toWorld is None:
        raise GenSegError(
            _(
                "{name} has no reference volume; select a source volume for it in the Segment "
                "Editor"
            ).format(name=reference.GetName())
        )
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    ijkToRAS = toWorld @ arrayFromMatrix(matrix)
    return _emptyVolume(ijkToRAS, _unionExtent(ijkToRAS, image.GetExtent(), prediction))


def referenceVolume(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return the reference volume of a segmentation node, or a label map volume itself."""
    if not isSegmentation(node):
        return node
    return node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())


def _labelmapGeometry(
    node: slicer.vtkMRMLSegmentationNode,
) -> slicer.vtkOrientedImageData | None:
    segmentation = node.GetSegmentation()
    if not segmentation.ContainsRepresentation(BINARY):
        return None
    mode = segmentation.EXTENT_UNION_OF_SEGMENTS
    image = slicer.vtkOrientedImageData()
    text = segmentation.DetermineCommonLabelmapGeometry(mode, None)
    if not slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, image, False):
        return None
    return image


def _unionExtent(
    ijkToRAS: np.ndarray, extent: tuple[int, ...], prediction: slicer.vtkMRMLNode
) -> tuple[np.ndarray, np.ndarray]:
    """First and last index that cover an extent and the RAS bounds of a node."""
    bounds = [0.0] * 6
    prediction.GetRASBounds(bounds)
    first, last = np.array(extent[::2]), np.array(extent[1::2])
    if bounds[0] <= bounds[1]:
        corners = np.array([[*point, 1] for point in product(*zip(bounds[::2], bounds[1::2]))])
        indices = (np.linalg.inv(ijkToRAS) @ corners.T)[:3]
        first = np.minimum(first, np.floor(indices.min(axis=1))).astype(int)
        last = np.maximum(last, np.ceil(indices.max(axis=1))).astype(int)
    return first, last


def _emptyVolume(
    ijkToRAS: np.ndarray, extent: tuple[np.ndarray, np.ndarray]
) -> slicer.vtkMRMLScalarVolumeNode:
    first, last = extent
    start = np.eye(4)
    start[:3, 3] = first
    image = vtk.vtkImageData()
    image.SetDimensions(*(int(length) for length in last - first + 1))
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    volumeNode = slicer.vtkMRMLScalarVolumeNode()
    volumeNode.SetName("common geometry")
    volumeNode.SetAndObserveImageData(image)
    volumeNode.SetIJKToRASMatrix(matrixFromArray(ijkToRAS @ start))
    return volumeNode
