"""Where Dice is lost: what the figures say of labels that are known."""

from __future__ import annotations

import numpy as np
import pytest
from class_border import ANTERIOR, POSTERIOR, outline_dice, parting, shift_of
from numpy.typing import NDArray


def parted_at(place: int) -> NDArray[np.int64]:
    """Return a label of ten slices, 5 to 14, whose first ones up to a place are posterior."""
    label = np.zeros((6, 20, 6), np.int64)
    label[1:5, 5:15, 1:5] = ANTERIOR
    label[1:5, 5:place, 1:5] = POSTERIOR
    return label


@pytest.mark.parametrize("place", [6, 10, 14])
def test_the_plane_is_found_where_the_classes_part(place: int) -> None:
    found = parting(parted_at(place))
    assert (found.place, found.misfit) == (place, 0)
    assert found.share == pytest.approx((place - 5) / 10)


def test_a_share_of_the_length_leads_back_to_the_plane() -> None:
    found = parting(parted_at(11))
    assert found.at(found.share) == 11


def test_what_lies_on_the_wrong_side_is_counted() -> None:
    label = parted_at(10)
    label[1:5, 9, 1] = ANTERIOR
    assert parting(label).misfit == pytest.approx(4 / 160)


def test_the_outline_does_not_see_where_the_classes_part() -> None:
    assert outline_dice(parted_at(8), parted_at(12)) == 1


def test_shifts_are_told_with_their_sign_their_spread_and_their_size() -> None:
    assert shift_of([-2, 0, 2, 4]) == {"shift": 1, "shift_deviation": 2.58, "shift_size": 2}
