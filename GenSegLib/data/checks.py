"""Check every voxel of all cases before training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..cases import Case, CaseSet
from ..dicom.patient import ADVICE, find_identifying
from ..errors import GenSegError
from ..images.geometry import plan_reorient
from ..images.size_checks import spacing_problem
from ..images.volume import Volume
from ..label_maps import format_labels
from .case_check import CaseCheck
from .case_fingerprint import fingerprint_case
from .channels import read_channels
from .image_io import read_label
from .volume_ranges import find_volume_outliers, to_ml


def check_cases(
    cases: CaseSet,
    expected_labels: Mapping[int, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    terminology: Mapping[int, str] | None = None,
) -> list[CaseCheck]:
    """Read and check every case; one case is in memory at a time.

    Args:
        cases: to check.
        expected_labels: the label map; that of the cases if None or empty.
        progress: called with the number of checked cases and their total.
        terminology: entries of the labels, see `read_label`.

    Returns:
        One result per case, in order.
    """
    labels = dict(expected_labels or cases.labels)
    checker = _Checker(labels, terminology or {})
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
    checks = _allow_some_empty_labels(checks)
    return [
        replace(check, warnings=(*check.warnings, *outliers.get(check.case, ())))
        for check in checks
    ]


def _allow_some_empty_labels(checks: Sequence[CaseCheck]) -> list[CaseCheck]:
    """Turn an empty label into a warning if other cases have labels: none of the classes is there.

    Patients without a lesion are cases to learn from.
    """
    if not any(check.voxels for check in checks):
        return list(checks)
    return [
        replace(check, errors=(), warnings=(_NOTHING_LABELED, *check.warnings))
        if check.errors == (_EMPTY_LABEL,)
        else check
        for check in checks
    ]


def require_no_errors(checks: Sequence[CaseCheck]) -> None:
    """Raise GenSegError with the first error if any case has one."""
    failed = [check for check in checks if not check.ok]
    if failed:
        raise GenSegError(
            f"{len(failed)} of {len(checks)} cases have errors, first case {failed[0].case}: "
            f"{failed[0].errors[0]} (`genseg check DATA` lists all)"
        )


_EMPTY_LABEL = "the label is empty; segment the case or leave it out"
_NOTHING_LABELED = "the label is empty: the case counts as one without any of the classes"


class _Checker:
    """Checks cases one by one and remembers what must be consistent between them."""

    def __init__(self, classes: Mapping[int, str], terminology: Mapping[int, str]) -> None:
        self._classes, self._terminology = dict(classes), terminology
        self._case_of_content: dict[str, tuple[str, str]] = {}
        self._channels: tuple[str, int] | None = None

    def check(self, case: Case) -> CaseCheck:
        errors: list[str] = []
        warnings: list[str] = []
        duplicate_of = ""
        image = _try_read(lambda: read_channels(case.images, finite=False), errors)
        label, path = None, case.label if case.is_labeled else None
        if path is not None:
            label = _try_read(lambda: self._read_label(path, image, warnings), errors)
        if image is not None:
            warnings += image.warnings
            errors += _image_errors(image) + _privacy_errors(case)
            errors += self._channel_errors(case, image)
            duplicate_of = self._find_duplicate(case, image, errors, warnings)
        if label is not None:
            errors += self._label_errors(label)
        is_usable = errors in ([], [_EMPTY_LABEL])
        return CaseCheck(
            case=case.name,
            shape=image.shape if image else (),
            spacing=image.spacing if image else (),
            unit=image.unit if image else "mm",
            orientation=image.orientation if image else "",
            intensity=_intensity_range(image) if image else None,
            voxels=_count_voxels(label) if label else {},
            errors=tuple(errors),
            warnings=tuple(warnings),
            duplicate_of=duplicate_of,
            fingerprint=fingerprint_case(image, label) if image and is_usable else None,
        )

    def _read_label(self, path: Path, image: Volume | None, warnings: list[str]) -> Volume:
        return read_label(
            path, image, self._classes, warnings.append, terminology=self._terminology
        )

    def _channel_errors(self, case: Case, image: Volume) -> list[str]:
        count = len(image.array)
        first, expected = self._channels = self._channels or (case.name, count)
        if count == expected:
            return []
        mixed = " (mixed gray and color images?)" if {count, expected} == {1, 3} else ""
        channels = "1 channel" if count == 1 else f"{count} channels"
        return [f"the image has {channels}, but case {first} has {expected}{mixed}"]

    def _label_errors(self, label: Volume) -> list[str]:
        voxels = _count_voxels(label)
        if not voxels:
            return [_EMPTY_LABEL]
        unknown = sorted(voxels.keys() - self._classes.keys()) if self._classes else []
        if unknown:
            values = ", ".join(map(str, unknown))
            expected = format_labels(self._classes)
            return [f"label values {values} are not in the label map ({expected})"]
        return []

    def _find_duplicate(
        self, case: Case, image: Volume, errors: list[str], warnings: list[str]
    ) -> str:
        """Return an earlier case whose image has the same voxels, perhaps in other axes."""
        reorient = plan_reorient(image.affine, image.array.shape[1:4], "RAS")
        array = np.ascontiguousarray(reorient.forward(image.array, 0))
        content = hashlib.sha256(array.tobytes() + repr(array.shape).encode()).hexdigest()
        first, axes = self._case_of_content.setdefault(content, (case.name, image.orientation))
        if first == case.name:
            return ""
        if axes == image.orientation:
            errors.append(f"the image is a duplicate of case {first}")
        else:
            warnings.append(
                f"the image has the same {array.size} voxels as case {first}, in other axes "
                f"({image.orientation}, there {axes}); remove one of the two"
            )
        return first


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
    problem = spacing_problem(image.spacing)
    return [*errors, problem] if problem else errors


def _privacy_errors(case: Case) -> list[str]:
    """Find a DICOM folder named after the patient; the name would be copied into the run."""
    if not case.image.is_dir():
        return []
    name = find_identifying((case.name, *case.image.absolute().parts[-3:]), case.image)
    return [f"{name!r} {ADVICE}"] if name else []


def _intensity_range(image: Volume) -> tuple[float, float]:
    finite = image.array[np.isfinite(image.array)]
    return (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)


def _count_voxels(label: Volume) -> dict[int, int]:
    values, counts = np.unique(label.array, return_counts=True)
    return {int(v): int(n) for v, n in zip(values, counts) if v}
