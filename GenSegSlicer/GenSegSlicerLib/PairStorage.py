"""Keeps the training pairs in the parameter node: node references beside roles."""

from __future__ import annotations

from collections.abc import Sequence

import slicer

from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.TrainingPair import TrainingPair


def loadPairs(
    parameters: GenSegSlicerParameterNode, known: Sequence[TrainingPair]
) -> list[TrainingPair]:
    """Give the pairs of the parameter node; those of `known` keep what is known of them."""
    rows = zip(parameters.pairVolumes, parameters.pairSegmentations, parameters.pairRoles)
    pairs = [TrainingPair(*row) for row in rows if row[0] is not None and row[1] is not None]
    before = {identity(pair): pair for pair in known}
    return [before.get(identity(pair), pair) for pair in pairs]


def savePairs(parameters: GenSegSlicerParameterNode, pairs: Sequence[TrainingPair]) -> None:
    """Write the pairs into the parameter node, as one change."""
    with slicer.util.NodeModify(parameters):
        parameters.pairVolumes = [pair.volumeNode for pair in pairs]
        parameters.pairSegmentations = [pair.segmentationNode for pair in pairs]
        parameters.pairRoles = [pair.role for pair in pairs]


def nodeIDs(pair: TrainingPair) -> tuple[str, str]:
    """Give what tells a pair from all others."""
    return pair.volumeNode.GetID(), pair.segmentationNode.GetID()


def identity(pair: TrainingPair) -> tuple[str, str, str]:
    """Give what the parameter node keeps of a pair."""
    return (*nodeIDs(pair), pair.role)


def contentOf(pair: TrainingPair) -> tuple[object, ...]:
    """Give what changes whenever the voxels or the segments of a pair do."""
    node = pair.segmentationNode
    parts = [pair.volumeNode.GetImageData()]
    if node.IsA("vtkMRMLSegmentationNode"):
        segmentation = node.GetSegmentation()
        source = segmentation.GetSourceRepresentationName()
        count = segmentation.GetNumberOfSegments()
        segments = [segmentation.GetNthSegment(index) for index in range(count)]
        parts += [*segments, *(segment.GetRepresentation(source) for segment in segments)]
    else:
        parts.append(node.GetImageData())
    transforms = (each.GetTransformNodeID() for each in (pair.volumeNode, node))
    return (*(0 if part is None else part.GetMTime() for part in parts), *transforms)


def isInScene(pair: TrainingPair) -> bool:
    """Tell whether both nodes of a pair are still there."""
    nodes = (pair.volumeNode, pair.segmentationNode)
    return all(slicer.mrmlScene.IsNodePresent(node) for node in nodes)
