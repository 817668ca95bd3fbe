"""Folders of photos in the panel: read one by one, released, trained on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from GenSegSlicerLib import FilePairs
from GenSegSlicerLib.Channels import furtherChannels
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.PairFinder import importFolder
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.SliceViews import showPair
from mrml_nodes import segment_array
from panel_driver import PanelDriver
from panel_scenes import TINY_NETWORK
from photo_files import HEIGHT, WIDTH, add_photo, photo_folder, square
from PIL import Image

from GenSegLib.datasets.image_io import read_image, read_label
from GenSegLib.files import write_json
from GenSegLib.presets import Steps, load_preset


def test_photos_are_read_one_by_one_and_released(scene: Any, tmp_path: Path) -> None:
    pairs = importFolder(photo_folder(tmp_path / "photos"))
    assert all(pair.isReleased for pair in pairs)
    assert all(checkPair(pair, {"Label 1": "Bright"}, pairs) == "ok" for pair in pairs)
    assert all(pair.isReleased and pair.channels == 3 for pair in pairs)
    assert pairs[0].volumes[1] == pytest.approx(100 / 1000)


def test_a_photo_is_turned_as_its_camera_says(scene: Any, tmp_path: Path) -> None:
    (pair, *_) = importFolder(photo_folder(tmp_path / "photos"))
    FilePairs.load(pair)
    assert pair.volumeNode.GetImageData().GetDimensions() == (WIDTH, HEIGHT, 1)
    red = voxelsOf(pair.volumeNode.GetImageData())[..., 0]
    mask = square(left=4)
    assert (np.abs(red - np.where(mask, 200.0, 20.0)) < 60).all()
    segment = pair.segmentationNode.GetSegmentation().GetNthSegment(0)
    found = segment_array(pair.segmentationNode, segment.GetName(), pair.volumeNode)
    assert np.array_equal(found, mask)


def test_transparency_of_imported_photos_is_said(scene: Any, tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "photos", 2)
    with Image.open(folder / "images" / "p1.jpg") as image:
        image.convert("RGBA").save(folder / "images" / "p1.png")
    (folder / "images" / "p1.jpg").unlink()
    first, second = importFolder(folder)
    assert (first.notes, second.notes) == ([], ["the transparency of the image was dropped"])


def test_masks_in_several_files_are_read_again_when_they_are_needed(
    scene: Any, tmp_path: Path
) -> None:
    """As those of left and right lungs, and of several lesions; segments may be renamed."""
    folder = photo_folder(tmp_path / "photos", 2)
    mask = np.asarray(Image.open(folder / "labels" / "p0.png"))
    for name, part in (("left", mask.copy()), ("right", np.roll(mask, 12, axis=1))):
        for k in (0, 1):
            path = folder / "masks" / name / f"p{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(part).save(path)
    shutil.rmtree(folder / "labels")
    first, _second = importFolder(folder)
    assert first.isReleased
    segmentation = first.segmentationNode.GetSegmentation()
    names = [segmentation.GetNthSegment(k).GetName() for k in (0, 1)]
    assert names == ["Left", "Right"]
    segmentation.GetNthSegment(1).SetName("Other")
    FilePairs.load(first)
    for k, name in ((0, "Left"), (12, "Other")):
        found = segment_array(first.segmentationNode, name, first.volumeNode)
        assert np.array_equal(found, np.roll(square(left=4), k, axis=2))


def test_white_pixels_are_ignored_where_the_list_says_so(scene: Any, tmp_path: Path) -> None:
    """Also when the mask is read again."""
    folder = photo_folder(tmp_path / "photos", 2)
    names = [{"name": f"p{k}", "image": f"images/p{k}.jpg"} for k in (0, 1)]
    values = {"values": {"255": "ignore"}}
    cases = [{**entry, **values, "label": f"labels/{entry['name']}.png"} for entry in names]
    write_json(folder / "cases.json", {"labels": {"1": "Bright"}, "cases": cases})
    _first, second = importFolder(folder)
    FilePairs.load(second)
    assert segment_array(second.segmentationNode, "Ignore", second.volumeNode).sum() == 100


def test_a_shown_photo_stays_and_an_edited_one_is_kept(scene: Any, tmp_path: Path) -> None:
    first, second, _third = importFolder(photo_folder(tmp_path / "photos"))
    for pair in (first, second):
        FilePairs.load(pair)
        showPair(pair.volumeNode, pair.segmentationNode)
    FilePairs.release(second)
    assert not second.isReleased
    labelmap = (
        first.segmentationNode.GetSegmentation()
        .GetNthSegment(0)
        .GetRepresentation("Binary labelmap")
    )
    voxelsOf(labelmap)[...] = 0
    labelmap.Modified()
    FilePairs.release(first)
    assert not first.isReleased
    assert not first.isFromFiles


def test_all_channels_of_a_picture_are_released_and_read_again(scene: Any, tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "photos", 2)
    cases = []
    for k in (0, 1):
        files = [f"images/p{k}.jpg", f"images/p{k}_infrared.png"]
        Image.fromarray(square(left=4 + 6 * k)[0].astype(np.uint8)).save(folder / files[1])
        cases.append({"name": f"p{k}", "image": files, "label": f"labels/p{k}.png"})
    write_json(folder / "cases.json", {"labels": {"1": "Bright"}, "cases": cases})
    first, _second = importFolder(folder)
    (infrared,) = furtherChannels(first.volumeNode)
    assert infrared.GetImageData() is None
    assert first.files == tuple(folder / name for name in cases[0]["image"])
    assert (checkPair(first, {"Bright": "Bright"}), first.channels) == ("ok", 4)
    assert infrared.GetImageData() is None
    FilePairs.load(first)
    assert np.array_equal(voxelsOf(infrared.GetImageData()), square(left=4))


def test_photos_with_the_numbers_of_a_camera_are_images_of_their_own(
    scene: Any, tmp_path: Path
) -> None:
    assert furtherChannels(next(add_photo(square(), name=f"IMG_000{k}") for k in (0, 1))) == []
    folder = photo_folder(tmp_path / "photos")
    for part in ("images", "labels"):
        turned, *others = sorted((folder / part).iterdir())
        turned.unlink()
        for k, path in enumerate(others):
            with Image.open(path) as image:
                image.convert("L").save(path.with_name(f"DSC_000{k}.png"))
            path.unlink()
    pairs = importFolder(folder)
    assert [furtherChannels(pair.volumeNode) for pair in pairs] == [[], []]


def test_photos_are_trained_on(scene: Any, host: Any, tmp_path: Path) -> None:
    steps = Steps(warmup_steps=1, joint_steps=2, final_steps=4)
    preset = replace(
        load_preset("generic-2d-color"),
        patch_size=(32, 32),
        spacing=(1.0, 1.0),
        unit="px",
        segmenter="unet",
        encoder="scratch",
        network=TINY_NETWORK,
        steps=dict.fromkeys(("quick", "standard", "thorough"), steps),
    )
    (tmp_path / "tiny.json").write_text(json.dumps(preset.to_json()))
    pairs = importFolder(photo_folder(tmp_path / "photos", 4))
    settings = {"threads": 1, "validation_interval": 2, "batch_size": 2}
    job = GenSegSlicerLogic().train(
        pairs, tmp_path / "tiny.json", tmp_path / "runs", settings=settings, wait=True
    )
    assert job.state == "finished", job.message + job.details
    assert (job.runFolder / "model").is_dir()
    assert all(pair.isReleased for pair in pairs)
    inputs = job.runFolder / "inputs"
    image = read_image(inputs / "images" / "p0.nrrd")
    assert (len(image.array), image.unit) == (3, "px"), "as genseg train takes photos"
    assert read_label(inputs / "labels" / "p0.nrrd").array.sum() == 100


def test_the_panel_imports_photos_and_chooses_a_preset_for_them(
    scene: Any, host: Any, tmp_path: Path
) -> None:
    panel = PanelDriver(host)
    panel.widget.panel.cases.importFolder(str(photo_folder(tmp_path / "photos")))
    host.wait_until(lambda: panel.parameters.preset == "generic-2d-color", 30)
    table = panel.ui.casesTable  # pairs are checked again with the classes of the preset
    host.wait_until(lambda: [row[3] for row in panel.rows(table)] == ["OK"] * 3, 30)
    pairs = panel.widget.panel.cases.pairs
    assert [pair.isReleased for pair in pairs] == [False, True, True]
    panel.select_rows(table, [2])
    panel.press(panel.ui.showPairButton)
    assert [pair.isReleased for pair in pairs] == [True, True, False]
    host.close_module("GenSegSlicer")
