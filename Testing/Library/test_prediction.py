from __future__ import annotations

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
from GenSegLib.cuts import Cut
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog
from GenSegLib.images.image_io import (
    Volume,
    on_same_grid,
    read_image,
    read_label,
    read_segment_names,
    write_image,
)
from GenSegLib.models.folder import seal
from GenSegLib.prediction.predict import Predictor, predict_files, segment
from GenSegLib.prediction.uncertainty import normalized_entropy
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


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "SAR", "PIL", "ALI"])
def test_a_label_lands_on_the_images_own_grid_to_the_voxel(
    bright_model: Path, orientation: str
) -> None:
    image = bright_ball(orientation, (0.7, 1.9, 1.2))
    prediction = Predictor(bright_model, "cpu").predict(image)
    assert on_same_grid(prediction.label, image)
    assert ((prediction.label.array == 7) == is_ball(image)).all()
    assert set(np.unique(prediction.label.array)) == {0, 7}
    assert prediction.warnings == ()


def test_a_segmentation_is_cut_where_the_labeled_cases_were(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(1, 20, 24, 18)).astype(np.float32)
    image, found = Volume(noise, np.eye(4)), {}
    for name, cuts in (("ragged", ()), ("flat", (Cut((2, 1), "A", 0.5),))):
        save_tiny_model(tmp_path / name, cuts=cuts)
        found[name] = Predictor(tmp_path / name, "cpu").predict(image).label.array[0]
    assert ((found["flat"] > 0) == (found["ragged"] > 0)).all()
    slices = {
        name: [(label == value).any(axis=(0, 2)) for value in (1, 2)]
        for name, label in found.items()
    }
    assert np.logical_and(*slices["ragged"]).any()
    assert not np.logical_and(*slices["flat"]).any()


@pytest.mark.parametrize(
    ("volumes", "words"),
    [
        ({}, ()),
        ({7: (2.0, 4.0)}, ("Bright takes 7.52 ml", "in the labeled cases 2 ml to 4 ml")),
        ({7: (6.0, 9.0)}, ()),
        ({7: (0.01, 1.0)}, ()),  # which differ so much that 7.52 ml are no wonder
        ({7: (0.0, 0.1)}, ()),  # which some cases lack
        ({7: (12.0, 15.0)}, ("Bright takes 7.52 ml", "12 ml to 15 ml")),
    ],
)
def test_a_volume_unlike_those_of_the_labeled_cases_is_told(
    tmp_path: Path, volumes: dict[int, tuple[float, float]], words: tuple[str, ...]
) -> None:
    replace(save_bright_model(tmp_path, BRIGHT), volumes=volumes).save(tmp_path)
    seal(tmp_path)
    warnings = Predictor(tmp_path, "cpu").predict(bright_ball("RAS", (0.7, 1.9, 1.2))).warnings
    assert len(warnings) == bool(words)
    assert all(word in warnings[0] for word in words)


@pytest.mark.parametrize("mirror", [False, True])
def test_resampling_and_windows_leave_the_structure_where_it_is(
    tmp_path: Path, mirror: bool
) -> None:
    preset = replace(BRIGHT, spacing=(0.9, 0.9, 0.9), patch_size=(32, 32, 32), orientation="PSR")
    preset = replace(preset, mirror_axes=(0, 1, 2))
    save_bright_model(tmp_path / "model", preset)
    image = bright_ball("LPI", (1.2, 0.8, 1.5))
    label = Predictor(tmp_path / "model", "cpu", mirror).predict(image).label
    wanted, found = is_ball(image), label.array == 7
    assert 2 * (wanted & found).sum() / (wanted.sum() + found.sum()) > 0.95


def test_probabilities_lie_on_the_images_grid_and_sum_to_one(bright_model: Path) -> None:
    image = bright_ball("PIR", (0.7, 1.9, 1.2))
    predictor = Predictor(bright_model, "cpu")
    prediction = predictor.predict(image, probabilities=True)
    assert prediction.probabilities is not None
    assert on_same_grid(prediction.probabilities, image)
    shares = prediction.probabilities.array
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    assert ((shares.argmax(axis=0) == 1) == (prediction.label.array[0] == 7)).all()
    assert (predictor.predict(image).label.array == prediction.label.array).all()


