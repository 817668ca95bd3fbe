"""Writing of DICOM SEG, compared with a SEG from the authors of dcmqi; terminology entries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from command_line import genseg
from tiny_models import save_bright_model

from GenSegLib.datasets.image_io import Volume, read_image
from GenSegLib.dicom import highdicom_tools
from GenSegLib.dicom.seg_reader import read_segment_concepts
from GenSegLib.dicom.seg_writer import SegmentDescriptions, require_series, write_segmentation
from GenSegLib.dicom.terminology import UNKNOWN, Code, parse_terminology
from GenSegLib.errors import GenSegError
from GenSegLib.presets import Intensity, load_preset
from Testing.dicom_files import convert_to_frames, turn, write_ct

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
TWO = SegmentDescriptions(
    {2: "Liver", 7: "My own"},
    {2: (221, 130, 101)},
    {
        2: "list~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~SCT^24028007^Right"
        "~list~SCT^818983003^Abdomen~^^"
    },
    "My model",
)
LIVER_PRESET = load_preset("liver-ct")
LIVER = SegmentDescriptions({1: "Liver"}, LIVER_PRESET.colors, LIVER_PRESET.terminology)


def oblique_ct(folder: Path, abdomen: Path) -> Path:
    """An oblique series of three slices, in random order."""
    heights = [5.0, 0.0, 2.5]

    def rotate(k: int, one: pydicom.Dataset) -> None:
        turn(one, (0.3, 0.4), heights[k])

    return write_ct(folder, abdomen / "dicom_ct3", heights, rotate)


def random_label(series: Path, seed: int = 0) -> Volume:
    """Random labels 0, 2 and 7 on the grid of a series."""
    image = read_image(series)
    values = np.random.default_rng(seed).choice([0, 2, 7], image.array.shape)
    return Volume(values.astype(np.int16), image.affine)


def on_grid(segmentation: hd.seg.Segmentation, label: Volume) -> np.ndarray:
    """A SEG's segment numbers on a label's grid (x, y, z), by the SEG's geometry."""
    volume = segmentation.get_volume(combine_segments=True)
    index = np.argwhere(volume.array >= 0)
    matrix = np.linalg.inv(LPS @ label.affine) @ volume.affine
    target = index @ matrix[:3, :3].T + matrix[:3, 3]
    assert np.abs(target - target.round()).max() < 1e-2
    result = np.zeros(label.shape, int)
    result[tuple(target.round().astype(int).T)] = volume.array[tuple(index.T)]
    return result


def test_a_mask_is_written_like_in_the_reference_seg(tmp_path: Path, abdomen: Path) -> None:
    given = hd.seg.segread(abdomen / "dicom_ct3_liver_seg.dcm")
    image = read_image(abdomen / "dicom_ct3")
    mask = on_grid(given, image)
    assert mask.sum() == 107098
    label = Volume(mask[np.newaxis].astype(np.int16), image.affine)
    write_segmentation(tmp_path / "a.dcm", label, abdomen / "dicom_ct3", LIVER)
    ours = hd.seg.segread(tmp_path / "a.dcm")
    one, other = (seg.get_volume(combine_segments=True) for seg in (ours, given))
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-4)
    assert ours.SegmentSequence[0].RecommendedDisplayCIELabValue == (
        given.SegmentSequence[0].RecommendedDisplayCIELabValue
    )


def test_labels_of_an_oblique_series_keep_their_positions(tmp_path: Path, abdomen: Path) -> None:
    series = oblique_ct(tmp_path / "ct", abdomen)
    label = random_label(series)
    write_segmentation(tmp_path / "a.dcm", label, series, TWO)
    found = on_grid(hd.seg.segread(tmp_path / "a.dcm"), label)
    np.testing.assert_array_equal(found == 1, label.array[0] == 2)
    np.testing.assert_array_equal(found == 2, label.array[0] == 7)


