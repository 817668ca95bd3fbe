"""Volumes with the same voxels among training pairs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import slicer

from GenSegLib.checks.duplicates import ImageContent, image_content, image_content_steps
from GenSegLib.images.volume import Volume
from GenSegLib.steps import Steps, finish
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
        """Return the pairs whose volume has the voxels of an earlier pair's."""
        return finish(self.duplicatesSteps(pairs))

    def duplicatesSteps(self, pairs: Iterable[TrainingPair]) -> Steps[list[Duplicate]]:
        """Return what `duplicates` returns, after steps of about a slice.

        Of large volumes, sizes are compared first, then sums, then voxels.
        """
        pairs = list(pairs)
        found = _sameContents([(pair, pair.content) for pair in pairs if pair.content is not None])
        # a raster image may be in its file alone, see `FilePairs`
        read = [pair for pair in pairs if pair.volumeNode.GetImageData() is not None]
        large = [(_size(pair), pair) for pair in read if pair.content is None]
        for alike in _alike(large):
            sums = []
            for pair in alike:
                sums.append(((yield from self._sumSteps(pair)), pair))
            for group in _alike(sums):
                contents = []
                for pair in group:
                    contents.append((pair, (yield from self._contentSteps(pair))))
                found += _sameContents(contents)
        return found

    def _sumSteps(self, pair: TrainingPair) -> Steps[str]:
        key = _versionOf(pair)
        if key not in self._sums:
            total = 0.0
            for part in voxelsOf(pair.volumeNode.GetImageData()):
                total += float(part.sum(dtype=float))
                yield None
            self._sums[key] = f"{total:.9g}"
        return self._sums[key]

    def _contentSteps(self, pair: TrainingPair) -> Steps[ImageContent]:
        key = _versionOf(pair)
        if key not in self._contents:
            self._contents[key] = yield from image_content_steps(_imageOf(pair.volumeNode))
        return self._contents[key]


def contentIfSmall(volumeNode: slicer.vtkMRMLVolumeNode) -> ImageContent | None:
    """Return the content of a volume, None if computing it would take too long in each check."""
    isSmall = volumeNode.GetImageData().GetNumberOfPoints() <= _SMALL_VOXELS
    return image_content(_imageOf(volumeNode)) if isSmall else None


def _imageOf(volumeNode: slicer.vtkMRMLVolumeNode) -> Volume:
    voxels = voxelsOf(volumeNode.GetImageData())
    voxels = voxels.reshape((*voxels.shape[:3], -1))  # components last
    return Volume(voxels.T, localIJKToRAS(volumeNode))


def _sameContents(pairs: Iterable[tuple[TrainingPair, ImageContent]]) -> list[Duplicate]:
    first: dict[str, tuple[TrainingPair, ImageContent]] = {}
    found = []
    for pair, content in pairs:
        earlier = first.setdefault(content.digest, (pair, content))
        if earlier[0] is not pair:
            found.append(Duplicate(pair, content, *earlier))
    return found


def _size(pair: TrainingPair) -> tuple[int, ...]:
    return tuple(sorted(pair.volumeNode.GetImageData().GetDimensions()))


def _versionOf(pair: TrainingPair) -> tuple[str, int]:
    return pair.volumeNode.GetID(), pair.volumeNode.GetImageData().GetMTime()


def _alike(pairs: Iterable[tuple[object, TrainingPair]]) -> list[list[TrainingPair]]:
    """Return the groups of several pairs with the same key."""
    groups: dict[object, list[TrainingPair]] = {}
    for key, pair in pairs:
        groups.setdefault(key, []).append(pair)
    return [group for group in groups.values() if len(group) > 1]
