"""3D Slicer's .seg.nrrd files: names, colors, terminology and layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the usual name

from GenSegLib.datasets.image_io import (
    Volume,
    read_label,
    read_segment_names,
    write_image,
    write_label,
)
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset


def test_names_colors_and_terminology_are_written_like_slicer_does(tmp_path: Path) -> None:
    label = np.zeros((1, 5, 4, 3), np.int16)
    label[0, 1] = 2
    path = tmp_path / "a.seg.nrrd"
    names, terminology = {1: "Leber", 2: "Läsion"}, load_preset("hippocampus-mri").terminology
    write_label(path, Volume(label, np.eye(4)), names, {2: (255, 0, 51)}, terminology)
    assert read_segment_names(path) == names
    header = sitk.ReadImage(str(path))
    assert header.GetMetaData("Segment1_Color") == "1 0 0.2"
    assert header.GetMetaData("Segment1_LabelValue") == "2"
    assert header.GetMetaData("Segment1_Extent") == "0 4 0 3 0 2"
    tags = header.GetMetaData("Segment0_Tags")
    assert tags.startswith("TerminologyEntry:Segmentation category and type - DICOM master list~")
    assert "~SCT^5366008^Hippocampus~" in tags
    assert tags.endswith("|")


def test_other_formats_have_no_segment_names(tmp_path: Path) -> None:
    volume = Volume(np.ones((1, 5, 4, 3), np.int16), np.eye(4))
    write_label(tmp_path / "a.nii.gz", volume, {1: "Liver"})
    write_image(tmp_path / "b.nrrd", volume)
    assert read_segment_names(tmp_path / "a.nii.gz") == {}
    assert read_segment_names(tmp_path / "b.nrrd") == {}


def write_layers(path: Path, layers: np.ndarray, header: str) -> Path:
    """Write (layer, x, y, z) like Slicer: layers are the fastest axis, of kind list."""
    sizes = " ".join(map(str, layers.shape))
    start = (
        "NRRD0004\ntype: unsigned char\ndimension: 4\nspace: left-posterior-superior\n"
        f"sizes: {sizes}\nspace directions: none (1,0,0) (0,1,0) (0,0,1)\n"
        f"kinds: list domain domain domain\nencoding: raw\nspace origin: (0,0,0)\n{header}\n\n"
    )
    path.write_bytes(start.encode() + layers.astype(np.uint8).tobytes(order="F"))
    return path


@pytest.mark.parametrize(
    ("scale", "segments", "names", "label"),
    [
        (
            1,
            [("Liver", 0, 1), ("Spleen", 0, 2), ("Lesion", 1, 1)],
            {1: "Liver", 2: "Spleen", 3: "Lesion"},
            [1, 3, 3, 3, 0],
        ),
        (7, [("Liver", 0, 2), ("Lesion", 1, 7)], {2: "Liver", 7: "Lesion"}, [0, 7, 7, 7, 0]),
        (1, [("Liver", None, 1), ("Lesion", None, 1)], {1: "Liver", 2: "Lesion"}, [1, 2, 2, 2, 0]),
    ],
    ids=["equal values are numbered", "different values are kept", "before Slicer 4.11"],
)
def test_later_segments_overwrite_earlier_ones(
    tmp_path: Path, scale: int, segments: list, names: dict[int, str], label: list[int]
) -> None:
    layers = np.zeros((2, 5, 4, 3), np.uint8)
    layers[0, 0:2], layers[0, 3] = 1, 2
    layers[1, 1:4] = scale
    lines = []
    for k, (name, layer, value) in enumerate(segments):
        lines += [f"Segment{k}_ID:=s{k}", f"Segment{k}_Name:={name}"]
        if layer is not None:
            lines += [f"Segment{k}_Layer:={layer}", f"Segment{k}_LabelValue:={value}"]
    path = write_layers(tmp_path / "a.seg.nrrd", layers, "\n".join(lines))
    assert read_segment_names(path) == names
    assert read_label(path).array[0, :, 0, 0].tolist() == label


def test_names_in_latin_1_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.seg.nrrd"
    write_label(path, Volume(np.ones((1, 5, 4, 3), np.int16), np.eye(4)), {1: "Niere"})
    data = path.read_bytes().replace(b"Niere", "L\u00e4sion".encode("latin-1"))
    path.write_bytes(data.replace(b"Segment0_Extent", b"Segment0_Ext\xe4nt"))
    assert read_segment_names(path) == {1: "L\u00e4sion"}
    assert read_label(path).array.all()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("Segment0_ID:=a\nSegment0_Layer:=5\nSegment0_LabelValue:=1", "the missing layer 5"),
        ("Segment0_ID:=a\nSegment0_LabelValue:=one", "not a number"),
        ("a:=b", "2 values per voxel"),
    ],
)
def test_layers_that_contradict_their_header_are_refused(
    tmp_path: Path, header: str, message: str
) -> None:
    path = write_layers(tmp_path / "a.seg.nrrd", np.ones((2, 5, 4, 3), np.uint8), header)
    with pytest.raises(GenSegError, match=rf"a\.seg\.nrrd: .*{message}"):
        read_label(path)


def write_overlap(path: Path, order: tuple[str, str]) -> Path:
    """Segments `whole` (8 x) and `part` (3 x), which lies within it, in this order."""
    layers = np.zeros((2, 10, 4, 3), np.uint8)
    layers[order.index("whole"), 1:9] = 1
    layers[order.index("part"), 2:5] = 1
    lines = [
        line
        for k, name in enumerate(order)
        for line in (
            f"Segment{k}_ID:=s{k}",
            f"Segment{k}_Name:={name}",
            f"Segment{k}_Layer:={k}",
            f"Segment{k}_LabelValue:=1",
        )
    ]
    return write_layers(path, layers, "\n".join(lines))


def test_segments_that_vanish_in_an_overlap_are_a_warning_with_the_numbers(tmp_path: Path) -> None:
    warnings: list[str] = []
    path = write_overlap(tmp_path / "a.seg.nrrd", ("part", "whole"))
    label = read_label(path, warn=warnings.append)
    assert np.unique(label.array).tolist() == [0, 2]
    assert len(warnings) == 2
    assert "segment part overlaps later segments: 36 of its 36 voxels become whole" in warnings[0]
    assert "none is left; move it after them" in warnings[0]
    assert "100% of segment part lies within whole; " in warnings[1]
    assert '--includes "whole=part"' in warnings[1]


def test_a_part_after_its_whole_is_kept_and_the_loss_of_the_whole_is_counted(
    tmp_path: Path,
) -> None:
    warnings: list[str] = []
    path = write_overlap(tmp_path / "a.seg.nrrd", ("whole", "part"))
    label = read_label(path, warn=warnings.append)
    assert (label.array == 2).sum() == 36
    assert "36 of its 96 voxels become part, 60 are left" in warnings[0]


def test_voxels_of_no_segment_are_background_and_counted(tmp_path: Path) -> None:
    path, warnings = tmp_path / "a.seg.nrrd", []
    label = np.zeros((1, 5, 4, 3), np.int16)
    label[0, 1], label[0, 2] = 1, 9
    write_label(path, Volume(label, np.eye(4)), {1: "Liver", 9: "Other"})
    header = path.read_bytes().replace(b"Segment1_LabelValue:=9", b"Segment1_LabelValue:=8")
    path.write_bytes(header)
    read = read_label(path, warn=warnings.append)
    assert np.unique(read.array).tolist() == [0, 1]
    assert warnings == ["12 voxels belong to no segment and are read as background"]


def test_segments_get_the_value_of_the_class_with_their_name(tmp_path: Path) -> None:
    label = np.zeros((1, 5, 4, 3), np.int16)
    label[0, 1], label[0, 2] = 5, 7
    path = tmp_path / "a.seg.nrrd"
    write_label(path, Volume(label, np.eye(4)), {5: "Tumor ", 7: "LIVER"})
    read = read_label(path, classes={1: "Liver", 2: "tumor"})
    assert read.array[0, :, 0, 0].tolist() == [0, 2, 1, 0, 0]
    with pytest.raises(GenSegError, match=r"a\.seg\.nrrd: segment Tumor  is not among the classes"):
        read_label(path, classes={1: "Liver"})
    read = read_label(path, classes={1: "Liver"}, ignore_unknown=True)
    assert read.array[0, :, 0, 0].tolist() == [0, 0, 1, 0, 0]
