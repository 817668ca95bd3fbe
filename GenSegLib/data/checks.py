"""Check every voxel of all cases before training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from ..cases import Case, CaseSet
from ..dicom.patient import ADVICE, find_identifying
from ..errors import GenSegError
from ..images.geometry import world_axis
from ..images.volume import Volume, on_same_grid
from ..label_maps import format_labels
from ..settings import LARGEST_SPACING, SMALLEST_SPACING, is_spacing
from .case_check import CaseCheck
from .image_io import read_image, read_label, read_segment_names
from .volume_ranges import find_volume_outliers, to_ml


def check_cases(
    cases: CaseSet,
    expected_labels: Mapping[int, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[CaseCheck]:
    """Read and check every case; one case is in memory at a time.

    Args:
        cases: to check.
        expected_labels: the label map; that of the cases if None or empty.
        progress: called with the number of checked cases and their total.

    Returns:
        One result per case, in order.
    """
    labels = expected_labels or cases.labels
    checker = _Checker(labels)
    checks = []
    for case in cases.cases:
        checks.append(checker.check(case))
        if progress:
            progress(len(checks), len(cases.cases))
    volumes = {
        check.case: to_ml(check.voxels, check.spacing)
        for check in checks
        if check.voxels and check.spacing
    }
    outliers = find_volume_outliers(volumes, labels)
    return [replace(check, warnings=tuple(outliers.get(check.case, ()))) for check in checks]


def require_no_errors(checks: Sequence[CaseCheck]) -> None:
    """Raise GenSegError with the first error if any case has one."""
    failed = [check for check in checks if not check.ok]
    if failed:
        raise GenSegError(
            f"{len(failed)} of {len(checks)} cases have errors, first case {failed[0].case}: "
            f"{failed[0].errors[0]} (`genseg check DATA` lists all)"
        )


def median_spacing(checks: Sequence[CaseCheck], orientation: str) -> tuple[float, ...]:
    """Return the median spacing in mm along the axes of an orientation such as "RAS"."""
    sizes: list[list[float]] = [[], [], []]
    for check in checks:
        for code, size in zip(check.orientation, check.spacing):
            sizes[world_axis(code)].append(size)
    return tuple(round(median(sizes[world_axis(code)]), 4) for code in orientation)


class _Checker:
    """Checks cases one by one and remembers what must be consistent between them."""

    def __init__(self, expected_labels: Mapping[int, str]) -> None:
        self._expected = dict(expected_labels)
        self._case_of_content: dict[str, str] = {}
        self._segment_names: dict[int, tuple[str, str]] = {}

    def check(self, case: Case) -> CaseCheck:
        errors: list[str] = []
        image = _try_read(lambda: read_image(case.image, finite=False), errors)
        label, path = None, case.label if case.is_labeled else None
        if path is not None:
            label = _try_read(lambda: read_label(path, image), errors)
        if image is not None:
            errors += _image_errors(image) + self._duplicates(case, image) + _privacy_errors(case)
        if label is not None and path is not None:
            errors += self._label_errors(label) + self._renamed_segments(case, path)
        if image is not None and label is not None and not on_same_grid(image, label):
            errors.append(_grid_error(image, label))
        return CaseCheck(
            case=case.name,
            shape=image.shape if image else (),
            spacing=image.spacing if image else (),
            orientation=image.orientation if image else "",
            intensity=_intensity_range(image) if image else None,
            voxels=_count_voxels(label) if label else {},
            errors=tuple(errors),
        )

    def _label_errors(self, label: Volume) -> list[str]:
        voxels = _count_voxels(label)
        if not voxels:
            return ["the label is empty; segment the case or leave it out"]
        unknown = sorted(voxels.keys() - self._expected.keys()) if self._expected else []
        if unknown:
            values = ", ".join(map(str, unknown))
            expected = format_labels(self._expected)
            return [f"label values {values} are not in the label map ({expected})"]
        return []

    def _duplicates(self, case: Case, image: Volume) -> list[str]:
        """Find identical images, which would leak from training to validation."""
        content = hashlib.sha256(image.array.tobytes() + repr(image.shape).encode()).hexdigest()
        first = self._case_of_content.setdefault(content, case.name)
        return [] if first == case.name else [f"the image is a duplicate of case {first}"]

    def _renamed_segments(self, case: Case, path: Path) -> list[str]:
        """Find label values whose segment name differs between .seg.nrrd files."""
        errors = []
        for value, name in read_segment_names(path).items():
            first, known = self._segment_names.setdefault(value, (case.name, name))
            if known.strip().casefold() != name.strip().casefold():
                errors.append(
                    f"label value {value} is named {name!r} here and {known!r} in case {first}"
                )
        return errors


def _try_read(read: Callable[[], Volume], errors: list[str]) -> Volume | None:
    try:
        return read()
    except GenSegError as error:
        errors.append(str(error))
        return None


def _image_errors(image: Volume) -> list[str]:
    errors = []
    finite = np.isfinite(image.array)
    if not finite.all():
        errors.append(f"{np.count_nonzero(~finite)} voxels of the image are NaN or infinite")
    low, high = _intensity_range(image)
    if low == high:
        errors.append(f"all voxels of the image have the same value ({low:g})")
    if not is_spacing(image.spacing, len(image.spacing)):
        errors.append(
            f"implausible spacing {_format_spacing(image)} mm (outside {SMALLEST_SPACING:g} to "
            f"{LARGEST_SPACING:g} mm); correct the header"
        )
    return errors


def _grid_error(image: Volume, label: Volume) -> str:
    if image.shape != label.shape:
        shapes = " and ".join("x".join(map(str, volume.shape)) for volume in (image, label))
        found = f"{shapes} voxels"
    elif not np.allclose(image.spacing, label.spacing, rtol=1e-3):
        found = f"spacing {_format_spacing(image)} and {_format_spacing(label)} mm"
    else:
        found = "shifted or rotated"
    return f"image and label have different grids ({found}); resample the label"


def _privacy_errors(case: Case) -> list[str]:
    """Find a DICOM folder named after the patient; the name would be copied into the run."""
    if not case.image.is_dir():
        return []
    name = find_identifying((case.name, *case.image.absolute().parts[-3:]), case.image)
    return [f"{name!r} {ADVICE}"] if name else []


def _format_spacing(volume: Volume) -> str:
    return "x".join(f"{step:.4g}" for step in volume.spacing)


def _intensity_range(image: Volume) -> tuple[float, float]:
    finite = image.array[np.isfinite(image.array)]
    return (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)


def _count_voxels(label: Volume) -> dict[int, int]:
    values, counts = np.unique(label.array, return_counts=True)
    return {int(v): int(n) for v, n in zip(values, counts) if v}
