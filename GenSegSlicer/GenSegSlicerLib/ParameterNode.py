"""All that the panel is set to, kept in the scene: a saved scene restores the panel."""

from __future__ import annotations

from typing import Annotated

from slicer import vtkMRMLNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


@parameterNodeWrapper
class GenSegSlicerParameterNode:
    """The panel's choices; paths are texts, empty where none is chosen.

    `pairVolumes`, `pairSegmentations` and `pairRoles` belong together place by place. `classMap`
    gives the model's class for the name of a segment, "" for one that is ignored. `rounds` of 0
    and a `segmenter` of "" leave the choice to the effort and to the preset.
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
    timeBudgetMin: Annotated[int, WithinRange(1, 10080)] = 30
    generator: str = "searchable"
    hypergradient: str = "finite-difference"
    rounds: Annotated[int, WithinRange(0, 200)] = 0
    augmentation: Annotated[float, WithinRange(0.0, 2.0)] = 1.0
    seed: Annotated[int, WithinRange(0, 999999)] = 0

    reviewOutlines: bool = False

    modelFolder: str = ""
    inputVolume: vtkMRMLScalarVolumeNode
    furtherVolumes: list[vtkMRMLScalarVolumeNode]
    outputSegmentation: vtkMRMLSegmentationNode
    outputMode: str = "replace"
    show3D: bool = True
    makeVolumesTable: bool = True
    mirror: bool = False
    uncertainty: bool = False

    predictionNode: vtkMRMLNode
    referenceNode: vtkMRMLNode
