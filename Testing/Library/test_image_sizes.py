"""Pictures of any resolution are taken as showing the same field of view."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from GenSegLib.data import preprocessing
from GenSegLib.data.case_fingerprint import CaseFingerprint, fingerprint_case
from GenSegLib.data.preprocessing import Preprocessor
from GenSegLib.datasets.image_io import read_image, read_label
from GenSegLib.images.volume import Volume
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.planning.candidates import CPU, list_candidates
from GenSegLib.planning.continuation import plan_misfit
from GenSegLib.planning.fingerprint import summarize_cases
from GenSegLib.planning.plan import Limits, make_plan
from GenSegLib.prediction.plausibility import grid_warnings
from GenSegLib.prediction.predict import Predictor, predict_files
from GenSegLib.presets import Preset, load_preset
from Testing.Library.tiny_models import save_bright_model

HEIGHT, WIDTH = 48, 64


def picture(scale: int = 1) -> np.ndarray:
    """A bright square on gray (y, x) at a multiple of the resolution."""
    values = np.full((HEIGHT, WIDTH), 60, np.uint8)
    values[10:30, 30:56] = 220
    return values.repeat(scale, axis=0).repeat(scale, axis=1)


def photo_case(folder: Path, height: int, width: int, square: int) -> CaseFingerprint:
    """The fingerprint of a picture with a square structure."""
    values = np.zeros((height, width), np.uint8)
    values[4 : 4 + square, 4 : 4 + square] = 255
    Image.fromarray(values).save(folder / "case.png")
    image = read_image(folder / "case.png")
    return fingerprint_case(image, read_label(folder / "case.png", image))


def planned(long_side: float) -> Preset:
    details = {"unit": "px", "spacing": (2.0, 2.0), "patch_size": (32, 32), "batch_dice": False}
    return replace(load_preset("generic-2d"), **details, long_side=long_side)


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_the_network_sees_the_same_at_any_resolution(tmp_path: Path, scale: int) -> None:
    Image.fromarray(picture(scale)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    preprocessor = Preprocessor(planned(WIDTH))
    prepared = preprocessor.apply(image)
    assert prepared.image.shape == (1, WIDTH // 2, 32, 1)
    assert prepared.spacing[:2] == pytest.approx((2, 2))
    assert preprocessor.target_spacing(image)[:2] == pytest.approx((2 * scale, 2 * scale))


def test_images_in_mm_count_by_their_field_of_view_as_well() -> None:
    array = np.random.default_rng(0).random((1, 96, 48, 1)).astype(np.float32)
    image = Volume(array, np.diag([0.1, 0.1, 1.0, 1.0]))
    assert Preprocessor(planned(128)).apply(image).image.shape == (1, 64, 32, 1)


def test_the_field_of_view_of_an_image_is_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a noticeable part of the time of a large photo."""
    save_bright_model(tmp_path / "model", replace(planned(WIDTH), spacing=(1.0, 1.0)))
    Image.fromarray(picture()).save(tmp_path / "a.png")
    found: list[np.ndarray] = []
    find = preprocessing.field_of_view_mask
    monkeypatch.setattr(
        preprocessing, "field_of_view_mask", lambda *args: found.append(find(*args)) or found[-1]
    )
    Predictor(tmp_path / "model", "cpu").predict(read_image(tmp_path / "a.png"))
    assert len(found) == 1


@pytest.mark.parametrize("scale", [1, 4])
def test_a_larger_picture_is_segmented_alike_on_its_own_grid(tmp_path: Path, scale: int) -> None:
    save_bright_model(tmp_path / "model", replace(planned(WIDTH), spacing=(1.0, 1.0)))
    Image.fromarray(picture(scale)).save(tmp_path / "a.png")
    (file,) = predict_files(tmp_path / "model", [tmp_path / "a.png"], tmp_path / "out")
    with Image.open(file) as found:
        segmented, expected = np.asarray(found) > 0, picture(scale) > 100
    assert segmented.shape == expected.shape
    assert 2 * (segmented & expected).sum() / (segmented.sum() + expected.sum()) > 0.9


def test_photos_of_several_cameras_are_scaled_to_their_median_size(tmp_path: Path) -> None:
    cases = [photo_case(tmp_path, 3 * k, 4 * k, k) for k in (16, 64, 64, 64, 256)]
    found = summarize_cases(cases)
    assert (found.unit, found.long_side, found.long_sides) == ("px", 256, (64, 1024))
    assert found.classes[1].extent_mm[:2] == (64, 64)
    candidates = list_candidates(found, load_preset("generic-2d"), CPU)
    assert {each.preset.long_side for each in candidates} == {256}
    plan = make_plan(found, load_preset("generic-2d"), Limits(60.0, 4 * 10**9), lambda *_: 0.1)
    assert "images of 64 to 1,024 pixels along their longer side are scaled to 256" in plan.summary


