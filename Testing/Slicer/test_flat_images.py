"""2-D images, color and several channels in the panel: pairs, files, views, results, units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from bright_model import COLOR_2D, GRAY_2D
from dicom_pictures import write_dicom_picture
from GenSegSlicerLib import TrainingSettings
from GenSegSlicerLib.ApplyJob import requireChannels
from GenSegSlicerLib.Channels import channelCount, furtherChannels, setFurtherChannels
from GenSegSlicerLib.Frames import frameOf
from GenSegSlicerLib.Geometry import localIJKToRAS
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.PairFinder import findPairs
from GenSegSlicerLib.Resampling import overlapWarnings
from GenSegSlicerLib.SliceViews import showVolume
from GenSegSlicerLib.Tables import volumesTable
from GenSegSlicerLib.TrainingPair import TrainingPair
from GenSegSlicerLib.Units import unitOf
from GenSegSlicerLib.VolumeFiles import loadVolume, writeChannels, writeVolume
from mrml_nodes import (
    GRIDS,
    add_segmentation,
    add_transform,
    add_volume,
    grid_matrix,
    noise,
    oriented_image,
    segment_array,
)
from panel_driver import PanelDriver
from photo_files import HEIGHT, PICTURE, WIDTH, add_photo, square
from PIL import Image

from GenSegLib.datasets.channels import read_channels
from GenSegLib.datasets.image_io import read_image
from GenSegLib.errors import GenSegError
from GenSegLib.images.nrrd_files import write_nrrd_steps
from GenSegLib.images.volume import LPS_TO_RAS
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.steps import finish

SAGITTAL = np.array([[0, 0, 2.0, 5], [0.5, 0, 0, 7], [0, -0.5, 0, 9], [0, 0, 0, 1]])


def add_pair(mask: np.ndarray, grid: np.ndarray = PICTURE, name: str = "photo") -> TrainingPair:
    volume = add_photo(mask, grid, name)
    return TrainingPair(volume, add_square(volume, mask, name))


def add_square(volume: Any, mask: np.ndarray | None = None, name: str = "segments") -> Any:
    """A segmentation of an image: the bright square by default."""
    mask = square() if mask is None else mask
    grid = localIJKToRAS(volume)
    node = add_segmentation([(oriented_image(mask.astype(np.uint8), grid), {1: "Bright"})], name)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return node


def write_photo(path: Path) -> None:
    colors = np.stack([np.where(square()[0], 200, 20)] * 3, axis=-1).astype(np.uint8)
    Image.fromarray(colors).save(path)


@pytest.mark.parametrize("grid", [PICTURE, SAGITTAL, GRIDS["oblique and flipped"]])
def test_color_images_are_written_as_the_views_show_them(
    scene: Any, tmp_path: Path, grid: np.ndarray
) -> None:
    mask = square()
    writeVolume(add_photo(mask, grid), tmp_path / "photo.nrrd")
    image = read_image(tmp_path / "photo.nrrd")
    assert image.shape == (WIDTH, HEIGHT, 1)
    assert np.array_equal(image.array[0, :, :, 0].T > 100, mask[0])
    assert np.array_equal(image.array[1], image.array[0] // 2)
    spacing = np.linalg.norm(grid[:3, :3], axis=0)
    assert np.allclose(image.affine, LPS_TO_RAS @ np.diag([*spacing, 1]))


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.uint16, 3), (np.uint8, 1)])
def test_transparency_is_dropped_and_said(
    scene: Any, tmp_path: Path, dtype: type, channels: int
) -> None:
    pair = add_pair(square())
    colors = slicer.util.arrayFromVolume(pair.volumeNode)[..., :channels].astype(dtype)
    alpha = np.full((*colors.shape[:3], 1), np.iinfo(dtype).max, dtype)
    slicer.util.updateVolumeFromArray(pair.volumeNode, np.concatenate([colors, alpha], axis=-1))
    GenSegSlicerLogic().checkPairs([pair], {"Bright": "Bright"})
    assert pair.status == "ok"
    assert "transparency is ignored" in pair.warning
    writeVolume(pair.volumeNode, tmp_path / "photo.nrrd")
    assert len(read_image(tmp_path / "photo.nrrd").array) == channels


def test_a_second_component_that_varies_is_a_channel(scene: Any) -> None:
    photo = add_photo(square())
    slicer.util.updateVolumeFromArray(photo, slicer.util.arrayFromVolume(photo)[..., :2].copy())
    assert channelCount(photo) == 2


def test_pairs_of_color_images_are_found_and_checked(scene: Any) -> None:
    add_pair(square())
    (pair,) = findPairs(scene)
    assert checkPair(pair, {"Bright": "Bright"}) == "ok"
    assert (pair.isFlat, pair.channels) == (True, 3)


def test_images_of_one_training_are_alike(scene: Any) -> None:
    pairs = [add_pair(square(left=left), name=f"photo {left}") for left in (4, 20)]
    volume = add_volume(noise(), GRIDS["RAS"], "scan")
    label = np.zeros(volume.GetImageData().GetDimensions()[::-1], np.uint8)
    label[2:5, 2:5, 2:5] = 1
    solid = add_segmentation([(oriented_image(label, GRIDS["RAS"]), {1: "Bright"})], "solid")
    gray = add_volume(np.where(square(8), 200, 10).astype(np.uint8), PICTURE, "gray")
    mask = add_segmentation([(oriented_image(square(8).astype(np.uint8), PICTURE), {1: "Bright"})])
    pairs += [TrainingPair(volume, solid), TrainingPair(gray, mask)]
    GenSegSlicerLogic().checkPairs(pairs, {"Bright": "Bright"})
    assert [pair.status for pair in pairs[:2]] == ["ok", "ok"]
    assert "has several slices, but photo 4 is a 2-D image" in pairs[2].status
    assert "the number of channels is 1, but 3 in photo 4" in pairs[3].status


def test_gray_images_in_color_are_trained_as_gray_ones(scene: Any) -> None:
    """As X-rays and ultrasound are often exported; others may be stored in gray."""
    exported, photo = add_pair(square(), name="exported"), add_pair(square(left=20))
    shown = slicer.util.arrayFromVolume(exported.volumeNode)
    shown[:] = shown[..., :1]
    gray = add_volume(shown[..., 0] + np.uint8(1), PICTURE, "gray")
    mask = add_segmentation([(oriented_image(square().astype(np.uint8), PICTURE), {1: "Bright"})])
    GenSegSlicerLogic().checkPairs([exported, TrainingPair(gray, mask)], {"Bright": "Bright"})
    assert exported.status == "ok"
    assert TrainingSettings.suggestedPreset([exported], "generic-2d-color") == "generic-2d"
    requireChannels(exported.volumeNode, ModelMetadata.load(GRAY_2D))
    GenSegSlicerLogic().checkPairs([exported, photo], {"Bright": "Bright"})
    assert photo.status == "ok", "as they are both stored in color"


def test_the_preset_follows_the_kind_of_images(scene: Any) -> None:
    photo, scan = add_pair(square()), add_pair(square())
    photo.isFlat, photo.channels = True, 3
    suggested = TrainingSettings.suggestedPreset
    assert suggested([photo], "hippocampus-mri") == "generic-2d-color"
    assert suggested([photo], "skin-lesion") == "skin-lesion"
    photo.channels = 1
    assert suggested([photo], "generic-2d-color") == "generic-2d"
    assert suggested([scan], "generic-2d") == "generic-mri"
    assert suggested([scan], "liver-ct") == "liver-ct"
    assert suggested([], "liver-ct") == "liver-ct"


@pytest.mark.parametrize("grid", [PICTURE, SAGITTAL, GRIDS["oblique and flipped"]])
def test_an_image_fills_one_view_right_way_up(scene: Any, grid: np.ndarray) -> None:
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(layout.SlicerLayoutFourUpView)
    volume = add_photo(square(), grid)
    showVolume(volume)
    assert layout.GetViewArrangement() == layout.SlicerLayoutOneUpRedSliceView
    view = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
    to_slice = np.linalg.inv(slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS()))
    right, down = (to_slice @ grid)[:3, 0], (to_slice @ grid)[:3, 1]
    assert right[0] > 0
    assert np.allclose(right[1:], 0, atol=1e-6)
    assert down[1] < 0
    assert np.allclose(down[[0, 2]], 0, atol=1e-6)


def test_the_layout_of_volumes_returns_with_a_volume(scene: Any) -> None:
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(layout.SlicerLayoutFourUpView)
    showVolume(add_photo(square()))
    showVolume(add_volume(noise(), GRIDS["RAS"]))
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpView
    view = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
    assert view.GetOrientation() == "Axial"


def test_further_channels_are_written_on_the_grid_of_the_first(scene: Any, tmp_path: Path) -> None:
    grid = GRIDS["oblique"]
    t1 = add_volume(noise(seed=1), grid, "T1")
    t2 = add_volume(noise(seed=2), grid, "T2")
    shift = np.eye(4)
    shift[:3, 3] = 3, -2, 1
    add_transform(shift, t2)
    finer = add_volume(noise((20, 20, 20), 3), grid_matrix((0.5, 0.5, 2), angle=0.6), "FLAIR")
    setFurtherChannels(t1, [t2, finer])
    paths = [tmp_path / f"case_{k:04d}.nrrd" for k in range(3)]
    writeChannels(t1, paths)
    image = read_channels(paths)
    assert image.array.shape[0] == 3
    assert np.array_equal(image.array[0], slicer.util.arrayFromVolume(t1).T)
    t2.SetAndObserveTransformNodeID(None)
    writeChannels(t1, paths)
    assert np.array_equal(read_channels(paths).array[1], slicer.util.arrayFromVolume(t2).T)


@pytest.mark.parametrize(
    ("shift", "status", "warning"),
    [
        (4, "ok", ""),
        (14, "ok", "T2 covers 30 % of T1 and is 0 elsewhere"),
        (500, "T2 does not overlap T1, whose further channel it is", ""),
    ],
)
def test_a_further_channel_that_is_elsewhere_is_a_warning_or_an_error(
    scene: Any, shift: float, status: str, warning: str
) -> None:
    t1 = add_volume(noise((20, 20, 20), 1), np.eye(4), "T1")
    label = np.zeros((20, 20, 20), np.uint8)
    label[2:5, 2:5, 2:5] = 1
    pair = TrainingPair(t1, add_square(t1, label))
    moved = np.eye(4)
    moved[0, 3] = shift
    setFurtherChannels(t1, [add_volume(noise((20, 20, 20), 2), moved, "T2")])
    GenSegSlicerLogic().checkPairs([pair], {"Bright": "Bright"})
    assert pair.status.startswith(status)
    assert warning in pair.warning
    assert bool(warning) == bool(pair.warning)


def test_channels_that_do_not_overlap_are_not_segmented(scene: Any) -> None:
    gray, elsewhere = np.where(square(), 200, 20).astype(np.uint8), PICTURE.copy()
    elsewhere[0, 3] = 900
    grids = {"red": PICTURE, "green": PICTURE, "blue": elsewhere}
    red, *others = (add_volume(gray, grid, name) for name, grid in grids.items())
    setFurtherChannels(red, others)
    for segment in (lambda: GenSegSlicerLogic().apply(COLOR_2D, red), lambda: frameOf(red)):
        with pytest.raises(GenSegError, match="blue does not overlap red"):
            segment()


def test_images_of_one_plane_are_channels_at_any_distance(scene: Any) -> None:
    first = add_photo(square(), SAGITTAL)
    behind = SAGITTAL.copy()
    behind[:3, 3] += 5 * SAGITTAL[:3, 2]
    setFurtherChannels(first, [add_photo(square(), behind, "infrared")])
    assert overlapWarnings(first) == []
    image = frameOf(first).image
    assert np.array_equal(image.array[3:], image.array[:3])


def test_volumes_named_like_files_of_nnunet_are_channels(scene: Any) -> None:
    first, second = (add_volume(noise(seed=k), GRIDS["RAS"], f"case_000{k}") for k in (0, 1))
    assert furtherChannels(first) == [second]
    assert furtherChannels(second) == []


def test_a_color_image_is_segmented_wherever_it_is_in_space(scene: Any, host: Any) -> None:
    volume = add_photo(square(), SAGITTAL)
    job = GenSegSlicerLogic().apply(COLOR_2D, volume, wait=True)
    assert job.state == "finished", job.message
    assert job.warnings == []
    (node,) = job.segmentationNodes
    assert np.array_equal(segment_array(node, "Bright", volume), square())
    table = volumesTable([node], "areas")
    titles = [table.GetColumnName(k) for k in range(3)]
    assert titles == ["Segment", "Area (mm\N{SUPERSCRIPT TWO})", "Pixels"]
    assert float(table.GetCellText(0, 1)) == 100 * 0.5 * 0.5


def test_areas_in_photos_are_in_pixels(scene: Any, tmp_path: Path) -> None:
    write_photo(tmp_path / "photo.png")
    node = add_square(loadVolume(tmp_path / "photo.png", "photo"))
    table = volumesTable([node], "areas")
    assert table.GetColumnName(1) == "Area (px)"
    assert float(table.GetCellText(0, 1)) == 100


def test_a_model_with_a_plan_in_millimeters_segments_photos_as_before(
    scene: Any, host: Any, tmp_path: Path
) -> None:
    """Trainings in the panel took pixels for millimeters before files said that they are none."""
    assert ModelMetadata.load(COLOR_2D).preset.unit == "mm"
    write_photo(tmp_path / "photo.png")
    volume = loadVolume(tmp_path / "photo.png", "photo")
    assert unitOf(volume) == "px"
    job = GenSegSlicerLogic().apply(COLOR_2D, volume, wait=True)
    assert job.state == "finished", job.message


def test_a_file_of_a_dicom_image_without_a_scale_stays_in_pixels(
    scene: Any, tmp_path: Path
) -> None:
    """Such files are those of the annotation loop and of trainings."""
    pixels = np.where(square(), 220, 20).astype(np.uint8)
    for name, header, unit in (
        ("photo", {}, "px"),
        ("radiograph", {"PixelSpacing": [0.5, 0.5]}, "mm"),
    ):
        kind = "XC" if unit == "px" else "DX"
        dicom = tmp_path / f"{name}.dcm"
        write_dicom_picture(dicom, kind, pixels, "MONOCHROME2", **header)
        path = tmp_path / f"{name}.nrrd"
        writeVolume(loadVolume(dicom, name), path)
        assert read_image(path).unit == read_image(dicom).unit == unit
        for node in (loadVolume(path, name), slicer.util.loadVolume(str(path))):
            assert unitOf(node) == unit


def test_a_volume_of_several_slices_is_in_millimeters_whatever_its_file_says(
    scene: Any, tmp_path: Path
) -> None:
    path = tmp_path / "volume.nrrd"
    finish(write_nrrd_steps(path, np.zeros((3, 4, 5), np.int16), np.eye(4), unit="px"))
    node = slicer.util.loadVolume(str(path))
    assert unitOf(node) == read_image(path).unit == "mm"


def test_areas_are_those_of_each_image_in_its_own_unit(scene: Any, tmp_path: Path) -> None:
    write_photo(tmp_path / "photo.png")
    thick = PICTURE @ np.diag([0.5, 0.5, 5, 1])
    photo = loadVolume(tmp_path / "photo.png", "photo")
    volumes = [add_photo(square(), PICTURE, "thin"), add_photo(square(), thick, "thick"), photo]
    nodes = [add_square(volume) for volume in volumes]
    add_transform(np.diag([2.0, 2.0, 2.0, 1.0]), volumes[1])
    nodes[1].SetAndObserveTransformNodeID(volumes[1].GetTransformNodeID())
    table = volumesTable(nodes, "areas")
    titles = [table.GetColumnName(k) for k in range(1, table.GetNumberOfColumns())]
    assert titles == ["Segment", "Area (mm\N{SUPERSCRIPT TWO})", "Area (px)", "Pixels"]
    areas, pixels = (slicer.util.arrayFromTableColumn(table, title) for title in titles[1:3])
    assert areas == pytest.approx([100, 100, np.nan], nan_ok=True)
    assert pixels == pytest.approx([np.nan, np.nan, 100], nan_ok=True)


def test_scores_of_images_with_a_spacing_are_in_millimeters(scene: Any, host: Any) -> None:
    volume = add_volume(np.where(square(), 200, 20).astype(np.uint8), SAGITTAL, "scan")
    nodes = []
    for left, size in ((8, 10), (12, 11)):
        nodes.append(add_square(volume, square(left=left, size=size), f"segments {left}"))
    job = GenSegSlicerLogic().evaluate(*nodes, wait=True)
    assert job.state == "finished", job.message
    (row,) = job.rows
    assert row["dice"] == pytest.approx(2 * 60 / (100 + 121))
    assert row["hd95_mm"] == pytest.approx(2.5, abs=0.3)
    assert row["area_error_mm"] == pytest.approx((100 - 121) * 0.5 * 0.5)


def test_a_model_of_colors_refuses_a_gray_image(scene: Any) -> None:
    gray = add_volume(np.zeros((1, 32, 32), np.uint8), PICTURE, "gray")
    with pytest.raises(GenSegError, match="gray: the number of channels is 1, but the model exp"):
        GenSegSlicerLogic().apply(COLOR_2D, gray)


def test_the_panel_adds_a_pair_with_further_channels(scene: Any, host: Any) -> None:
    panel = PanelDriver(host)
    pair = add_pair(square())
    second = add_photo(square(), name="infrared")
    ui = panel.ui
    ui.pairVolumeSelector.setCurrentNode(pair.volumeNode)
    ui.pairSegmentationSelector.setCurrentNode(pair.segmentationNode)
    ui.pairChannelsSelector.check(second)
    panel.press(ui.addPairButton)
    panel.wait_for_checks()
    (row,) = panel.rows(ui.casesTable)
    assert row[0] == "photo + infrared"
    assert panel.widget.panel.cases.pairs[0].channels == 6
    host.close_module("GenSegSlicer")
