"""Preprocessed cases on disk, of which a training reads patches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..images.geometry import bounding_box, full_box
from .case_cache import CacheEntry
from .distance_maps import signed_distances
from .training_case import Box, CasePatches, InMemoryCase, subsample, symmetric_padding

Array = NDArray[Any]

MARGIN_MM = 20.0
DISTANCES_STEP = 2


def case_arrays(
    image: Array, label: Array, spacing: Sequence[float], classes: int, limit_mm: float
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and JSON values that `StoredCase` reads.

    Args:
        image: (channel, *shape), normalized.
        label: (*shape) of class indices, and of values of `LabelSets` beyond them.
        spacing: in mm.
        classes: number of classes, background included.
        limit_mm: distance to which signed distances are clipped.
    """
    foreground = (label > 0) & (label < classes)
    box = bounding_box(foreground)
    low, high = [part.start for part in box], [part.stop for part in box]
    reach = [int(np.ceil(limit_mm / step)) + 1 for step in spacing]
    start = [max(0, a - r) for a, r in zip(low, reach)]
    stop = [min(n, b + r) for n, b, r in zip(label.shape, high, reach)]
    near = label[tuple(slice(a, b) for a, b in zip(start, stop))]
    values = max(classes, 1 + int(label.max(initial=0)))
    distances = signed_distances(near, values, tuple(spacing), limit_mm).numpy()
    every = (slice(None), *[slice(None, None, DISTANCES_STEP)] * label.ndim)
    indices = {value: np.argwhere(near == value) + start for value in range(1, classes)}
    arrays = {
        "image": image.astype(np.float16),
        "label": label.astype(np.uint8 if values <= 256 else np.int16),
        "distances": distances[every].astype(np.float16),
        **{
            f"places_{value}": subsample(found).astype(np.int32) for value, found in indices.items()
        },
    }
    ignored = label == classes
    if ignored.any():
        arrays["annotated"] = subsample(np.argwhere(~ignored)).astype(np.int32)
    total = sum((found.sum(axis=0) for found in indices.values()), np.zeros(label.ndim))
    size = sum(map(len, indices.values()))
    center = total / size if size else (np.array(label.shape) - 1) // 2
    return arrays, {
        "spacing": list(map(float, spacing)),
        "centroid": [float(index) for index in center],
        "low": low,
        "high": high,
        "distances_start": start,
        "classes": classes,
        "voxel_counts": np.bincount(label.ravel(), minlength=values).tolist(),
        "limit_mm": limit_mm,
    }


class StoredCase:
    """A case on disk; see `TrainingCase`.

    Args:
        name: case name.
        file: cache entry of `case_arrays`.
        coarse: the case at the preset's coarse spacing, if the preset has one.
        device: device of the tensors that are returned.
    """

    def __init__(
        self, name: str, file: CacheEntry, coarse: InMemoryCase | None, device: torch.device
    ) -> None:
        self.name, self.coarse = name, coarse
        self._file, self._device = file, device
        values = file.values
        self.spacing = tuple(values["spacing"])
        self.distances_start = torch.tensor(values["distances_start"], dtype=torch.float32)
        self.distances_step, self.limit_mm = DISTANCES_STEP, float(values["limit_mm"])
        self._low, self._high = values["low"], values["high"]

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self._file.path

    @property
    def image(self) -> torch.Tensor:
        """Whole image, read at every access."""
        return self.read("image", full_box(self.shape))

    @property
    def label(self) -> torch.Tensor:
        """Whole label map, read at every access."""
        return self.read("label", full_box(self.shape))[0].long()

    @property
    def shape(self) -> tuple[int, ...]:
        """Size in voxels."""
        return self.size_of("label")

    def size_of(self, name: str) -> tuple[int, ...]:
        """Return the spatial size of an array."""
        shape = self._file.shape(name)
        return shape if name == "label" else shape[1:]

    def read(self, name: str, box: Box) -> torch.Tensor:
        """Return a box of an array as float32 (channel, *size)."""
        array = self._file.array(name)
        part = array[box][np.newaxis] if name == "label" else array[(slice(None), *box)]
        return torch.from_numpy(part.astype(np.float32)).to(self._device)

    def voxel_counts(self) -> dict[int, int]:
        """See `TrainingCase`."""
        counts = enumerate(self._file.values["voxel_counts"])
        return {value: count for value, count in counts if count}

    def centroid(self) -> torch.Tensor:
        """See `TrainingCase`."""
        return torch.tensor(self._file.values["centroid"], dtype=torch.float32)

    def extent(self) -> tuple[int, ...]:
        """Return the size of a box, centered at the centroid, of the foreground and a margin.

        Registering whole bodies would not help to blend one organ.
        """
        center = self.centroid().tolist()
        sides = zip(center, self._low, self._high, self.spacing)
        return tuple(
            round(2 * (max(middle - low, high - 1 - middle) + MARGIN_MM / step)) + 1
            for middle, low, high, step in sides
        )

    def patches(self, size: Sequence[int]) -> CasePatches:
        """See `TrainingCase`."""
        return _StoredPatches(self, size, self._voxels(), self._annotated())

    def foreground_box(self) -> Box:
        """See `TrainingCase`; the margin is `MARGIN_MM`."""
        margins = [round(MARGIN_MM / step) for step in self.spacing]
        sides = zip(self._low, self._high, margins, self.size_of("label"))
        return tuple(slice(max(0, a - m), min(n, b + m)) for a, b, m, n in sides)

    def read_box(self, box: Box) -> InMemoryCase:
        """See `TrainingCase`."""
        label = self.read("label", box)[0].long()
        image, classes = self.read("image", box), self._file.values["classes"]
        return InMemoryCase(self.name, image, label, self.spacing, None, classes)

    def _annotated(self) -> torch.Tensor | None:
        if not self._file.has("annotated"):
            return None
        return torch.from_numpy(np.array(self._file.array("annotated")))

    def _voxels(self) -> list[torch.Tensor]:
        names = [f"places_{value}" for value in range(1, self._file.values["classes"])]
        found = [torch.from_numpy(np.array(self._file.array(name))) for name in names]
        return [indices for indices in found if len(indices)]


class _StoredPatches:
    """Reads patches of a stored case; see `CasePatches`."""

    def __init__(
        self,
        case: StoredCase,
        size: Sequence[int],
        voxels: list[torch.Tensor],
        annotated: torch.Tensor | None,
    ) -> None:
        stored = case.size_of("label")
        margins = symmetric_padding(stored, size)
        self._case, self._stored = case, stored
        self._before = [before for before, _ in margins]
        self.shape = tuple(n + sum(margin) for n, margin in zip(stored, margins))
        before = torch.tensor(self._before)
        self.voxels = [found + before for found in voxels]
        self.annotated = None if annotated is None else annotated + before

    def cut(self, box: Box) -> tuple[torch.Tensor, torch.Tensor]:
        """See `CasePatches`."""
        return self._cut("image", box), self._cut("label", box).long()

    def _cut(self, name: str, box: Box) -> torch.Tensor:
        sides = list(zip(box, self._before, self._stored))
        inside = tuple(slice(max(0, b.start - a), min(n, b.stop - a)) for b, a, n in sides)
        part = self._case.read(name, inside)
        margins = [
            count
            for t, (b, a, _) in reversed(list(zip(inside, sides)))
            for count in (t.start + a - b.start, b.stop - t.stop - a)
        ]
        return F.pad(part, margins)
