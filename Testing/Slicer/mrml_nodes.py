"""Nodes for tests: volumes on any grid, segmentations, transforms, and what a scene is like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from GenSegLib.models.folder import ModelMetadata
from GenSegLib.presets import Preset, load_preset

SHAPE = (14, 12, 10)
BINARY = "Binary labelmap"
SURFACE = "Closed surface"


def turned(scales: Sequence[float], angle: float = 0.0, skew: float = 0.0) -> np.ndarray:
    """A grid matrix: axes scaled by `scales`, turned about an oblique axis, sheared by `skew`."""
    turn = vtk.vtkTransform()
    turn.RotateWXYZ(np.degrees(angle), 1.0, 2.0, 0.5)
    matrix = slicer.util.arrayFromVTKMatrix(turn.GetMatrix()) @ np.diag([*scales, 1.0])
    sheared = np.eye(4)
    sheared[0, 1] = skew
    matrix = sheared @ matrix
    matrix[:3, 3] = 12.5, -40.25, 7.125
    return matrix


GRIDS = {
    "RAS": turned((1, 1, 1)),
    "LPS": turned((-1, -1, 1)),
    "left-handed": turned((0.5, 0.5, -2)),
    "anisotropic": turned((0.7, 1.1, 3)),
    "oblique": turned((0.7, 1.1, 3), angle=0.6),
    "oblique and flipped": turned((-0.7, 1.1, -3), angle=-2.1),
}

# Parent transforms that keep the right angles of any grid.
RIGID = turned((1, 1, 1), angle=1.2)
MIRRORING = turned((-2, 2, 2), angle=0.4)


def add_volume(array: np.ndarray, grid: np.ndarray, name: str = "volume") -> Any:
    """A volume node of an array (k, j, i)."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(grid))
    return node


def add_label_map(array: np.ndarray, grid: np.ndarray, name: str = "label map") -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(grid))
    return node


def oriented(array: np.ndarray, grid: np.ndarray, start: Sequence[int] = (0, 0, 0)) -> Any:
    """Voxels (k, j, i) of a grid, whose first one has the indices `start` (i, j, k) there."""
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
    """A segmentation of layers: an image, and the names of its values."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    for image, names in layers:
        for value, segment in names.items():
            add_segment(node, segment, image, value)
    return node


def add_ball(center: Sequence[float], radius: float, name: str = "Ball") -> Any:
    """A segmentation that has nothing but a closed surface: a sphere, in mm."""
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
    """A linear transform node that becomes the parent of nodes."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    for child in children:
        child.SetAndObserveTransformNodeID(node.GetID())
    return node


def add_warp(*children: Any) -> Any:
    """A transform node that bends space by a few mm."""
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


def two_parts(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """A label array (k, j, i) with two parts that no rotation maps onto themselves."""
    label = np.zeros(shape, np.uint8)
    k, j, i = shape
    label[k // 4 : k // 2, j // 4 : 3 * j // 4, i // 4 : 3 * i // 4] = 1
    label[k // 2 : 3 * k // 4, j // 3 : 2 * j // 3, i // 4 : i // 2] = 2
    label[k // 2, j // 3, 3 * i // 4] = 2
    return label


def noise(shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-500, 1500, shape).astype(np.int16)


def local_grid(node: Any) -> np.ndarray:
    """The matrix from voxel indices to RAS, without the parent transform."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def world_grid(node: Any) -> np.ndarray:
    """The matrix from voxel indices to the world, for a linear parent transform."""
    to_world = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(
        node.GetParentTransformNode(), None, to_world
    )
    return slicer.util.arrayFromVTKMatrix(to_world) @ local_grid(node)


def segment_array(node: Any, name: str, volume: Any) -> np.ndarray:
    """A segment's voxels (k, j, i) in the grid of a volume, as Slicer's own function has them."""
    segment = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volume) > 0


def metadata(preset: Preset | None = None, **changes: Any) -> ModelMetadata:
    """What a model of a preset would say of itself."""
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


def state_of(*nodes: Any) -> list[object]:
    """What nodes are like: every time of change, in the node and in what it holds."""
    state: list[object] = []
    for node in nodes:
        state += [node.GetMTime(), node.GetNumberOfNodeReferences("transform")]
        if node.IsA("vtkMRMLVolumeNode"):
            image = node.GetImageData()
            state += [image.GetMTime(), image.GetPointData().GetScalars().GetMTime()]
        else:
            state += _segments_state(node.GetSegmentation())
    return state


def _segments_state(segmentation: Any) -> list[object]:
    state: list[object] = [segmentation.GetMTime(), segmentation.SerializeAllConversionParameters()]
    for k in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(k)
        data = [segment.GetRepresentation(name) for name in (BINARY, SURFACE)]
        state += [segment.GetMTime(), *(item and item.GetMTime() for item in data)]
    return state


def nodes_in(scene: Any) -> list[str]:
    return sorted(scene.GetNthNode(k).GetID() for k in range(scene.GetNumberOfNodes()))
