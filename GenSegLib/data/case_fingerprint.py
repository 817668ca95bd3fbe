"""What planning needs to know of a case, computed while the case is checked.

Axes are those of the patient (right-left, posterior-anterior, inferior-superior), whatever their
order in the file. Light: numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.geometry import bounding_box, world_axis
from ..images.volume import Volume
from ..label_maps import IGNORE
from ..presets import Intensity
from .normalization import field_of_view_mask, foreground_mask, is_in_hu

Array = NDArray[Any]
Triple = tuple[float, float, float]

_AIR_HU = -1024.0  # scanners fill what lies outside the field with less
_BODY_SAMPLES = 96  # voxels along each axis from which the body's extent is estimated
_INTENSITY_SAMPLES = 5000


@dataclass(frozen=True)
class Structure:
    """One class in one case.

    Attributes:
        volume_ml: its volume.
        extent_mm: size of its bounding box.
        faces_mm2: area of its surface's voxel faces across each axis.
        largest_component: fraction of its voxels in its largest connected component; ignored
            voxels may connect them.
    """

    volume_ml: float
    extent_mm: Triple
    faces_mm2: Triple
    largest_component: float = 1.0

    def thickness_mm(self, across: int) -> float:
        """Return twice the ratio of area and perimeter in slices across an axis.

        That is the width of a band and half the diameter of a disk.
        """
        area = sum(faces for axis, faces in enumerate(self.faces_mm2) if axis != across)
        return 2000 * self.volume_ml / area if area else max(self.extent_mm)


@dataclass(frozen=True)
class CaseFingerprint:
    """Size, structures and intensities of a case.

    Attributes:
        shape: voxels along each axis; 1 across the frames of a stack, which are 2-D images.
        spacing: in mm.
        channels: of the image.
        body_mm: size of the box around everything that is not air.
        structures: by label value; empty without a label.
        foreground: intensities (channel, n) of random foreground voxels.
        in_hu: whether the intensities look like HU.
        unit: of lengths, see `Volume.unit`.
        foreground_component: fraction of all structures in their largest connected component.
        is_in_color: whether the image is gray, but stored in color.
    """

    shape: tuple[int, int, int]
    spacing: Triple
    channels: int
    body_mm: Triple
    structures: Mapping[int, Structure] = field(default_factory=dict)
    foreground: Array = field(default_factory=lambda: np.zeros((1, 0), np.float32))
    in_hu: bool = False
    unit: str = "mm"
    foreground_component: float = 1.0
    is_in_color: bool = False

    def in_gray(self) -> CaseFingerprint:
        """Return the fingerprint of the first of three equal channels."""
        is_in_color = self.is_in_color or self.channels > 1
        first = self.foreground[:1]
        return replace(self, channels=1, foreground=first, is_in_color=is_in_color)

    @property
    def long_side(self) -> float:
        """The longer side of what a 2-D image shows, relative to the step of its grid."""
        return max(self.body_mm[axis] for axis in self._in_plane) / self._step

    @property
    def _in_plane(self) -> list[int]:
        """The axes within a 2-D image: not that of one voxel, or of the frames of a stack."""
        across = self.shape.index(1) if 1 in self.shape else 2
        return [axis for axis in range(3) if axis != across]

    @property
    def _step(self) -> float:
        return min(self.spacing[axis] for axis in self._in_plane)

    def in_pixels(self, long_side: float = 0.0) -> CaseFingerprint:
        """Return the fingerprint with a pixel as the unit of length; see `Volume.in_pixels`."""
        scale = (long_side / self.long_side if long_side else 1.0) / self._step
        structures = {
            value: replace(
                each,
                volume_ml=each.volume_ml * scale**3,
                extent_mm=to_triple(np.multiply(each.extent_mm, scale)),
                faces_mm2=to_triple(np.multiply(each.faces_mm2, scale**2)),
            )
            for value, each in self.structures.items()
        }
        spacing, body = (to_triple(np.multiply(v, scale)) for v in (self.spacing, self.body_mm))
        return replace(self, spacing=spacing, body_mm=body, structures=structures, unit="px")


def fingerprint_case(image: Volume, label: Volume | None) -> CaseFingerprint:
    """Return the fingerprint of an image (channel, x, y, z) and its label (1, x, y, z), if any.

    The label is read in full, the image in samples. Thick oblique slices count as axial, since the
    nearest axis of the patient differs between cases.
    """
    across = image.oblique_slice_axis
    axes = [3 if k == across else world_axis(code) for k, code in enumerate(image.orientation)]
    order = np.argsort(axes)
    spacing = np.array(image.spacing)[order]
    array = image.array.transpose(0, *(order + 1))
    values = None if label is None else label.array[0].transpose(order)
    shape = list(array.shape[1:])
    if image.is_stack:
        shape[list(order).index(image.slice_axis)] = 1
    labeled = _labeled_box(values)
    structures = _structures(labeled, spacing)
    return CaseFingerprint(
        shape=_ints(shape),
        spacing=to_triple(spacing),
        channels=len(array),
        body_mm=to_triple(_body_size(array, is_2d=image.is_2d and not image.is_stack) * spacing),
        structures=structures,
        foreground_component=_foreground_component(labeled, structures),
        foreground=_foreground_sample(array, values),
        in_hu=is_in_hu(array),
        unit=image.unit,
    )


def _body_size(array: Array, *, is_2d: bool) -> Array:
    """Return the size of the body's box in voxels, or of what a 2-D image shows."""
    steps = [max(1, size // _BODY_SAMPLES) for size in array.shape[1:]]
    every = (slice(None), *(slice(None, None, step) for step in steps))
    sample = np.nan_to_num(np.maximum(array[every], _AIR_HU), posinf=0)
    mask = (field_of_view_mask if is_2d else foreground_mask)(sample, Intensity("zscore"))
    sizes = np.array([part.stop - part.start for part in bounding_box(mask)])
    return np.minimum(sizes * steps, array.shape[1:])


def _labeled_box(values: Array | None) -> Array:
    """Return the box of a label around its structures, see `_with_margin`; empty without any."""
    if values is None or not (values > 0).any():
        return np.zeros((0, 0, 0), np.int16)
    return _with_margin(values, bounding_box(values > 0))


def _structures(near: Array, spacing: Array) -> dict[int, Structure]:
    """Return the structures by label value of a `_labeled_box`."""
    if not near.size:
        return {}
    ignored = near == IGNORE
    faces = np.array([_faces(near, axis) * spacing.prod() / spacing[axis] for axis in range(3)])
    found = {}
    for value in np.unique(near[near > 0]):
        mask = near == value
        box = bounding_box(mask)
        found[int(value)] = Structure(
            volume_ml=float(np.count_nonzero(mask) * spacing.prod() / 1000),
            extent_mm=to_triple(np.array([part.stop - part.start for part in box]) * spacing),
            faces_mm2=to_triple(faces[:, value]),
            largest_component=_largest_fraction(mask[box], ignored[box]),
        )
    return found


def _foreground_component(near: Array, structures: Mapping[int, Structure]) -> float:
    """Return the fraction of all structures of a `_labeled_box` in their largest component."""
    if len(structures) > 1:
        return _largest_fraction(near > 0, near == IGNORE)
    return min((each.largest_component for each in structures.values()), default=1.0)


def _with_margin(values: Array, box: Sequence[slice]) -> Array:
    """Return a box of a label and one voxel around it, which is background outside the image."""
    start = [max(0, part.start - 1) for part in box]
    stop = [min(size, part.stop + 1) for size, part in zip(values.shape, box)]
    missing = [(a - part.start + 1, part.stop + 1 - b) for a, b, part in zip(start, stop, box)]
    return np.pad(values[tuple(map(slice, start, stop))], missing)


def _largest_fraction(mask: Array, ignored: Array) -> float:
    """Return the fraction of a mask's voxels in its largest 26-connected component."""
    from scipy import ndimage  # heavier than this module

    components, _ = ndimage.label(mask | ignored, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(components[mask])[1:]
    return float(sizes.max() / sizes.sum())


def _faces(values: Array, axis: int) -> Array:
    """Return the number of faces across an axis between each value and others, if annotated."""
    moved = np.moveaxis(values, axis, 0)
    one, other = moved[:-1], moved[1:]
    is_face = (one != other) & (one != IGNORE) & (other != IGNORE)
    count = int(values.max()) + 1
    return np.bincount(one[is_face], minlength=count) + np.bincount(other[is_face], minlength=count)


def _foreground_sample(array: Array, values: Array | None) -> Array:
    """Return the intensities (channel, n) of evenly drawn foreground voxels."""
    indices = np.flatnonzero(values > 0) if values is not None else np.zeros(0, int)
    indices = indices[:: max(1, len(indices) // _INTENSITY_SAMPLES)]
    index: tuple[Any, ...] = np.unravel_index(indices, array.shape[1:])
    return np.asarray(array[(slice(None), *index)], np.float32)


def to_triple(values: Any) -> Triple:
    """Return three lengths, rounded to four digits."""
    x, y, z = (round(float(value), 4) for value in values)
    return x, y, z


def _ints(values: Any) -> tuple[int, int, int]:
    x, y, z = map(int, values)
    return x, y, z
