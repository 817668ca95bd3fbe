"""Nodes for tests: volumes on any grid, segmentations and transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from GenSegSlicerLib.SegmentationFiles import writeLabelSteps
from vtk.util.numpy_support import numpy_to_vtk

from GenSegLib.models.folder import ModelMetadata
from GenSegLib.presets import Preset, load_preset
from GenSegLib.steps import finish

SHAPE = (14, 12, 10)
BINARY = "Binary labelmap"
SURFACE = "Closed surface"


def grid_matrix(scales: Sequence[float], angle: float = 0.0, skew: float = 0.0) -> np.ndarray:
    """Matrix from voxel indices to RAS: scaled, rotated about an oblique axis, sheared."""
    rotation = vtk.vtkTransform()
    rotation.RotateWXYZ(np.degrees(angle), 1.0, 2.0, 0.5)
    matrix = slicer.util.arrayFromVTKMatrix(rotation.GetMatrix()) @ np.diag([*scales, 1.0])
    shear = np.eye(4)
    shear[0, 1] = skew
    matrix = shear @ matrix
    matrix[:3, 3] = 12.5, -40.25, 7.125
    return matrix


GRIDS = {
    "RAS": grid_matrix((1, 1, 1)),
    "LPS": grid_matrix((-1, -1, 1)),
    "left-handed": grid_matrix((0.5, 0.5, -2)),
    "anisotropic": grid_matrix((0.7, 1.1, 3)),
    "oblique": grid_matrix((0.7, 1.1, 3), angle=0.6),
    "oblique and flipped": grid_matrix((-0.7, 1.1, -3), angle=-2.1),
}

# Parent transforms that preserve right angles
RIGID = grid_matrix((1, 1, 1), angle=1.2)
MIRRORING = grid_matrix((-2, 2, 2), angle=0.4)


def add_volume(array: np.ndarray, grid: np.ndarray, name: str = "volume") -> Any:
    """Add a volume node of an array (k, j, i)."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(grid))
    return node


def add_label_map(array: np.ndarray, grid: np.ndarray, name: str = "label map") -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(grid))
    return node


def oriented_image(array: np.ndarray, grid: np.ndarray, start: Sequence[int] = (0, 0, 0)) -> Any:
    """An oriented image of an array (k, j, i), with extent from `start` (i, j, k)."""
    image = slicer.vtkOrientedImageData()
    ends = [end for s, n in zip(start, array.shape[::-1]) for end in (s, s + n - 1)]
    image.SetExtent(*ends)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(grid))
    return image


def add_segment(node: Any, name: str, image: Any, value: int = 1) -> Any:
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetLabelValue(value)
    segment.AddRepresentation(BINARY, image)
    node.GetSegmentation().AddSegment(segment)
    return segment


def add_segmentation(layers: Sequence[tuple[Any, dict[int, str]]], name: str = "segments") -> Any:
    """Add a segmentation of layers, each an image with the names of its label values."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    for image, names in layers:
        for value, segment in names.items():
            add_segment(node, segment, image, value)
    return node


def add_ball(center: Sequence[float], radius: float, name: str = "Ball") -> Any:
    """Add a segmentation of a sphere (in mm) with a closed surface only."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{name} surface")
    node.GetSegmentation().SetSourceRepresentationName(SURFACE)
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(*center)
    sphere.SetRadius(radius)
    sphere.SetThetaResolution(120)
    sphere.SetPhiResolution(120)
    sphere.Update()
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.AddRepresentation(SURFACE, sphere.GetOutput())
    node.GetSegmentation().AddSegment(segment)
    return node


def add_transform(matrix: np.ndarray, *children: Any) -> Any:
    """Add a linear transform node as the parent of nodes."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "transform")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    for child in children:
        child.SetAndObserveTransformNodeID(node.GetID())
    return node


def add_warp(*children: Any) -> Any:
    """Add a nonlinear transform of a few mm as the parent of nodes."""
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for corner in np.ndindex(2, 2, 2):
        point = 60.0 * np.array(corner) - 45.0
        source.InsertNextPoint(point)
        target.InsertNextPoint(point + 3.0 * np.sin([1.0, 2.0, 3.0] * np.array(corner)))
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "warp")
    node.SetAndObserveTransformToParent(spline)
    for child in children:
        child.SetAndObserveTransformNodeID(node.GetID())
    return node


def two_class_labels(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """A label array (k, j, i) of two classes that is not symmetric under any rotation."""
    label = np.zeros(shape, np.uint8)
    k, j, i = shape
    label[k // 4 : k // 2, j // 4 : 3 * j // 4, i // 4 : 3 * i // 4] = 1
    label[k // 2 : 3 * k // 4, j // 3 : 2 * j // 3, i // 4 : i // 2] = 2
    label[k // 2, j // 3, 3 * i // 4] = 2
    return label


def noise(shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-500, 1500, shape).astype(np.int16)


def local_grid(node: Any) -> np.ndarray:
    """Matrix from voxel indices to RAS, without the parent transform."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def world_grid(node: Any) -> np.ndarray:
    """Matrix from voxel indices to world, for a linear parent transform."""
    to_world = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(
        node.GetParentTransformNode(), None, to_world
    )
    return slicer.util.arrayFromVTKMatrix(to_world) @ local_grid(node)


def segment_array(node: Any, name: str, volume: Any) -> np.ndarray:
    """Voxels (k, j, i) of a segment in the grid of a volume, by Slicer's own function."""
    segment = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volume) > 0


def write_segments(*arguments: Any, **options: Any) -> np.ndarray:
    """Write segments as a label file at once; see `writeLabelSteps`."""
    matrix: np.ndarray = finish(writeLabelSteps(*arguments, **options))
    return matrix


def metadata(preset: Preset | None = None, **changes: Any) -> ModelMetadata:
    """Metadata of a model of a preset."""
    preset = preset or load_preset("hippocampus-mri")
    values = {
        "name": "hippo",
        "preset": preset,
        "labels": preset.labels,
        "network": "unet",
        "network_target": "monai.networks.nets.UNet",
        "network_args": {},
        "cases": 12,
        "validation": {"dice": 0.8765},
        "versions": {"genseg": "0.1.0"},
    }
    return ModelMetadata(**{**values, **changes})


def modification_state(*nodes: Any) -> list[object]:
    """Modification times of nodes and their data."""
    state: list[object] = []
    for node in nodes:
        state += [node.GetMTime(), node.GetNumberOfNodeReferences("transform")]
        if node.IsA("vtkMRMLVolumeNode"):
            image = node.GetImageData()
            state += [image.GetMTime(), image.GetPointData().GetScalars().GetMTime()]
        else:
            state += _segments_modification_state(node.GetSegmentation())
    return state


def _segments_modification_state(segmentation: Any) -> list[object]:
    state: list[object] = [segmentation.GetMTime(), segmentation.SerializeAllConversionParameters()]
    for k in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(k)
        data = [segment.GetRepresentation(name) for name in (BINARY, SURFACE)]
        state += [segment.GetMTime(), *(item and item.GetMTime() for item in data)]
    return state


def nodes_in(scene: Any) -> list[str]:
    return sorted(scene.GetNthNode(k).GetID() for k in range(scene.GetNumberOfNodes()))
