"""Planes at which annotators part two labels: found in the cases, and kept in segmentations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from GenSegLib.cuts import Cut
from GenSegLib.data.layouts import read_cases
from GenSegLib.images.cutting import find_cuts, recut
from GenSegLib.images.geometry import Route, plan_reorient
from GenSegLib.images.image_io import read_label

Label = NDArray[np.int16]

HEAD, BODY = 1, 2
RAS = np.eye(4)
ORIENTATIONS = [
    "".join(codes) for axes in permutations(("RL", "AP", "SI")) for codes in product(*axes)
]


def structure(place: int, start: int = 4, stop: int = 24) -> Label:
    """A rod along y whose body ends, and whose head begins, at a slice."""
    label = np.zeros((8, 28, 9), np.int16)
    label[2:6, start:stop, 3:7] = HEAD
    label[2:6, start:place, 3:7] = BODY
    return label


def cases(*places: int) -> Iterator[Label]:
    return (structure(place) for place in places)


def cut(share: float = 0.5, labels: tuple[int, int] = (BODY, HEAD), axis: str = "A") -> Cut:
    return Cut(labels, axis, share)


def test_the_plane_of_the_cases_is_found_at_the_median_of_its_shares() -> None:
    found = find_cuts(cases(12, 13, 14, 15, 19), [1, 2], "RAS")
    assert found == (cut(0.5),)


def test_a_cut_names_label_values_and_the_direction_of_the_axis() -> None:
    found = find_cuts(cases(*[9] * 5), [3, 7], "LPS")
    assert found == (cut(0.25, (7, 3), "P"),)


def test_fewer_than_five_cases_tell_of_no_plane() -> None:
    assert find_cuts(cases(12, 13, 14, 15), [1, 2], "RAS") == ()


@pytest.mark.parametrize(("tilted", "found"), [(1, 1), (2, 0)])
def test_one_case_in_ten_may_be_parted_otherwise(tilted: int, found: int) -> None:
    otherwise = structure(14)
    otherwise[4:6, 10:14, :][otherwise[4:6, 10:14, :] == BODY] = HEAD
    labels = [structure(14)] * (10 - tilted) + [otherwise] * tilted
    assert len(find_cuts(iter(labels), [1, 2], "RAS")) == found


def test_a_border_that_tissue_shapes_is_no_cut() -> None:
    curved = np.zeros((20, 20, 20), np.int16)
    places = np.stack(np.meshgrid(*[np.arange(20)] * 3, indexing="ij"))
    radius = np.sqrt(((places - 10) ** 2).sum(axis=0))
    curved[radius < 9] = HEAD
    curved[radius < 5] = BODY
    assert find_cuts(iter([curved] * 6), [1, 2], "RAS") == ()


def test_structures_that_do_not_touch_have_no_cut() -> None:
    apart = structure(14)
    apart[:, 13:15] = 0
    assert find_cuts(iter([apart] * 6), [1, 2], "RAS") == ()


def test_where_the_first_cases_have_no_plane_the_others_are_not_read() -> None:
    read = []

    def labels() -> Iterator[Label]:
        for number in range(100):
            read.append(number)
            yield (structure(14) > 0).astype(np.int16)

    assert find_cuts(labels(), [1, 2], "RAS") == ()
    assert len(read) == 3


def test_real_hippocampi_are_parted_at_a_coronal_plane(hippocampus: Path) -> None:
    labels = [read_label(case.label).array[0] for case in read_cases(hippocampus).cases[:20]]
    (found,) = find_cuts(iter(labels), [1, 2], "RAS")
    assert (found.labels, found.axis) == ((2, 1), "A")
    assert 0.5 < found.share < 0.65


def test_a_segmentation_is_cut_between_its_own_plane_and_that_of_the_cases() -> None:
    assert (recut(structure(18), RAS, [cut(0.5)]) == structure(16)).all()


def test_a_ragged_border_becomes_a_plane_and_the_outline_stays() -> None:
    ragged = structure(14)
    ragged[2, 14, 3:7], ragged[5, 13, 3:7] = BODY, HEAD
    assert (recut(ragged, RAS, [cut(0.5)]) == structure(14)).all()


def test_the_input_is_not_modified() -> None:
    label = structure(18)
    recut(label, RAS, [cut(0.5)])
    assert (label == structure(18)).all()


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_images_of_any_orientation_are_cut_at_the_same_plane(orientation: str) -> None:
    label = structure(18)
    route = Route().then(plan_reorient(RAS, label.shape, orientation))
    turned = route.forward_label(label)
    found = recut(turned, route.affine(RAS), [cut(0.5)])
    assert (route.backward(found[np.newaxis])[0] == structure(16)).all()


def test_a_cut_may_point_either_way_along_its_axis() -> None:
    backward = cut(0.5, (HEAD, BODY), "P")
    assert (recut(structure(18), RAS, [backward]) == structure(16)).all()


def test_a_structure_that_reaches_the_edge_of_the_image_keeps_its_own_plane() -> None:
    label = structure(18, start=0)
    assert (recut(label, RAS, [cut(0.5)]) == label).all()


def test_a_grid_that_is_turned_against_the_plane_is_left_alone() -> None:
    tilt = np.deg2rad(40)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    assert (recut(structure(18), affine, [cut(0.5)]) == structure(18)).all()


def test_a_segmentation_that_lacks_a_label_is_left_alone() -> None:
    head = np.where(structure(18) == HEAD, HEAD, 0)
    assert (recut(head, RAS, [cut(0.5)]) == head).all()
    assert not recut(np.zeros_like(head), RAS, [cut(0.5)]).any()


def test_other_labels_stay_as_they_are() -> None:
    label = structure(18)
    label[3, 10:20, 4] = 5
    found = recut(label, RAS, [cut(0.5)])
    assert ((found == 5) == (label == 5)).all()


@pytest.mark.parametrize(
    "values",
    [((1, 0), "A", 0.5), ((1, 2, 3), "A", 0.5), ((1, 2), "X", 0.5), ((1, 2), "A", 1.0)],
)
def test_what_is_no_cut_is_refused(values: tuple[tuple[int, int], str, float]) -> None:
    with pytest.raises(ValueError, match="a cut is"):
        Cut(*values)
