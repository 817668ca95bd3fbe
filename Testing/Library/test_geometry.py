"""Grid transforms, resampling, and the placement of labels on grids."""

from __future__ import annotations

import numpy as np
import pytest
from grids import ORIENTATIONS, affines, make_affine, orientations, sizes, spacings, world_of
from hypothesis import given, settings
from hypothesis import strategies as st

from GenSegLib.errors import GenSegError
from GenSegLib.images.geometry import (
    GridTransform,
    plan_crop,
    plan_padding,
    plan_reorient,
    plan_resample,
)
from GenSegLib.images.resampling import (
    Axis,
    along_axis,
    resample,
    resample_box,
    slab_box,
    spans,
    target_size,
)
from GenSegLib.images.volume import Volume, place_on_grid, union_grid

Size = tuple[int, int, int]


def numbered(size: Size) -> np.ndarray:
    return np.arange(2 * np.prod(size), dtype=np.float32).reshape(2, *size)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_reorientation_to_ras_is_inverted_exactly(orientation: str) -> None:
    affine, size = make_affine(orientation, (1, 2, 3), origin=(4, 5, 6)), (3, 4, 5)
    transform = GridTransform((plan_reorient(affine, size, "RAS"),))
    values = numbered(size)
    result = Volume(transform.forward(values), transform.affine(affine))
    assert result.orientation == "RAS"
    assert (transform.backward(result.array) == values).all()


@given(orientations, orientations, sizes, st.tuples(*[st.floats(-25, 25)] * 3))
def test_oblique_images_get_the_orientation_closest_to_their_axes(
    source: str, target: str, size: Size, tilt: tuple[float, ...]
) -> None:
    affine = make_affine(source, (1, 1, 1), tilt)
    step = plan_reorient(affine, size, target)
    expected = make_affine(target)[:3, :3]
    directions = (affine @ step.matrix)[:3, :3]
    assert (np.diag(expected.T @ directions) > 0.5).all()


@given(sizes, st.tuples(*[st.integers(1, 16)] * 3))
def test_padding_reaches_the_multiples_and_is_inverted_exactly(size: Size, multiples: Size) -> None:
    padding = plan_padding(size, multiples)
    padded = padding.forward(numbered(size), -1)
    for old, new, multiple in zip(size, padded.shape[1:], multiples):
        assert new % multiple == 0
        assert 0 <= new - old < multiple
    assert (padded == -1).sum() == padded.size - numbered(size).size
    assert (padding.backward(padded, 0) == numbered(size)).all()


def test_a_crop_keeps_the_bounding_box_and_margin_within_the_image() -> None:
    mask = np.zeros((10, 10, 10), bool)
    mask[1:3, 4:6, 7] = True
    crop = plan_crop(mask, margin=2)
    assert (crop.start, crop.size) == ((0, 2, 5), (5, 6, 5))
    restored = crop.backward(np.full((1, *crop.size), 5), 3)
    assert (restored == 3).sum() == 1000 - 5 * 6 * 5
    assert plan_crop(np.zeros((3, 4, 5), bool), margin=1).size == (3, 4, 5), "an empty mask"


@given(affines, sizes)
def test_an_image_at_the_wanted_spacing_is_not_interpolated(affine: np.ndarray, size: Size) -> None:
    own = np.linalg.norm(affine[:3, :3], axis=0)
    assert plan_resample(affine, size, tuple(own.astype(np.float32))) is None


@given(affines, spacings, sizes)
def test_resampling_sets_the_spacing_and_keeps_center_and_extent(
    affine: np.ndarray, spacing: tuple[float, ...], size: Size
) -> None:
    step = plan_resample(affine, size, spacing)
    if step is None:
        return
    result = affine @ step.matrix
    np.testing.assert_allclose(np.linalg.norm(result[:3, :3], axis=0), spacing, rtol=2e-3)
    center = affine @ [*((np.array(size) - 1) / 2), 1]
    np.testing.assert_allclose(result @ [*((np.array(step.size) - 1) / 2), 1], center, atol=1e-6)
    own = np.linalg.norm(affine[:3, :3], axis=0) * size
    assert (np.abs(own - np.multiply(step.size, spacing)) <= np.maximum(spacing, 0.01 * own)).all()


@given(affines, orientations, sizes, spacings)
@settings(max_examples=200)
def test_voxels_show_what_is_at_their_position(
    affine: np.ndarray, orientation: str, size: Size, spacing: tuple[float, ...]
) -> None:
    slope = np.array([0.7, -1.3, 0.4])
    image = np.tensordot(slope, world_of(affine, size), 1)[np.newaxis]
    transform = GridTransform((plan_reorient(affine, size, orientation),))
    oriented = transform.forward(image).shape[1:]
    step = plan_resample(transform.affine(affine), oriented, spacing)
    transform = transform if step is None else transform.then(step)
    result = transform.forward(image)
    position = world_of(transform.affine(affine), result.shape[1:])
    homogeneous = np.concatenate([position, np.ones((1, *position.shape[1:]))]).reshape(4, -1)
    index = np.linalg.inv(affine) @ homogeneous
    own = np.linalg.norm(affine[:3, :3], axis=0)
    coarse = np.maximum(own, max(spacing))
    margin = (coarse / own)[:, np.newaxis]
    inside = (index[:3] >= margin - 1) & (index[:3] <= np.array(size)[:, np.newaxis] - margin)
    error = np.abs(result[0] - np.tensordot(slope, position, 1)).ravel()[inside.all(axis=0)]
    assert (error <= 0.15 * coarse.max()).all()


