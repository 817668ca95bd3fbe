"""DICOM SEG out, held to the real series and to the SEG that dcmqi's authors give for it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it
from tiny_models import save_bright_model, tiny_metadata

from GenSegLib.cli import main
from GenSegLib.dicom import extra as dicom_extra
from GenSegLib.dicom import seg as dicom_seg
from GenSegLib.errors import GenSegError
from GenSegLib.images.image_io import Volume, read_image
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.presets import Intensity, load_preset
from Testing.dicom_files import convert_to_frames, turn, write_ct

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
TWO = replace(
    load_preset("liver-ct"),
    labels={2: "Liver", 7: "My own"},
    optional_labels=(),
    colors={2: (221, 130, 101)},
    terminology={
        2: "list~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~SCT^24028007^Right"
        "~list~SCT^818983003^Abdomen~^^"
    },
)


@pytest.fixture
def model() -> ModelMetadata:
    return tiny_metadata(TWO, name="My model")


def oblique_ct(folder: Path, abdomen: Path) -> Path:
    """A series of three slices that run across the body's axes, in no order."""
    heights = [5.0, 0.0, 2.5]

    def turned(k: int, one: pydicom.Dataset) -> None:
        turn(one, (0.3, 0.4), heights[k])

    return write_ct(folder, abdomen / "dicom_ct3", heights, turned)


def numbered(series: Path, seed: int = 0) -> Volume:
    """A label of the values 0, 2 and 7 at random on the grid of a series."""
    image = read_image(series)
    drawn = np.random.default_rng(seed).choice([0, 2, 7], image.array.shape)
    return Volume(drawn.astype(np.int16), image.affine)


def place(segmentation: hd.seg.Segmentation, label: Volume) -> np.ndarray:
    """A SEG's segment numbers on the grid of a label (x, y, z), by its own geometry."""
    volume = segmentation.get_volume(combine_segments=True)
    index = np.argwhere(volume.array >= 0)
    way = np.linalg.inv(LPS @ label.affine) @ volume.affine
    there = index @ way[:3, :3].T + way[:3, 3]
    assert np.abs(there - there.round()).max() < 1e-2
    result = np.zeros(label.shape, int)
    result[tuple(there.round().astype(int).T)] = volume.array[tuple(index.T)]
    return result


def test_the_mask_of_a_given_seg_comes_back_to_the_voxel(tmp_path: Path, abdomen: Path) -> None:
    given = hd.seg.segread(abdomen / "dicom_ct3_liver_seg.dcm")
    image = read_image(abdomen / "dicom_ct3")
    mask = place(given, image)
    assert mask.sum() == 107098
    label = Volume(mask[np.newaxis].astype(np.int16), image.affine)
    model = tiny_metadata(replace(load_preset("liver-ct"), labels={1: "Liver"}))
    dicom_seg.write_segmentation(tmp_path / "a.dcm", label, abdomen / "dicom_ct3", model)
    ours = hd.seg.segread(tmp_path / "a.dcm")
    one, other = (seg.get_volume(combine_segments=True) for seg in (ours, given))
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-4)
    assert ours.SegmentSequence[0].RecommendedDisplayCIELabValue == (
        given.SegmentSequence[0].RecommendedDisplayCIELabValue
    )


def test_labels_of_any_value_lie_where_they_lay_in_an_oblique_series(
    tmp_path: Path, abdomen: Path, model: ModelMetadata
) -> None:
    series = oblique_ct(tmp_path / "ct", abdomen)
    label = numbered(series)
    dicom_seg.write_segmentation(tmp_path / "a.dcm", label, series, model)
    found = place(hd.seg.segread(tmp_path / "a.dcm"), label)
    np.testing.assert_array_equal(found == 1, label.array[0] == 2)
    np.testing.assert_array_equal(found == 2, label.array[0] == 7)


