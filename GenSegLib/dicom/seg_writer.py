"""Write a label volume as a DICOM Segmentation (SEG) of the series it was made from.

As DICOM requires, it carries the patient and study of the series. Needs the optional packages
highdicom and pydicom.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..errors import GenSegError
from ..files import write_bytes
from ..images.volume import LPS_TO_RAS, Volume
from .files import is_dicom_file, is_dicom_folder
from .highdicom_tools import require_packages, suppress_warnings
from .series import series_slices
from .terminology import Code, parse_terminology

if TYPE_CHECKING:
    import highdicom as hd

SUFFIX = ".dcm"
_SERIES_NUMBER_OFFSET = 1000
_MAX_LABEL = 64


@dataclass(frozen=True)
class SegmentDescriptions:
    """How segments are described; keys are label values.

    Attributes:
        names: of the labels without background.
        colors: RGB, 0 to 255.
        terminology: entries as serialized by 3D Slicer.
        source: what made the segmentation, for the series description.
    """

    names: Mapping[int, str]
    colors: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    terminology: Mapping[int, str] = field(default_factory=dict)
    source: str = "segmentation"


def require_series(images: Sequence[Path]) -> None:
    """Check that DICOM SEG can be written for images.

    Raises:
        GenSegError: an image is not a DICOM series, or packages are missing.
    """
    require_packages()
    for image in images:
        if not (is_dicom_folder(image) or is_dicom_file(image)):
            raise GenSegError(
                f"{image}: not a DICOM series, to whose slices a DICOM SEG must refer; choose "
                "another output format, such as seg.nrrd"
            )


def write_segmentation(
    path: Path, label: Volume, series: Path, segments: SegmentDescriptions
) -> None:
    """Write a label volume as a binary DICOM SEG (PS3.3, A.51).

    Segments are numbered from 1 in the order of the label values.

    Args:
        path: of the file, which is written atomically.
        label: (1, x, y, z) on the grid of the series.
        series: folder of the series, or its multi-frame file.
        segments: how the labels are described.

    Raises:
        GenSegError: the series cannot be referenced, or the file cannot be written.
    """
    files = [one.file for one in series_slices(series)] if series.is_dir() else [series]
    stream = io.BytesIO()
    try:
        with suppress_warnings():
            _build(files, label, segments).save_as(stream)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        is_safe = isinstance(error, (AttributeError, KeyError))  # others may quote the patient
        reason = " ".join(str(error).split()) if is_safe else "its header is invalid"
        raise GenSegError(
            f"{series}: a DICOM SEG cannot refer to this series ({reason}); choose another output "
            "format, such as seg.nrrd"
        ) from error
    write_bytes(path, stream.getvalue())


def _build(
    files: Sequence[Path], label: Volume, segments: SegmentDescriptions
) -> hd.seg.Segmentation:
    import highdicom as hd
    import pydicom

    sources = [pydicom.dcmread(file, stop_before_pixels=True, force=True) for file in files]
    for source in sources:
        if not source.get("SpecificCharacterSet"):
            source.SpecificCharacterSet = "ISO_IR 100"  # a superset of ASCII, the default
    values = sorted(segments.names)
    numbers = np.zeros(max(values) + 1, np.uint8 if len(values) < 256 else np.uint16)
    numbers[values] = range(1, len(values) + 1)
    series_number = int(sources[0].get("SeriesNumber") or 0)
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=hd.Volume(
            numbers[label.array[0].T],
            (LPS_TO_RAS @ label.affine)[:, [2, 1, 0, 3]],
            coordinate_system="PATIENT",
            frame_of_reference_uid=sources[0].FrameOfReferenceUID,
        ),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _describe(k, value, segments) for k, value in enumerate(values, start=1)
        ],
        series_instance_uid=hd.UID(),
        series_number=_SERIES_NUMBER_OFFSET + series_number,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="GenSeg",
        manufacturer_model_name="GenSeg",
        software_versions=__version__,
        device_serial_number="0",
        content_label="SEGMENTATION",
        series_description=f"GenSeg {segments.source}, research use"[:_MAX_LABEL],
    )


def _describe(number: int, value: int, segments: SegmentDescriptions) -> hd.seg.SegmentDescription:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    terms = parse_terminology(segments.terminology.get(value, ""))
    color = segments.colors.get(value)
    segment = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=segments.names[value][:_MAX_LABEL],
        segmented_property_category=_concept(terms.category),
        segmented_property_type=_concept(terms.type),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="GenSeg", version=__version__, family=codes.DCM.ArtificialIntelligence
        ),
        tracking_uid=hd.UID(),
        tracking_id=segments.names[value][:_MAX_LABEL],
        anatomic_regions=None if terms.region is None else [_concept(terms.region)],
        display_color=None if color is None else hd.color.CIELabColor.from_rgb(*color),
    )
    if terms.type_modifier is not None:
        type_code = segment.SegmentedPropertyTypeCodeSequence[0]
        type_code.SegmentedPropertyTypeModifierCodeSequence = [_concept(terms.type_modifier)]
    if terms.region_modifier is not None:
        region = segment.AnatomicRegionSequence[0]
        region.AnatomicRegionModifierSequence = [_concept(terms.region_modifier)]
    return segment


def _concept(code: Code) -> Any:
    import highdicom as hd

    return hd.sr.CodedConcept(code.value, code.scheme, code.meaning)
