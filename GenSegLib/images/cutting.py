"""Finds the planes at which labeled cases part two labels, and cuts segmentations there.

Annotators place such a plane by a convention, and differ by a slice or two from case to case. A
segmenter learns the slice of each labeled case by heart, and is far less sure in a new one: with
ten labeled hippocampi it is 0 mm off in these and some 1.3 mm in others
(`Testing/Benchmarks/class_border.py`). What the labeled cases say together, the share of the
length at which they are cut, is about as far off, but otherwise, so that the middle of the two is
nearer than either.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cuts import Cut
from .geometry import world_axis

Array = NDArray[Any]
Face = tuple[int, int, int]  # class before, class behind, axis

LEAST_CASES = 5
_FLAT = 0.85  # of the faces at which two labels touch, those that look along the axis
_MISFIT = 0.02  # of both labels' voxels, those on the wrong side of the plane
_USUAL = 0.9  # of the cases
_LOOKED_AT = 3  # cases without any plane that tell that there is none
_ALIGNED = 0.9  # cosine of an axis of the grid with the cut's


@dataclass(frozen=True)
class Parting:
    """The plane that parts two labels best.

    Attributes:
        place: the slice before which it lies.
        misfit: the share of both labels' voxels on the wrong side of it.
        first, last: the first slice of both, and the one after the last.
    """

    place: int
    misfit: float
    first: int
    last: int

    @property
    def share(self) -> float:
        """The part of the length before the plane."""
        return (self.place - self.first) / (self.last - self.first)

    def at(self, share: float) -> float:
        """Return the slice at a share of the same length."""
        return self.first + share * (self.last - self.first)


def parting(along: Array, labels: tuple[int, int]) -> Parting | None:
    """Find the plane in a label volume whose first axis is its own; None where a label lacks.

    Args:
        along: (slice, ...) of label values.
        labels: the values before and behind the plane.
    """
    before, behind = (np.count_nonzero(along == value, axis=(1, 2)) for value in labels)
    if not (before.any() and behind.any()):
        return None
    wrong = _sums(behind) + before.sum() - _sums(before)
    place, slices = int(wrong.argmin()), np.flatnonzero(before + behind)
    misfit = float(wrong[place] / (before + behind).sum())
    return Parting(place, misfit, int(slices[0]), int(slices[-1]) + 1)


def find_cuts(labels: Iterable[Array], values: Sequence[int], orientation: str) -> tuple[Cut, ...]:
    """Find the planes at which cases part two labels.

    There is one where the faces at which two labels touch lie in one plane of the grid, along the
    same axis and in the same order, in nine of ten cases and in five at least.

    Args:
        labels: of the cases, each (x, y, z) in classes 0, 1, ...; where the first ones have no such
            plane, the others are not asked for.
        values: the label value of each class from 1 on.
        orientation: the direction in which each axis runs, "RAS" for instance.
    """
    shares: dict[Face, list[float]] = {}
    touching: Counter[frozenset[int]] = Counter()
    for count, label in enumerate(labels, 1):
        faces = _faces(label)
        pairs = {frozenset(face[:2]) for face in faces}
        touching.update(pairs)
        for face, found in _planes(label, faces, pairs):
            shares.setdefault(face, []).append(found.share)
        if count >= _LOOKED_AT and not shares:
            return ()
    return tuple(
        Cut(
            (values[before - 1], values[behind - 1]),
            orientation[axis],
            round(statistics.median(known), 4),
        )
        for (before, behind, axis), known in sorted(shares.items())
        if len(known) >= max(LEAST_CASES, _USUAL * touching[frozenset((before, behind))])
    )


def recut(label: Array, affine: Array, cuts: Sequence[Cut]) -> Array:
    """Cut a segmentation in the middle between the segmenter's plane and the labeled cases'.

    Where a structure reaches the edge of the image its length is not known, and the segmenter's own
    plane is taken. A grid that is turned against the cut's axis is left alone, and so is what lacks
    one of the labels.

    Args:
        label: (x, y, z) of label values; it is not modified.
        affine: of its grid, 4x4 RAS.
        cuts: see `find_cuts`.
    """
    result = label.copy() if cuts else label
    for cut in cuts:
        along = _along(result, affine, cut.axis)
        if along is not None:
            _cut(along, cut)
    return result


def _cut(along: Array, cut: Cut) -> None:
    """Cut a segmentation whose first axis is the cut's, in its place."""
    found = parting(along, cut.labels)
    if found is None:
        return
    place, first, last = found.place, found.first, found.last
    if first > 0 and last < len(along):
        place = round((place + found.at(cut.share)) / 2)
    place = min(max(place, first + 1), last - 1)
    for part, value in zip((along[:place], along[place:]), cut.labels):
        part[np.isin(part, cut.labels)] = value


def _along(label: Array, affine: Array, axis: str) -> Array | None:
    """Return a view whose first axis runs along a direction; None where no axis does."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = directions[world_axis(axis)] * (1 if axis in "RAS" else -1)
    own = int(np.abs(cosines).argmax())
    if abs(cosines[own]) < _ALIGNED:
        return None
    view = np.moveaxis(label, own, 0)
    return view if cosines[own] > 0 else view[::-1]


def _planes(
    label: Array, faces: Counter[Face], pairs: Iterable[frozenset[int]]
) -> Iterator[tuple[Face, Parting]]:
    """Give the planes that part pairs of classes of a case."""
    for pair in pairs:
        own = {face: count for face, count in faces.items() if set(face[:2]) == pair}
        before, behind, axis = most = max(own, key=lambda face: own[face])
        if own[most] >= _FLAT * sum(own.values()):
            found = parting(np.moveaxis(label, axis, 0), (before, behind))
            if found is not None and found.misfit <= _MISFIT:
                yield most, found


def _faces(label: Array) -> Counter[Face]:
    """Count the faces at which two classes touch."""
    faces: Counter[Face] = Counter()
    for axis in range(3):
        moved = np.moveaxis(label, axis, 0)
        first, second = moved[:-1], moved[1:]
        meet = (first != second) & (first > 0) & (second > 0)
        found, counts = np.unique(np.stack([first[meet], second[meet]]), axis=1, return_counts=True)
        for (before, behind), count in zip(found.T.tolist(), counts.tolist()):
            faces[before, behind, axis] = count
    return faces


def _sums(counts: Array) -> Array:
    """Return how many voxels lie before each slice."""
    return np.concatenate([[0], np.cumsum(counts)])
