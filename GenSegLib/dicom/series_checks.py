"""Check that DICOM slices form one regular volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import GenSegError
from .headers import SliceHeader

_SPACING_TOLERANCE = 0.05  # of the spacing between slices
_SHIFT_TOLERANCE = 0.05  # of the in-plane spacing
_DIRECTION_TOLERANCE = 1e-3
_PACKAGE_THICKNESS = 1.5  # of the spacing of all slices


def require_one_series(folder: Path, slices: Sequence[SliceHeader]) -> None:
    """Raise GenSegError unless the slices belong to exactly one series."""
    if not slices:
        raise GenSegError(f"{folder}: no DICOM series in this folder; choose another folder")
    by_series: dict[str, list[SliceHeader]] = {}
    for header in slices:
        by_series.setdefault(header.series, []).append(header)
    if len(by_series) > 1:
        found = "; ".join(
            f"series {group[0].number or '?'} with {_count(len(group), 'file')}, first "
            f"{group[0].file.name}"
            for group in by_series.values()
        )
        raise GenSegError(
            f"{folder}: {len(by_series)} DICOM series in this folder ({found}); move the one to "
            "use to a folder of its own"
        )


def require_consistent_slices(folder: Path, slices: Sequence[SliceHeader]) -> None:
    """Raise GenSegError if headers are incomplete or differ in size, direction or spacing.

    Such files are localizers, screenshots, or volumes of their own.
    """
    for header in slices:
        _require_complete(folder, header)
    sizes = Counter(header.size for header in slices)
    usual = next(header for header in slices if header.size == sizes.most_common(1)[0][0])
    for header in slices:
        if header.size != usual.size:
            own, other = ("x".join(map(str, each.size[:2])) for each in (header, usual))
            raise GenSegError(
                f"{folder}: {header.file.name} has {own} voxels, the other slices {other}; remove "
                "it if it is a localizer"
            )
        angle = max(
            np.abs(header.rows - usual.rows).max(), np.abs(header.columns - usual.columns).max()
        )
        if angle > _DIRECTION_TOLERANCE or not np.allclose(
            header.spacing, usual.spacing, rtol=1e-3
        ):
            raise GenSegError(
                f"{folder}: {header.file.name} differs from {usual.file.name} in orientation or "
                "pixel spacing; remove it if it is a localizer"
            )


def _require_complete(folder: Path, header: SliceHeader) -> None:
    name = header.file.name
    if header.frames > 1:
        raise GenSegError(
            f"{folder}: {name} holds {header.frames} frames next to other files; move it to a "
            "folder of its own"
        )
    if not header.has_position:
        raise GenSegError(
            f"{folder}: the header of {name} has no position or orientation; remove the file if "
            "it is not part of the volume"
        )
    if not header.has_spacing:
        raise GenSegError(
            f"{folder}: the header of {name} has no Pixel Spacing; export the series again"
        )
    if header.is_ct and not header.is_rescaled:
        raise GenSegError(
            f"{folder}: the CT slice {name} has no rescale slope and intercept, so its values are "
            "not Hounsfield units; export the series again"
        )


def require_regular_spacing(folder: Path, slices: Sequence[SliceHeader]) -> None:
    """Raise GenSegError if slices are duplicated, shifted, tilted, missing or unevenly spaced.

    Args:
        folder: of the series, for messages.
        slices: sorted by location.
    """
    _require_one_acquisition(folder, slices)
    _require_distinct_locations(folder, slices)
    _require_straight_stack(folder, slices)
    _require_even_spacing(folder, slices)


def _require_one_acquisition(folder: Path, slices: Sequence[SliceHeader]) -> None:
    """Find acquisitions whose slices lie between each other's, and would be read as one volume.

    Acquisitions that follow each other form one volume, and so do the packages of an interleaved
    MR, each of which leaves gaps as wide as its slices.
    """
    by_number: dict[str, list[SliceHeader]] = {}
    for header in slices:
        by_number.setdefault(header.acquisition, []).append(header)
    groups = sorted(by_number.values(), key=lambda group: group[0].location)
    if len(groups) < 2 or min(map(len, groups)) < 2:
        return
    overlap = any(a[-1].location > b[0].location for a, b in zip(groups, groups[1:]))
    steps = np.abs(np.diff([header.location for header in slices]))
    known = [header.thickness for header in slices if np.isfinite(header.thickness)]
    is_package = bool(known) and np.median(known) <= _PACKAGE_THICKNESS * np.median(steps)
    if not overlap or is_package:
        return
    found = ", ".join(
        f"{group[0].acquisition or '?'} with {_count(len(group), 'slice')} from "
        f"{group[0].file.name}"
        for group in groups
    )
    raise GenSegError(
        f"{folder}: {len(groups)} acquisitions in one series (acquisition {found}), whose slices "
        "overlap; move one of them to a folder of its own"
    )


def _require_distinct_locations(folder: Path, slices: Sequence[SliceHeader]) -> None:
    steps = np.diff([header.location for header in slices])
    usual = np.median(steps[steps > 0]) if (steps > 0).any() else 1.0
    duplicates = np.flatnonzero(steps < _SPACING_TOLERANCE * usual)
    if not duplicates.size:
        return
    first, second = slices[duplicates[0]], slices[duplicates[0] + 1]
    locations = len(slices) - duplicates.size
    if locations > 1 and len(slices) % locations == 0:
        raise GenSegError(
            f"{folder}: {len(slices) // locations} slices at each of {locations} locations, such "
            f"as {first.file.name} and {second.file.name} ({_location(first)}); keep only one "
            "phase, echo or copy"
        )
    raise GenSegError(
        f"{folder}: {first.file.name} and {second.file.name} have the same location "
        f"({_location(first)}); remove one"
    )


def _require_straight_stack(folder: Path, slices: Sequence[SliceHeader]) -> None:
    """Find gantry tilt, which shifts each slice against the previous one, and shifted slices."""
    first, last = slices[0], slices[-1]
    offsets = np.array([header.position - first.position for header in slices])
    locations = offsets @ first.normal
    in_plane = offsets - locations[:, np.newaxis] * first.normal
    tolerance = _SHIFT_TOLERANCE * min(first.spacing)
    tilt = in_plane[-1] / locations[-1]
    residual = np.linalg.norm(in_plane - locations[:, np.newaxis] * tilt, axis=1)
    if residual.max() > tolerance:
        from_median = np.linalg.norm(in_plane - np.median(in_plane, axis=0), axis=1)
        shifts = from_median if from_median.max() > tolerance else residual
        shifted = slices[int(shifts.argmax())]
        raise GenSegError(
            f"{folder}: {shifted.file.name} ({_location(shifted)}) is shifted sideways relative "
            "to the other slices; export the series again"
        )
    shift = np.linalg.norm(in_plane[-1])
    if shift > tolerance:
        angle = np.degrees(np.arctan(np.linalg.norm(tilt)))
        raise GenSegError(
            f"{folder}: the gantry was tilted by {angle:.1f} degrees ({last.file.name} is shifted "
            f"by {shift:.1f} mm relative to {first.file.name}); regularize the acquisition "
            "geometry in 3D Slicer and save the volume as NRRD"
        )


def _require_even_spacing(folder: Path, slices: Sequence[SliceHeader]) -> None:
    """Find gaps; gaps of a multiple of the spacing are reported as missing slices."""
    steps = np.diff([header.location for header in slices])
    if np.ptp(steps) <= _SPACING_TOLERANCE * float(np.median(steps)):
        return
    usual = float(min(steps, key=lambda step: (_count_different(steps, step), step)))
    index = int(np.abs(steps - usual).argmax())
    low, high = slices[index], slices[index + 1]
    between = f"{low.file.name} ({_location(low)}) and {high.file.name} ({_location(high)})"
    missing = steps[index] / usual - 1
    if missing > 0.5 and abs(missing - round(missing)) < 2 * _SPACING_TOLERANCE * (missing + 1):
        verb = "is" if round(missing) == 1 else "are"
        raise GenSegError(
            f"{folder}: {_count(round(missing), 'slice')} {verb} missing between {between}; the "
            f"others are {usual:.2f} mm apart; copy the whole series"
        )
    raise GenSegError(
        f"{folder}: uneven slice spacing, {steps[index]:.2f} mm between {between} and {usual:.2f} "
        "mm elsewhere; resample the series to a uniform spacing first"
    )


def _count_different(steps: np.ndarray, step: float) -> int:
    return int(np.count_nonzero(np.abs(steps - step) > _SPACING_TOLERANCE * step))


def _location(header: SliceHeader) -> str:
    return f"at {header.location:.1f} mm"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
