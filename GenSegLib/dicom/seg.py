"""Writes a label volume as a DICOM Segmentation object of the series that it was made from.

It has the patient and the study of its source, as DICOM demands, and the model's terminology codes.
highdicom and pydicom are an extra, `dicom`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..data.layouts import is_dicom_file, is_dicom_folder
from ..errors import GenSegError
from ..files import write_bytes
from ..images.volumes import LPS_TO_RAS, Volume
from ..models.folder import ModelMetadata
from .extra import require_packages, silent
from .series import series_slices
from .terminology import Code, parse_terminology

if TYPE_CHECKING:
    import highdicom as hd

SUFFIX = ".dcm"
_SERIES_OFFSET = 1000
_LONGEST_LABEL = 64


def require_series(images: Sequence[Path]) -> None:
    """Make sure, before any work is done, that DICOM SEG can be written for images.

    Raises:
        GenSegError: one is no DICOM series, or the packages are missing.
    """
    require_packages()
    for image in images:
        if not (is_dicom_folder(image) or is_dicom_file(image)):
            raise GenSegError(
                f"{image} is no folder of DICOM slices, and a DICOM SEG refers to the slices it "
                "was made from; choose another format, such as seg.nrrd"
            )


def write_segmentation(path: Path, label: Volume, series: Path, model: ModelMetadata) -> None:
    """Write a label volume as a DICOM SEG with a binary segment for each of the model's labels.

    Segments are numbered from 1 in the order of the labels' values. DICOM PS3.3, A.51.

    Args:
        path: of the file, written whole or not at all.
        label: (1, x, y, z) on the grid of the series.
        series: folder of the series, or its one file of all frames.
        model: tells names, colors and terminology.

    Raises:
        GenSegError: the series cannot be referred to, or the file cannot be written.
    """
    files = [one.file for one in series_slices(series)] if series.is_dir() else [series]
    stream = io.BytesIO()
    try:
        with silent():
            _build(files, label, model).save_as(stream)
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        known = isinstance(fault, (AttributeError, KeyError))  # others may quote the patient
        reason = " ".join(str(fault).split()) if known else "its header is not valid"
        raise GenSegError(
            f"{series}: no DICOM SEG can refer to it ({reason}); choose another format"
        ) from fault
    write_bytes(path, stream.getvalue())


def _build(files: Sequence[Path], label: Volume, model: ModelMetadata) -> hd.seg.Segmentation:
    import highdicom as hd
    import pydicom

    sources = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    for source in sources:
        if not source.get("SpecificCharacterSet"):
            source.SpecificCharacterSet = "ISO_IR 100"  # holds ASCII, which an empty one stands for
    values = model.label_values
    numbers = np.zeros(max(values) + 1, np.uint8 if len(values) <= 256 else np.uint16)
    numbers[list(values)] = range(len(values))
    number = sources[0].get("SeriesNumber")
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
            _describe(k, value, model) for k, value in enumerate(values[1:], start=1)
        ],
        series_instance_uid=hd.UID(),
        series_number=_SERIES_OFFSET + int(number or 0),
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="GenSeg",
        manufacturer_model_name="GenSeg",
        software_versions=__version__,
        device_serial_number="0",
        content_label="SEGMENTATION",
        series_description=f"GenSeg {model.name}, research use"[:_LONGEST_LABEL],
    )


def _describe(number: int, value: int, model: ModelMetadata) -> hd.seg.SegmentDescription:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    terms = parse_terminology(model.preset.terminology.get(value, ""))
    color = model.preset.colors.get(value)
    segment = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=model.labels[value][:_LONGEST_LABEL],
        segmented_property_category=_concept(terms.category),
        segmented_property_type=_concept(terms.kind),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="GenSeg", version=__version__, family=codes.DCM.ArtificialIntelligence
        ),
        tracking_uid=hd.UID(),
        tracking_id=model.labels[value][:_LONGEST_LABEL],
        anatomic_regions=None if terms.region is None else [_concept(terms.region)],
        display_color=None if color is None else hd.color.CIELabColor.from_rgb(*color),
    )
    if terms.kind_modifier is not None:
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [_concept(terms.kind_modifier)]
    if terms.region_modifier is not None:
        region = segment.AnatomicRegionSequence[0]
        region.AnatomicRegionModifierSequence = [_concept(terms.region_modifier)]
    return segment


def _concept(code: Code) -> Any:
    import highdicom as hd

    return hd.sr.CodedConcept(code.value, code.scheme, code.meaning)
