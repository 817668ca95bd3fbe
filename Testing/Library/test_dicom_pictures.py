"""Photos, radiographs, ultrasound and clips in DICOM: pixels, spacing, cases, predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from GenSegLib.cases import Role
from GenSegLib.checks.check_cases import check_cases
from GenSegLib.datasets.image_folders import list_cases
from GenSegLib.datasets.image_io import read_image, read_label, write_label
from GenSegLib.datasets.layouts import list_images, read_cases, with_unlabeled
from GenSegLib.dicom.seg_writer import SegmentDescriptions, write_segmentation
from GenSegLib.errors import GenSegError
from GenSegLib.evaluation.evaluate import evaluate_folders
from GenSegLib.images.file_names import frame_path
from GenSegLib.images.volume import Volume
from GenSegLib.prediction.predict import predict_files
from GenSegLib.presets import load_preset
from Testing.dicom_pictures import palette, region, write_dicom_picture
from Testing.Library.command_line import genseg
from Testing.Library.tiny_models import save_bright_model

ROWS, COLUMNS = 40, 48
Y, X = np.mgrid[:ROWS, :COLUMNS]
COLORS = np.stack([X * 5, Y * 6, (X + Y) * 2], -1).astype(np.uint8)[np.newaxis]
GRAY = COLORS[..., 0]


def ybr(colors: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(colors[0]).convert("YCbCr"))[np.newaxis]


def halved(components: np.ndarray) -> np.ndarray:
    """YBR_FULL_422: two columns share their chroma."""
    first, second = components[:, :, ::2], components[:, :, 1::2]
    return np.stack([first[..., 0], second[..., 0], first[..., 1], first[..., 2]], -1)


@pytest.mark.parametrize("kind", ["US", "XC", "ES"])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422", "JPEG YBR_FULL_422"])
def test_colors_are_rgb_however_they_are_stored(
    tmp_path: Path, kind: str, photometric: str
) -> None:
    stored = COLORS if "YBR" not in photometric or "JPEG" in photometric else ybr(COLORS)
    stored = halved(stored) if photometric == "YBR_FULL_422" else stored
    size = {"Rows": ROWS, "Columns": COLUMNS}
    volume = read_image(write_dicom_picture(tmp_path / "a.dcm", kind, stored, photometric, **size))
    expected = COLORS[0].transpose(2, 1, 0)[..., np.newaxis]
    assert np.abs(volume.array - expected).max() <= (0 if photometric == "RGB" else 6)
    assert volume.unit == "px"


def test_a_palette_becomes_colors(tmp_path: Path) -> None:
    ramp = np.arange(256)
    tables = palette(ramp, ramp[::-1], ramp // 2)
    path = write_dicom_picture(tmp_path / "a.dcm", "US", GRAY, "PALETTE COLOR", **tables)
    red, green, blue = read_image(path).array[..., 0]
    np.testing.assert_array_equal(red, GRAY[0].T)
    np.testing.assert_array_equal(green, 255 - GRAY[0].T)
    np.testing.assert_array_equal(blue, GRAY[0].T // 2)


@pytest.mark.parametrize("kind", ["CR", "DX"])
def test_monochrome1_is_inverted_so_that_bones_are_bright(tmp_path: Path, kind: str) -> None:
    raw = GRAY.astype(np.uint16) * 16
    bits = {"BitsStored": 12, "HighBit": 11}
    path = write_dicom_picture(tmp_path / "a.dcm", kind, raw, "MONOCHROME1", **bits)
    np.testing.assert_array_equal(read_image(path).array[0, ..., 0], 4095 - raw[0].T)


@pytest.mark.parametrize(
    ("kind", "header", "spacing", "unit"),
    [
        ("DX", {"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.3, 0.3]}, (0.1, 0.2), "mm"),
        ("CR", {"ImagerPixelSpacing": [0.2, 0.1]}, (0.1, 0.2), "mm"),
        ("US", {"SequenceOfUltrasoundRegions": [region((0.01, 0.02))]}, (0.1, 0.2), "mm"),
        ("US", {"PixelAspectRatio": [2, 1]}, (1, 2), "px"),
        ("XC", {}, (1, 1), "px"),
    ],
    ids=["pixel", "detector", "ultrasound", "aspect", "none"],
)
def test_lengths_are_in_mm_where_the_header_has_a_scale(
    tmp_path: Path, kind: str, header: dict, spacing: tuple[float, float], unit: str
) -> None:
    path = write_dicom_picture(tmp_path / "a.dcm", kind, GRAY, "MONOCHROME2", **header)
    volume = read_image(path)
    assert (volume.spacing[:2], volume.unit) == (pytest.approx(spacing), unit)


def test_regions_of_different_scales_are_said(tmp_path: Path) -> None:
    regions = [region((0.01, 0.01)), region((0.02, 0.02))]
    path = write_dicom_picture(
        tmp_path / "a.dcm", "US", GRAY, "MONOCHROME2", SequenceOfUltrasoundRegions=regions
    )
    volume = read_image(path)
    assert volume.unit == "px"
    assert "regions of the ultrasound image have different scales" in volume.warnings[0]


def test_a_truncated_file_and_a_video_are_refused_in_one_line(tmp_path: Path) -> None:
    path = write_dicom_picture(tmp_path / "a.dcm", "US", COLORS, "RGB")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(GenSegError, match=r"a\.dcm: truncated or damaged"):
        read_image(path)
    video = write_dicom_picture(tmp_path / "b.dcm", "clip", COLORS, "RGB")
    data = video.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.100\0")
    video.write_bytes(data)
    with pytest.raises(GenSegError, match=r"b\.dcm: (a video|truncated)"):
        read_image(video)


def clip(path: Path, patient: str = "", frames: int = 4) -> Path:
    """Frames with a bright square, each at another place."""
    stack = np.full((frames, ROWS, COLUMNS), 40, np.uint8)
    for k in range(frames):
        stack[k, 5 : 20 + k, 10 + k : 30] = 200
    return write_dicom_picture(path, "clip", stack, "MONOCHROME2", patient)


def squares(path: Path, labeled: tuple[int, ...]) -> Volume:
    """The squares of some frames of a clip."""
    image = read_image(path)
    label = (image.array > 100).astype(np.int16)
    for k in set(range(image.shape[2])) - set(labeled):
        label[..., k] = 0
    return replace(image, array=label)


def test_each_frame_of_a_clip_is_a_case_of_one_person(tmp_path: Path) -> None:
    path = clip(tmp_path / "images" / "a.dcm")
    write_label(tmp_path / "labels" / "a.nrrd", squares(path, (0, 2)), {1: "square"})
    cases = read_cases(tmp_path)
    roles = {case.name: case.role for case in cases.cases}
    assert roles == {
        "a_frame001": Role.TRAIN,
        "a_frame002": Role.UNLABELED,
        "a_frame003": Role.TRAIN,
        "a_frame004": Role.UNLABELED,
    }
    assert {case.person for case in cases.cases} == {"a"}
    assert "2 of 4 frames of a.dcm are labeled; the others count as unlabeled" in cases.notes
    checks = check_cases(replace(cases, labels={1: "square"}))
    assert [check.errors for check in checks] == [()] * 4
    assert [check.voxels.get(1) for check in checks] == [15 * 20, 17 * 18, None, None]


def test_masks_of_single_frames_and_clips_of_one_patient(tmp_path: Path) -> None:
    for name in ("a", "b"):
        clip(tmp_path / "images" / f"{name}.dcm", "123")
    masks = tmp_path / "masks"
    masks.mkdir()
    mask = Image.fromarray(np.kron([[0, 255], [0, 0]], np.ones((20, 24))).astype(np.uint8))
    mask.save(masks / "b_frame002.png")
    cases = read_cases(tmp_path)
    labeled = cases.labeled
    assert [case.name for case in labeled] == ["b_frame002"]
    assert {case.person for case in cases.cases} == {"patient 1"}
    image = read_image(labeled[0].image)
    assert image.shape == (COLUMNS, ROWS, 1)
    label = read_label(labeled[0].label, image)
    assert label.array.sum() == 20 * 24


def test_frames_are_listed_and_a_damaged_clip_as_it_is(tmp_path: Path) -> None:
    clip(tmp_path / "a.dcm", frames=2)
    damaged = clip(tmp_path / "b.dcm", frames=2)
    damaged.write_bytes(damaged.read_bytes()[:-500])
    files = {name: [path.name for path in paths] for name, paths in list_cases(tmp_path).items()}
    assert files == {"a_frame001": ["a.dcm#1"], "a_frame002": ["a.dcm#2"], "b": ["b.dcm"]}


def test_the_frames_of_unlabeled_clips_are_cases(tmp_path: Path) -> None:
    """Those of a folder and of a list; a clip that cannot be read stays, for checks to name it."""
    path = clip(tmp_path / "images" / "a.dcm", frames=2)
    write_label(tmp_path / "labels" / "a.nrrd", squares(path, (0,)), {1: "square"})
    damaged = clip(tmp_path / "scans" / "b.dcm")
    damaged.write_bytes(damaged.read_bytes()[:-500])
    clip(tmp_path / "scans" / "a.dcm", frames=2)
    labeled = read_cases(tmp_path)
    added = with_unlabeled(labeled, tmp_path / "scans").cases[len(labeled.cases) :]
    names = ["scans a_frame001", "scans a_frame002", "b"]
    assert [case.name for case in added] == names
    assert [case.image.name for case in added] == ["a.dcm#1", "a.dcm#2", "b.dcm"]
    assert all(case.role is Role.UNLABELED for case in added)
    assert added[0].person == added[1].person
    entries = [{"name": "one", "image": "scans/a.dcm"}]
    (tmp_path / "cases.json").write_text(json.dumps({"cases": entries}))
    listed = read_cases(tmp_path / "cases.json").cases
    assert [case.name for case in listed] == ["one_frame001", "one_frame002"]
    assert len({case.person for case in listed}) == 1


def test_a_label_with_other_frames_is_refused(tmp_path: Path) -> None:
    path = clip(tmp_path / "images" / "a.dcm")
    label = squares(path, (0,))
    write_label(tmp_path / "labels" / "a.nrrd", replace(label, array=label.array[..., :3]))
    with pytest.raises(GenSegError, match=r"a\.nrrd: 3 slices, but a\.dcm has 4 frames"):
        read_cases(tmp_path)


def test_a_folder_of_radiographs_is_a_folder_of_images(tmp_path: Path) -> None:
    for k in range(3):
        write_dicom_picture(tmp_path / "images" / f"IM{k}", "DX", GRAY + k, "MONOCHROME2")
    assert [path.name for path in list_images(tmp_path / "images")] == ["IM0", "IM1", "IM2"]
    nested = tmp_path / "cd" / "PAT0" / "STU0" / "IM0"
    write_dicom_picture(nested, "CR", GRAY, "MONOCHROME2")
    assert list_images(tmp_path / "cd") == [nested]


def test_a_label_without_position_is_placed_pixel_by_pixel(tmp_path: Path) -> None:
    """3D Slicer shows some radiographs with another spacing than ours."""
    header = {"PixelSpacing": [0.2, 0.1]}
    path = write_dicom_picture(tmp_path / "a.dcm", "DX", GRAY, "MONOCHROME2", **header)
    image = read_image(path)
    drawn = Volume((image.array > 99).astype(np.int16), np.diag([-0.3, -0.3, 1, 1]))
    write_label(tmp_path / "a.nrrd", drawn)
    placed = read_label(tmp_path / "a.nrrd", image)
    np.testing.assert_array_equal(placed.array, drawn.array)
    np.testing.assert_array_equal(placed.affine, image.affine)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    preset = replace(load_preset("generic-2d"), unit="px", spacing=(1.0, 1.0), patch_size=(32, 32))
    folder = tmp_path_factory.mktemp("model") / "model"
    save_bright_model(folder, preset)
    return folder


@pytest.mark.parametrize("suffix", [".dcm", ".seg.nrrd", ".nii.gz"])
def test_predictions_of_a_clip_have_its_frames(model: Path, tmp_path: Path, suffix: str) -> None:
    path = clip(tmp_path / "a.dcm")
    (written,) = predict_files(model, [path], tmp_path / "out", device="cpu", suffix=suffix)
    expected = squares(path, (0, 1, 2, 3)).array
    for k in range(4):
        frame = read_image(frame_path(path, k + 1))
        found = read_label(frame_path(written, k + 1), frame).array > 0
        assert (found == (expected[..., k : k + 1] > 0)).mean() > 0.95
    assert read_label(written, read_image(path)).shape == (COLUMNS, ROWS, 4)


def test_predictions_of_a_radiograph_are_a_seg_or_a_palette_png(
    model: Path, tmp_path: Path
) -> None:
    frame = clip(tmp_path / "clip.dcm", frames=1)
    image = read_image(frame)
    for suffix, name in ((None, "clip.png"), (".dcm", "clip.dcm")):
        out = tmp_path / f"out{suffix}"
        (written,) = predict_files(model, [frame], out, device="cpu", suffix=suffix)
        assert written.name == name
        found = read_label(written, image).array > 0
        assert (found == (image.array > 100)).mean() > 0.95


def test_frames_without_a_label_are_annotated_next(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = clip(tmp_path / "images" / "a.dcm")
    write_label(tmp_path / "labels" / "a.nrrd", squares(path, (0, 2)), {1: "square"})
    options = "--strategy", "order", "--labeled", tmp_path, "--count", 9
    assert genseg("next", model, tmp_path / "images", *options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-1] == [str(frame_path(path, 2)), str(frame_path(path, 4))]


@pytest.mark.parametrize("suffix", [".dcm", ".seg.nrrd"])
def test_the_frames_of_a_clip_are_scored_one_by_one(
    model: Path, tmp_path: Path, suffix: str
) -> None:
    path = clip(tmp_path / "a.dcm")
    predict_files(model, [path], tmp_path / "out", device="cpu", suffix=".dcm")
    reference, labels = tmp_path / "truth" / f"a{suffix}", {1: "Bright"}
    if suffix == ".dcm":
        write_segmentation(reference, squares(path, (0, 1)), path, SegmentDescriptions(labels))
    else:
        write_label(reference, squares(path, (0, 1)), labels)
    found = evaluate_folders(tmp_path / "out", tmp_path / "truth", {1: "Bright"})
    assert [case.case for case in found.cases] == [f"a_frame00{k}" for k in (1, 2, 3, 4)]
    assert found.is_2d
    dices = found.values(1, "dice")
    assert min(dices[:2]) > 0.9
    assert dices[2:] == [0, 0]


@pytest.mark.parametrize("suffix", [".dcm", ".seg.nrrd", ".nii.gz"])
def test_masks_of_single_frames_score_the_prediction_of_a_clip(
    model: Path, tmp_path: Path, suffix: str
) -> None:
    path = clip(tmp_path / "a.dcm")
    options = {"device": "cpu", "suffix": suffix, "uncertainty": suffix == ".nii.gz"}
    predict_files(model, [path], tmp_path / "out", **options)
    squares_of_clip = squares(path, (1, 3))
    for k in (1, 3):
        mask = replace(squares_of_clip, array=squares_of_clip.array[..., k : k + 1])
        write_label(tmp_path / "truth" / f"a_frame00{k + 1}.png", mask)
    found = evaluate_folders(tmp_path / "out", tmp_path / "truth", {1: "Bright"})
    assert [case.case for case in found.cases] == ["a_frame002", "a_frame004"]
    assert min(found.values(1, "dice")) > 0.9
