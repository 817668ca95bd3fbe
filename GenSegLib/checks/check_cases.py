"""Check every voxel of all cases before training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..cases import Case, CaseSet
from ..data.case_fingerprint import fingerprint_case
from ..data.volume_ranges import find_volume_outliers
from ..datasets.case_labels import read_case_label
from ..datasets.channels import read_channels
from ..dicom.files import is_planar_file
from ..dicom.patient import ADVICE, find_identifying
from ..errors import GenSegError
from ..images.file_names import split_frame
from ..images.label_counts import label_counts
from ..images.size_checks import spacing_problem
from ..images.volume import Volume, format_channels, is_gray_in_color
from ..label_maps import IGNORE, format_labels
from ..nesting import Includes
from .annotations import (
    annotation_errors,
    known_volumes,
    unknown_class_warnings,
    without_drafts,
)
from .case_check import EMPTY_LABEL, NOTHING_LABELED, CaseCheck
from .channel_counts import ChannelCounts, possible_channels
from .duplicates import ImageContent, describe_duplicate, image_content


def check_cases(cases: CaseSet, terminology: Mapping[int, str] | None = None) -> list[CaseCheck]:
    """Read and check every case; one case is in memory at a time.

    Args:
        cases: to check.
        terminology: entries of the labels, see `read_label`.

    Returns:
        One result per case, in order.
    """
    labels = cases.labels
    checker = _Checker(labels, terminology or {}, cases.includes)
    ordered = sorted(cases.cases, key=lambda case: not case.is_labeled)  # the others follow them
    found = {case.name: checker.check(case) for case in ordered}
    checks = [found[case.name] for case in cases.cases]
    checks = [_in_gray(check) for check in checks] if checker.all_gray else checks
    volumes = {
        check.case: known_volumes(case.annotation, check, labels, cases.includes)
        for case, check in zip(cases.cases, checks)
        if check.voxels and check.spacing and 1 not in check.shape  # areas vary with the distance
    }
    outliers = find_volume_outliers(volumes, labels)
    checks = _allow_some_empty_labels(cases, checks)
    return [
        replace(check, warnings=(*check.warnings, *outliers.get(check.case, ())))
        for check in checks
    ]


def _in_gray(check: CaseCheck) -> CaseCheck:
    """Describe a gray image that is stored in color as a gray one."""
    found = check.fingerprint
    return check if found is None else replace(check, fingerprint=found.in_gray())


def _allow_some_empty_labels(cases: CaseSet, checks: Sequence[CaseCheck]) -> list[CaseCheck]:
    """Turn an empty label into a warning if other cases have labels: none of the classes is there.

    Patients without a lesion are cases to learn from. A case that says so gets no warning.
    """
    if not any(check.voxels for check in checks):
        return list(checks)
    stated = {case.name for case in cases.cases if case.annotation.classes}
    return [
        replace(
            check,
            errors=(),
            warnings=(*(() if check.case in stated else (NOTHING_LABELED,)), *check.warnings),
        )
        if check.errors == (EMPTY_LABEL,)
        else check
        for check in checks
    ]


def require_no_errors(checks: Sequence[CaseCheck]) -> None:
    """Raise GenSegError with the first error if any case has one."""
    failed = [check for check in checks if not check.ok]
    if failed:
        raise GenSegError(
            f"{len(failed)} of {len(checks)} cases have errors, first case {failed[0].case}: "
            f"{failed[0].errors[0]}; correct these cases or leave them out"
        )


class _Checker:
    """Checks cases one by one and remembers what must be consistent between them."""

    def __init__(
        self, classes: Mapping[int, str], terminology: Mapping[int, str], includes: Includes
    ) -> None:
        self._classes, self._terminology = dict(classes), terminology
        self._includes = includes
        self._first_with: dict[str, tuple[str, ImageContent]] = {}
        self._first: tuple[str, bool] | None = None  # name, whether 2-D
        self._channels = ChannelCounts()

    @property
    def all_gray(self) -> bool:
        """Whether all images are gray; some may be stored in color."""
        return 1 in self._channels.common

    def check(self, case: Case) -> CaseCheck:
        errors: list[str] = []
        warnings: list[str] = []
        duplicate_of = ""
        image = _try_read(lambda: read_channels(case.images, finite=False), errors)
        label = None
        if case.label is not None and case.is_labeled:
            label = _try_read(lambda: self._read_label(case, image, warnings), errors)
        if image is not None:
            warnings += image.warnings
            errors += _image_errors(image) + _privacy_errors(case)
            errors += self._likeness_errors(case, image)
            duplicate_of = self._find_duplicate(case, image, warnings)
        if label is not None:
            found = annotation_errors(case.annotation, label, self._classes)
            warnings += unknown_class_warnings(case.annotation, self._classes.values())
            details = self._classes, warnings.append, self._includes
            label = without_drafts(case.annotation, label, *details)
            errors += found or self._label_errors(label)
        counts = label_counts(label.array[0]) if label else {}
        ignored = counts.pop(IGNORE, 0)
        is_usable = errors in ([], [EMPTY_LABEL])
        return CaseCheck(
            case=case.name,
            shape=image.shape if image else (),
            spacing=image.spacing if image else (),
            unit=image.unit if image else "mm",
            orientation=image.orientation if image else "",
            intensity=_intensity_range(image) if image else None,
            voxels=counts,
            ignored=ignored,
            errors=tuple(errors),
            warnings=tuple(warnings),
            duplicate_of=duplicate_of,
            fingerprint=fingerprint_case(image, label) if image and is_usable else None,
        )

    def _read_label(self, case: Case, image: Volume | None, warnings: list[str]) -> Volume:
        return read_case_label(
            case,
            image,
            self._classes,
            warnings.append,
            terminology=self._terminology,
            includes=self._includes,
        )

    def _likeness_errors(self, case: Case, image: Volume) -> list[str]:
        """Compare the kind of an image with that of the first one."""
        first, is_2d = self._first = self._first or (case.name, image.is_2d)
        if image.is_2d != is_2d:
            kinds = "the image is 2-D, but case {} has several slices"
            if is_2d:
                kinds = "the image has several slices, but case {} is 2-D"
            return [f"{kinds.format(first)}; train on one kind at a time"]
        count = len(image.array)
        possible = possible_channels(count, is_gray_in_color(image.array))
        if self._channels.add(case.name, possible):
            return []
        expected, other = max(self._channels.common), self._channels.other
        mixed = "; save all in gray or all in color" if {count, expected} == {1, 3} else ""
        own = format_channels(count)
        return [f"the image has {own}, but case {other} has {expected}{mixed}"]

    def _label_errors(self, label: Volume) -> list[str]:
        voxels = label_counts(label.array[0])
        voxels.pop(IGNORE, None)
        if not voxels:
            return [EMPTY_LABEL]
        unknown = sorted(voxels.keys() - self._classes.keys()) if self._classes else []
        if unknown:
            values = ", ".join(map(str, unknown))
            expected = format_labels(self._classes)
            return [f"label values {values} are not in the label map ({expected})"]
        return []

    def _find_duplicate(self, case: Case, image: Volume, warnings: list[str]) -> str:
        """Return an earlier case whose image has the same voxels, perhaps in other axes."""
        content = image_content(image)
        first, found = self._first_with.setdefault(content.digest, (case.name, content))
        if first == case.name:
            return ""
        warnings.append(describe_duplicate(content, found, first))
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
    path, _ = split_frame(case.image)
    if not path.is_dir() and not is_planar_file(path):
        return []
    name = find_identifying((case.name, *path.absolute().parts[-3:]), path)
    return [f"{name!r} {ADVICE}"] if name else []


def _intensity_range(image: Volume) -> tuple[float, float]:
    is_finite = np.isfinite(image.array)
    finite = image.array if is_finite.all() else image.array[is_finite]  # which is a copy
    return (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)