@pytest.mark.parametrize("given", ["folder", "file"])
def test_a_file_of_several_frames_is_referred_to_frame_by_frame(
    tmp_path: Path, abdomen: Path, model: ModelMetadata, given: str
) -> None:
    series = oblique_ct(tmp_path / "ct", abdomen)
    file = convert_to_frames(series, tmp_path / "frames", order=[2, 0, 1])
    source = file if given == "file" else file.parent
    dicom_seg.require_series([source])
    label = numbered(source)
    dicom_seg.write_segmentation(tmp_path / "a.dcm", label, source, model)
    found = place(hd.seg.segread(tmp_path / "a.dcm"), label)
    np.testing.assert_array_equal(found == 1, label.array[0] == 2)
    np.testing.assert_array_equal(found == 2, label.array[0] == 7)
    places = frame_places(pydicom.dcmread(file))
    written = pydicom.dcmread(tmp_path / "a.dcm")
    for frame, at in zip(written.PerFrameFunctionalGroupsSequence, frame_places(written)):
        (referred,) = frame.DerivationImageSequence[0].SourceImageSequence
        assert referred.ReferencedSOPInstanceUID == pydicom.dcmread(file).SOPInstanceUID
        np.testing.assert_allclose(places[referred.ReferencedFrameNumber - 1], at, atol=1e-3)


def frame_places(one: pydicom.Dataset) -> list[list[float]]:
    """The place of the first voxel of each frame, LPS mm."""
    said = one.PerFrameFunctionalGroupsSequence
    return [frame.PlanePositionSequence[0].ImagePositionPatient for frame in said]


def test_simpleitk_reads_the_segment_in_its_place(tmp_path: Path, abdomen: Path) -> None:
    series = write_ct(tmp_path / "ct", abdomen / "dicom_ct3", [0, 2, 4])
    image = read_image(series)
    mask = np.zeros(image.array.shape, np.int16)
    mask[0, 10:30, 20:40, :] = 1
    mask[0, 15, 25, 0] = 0
    model = tiny_metadata(replace(load_preset("liver-ct"), labels={1: "Liver"}))
    dicom_seg.write_segmentation(tmp_path / "a.dcm", Volume(mask, image.affine), series, model)
    read = sitk.ReadImage(str(tmp_path / "a.dcm"))
    for x, y, z in ((10, 20, 0), (15, 25, 0), (29, 39, 2), (30, 39, 2)):
        point = LPS @ image.affine @ (x, y, z, 1)
        assert (read[read.TransformPhysicalPointToIndex(point[:3])] > 0) == mask[0, x, y, z]


def test_segments_have_names_colors_and_codes(
    tmp_path: Path, abdomen: Path, model: ModelMetadata
) -> None:
    series = write_ct(tmp_path / "ct", abdomen / "dicom_ct3")
    dicom_seg.write_segmentation(tmp_path / "a.dcm", numbered(series), series, model)
    liver, own = pydicom.dcmread(tmp_path / "a.dcm").SegmentSequence
    kind = liver.SegmentedPropertyTypeCodeSequence[0]
    assert (liver.SegmentNumber, liver.SegmentLabel) == (1, "Liver")
    assert (kind.CodingSchemeDesignator, kind.CodeValue) == ("SCT", "10200004")
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Right"
    assert liver.AnatomicRegionSequence[0].CodeMeaning == "Abdomen"
    assert liver.SegmentAlgorithmType == "AUTOMATIC"
    assert (own.SegmentNumber, own.SegmentLabel) == (2, "My own")
    assert own.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Tissue"


def test_patient_study_and_slices_are_those_of_the_source(
    tmp_path: Path, abdomen: Path, model: ModelMetadata
) -> None:
    series = write_ct(tmp_path / "ct", abdomen / "dicom_ct3")
    dicom_seg.write_segmentation(tmp_path / "a.dcm", numbered(series), series, model)
    written = pydicom.dcmread(tmp_path / "a.dcm")
    sources = [pydicom.dcmread(file) for file in series.iterdir()]
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert written[name] == sources[0][name]
    (referenced,) = written.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == sources[0].SeriesInstanceUID
    assert {one.ReferencedSOPInstanceUID for one in referenced.ReferencedInstanceSequence} == {
        one.SOPInstanceUID for one in sources
    }