def test_crops_at_one_resolution_stay_at_it(tmp_path: Path) -> None:
    """The structures have the same size in pixels, whatever the size of the crop."""
    cases = [photo_case(tmp_path, k, k, 20) for k in (40, 60, 90, 150, 300)]
    assert summarize_cases(cases).long_side == 0


def test_a_plan_suits_pictures_of_another_resolution(tmp_path: Path) -> None:
    large = summarize_cases([photo_case(tmp_path, 480, 640, 200)] * 5)
    assert plan_misfit(large, planned(WIDTH), {1}) == ""
    assert "its patches of 64 px show little" in plan_misfit(large, planned(1280), {1})


def test_a_small_picture_is_not_said_to_show_too_little(tmp_path: Path) -> None:
    save_bright_model(tmp_path / "model", planned(WIDTH))
    metadata = ModelMetadata.load(tmp_path / "model")
    assert grid_warnings(metadata, 0, 255, (12, 10, 1), (1, 1, 1)) == []


def bordered(pixels: np.ndarray, caption: bool = True) -> np.ndarray:
    """The picture in a video frame that is dark on the left and right, with a caption."""
    frame = np.pad(pixels, ((0, 0), (40, 24)))
    frame[2:5, 4:8] = 200 if caption else 0
    return frame


def test_dark_borders_are_not_shown_to_the_network(tmp_path: Path) -> None:
    preprocessor = Preprocessor(replace(planned(0), spacing=(1.0, 1.0)))
    Image.fromarray(bordered(picture())).save(tmp_path / "a.png")
    Image.fromarray(picture()).save(tmp_path / "b.png")
    frame, whole = (preprocessor.apply(read_image(tmp_path / f"{k}.png")) for k in "ab")
    margin = 8  # on either side, of 4 pixels each
    assert frame.image.shape[1] <= -(-(WIDTH + margin) // 32) * 32
    assert abs(float(frame.image.max()) - float(whole.image.max())) < 0.5


@pytest.mark.parametrize("scale", [1, 3])
def test_what_is_within_dark_borders_counts_as_the_field_of_view(
    tmp_path: Path, scale: int
) -> None:
    frame = bordered(picture()).repeat(scale, axis=0).repeat(scale, axis=1)
    Image.fromarray(frame).save(tmp_path / "a.png")
    prepared = Preprocessor(planned(WIDTH)).apply(read_image(tmp_path / "a.png"))
    square = (prepared.image[0, :, :, 0] > 1).any(axis=1).sum()
    assert square == pytest.approx(26 / 2, abs=2), "half of the pixels at a spacing of 2"


def test_bright_structures_on_black_are_no_borders(tmp_path: Path) -> None:
    pixels = np.zeros((64, 64), np.uint8)
    pixels[20:24, 20:24] = pixels[50:53, 40:43] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    prepared = Preprocessor(replace(planned(0), spacing=(1.0, 1.0))).apply(
        read_image(tmp_path / "a.png")
    )
    assert prepared.image.shape == (1, 64, 64, 1)


def test_a_structure_within_dark_borders_is_labeled_where_it_is(tmp_path: Path) -> None:
    save_bright_model(tmp_path / "model", replace(planned(WIDTH), spacing=(1.0, 1.0)))
    Image.fromarray(bordered(picture(), caption=False)).save(tmp_path / "a.png")
    (file,) = predict_files(tmp_path / "model", [tmp_path / "a.png"], tmp_path / "out")
    with Image.open(file) as found:
        segmented, expected = np.asarray(found) > 0, bordered(picture(), caption=False) > 100
    assert segmented.shape == expected.shape
    assert 2 * (segmented & expected).sum() / (segmented.sum() + expected.sum()) > 0.85


def test_a_label_in_the_border_does_not_change_the_scale(tmp_path: Path) -> None:
    Image.fromarray(bordered(picture(), caption=False)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    label = np.zeros((1, *image.shape), np.int16)
    label[0, :, :, 0] = image.array[0, :, :, 0] > 100
    inside = Preprocessor(planned(WIDTH)).apply(image, replace(image, array=label)).label
    label[0, 0, 0] = label[0, -1, -1] = 1
    beyond = Preprocessor(planned(WIDTH)).apply(image, replace(image, array=label)).label
    assert inside is not None and beyond is not None
    assert 0 <= beyond.sum() - inside.sum() <= 2
