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
from ..images.label_regions import mask_of
from ..images.volume import LPS_TO_RAS, Volume
from ..nesting import Includes, region_values
from .files import is_dicom_file, is_dicom_folder, is_planar_file
from .highdicom_tools import require_packages, suppress_warnings
from .series import series_slices
from .terminology import Code, parse_terminology

if TYPE_CHECKING:
    import highdicom as hd
    import pydicom

SUFFIX = ".dcm"
_SERIES_NUMBER_OFFSET = 1000
_MAX_LABEL = 64
_SINGLE_FRAME_CLASS = "1.2.840.10008.5.1.4.1.1.7"  # secondary capture
# Attributes that DICOM requires, if only with empty values (type 2), and that photos often lack.
_REQUIRED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("AccessionNumber", "StudyID", "ReferringPhysicianName"),
)


@dataclass(frozen=True)
class SegmentDescriptions:
    """How segments are described; keys are label values.

    Attributes:
        names: of the labels without background.
        colors: RGB, 0 to 255.
        terminology: entries as serialized by 3D Slicer.
        source: what made the segmentation, for the series description.
        includes: names of the classes within a class; its segment overlaps theirs.
    """

    names: Mapping[int, str]
    colors: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    terminology: Mapping[int, str] = field(default_factory=dict)
    source: str = "segmentation"
    includes: Includes = field(default_factory=dict)


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
        series: folder of the series, its multi-frame file, or the file of a 2-D image or clip.
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
        _complete(source)
    values = sorted(segments.names)
    numbers = np.zeros(max(values) + 1, np.uint8 if len(values) < 256 else np.uint16)
    numbers[values] = range(1, len(values) + 1)
    pixels = numbers[label.array[0].T]
    if is_planar_file(files[0]):
        return _build_planar(sources[0], pixels, segments)
    channels: dict[Any, Any] | None = None
    if segments.includes:  # a mask for each segment, since they overlap
        regions = region_values(segments.includes, segments.names)
        masks = [mask_of(label.array[0].T, regions[value]) for value in values]
        pixels = np.stack(masks, axis=-1).astype(np.uint8)
        channels = {"SegmentNumber": list(range(1, len(values) + 1))}
    volume = hd.Volume(
        pixels,
        (LPS_TO_RAS @ label.affine)[:, [2, 1, 0, 3]],
        coordinate_system="PATIENT",
        frame_of_reference_uid=sources[0].FrameOfReferenceUID,
        channels=channels,
    )
    return _segmentation(sources, volume, segments)


def _complete(source: pydicom.Dataset) -> None:
    if not source.get("SpecificCharacterSet"):
        source.SpecificCharacterSet = "ISO_IR 100"  # a superset of ASCII, the default
    for keyword in _REQUIRED:
        if keyword not in source:
            setattr(source, keyword, None)


def _build_planar(
    source: pydicom.Dataset, pixels: np.ndarray, segments: SegmentDescriptions
) -> hd.seg.Segmentation:
    """Return a SEG of a 2-D image, or of the frames of a clip, from segment numbers.

    highdicom refers to single images without a position; the frames of a clip are merged here.

    Args:
        source: the image.
        pixels: (frame, row, column).
        segments: see `write_segmentation`.
    """
    from pydicom.pixels import pack_bits

    own_class, is_clip = source.SOPClassUID, len(pixels) > 1
    source.SOPClassUID = _SINGLE_FRAME_CLASS
    for keyword in ("NumberOfFrames", "PixelSpacing"):  # the spacing requires a thickness
        source.pop(keyword, None)
    groups, masks = [], []
    for k, frame in enumerate(pixels, start=1):
        if not frame.any() and k < len(pixels):
            continue  # the last frame is kept, from which their number follows
        one = _segmentation([source], frame[np.newaxis], segments, omit_empty=bool(frame.any()))
        for group in one.PerFrameFunctionalGroupsSequence:
            if is_clip:
                group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber = k
            groups.append(group)
        masks.append(one.get_stored_frames() > 0)
    one.PerFrameFunctionalGroupsSequence = groups
    one.NumberOfFrames = len(groups)
    one.PixelData = pack_bits(np.concatenate(masks))
    for element in one.iterall():
        if element.keyword == "ReferencedSOPClassUID":
            element.value = own_class
    return one


def _segmentation(
    sources: Sequence[pydicom.Dataset],
    pixels: hd.Volume | np.ndarray,
    segments: SegmentDescriptions,
    omit_empty: bool = True,
) -> hd.seg.Segmentation:
    """Return a SEG of segment numbers: a volume, or (frame, row, column) of 2-D images."""
    import highdicom as hd

    series_number = int(sources[0].get("SeriesNumber") or 0)
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=pixels,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _describe(k, value, segments) for k, value in enumerate(sorted(segments.names), start=1)
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
        omit_empty_frames=omit_empty,
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
