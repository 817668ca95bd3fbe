"""The parameter node, which stores the state of the panel in the scene."""

from __future__ import annotations

from typing import Annotated

from slicer import vtkMRMLNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


@parameterNodeWrapper
class GenSegSlicerParameterNode:
    """Parameters of the module; paths are strings, empty if not set.

    `pairVolumes`, `pairSegmentations` and `pairRoles` are parallel lists. `classMap` maps segment
    names to classes, "" for those that are not used. `layoutBeforeCurves` is the layout to restore
    when curves are hidden, -1 while they are. A `rounds` of 0, and a `segmenter` or `generator` of
    "", use the defaults of effort, preset and target scanner. `adaptVolumes` and `adaptFolder` are
    scans without labels.
    """

    pairVolumes: list[vtkMRMLScalarVolumeNode]
    pairSegmentations: list[vtkMRMLNode]
    pairRoles: list[str]
    classMap: dict[str, str]

    preset: str = "hippocampus-mri"
    segmenter: str = ""
    outputFolder: str = ""
    runFolder: str = ""
    device: str = "auto"
    effort: str = "standard"
    timeBudgetMin: Annotated[int, WithinRange(1, 10080)] = 20
    targetScanner: str = "same"
    adaptVolumes: list[vtkMRMLScalarVolumeNode]
    adaptFolder: str = ""
    generator: str = ""
    hypergradient: str = "finite-difference"
    rounds: Annotated[int, WithinRange(0, 200)] = 0
    augmentation: Annotated[float, WithinRange(0.0, 2.0)] = 1.0
    seed: Annotated[int, WithinRange(0, 999999)] = 0

    trainNested: bool = True
    annotateFolder: str = ""
    annotateStrategy: str = "order"
    annotateWhen: str = "now"
    annotateEvery: Annotated[int, WithinRange(1, 100)] = 3
    annotateMinutes: Annotated[int, WithinRange(1, 600)] = 3

    reviewOutlines: bool = False
    layoutBeforeCurves: int = -1

    modelFolder: str = ""
    inputVolume: vtkMRMLScalarVolumeNode
    furtherVolumes: list[vtkMRMLScalarVolumeNode]
    outputSegmentation: vtkMRMLSegmentationNode
    outputMode: str = "replace"
    show3D: bool = True
    makeVolumesTable: bool = True
    mirror: bool = False
    uncertainty: bool = False

    liveVolume: vtkMRMLScalarVolumeNode
    liveOutlines: bool = True

    predictionNode: vtkMRMLNode
    referenceNode: vtkMRMLNode
