from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny_models import PRESET

from GenSegLib.prediction.postprocessing import fill_holes, largest_components, postprocess


def test_only_the_largest_component_is_kept() -> None:
    label = np.zeros((12, 12, 12), np.int16)
    label[1:5, 1:5, 1:5] = 1
    label[8:10, 8:10, 8:10] = 1
    expected = label.copy()
    expected[8:10, 8:10, 8:10] = 0
    assert (largest_components(label, [1]) == expected).all()


@pytest.mark.parametrize(("axis", "end"), [(0, 0), (1, -1), (2, 0)])
def test_components_at_the_same_image_face_as_the_largest_are_kept(axis: int, end: int) -> None:
    label = np.zeros((12, 12, 12), np.int16)
    near = np.moveaxis(label, axis, 0)[:: 1 if end == 0 else -1]
    near[:4, 1:5, 1:5] = 1  # the largest
    near[:2, 8:11, 1:5] = 1  # a lobe
    near[:1, 8:10, 8:10] = 1  # less than a tenth of the largest
    near[6:8, 8:11, 1:5] = 1  # as large as the lobe, but inside the image
    expected = label.copy()
    for place in ((slice(1), *[slice(8, 10)] * 2), (slice(6, 8), slice(8, 11), slice(1, 5))):
        np.moveaxis(expected, axis, 0)[:: 1 if end == 0 else -1][place] = 0
    assert (largest_components(label, [1]) == expected).all()


def test_components_at_an_image_face_are_removed_if_the_largest_is_inside() -> None:
    label = np.zeros((12, 12, 12), np.int16)
    label[4:8, 4:8, 4:8] = label[:3, :3, :3] = 1
    assert largest_components(label, [1]).sum() == 64


def test_each_label_keeps_its_own_largest_component() -> None:
    label = np.zeros((12, 12, 12), np.int16)
    label[1:5, 1:5, 1:5] = 1
    label[5:7, 1:5, 1:5] = 3
    label[10, 10, 10] = 3
    cleaned = largest_components(label, [1, 3])
    assert np.bincount(cleaned.ravel()).tolist() == [12**3 - 64 - 32, 64, 0, 32]


def test_a_label_far_from_the_structure_that_it_is_a_part_of_is_removed() -> None:
    label = np.zeros((16, 8, 8), np.int16)
    label[1:5, 1:5, 1:5], label[5:7, 1:5, 1:5] = 1, 2
    label[10:14, 2:6, 2:6] = 2
    preset = replace(PRESET, largest_component=True, single_foreground=True)
    cleaned = postprocess(label, preset, [1, 2])
    assert np.bincount(cleaned.ravel())[1:].tolist() == [64, 32]


def test_other_labels_are_unchanged() -> None:
    label = np.zeros((6, 6, 6), np.int16)
    label[0, 0, 0] = label[5, 5, 5] = 2
    assert (largest_components(label.copy(), [1]) == label).all()


def test_components_are_connected_at_corners() -> None:
    label = np.zeros((4, 4, 4), np.int16)
    label[0, 0, 0] = label[1, 1, 1] = 1
    assert (largest_components(label.copy(), [1]) == label).all()


def test_an_empty_label_stays_empty() -> None:
    empty = np.zeros((4, 4, 4), np.int16)
    assert not largest_components(empty, [1, 2]).any()


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_part_of_a_label_is_postprocessed_in_place(order: str) -> None:
    label = np.zeros((12, 12, 12), np.int16, order=order)
    label[2:6, 2:5, 2:4] = label[8, 8, 8] = label[11, 11, 11] = 1
    postprocess(label[1:10, 1:10, 1:10], replace(PRESET, largest_component=True), [1])
    assert label[8, 8, 8] == 0
    assert label[11, 11, 11] == 1
    assert np.count_nonzero(label) == 4 * 3 * 2 + 1


def shell(outer: int, inner: int, size: int = 14) -> np.ndarray:
    """A cube of ones with a hole in its middle."""
    label = np.zeros((size,) * 3, np.int16)
    for edge, value in ((outer, 1), (inner, 0)):
        label[(slice((size - edge) // 2, (size + edge) // 2),) * 3] = value
    return label


def test_holes_are_filled() -> None:
    assert (fill_holes(shell(8, 4), [1]) == shell(8, 0)).all()


def test_an_open_cavity_is_not_filled() -> None:
    label = shell(8, 4)
    label[7, 7, 7:] = 0
    assert (fill_holes(label.copy(), [1]) == label).all()


def test_a_lesion_in_an_organ_is_kept_and_its_hole_becomes_lesion() -> None:
    label = shell(12, 8)
    label[shell(6, 2) == 1] = 2
    filled = fill_holes(label, [1, 2])
    assert (filled[shell(6, 0) == 1] == 2).all()
    assert (filled[(shell(12, 0) == 1) & (shell(6, 0) == 0)] == 1).all()


def test_holes_in_other_labels_are_not_filled() -> None:
    assert (fill_holes(shell(8, 4), [2]) == shell(8, 4)).all()


def test_the_preset_selects_the_steps() -> None:
    label = shell(8, 4)
    label[0, 0, 0] = label[13, 13, 13] = 2
    lesions = replace(PRESET, labels={1: "Liver", 2: "Lesion"}, optional_labels=(2,))
    assert (postprocess(label.copy(), lesions, [1, 2]) == label).all()
    label[0, 0, 13] = 1
    single = replace(lesions, largest_component=True)
    cleaned = postprocess(label, single, [1, 2])
    assert cleaned[0, 0, 13] == 0
    assert cleaned[0, 0, 0] == cleaned[13, 13, 13] == 2
    assert postprocess(label, replace(single, fill_holes=True), [1, 2])[7, 7, 7] == 1