@pytest.mark.parametrize("given", ["folder", "file"])
def test_multiframe_files_are_referenced_by_frame(
    tmp_path: Path, abdomen: Path, given: str
) -> None:
    series = oblique_ct(tmp_path / "ct", abdomen)
    file = convert_to_frames(series, tmp_path / "frames", order=[2, 0, 1])
    source = file if given == "file" else file.parent
    require_series([source])
    label = random_label(source)
    write_segmentation(tmp_path / "a.dcm", label, source, TWO)
    found = on_grid(hd.seg.segread(tmp_path / "a.dcm"), label)
    np.testing.assert_array_equal(found == 1, label.array[0] == 2)
    np.testing.assert_array_equal(found == 2, label.array[0] == 7)
    positions = frame_positions(pydicom.dcmread(file))
    written = pydicom.dcmread(tmp_path / "a.dcm")
    for frame, position in zip(written.PerFrameFunctionalGroupsSequence, frame_positions(written)):
        (referenced,) = frame.DerivationImageSequence[0].SourceImageSequence
        assert referenced.ReferencedSOPInstanceUID == pydicom.dcmread(file).SOPInstanceUID
        source_position = positions[referenced.ReferencedFrameNumber - 1]
        np.testing.assert_allclose(source_position, position, atol=1e-3)


def frame_positions(one: pydicom.Dataset) -> list[list[float]]:
    """Position of the first voxel of each frame, LPS mm."""
    groups = one.PerFrameFunctionalGroupsSequence
    return [frame.PlanePositionSequence[0].ImagePositionPatient for frame in groups]


def test_segments_have_names_and_codes(tmp_path: Path, abdomen: Path) -> None:
    series = write_ct(tmp_path / "ct", abdomen / "dicom_ct3")
    write_segmentation(tmp_path / "a.dcm", random_label(series), series, TWO)
    liver, own = pydicom.dcmread(tmp_path / "a.dcm").SegmentSequence
    kind = liver.SegmentedPropertyTypeCodeSequence[0]
    assert (liver.SegmentNumber, liver.SegmentLabel) == (1, "Liver")
    assert (kind.CodingSchemeDesignator, kind.CodeValue) == ("SCT", "10200004")
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Right"
    assert liver.AnatomicRegionSequence[0].CodeMeaning == "Abdomen"
    assert liver.SegmentAlgorithmType == "AUTOMATIC"
    assert (own.SegmentNumber, own.SegmentLabel) == (2, "My own")
    assert own.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Tissue"


def test_patient_study_and_referenced_slices_are_those_of_the_series(
    tmp_path: Path, abdomen: Path
) -> None:
    series = write_ct(tmp_path / "ct", abdomen / "dicom_ct3")
    write_segmentation(tmp_path / "a.dcm", random_label(series), series, TWO)
    written = pydicom.dcmread(tmp_path / "a.dcm")
    sources = [pydicom.dcmread(file) for file in series.iterdir()]
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert written[name] == sources[0][name]
    (referenced,) = written.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == sources[0].SeriesInstanceUID
    assert {one.ReferencedSOPInstanceUID for one in referenced.ReferencedInstanceSequence} == {
        one.SOPInstanceUID for one in sources
    }


def test_an_empty_segmentation_is_written(
    tmp_path: Path, abdomen: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    series = write_ct(tmp_path / "ct", abdomen / "dicom_ct3")
    label = random_label(series)
    empty = Volume(np.zeros_like(label.array), label.affine)
    write_segmentation(tmp_path / "a.dcm", empty, series, TWO)
    assert not hd.seg.segread(tmp_path / "a.dcm").get_volume(combine_segments=True).array.any()
    assert capfd.readouterr() == ("", "")


def test_a_series_that_cannot_be_referenced_leaves_no_file(tmp_path: Path, abdomen: Path) -> None:
    def strip(k: int, one: pydicom.Dataset) -> None:
        del one.StudyInstanceUID

    series = write_ct(tmp_path / "ct", abdomen / "dicom_ct3", change=strip)
    with pytest.raises(GenSegError, match=r"cannot refer to this series \(.*StudyInstanceUID"):
        write_segmentation(tmp_path / "a.dcm", random_label(series), series, TWO)
    assert not (tmp_path / "a.dcm").exists()


def test_an_image_that_is_not_a_series_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="not a DICOM series"):
        require_series([tmp_path / "a.nii.gz"])


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highdicom_tools, "find_spec", lambda name: None)
    with pytest.raises(GenSegError, match="pip install highdicom pydicom"):
        require_series([])


