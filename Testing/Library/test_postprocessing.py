from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny_models import PRESET

from GenSegLib.prediction.postprocessing import clean, fill_holes, largest_components


def test_only_the_largest_piece_of_a_label_stays() -> None:
    label = np.zeros((12, 12, 12), np.int16)
    label[1:5, 1:5, 1:5] = 1
    label[8:10, 8:10, 8:10] = 1
    expected = label.copy()
    expected[8:10, 8:10, 8:10] = 0
    assert (largest_components(label, [1]) == expected).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", [0, -1])
def test_pieces_that_reach_the_end_of_the_image_beside_the_largest_stay(
    axis: int, end: int
) -> None:
    label = np.zeros((12, 12, 12), np.int16)
    near = np.moveaxis(label, axis, 0)[:: 1 if end == 0 else -1]
    near[:4, 1:5, 1:5] = 1  # the largest, and beside it:
    near[:2, 8:11, 1:5] = 1  # a lobe
    near[:1, 8:10, 8:10] = 1  # what is less than a tenth of it
    near[6:8, 8:11, 1:5] = 1  # as large as the lobe, and within
    expected = label.copy()
    for place in ((slice(1), *[slice(8, 10)] * 2), (slice(6, 8), slice(8, 11), slice(1, 5))):
        np.moveaxis(expected, axis, 0)[:: 1 if end == 0 else -1][place] = 0
    assert (largest_components(label, [1]) == expected).all()


def test_pieces_that_reach_the_end_of_the_image_go_where_the_largest_is_within() -> None:
    label = np.zeros((12, 12, 12), np.int16)
    label[4:8, 4:8, 4:8] = label[:3, :3, :3] = 1
    assert largest_components(label, [1]).sum() == 64


def test_each_label_keeps_a_piece_of_its_own() -> None:
    label = np.zeros((12, 12, 12), np.int16)
    label[1:5, 1:5, 1:5] = 1
    label[5:7, 1:5, 1:5] = 3
    label[10, 10, 10] = 3
    cleaned = largest_components(label, [1, 3])
    assert np.bincount(cleaned.ravel()).tolist() == [12**3 - 64 - 32, 64, 0, 32]


def test_labels_that_are_not_named_are_left_alone() -> None:
    label = np.zeros((6, 6, 6), np.int16)
    label[0, 0, 0] = label[5, 5, 5] = 2
    assert (largest_components(label, [1]) == label).all()


def test_voxels_that_touch_at_a_corner_are_of_one_piece() -> None:
    label = np.zeros((4, 4, 4), np.int16)
    label[0, 0, 0] = label[1, 1, 1] = 1
    assert (largest_components(label, [1]) == label).all()


def test_an_empty_label_stays_empty_and_the_input_is_not_modified() -> None:
    empty = np.zeros((4, 4, 4), np.int16)
    assert not largest_components(empty, [1, 2]).any()
    label = empty.copy()
    label[0, 0, 0] = label[3, 3, 3] = 1
    before = label.copy()
    largest_components(label, [1])
    assert (label == before).all()


def shell(outer: int, inner: int, size: int = 14) -> np.ndarray:
    """A cube of ones with a hole in its middle."""
    label = np.zeros((size,) * 3, np.int16)
    for edge, value in ((outer, 1), (inner, 0)):
        label[(slice((size - edge) // 2, (size + edge) // 2),) * 3] = value
    return label


def test_a_hole_becomes_the_label_around_it_and_the_input_is_not_modified() -> None:
    label = shell(8, 4)
    filled = fill_holes(label, [1])
    assert (filled == shell(8, 0)).all()
    assert (label == shell(8, 4)).all()


def test_a_hole_that_is_open_to_the_outside_stays() -> None:
    label = shell(8, 4)
    label[7, 7, 7:] = 0
    assert (fill_holes(label, [1]) == label).all()


def test_a_lesion_in_an_organ_stays_and_its_own_hole_becomes_lesion() -> None:
    label = shell(12, 8)
    label[shell(6, 2) == 1] = 2
    filled = fill_holes(label, [1, 2])
    assert (filled[shell(6, 0) == 1] == 2).all()
    assert (filled[(shell(12, 0) == 1) & (shell(6, 0) == 0)] == 1).all()


def test_labels_that_are_not_named_keep_their_holes() -> None:
    assert (fill_holes(shell(8, 4), [2]) == shell(8, 4)).all()


def test_the_preset_says_what_is_cleaned() -> None:
    label = shell(8, 4)
    label[0, 0, 0] = label[13, 13, 13] = 2
    lesions = replace(PRESET, labels={1: "Liver", 2: "Lesion"}, optional_labels=(2,))
    assert (clean(label, lesions, [1, 2]) == label).all()
    label[0, 0, 13] = 1
    single = replace(lesions, largest_component=True)
    cleaned = clean(label, single, [1, 2])
    assert cleaned[0, 0, 13] == 0
    assert cleaned[0, 0, 0] == cleaned[13, 13, 13] == 2
    assert clean(label, replace(single, fill_holes=True), [1, 2])[7, 7, 7] == 1
