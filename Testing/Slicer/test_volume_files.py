"""Export and import of volumes: voxels, geometry, transforms and errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from GenSegSlicerLib.VolumeFiles import loadDerivedVolume, loadVolume, writeVolume
from mrml_nodes import (
    GRIDS,
    MIRRORING,
    RIGID,
    add_transform,
    add_volume,
    add_warp,
    grid_matrix,
    local_grid,
    modification_state,
    nodes_in,
    noise,
    world_grid,
)
from volume_files import write_dicom_series
from vtk.util.numpy_support import vtk_to_numpy

from GenSegLib.datasets.image_io import read_image
from GenSegLib.errors import GenSegError

SUFFIXES = (".nrrd", ".nii.gz", ".mha")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("grid", GRIDS)
def test_file_has_the_voxels_and_geometry_of_the_volume(
    scene: Any, tmp_path: Path, grid: str, suffix: str
) -> None:
    voxels = noise()
    writeVolume(add_volume(voxels, GRIDS[grid]), tmp_path / f"image{suffix}")
    read = read_image(tmp_path / f"image{suffix}")
    np.testing.assert_array_equal(read.array[0].T, voxels)
    np.testing.assert_allclose(read.affine, GRIDS[grid], atol=1e-5)


@pytest.mark.parametrize("parent", [RIGID, MIRRORING], ids=["rigid", "mirroring and scaling"])
@pytest.mark.parametrize("grid", GRIDS)
def test_parent_transform_is_applied(
    scene: Any, tmp_path: Path, grid: str, parent: np.ndarray
) -> None:
    node = add_volume(noise(), GRIDS[grid])
    add_transform(parent, node)
    writeVolume(node, tmp_path / "image.nrrd")
    np.testing.assert_allclose(
        read_image(tmp_path / "image.nrrd").affine, world_grid(node), atol=1e-9
    )


@pytest.mark.parametrize("kind", ["shear", "warp"])
def test_non_orthogonal_transform_is_ignored(scene: Any, tmp_path: Path, kind: str) -> None:
    grid = GRIDS["oblique"]
    node = add_volume(noise(), grid)
    add_warp(node) if kind == "warp" else add_transform(grid_matrix((1, 1, 1), skew=0.3), node)
    written = writeVolume(node, tmp_path / "image.nrrd")
    np.testing.assert_allclose(written, grid)
    np.testing.assert_allclose(read_image(tmp_path / "image.nrrd").affine, grid, atol=1e-9)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_scalar_types_are_preserved(scene: Any, tmp_path: Path, kind: type) -> None:
    voxels = (noise() % 200).astype(kind)
    writeVolume(add_volume(voxels, GRIDS["RAS"]), tmp_path / "image.nrrd")
    node = loadVolume(tmp_path / "image.nrrd", "again")
    assert slicer.util.arrayFromVolume(node).dtype == kind
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), voxels)


@pytest.mark.parametrize(
    "array",
    [
        *(vtk.vtkLongArray, vtk.vtkUnsignedLongArray, vtk.vtkSignedCharArray),
        *(vtk.vtkLongLongArray, vtk.vtkUnsignedLongLongArray, vtk.vtkIdTypeArray),
    ],
)
@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz"])
def test_types_that_writers_do_not_support_are_converted(
    scene: Any, tmp_path: Path, array: Any, suffix: str
) -> None:
    voxels = noise() % 100
    node = add_volume(voxels, GRIDS["RAS"])
    scalars = array()
    scalars.SetNumberOfTuples(voxels.size)
    vtk_to_numpy(scalars)[:] = voxels.ravel()
    node.GetImageData().GetPointData().SetScalars(scalars)
    writeVolume(node, tmp_path / f"image{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"image{suffix}").array[0].T, voxels)
    assert node.GetImageData().GetPointData().GetScalars() is scalars


def test_extent_offset_is_part_of_the_geometry(scene: Any, tmp_path: Path) -> None:
    voxels, grid = noise(), GRIDS["oblique"]
    node = add_volume(voxels, grid)
    image = node.GetImageData()
    ends = [end + 3 for end in image.GetExtent()]
    image.SetExtent(*ends)
    shift = np.eye(4)
    shift[:3, 3] = 3
    writeVolume(node, tmp_path / "image.nrrd")
    read = read_image(tmp_path / "image.nrrd")
    np.testing.assert_array_equal(read.array[0].T, voxels)
    np.testing.assert_allclose(read.affine, grid @ shift, atol=1e-9)


@pytest.mark.parametrize("grid", GRIDS)
def test_volume_is_loaded_to_the_same_position(scene: Any, tmp_path: Path, grid: str) -> None:
    voxels = noise()
    writeVolume(add_volume(voxels, GRIDS[grid]), tmp_path / "image.nrrd")
    node = loadVolume(tmp_path / "image.nrrd", "again")
    # Slicer's reader may flip axes: compare values at the same position.
    back = np.linalg.inv(world_grid(node)) @ GRIDS[grid]
    for k, j, i in ((0, 0, 0), (3, 5, 7), (13, 11, 9)):
        there = np.rint(back @ [i, j, k, 1])[:3].astype(int)
        assert slicer.util.arrayFromVolume(node)[tuple(there[::-1])] == voxels[k, j, i]
        np.testing.assert_allclose(back @ [i, j, k, 1], [*there, 1], atol=1e-6)


@pytest.mark.parametrize("parent", ["none", "rigid", "shear", "warp", "moved meanwhile"])
@pytest.mark.parametrize("grid", ["RAS", "oblique"])
def test_derived_volume_is_aligned_with_its_source(
    scene: Any, tmp_path: Path, grid: str, parent: str
) -> None:
    volume = add_volume(noise(), GRIDS[grid])
    if parent == "warp":
        add_warp(volume)
    elif parent in ("rigid", "shear"):
        add_transform(RIGID if parent == "rigid" else grid_matrix((1, 1, 1), skew=0.3), volume)
    written = writeVolume(volume, tmp_path / "map.nrrd")
    if parent == "moved meanwhile":
        add_transform(MIRRORING, volume)
    node = loadDerivedVolume(tmp_path / "map.nrrd", "uncertainty", volume, written)
    assert node.GetParentTransformNode() is volume.GetParentTransformNode()
    assert node.GetStorageNode() is None
    back = np.linalg.inv(local_grid(node)) @ GRIDS[grid]
    for k, j, i in ((0, 0, 0), (3, 5, 7), (13, 11, 9)):
        there = back @ [i, j, k, 1]
        np.testing.assert_allclose(there, np.rint(there), atol=1e-6)
        place = tuple(np.rint(there)[2::-1].astype(int))
        assert slicer.util.arrayFromVolume(node)[place] == noise()[k, j, i]


def test_loaded_volume_has_name_and_storage_node(scene: Any, tmp_path: Path) -> None:
    writeVolume(add_volume(noise(), GRIDS["RAS"]), tmp_path / "image.nrrd")
    node = loadVolume(tmp_path / "image.nrrd", "patient 1")
    assert node.GetName() == "patient 1"
    assert node.GetStorageNode().GetFileName() == str(tmp_path / "image.nrrd")
    assert node.GetDisplayNode() is not None
    assert not node.GetModifiedSinceRead()


def test_dicom_slices_are_ordered_by_position_and_checked(scene: Any, tmp_path: Path) -> None:
    heights = [6.0, 0.0, 9.0, 3.0]  # in the order of the file names
    write_dicom_series(tmp_path / "complete", heights)
    node = loadVolume(tmp_path / "complete", "CT")
    expected = read_image(tmp_path / "complete")
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), expected.array[0].T)
    np.testing.assert_allclose(world_grid(node), expected.affine)
    write_dicom_series(tmp_path / "incomplete", [0.0, 3.0, 9.0])
    count = scene.GetNumberOfNodes()
    with pytest.raises(GenSegError, match="incomplete"):
        loadVolume(tmp_path / "incomplete", "CT")
    assert scene.GetNumberOfNodes() == count


def test_dicom_series_folder_is_loaded(scene: Any, abdomen: Path) -> None:
    node = loadVolume(abdomen / "dicom_ct3", "CT")
    expected = read_image(abdomen / "dicom_ct3")
    assert slicer.util.arrayFromVolume(node).shape == expected.shape[::-1]
    assert slicer.util.arrayFromVolume(node).min() == expected.array.min()


@pytest.mark.parametrize("name", ['Kopf it\'s "quoted"', "日本"])
def test_non_ascii_and_quoted_paths_are_supported(scene: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name / f"{name}.nrrd"
    writeVolume(add_volume(noise(), GRIDS["oblique"]), path)
    assert slicer.util.arrayFromVolume(loadVolume(path, name)).shape == noise().shape
    assert read_image(path).shape == noise().shape[::-1]


def test_relative_path_is_resolved_against_the_working_directory(
    scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    scene.SetRootDirectory(str(tmp_path / "elsewhere"))
    monkeypatch.chdir(tmp_path)
    writeVolume(add_volume(noise(), GRIDS["RAS"]), Path("image.nrrd"))
    assert (tmp_path / "image.nrrd").is_file()
    assert loadVolume(Path("image.nrrd"), "again").GetImageData() is not None


def test_writing_does_not_modify_volume_or_scene(scene: Any, tmp_path: Path) -> None:
    node = add_volume(noise(), GRIDS["oblique"])
    add_transform(RIGID, node)
    before, nodes = modification_state(node), nodes_in(scene)
    writeVolume(node, tmp_path / "image.nrrd")
    assert modification_state(node) == before
    assert nodes_in(scene) == nodes
    assert node.GetParentTransformNode() is not None


def test_file_is_compressed_on_request(scene: Any, tmp_path: Path) -> None:
    node = add_volume(np.zeros((40, 40, 40), np.int16), GRIDS["RAS"])
    writeVolume(node, tmp_path / "small.nrrd", compress=True)
    assert (tmp_path / "small.nrrd").stat().st_size < 40**3
    assert read_image(tmp_path / "small.nrrd").shape == (40, 40, 40)


def test_volume_without_voxels_is_rejected(scene: Any, tmp_path: Path) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    with pytest.raises(GenSegError, match="empty has no voxels"):
        writeVolume(node, tmp_path / "image.nrrd")


def test_more_than_eight_components_are_rejected(scene: Any, tmp_path: Path) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "time series")
    slicer.util.updateVolumeFromArray(node, np.zeros((4, 5, 6, 9), np.uint8))
    with pytest.raises(GenSegError, match="time series has 9 components per voxel"):
        writeVolume(node, tmp_path / "image.nrrd")


def test_sheared_geometry_is_rejected(scene: Any, tmp_path: Path) -> None:
    node = add_volume(noise(), grid_matrix((1, 1, 1), skew=0.3), "tilted")
    with pytest.raises(GenSegError, match="tilted are not orthogonal"):
        writeVolume(node, tmp_path / "image.nrrd")


def test_folder_that_cannot_be_created_is_reported(scene: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GenSegError, match="cannot be written"):
        writeVolume(add_volume(noise(), GRIDS["RAS"]), tmp_path / "file" / "image.nrrd")


FULL_DISK = """
import sys; sys.path[:0] = sys.argv[2:]
import resource, numpy, Host; Host.install()
from pathlib import Path
from mrml_nodes import add_volume, GRIDS
from GenSegLib.errors import GenSegError
from GenSegSlicerLib.VolumeFiles import writeVolume
voxels = numpy.random.default_rng(0).integers(0, 9999, (40, 40, 40)).astype("int16")
node = add_volume(voxels, GRIDS["RAS"])
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))
for suffix, compress in ((".nrrd", 0), (".nrrd", 1), (".nii", 0), (".nii.gz", 1), (".mha", 0)):
    try:
        writeVolume(node, Path(sys.argv[1]) / f"image{suffix}", compress=compress)
    except GenSegError as error:
        print("error:", error)
