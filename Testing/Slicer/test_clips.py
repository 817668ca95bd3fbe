"""Clips (DICOM of several frames) in the panel: each frame is an image."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from annotation_loops import draw, states, voxels_of
from bright_model import GRAY_2D
from dicom_pictures import write_dicom_picture
from GenSegSlicerLib.Frames import frameOf
from GenSegSlicerLib.Geometry import localIJKToRAS
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.TrainingPair import TrainingPair
from GenSegSlicerLib.TrainingSettings import suggestedPreset
from GenSegSlicerLib.Units import unitOf
from GenSegSlicerLib.VolumeFiles import isStack, loadVolume, readVolume, writeVolume
from mrml_nodes import add_segmentation, oriented_image, segment_array
from photo_files import square

from GenSegLib.datasets.image_io import read_image, read_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.models.folder import ModelMetadata, write_model_files

pytest_plugins = ["annotation_loops"]

SQUARES = np.concatenate([square(left=4 + 12 * k) for k in range(3)])


def clip(path: Path) -> Path:
    """Frames with a bright square, each at another place and of another brightness."""
    dark = np.where(SQUARES, 220, 20)
    frames = (dark // np.array([1, 2, 3])[:, None, None]).astype(np.uint8)
    return write_dicom_picture(path, "clip", frames, "MONOCHROME2")


@pytest.fixture(scope="module")
def pixel_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of images in pixels."""
    folder = tmp_path_factory.mktemp("models") / "pixels"
    shutil.copytree(GRAY_2D, folder)
    metadata = ModelMetadata.load(folder)
    preset = replace(metadata.preset, unit="px", spacing=(1.0, 1.0))
    write_model_files(folder, replace(metadata, preset=preset, spacing=None, volumes={}))
    return folder


def test_each_frame_of_a_clip_is_segmented(
    scene: Any, host: Any, pixel_model: Path, tmp_path: Path
) -> None:
    node = loadVolume(clip(tmp_path / "a.dcm"), "clip")
    job = GenSegSlicerLogic().apply(pixel_model, node, wait=True)
    assert job.state == "finished", job.message
    assert np.array_equal(segment_array(job.segmentationNodes[0], "Bright", node), SQUARES)


def test_a_clip_is_a_pair_of_2d_images(scene: Any, tmp_path: Path) -> None:
    node = loadVolume(clip(tmp_path / "a.dcm"), "clip")
    squares = oriented_image(SQUARES.astype(np.uint8), localIJKToRAS(node))
    pair = TrainingPair(node, add_segmentation([(squares, {1: "Bright"})], "squares"))
    GenSegSlicerLogic().checkPairs([pair], {"Bright": "Bright"})
    assert (pair.status, pair.isFlat) == ("ok", True)
    assert suggestedPreset([pair], "generic-mri") == "generic-2d"


def test_a_clip_that_slicer_has_loaded_is_known_by_its_file(scene: Any, tmp_path: Path) -> None:
    node = slicer.util.loadVolume(str(clip(tmp_path / "a.dcm")))
    assert frameOf(node).image.is_stack


def test_a_file_that_is_written_of_a_clip_says_so(scene: Any, tmp_path: Path) -> None:
    writeVolume(loadVolume(clip(tmp_path / "a.dcm"), "clip"), tmp_path / "a.nrrd")
    assert read_image(tmp_path / "a.nrrd").is_stack
    assert isStack(readVolume(tmp_path / "a.nrrd")[0])
    loaded = slicer.util.loadVolume(str(tmp_path / "a.nrrd"))
    assert isStack(loaded)
    assert read_image(tmp_path / "a.nrrd").unit == unitOf(loaded) == "px"


def test_frames_of_a_folder_are_annotated_one_by_one(
    new_loop: Callable[..., Any], wait: Callable[[Any], None], pixel_model: Path, tmp_path: Path
) -> None:
    path = clip(tmp_path / "images" / "a.dcm")
    loop = new_loop(imageFolder=str(path.parent), model=str(pixel_model), preset="generic-2d")
    loop.next()
    wait(loop)
    assert states(loop) == {"a_frame001": "draft", "a_frame002": "to do", "a_frame003": "to do"}
    assert np.array_equal(voxels_of(loop), SQUARES[:1])
    draw(loop, SQUARES[1:2])
    loop.accept()
    (case,) = read_cases(loop.workspace.folder.path).cases
    image = read_image(case.image)
    assert np.array_equal(image.array[0] > 100, SQUARES[:1].T)
    assert np.array_equal(read_label(case.label, image).array[0], SQUARES[1:2].T)
    assert str(path.parent) not in case.image.as_posix()
