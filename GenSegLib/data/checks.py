"""Looks at every voxel of every case before a training does, and says what is wrong with which."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import numpy as np

from ..cases import Case, CaseSet
from ..dicom.patient import ADVICE, find_identifying
from ..errors import GenSegError
from ..images.geometry import world_axis
from ..images.image_io import Volume, on_same_grid, read_image, read_label, read_segment_names
from ..label_maps import show_labels
from ..values import LARGEST_SPACING, SMALLEST_SPACING, is_spacing
from .check_tables import format_table
from .volume_ranges import find_odd_cases, in_ml

__all__ = ["CaseCheck", "check_cases", "format_table", "require_sound", "usual_spacing"]


@dataclass(frozen=True)
class CaseCheck:
    """What was found in one case; fields that could not be read are empty.

    `shape` is in voxels, `spacing` in mm, `intensity` the smallest and largest finite value,
    `voxels` the count of each label value without the background. `faults` prevent a training,
    `remarks` tell what is to be looked at.
    """

    case: str
    shape: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    orientation: str = ""
    intensity: tuple[float, float] | None = None
    voxels: dict[int, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the case is sound."""
        return not self.faults

    @property
    def verdict(self) -> str:
        """One word or two for the table."""
        if self.ok:
            return "odd" if self.remarks else "ok"
        return "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"


def check_cases(
    cases: CaseSet,
    expected_labels: Mapping[int, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[CaseCheck]:
    """Read every case and find its faults; one case is in memory at a time.

    Args:
        cases: what to check.
        expected_labels: the label map that has to hold; the cases' own where None or empty.
        progress: called with the number of cases done and their total.

    Returns:
        One result a case, in the order of the cases.
    """
    labels = expected_labels or cases.labels
    inspector = _Inspector(labels)
    checks = []
    for case in cases.cases:
        checks.append(inspector.check(case))
        if progress:
            progress(len(checks), len(cases.cases))
    odd = find_odd_cases(
        {
            check.case: in_ml(check.voxels, check.spacing)
            for check in checks
            if check.voxels and check.spacing
        },
        labels,
    )
    return [replace(check, remarks=tuple(odd.get(check.case, ()))) for check in checks]


def require_sound(checks: Sequence[CaseCheck]) -> None:
    """Stop at faults.

    Raises:
        GenSegError: a case has one; the first is told and where to see all.
    """
    faulty = [check for check in checks if not check.ok]
    if faulty:
        raise GenSegError(
            f"{len(faulty)} of {len(checks)} cases have faults, the first is case "
            f"{faulty[0].case}: {faulty[0].faults[0]} (`genseg check DATA` shows all)"
        )


def usual_spacing(checks: Sequence[CaseCheck], orientation: str) -> tuple[float, ...]:
    """Give the median spacing of cases in mm, along the axes of an orientation such as "RAS"."""
    sizes: list[list[float]] = [[], [], []]
    for check in checks:
        for code, size in zip(check.orientation, check.spacing):
            sizes[world_axis(code)].append(size)
    return tuple(round(median(sizes[world_axis(code)]), 4) for code in orientation)


class _Inspector:
    """Checks case after case and remembers what may not come twice."""

    def __init__(self, expected_labels: Mapping[int, str]) -> None:
        self._expected = dict(expected_labels)
        self._case_of_content: dict[str, str] = {}
        self._names: dict[int, tuple[str, str]] = {}

    def check(self, case: Case) -> CaseCheck:
        faults: list[str] = []
        image = _read(lambda: read_image(case.image, finite=False), faults)
        label, path = None, case.label if case.is_labeled else None
        if path is not None:
            label = _read(lambda: read_label(path, image), faults)
        if image is not None:
            faults += _image_faults(image) + self._repetitions(case, image) + _privacy_faults(case)
        if label is not None and path is not None:
            faults += self._label_faults(label) + self._renamed(case, path)
        if image is not None and label is not None and not on_same_grid(image, label):
            faults.append(_grid_fault(image, label))
        return CaseCheck(
            case=case.name,
            shape=image.shape if image else (),
            spacing=image.spacing if image else (),
            orientation=image.orientation if image else "",
            intensity=_intensity(image) if image else None,
            voxels=_count_voxels(label) if label else {},
            faults=tuple(faults),
        )

    def _label_faults(self, label: Volume) -> list[str]:
        voxels = _count_voxels(label)
        if not voxels:
            return ["the label is empty; draw it or leave the case out"]
        unknown = sorted(voxels.keys() - self._expected.keys()) if self._expected else []
        if unknown:
            values = ", ".join(map(str, unknown))
            return [f"label values {values} are not in the map ({show_labels(self._expected)})"]
        return []

    def _repetitions(self, case: Case, image: Volume) -> list[str]:
        """Find the same voxels under another name: they would leak from training to validation."""
        content = hashlib.sha256(image.array.tobytes() + repr(image.shape).encode()).hexdigest()
        first = self._case_of_content.setdefault(content, case.name)
        return [] if first == case.name else [f"the image is a duplicate of case {first}'s"]

    def _renamed(self, case: Case, path: Path) -> list[str]:
        """Find a value that another case's .seg.nrrd gives another name."""
        faults = []
        for value, name in read_segment_names(path).items():
            first, known = self._names.setdefault(value, (case.name, name))
            if known.strip().casefold() != name.strip().casefold():
                faults.append(f"label value {value} is {name!r} here and {known!r} in case {first}")
        return faults


def _read(read: Callable[[], Volume], faults: list[str]) -> Volume | None:
    """Read a volume, or note the fault that prevents it."""
    try:
        return read()
    except GenSegError as error:
        faults.append(str(error))
        return None


def _image_faults(image: Volume) -> list[str]:
    faults = []
    finite = np.isfinite(image.array)
    if not finite.all():
        faults.append(f"{np.count_nonzero(~finite)} voxels of the image are NaN or infinite")
    low, high = _intensity(image)
    if low == high:
        faults.append(f"the image is constant ({low:g} everywhere)")
    if not is_spacing(image.spacing, len(image.spacing)):
        faults.append(
            f"the spacing {_show_spacing(image)} mm is absurd (outside {SMALLEST_SPACING:g} to "
            f"{LARGEST_SPACING:g} mm); mend the header"
        )
    return faults


def _grid_fault(image: Volume, label: Volume) -> str:
    if image.shape != label.shape:
        shapes = " and ".join("x".join(map(str, volume.shape)) for volume in (image, label))
        return f"image and label are on different grids ({shapes} voxels); resample the label"
    if not np.allclose(image.spacing, label.spacing, rtol=1e-3):
        spacings = " and ".join(_show_spacing(volume) for volume in (image, label))
        return f"image and label are on different grids (spacing {spacings} mm); resample the label"
    return "image and label are on different grids (shifted or turned); resample the label"


def _privacy_faults(case: Case) -> list[str]:
    """Find a DICOM folder that bears the patient's name, which would go into the run."""
    if not case.image.is_dir():
        return []
    name = find_identifying((case.name, *case.image.absolute().parts[-3:]), case.image)
    return [f"{name!r} {ADVICE}"] if name else []


def _show_spacing(volume: Volume) -> str:
    return "x".join(f"{step:.4g}" for step in volume.spacing)


def _intensity(image: Volume) -> tuple[float, float]:
    finite = image.array[np.isfinite(image.array)]
    return (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)


def _count_voxels(label: Volume) -> dict[int, int]:
    values, counts = np.unique(label.array, return_counts=True)
    return {int(v): int(n) for v, n in zip(values, counts) if v}
