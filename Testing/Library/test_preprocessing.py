"""Preprocessing of images and labels, and its inverse."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from grids import ORIENTATIONS, affines, ball, make_affine, orientations, spacings, world_of
from hypothesis import given, settings
from hypothesis import strategies as st
from inverted import inverted_label
from scipy import ndimage

from GenSegLib.data.case_fingerprint import fingerprint_case
from GenSegLib.data.preprocessing import Preprocessor
from GenSegLib.datasets.image_io import Volume, read_image, read_label
from GenSegLib.errors import GenSegError
from GenSegLib.images import resampling
from GenSegLib.presets import Intensity, Preset, load_preset

PRESET = load_preset("hippocampus-mri")
PLAIN = replace(PRESET, spacing=None)
sizes = st.tuples(*[st.integers(4, 22)] * 3)


def volumes(affine: np.ndarray, size: tuple[int, ...], seed: int = 0) -> tuple[Volume, Volume]:
    label = ball(affine, size)
    noise = np.random.default_rng(seed).normal(100, 20, size)
    image = (noise + 80 * (label > 0)).astype(np.float32)
    return Volume(image[np.newaxis], affine), Volume(label[np.newaxis], affine)


@given(affines, orientations, sizes, st.booleans())
def test_without_resampling_labels_are_inverted_exactly(
    affine: np.ndarray, orientation: str, size: tuple[int, ...], crop: bool
) -> None:
    preprocessor = Preprocessor(replace(PLAIN, orientation=orientation, crop_foreground=crop))
    image, label = volumes(affine, size)
    prepared = preprocessor.apply(image, label)
    assert prepared.label is not None
    assert prepared.image.shape[1:] == prepared.label.shape
    assert (inverted_label(image, prepared) == label.array[0]).all()


@given(affines, orientations, sizes, spacings)
@settings(max_examples=60)
def test_with_resampling_only_voxels_near_boundaries_change(
    affine: np.ndarray, orientation: str, size: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    preprocessor = Preprocessor(replace(PRESET, orientation=orientation, spacing=spacing))
    image, label = volumes(affine, size)
    prepared = preprocessor.apply(image, label)
    assert prepared.label is not None
    restored = inverted_label(image, prepared)
    before = label.array[0]
    assert restored.shape == before.shape
    depth = np.max(
        [
            ndimage.distance_transform_edt(np.pad(before == value, 1, "edge"), image.spacing)
            for value in np.unique(before)
        ],
        axis=0,
    )[1:-1, 1:-1, 1:-1]
    limit = 2 * np.linalg.norm(np.maximum(image.spacing, max(spacing)))
    assert (depth[restored != before] <= limit).all()


@pytest.mark.parametrize("orientation", ORIENTATIONS[::7])
def test_structures_keep_their_positions(orientation: str) -> None:
    affine = make_affine(orientation, (1.1, 0.8, 2.5), (12, -20, 8), (30, -70, 110))
    preprocessor = Preprocessor(PRESET)
    image, label = volumes(affine, (40, 44, 20))
    prepared = preprocessor.apply(image, label)
    assert prepared.label is not None
    assert Volume(prepared.image, prepared.affine).orientation == "RAS"
    np.testing.assert_allclose(prepared.spacing, (1, 1, 1))
    for value in (1, 2):
        before = world_of(affine, image.shape)[:, label.array[0] == value].mean(axis=1)
        after = world_of(prepared.affine, prepared.label.shape)[:, prepared.label == value]
        np.testing.assert_allclose(after.mean(axis=1), before, atol=0.3)
    restored = inverted_label(image, prepared)
    assert (restored == label.array[0]).mean() > 0.98


def test_shapes_are_padded_with_zeros_to_multiples() -> None:
    image, label = volumes(np.eye(4), (37, 50, 33))
    prepared = Preprocessor(PLAIN).apply(image, label)
    assert prepared.image.shape == (1, 40, 56, 40)
    assert not prepared.image[:, 0].any()
    assert not prepared.image[:, :, :, -1].any()


def test_z_scores_have_mean_0_and_standard_deviation_1_per_channel() -> None:
    array = np.random.default_rng(0).normal([[[[5]]], [[[-900]]]], 30, (2, 16, 16, 16))
    prepared = Preprocessor(PLAIN).apply(Volume(array.astype(np.float32), np.eye(4)))
    np.testing.assert_allclose(prepared.image.mean(axis=(1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(prepared.image.std(axis=(1, 2, 3)), 1, atol=1e-4)


def test_a_window_is_mapped_to_0_and_1_and_clipped() -> None:
    preset = replace(PLAIN, intensity=Intensity("window", -160, 240))
    values = np.full((1, 8, 8, 8), -1000, np.float32)
    values[0, 0, 0, :5] = -160, 40, 240, 3000, -60
    image = Preprocessor(preset).apply(Volume(values, np.eye(4))).image
    np.testing.assert_allclose(image[0, 0, 0, :6], (0, 0.5, 1, 1, 0.25, 0))


def test_the_foreground_crop_removes_air_but_no_labeled_voxels() -> None:
    values = np.full((1, 64, 64, 64), -1000, np.float32)
    values[0, 20:40, 20:40, 20:40] = 50
    label = np.zeros((1, 64, 64, 64), np.int16)
    label[0, 60, 30, 30] = 1
    preprocessor = Preprocessor(replace(load_preset("liver-ct"), spacing=None))
    image = Volume(values, np.eye(4))
    assert preprocessor.apply(image).image.shape == (1, 32, 32, 32)
    prepared = preprocessor.apply(image, Volume(label, np.eye(4)))
    assert prepared.label is not None
    assert prepared.label.sum() == 1


def test_the_input_is_not_modified() -> None:
    image, label = volumes(np.eye(4), (16, 16, 16))
    before = image.array.copy(), label.array.copy()
    prepared = Preprocessor(PLAIN).apply(image, label)
    prepared.image[:] = 0
    assert prepared.label is not None
    prepared.label[:] = 5
    assert (image.array == before[0]).all()
    assert (label.array == before[1]).all()


def test_a_label_on_another_grid_is_refused() -> None:
    image, label = volumes(np.eye(4), (8, 8, 8))
    shifted = Volume(label.array, make_affine("RAS", origin=(0, 0, 3)))
    with pytest.raises(GenSegError, match="different grids"):
        Preprocessor(PLAIN).apply(image, shifted)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinite_voxels_are_refused(value: float) -> None:
    image, _ = volumes(np.eye(4), (8, 8, 8))
    image.array[0, 1, 2, 3] = value
    with pytest.raises(GenSegError, match="NaN or infinite"):
        Preprocessor(PLAIN).apply(image)


@pytest.mark.parametrize("spacing", [None, (0.5, 0.5, 0.5)], ids=["own", "finer"])
def test_statistics_are_those_of_the_normalization(
    spacing: tuple[float, ...] | None,
) -> None:
    random = np.random.default_rng(0)
    image = Volume(random.gamma(2.0, 30.0, (2, 20, 30, 24)), make_affine("LPS", (1, 1.2, 3)))
    preset = replace(PLAIN, spacing=spacing, channels=2, multiple=1, patch_size=(8, 8, 8))
    preprocessor = Preprocessor(preset)
    statistics = preprocessor.statistics(image)
    expected = preprocessor.apply(image).image
    found = preprocessor.apply(image, statistics=statistics).image
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_statistics_are_computed_without_the_whole_resampled_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resampling, "SLAB_VOXELS", 1 << 16)
    image = Volume(np.ones((1, 80, 32, 32), np.float32), make_affine("RAS", (3, 3, 3)))
    preprocessor = Preprocessor(PRESET)
    tracemalloc.start()
    try:
        preprocessor.statistics(image)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    finer = 3**3 * image.array.nbytes
    assert peak < finer / 2


def test_an_implausible_spacing_is_refused_before_memory_runs_out() -> None:
    image, _ = volumes(make_affine("RAS", (1000, 1000, 1000)), (8, 8, 8))
    with pytest.raises(GenSegError, match="correct the unit or the spacing"):
        Preprocessor(PRESET).apply(image)


@pytest.mark.parametrize("orientation", ["RAS", "PSL"])
def test_real_hippocampus_labels_round_trip_through_a_finer_grid(
    hippocampus: Path, orientation: str
) -> None:
    preset: Preset = replace(PRESET, orientation=orientation, spacing=(0.5, 0.5, 0.5))
    preprocessor = Preprocessor(preset)
    for path in sorted((hippocampus / "labelsTr").glob("*.nii.gz"))[:3]:
        image, label = read_image(hippocampus / "imagesTr" / path.name), read_label(path)
        prepared = preprocessor.apply(image, label)
        assert prepared.label is not None
        restored = inverted_label(image, prepared)
        same = ((restored == label.array[0]) & (restored > 0)).sum()
        assert 2 * same / ((restored > 0).sum() + (label.array > 0).sum()) > 0.99


def across_the_heart() -> Volume:
    """Thick slices whose normal is the long axis of a heart."""
    x, y, z = (-0.6, -0.8, 0.0), (-0.12, 0.09, 0.99), (0.79, -0.59, 0.15)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([x, y, z], axis=1) * (1.25, 1.25, 8.0)
    ramp = np.arange(24.0)[:, None, None] + 100 * np.arange(20)[:, None] + 10000 * np.arange(6)
    return Volume(ramp.astype(np.float32)[None], affine)


def test_thick_oblique_slices_are_planned_like_axial_ones() -> None:
    found = fingerprint_case(across_the_heart(), None)
    assert found.spacing == pytest.approx((1.25, 1.25, 8.0), abs=0.05)
    assert found.shape == (24, 20, 6)


def slices_preset(orientation: str) -> Preset:
    preset = load_preset("generic-mri")
    return replace(
        preset,
        spatial_dims=2,
        patch_size=(16, 16),
        spacing=(1.25, 1.25),
        orientation=orientation,
        crop_foreground=False,
        multiple=1,
        mirror_axes=(),
    )


def test_thick_oblique_slices_are_segmented_in_their_own_plane() -> None:
    image = across_the_heart()
    result = Preprocessor(slices_preset("RAS")).apply(image).image
    assert result.shape == (1, 24, 20, 6)
    middle = result[0, :, :, 3] - result[0, 0, 0, 3]
    assert middle[-1, 0] < 0 < middle[0, -1], "toward anterior, then superior, as in axial slices"
    assert result[0, 0, 0].std() > middle.std(), "the last axis is that across the slices"


def test_slices_along_an_axis_of_the_patient_keep_the_planned_plane() -> None:
    coronal = Volume(np.zeros((1, 24, 6, 20), np.float32), make_affine("RAS", (1.25, 8.0, 1.25)))
    result = Preprocessor(slices_preset("RAS")).apply(coronal).image
    assert result.shape[1:] == (24, 38, 20)


def test_volumes_that_are_planned_with_thick_slices_have_those_of_the_image() -> None:
    sizes = {"spatial_dims": 3, "patch_size": (16, 16, 8), "spacing": (1.25, 1.25, 8.0)}
    preset = replace(slices_preset("RAS"), **sizes)
    assert Preprocessor(preset).apply(across_the_heart()).image.shape == (1, 24, 20, 6)
