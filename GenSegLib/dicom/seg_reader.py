"""Read a DICOM SEG as a label volume of segment numbers on the grid of its own frames.

Often only slices with labeled voxels have frames, so that this grid is a part of the image's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import GenSegError
from ..images.seg_nrrd import overwritten
from ..images.size_checks import require_plausible_size
from .element_lengths import exceeds_file
from .highdicom_tools import DAMAGED, report_errors_as, require_packages
from .terminology import Code, ConceptKey, Terminology

if TYPE_CHECKING:
    import highdicom as hd
    import pydicom

_IRREGULAR = "the frames of this DICOM SEG do not form a volume; export a .seg.nrrd from 3D Slicer"


def read_segmentation(
    path: Path, warn: Callable[[str], None] = lambda _: None
) -> tuple[np.ndarray, np.ndarray]:
    """Return segment numbers (slice, row, column) and their affine to LPS mm.

    Where segments overlap, the one with the higher number wins.

    Args:
        path: of the file.
        warn: receives how many voxels segments lose in overlaps.

    Raises:
        GenSegError: the file is damaged, its frames do not form a volume, its segments are
            probabilities, or packages are missing.
    """
    segmentation = _open(path)
    if str(segmentation.get("SegmentationType")) == "FRACTIONAL":
        raise GenSegError(
            f"{path}: a fractional DICOM SEG; export a binary one, or a .seg.nrrd from 3D Slicer"
        )
    with report_errors_as(path, _IRREGULAR):
        geometry = segmentation.get_volume_geometry(allow_missing_positions=True)
        if geometry is None:
            raise ValueError("not a regular volume")
        require_plausible_size(path, math.prod(geometry.spatial_shape), [path])
        volume = segmentation.get_volume(combine_segments=True, skip_overlap_checks=True)
        for warning in _lost_voxels(segmentation, volume.array):
            warn(warning)
        return volume.array, volume.affine


def _lost_voxels(segmentation: hd.seg.Segmentation, label: np.ndarray) -> Iterator[str]:
    """Yield a warning for each segment that others overwrite, with the numbers."""
    if segmentation.get("SegmentsOverlap") == "NO" or segmentation.number_of_segments == 1:
        return
    for number in segmentation.segment_numbers:
        mask = segmentation.get_volume(segment_numbers=[number]).array[..., 0] > 0
        lost = mask & (label != number)
        if lost.any():
            others = ", ".join(_name(segmentation, int(k)) for k in np.unique(label[lost]))
            count, total = int(np.count_nonzero(lost)), int(np.count_nonzero(mask))
            yield overwritten(_name(segmentation, number), count, total, others)


def _name(segmentation: hd.seg.Segmentation, number: int) -> str:
    return str(segmentation.get_segment_description(number).segment_label)


def read_segment_names(path: Path) -> dict[int, str]:
    """Return the names of the segments by their numbers.

    Raises:
        GenSegError: the file is damaged, or packages are missing.
    """
    segmentation = _open(path)
    with report_errors_as(path, DAMAGED):
        return {number: _name(segmentation, number) for number in segmentation.segment_numbers}


def read_segment_concepts(path: Path) -> dict[int, ConceptKey | None]:
    """Return the terminology codes of the segments by their numbers.

    Raises:
        GenSegError: the file is damaged, or packages are missing.
    """
    segmentation = _open(path)
    with report_errors_as(path, DAMAGED):
        return {
            number: _concept(segmentation.get_segment_description(number))
            for number in segmentation.segment_numbers
        }


def _concept(segment: hd.seg.SegmentDescription) -> ConceptKey | None:
    kind = segment.SegmentedPropertyTypeCodeSequence[0]
    regions = segment.get("AnatomicRegionSequence") or [None]
    return Terminology(
        _code(segment.SegmentedPropertyCategoryCodeSequence[0]),
        _code(kind),
        _modifier(kind, "SegmentedPropertyTypeModifierCodeSequence"),
        None if regions[0] is None else _code(regions[0]),
        _modifier(regions[0], "AnatomicRegionModifierSequence"),
    ).key


def _modifier(item: pydicom.Dataset | None, keyword: str) -> Code | None:
    found = None if item is None else item.get(keyword)
    return _code(found[0]) if found else None


def _code(item: pydicom.Dataset) -> Code:
    return Code(str(item.CodingSchemeDesignator), str(item.CodeValue), str(item.CodeMeaning))


def _open(path: Path) -> hd.seg.Segmentation:
    require_packages()
    import highdicom as hd

    with report_errors_as(path, DAMAGED):
        if exceeds_file(path):
            raise ValueError("longer than the file")
        return hd.seg.segread(str(path))