def test_an_empty_segmentation_is_written_too(
    tmp_path: Path, abdomen: Path, model: ModelMetadata, capfd: pytest.CaptureFixture[str]
) -> None:
    series = write_ct(tmp_path / "ct", abdomen / "dicom_ct3")
    label = numbered(series)
    empty = Volume(np.zeros_like(label.array), label.affine)
    dicom_seg.write_segmentation(tmp_path / "a.dcm", empty, series, model)
    assert not hd.seg.segread(tmp_path / "a.dcm").get_volume(combine_segments=True).array.any()
    assert capfd.readouterr() == ("", "")


def test_a_source_that_no_seg_can_refer_to_is_one_line_and_leaves_no_file(
    tmp_path: Path, abdomen: Path, model: ModelMetadata
) -> None:
    def strip(k: int, one: pydicom.Dataset) -> None:
        del one.StudyInstanceUID

    series = write_ct(tmp_path / "ct", abdomen / "dicom_ct3", change=strip)
    with pytest.raises(GenSegError, match=r"no DICOM SEG can refer to it \(.*StudyInstanceUID"):
        dicom_seg.write_segmentation(tmp_path / "a.dcm", numbered(series), series, model)
    assert not (tmp_path / "a.dcm").exists()


def test_an_image_that_is_no_series_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="is no folder of DICOM slices"):
        dicom_seg.require_series([tmp_path / "a.nii.gz"])


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_extra, "find_spec", lambda name: None)
    with pytest.raises(GenSegError, match="pip install highdicom pydicom"):
        dicom_seg.require_series([])


@pytest.mark.skipif(not shutil.which("segimage2itkimage"), reason="dcmqi is not installed")
def test_dcmqi_reads_the_same_voxels_from_ours_as_from_the_given_one(
    tmp_path: Path, abdomen: Path
) -> None:
    given = abdomen / "dicom_ct3_liver_seg.dcm"
    image = read_image(abdomen / "dicom_ct3")
    mask = place(hd.seg.segread(given), image)
    label = Volume(mask[np.newaxis].astype(np.int16), image.affine)
    model = tiny_metadata(replace(load_preset("liver-ct"), labels={1: "Liver"}))
    dicom_seg.write_segmentation(tmp_path / "ours.dcm", label, abdomen / "dicom_ct3", model)
    arrays = []
    for path, name in ((tmp_path / "ours.dcm", "ours"), (given, "given")):
        command = ["segimage2itkimage", "--inputDICOM", path, "--outputDirectory", tmp_path]
        subprocess.run([*command, "--prefix", name, "-t", "nrrd"], check=True, capture_output=True)
        arrays.append(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"{name}-1.nrrd"))))
    np.testing.assert_array_equal(*arrays)
    found = json.loads((tmp_path / "ours-meta.json").read_text(encoding="utf-8"))
    segment = found["segmentAttributes"][0][0]
    assert segment["SegmentLabel"] == "Liver"
    assert segment["SegmentedPropertyTypeCodeSequence"]["CodeValue"] == "10200004"


@pytest.fixture
def bright_model(tmp_path: Path) -> Path:
    """A model that finds what is brighter than 40 HU."""
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
    assert main([str(part) for part in (*command, "--out", tmp_path / "out")]) == 0
    found = place(hd.seg.segread(tmp_path / "out" / "ct.dcm"), read_image(series))
    rows = (tmp_path / "out" / "measurements.csv").read_text(encoding="utf-8").splitlines()
    assert found.any()
    assert rows[0].startswith("case,label,name,voxels,volume_ml")
    assert rows[1].startswith(f"ct,1,Liver,{found.sum()},")
    table = capsys.readouterr().out.splitlines()
    assert "mean ± SD (HU)" in table[0]
    assert table[1].startswith("ct    Liver")


def test_predict_refuses_a_seg_of_a_nifti_before_it_works(
    tmp_path: Path, bright_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"never read")
    command = ["predict", bright_model, tmp_path / "a.nii.gz", "--format", "dcm"]
    assert main([str(part) for part in (*command, "--out", tmp_path / "out")]) == 2
    assert "a DICOM SEG refers to the slices it was made from" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
