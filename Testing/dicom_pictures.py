"""Synthetic 2-D DICOM images of several kinds: photos, radiographs, ultrasound and its clips."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

_STORAGE = "1.2.840.10008.5.1.4.1.1."
CLASSES = {
    "US": f"{_STORAGE}6.1",
    "clip": f"{_STORAGE}3.1",
    "CR": f"{_STORAGE}1",
    "DX": f"{_STORAGE}1.1",
    "XC": f"{_STORAGE}77.1.4",
    "ES": f"{_STORAGE}77.1.1",
}


def write_dicom_picture(
    path: Path, kind: str, frames: np.ndarray, photometric: str, patient: str = "", **header: object
) -> Path:
    """Write frames (frame, row, column[, sample]), which are stored as they are.

    Args:
        path: of the file.
        kind: of `CLASSES`.
        frames: of uint8 or uint16.
        photometric: interpretation, such as "RGB"; a "JPEG " before it compresses RGB frames.
        patient: ID.
        header: further elements by keyword.
    """
    is_jpeg, photometric = photometric.startswith("JPEG "), photometric.removeprefix("JPEG ")
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = JPEGBaseline8Bit if is_jpeg else ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = CLASSES[kind]
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    one.StudyInstanceUID, one.SeriesInstanceUID = generate_uid(), generate_uid()
    one.PatientID, one.Modality = patient, kind if kind != "clip" else "US"
    one.Rows, one.Columns = frames.shape[1:3]
    one.PhotometricInterpretation = photometric
    one.SamplesPerPixel = 3 if frames.ndim == 4 or photometric == "YBR_FULL_422" else 1
    if one.SamplesPerPixel == 3:
        one.PlanarConfiguration = 0
    one.BitsAllocated = one.BitsStored = 8 * frames.itemsize
    one.HighBit, one.PixelRepresentation = one.BitsStored - 1, 0
    if kind == "clip":
        one.NumberOfFrames, one.FrameTime, one.FrameIncrementPointer = len(frames), 40, 0x00181063
    for keyword, value in header.items():
        setattr(one, keyword, value)
    if is_jpeg:
        one.PixelData = encapsulate([_jpeg(frame) for frame in frames])
        one["PixelData"].is_undefined_length = True
    else:
        one.PixelData = frames.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    one.save_as(path, enforce_file_format=True)
    return path


def _jpeg(frame: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def region(delta_cm: tuple[float, float]) -> Dataset:
    """A calibrated 2-D region of an ultrasound image."""
    one = Dataset()
    one.RegionSpatialFormat = 1
    one.PhysicalUnitsXDirection = one.PhysicalUnitsYDirection = 3
    one.PhysicalDeltaX, one.PhysicalDeltaY = delta_cm
    return one


def palette(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> dict[str, object]:
    """Elements of a palette of 256 colors, for `write_dicom_picture`."""
    tables = {"Red": red, "Green": green, "Blue": blue}
    elements: dict[str, object] = {}
    for name, table in tables.items():
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        elements[f"{name}PaletteColorLookupTableData"] = (table * 257).astype("<u2").tobytes()
    return elements
