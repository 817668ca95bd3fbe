from __future__ import annotations

import numpy as np
import pytest
from grids import ORIENTATIONS, affines, make_affine, orientations, sizes, spacings, world_of
from hypothesis import given, settings
from hypothesis import strategies as st

from GenSegLib.images.geometry import Route, plan_crop, plan_padding, plan_reorient, plan_resample
from GenSegLib.images.image_io import Volume

Size = tuple[int, int, int]


def numbered(size: Size) -> np.ndarray:
    return np.arange(2 * np.prod(size), dtype=np.float32).reshape(2, *size)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_each_of_the_48_orientations_becomes_ras_and_comes_back(orientation: str) -> None:
    affine, size = make_affine(orientation, (1, 2, 3), origin=(4, 5, 6)), (3, 4, 5)
    route = Route((plan_reorient(affine, size, "RAS"),))
    values = numbered(size)
    moved = Volume(route.forward(values), route.affine(affine))
    assert moved.orientation == "RAS"
    assert (route.backward(moved.array) == values).all()


@given(affines, orientations, sizes)
def test_reorienting_moves_no_voxel_in_the_world(
    affine: np.ndarray, orientation: str, size: Size
) -> None:
    route = Route((plan_reorient(affine, size, orientation),))
    positions = world_of(affine, size)
    moved = route.forward(positions)
    np.testing.assert_allclose(moved, world_of(route.affine(affine), moved.shape[1:]), atol=1e-9)


@given(orientations, orientations, sizes, st.tuples(*[st.floats(-25, 25)] * 3))
def test_an_oblique_image_gets_the_orientation_nearest_to_its_axes(
    source: str, target: str, size: Size, tilt: tuple[float, ...]
) -> None:
    affine = make_affine(source, (1, 1, 1), tilt)
    step = plan_reorient(affine, size, target)
    wanted = make_affine(target)[:3, :3]
    directions = (affine @ step.matrix)[:3, :3]
    assert (np.diag(wanted.T @ directions) > 0.5).all()


@given(sizes, st.integers(1, 16))
def test_padding_reaches_the_multiple_and_is_taken_off_exactly(size: Size, multiple: int) -> None:
    padding = plan_padding(size, multiple)
    padded = padding.forward(numbered(size), -1)
    assert all(length % multiple == 0 for length in padded.shape[1:])
    assert all(new - old < multiple for new, old in zip(padded.shape[1:], size))
    assert (padded == -1).sum() == padded.size - numbered(size).size
    assert (padding.backward(padded, 0) == numbered(size)).all()


def test_a_crop_keeps_the_box_of_the_mask_and_its_margin_within_the_image() -> None:
    mask = np.zeros((10, 10, 10), bool)
    mask[1:3, 4:6, 7] = True
    crop = plan_crop(mask, margin=2)
    assert (crop.start, crop.size) == ((0, 2, 5), (5, 6, 5))


def test_what_a_crop_cuts_off_comes_back_as_the_outside_value() -> None:
    mask = np.zeros((4, 4, 4), bool)
    mask[1, 1, 1] = True
    crop = plan_crop(mask, margin=0)
    restored = crop.backward(np.full((1, 1, 1, 1), 5), 3)
    assert restored[0, 1, 1, 1] == 5
    assert (restored == 3).sum() == 63


def test_the_crop_of_an_empty_mask_keeps_the_image() -> None:
    assert plan_crop(np.zeros((3, 4, 5), bool), margin=1).size == (3, 4, 5)


@given(affines, sizes)
def test_an_image_at_its_own_spacing_is_not_interpolated(affine: np.ndarray, size: Size) -> None:
    own = np.linalg.norm(affine[:3, :3], axis=0)
    assert plan_resample(affine, size, tuple(own)) is None
    assert plan_resample(affine, size, tuple(own.astype(np.float32))) is None


