"""The fingerprint of a data set: what its cases have in common, as far as a plan depends on it.

Axes are those of the patient, see `data.case_fingerprint`. Light: numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..data.case_fingerprint import CaseFingerprint, Structure, Triple, to_triple

AXES = ("right-left", "posterior-anterior", "inferior-superior")
_AXIAL = 2
_MIN_SIZES = 5  # of a class, before their scatter means anything
_MIN_SCATTER = 0.5  # of sizes in pixels, relative to that of sizes relative to the image
_SLICES_ANISOTROPY = 2.0  # from here on, slices follow the thick axis


@dataclass(frozen=True)
class ClassFingerprint:
    """One class over all cases that have it; medians.

    Attributes:
        cases: number of cases that have it.
        volume_ml: volume.
        extent_mm: size of its bounding box.
        thickness_mm: see `Structure.thickness_mm`, in slices across the slice axis.
        largest_component: smallest fraction of its voxels in its largest component.
    """

    cases: int
    volume_ml: float
    extent_mm: Triple
    thickness_mm: float
    largest_component: float = 1.0


@dataclass(frozen=True)
class Channel:
    """Percentiles 0.5 and 99.5 of the intensities in the foreground."""

    low: float
    high: float


@dataclass(frozen=True)
class Fingerprint:
    """What the cases have in common; lengths in mm.

    Attributes:
        cases: number of cases.
        channels: of the images.
        shape: median number of voxels along each axis.
        spacing: median along each axis.
        spacing_range: 10th and 90th percentile along each axis.
        field_mm: size of the body; three quarters of the cases are not larger.
        slice_axis: the axis across which the slices lie: the thick one, or inferior-superior.
        anisotropy: the largest median spacing relative to the mean of the others.
        classes: by label value.
        intensities: in the foreground, by channel.
        is_ct: whether the intensities look like Hounsfield units.
        voxels: of all cases together, after the crop to the body.
        foreground_component: smallest fraction of a case's structures in their largest component.
        unit: "px" for 2-D images whose lengths are in pixels.
        long_side: of the images that these pixels are of, see `Preset.long_side`; 0 for their own.
        long_sides: the smallest and the largest number of pixels along the longer side.
        is_in_color: whether all images are gray, but stored in color.
    """

    cases: int
    channels: int
    shape: Triple
    spacing: Triple
    spacing_range: tuple[Triple, Triple]
    field_mm: Triple
    slice_axis: int
    anisotropy: float
    classes: dict[int, ClassFingerprint]
    intensities: tuple[Channel, ...]
    is_ct: bool
    voxels: float
    unit: str = "mm"
    long_side: float = 0.0
    long_sides: tuple[float, float] = (0.0, 0.0)
    foreground_component: float = 1.0
    is_in_color: bool = False

    @property
    def in_plane(self) -> tuple[int, int]:
        """The two axes within slices."""
        first, second = (axis for axis in range(3) if axis != self.slice_axis)
        return first, second

    @property
    def in_plane_spacing(self) -> float:
        """Median spacing within slices."""
        return max(self.spacing[axis] for axis in self.in_plane)

    @property
    def slice_spacing(self) -> float:
        """Median distance of slices."""
        return self.spacing[self.slice_axis]

    @property
    def slices(self) -> float:
        """Median number of slices."""
        return self.shape[self.slice_axis]

    @property
    def thinnest_mm(self) -> float:
        """Thickness of the thinnest class."""
        return min((each.thickness_mm for each in self.classes.values()), default=np.inf)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self) | {"slice_axis": AXES[self.slice_axis]}


def summarize_cases(cases: Sequence[CaseFingerprint]) -> Fingerprint:
    """Return the common fingerprint of at least one case, in pixels if one of them has no scale."""
    unit, long_side, sides = "mm", 0.0, [0.0]
    if any(case.unit == "px" for case in cases):
        cases = [case.in_pixels() for case in cases]
        unit, long_side, sides = "px", common_long_side(cases), [c.long_side for c in cases]
        cases = [case.in_pixels(long_side) for case in cases]
    spacings = np.array([case.spacing for case in cases])
    median = np.median(spacings, axis=0)
    thick = int(median.argmax())
    anisotropy = float(median[thick] / np.delete(median, thick).mean())
    shapes = np.array([case.shape for case in cases])
    slice_axis = thick if anisotropy >= _SLICES_ANISOTROPY else _AXIAL
    if (flat := np.median(shapes, axis=0)).min() <= 1:  # an image: its thickness means nothing
        slice_axis = int(flat.argmin())
    bodies = np.array([case.body_mm for case in cases])
    low, high = (to_triple(np.percentile(spacings, q, axis=0)) for q in (10, 90))
    return Fingerprint(
        cases=len(cases),
        channels=max(case.channels for case in cases),
        shape=to_triple(np.median(shapes, axis=0)),
        spacing=to_triple(median),
        spacing_range=(low, high),
        field_mm=to_triple(np.percentile(bodies, 75, axis=0)),
        slice_axis=slice_axis,
        anisotropy=round(anisotropy, 3),
        classes=_classes(cases, slice_axis),
        intensities=_intensities(cases),
        is_ct=2 * sum(case.in_hu for case in cases) >= len(cases),
        voxels=float((bodies / spacings).prod(axis=1).sum()),
        foreground_component=round(min(case.foreground_component for case in cases), 4),
        unit=unit,
        long_side=long_side,
        long_sides=(min(sides), max(sides)),
        is_in_color=all(case.is_in_color for case in cases),
    )


def common_long_side(cases: Sequence[CaseFingerprint]) -> float:
    """Return the median longer side of images in pixels; 0 if they are not to be scaled to it.

    Cameras of any resolution show the same field of view, so that pixels say nothing. Crops of
    images of one resolution are another matter: there the structures' sizes scatter less in pixels
    than relative to the image.
    """
    pixels, relative = [], []
    for value in {value for case in cases for value in case.structures}:
        found = [(case, case.structures[value]) for case in cases if value in case.structures]
        if len(found) >= _MIN_SIZES:
            sizes = np.log([max(each.extent_mm) for _, each in found])
            pixels.append(np.var(sizes))
            relative.append(np.var(sizes - np.log([case.long_side for case, _ in found])))
    is_cropped = bool(pixels) and np.mean(pixels) < _MIN_SCATTER * np.mean(relative)
    return 0.0 if is_cropped else float(np.median([case.long_side for case in cases]))


def _classes(cases: Sequence[CaseFingerprint], axis: int) -> dict[int, ClassFingerprint]:
    values = sorted({value for case in cases for value in case.structures})
    return {
        value: _class([case.structures[value] for case in cases if value in case.structures], axis)
        for value in values
    }


def _class(found: Sequence[Structure], axis: int) -> ClassFingerprint:
    def median(get: Callable[[Structure], Any]) -> Any:
        return np.median([get(each) for each in found], axis=0).round(4)

    return ClassFingerprint(
        cases=len(found),
        volume_ml=float(median(lambda each: each.volume_ml)),
        extent_mm=to_triple(median(lambda each: each.extent_mm)),
        thickness_mm=float(median(lambda each: each.thickness_mm(axis))),
        largest_component=round(min(each.largest_component for each in found), 4),
    )


def _intensities(cases: Sequence[CaseFingerprint]) -> tuple[Channel, ...]:
    samples = [case.foreground for case in cases if case.foreground.size]
    if not samples or len({len(sample) for sample in samples}) > 1:
        return ()
    return tuple(_channel(np.concatenate(parts)) for parts in zip(*samples))


def _channel(values: np.ndarray) -> Channel:
    low, high = np.percentile(values, [0.5, 99.5])
    return Channel(round(float(low), 4), round(float(high), 4))
