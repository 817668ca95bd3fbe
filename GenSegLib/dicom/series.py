"""A folder of DICOM slices as one volume, or one line that names what is wrong with it.

GDCM and ITK stretch a series with missing or doubled slices to fit, ignore a tilted gantry and
leave out truncated files; here each is found by the headers and told with place and file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it

from ..errors import GenSegError
from ..images.claimed_sizes import require_plausible
from ..images.hounsfield import require_hounsfield
from ..images.quiet import quiet
from .frames import load_frames
from .headers import Slice, read_slices

_FLOAT_BYTES = 4
_UNEVEN = 0.05
_SIDEWAYS = 0.05
_PARALLEL = 1e-3


def load_series(folder: Path) -> sitk.Image:
    """Read the one DICOM series of a folder as a 3-D image of floats or 16-bit numbers.

    Raises:
        GenSegError: the folder holds no series or several, a file is truncated, slices are missing,
            doubled, uneven, shifted or of different kinds, the gantry was tilted, or the values
            of a CT are no Hounsfield units or overflew 16 bits.
    """
    slices = series_slices(folder)
    if len(slices) == 1:
        return load_frames(slices[0].file)
    image = _read(folder, slices)
    if slices[0].is_ct:
        for one, values in zip(slices, sitk.GetArrayViewFromImage(image)):
            require_hounsfield(folder, f"{one.file.name} ({_place(one)})", values)
    return image


def series_slices(folder: Path) -> list[Slice]:
    """Give the slices of a folder's one series from the first to the last, found to be sound.

    Raises:
        GenSegError: as `load_series`, except for what only the voxels show.
    """
    slices = read_slices(folder)
    _require_one_series(folder, slices)
    if len(slices) == 1:
        _require_frames(slices[0])
        return slices
    _require_alike(folder, slices)
    slices.sort(key=lambda one: one.height)
    _require_rescaled(folder, slices)
    _require_single(folder, slices)
    _require_straight(folder, slices)
    _require_even(folder, slices)
    return slices


def _require_one_series(folder: Path, slices: Sequence[Slice]) -> None:
    if not slices:
        raise GenSegError(f"{folder}: no DICOM series is in this folder; give a folder of one")
    files: dict[str, list[Slice]] = {}
    for one in slices:
        files.setdefault(one.series, []).append(one)
    if len(files) > 1:
        found = "; ".join(
            f"series {group[0].number or '?'} with {_count(group, 'file')} from "
            f"{group[0].file.name} on"
            for group in files.values()
        )
        raise GenSegError(
            f"{folder}: {len(files)} DICOM series are in this folder ({found}); "
            "put the one to use in a folder of its own"
        )


def _require_frames(only: Slice) -> None:
    if only.frames == 1:
        raise GenSegError(f"{only.file}: the only slice of its series; give the whole series")


def _require_alike(folder: Path, slices: Sequence[Slice]) -> None:
    """Find what is no slice of the stack: a localizer, a screenshot, a volume of its own."""
    for one in slices:
        if one.frames > 1:
            raise GenSegError(
                f"{folder}: {one.file.name} holds {one.frames} slices, and other files are beside "
                "it; give that file alone"
            )
        if not one.is_placed:
            raise GenSegError(
                f"{folder}: the header of {one.file.name} does not say where the slice lies; "
                "remove the file if it is no slice of the volume"
            )
        if not one.is_scaled:
            raise GenSegError(
                f"{folder}: the header of {one.file.name} does not say how large its voxels are "
                "(Pixel Spacing); export the series again"
            )
    sizes = Counter(one.size for one in slices)
    usual = next(one for one in slices if one.size == sizes.most_common(1)[0][0])
    for one in slices:
        if one.size != usual.size:
            own, other = ("x".join(map(str, each.size[:2])) for each in (one, usual))
            raise GenSegError(
                f"{folder}: {one.file.name} has {own} voxels and the others have {other}; "
                "remove it if it is a localizer"
            )
        turn = max(np.abs(one.rows - usual.rows).max(), np.abs(one.columns - usual.columns).max())
        if turn > _PARALLEL or not np.allclose(one.spacing, usual.spacing, rtol=1e-3):
            raise GenSegError(
                f"{folder}: {one.file.name} is turned or scaled against {usual.file.name}; "
                "remove it if it is a localizer"
            )


def _require_rescaled(folder: Path, slices: Sequence[Slice]) -> None:
    for one in slices:
        if one.is_ct and not one.rescaled:
            raise GenSegError(
                f"{folder}: {one.file.name} ({_place(one)}) has no rescale slope and intercept, so "
                "that its values are no Hounsfield units; export the series again"
            )


def _require_single(folder: Path, slices: Sequence[Slice]) -> None:
    """Find slices at one place: copies, or several phases or echoes in one series."""
    heights = np.array([one.height for one in slices])
    apart = np.diff(heights)
    step = np.median(apart[apart > 0]) if (apart > 0).any() else 1.0
    same = np.flatnonzero(apart < _UNEVEN * step)
    if not same.size:
        return
    first, second = slices[same[0]], slices[same[0] + 1]
    places = len(slices) - same.size
    if places > 1 and len(slices) % places == 0:
        raise GenSegError(
            f"{folder}: {len(slices) // places} slices are at each of {places} places, such as "
            f"{first.file.name} and {second.file.name} ({_place(first)}); several phases or "
            "copies? Leave one of them"
        )
    raise GenSegError(
        f"{folder}: {first.file.name} and {second.file.name} are both at one place "
        f"({_place(first)}); remove one"
    )


def _require_straight(folder: Path, slices: Sequence[Slice]) -> None:
    """Find a tilted gantry, which shifts each slice against the last, and a single shifted one."""
    first, last = slices[0], slices[-1]
    ways = np.array([one.position - first.position for one in slices])
    heights = ways @ first.normal
    sideways = ways - heights[:, np.newaxis] * first.normal
    voxel = min(first.spacing)
    drift = sideways[-1] / heights[-1]
    bent = np.linalg.norm(sideways - heights[:, np.newaxis] * drift, axis=1)
    if bent.max() > _SIDEWAYS * voxel:
        line = np.linalg.norm(sideways - np.median(sideways, axis=0), axis=1)
        odd = slices[int((line if line.max() > _SIDEWAYS * voxel else bent).argmax())]
        raise GenSegError(
            f"{folder}: {odd.file.name} ({_place(odd)}) is shifted sideways against the other "
            "slices; export the series again"
        )
    if np.linalg.norm(sideways[-1]) > _SIDEWAYS * voxel:
        angle = np.degrees(np.arctan(np.linalg.norm(drift)))
        raise GenSegError(
            f"{folder}: the gantry was tilted by {angle:.1f} degrees, {last.file.name} lies "
            f"{np.linalg.norm(sideways[-1]):.1f} mm beside {first.file.name}; straighten the "
            "series first (3D Slicer: acquisition geometry regularization) and save it as NRRD"
        )


def _require_even(folder: Path, slices: Sequence[Slice]) -> None:
    """Find gaps; a gap of whole steps is told as missing slices."""
    heights = np.array([one.height for one in slices])
    steps = np.diff(heights)
    usual = float(np.median(steps))
    if np.ptp(steps) <= _UNEVEN * usual:
        return
    usual = float(min(steps, key=lambda step: (_count_unlike(steps, step), step)))
    place = int(np.abs(steps - usual).argmax())
    low, high = slices[place], slices[place + 1]
    between = f"between {low.file.name} ({_place(low)}) and {high.file.name} ({_place(high)})"
    missing = steps[place] / usual - 1
    if missing > 0.5 and abs(missing - round(missing)) < 2 * _UNEVEN * (missing + 1):
        one = round(missing) == 1
        raise GenSegError(
            f"{folder}: {'1 slice is' if one else f'{round(missing)} slices are'} missing "
            f"{between}, where the others are {usual:.2f} mm apart; give the whole series"
        )
    raise GenSegError(
        f"{folder}: the slices are not evenly spaced, {steps[place]:.2f} mm {between} and "
        f"{usual:.2f} mm elsewhere; resample the series to one spacing first"
    )


def _count_unlike(steps: np.ndarray, step: float) -> int:
    return int(np.count_nonzero(np.abs(steps - step) > _UNEVEN * step))


def _read(folder: Path, slices: Sequence[Slice]) -> sitk.Image:
    """Read the voxels: as floats unless 16 bits do, since slices may have slopes of their own."""
    files = [str(one.file) for one in slices]
    kind = sitk.sitkInt16 if all(one.is_short for one in slices) else sitk.sitkFloat32
    claimed = math.prod(slices[0].size) * _FLOAT_BYTES * len(files)
    require_plausible(folder, claimed, [one.file for one in slices])
    try:
        with quiet():
            return sitk.ReadImage(files, kind, "GDCMImageIO")
    except RuntimeError:
        damaged = _find_damaged(files) or folder
        raise GenSegError(f"{damaged}: truncated or damaged; copy or export it again") from None


def _find_damaged(files: Sequence[str]) -> str:
    for file in files:
        try:
            with quiet():
                sitk.ReadImage(file, sitk.sitkFloat32, "GDCMImageIO")
        except RuntimeError:
            return file
    return ""


def _place(one: Slice) -> str:
    return f"at {one.height:.1f} mm"


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}" if len(items) == 1 else f"{len(items)} {noun}s"