@given(affines, spacings, sizes)
def test_resampling_gives_the_spacing_and_keeps_center_and_extent(
    affine: np.ndarray, spacing: tuple[float, ...], size: Size
) -> None:
    step = plan_resample(affine, size, spacing)
    if step is None:
        return
    moved = affine @ step.matrix
    np.testing.assert_allclose(np.linalg.norm(moved[:3, :3], axis=0), spacing, rtol=2e-3)
    center = affine @ [*((np.array(size) - 1) / 2), 1]
    np.testing.assert_allclose(moved @ [*((np.array(step.size) - 1) / 2), 1], center, atol=1e-6)
    own = np.linalg.norm(affine[:3, :3], axis=0) * size
    assert (np.abs(own - np.multiply(step.size, spacing)) <= np.maximum(spacing, 0.01 * own)).all()


@given(affines, orientations, sizes, spacings)
@settings(max_examples=200)
def test_every_voxel_shows_what_lies_at_its_place_in_the_world(
    affine: np.ndarray, orientation: str, size: Size, spacing: tuple[float, ...]
) -> None:
    slope = np.array([0.7, -1.3, 0.4])
    image = np.tensordot(slope, world_of(affine, size), 1)[np.newaxis]
    route = Route((plan_reorient(affine, size, orientation),))
    oriented = route.forward(image).shape[1:]
    step = plan_resample(route.affine(affine), oriented, spacing)
    route = route if step is None else route.then(step)
    moved = route.forward(image)
    place = world_of(route.affine(affine), moved.shape[1:])
    index = np.linalg.inv(affine) @ np.concatenate([place, np.ones((1, *place.shape[1:]))]).reshape(
        4, -1
    )
    own = np.linalg.norm(affine[:3, :3], axis=0)
    coarse = np.maximum(own, max(spacing))
    reach = (coarse / own)[:, np.newaxis]
    inside = (index[:3] >= reach - 1) & (index[:3] <= np.array(size)[:, np.newaxis] - reach)
    wanted = np.tensordot(slope, place, 1)
    error = np.abs(moved[0] - wanted).ravel()[inside.all(axis=0)]
    assert (error <= 0.15 * coarse.max()).all()


@given(affines, sizes, st.tuples(*[st.floats(-40, 40)] * 3))
def test_shrinking_voxels_interpolates_linearly(
    affine: np.ndarray, size: Size, slope: tuple[float, ...]
) -> None:
    spacing = np.linalg.norm(affine[:3, :3], axis=0) / (1.5, 2, 3.1)
    step = plan_resample(affine, size, tuple(spacing))
    assert step is not None
    image = np.tensordot(slope, np.indices(size), 1)[np.newaxis]
    index = (step.matrix[:3, :3] @ np.indices(step.size).reshape(3, -1)) + step.matrix[:3, 3:]
    index = np.clip(index, 0, np.array(size)[:, np.newaxis] - 1)
    wanted = np.tensordot(slope, index, 1).reshape(step.size)
    np.testing.assert_allclose(step.forward(image, 0)[0], wanted, atol=1e-3)


def test_growing_voxels_averages_a_checkerboard_instead_of_aliasing_it() -> None:
    board = (np.indices((32, 32, 32)).sum(axis=0) % 2).astype(np.float32)[np.newaxis]
    step = plan_resample(np.eye(4), (32, 32, 32), (2.7, 2.7, 2.7))
    assert step is not None
    np.testing.assert_allclose(step.forward(board, 0)[0, 1:-1, 1:-1, 1:-1], 0.5, atol=0.01)


def test_labels_are_resampled_without_values_between_classes() -> None:
    label = np.zeros((12, 12, 12), np.int16)
    label[:6], label[6:9] = 1, 7
    step = plan_resample(np.eye(4), (12, 12, 12), (0.7, 1.6, 1.0))
    assert step is not None
    moved = Route((step,)).forward_label(label)
    assert moved.dtype == np.int16
    assert set(np.unique(moved)) == {0, 1, 7}
