from __future__ import annotations

import numpy as np

from GenSegLib.postprocessing import largest_components


def test_only_the_largest_piece_of_a_label_stays() -> None:
    label = np.zeros((12, 12, 12), np.int16)
    label[1:5, 1:5, 1:5] = 1
    label[8:10, 8:10, 8:10] = 1
    expected = label.copy()
    expected[8:10, 8:10, 8:10] = 0
    assert (largest_components(label, [1]) == expected).all()


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
