"""Read a DICOM SEG as a label volume of segment numbers on the grid of its own frames.

Often only slices with labeled voxels have frames, so that this grid is a part of the image's. A SEG
of a 2-D image has no positions; its frames name those of the image.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import GenSegError
from ..files import file_version
from ..images.segment_overlaps import merge_segments
from ..images.size_checks import require_plausible_size
from ..images.volume import LPS_TO_RAS, Volume
from ..nesting import Includes
from .elements import exceeds_file
from .highdicom_tools import DAMAGED, report_errors_as, require_packages
from .terminology import Code, ConceptKey, Terminology

if TYPE_CHECKING:
    import highdicom as hd
    import pydicom

_IRREGULAR = "the frames of this DICOM SEG do not form a volume; export a .seg.nrrd from 3D Slicer"


def read_segmentation(
    path: Path,
    warn: Callable[[str], None] = lambda _: None,
    includes: Includes | None = None,
) -> Volume:
    """Return segment numbers (1, x, y, z).

    Where segments overlap, the one with the higher number wins, or the class within the other.

    Args:
        path: of the file.
        warn: receives how many voxels segments lose in overlaps.
        includes: names of the classes within a class.

    Raises:
        GenSegError: the file is damaged, its frames do not form a volume, its segments are
            probabilities, or packages are missing.
    """
    segmentation = _open(path)
    if str(segmentation.get("SegmentationType")) == "FRACTIONAL":
        raise GenSegError(
            f"{path}: a fractional DICOM SEG; export a binary one, or a .seg.nrrd from 3D Slicer"
        )
    if segmentation.get("FrameOfReferenceUID") is None:
        with report_errors_as(path, DAMAGED):
            return _read_planar(path, segmentation, warn)
    with report_errors_as(path, _IRREGULAR):
        geometry = segmentation.get_volume_geometry(allow_missing_positions=True)
        if geometry is None:
            raise ValueError("not a regular volume")
        require_plausible_size(path, math.prod(geometry.spatial_shape), [path])
        volume = segmentation.get_volume(combine_segments=True, skip_overlap_checks=True)
        array = volume.array
        if segmentation.get("SegmentsOverlap") != "NO" and segmentation.number_of_segments > 1:
            array = np.zeros_like(array)
            names = {number: _name(segmentation, number) for number in segmentation.segment_numbers}
            masks = partial(_segment_mask, segmentation)
            merge_segments(array, names, masks, includes or {}, warn)
        affine = volume.affine[:, [2, 1, 0, 3]]  # to (column, row, slice)
        return Volume(array.T[np.newaxis], LPS_TO_RAS @ affine)


def _read_planar(
    path: Path, segmentation: hd.seg.Segmentation, warn: Callable[[str], None]
) -> Volume:
    """Read the SEG of a 2-D image, or of the frames of a clip."""
    sources = [_source_frame(group) for group in segmentation.PerFrameFunctionalGroupsSequence]
    size = (segmentation.Columns, segmentation.Rows, max(frame for frame, _ in sources))
    require_plausible_size(path, 2 * math.prod(size), [path])
    label = np.zeros((1, *size), np.uint16)
    lost: Counter[int] = Counter()
    for k in sorted(range(len(sources)), key=lambda k: sources[k][1]):
        frame, number = sources[k]
        target, stored = label[0, ..., frame - 1], segmentation.get_stored_frame(k + 1).T
        mask = stored > 0
        values, counts = np.unique(target[mask], return_counts=True)
        lost.update({int(v): int(n) for v, n in zip(values, counts) if v})
        target[mask] = number or stored[mask]
    for value, count in lost.items():
        warn(f"{count} pixels of {_name(segmentation, value)} are overwritten by later segments")
    return Volume(label, LPS_TO_RAS.copy(), has_position=False, unit="px", is_stack=size[2] > 1)


def _source_frame(group: pydicom.Dataset) -> tuple[int, int]:
    """Return the frame of the image, from 1, that a frame of the SEG covers, and its segment.

    The segment is 0 where the frame's pixels are segment numbers (label map).
    """
    source = group.DerivationImageSequence[0].SourceImageSequence[0]
    identification = group.get("SegmentIdentificationSequence")
    number = identification[0].ReferencedSegmentNumber if identification else 0
    return int(source.get("ReferencedFrameNumber") or 1), int(number)


def _segment_mask(segmentation: hd.seg.Segmentation, number: int) -> np.ndarray:
    """Return the voxels (slice, row, column) of a segment."""
    mask: np.ndarray = segmentation.get_volume(segment_numbers=[number]).array[..., 0] > 0
    return mask


def _name(segmentation: hd.seg.Segmentation, number: int) -> str:
    return str(segmentation.get_segment_description(number).segment_label)


def read_segment_names(path: Path) -> dict[int, str]:
    """Return the names of the segments by their numbers.

    Raises:
        GenSegError: the file is damaged, or packages are missing.
    """
    return dict(_names(path, file_version(path)))


def read_segment_concepts(path: Path) -> dict[int, ConceptKey | None]:
    """Return the terminology codes of the segments by their numbers.

    Raises:
        GenSegError: the file is damaged, or packages are missing.
    """
    return dict(_concepts(path, file_version(path)))


# Those of the last files are kept, since the frames of a clip are asked for one by one.
@functools.lru_cache(maxsize=2)
def _names(path: Path, version: tuple[int, int]) -> dict[int, str]:
    segmentation = _open(path)
    with report_errors_as(path, DAMAGED):
        return {number: _name(segmentation, number) for number in segmentation.segment_numbers}


@functools.lru_cache(maxsize=2)
def _concepts(path: Path, version: tuple[int, int]) -> dict[int, ConceptKey | None]:
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
