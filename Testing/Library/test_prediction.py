"""Predictions of models with known output, and the files that they are written to."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from grids import ball, make_affine
from scipy.ndimage import binary_dilation, binary_erosion
from tiny_models import PRESET, save_bright_model, save_tiny_model

from GenSegLib.computing.devices import choose_precision
from GenSegLib.datasets.image_io import (
    Volume,
    on_same_grid,
    read_image,
    read_label,
    read_segment_names,
    write_image,
)
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog
from GenSegLib.models.folder import write_manifest
from GenSegLib.prediction import predict
from GenSegLib.prediction.measurements import Measurement
from GenSegLib.prediction.plausibility import volume_warnings
from GenSegLib.prediction.predict import Predictor, predict_files
from GenSegLib.presets import Intensity, Preset

BRIGHT = replace(
    PRESET, spacing=None, labels={7: "Bright"}, colors={7: (9, 8, 7)}, patch_size=(40, 40, 40)
)


def bright_ball(orientation: str = "RAS", spacing: tuple[float, ...] = (1, 1, 1)) -> Volume:
    affine = make_affine(orientation, spacing, (15, -10, 20), (12, -34, 56))
    inside = ball(affine, (30, 26, 22), share=0.25) > 0
    noise = np.random.default_rng(0).normal(0, 1, inside.shape)
    return Volume((100 + 200 * inside + noise).astype(np.float32)[np.newaxis], affine)


def is_ball(image: Volume) -> np.ndarray:
    return image.array > 200


@pytest.fixture
def bright_model(tmp_path: Path) -> Path:
    save_bright_model(tmp_path / "model", BRIGHT)
    return tmp_path / "model"


@pytest.fixture
def image_file(tmp_path: Path) -> Path:
    write_image(tmp_path / "images" / "scan.nii.gz", bright_ball("LPS", (0.8, 0.8, 2)))
    return tmp_path / "images" / "scan.nii.gz"


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PIL"])
def test_the_label_is_on_the_images_own_grid_voxel_by_voxel(
    bright_model: Path, orientation: str
) -> None:
    image = bright_ball(orientation, (0.7, 1.9, 1.2))
    prediction = Predictor(bright_model, "cpu").predict(image)
    assert on_same_grid(prediction.label, image)
    assert ((prediction.label.array == 7) == is_ball(image)).all()
    assert set(np.unique(prediction.label.array)) == {0, 7}
    assert prediction.warnings == ()


@pytest.mark.parametrize(
    ("volumes", "words"),
    [
        ({}, ()),
        ({7: (2.0, 4.0)}, ("volume of Bright is 7.52 ml", "2 ml to 4 ml in the labeled cases")),
        ({7: (6.0, 9.0)}, ()),
        ({7: (0.01, 1.0)}, ()),  # too variable to be sure
        ({7: (0.0, 0.1)}, ()),  # absent in some cases
        ({7: (12.0, 15.0)}, ("volume of Bright is 7.52 ml", "12 ml to 15 ml")),
    ],
)
def test_an_implausible_volume_is_a_warning(
    tmp_path: Path, volumes: dict[int, tuple[float, float]], words: tuple[str, ...]
) -> None:
    replace(save_bright_model(tmp_path, BRIGHT), volumes=volumes).save(tmp_path)
    write_manifest(tmp_path)
    warnings = Predictor(tmp_path, "cpu").predict(bright_ball("RAS", (0.7, 1.9, 1.2))).warnings
    assert len(warnings) == bool(words)
    assert all(word in warnings[0] for word in words)


def test_implausible_volumes_of_an_image_are_one_warning(tmp_path: Path) -> None:
    model = save_bright_model(tmp_path, BRIGHT)
    volumes = {7: (2.0, 4.0), 9: (5.0, 6.0)}
    metadata = replace(model, labels={7: "Bright", 9: "Dark"}, volumes=volumes)
    image = bright_ball("RAS", (0.7, 1.9, 1.2))
    label = replace(image, array=7 * is_ball(image).astype(np.uint8))
    (warning,) = volume_warnings(label, metadata)
    assert "volumes of 2 structures" in warning
    assert "Bright 7.52 ml instead of 2 ml to 4 ml, Dark 0 ml instead of 5 ml to 6 ml" in warning


@pytest.mark.parametrize("mirror", [False, True])
def test_resampling_and_sliding_windows_preserve_the_structure(
    tmp_path: Path, mirror: bool
) -> None:
    preset = replace(BRIGHT, spacing=(0.9, 0.9, 0.9), patch_size=(32, 32, 32), orientation="PSR")
    preset = replace(preset, mirror_axes=(0, 1, 2))
    save_bright_model(tmp_path / "model", preset)
    image = bright_ball("LPI", (1.2, 0.8, 1.5))
    label = Predictor(tmp_path / "model", "cpu", mirror).predict(image).label
    wanted, found = is_ball(image), label.array == 7
    assert 2 * (wanted & found).sum() / (wanted.sum() + found.sum()) > 0.95


def test_probabilities_are_on_the_images_grid_and_sum_to_one(bright_model: Path) -> None:
    image = bright_ball("PIR", (0.7, 1.9, 1.2))
    predictor = Predictor(bright_model, "cpu")
    prediction = predictor.predict(image, probabilities=True)
    assert prediction.probabilities is not None
    assert on_same_grid(prediction.probabilities, image)
    shares = prediction.probabilities.array
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    assert ((shares.argmax(axis=0) == 1) == (prediction.label.array[0] == 7)).all()
    assert (predictor.predict(image).label.array == prediction.label.array).all()


def test_bfloat16_changes_probabilities_little_and_exact_selects_float32(
    tmp_path: Path,
) -> None:
    save_tiny_model(tmp_path / "model", BRIGHT, labels={7: "Bright"})
    image = bright_ball()
    found = {}
    for exact in (True, False):
        prediction = Predictor(tmp_path / "model", "cpu", exact=exact).predict(image, True)
        assert prediction.probabilities is not None
        found[exact] = prediction.probabilities.array
    gains = choose_precision(torch.device("cpu"), "auto") is not nullcontext
    assert (found[True] != found[False]).any() == gains
    np.testing.assert_allclose(found[False], found[True], atol=0.03)


def test_the_preset_selects_the_largest_component(tmp_path: Path) -> None:
    image = bright_ball()
    image.array[0, 0, 0, 0] = 300
    for largest, speck in ((False, 7), (True, 0)):
        save_bright_model(tmp_path / "model", replace(BRIGHT, largest_component=largest))
        label = Predictor(tmp_path / "model", "cpu").predict(image).label.array[0]
        assert label[0, 0, 0] == speck
        assert label[15, 13, 11] == 7


def test_mirroring_requires_a_model_trained_with_it(bright_model: Path) -> None:
    with pytest.raises(GenSegError, match="trained without mirroring"):
        Predictor(bright_model, "cpu", mirror=True)


@pytest.mark.parametrize("suffix", [".nii.gz", ".seg.nrrd", ".mha"])
def test_label_files_are_named_after_their_images(
    bright_model: Path, image_file: Path, tmp_path: Path, suffix: str
) -> None:
    (written,) = predict_files(
        bright_model, [image_file], tmp_path / "out", device="cpu", suffix=suffix
    )
    assert written == tmp_path / "out" / f"scan{suffix}"
    image, label = read_image(image_file), read_label(written)
    assert on_same_grid(label, image)
    assert ((label.array == 7) == is_ball(image)).all()
    assert read_segment_names(written) == ({7: "Bright"} if suffix == ".seg.nrrd" else {})


def test_probabilities_are_written_to_one_file_per_label(
    bright_model: Path, image_file: Path, tmp_path: Path
) -> None:
    predict_files(bright_model, [image_file], tmp_path / "out", device="cpu", probabilities=True)
    found = {path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.glob("out/**/*.gz")}
    assert found == {"scan.nii.gz", "probabilities/scan_7.nii.gz"}
    shares = read_image(tmp_path / "out" / "probabilities" / "scan_7.nii.gz")
    assert ((shares.array > 0.5) == is_ball(read_image(image_file))).all()


def test_the_uncertainty_is_high_at_the_border_alone(bright_model: Path) -> None:
    image = bright_ball("PIR", (0.7, 1.9, 1.2))
    found = Predictor(bright_model, "cpu").predict(image, uncertainty=True).uncertainty
    assert found is not None
    assert on_same_grid(found, image)
    ball = is_ball(image)[0]
    border = binary_dilation(ball) & ~binary_erosion(ball)
    deep, far = binary_erosion(ball, iterations=3), ~binary_dilation(ball, iterations=3)
    assert found.array[0][border].mean() > 0.2
    assert max(found.array[0][deep].mean(), found.array[0][far].mean()) < 0.02


def test_the_uncertainty_does_not_change_the_segmentation(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model", BRIGHT)
    image, predictor = bright_ball("PIR", (0.7, 1.9, 1.2)), Predictor(tmp_path / "model", "cpu")
    plain = predictor.predict(image, probabilities=True)
    asked = predictor.predict(image, probabilities=True, uncertainty=True)
    assert plain.probabilities is not None
    assert asked.probabilities is not None
    np.testing.assert_array_equal(asked.label.array, plain.label.array)
    np.testing.assert_array_equal(asked.probabilities.array, plain.probabilities.array)


def test_the_uncertainty_is_written_next_to_the_segmentation(
    bright_model: Path, image_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    written = predict_files(bright_model, [image_file], out, device="cpu", uncertainty=True)
    names = {"scan.nii.gz", "scan_uncertainty.nii.gz", "uncertainty.csv", "labels.json"}
    assert {path.name for path in out.glob("[a-z]*")} == names
    uncertainty = read_image(out / "scan_uncertainty.nii.gz")
    assert on_same_grid(uncertainty, read_label(written[0]))
    assert 0 <= uncertainty.array.min() < uncertainty.array.max() <= 1


def test_progress_counts_windows_over_all_images(bright_model: Path, tmp_path: Path) -> None:
    images = [tmp_path / f"{name}.nii.gz" for name in "ab"]
    for path in images:
        write_image(path, bright_ball())
    received: list[dict[str, Any]] = []
    events = EventLog(None, [received.append])
    predict_files(bright_model, images, tmp_path / "out", device="cpu", events=events)
    steps = [(event["step"], event["total"]) for event in received if event["kind"] == "progress"]
    # one step for the window of each image, and one for writing it
    assert steps == [(0, 2), (1, 4), (2, 4), (3, 4), (4, 4)]
    remaining = [event["remaining_s"] for event in received if event["kind"] == "progress"]
    assert remaining[0] is None
    assert remaining[1] > 0
    assert remaining[-1] == 0


CT = replace(BRIGHT, modality="CT", intensity=Intensity("window", -160, 240))
SPACED = replace(BRIGHT, spacing=(1.0, 1.0, 1.0))
THICK = replace(BRIGHT, spacing=(4.0, 1.0, 1.0), patch_size=(8, 32, 32))


@pytest.mark.parametrize(
    ("preset", "low", "high", "step", "message"),
    [
        (CT, 0, 900, 1, "Hounsfield"),
        (CT, -3, 3, 1, "Hounsfield"),
        (CT, -1000, 900, 1, ""),
        (CT, -1000, 64511, 1, "16-bit overflow"),
        (BRIGHT, -1000, 900, 1, "as in a CT"),
        (BRIGHT, 0, 900, 1, ""),
        (SPACED, 0, 900, 5.5, "check the image's spacing"),
        (SPACED, 0, 900, 0.2, "check the image's spacing"),
        (SPACED, 0, 900, 0.5, "shows the whole structure"),
        (SPACED, 0, 900, 2, ""),
        (THICK, 0, 900, 1.5, ""),
        (BRIGHT, 0, 900, 9, ""),
    ],
)
def test_an_image_unlike_the_training_cases_is_a_warning(
    tmp_path: Path, preset: Preset, low: float, high: float, step: float, message: str
) -> None:
    save_bright_model(tmp_path / "model", preset)
    array = np.full((1, 16, 16, 16), low, np.float32)
    array[0, 4:8, 4:8, 4:8] = high
    image = Volume(array, np.diag([step, step, step, 1]))
    warnings = Predictor(tmp_path / "model", "cpu").predict(image).warnings
    assert any(message in text for text in warnings) if message else not warnings


def test_images_of_equal_names_are_an_error_before_any_work(
    bright_model: Path, tmp_path: Path
) -> None:
    first, second = (tmp_path / folder / "scan.nii.gz" for folder in ("one", "two"))
    uncertain = tmp_path / "one" / "scan_uncertainty.nii.gz"
    for other, name in ((second, "scan.nii.gz"), (uncertain, "scan_uncertainty.nii.gz")):
        with pytest.raises(GenSegError, match=f"{other} would both be written to {name}; rename"):
            predict_files(bright_model, [first, other], tmp_path / "out", uncertainty=True)


def test_an_image_is_never_overwritten(bright_model: Path, image_file: Path) -> None:
    before = image_file.read_bytes()
    with pytest.raises(GenSegError, match="choose another output folder"):
        predict_files(bright_model, [image_file], image_file.parent, device="cpu")
    assert image_file.read_bytes() == before


def test_an_unreadable_image_is_named(bright_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "torn.nii.gz"
    path.write_bytes(b"no image")
    with pytest.raises(GenSegError, match=r"torn\.nii\.gz"):
        predict_files(bright_model, [path], tmp_path / "out", device="cpu")


def write_scans(folder: Path, *names: str) -> list[Path]:
    """Images of a bright ball; one whose name is "torn" is damaged."""
    paths = [folder / f"{name}.nii.gz" for name in names]
    for path in paths:
        write_image(path, bright_ball())
        if path.name.startswith("torn"):
            path.write_bytes(b"no image")
    return paths


def test_a_broken_image_is_skipped_and_reported_at_the_end(
    bright_model: Path, tmp_path: Path
) -> None:
    images, out = write_scans(tmp_path, "a", "torn", "b"), tmp_path / "out"
    received: list[dict[str, Any]] = []
    measured: list[Measurement] = []
    options = {"events": EventLog(None, [received.append]), "measured": measured}
    message = r"1 of 3 images could not be segmented, see above \(torn.nii.gz\); 2 segmentations"
    with pytest.raises(GenSegError, match=message):
        predict_files(bright_model, images, out, device="cpu", **options)
    assert {path.name for path in out.glob("*.*")} >= {"a.nii.gz", "b.nii.gz", "measurements.csv"}
    assert {row.case for row in measured} == {"a", "b"}
    (warning,) = [event["text"] for event in received if event.get("level") == "warning"]
    assert str(images[1]) in warning
    assert warning.endswith("; skipped")
    progress = [event for event in received if event["kind"] == "progress"][-1]
    assert progress["step"] == progress["total"]


def test_an_interrupt_leaves_what_was_finished(
    bright_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, out = write_scans(tmp_path, "a", "b", "c"), tmp_path / "out"
    read = predict.read_channels

    def read_until_interrupted(paths: Sequence[Path], **options: Any) -> Volume:
        if paths[0] == images[1]:
            assert (out / "a.nii.gz").is_file(), "written before the next image is read"
            raise KeyboardInterrupt
        return read(paths, **options)

    monkeypatch.setattr(predict, "read_channels", read_until_interrupted)
    received: list[dict[str, Any]] = []
    options = {"events": EventLog(None, [received.append]), "measured": []}
    with pytest.raises(KeyboardInterrupt):
        predict_files(bright_model, images, out, device="cpu", **options)
    names = {"a.nii.gz", "measurements.csv", "labels.json"}
    assert {path.name for path in out.glob("[a-z]*")} == names
    assert f"interrupted; 1 of 3 segmentations are in {out}" in [e.get("text") for e in received]


def test_a_full_disk_ends_the_prediction(
    bright_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would fail for the other images as well, after hours of work on them."""

    def full_disk(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(predict, "write_label", full_disk)
    with pytest.raises(GenSegError, match="the disk is full"):
        predict_files(bright_model, write_scans(tmp_path, "a", "b"), tmp_path / "out", device="cpu")


def test_an_image_with_other_channels_than_the_model_is_an_error(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model")
    image = Volume(np.zeros((2, 16, 16, 16), np.float32), np.eye(4))
    with pytest.raises(GenSegError, match="2 channels, but the model expects 1"):
        Predictor(tmp_path / "model", "cpu").predict(image)


def test_images_with_warnings_and_the_most_uncertain_one_are_listed_at_the_end(
    bright_model: Path, tmp_path: Path
) -> None:
    constant = Volume(np.ones((1, 20, 20, 20), np.float32), np.eye(4))
    for name, image in (("a", bright_ball()), ("b", constant), ("c", constant)):
        write_image(tmp_path / f"{name}.nii.gz", image)
    images = [tmp_path / f"{name}.nii.gz" for name in "abc"]
    received: list[dict[str, Any]] = []
    events = EventLog(None, [received.append])
    predict_files(
        bright_model, images, tmp_path / "out", device="cpu", uncertainty=True, events=events
    )
    *warnings, review, uncertain = (e["text"] for e in received if e["kind"] == "log")
    assert warnings[:2] == [
        f"{images[1]}: all voxels are 1: there is nothing to segment",
        f"{images[1]}: the segmentation is empty: the model found no Bright",
    ]
    assert review == "review 2 of 3 segmentations because of the warnings above: b, c"
    assert uncertain.startswith("most uncertain case: b, expected Dice 0.00")