def test_downsampling_averages_a_checkerboard_without_aliasing() -> None:
    board = (np.indices((32, 32, 32)).sum(axis=0) % 2).astype(np.float32)[np.newaxis]
    step = plan_resample(np.eye(4), (32, 32, 32), (2.7, 2.7, 2.7))
    assert step is not None
    np.testing.assert_allclose(step.forward(board, 0)[0, 1:-1, 1:-1, 1:-1], 0.5, atol=0.01)


def test_labels_are_resampled_without_new_values() -> None:
    label = np.zeros((12, 12, 12), np.int16)
    label[:6], label[6:9] = 1, 7
    step = plan_resample(np.eye(4), (12, 12, 12), (0.7, 1.6, 1.0))
    assert step is not None
    result = GridTransform((step,)).forward_label(label)
    assert result.dtype == np.int16
    assert set(np.unique(result)) == {0, 1, 7}


counts = st.integers(1, 24)
scales = st.one_of(st.just(1.0), st.floats(0.2, 5.0))


@st.composite
def resamplings(draw: st.DrawFn) -> tuple[np.ndarray, list[Axis]]:
    source = [draw(counts) for _ in range(3)]
    steps = [draw(scales) for _ in range(3)]
    axes = [Axis(n, target_size(n, scale), scale) for n, scale in zip(source, steps)]
    array = np.random.default_rng(draw(st.integers(0, 99))).normal(0, 1, (2, *source))
    return array.astype(np.float32), axes


@given(resamplings(), st.integers(0, 2), st.integers(1, 9))
@settings(max_examples=60)
def test_slabs_equal_the_whole_resampled_volume(
    case: tuple[np.ndarray, list[Axis]], along: int, thickness: int
) -> None:
    array, axes = case
    whole = resample(array, [axis.size for axis in axes], [axis.scale for axis in axes])
    for start, stop in spans(axes[along].size, thickness):
        part = array[along_axis(along, *axes[along].source_range(start, stop))]
        slab = resample_box(part, axes, slab_box(axes, along, start, stop))
        np.testing.assert_allclose(slab, whole[along_axis(along, start, stop)], atol=1e-5)


@given(resamplings(), st.sampled_from("CF"))
@settings(max_examples=40)
def test_memory_layout_and_voxel_type_do_not_matter(
    case: tuple[np.ndarray, list[Axis]], order: str
) -> None:
    array, axes = case
    integers = np.rint(100 * array).astype(np.int16)
    size, scale = [axis.size for axis in axes], [axis.scale for axis in axes]
    expected = resample(integers.astype(np.float64), size, scale)
    flipped = np.array(integers[:, ::-1], order=order)[:, ::-1]
    np.testing.assert_allclose(resample(flipped, size, scale), expected, atol=1e-3)


@given(counts, scales)
def test_output_voxels_are_weighted_means(source: int, scale: float) -> None:
    axis = Axis(source, target_size(source, scale), scale)
    matrix = axis.matrix(0, axis.size)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-5)


GRID = Volume(np.zeros((1, 5, 6, 7), np.int16), np.diag([0.8, 0.8, 2.0, 1.0]))


def slices_of(array: np.ndarray, first: int) -> Volume:
    """Slices of `GRID` from `first` on, with DICOM's order of axes: slice, row, column."""
    affine = np.zeros((4, 4))
    affine[:3, :3] = GRID.affine[:3, :3] @ np.array([[0, 0, -1], [0, -1, 0], [1, 0, 0]])
    affine[:, 3] = GRID.affine @ np.array([array.shape[0] - 1, array.shape[1] - 1, first, 1])
    return Volume(np.ascontiguousarray(np.flip(array, (0, 1)).T)[None], affine)


def test_slices_with_another_order_of_axes_are_placed_on_their_voxels() -> None:
    expected = np.random.default_rng(0).integers(0, 3, (5, 6, 7)).astype(np.int16)
    expected[..., :2] = expected[..., 5:] = 0
    label = place_on_grid(slices_of(expected[..., 2:5], 2), GRID)
    np.testing.assert_array_equal(label.array[0], expected)
    np.testing.assert_array_equal(label.affine, GRID.affine)


@pytest.mark.parametrize(
    "affine",
    [
        np.diag([0.8, 0.8, 1.0, 1.0]),
        np.array([[0.8, 0, 0, 0.4], [0, 0.8, 0, 0], [0, 0, 2.0, 0], [0, 0, 0, 1]]),
    ],
    ids=["thinner slices", "shifted by half a voxel"],
)
def test_voxels_that_do_not_coincide_are_refused(affine: np.ndarray) -> None:
    label = Volume(np.ones((1, 2, 2, 2), np.int16), affine)
    with pytest.raises(GenSegError, match="voxels do not coincide with the image's"):
        place_on_grid(label, GRID)


def test_labeled_voxels_outside_the_image_are_refused() -> None:
    affine = GRID.affine.copy()
    affine[2, 3] = 2.0 * 6
    with pytest.raises(GenSegError, match="labeled voxels lie outside the image"):
        place_on_grid(Volume(np.ones((1, 5, 6, 2), np.int16), affine), GRID)


def test_the_union_grid_covers_both_labels() -> None:
    ones = np.ones((5, 6, 2), np.int16)
    low, high = slices_of(ones, 0), slices_of(ones, 4)
    grid = union_grid(low, high)
    assert sorted(grid.shape) == [5, 6, 6]
    assert place_on_grid(low, grid).array.sum() == place_on_grid(high, grid).array.sum() == 60
    assert not (place_on_grid(low, grid).array & place_on_grid(high, grid).array).any()