@pytest.fixture
def bright_model(tmp_path: Path) -> Path:
    """A model that segments what is brighter than 40 HU."""
    window = Intensity("window", -160, 240)
    preset = replace(
        load_preset("liver-ct"),
        labels={1: "Liver"},
        optional_labels=(),
        spacing=None,
        coarse_spacing=None,
        crop_foreground=False,
        largest_component=False,
        intensity=window,
        patch_size=(64, 64, 16),
    )
    save_bright_model(tmp_path / "model", preset)
    return tmp_path / "model"


def test_predict_writes_a_seg_and_measurements_for_a_series(
    tmp_path: Path, abdomen: Path, bright_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = write_ct(tmp_path / "ct", abdomen / "dicom_ct3", [0, 2, 4, 6])
    command = ["predict", bright_model, series, "--format", "dcm", "--measure", "--device", "cpu"]
    assert genseg(*command, "--out", tmp_path / "out") == 0
    found = on_grid(hd.seg.segread(tmp_path / "out" / "ct.dcm"), read_image(series))
    rows = (tmp_path / "out" / "measurements.csv").read_text(encoding="utf-8").splitlines()
    assert found.any()
    assert rows[0].startswith("case,label,name,voxels,volume_ml")
    assert rows[1].startswith(f"ct,1,Liver,{found.sum()},")
    table = capsys.readouterr().out.splitlines()
    assert "mean ± SD (HU)" in table[0]
    assert table[1].startswith("ct    Liver")


def test_predict_refuses_dicom_seg_of_a_nifti_before_reading_it(
    tmp_path: Path, bright_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"never read")
    command = ["predict", bright_model, tmp_path / "a.nii.gz", "--format", "dcm"]
    assert genseg(*command, "--out", tmp_path / "out") == 2
    assert "not a DICOM series" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_terminology_entries_are_parsed() -> None:
    found = parse_terminology(
        "Segmentation category and type - 3D Slicer General Anatomy list"
        "~SCT^123037004^Anatomical Structure~SCT^64033007^Kidney~SCT^24028007^Right"
        "~Anatomic codes - DICOM master list~SCT^818983003^Abdomen~SCT^51440002^Bilateral"
    )
    assert found.category == Code("SCT", "123037004", "Anatomical Structure")
    assert found.type == Code("SCT", "64033007", "Kidney")
    assert found.type_modifier == Code("SCT", "24028007", "Right")
    assert found.region == Code("SCT", "818983003", "Abdomen")
    assert found.region_modifier == Code("SCT", "51440002", "Bilateral")
    found = parse_terminology(load_preset("hippocampus-mri").terminology[1])
    assert found.type.meaning == "Hippocampus"
    assert found.type_modifier is found.region is found.region_modifier is None


@pytest.mark.parametrize("text", ["", "Liver", "~~~", "a~SCT^1^b~SCT^^Liver~", "~" * 30])
def test_invalid_terminology_becomes_tissue_like_in_slicer(text: str) -> None:
    assert parse_terminology(text) == UNKNOWN


def test_the_codes_of_a_seg_are_those_of_its_labels(tmp_path: Path, abdomen: Path) -> None:
    series = write_ct(tmp_path / "ct", abdomen / "dicom_ct3", [0, 2, 4])
    write_segmentation(tmp_path / "a.dcm", random_label(series), series, TWO)
    concepts = read_segment_concepts(tmp_path / "a.dcm")
    assert concepts == {1: parse_terminology(TWO.terminology[2]).key, 2: None}