"""


@pytest.mark.skipif("PythonQt" in sys.modules, reason="starts a desktop host")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_full_disk_is_reported_and_leaves_no_files(tmp_path: Path) -> None:
    """A limit on the size of files stops the writers where a full disk would."""
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "out"), *sys.path],
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        check=True,
    )
    errors = [line for line in result.stdout.splitlines() if line.startswith("error:")]
    assert len(errors) == 5
    assert all("check whether the disk is full" in line for line in errors)
    assert list((tmp_path / "out").iterdir()) == []


def test_corrupted_file_is_reported_and_adds_no_node(scene: Any, tmp_path: Path) -> None:
    (tmp_path / "image.nrrd").write_bytes(b"NRRD0004\nnothing")
    nodes = nodes_in(scene)
    with pytest.raises(GenSegError, match=r"image\.nrrd: cannot be read as an image"):
        loadVolume(tmp_path / "image.nrrd", "broken")
    assert nodes_in(scene) == nodes


def test_truncated_file_is_reported(scene: Any, tmp_path: Path) -> None:
    path = tmp_path / "image.nii"
    writeVolume(add_volume(noise(), GRIDS["RAS"]), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(GenSegError, match=r"image\.nii"):
        loadVolume(path, "cut off")


def test_missing_file_is_reported(scene: Any, tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match=r"nowhere\.nrrd: no such file"):
        loadVolume(tmp_path / "nowhere.nrrd", "nowhere")
