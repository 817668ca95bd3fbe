"""Export of segmentations to label files in the geometry of a volume, and import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from GenSegSlicerLib.SegmentationFiles import loadSegmentation
from GenSegSlicerLib.VolumeFiles import writeVolume
from mrml_nodes import (
    GRIDS,
    MIRRORING,
    RIGID,
    add_label_map,
    add_segment,
    add_segmentation,
    add_transform,
    add_volume,
    add_warp,
    grid_matrix,
    metadata,
    modification_state,
    nodes_in,
    noise,
    oriented_image,
    segment_array,
    two_class_labels,
    write_segments,
)
from result_files import NAMES, save_prediction
from vtk.util.numpy_support import vtk_to_numpy

from GenSegLib.datasets.image_io import Volume, on_same_grid, read_image, read_label
from GenSegLib.errors import GenSegError
from GenSegLib.images.label_placement import place_label

SAME = {name: name for name in NAMES.values()}
NONE = np.eye(4)
# Parent transforms of the volume and of the segmentation.
PARENTS = {
    "none": (None, None),
    "on the volume": (RIGID, None),
    "on the segmentation": (None, RIGID),
    "the same on both": (RIGID, RIGID),
    "different ones": (RIGID, MIRRORING),
    "mirroring on the volume": (MIRRORING, None),
    "shear on both": (grid_matrix((1, 1, 1), skew=0.4), grid_matrix((1, 1, 1), skew=0.4)),
    "shear on the segmentation": (None, grid_matrix((1, 2, 1), skew=0.4)),
}


def add_pair(grid: np.ndarray, parents: tuple[Any, Any], label: np.ndarray) -> tuple[Any, Any]:
    """A volume and segments that match it in world coordinates, with separate transforms."""
    of_volume, of_segments = (NONE if matrix is None else matrix for matrix in parents)
    volume = add_volume(noise(label.shape), grid)
    image = oriented_image(label, np.linalg.inv(of_segments) @ of_volume @ grid)
    segments = add_segmentation([(image, NAMES)])
    for node, matrix in zip((volume, segments), parents):
        if matrix is not None:
            add_transform(matrix, node)
    return volume, segments


@pytest.mark.parametrize(
    ("grid", "parents"), [*((grid, "none") for grid in GRIDS), *(("oblique", p) for p in PARENTS)]
)
def test_label_is_aligned_with_the_volume_after_export_and_import(
    scene: Any, tmp_path: Path, grid: str, parents: str
) -> None:
    label = two_class_labels()
    volume, segments = add_pair(GRIDS[grid], PARENTS[parents], label)
    writeVolume(volume, tmp_path / "image.nrrd")
    write_segments(segments, volume, SAME, NAMES, tmp_path / "label.nrrd")
    read = read_label(tmp_path / "label.nrrd")
    np.testing.assert_array_equal(read.array[0].T, label)
    assert on_same_grid(read, read_image(tmp_path / "image.nrrd"))
    result = save_prediction(tmp_path / "result.seg.nrrd", tmp_path / "image.nrrd", label)
    node = loadSegmentation(result, metadata(), volume)
    for value, name in NAMES.items():
        np.testing.assert_array_equal(segment_array(node, name, volume), label == value)


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nii.gz"])
@pytest.mark.parametrize("grid", ["RAS", "oblique"])
def test_result_has_exactly_the_geometry_of_the_volume(
    scene: Any, tmp_path: Path, grid: str, suffix: str
) -> None:
    """Rounding of NIfTI headers and the slice order of the reader are corrected."""
    volume, _ = add_pair(GRIDS[grid], (RIGID, None), two_class_labels())
    writeVolume(volume, tmp_path / "image.nrrd")
    path = save_prediction(
        tmp_path / f"result{suffix}", tmp_path / "image.nrrd", two_class_labels()
    )
    node = loadSegmentation(path, metadata(), volume)
    image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    np.testing.assert_allclose(slicer.util.arrayFromVTKMatrix(matrix), GRIDS[grid], atol=1e-12)
    assert image.GetDimensions() == volume.GetImageData().GetDimensions()
    assert node.GetParentTransformNode() is volume.GetParentTransformNode()


@pytest.mark.parametrize("parent", [NONE, RIGID, grid_matrix((1, 1, 1), skew=0.4)])
def test_segments_of_another_geometry_are_resampled_as_by_the_command_line(
    scene: Any, tmp_path: Path, parent: Any
) -> None:
    grid = GRIDS["oblique"]
    finer = grid @ np.diag([0.37, 0.41, 0.53, 1.0])
    finer[:3, 3] += 1.234, 0.567, -0.891
    label = two_class_labels((24, 25, 26))
    volume = add_volume(noise(), grid)
    segments = add_segmentation([(oriented_image(label, np.linalg.inv(parent) @ finer), NAMES)])
    add_transform(parent, segments)
    write_segments(segments, volume, SAME, NAMES, tmp_path / "label.nrrd")
    image = Volume(noise().T[None], grid)
    expected = place_label(Volume(label.T[None], finer), image).volume.array[0].T
    assert expected.max() == 2
    np.testing.assert_array_equal(read_label(tmp_path / "label.nrrd").array[0].T, expected)


def test_nonlinear_transform_is_applied_to_segments(scene: Any, tmp_path: Path) -> None:
    label, grid = two_class_labels((30, 30, 30)), GRIDS["RAS"].copy()
    grid[:3, 3] = -15
    volume = add_volume(noise(label.shape), grid)
    segments = add_segmentation([(oriented_image(label, grid), NAMES)])
    warp = add_warp(segments)
    write_segments(segments, volume, SAME, NAMES, tmp_path / "label.nrrd")
    written = read_label(tmp_path / "label.nrrd").array[0].T
    back = warp.GetTransformFromParent()
    for k, j, i in np.random.default_rng(0).integers(5, 25, (200, 3)):
        point = back.TransformPoint((grid @ [i, j, k, 1])[:3])
        place = (np.linalg.inv(grid) @ [*point, 1])[:3]
        if np.abs(place - np.rint(place)).max() < 0.45:
            x, y, z = np.rint(place).astype(int)
            assert written[k, j, i] == label[z, y, x]
    assert (written != label).any()


def test_common_nonlinear_transform_is_ignored(scene: Any, tmp_path: Path) -> None:
    label = two_class_labels()
    volume, segments = add_pair(GRIDS["oblique"], (None, None), label)
    add_warp(volume, segments)
    writeVolume(volume, tmp_path / "image.nrrd")
    write_segments(segments, volume, SAME, NAMES, tmp_path / "label.nrrd")
    read = read_label(tmp_path / "label.nrrd")
    np.testing.assert_array_equal(read.array[0].T, label)
    assert on_same_grid(read, read_image(tmp_path / "image.nrrd"))


def test_segments_are_cropped_to_the_volume(scene: Any, tmp_path: Path) -> None:
    """Binary labelmaps may be smaller than the volume, or extend beyond it."""
    volume = add_volume(noise(), GRIDS["oblique"])
    inside = oriented_image(np.ones((2, 3, 4), np.uint8), GRIDS["oblique"], start=(5, 6, 7))
    outside = oriented_image(np.ones((6, 6, 6), np.uint8), GRIDS["oblique"], start=(-3, 9, 12))
    segments = add_segmentation([(inside, {1: "Anterior"}), (outside, {1: "Posterior"})])
    write_segments(segments, volume, SAME, NAMES, tmp_path / "label.nrrd")
    expected = np.zeros(noise().shape, int)
    expected[7:9, 6:9, 5:9] = 1
    expected[12:, 9:, :3] = 2
    np.testing.assert_array_equal(read_label(tmp_path / "label.nrrd").array[0].T, expected)


@pytest.mark.parametrize("order", [("Anterior", "Posterior"), ("Posterior", "Anterior")])
def test_last_of_overlapping_segments_wins(
    scene: Any, tmp_path: Path, order: tuple[str, str]
) -> None:
    volume = add_volume(noise(), GRIDS["RAS"])
    whole = oriented_image(np.ones(noise().shape, np.uint8), GRIDS["RAS"])
    part = oriented_image(np.ones((4, 4, 4), np.uint8), GRIDS["RAS"], start=(1, 1, 1))
    segments = add_segmentation([(whole, {1: order[0]}), (part, {1: order[1]})])
    write_segments(segments, volume, SAME, NAMES, tmp_path / "label.nrrd")
    written = read_label(tmp_path / "label.nrrd").array[0].T
    first, second = (1, 2) if order[0] == "Anterior" else (2, 1)
    assert (written[1:5, 1:5, 1:5] == second).all()
    assert (written == second).sum() == 64
    assert (written == first).sum() == written.size - 64


def test_mapped_segments_are_written_and_may_share_a_class(scene: Any, tmp_path: Path) -> None:
    volume = add_volume(noise(), GRIDS["RAS"])
    label = np.zeros(noise().shape, np.uint8)
    label[1], label[2], label[3] = 1, 2, 3
    names = {1: "Liver left", 2: "Liver right", 3: "Couch"}
    segments = add_segmentation([(oriented_image(label, GRIDS["RAS"]), names)])
    mapped = {"Liver left": "Liver", "Liver right": "Liver", "Couch": ""}
    write_segments(segments, volume, mapped, {7: "Liver"}, tmp_path / "label.nrrd")
    written = read_label(tmp_path / "label.nrrd").array[0].T
    np.testing.assert_array_equal(written, np.isin(label, (1, 2)) * 7)


def test_label_map_volume_is_written(scene: Any, tmp_path: Path) -> None:
    label = two_class_labels()
    volume = add_volume(noise(), GRIDS["oblique"])
    label_map = add_label_map(label, np.linalg.inv(RIGID) @ GRIDS["oblique"])
    add_transform(RIGID, label_map)
    mapped = {"Label 1": "Posterior", "Label 2": "Anterior"}
    write_segments(label_map, volume, mapped, NAMES, tmp_path / "label.nrrd")
    swapped = np.array([0, 2, 1])[label]
    np.testing.assert_array_equal(read_label(tmp_path / "label.nrrd").array[0].T, swapped)


@pytest.mark.parametrize("name", ['Kopf it\'s "quoted"'])
def test_quoted_path_is_supported(scene: Any, tmp_path: Path, name: str) -> None:
    volume, segments = add_pair(GRIDS["oblique"], (None, None), two_class_labels())
    path = tmp_path / name / f"{name}.seg.nrrd"
    write_segments(segments, volume, SAME, NAMES, path)
    node = loadSegmentation(path, metadata(), volume)
    np.testing.assert_array_equal(segment_array(node, "Anterior", volume), two_class_labels() == 1)


@pytest.mark.parametrize("parents", ["none", "different ones"])
def test_writing_does_not_modify_nodes_or_scene(scene: Any, tmp_path: Path, parents: str) -> None:
    volume, segments = add_pair(GRIDS["oblique"], PARENTS[parents], two_class_labels())
    before, nodes = modification_state(volume, segments), nodes_in(scene)
    write_segments(segments, volume, SAME, NAMES, tmp_path / "label.nrrd")
    assert modification_state(volume, segments) == before
    assert nodes_in(scene) == nodes


@pytest.mark.parametrize(
    ("mapped", "labels", "message"),
    [
        ({}, NAMES, "segments: no segment is mapped to a class"),
        ({"Anterior": "Tail"}, NAMES, "Anterior is mapped to Tail, which is not a class"),
    ],
)
def test_invalid_class_map_is_reported(
    scene: Any, tmp_path: Path, mapped: dict[str, str], labels: dict[int, str], message: str
) -> None:
    volume, segments = add_pair(GRIDS["RAS"], (None, None), two_class_labels())
    nodes = nodes_in(scene)
    with pytest.raises(GenSegError, match=message):
        write_segments(segments, volume, mapped, labels, tmp_path / "label.nrrd")
    assert nodes_in(scene) == nodes
    assert not list(tmp_path.iterdir())


def test_segments_outside_the_volume_are_reported(scene: Any, tmp_path: Path) -> None:
    volume, segments = add_pair(GRIDS["RAS"], (None, None), two_class_labels())
    far = np.eye(4)
    far[:3, 3] = 500
    add_transform(far, segments)
    with pytest.raises(GenSegError, match="does not overlap volume"):
        write_segments(segments, volume, SAME, NAMES, tmp_path / "label.nrrd")


def test_empty_label_is_allowed_on_request(scene: Any, tmp_path: Path) -> None:
    # an empty prediction is also evaluated
    volume, segments = add_pair(GRIDS["RAS"], (None, None), np.zeros_like(two_class_labels()))
    write_segments(segments, volume, SAME, NAMES, tmp_path / "label.nrrd", allowEmpty=True)
    assert not read_label(tmp_path / "label.nrrd").array.any()


def test_segment_without_binary_labelmap_is_reported(scene: Any, tmp_path: Path) -> None:
    volume = add_volume(noise(), GRIDS["RAS"])
    segments = add_segmentation([])
    add_segment(segments, "Anterior", oriented_image(two_class_labels(), GRIDS["RAS"]))
    segments.GetSegmentation().GetNthSegment(0).RemoveRepresentation("Binary labelmap")
    with pytest.raises(GenSegError, match="segment Anterior has no binary labelmap"):
        write_segments(segments, volume, SAME, NAMES, tmp_path / "label.nrrd")


@pytest.mark.parametrize("array", [vtk.vtkLongLongArray, vtk.vtkUnsignedLongLongArray])
@pytest.mark.parametrize("as_segmentation", [True, False])
def test_64_bit_labels_are_resampled_without_crashing_slicer(
    scene: Any, tmp_path: Path, array: Any, as_segmentation: bool
) -> None:
    """Through a nonlinear transform, for which VTK resamples them."""
    label, grid = two_class_labels((30, 30, 30)), GRIDS["RAS"].copy()
    grid[:3, 3] = -15
    volume = add_volume(noise(label.shape), grid)
    scalars = array()
    scalars.SetNumberOfTuples(label.size)
    vtk_to_numpy(scalars)[:] = label.ravel()
    nodes, names = [], NAMES if as_segmentation else {1: "Label 1", 2: "Label 2"}
    for _ in range(2):
        image = oriented_image(label, grid)
        node = add_segmentation([(image, NAMES)]) if as_segmentation else add_label_map(label, grid)
        nodes.append((node, image if as_segmentation else node.GetImageData()))
    nodes[1][1].GetPointData().SetScalars(scalars)
    add_warp(*(node for node, _image in nodes))
    same = {name: name for name in names.values()}
    for k, (node, _image) in enumerate(nodes):
        write_segments(node, volume, same, names, tmp_path / f"{k}.nrrd")
    of_8_bits, of_64_bits = (read_label(tmp_path / f"{k}.nrrd").array for k in range(2))
    np.testing.assert_array_equal(of_64_bits, of_8_bits)
    assert of_64_bits.max() == 2


@pytest.mark.parametrize("grid", ["RAS", "oblique", "left-handed"])
def test_oversampled_segments_keep_their_place_and_their_volume(
    scene: Any, tmp_path: Path, grid: str
) -> None:
    """Segment Editor's oversampling by 2: each voxel of the volume holds eight finer voxels."""
    label = two_class_labels()
    finer = GRIDS[grid] @ np.diag([0.5, 0.5, 0.5, 1.0])
    finer[:3, 3] = (GRIDS[grid] @ [-0.25, -0.25, -0.25, 1.0])[:3]
    voxels = label.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    voxels[::2, ::2, ::2] = voxels[1::2, 1::2, 1::2] = 0  # six of eight remain
    segments = add_segmentation([(oriented_image(voxels, finer), NAMES)])
    volume = add_volume(noise(), GRIDS[grid])
    write_segments(segments, volume, SAME, NAMES, tmp_path / "label.nrrd")
    np.testing.assert_array_equal(read_label(tmp_path / "label.nrrd").array[0].T, label)
