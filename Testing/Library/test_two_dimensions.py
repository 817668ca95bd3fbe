"""2-D images from cases to scores: preset, plan, predictions in PNG, distances in pixels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from grids import make_affine
from PIL import Image

from GenSegLib.augmentation.policy import AugmentationPolicy
from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.checks.check_cases import check_cases
from GenSegLib.cli import main
from GenSegLib.commands.training_cases import prepare_cases
from GenSegLib.data.case_fingerprint import fingerprint_case
from GenSegLib.data.case_loading import load_training_cases
from GenSegLib.data.preprocessing import Preprocessor
from GenSegLib.data.training_case import InMemoryCase
from GenSegLib.datasets.image_io import Volume, read_image, read_label, write_image
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.evaluation.evaluate import evaluate_folders
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.planning.candidates import CPU, list_candidates
from GenSegLib.planning.fingerprint import summarize_cases
from GenSegLib.prediction.plausibility import grid_warnings
from GenSegLib.prediction.predict import predict_files
from GenSegLib.presets import load_preset
from GenSegLib.reports.scores import read_scores
from GenSegLib.training.previews import preview_box
from Testing.Library.tiny_models import save_bright_model


def write_photos(folder: Path, count: int = 3, mode: str = "RGB") -> Path:
    """Photos of a bright square at a place of its own, and their masks."""
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for k in range(count):
        mask = np.zeros((64, 80), bool)
        mask[8 : 24 + k, 40:70] = True  # at the top and on the right
        pixels = np.clip(60 + 150 * mask[..., None] + rng.normal(0, 5, (64, 80, 3)), 0, 255)
        image = Image.fromarray(pixels.astype(np.uint8)).convert(mode)
        image.save(folder / "images" / f"{k}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "masks" / f"{k}.png")
    return folder


@pytest.mark.parametrize(
    ("mode", "name"), [("RGB", "generic-2d-color"), ("L", "generic-2d")], ids=["color", "gray"]
)
def test_images_get_their_preset_and_a_2d_plan(tmp_path: Path, mode: str, name: str) -> None:
    prepared = prepare_cases(read_cases(write_photos(tmp_path, 3, mode)), None, 0.34, 0)
    assert prepared.preset.name == name
    assert prepared.fingerprint.channels == len(mode)
    assert prepared.fingerprint.unit == "px"
    for candidate in list_candidates(prepared.fingerprint, prepared.preset, CPU, slices=False):
        assert candidate.preset.spatial_dims == 2
        assert candidate.preset.context_slices == 0
        assert candidate.preset.channels == len(mode)
        assert candidate.describe().endswith(" px")


def test_a_preset_for_other_channels_is_refused(tmp_path: Path) -> None:
    preset = replace(load_preset("generic-2d"), spacing=(1.0, 1.0))
    with pytest.raises(GenSegError, match="images have 3 channels, but preset generic-2d is for 1"):
        prepare_cases(read_cases(write_photos(tmp_path)), preset, 0.34, 0)


def test_gray_images_in_color_are_trained_as_gray_ones(tmp_path: Path) -> None:
    data = write_photos(tmp_path, 3, "L")
    for path in (data / "images").iterdir():
        Image.open(path).convert("RGB").save(path)
    prepared = prepare_cases(read_cases(data), None, 0.34, 0)
    assert prepared.preset.name == "generic-2d"
    color = replace(
        load_preset("generic-2d-color"), unit="px", spacing=(1.0, 1.0), patch_size=(64, 64)
    )
    assert prepare_cases(read_cases(data), color, 0.34, 0).preset.channels == 3, "a known model"
    for channels in (1, 3):
        preset, cases = replace(color, channels=channels), prepared.cases
        case, *_ = load_training_cases(cases.cases, preset, cases.labels, torch.device("cpu"))
        assert len(case.image) == channels


def test_colors_change_together_and_contrasts_on_their_own() -> None:
    color = load_preset("generic-2d-color")
    assert AugmentationPolicy.for_preset(color).joint_channels == 3
    mr = replace(color, modality="MR")
    assert AugmentationPolicy.for_preset(mr).joint_channels == 1


@pytest.fixture
def model(tmp_path: Path) -> Path:
    preset = replace(
        load_preset("generic-2d-color"), unit="px", spacing=(1.0, 1.0), patch_size=(64, 64)
    )
    save_bright_model(tmp_path / "model", preset)
    return tmp_path / "model"


def test_predictions_are_pictures_on_the_images_own_grid(model: Path, tmp_path: Path) -> None:
    data = write_photos(tmp_path / "data")
    images = sorted((data / "images").glob("*.png"))
    files = predict_files(model, images, tmp_path / "out", device="cpu")
    assert [file.name for file in files] == ["0.png", "1.png", "2.png"]
    for file in files:
        with Image.open(file) as found, Image.open(data / "masks" / file.name) as mask:
            overlap = (np.asarray(found) == 1) & (np.asarray(mask) == 255)
            assert found.size == mask.size
            assert overlap.sum() > 0.9 * (np.asarray(mask) == 255).sum()
    labels = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert labels == {"labels": {"1": "Bright"}, "colors": {"1": [230, 120, 70]}}


def test_scores_of_pictures_are_in_pixels(tmp_path: Path) -> None:
    masks = write_photos(tmp_path / "data", 1) / "masks"
    moved = tmp_path / "moved"
    moved.mkdir()
    with Image.open(masks / "0.png") as mask:
        Image.fromarray(np.roll(np.asarray(mask), 4, axis=1)).save(moved / "0.png")
    evaluation = evaluate_folders(moved, masks, {1: "square"})
    assert evaluation.unit == "px"
    assert evaluation.values(1, "dice") == pytest.approx([26 / 30])
    assert evaluation.values(1, "hd95_mm") == pytest.approx([4])
    assert evaluation.values(1, "volume_error_ml") == [0]
    assert "HD95 (px)" in evaluation.table() and "Area error (px2)" in evaluation.table()
    evaluation.write(tmp_path / "s.csv", tmp_path / "s.json")
    header = (tmp_path / "s.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "case,label,name,dice,hd95_px,surface_dice,area_error_px2"
    assert read_scores(tmp_path / "s.csv").columns == evaluation.columns


def test_a_gray_image_does_not_fit_a_model_for_color(model: Path, tmp_path: Path) -> None:
    gray = write_photos(tmp_path / "gray", 1, "L") / "images" / "0.png"
    with pytest.raises(GenSegError, match=r"1 channel \(gray\), but the model expects 3 \(color\)"):
        predict_files(model, [gray], tmp_path / "out", device="cpu")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_gray_images_in_color_fit_a_model_for_gray(
    gray_model: Path, tmp_path: Path, suffix: str
) -> None:
    """As X-rays and ultrasound are often exported."""
    photos = write_photos(tmp_path, 1, "L") / "images"
    in_color = photos / f"color.{suffix}"
    Image.open(photos / "0.png").convert("RGB").save(in_color, quality=95)
    written = predict_files(gray_model, [photos / "0.png", in_color], tmp_path / "p", device="cpu")
    gray, color = (read_label(path).array for path in written)
    assert gray.any() and (gray == color).mean() > 0.9  # single pixels differ in JPEG


@pytest.mark.slow
@pytest.mark.parametrize("generator", ["searchable", "regions"])
def test_generated_pairs_of_photos_train_and_are_written(tmp_path: Path, generator: str) -> None:
    data, run, out = write_photos(tmp_path / "data", 4), tmp_path / "run", tmp_path / "out"
    steps = ("warmup_steps=2", "joint_steps=2", "final_steps=2", "validation_interval=2")
    settings = [part for step in steps for part in ("--set", step)]
    command = ["train", str(data), "--out", str(run), "--encoder", "scratch"]
    assert main([*command, "--generator", generator, "--time-budget", "60s", *settings]) == 0
    assert main(["synthesize", str(run), "--out", str(out), "--count", "2"]) == 0
    first, _second = read_cases(out).labeled
    image, label = read_image(first.image), read_label(first.label)
    assert (len(image.array), image.shape, image.unit) == (3, label.shape, "px")
    assert set(np.unique(label.array)) <= {0, 1}
    assert np.ptp(image.array) == 255


def test_a_training_on_photos_predicts_and_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run, out = write_photos(tmp_path / "data", 4), tmp_path / "run", tmp_path / "out"
    steps = ["--set", "final_steps=4", "--set", "warmup_steps=0", "--set", "joint_steps=2"]
    assert main(["train", str(data), "--out", str(run), "--time-budget", "20s", *steps]) == 0
    assert main(["predict", str(run), str(data / "images"), "--out", str(out)]) == 0
    scores = ["--predictions", str(out), "--references", str(data / "masks")]
    assert main(["evaluate", *scores, "--report", str(run)]) == 0
    assert "HD95 (px)" in capsys.readouterr().out


@pytest.mark.parametrize("orientation", ["RSA", "ASR", "RAS", "SRP"])
def test_a_slice_in_any_plane_is_segmented_in_that_plane(
    gray_model: Path, tmp_path: Path, orientation: str
) -> None:
    array = np.full((1, 48, 40, 1), 50, np.int16)
    array[0, 10:30, 8:20] = 200
    image = Volume(array, make_affine(orientation, (0.7, 0.7, 4.0)))
    write_image(tmp_path / "a.nrrd", image)
    (written,) = predict_files(gray_model, [tmp_path / "a.nrrd"], tmp_path / "out", device="cpu")
    assert written.name == "a.seg.nrrd"
    found = read_label(written, image).array > 0
    assert (found == (array > 100)).mean() > 0.95


@pytest.fixture
def gray_model(tmp_path: Path) -> Path:
    planned = {"unit": "px", "spacing": (1.0, 1.0), "patch_size": (32, 32)}
    save_bright_model(tmp_path / "gray-model", replace(load_preset("generic-2d"), **planned))
    return tmp_path / "gray-model"


def test_slices_and_volumes_are_not_trained_on_together(tmp_path: Path) -> None:
    """Whatever their order, the labeled cases decide which kind is expected."""
    data = write_photos(tmp_path, 2, "L")
    shape = (1, 20, 20, 9)
    array = np.random.default_rng(0).random(shape).astype(np.float32)
    write_image(tmp_path / "images" / "v.nii", Volume(array, np.eye(4)))
    photos = [
        Case(str(k), data / "images" / f"{k}.png", data / "masks" / f"{k}.png") for k in (0, 1)
    ]
    scan = Case("v", tmp_path / "images" / "v.nii", None, Role.UNLABELED)
    checks = check_cases(CaseSet((scan, *photos), {1: "square"}))
    assert checks[0].errors == (
        "the image has several slices, but case 0 is 2-D; train on one kind at a time",
    )
    assert all(check.ok for check in checks[1:])


def test_a_plan_in_pixels_takes_images_in_mm_pixel_by_pixel() -> None:
    planned = {"unit": "px", "spacing": (2.0, 2.0), "patch_size": (32, 32)}
    preprocessor = Preprocessor(replace(load_preset("generic-2d"), **planned))
    array = np.random.default_rng(0).random((1, 64, 48, 1)).astype(np.float32)
    image = Volume(array, np.diag([0.1, 0.1, 1.0, 1.0]))
    assert preprocessor.apply(image).image.shape == (1, 32, 32, 1)
    assert preprocessor.target_spacing(image)[:2] == pytest.approx((0.2, 0.2))
    with pytest.raises(GenSegError, match="is a volume, but the plan is for 2-D images"):
        preprocessor.apply(Volume(array.repeat(4, axis=3), image.affine))


def test_a_plan_in_mm_refuses_pictures_without_a_scale(tmp_path: Path) -> None:
    planned = {"spacing": (0.5, 0.5), "patch_size": (32, 32)}
    save_bright_model(tmp_path / "model", replace(load_preset("generic-2d-color"), **planned))
    photo = write_photos(tmp_path / "data", 1) / "images" / "0.png"
    with pytest.raises(GenSegError, match="lengths in px, but the plan's spacing is in mm"):
        predict_files(tmp_path / "model", [photo], tmp_path / "out", device="cpu")
    assert not list((tmp_path / "out").glob("*.png"))


def test_cases_with_and_without_a_scale_are_planned_in_pixels() -> None:
    rng = np.random.default_rng(0)
    cases = []
    for unit, step in (("px", 1.0), ("mm", 0.1)):
        array = rng.random((1, 60, 40, 1)).astype(np.float32)
        image = Volume(array, np.diag([step, step, 1.0, 1.0]), unit=unit)
        cases.append(fingerprint_case(image, replace(image, array=(array > 0.9).astype(np.int16))))
    found = summarize_cases(cases)
    assert (found.unit, found.spacing[:2], found.field_mm[:2]) == ("px", (1, 1), (60, 40))


def test_a_model_of_volumes_refuses_pictures(tmp_path: Path) -> None:
    volumes = replace(load_preset("generic-mri"), spacing=(1.0,) * 3, patch_size=(32, 32, 32))
    save_bright_model(tmp_path / "model", volumes)
    photo = write_photos(tmp_path / "data", 1, "L") / "images" / "0.png"
    with pytest.raises(GenSegError, match="a 2-D image, but the model segments volumes"):
        predict_files(tmp_path / "model", [photo], tmp_path / "out", device="cpu")


def test_warnings_of_pictures_are_in_pixels(gray_model: Path) -> None:
    metadata = ModelMetadata.load(gray_model)
    assert grid_warnings(metadata, 0, 255, (64, 48, 1), (0.1, 0.1, 1)) == []
    (warning,) = grid_warnings(metadata, 0, 255, (12, 10, 1), (1, 1, 1))
    assert warning.startswith("the image covers 12 x 10 px, much less than the model's patch of 32")


def test_areas_of_pictures_are_not_compared_between_cases(tmp_path: Path) -> None:
    """They vary with the distance of the camera."""
    data = write_photos(tmp_path, 6)
    small = np.zeros((64, 80), np.uint8)
    small[10:12, 45:47] = 255
    Image.fromarray(small).save(data / "masks" / "0.png")
    checks = check_cases(replace(read_cases(data), labels={1: "square"}))
    assert [check.warnings for check in checks] == [()] * 6


def test_previews_show_pictures_without_their_padding() -> None:
    image = torch.zeros(3, 32, 32, 1)
    image[:, :, 4:28] = torch.randn(3, 32, 24, 1)
    photo = InMemoryCase("a", image, torch.zeros(32, 32, 1, dtype=torch.int64), (1.0, 1.0, 1.0))
    assert preview_box(photo) == (slice(0, 32), slice(4, 28), slice(0, 1))
    volume = InMemoryCase("b", image.repeat(1, 1, 1, 4), torch.zeros(32, 32, 4), (1.0, 1.0, 1.0))
    assert preview_box(volume) == (slice(0, 32), slice(0, 32), slice(0, 4))
