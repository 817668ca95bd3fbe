"""Volumes with the same voxels among training pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import slicer

from GenSegLib.data.duplicates import ImageContent, image_content
from GenSegLib.images.volume import Volume
from GenSegSlicerLib.Geometry import localIJKToRAS
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.TrainingPair import TrainingPair

_SMALL_VOXELS = 1 << 21  # of which the content takes milliseconds


class Duplicate(NamedTuple):
    """A pair whose volume has the voxels of an earlier pair's, with the contents of both."""

    pair: TrainingPair
    content: ImageContent
    earlier: TrainingPair
    earlierContent: ImageContent


class VolumeContents:
    """The contents of large volumes, which are computed only if they may have the same voxels."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int], str] = {}
        self._contents: dict[tuple[str, int], ImageContent] = {}

    def duplicates(self, pairs: Iterable[TrainingPair]) -> list[Duplicate]:
        """Return the pairs whose volume has the voxels of an earlier pair's.

        Of large volumes, sizes and ranges of values are compared first, then sums, then voxels.
        """
        pairs = list(pairs)
        found = _sameContents([(pair, pair.content) for pair in pairs if pair.content is not None])
        # a picture may be in its file alone, see `FilePairs`
        read = [pair for pair in pairs if pair.volumeNode.GetImageData() is not None]
        large = [pair for pair in read if pair.content is None]
        for alike in _alike(large, _sizeAndRange):
            for group in _alike(alike, self._sumOf):
                found += _sameContents([(pair, self._contentOf(pair)) for pair in group])
        return found

    def _sumOf(self, pair: TrainingPair) -> str:
        key = _versionOf(pair)
        if key not in self._sums:
            voxels = voxelsOf(pair.volumeNode.GetImageData())
            self._sums[key] = f"{voxels.sum(dtype=float):.9g}"
        return self._sums[key]

    def _contentOf(self, pair: TrainingPair) -> ImageContent:
        key = _versionOf(pair)
        if key not in self._contents:
            self._contents[key] = _volumeContent(pair.volumeNode)
        return self._contents[key]


def contentIfSmall(volumeNode: slicer.vtkMRMLVolumeNode) -> ImageContent | None:
    """Return the content of a volume, None if computing it would take too long in each check."""
    isSmall = volumeNode.GetImageData().GetNumberOfPoints() <= _SMALL_VOXELS
    return _volumeContent(volumeNode) if isSmall else None


def _volumeContent(volumeNode: slicer.vtkMRMLVolumeNode) -> ImageContent:
    voxels = voxelsOf(volumeNode.GetImageData())
    voxels = voxels.reshape((*voxels.shape[:3], -1))  # components last
    return image_content(Volume(voxels.T, localIJKToRAS(volumeNode)))


def _sameContents(pairs: Iterable[tuple[TrainingPair, ImageContent]]) -> list[Duplicate]:
    first: dict[str, tuple[TrainingPair, ImageContent]] = {}
    found = []
    for pair, content in pairs:
        earlier = first.setdefault(content.digest, (pair, content))
        if earlier[0] is not pair:
            found.append(Duplicate(pair, content, *earlier))
    return found


def _sizeAndRange(pair: TrainingPair) -> tuple[float, ...]:
    image = pair.volumeNode.GetImageData()
    return (*sorted(image.GetDimensions()), *image.GetScalarRange())


def _versionOf(pair: TrainingPair) -> tuple[str, int]:
    return pair.volumeNode.GetID(), pair.volumeNode.GetImageData().GetMTime()


def _alike(
    pairs: Iterable[TrainingPair], keyOf: Callable[[TrainingPair], object]
) -> list[list[TrainingPair]]:
    """Return the groups of several pairs with the same key."""
    groups: dict[object, list[TrainingPair]] = {}
    for pair in pairs:
        groups.setdefault(keyOf(pair), []).append(pair)
    return [group for group in groups.values() if len(group) > 1]
