"""Slicer's segmentations: names, colors and layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it

from GenSegLib.errors import GenSegError
from GenSegLib.images.image_io import (
    Volume,
    read_label,
    read_segment_names,
    write_image,
    write_label,
)
from GenSegLib.presets import load_preset


def test_a_segmentation_carries_names_and_colors(tmp_path: Path) -> None:
    label = np.zeros((1, 5, 4, 3), np.int16)
    label[0, 1] = 2
    path = tmp_path / "a.seg.nrrd"
    write_label(path, Volume(label, np.eye(4)), {1: "Leber", 2: "Läsion"}, {2: (255, 0, 51)})
    assert read_segment_names(path) == {1: "Leber", 2: "Läsion"}
    header = sitk.ReadImage(str(path))
    assert header.GetMetaData("Segment1_Color") == "1 0 0.2"
    assert header.GetMetaData("Segment1_LabelValue") == "2"
    assert header.GetMetaData("Segment1_Extent") == "0 4 0 3 0 2"


def test_a_segmentation_carries_terminology_as_slicer_writes_it(tmp_path: Path) -> None:
    volume = Volume(np.ones((1, 5, 4, 3), np.int16), np.eye(4))
    terminology = load_preset("hippocampus-mri").terminology
    write_label(tmp_path / "a.seg.nrrd", volume, terminology={1: terminology[1]})
    tags = sitk.ReadImage(str(tmp_path / "a.seg.nrrd")).GetMetaData("Segment0_Tags")
    assert tags.startswith("TerminologyEntry:Segmentation category and type - DICOM master list~")
    assert "~SCT^5366008^Hippocampus~" in tags
    assert tags.endswith("|")


def test_other_formats_have_no_segment_names(tmp_path: Path) -> None:
    volume = Volume(np.ones((1, 5, 4, 3), np.int16), np.eye(4))
    write_label(tmp_path / "a.nii.gz", volume, {1: "Liver"})
    write_image(tmp_path / "b.nrrd", volume)
    assert read_segment_names(tmp_path / "a.nii.gz") == {}
    assert read_segment_names(tmp_path / "b.nrrd") == {}


def write_slicer_layers(path: Path, layers: np.ndarray, header: str) -> Path:
    """Write (layer, x, y, z) as Slicer does: the layers are the fastest axis, of kind list."""
    sizes = " ".join(map(str, layers.shape))
    start = (
        "NRRD0004\ntype: unsigned char\ndimension: 4\nspace: left-posterior-superior\n"
        f"sizes: {sizes}\nspace directions: none (1,0,0) (0,1,0) (0,0,1)\n"
        f"kinds: list domain domain domain\nencoding: raw\nspace origin: (0,0,0)\n{header}\n\n"
    )
    path.write_bytes(start.encode() + layers.astype(np.uint8).tobytes(order="F"))
    return path


@pytest.fixture
def overlapping_layers() -> np.ndarray:
    layers = np.zeros((2, 5, 4, 3), np.uint8)
    layers[0, 0:2], layers[0, 3] = 1, 2
    layers[1, 1:4] = 1
    return layers


def test_segments_in_layers_are_numbered_and_the_later_wins(
    tmp_path: Path, overlapping_layers: np.ndarray
) -> None:
    header = (
        "Segment0_ID:=a\nSegment0_Name:=Liver\nSegment0_Layer:=0\nSegment0_LabelValue:=1\n"
        "Segment1_ID:=b\nSegment1_Name:=Spleen\nSegment1_Layer:=0\nSegment1_LabelValue:=2\n"
        "Segment2_ID:=c\nSegment2_Name:=Lesion\nSegment2_Layer:=1\nSegment2_LabelValue:=1"
    )
    path = write_slicer_layers(tmp_path / "a.seg.nrrd", overlapping_layers, header)
    assert read_segment_names(path) == {1: "Liver", 2: "Spleen", 3: "Lesion"}
    assert read_label(path).array[0, :, 0, 0].tolist() == [1, 3, 3, 3, 0]


def test_segments_keep_their_values_where_these_differ(
    tmp_path: Path, overlapping_layers: np.ndarray
) -> None:
    overlapping_layers[1] *= 7
    header = (
        "Segment0_ID:=a\nSegment0_Name:=Liver\nSegment0_Layer:=0\nSegment0_LabelValue:=2\n"
        "Segment1_ID:=b\nSegment1_Name:=Lesion\nSegment1_Layer:=1\nSegment1_LabelValue:=7"
    )
    path = write_slicer_layers(tmp_path / "a.seg.nrrd", overlapping_layers, header)
    assert read_segment_names(path) == {2: "Liver", 7: "Lesion"}
    assert read_label(path).array[0, :, 0, 0].tolist() == [0, 7, 7, 7, 0]


def test_segmentations_of_before_slicer_4_11_have_one_segment_a_layer(
    tmp_path: Path, overlapping_layers: np.ndarray
) -> None:
    header = "Segment0_ID:=a\nSegment0_Name:=Liver\nSegment1_ID:=b\nSegment1_Name:=Lesion"
    path = write_slicer_layers(tmp_path / "a.seg.nrrd", overlapping_layers, header)
    assert read_segment_names(path) == {1: "Liver", 2: "Lesion"}
    assert read_label(path).array[0, :, 0, 0].tolist() == [1, 2, 2, 2, 0]


def test_names_in_another_encoding_than_utf8_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.seg.nrrd"
    write_label(path, Volume(np.ones((1, 5, 4, 3), np.int16), np.eye(4)), {1: "Niere"})
    data = path.read_bytes().replace(b"Niere", "L\u00e4sion".encode("latin-1"))
    path.write_bytes(data.replace(b"Segment0_Extent", b"Segment0_Ext\xe4nt"))
    assert read_segment_names(path) == {1: "L\u00e4sion"}
    assert read_label(path).array.all()


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("Segment0_ID:=a\nSegment0_Layer:=5\nSegment0_LabelValue:=1", "layer 5, which is absent"),
        ("Segment0_ID:=a\nSegment0_LabelValue:=one", "not a number"),
        ("", "2 values a voxel"),
    ],
)
def test_layers_that_contradict_their_header_are_refused(
    tmp_path: Path, overlapping_layers: np.ndarray, header: str, fault: str
) -> None:
    path = write_slicer_layers(tmp_path / "a.seg.nrrd", overlapping_layers, header or "a:=b")
    with pytest.raises(GenSegError, match=rf"a\.seg\.nrrd: .*{fault}"):
        read_label(path)
