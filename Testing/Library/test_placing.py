"""Labels on the grids that they are parts of."""

from __future__ import annotations

import numpy as np
import pytest

from GenSegLib.errors import GenSegError
from GenSegLib.images.placing import covering, placed
from GenSegLib.images.volumes import Volume

GRID = Volume(np.zeros((1, 5, 6, 7), np.int16), np.diag([0.8, 0.8, 2.0, 1.0]))


def slices_of(array: np.ndarray, first: int, affine: np.ndarray) -> Volume:
    """The slices from `first` on, with the axes as DICOM has them: slice, row, column."""
    turned = np.zeros((4, 4))
    turned[:3, :3] = affine[:3, :3] @ np.array([[0, 0, -1], [0, -1, 0], [1, 0, 0]])
    last = np.array([array.shape[0] - 1, array.shape[1] - 1, first, 1])
    turned[:, 3] = affine @ last
    return Volume(np.ascontiguousarray(np.flip(array, (0, 1)).T)[None], turned)


def test_some_slices_in_another_order_of_axes_come_to_their_voxels() -> None:
    drawn = np.random.default_rng(0).integers(0, 3, (5, 6, 7)).astype(np.int16)
    drawn[..., :2] = drawn[..., 5:] = 0
    label = placed(slices_of(drawn[..., 2:5], 2, GRID.affine), GRID)
    np.testing.assert_array_equal(label.array[0], drawn)
    np.testing.assert_array_equal(label.affine, GRID.affine)


@pytest.mark.parametrize(
    "affine",
    [
        np.diag([0.8, 0.8, 1.0, 1.0]),
        np.diag([1.6, 0.8, 2.0, 1.0]),
        np.array([[0.8, 0, 0, 0.4], [0, 0.8, 0, 0], [0, 0, 2.0, 0], [0, 0, 0, 1]]),
    ],
    ids=["thinner slices", "larger pixels", "half a pixel aside"],
)
def test_voxels_of_another_grid_are_refused(affine: np.ndarray) -> None:
    label = Volume(np.ones((1, 2, 2, 2), np.int16), affine)
    with pytest.raises(GenSegError, match="not those of its image"):
        placed(label, GRID)


def test_labeled_voxels_outside_of_the_image_are_refused() -> None:
    affine = GRID.affine.copy()
    affine[2, 3] = 2.0 * 6
    with pytest.raises(GenSegError, match="outside of its image"):
        placed(Volume(np.ones((1, 5, 6, 2), np.int16), affine), GRID)


def test_two_labels_of_some_slices_each_find_a_common_grid() -> None:
    ones = np.ones((5, 6, 2), np.int16)
    low, high = slices_of(ones, 0, GRID.affine), slices_of(ones, 4, GRID.affine)
    grid = covering(low, high)
    assert sorted(grid.shape) == [5, 6, 6]
    assert placed(low, grid).array.sum() == placed(high, grid).array.sum() == 60
    assert not (placed(low, grid).array & placed(high, grid).array).any()
