"""Finds the planes at which labelled cases part two labels, and cuts segmentations there.

Annotators place such a plane by a convention, and differ by a slice or two from case to case. A
segmenter learns the slice of each labelled case by heart, and is far less sure in a new one: with
ten labelled hippocampi it is 0 mm off in these and some 1.4 mm in others
(`Testing/Benchmarks/class_border.py`). What the labelled cases say together, the share of the
length at which they are cut, is about as far off, but otherwise, so that the middle of the two is
nearer than either.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cuts import Cut
from .geometry import world_axis

Array = NDArray[Any]

LEAST_CASES = 5
_FLAT = 0.85  # of the faces at which two labels touch, those that look along the axis
_MISFIT = 0.02  # of both labels' voxels, those on the wrong side of the plane
_USUAL = 0.9  # of the cases
_LOOKED_AT = 3  # cases without any plane that tell that there is none
_ALIGNED = 0.9  # cosine of an axis of the grid with the cut's


@dataclass(frozen=True)
class _Profile:
    """How many voxels two labels have in each slice along an axis."""

    before: Array
    behind: Array

    @classmethod
    def of(cls, label: Array, labels: tuple[int, int]) -> _Profile:
        """Count in a label volume whose first axis is the cut's."""
        counts = [np.count_nonzero(label == value, axis=(1, 2)) for value in labels]
        return cls(*counts)

    @property
    def ends(self) -> tuple[int, int]:
        """The first slice of both, and the one after the last."""
        slices = np.flatnonzero(self.before + self.behind)
        return int(slices[0]), int(slices[-1]) + 1

    def best(self) -> tuple[int, float]:
        """Return the slice before which a plane parts them best, and the share misplaced."""
        wrong = _sums(self.behind) + self.before.sum() - _sums(self.before)
        place = int(wrong.argmin())
        return place, float(wrong[place] / (self.before + self.behind).sum())

    def share(self, place: int) -> float:
        """Return the part of the length before a slice."""
        first, last = self.ends
        return (place - first) / (last - first)


def find_cuts(labels: Iterator[Array], values: Sequence[int], orientation: str) -> tuple[Cut, ...]:
    """Find the planes at which cases part two labels.

    There is one where the faces at which two labels touch lie in one plane of the grid, along the
    same axis and in the same order, in nine of ten cases and in five at least.

    Args:
        labels: of the cases, each (x, y, z) in classes 0, 1, ...; where the first ones have no such
            plane, the others are not asked for.
        values: the label value of each class from 1 on.
        orientation: the direction in which each axis runs, "RAS" for instance.
    """
    shares: dict[tuple[int, int, int], list[float]] = {}
    touching: dict[frozenset[int], int] = {}
    for count, label in enumerate(labels, 1):
        for pair in _touching_pairs(label):
            touching[pair] = touching.get(pair, 0) + 1
            found = _plane(label, pair)
            if found is not None:
                before, behind, axis, share = found
                shares.setdefault((before, behind, axis), []).append(share)
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
    """Cut a segmentation in the middle between the segmenter's plane and the labelled cases'.

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
    profile = _Profile.of(along, cut.labels)
    if not (profile.before.any() and profile.behind.any()):
        return
    place, _ = profile.best()
    first, last = profile.ends
    if first > 0 and last < len(along):
        place = round((place + first + cut.share * (last - first)) / 2)
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


def _plane(label: Array, pair: frozenset[int]) -> tuple[int, int, int, float] | None:
    """Return class before, class behind, axis and share of the plane that parts two classes."""
    first, second = sorted(pair)
    faces = {
        (before, behind, axis): _faces(label, before, behind, axis)
        for before, behind in ((first, second), (second, first))
        for axis in range(3)
    }
    before, behind, axis = most = max(faces, key=lambda key: faces[key])
    if faces[most] < _FLAT * sum(faces.values()):
        return None
    profile = _Profile.of(np.moveaxis(label, axis, 0), (before, behind))
    place, misfit = profile.best()
    return (before, behind, axis, profile.share(place)) if misfit <= _MISFIT else None


def _faces(label: Array, before: int, behind: int, axis: int) -> int:
    moved = np.moveaxis(label, axis, 0)
    return int(np.count_nonzero((moved[:-1] == before) & (moved[1:] == behind)))


def _touching_pairs(label: Array) -> set[frozenset[int]]:
    """Return the pairs of classes that share a face."""
    pairs: set[frozenset[int]] = set()
    for axis in range(3):
        moved = np.moveaxis(label, axis, 0)
        ahead, back = moved[:-1], moved[1:]
        meet = (ahead != back) & (ahead > 0) & (back > 0)
        found = np.unique(np.stack([ahead[meet], back[meet]]), axis=1)
        pairs |= {frozenset(pair) for pair in found.T.tolist()}
    return pairs


def _sums(counts: Array) -> Array:
    """Return how many voxels lie before each slice."""
    return np.concatenate([[0], np.cumsum(counts)])
