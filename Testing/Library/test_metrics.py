from __future__ import annotations

import math

import numpy as np
import pytest

from GenSegLib.evaluation.metrics import case_scores


def box(start: int, stop: int, size: int = 40) -> np.ndarray:
    label = np.zeros((size, size, size), np.int16)
    label[start:stop, 10:20, 10:20] = 1
    return label


def test_a_perfect_prediction_has_dice_one_and_distance_zero() -> None:
    (score,) = case_scores(box(5, 15), box(5, 15), [1], (1, 1, 1))
    assert (score.dice, score.hd95_mm, score.surface_dice) == (1, 0, 1)
    assert score.volume_error_ml == 0


def test_the_dice_of_a_shifted_box() -> None:
    (score,) = case_scores(box(8, 18), box(5, 15), [1], (1, 1, 1))
    assert score.dice == pytest.approx(2 * 7 / 20)


@pytest.mark.parametrize("spacing", [0.5, 2.0])
def test_hd95_is_in_millimeters(spacing: float) -> None:
    (score,) = case_scores(box(8, 18), box(5, 15), [1], (spacing, 1, 1))
    assert score.hd95_mm == pytest.approx(3 * spacing)


def test_surface_dice_counts_the_surface_voxels_within_one_millimeter() -> None:
    reference = np.zeros((9, 9, 9), np.int16)
    reference[2, 4, 4] = reference[6, 4, 4] = 1
    prediction = np.zeros_like(reference)
    prediction[3, 4, 4] = prediction[6, 6, 4] = 1
    (score,) = case_scores(prediction, reference, [1], (1, 1, 1))
    assert score.surface_dice == pytest.approx(2 / 4)


def test_surface_dice_tolerates_half_a_millimeter_but_not_two() -> None:
    fine, coarse = (
        case_scores(box(6, 16), box(5, 15), [1], (size, 0.1, 0.1))[0] for size in (0.5, 2.0)
    )
    assert fine.surface_dice == 1
    assert coarse.surface_dice < 1


def test_volume_error_is_prediction_minus_reference_in_milliliters() -> None:
    (score,) = case_scores(box(5, 17), box(5, 15), [1], (1, 2, 0.5))
    assert score.volume_error_ml == pytest.approx(2 * 10 * 10 / 1000)


def test_a_label_in_neither_volume_scores_nan() -> None:
    (score,) = case_scores(box(5, 15), box(5, 15), [2], (1, 1, 1))
    assert all(map(math.isnan, (score.dice, score.hd95_mm, score.surface_dice)))
    assert score.volume_error_ml == 0


@pytest.mark.parametrize("missed", [True, False])
def test_a_label_in_one_volume_only_scores_zero_and_the_diagonal_of_the_image(missed: bool) -> None:
    volumes = [np.zeros_like(box(5, 15)), box(5, 15)]
    prediction, reference = volumes if missed else reversed(volumes)
    (score,) = case_scores(prediction, reference, [1], (1, 1, 2))
    assert (score.dice, score.surface_dice) == (0, 0)
    assert score.hd95_mm == pytest.approx(math.hypot(40, 40, 80))
    assert score.volume_error_ml == pytest.approx(-2.0 if missed else 2.0)


def test_labels_are_scored_separately_and_in_the_given_order() -> None:
    reference = box(5, 15)
    reference[:, 30:35, :] = 7
    prediction = reference.copy()
    prediction[prediction == 1] = 0
    scores = case_scores(prediction, reference, [7, 1], (1, 1, 1))
    assert [(score.label, score.dice) for score in scores] == [(7, 1), (1, 0)]


def test_background_around_the_structures_does_not_change_scores() -> None:
    inner = slice(4, 26)
    whole = case_scores(box(8, 18), box(5, 15), [1], (1, 1, 3))
    tight = case_scores(
        box(8, 18)[inner, inner, inner], box(5, 15)[inner, inner, inner], [1], (1, 1, 3)
    )
    assert whole == tight


def test_volumes_of_different_shapes_are_an_error() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        case_scores(box(5, 15), box(5, 15, 30), [1], (1, 1, 1))
