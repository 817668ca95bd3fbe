"""Folders of NIfTI files of other programs: the panel reads them as the command line does."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from GenSegSlicerLib.PairFinder import importFolder
from GenSegSlicerLib.TrainingPair import TrainingPair
from mrml_nodes import GRIDS, local_grid, nodes_in, noise, segment_array, two_class_labels
from nifti_files import UNSET, forms, write_nifti_2, write_with_forms

from GenSegLib.errors import GenSegError

GRID = GRIDS["oblique"]
REGISTERED = GRIDS["oblique and flipped"]
LABEL = two_class_labels()  # (k, j, i)
IMAGE = noise()


def write_case(
    folder: Path, image: np.ndarray = IMAGE, label: np.ndarray = LABEL, **label_forms: Any
) -> Path:
    """Write image and label "a" of arrays (k, j, i) on one grid."""
    write_with_forms(folder / "images" / "a.nii.gz", image.T, forms(GRID, GRID))
    label_form = label_forms.get("form", forms(GRID, GRID))
    write_with_forms(folder / "labels" / "a.nii.gz", label.T, label_form)
    return folder


def import_one(folder: Path) -> TrainingPair:
    (pair,) = importFolder(folder)
    return pair


def assert_is_on_image(pair: TrainingPair) -> None:
    for value in (1, 2):
        found = segment_array(pair.segmentationNode, f"Label {value}", pair.volumeNode)
        np.testing.assert_array_equal(found, value == LABEL)


def test_an_ordinary_file_is_read_as_slicer_reads_it(scene: Any, tmp_path: Path) -> None:
    pair = import_one(write_case(tmp_path))
    assert_is_on_image(pair)
    assert not pair.notes
    reference = slicer.util.loadVolume(str(tmp_path / "images" / "a.nii.gz"))
    for node in (pair.volumeNode, reference):
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), IMAGE)
        np.testing.assert_allclose(local_grid(node), GRID, atol=1e-4)
    assert pair.volumeNode.GetStorageNode().GetFileName().endswith("a.nii.gz")
    assert not pair.volumeNode.GetModifiedSinceRead()


def test_left_handed_axes_become_those_of_slicers_reader(scene: Any, tmp_path: Path) -> None:
    grid = GRIDS["left-handed"]
    for part, array in (("images", IMAGE), ("labels", LABEL)):
        write_with_forms(tmp_path / part / "a.nii", array.T, forms(grid, grid))
    pair = import_one(tmp_path)
    reference = slicer.util.loadVolume(str(tmp_path / "images" / "a.nii"))
    np.testing.assert_allclose(local_grid(pair.volumeNode), local_grid(reference), atol=1e-4)
    voxels = [slicer.util.arrayFromVolume(node) for node in (pair.volumeNode, reference)]
    np.testing.assert_array_equal(*voxels)
    found = segment_array(pair.segmentationNode, "Label 2", pair.volumeNode)
    np.testing.assert_array_equal(found, (LABEL == 2)[::-1])


def test_a_label_by_the_images_other_form_is_on_the_image(scene: Any, tmp_path: Path) -> None:
    write_case(tmp_path, form=forms(REGISTERED, None))
    write_with_forms(tmp_path / "images" / "a.nii.gz", IMAGE.T, forms(REGISTERED, GRID))
    pair = import_one(tmp_path)
    assert_is_on_image(pair)
    assert "the qform is used" in pair.notes[0]
    assert "copy the image's header to the label" in pair.notes[-1]
    assert pair.volumeNode.GetStorageNode() is None  # saved with the scene instead


@pytest.mark.parametrize("form", [UNSET, forms(np.eye(4), None)], ids=["unset", "identity"])
def test_a_label_without_its_images_header_is_refused(
    scene: Any, tmp_path: Path, form: Any
) -> None:
    before = nodes_in(scene)
    with pytest.raises(GenSegError, match=r"case a: .*copy the image's header .*do not resample"):
        importFolder(write_case(tmp_path, form=form))
    assert nodes_in(scene) == before


def test_a_cropped_label_is_placed_exactly(scene: Any, tmp_path: Path) -> None:
    affine = GRID.copy()
    affine[:3, 3] += GRID[:3, :3] @ [1, 2, 3]
    pair = import_one(write_case(tmp_path, label=LABEL[3:, 2:, 1:], form=forms(affine, affine)))
    assert_is_on_image(pair)


def test_a_label_that_does_not_fit_the_grid_is_resampled_and_its_losses_are_reported(
    scene: Any, tmp_path: Path
) -> None:
    fine = LABEL.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    fine[0, 0, 0] = 3
    affine = GRID @ np.diag([0.5, 0.5, 0.5, 1])
    affine[:3, 3] -= GRID[:3, :3] @ [0.25, 0.25, 0.25]
    pair = import_one(write_case(tmp_path, label=fine, form=forms(affine, affine)))
    assert_is_on_image(pair)
    assert "the label was resampled to the image" in pair.notes[0]
    assert "label value 3 covers less than half of each voxel" in pair.notes[1]


def test_labels_close_to_whole_numbers_are_read(scene: Any, tmp_path: Path) -> None:
    assert_is_on_image(import_one(write_case(tmp_path, label=LABEL * (1 + 1e-7))))


def test_nifti_2_is_read(scene: Any, tmp_path: Path) -> None:
    write_case(tmp_path)
    write_nifti_2(tmp_path / "images" / "a.nii.gz", IMAGE.T, GRID, ">")
    write_nifti_2(tmp_path / "labels" / "a.nii.gz", LABEL.T, GRID)
    pair = import_one(tmp_path)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(pair.volumeNode), IMAGE)
    assert_is_on_image(pair)
    assert pair.volumeNode.GetStorageNode() is None


def test_a_slope_of_0_does_not_shift_intensities(scene: Any, tmp_path: Path) -> None:
    write_case(tmp_path)
    path = tmp_path / "images" / "a.nii.gz"
    write_with_forms(path, IMAGE.T, forms(GRID, GRID), scaling=(0.0, -1024.0))
    pair = import_one(tmp_path)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(pair.volumeNode), IMAGE)
    assert pair.volumeNode.GetStorageNode() is None


def test_a_gzipped_file_named_nii_is_read(scene: Any, tmp_path: Path) -> None:
    write_case(tmp_path)
    path = tmp_path / "images" / "a.nii.gz"
    shutil.move(path, path.with_suffix(""))
    pair = import_one(tmp_path)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(pair.volumeNode), IMAGE)
    assert pair.volumeNode.GetStorageNode() is None


def test_nearly_orthonormal_axes_are_read(scene: Any, tmp_path: Path) -> None:
    sheared = GRID @ np.array([[1, 4e-4, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    for part, array in (("images", IMAGE), ("labels", LABEL)):
        write_with_forms(tmp_path / part / "a.nii.gz", array.T, forms(sheared, None, (1, 0)))
    pair = import_one(tmp_path)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(pair.volumeNode), IMAGE)
    assert_is_on_image(pair)


def test_a_pair_of_header_and_voxels_is_read(scene: Any, tmp_path: Path) -> None:
    write_case(tmp_path)
    for part in ("images", "labels"):
        path = tmp_path / part / "a.nii.gz"
        data = bytearray(gzip.decompress(path.read_bytes()))
        data[108:112], data[344:348] = bytes(4), b"ni1\0"
        path.unlink()
        (tmp_path / part / "a.hdr").write_bytes(data[:348])
        (tmp_path / part / "a.img").write_bytes(data[352:])
    pair = import_one(tmp_path)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(pair.volumeNode), IMAGE)
    assert_is_on_image(pair)


def test_a_scene_with_files_that_slicer_reads_otherwise_is_saved_with_their_voxels(
    scene: Any, tmp_path: Path
) -> None:
    write_case(tmp_path)
    write_nifti_2(tmp_path / "images" / "a.nii.gz", IMAGE.T, GRID)
    importFolder(tmp_path)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    voxels = slicer.util.arrayFromVolume(slicer.util.getNode("a"))
    np.testing.assert_array_equal(voxels, IMAGE)