def test_bfloat16_changes_probabilities_little_and_float32_is_computed_on_request(
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


def test_the_largest_piece_alone_stays_where_the_preset_says_so(tmp_path: Path) -> None:
    image = bright_ball()
    image.array[0, 0, 0, 0] = 300
    for largest, speck in ((False, 7), (True, 0)):
        save_bright_model(tmp_path / "model", replace(BRIGHT, largest_component=largest))
        label = Predictor(tmp_path / "model", "cpu").predict(image).label.array[0]
        assert label[0, 0, 0] == speck
        assert label[15, 13, 11] == 7


@pytest.mark.parametrize("size", [(9, 20, 33), (16, 16, 16), (5, 5, 5)])
@pytest.mark.parametrize("mirror_axes", [(), (0, 1, 2)])
def test_segment_gives_probabilities_for_an_image_of_any_size(
    size: tuple[int, ...], mirror_axes: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    network = torch.nn.Conv3d(2, 3, 3, padding=1)
    shares = segment(network, (16, 16, 16), torch.randn(1, 2, *size), mirror_axes)
    assert shares.shape == (1, 3, *size)
    assert not shares.requires_grad
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(1, *size))


def test_segment_works_on_flat_images() -> None:
    network = torch.nn.Conv2d(3, 2, 3, padding=1)
    shares = segment(network, (16, 16), torch.randn(1, 3, 20, 30), (0, 1))
    assert shares.shape == (1, 2, 20, 30)


def test_windows_of_a_pointwise_network_agree_with_the_whole() -> None:
    torch.manual_seed(0)
    network, image = torch.nn.Conv3d(1, 3, 1), torch.randn(1, 1, 40, 21, 18)
    whole = torch.softmax(network(image), dim=1)
    torch.testing.assert_close(segment(network, (16, 16, 16), image), whole)


def test_mirroring_along_an_axis_makes_the_result_independent_of_that_direction_alone() -> None:
    torch.manual_seed(0)
    network, image = torch.nn.Conv3d(1, 2, 3, padding=1), torch.randn(1, 1, 16, 16, 16)
    once = segment(network, (16, 16, 16), image, (0,))
    again = segment(network, (16, 16, 16), image.flip(2), (0,)).flip(2)
    other = segment(network, (16, 16, 16), image.flip(3), (0,)).flip(3)
    torch.testing.assert_close(once, again)
    assert (once - other).abs().max() > 1e-3


def test_a_model_that_learned_from_no_mirrored_cases_is_not_asked_about_mirrored_images(
    bright_model: Path,
) -> None:
    with pytest.raises(GenSegError, match="learned from no mirrored cases"):
        Predictor(bright_model, "cpu", mirror=True)


@pytest.mark.parametrize("suffix", [".nii.gz", ".seg.nrrd", ".nrrd", ".mha"])
def test_files_are_named_after_their_images_and_read_back(
    bright_model: Path, image_file: Path, tmp_path: Path, suffix: str
) -> None:
    written = predict_files(
        bright_model, [image_file], tmp_path / "out", device="cpu", suffix=suffix
    )
    assert written == [tmp_path / "out" / f"scan{suffix}"]
    image, label = read_image(image_file), read_label(written[0])
    assert on_same_grid(label, image)
    assert ((label.array == 7) == is_ball(image)).all()


def test_a_seg_nrrd_carries_the_names_of_the_labels(
    bright_model: Path, image_file: Path, tmp_path: Path
) -> None:
    (written,) = predict_files(
        bright_model, [image_file], tmp_path / "out", device="cpu", suffix=".seg.nrrd"
    )
    assert read_segment_names(written) == {7: "Bright"}


def test_probabilities_are_written_beside_a_file_for_each_label(
    bright_model: Path, image_file: Path, tmp_path: Path
) -> None:
    predict_files(bright_model, [image_file], tmp_path / "out", device="cpu", probabilities=True)
    found = {path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.glob("out/**/*.gz")}
    assert found == {"scan.nii.gz", "probabilities/scan_7.nii.gz"}
    shares = read_image(tmp_path / "out" / "probabilities" / "scan_7.nii.gz")
    assert ((shares.array > 0.5) == is_ball(read_image(image_file))).all()


def test_the_uncertainty_of_two_classes_is_their_entropy_in_bits() -> None:
    shares = np.random.default_rng(0).dirichlet([1, 1], (5, 6, 7)).astype(np.float32)
    shares = np.moveaxis(shares, -1, 0)
    bits = -(shares.astype(np.float64) * np.log2(shares)).sum(axis=0)
    np.testing.assert_allclose(normalized_entropy(shares), bits, atol=1e-5)


def test_a_model_is_unsure_where_slightly_moved_copies_of_the_image_disagree(
    bright_model: Path,
) -> None:
    image = bright_ball("PIR", (0.7, 1.9, 1.2))
    found = Predictor(bright_model, "cpu").predict(image, uncertainty=True).uncertainty
    assert found is not None
    assert on_same_grid(found, image)
    ball = is_ball(image)[0]
    border = binary_dilation(ball) & ~binary_erosion(ball)
    deep, far = binary_erosion(ball, iterations=3), ~binary_dilation(ball, iterations=3)
    assert found.array[0][border].mean() > 0.2
    assert max(found.array[0][deep].mean(), found.array[0][far].mean()) < 0.02


def test_asking_for_the_uncertainty_changes_no_voxel(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model", BRIGHT)
    image, predictor = bright_ball("PIR", (0.7, 1.9, 1.2)), Predictor(tmp_path / "model", "cpu")
    plain = predictor.predict(image, probabilities=True)
    asked = predictor.predict(image, probabilities=True, uncertainty=True)
    assert plain.probabilities is not None
    assert asked.probabilities is not None
    np.testing.assert_array_equal(asked.label.array, plain.label.array)
    np.testing.assert_array_equal(asked.probabilities.array, plain.probabilities.array)


def test_the_uncertainty_is_written_beside_the_segmentation_on_its_grid(
    bright_model: Path, image_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    written = predict_files(bright_model, [image_file], out, device="cpu", uncertainty=True)
    names = {"scan.nii.gz", "scan_uncertainty.nii.gz", "uncertainty.csv"}
    assert {path.name for path in out.iterdir()} == names
    uncertainty = read_image(out / "scan_uncertainty.nii.gz")
    assert on_same_grid(uncertainty, read_label(written[0]))
    assert 0 <= uncertainty.array.min() < uncertainty.array.max() <= 1


def test_an_uncertainty_and_a_segmentation_of_one_name_are_refused(
    bright_model: Path, tmp_path: Path
) -> None:
    images = [tmp_path / "scan.nii.gz", tmp_path / "scan_uncertainty.nii.gz"]
    with pytest.raises(GenSegError, match=r"would both become scan_uncertainty\.nii\.gz"):
        predict_files(bright_model, images, tmp_path / "out", device="cpu", uncertainty=True)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_entropy_is_one_for_a_guess_and_zero_for_certainty(classes: int) -> None:
    shares = np.zeros((classes, 2, 1, 1), np.float32)
    shares[:, 0] = 1 / classes
    shares[1, 1] = 1
    np.testing.assert_allclose(normalized_entropy(shares).ravel(), [1, 0], atol=1e-6)


def test_progress_is_told_window_by_window_over_all_images(
    bright_model: Path, tmp_path: Path
) -> None:
    images = [tmp_path / f"{name}.nii.gz" for name in "ab"]
    for path in images:
        write_image(path, bright_ball())
    told: list[dict[str, Any]] = []
    events = EventLog(None, [told.append])
    predict_files(bright_model, images, tmp_path / "out", device="cpu", events=events)
    steps = [(event["step"], event["total"]) for event in told if event["kind"] == "progress"]
    # a window and the writing of an image are a step each
    assert steps == [(0, 2), (1, 4), (2, 4), (3, 4), (4, 4)]
    remaining = [event["remaining_s"] for event in told if event["kind"] == "progress"]
    assert remaining[0] is None
    assert remaining[1] > 0
    assert remaining[-1] == 0


def test_a_warning_names_the_image(bright_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "blank.nii.gz"
    write_image(path, Volume(np.full((1, 20, 20, 20), 5, np.float32), np.eye(4)))
    told: list[dict[str, Any]] = []
    events = EventLog(None, [told.append])
    predict_files(bright_model, [path], tmp_path / "out", device="cpu", events=events)
    warnings = [event["text"] for event in told if event.get("level") == "warning"]
    assert warnings == [
        f"{path}: all voxels are 5: there is nothing to segment",
        f"{path}: the segmentation is empty: the model found no Bright",
    ]


CT = replace(BRIGHT, modality="CT", intensity=Intensity("window", -160, 240))
SPACED = replace(BRIGHT, spacing=(1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("preset", "low", "high", "step", "doubt"),
    [
        (CT, 0, 900, 1, "Hounsfield"),
        (CT, -3, 3, 1, "Hounsfield"),
        (CT, -1000, 900, 1, ""),
        (CT, -1000, 64511, 1, "did 16-bit values overflow"),
        (BRIGHT, -1000, 900, 1, "as in a CT"),
        (BRIGHT, 0, 900, 1, ""),
        (SPACED, 0, 900, 5.5, "is the spacing right"),
        (SPACED, 0, 900, 0.2, "is the spacing right"),
        (SPACED, 0, 900, 0.5, "is the whole structure in it"),
        (SPACED, 0, 900, 2, ""),
        (BRIGHT, 0, 900, 9, ""),
    ],
)
def test_an_image_that_does_not_fit_the_model_is_doubted(
    tmp_path: Path, preset: Preset, low: float, high: float, step: float, doubt: str
) -> None:
    save_bright_model(tmp_path / "model", preset)
    array = np.full((1, 16, 16, 16), low, np.float32)
    array[0, 4:8, 4:8, 4:8] = high
    image = Volume(array, np.diag([step, step, step, 1]))
    warnings = Predictor(tmp_path / "model", "cpu").predict(image).warnings
    assert any(doubt in text for text in warnings) if doubt else not warnings


def test_images_of_equal_names_are_refused_before_any_work(
    bright_model: Path, tmp_path: Path
) -> None:
    images = [tmp_path / folder / "scan.nii.gz" for folder in ("one", "two")]
    with pytest.raises(GenSegError) as fault:
        predict_files(bright_model, images, tmp_path / "out", device="cpu")
    first, second = images
    assert str(fault.value) == (f"{first} and {second} would both become scan.nii.gz; rename one")


def test_an_image_is_never_overwritten(bright_model: Path, image_file: Path) -> None:
    before = image_file.read_bytes()
    with pytest.raises(GenSegError, match="choose another output folder"):
        predict_files(bright_model, [image_file], image_file.parent, device="cpu")
    assert image_file.read_bytes() == before


def test_a_fault_names_the_image_that_has_it(bright_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "torn.nii.gz"
    path.write_bytes(b"no image")
    with pytest.raises(GenSegError, match=r"torn\.nii\.gz"):
        predict_files(bright_model, [path], tmp_path / "out", device="cpu")


def test_an_image_with_other_channels_than_the_model_is_refused(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model")
    image = Volume(np.zeros((2, 16, 16, 16), np.float32), np.eye(4))
    with pytest.raises(GenSegError, match="2 channels, the model needs 1"):
        Predictor(tmp_path / "model", "cpu").predict(image)


def test_a_gpu_that_is_not_there_is_one_clear_error(bright_model: Path) -> None:
    with pytest.raises(GenSegError, match="cuda:99"):
        Predictor(bright_model, "cuda:99")


def test_a_tiny_unet_segments_real_hippocampi_on_their_grid(
    hippocampus: Path, tmp_path: Path
) -> None:
    save_tiny_model(tmp_path / "model", replace(PRESET, mirror_axes=(0,)))
    images = sorted((hippocampus / "imagesTr").glob("*.nii.gz"))[:2]
    written = predict_files(tmp_path / "model", images, tmp_path / "out", device="cpu", mirror=True)
    for image, label in zip(images, written):
        assert on_same_grid(read_label(label), read_image(image))
