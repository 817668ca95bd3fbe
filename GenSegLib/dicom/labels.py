"""Reads a DICOM SEG as a label: segment numbers on the grid of its own frames.

The frames are mostly those of the slices that something is in, so that the grid is a part of its
image's; `placing` lays it there. `dicom_seg` writes such objects.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import GenSegError
from ..images.claimed_sizes import require_plausible
from .extra import DAMAGED, require_packages, understood
from .lengths import claims_too_much

if TYPE_CHECKING:
    import highdicom as hd


def read_segments(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the segment numbers (slice, row, column) and the affine of these to LPS millimeters.

    Where segments overlap, the one of the higher number is seen.

    Raises:
        GenSegError: the file is damaged, its frames are no volume, its segments are no masks but
            probabilities, or packages are missing.
    """
    segmentation = _open(path)
    if str(segmentation.get("SegmentationType")) == "FRACTIONAL":
        raise GenSegError(
            f"{path}: a DICOM SEG of probabilities; export a binary one, or a .seg.nrrd from Slicer"
        )
    irregular = "the frames of this DICOM SEG are no regular volume; export a .seg.nrrd from Slicer"
    with understood(path, irregular):
        geometry = segmentation.get_volume_geometry(allow_missing_positions=True)
        if geometry is None:
            raise ValueError("no regular volume")
        require_plausible(path, math.prod(geometry.spatial_shape), [path])
        volume = segmentation.get_volume(combine_segments=True, skip_overlap_checks=True)
        return volume.array, volume.affine


def read_names(path: Path) -> dict[int, str]:
    """Read the names of the segments by their numbers; raises as `read_segments` does."""
    segmentation = _open(path)
    with understood(path, DAMAGED):
        described = {
            number: segmentation.get_segment_description(number)
            for number in segmentation.segment_numbers
        }
        return {number: str(one.segment_label) for number, one in described.items()}


def _open(path: Path) -> hd.seg.Segmentation:
    require_packages()
    import highdicom as hd

    with understood(path, DAMAGED):
        if claims_too_much(path):
            raise ValueError("longer than the file")
        return hd.seg.segread(str(path))
