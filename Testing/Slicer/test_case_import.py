"""Import of folders of cases as volume and segmentation nodes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the usual name
import slicer
import vtk
from GenSegSlicerLib.Channels import furtherChannels
from GenSegSlicerLib.PairFinder import importFolder
from GenSegSlicerLib.Segments import segmentsOf
from GenSegSlicerLib.VolumeFiles import writeVolume
from mrml_nodes import (
    GRIDS,
    add_segmentation,
    nodes_in,
    oriented_image,
    segment_array,
    two_class_labels,
    write_segments,
)

from GenSegLib.datasets.image_io import Volume, read_image, read_label, write_image, write_label
from GenSegLib.errors import GenSegError
from GenSegLib.phantoms import make_cases
from GenSegLib.presets import load_preset

NAMES = {1: "Anterior", 2: "Posterior"}


def few_of(hippocampus: Path, folder: Path, count: int = 3) -> Path:
    """A list of some of the real cases, one of them to validate with."""
    listed = json.loads((hippocampus / "dataset.json").read_text())["training"][:count]
    cases = [
        {
            "name": Path(entry["image"]).name.split(".")[0],
            "image": str(hippocampus / entry["image"]),
            "label": str(hippocampus / entry["label"]),
            "role": "train" if k else "validate",
        }
        for k, entry in enumerate(listed)
    ]
    path = folder / "cases.json"
    values = {"modality": "MR", "labels": {str(k): name for k, name in NAMES.items()}}
    path.write_text(json.dumps({**values, "cases": cases}))
    return path


def test_segments_are_aligned_with_their_volumes(
    scene: Any, hippocampus: Path, tmp_path: Path
) -> None:
    for pair in importFolder(few_of(hippocampus, tmp_path)):
        label = read_label(hippocampus / "labelsTr" / f"{pair.name}.nii.gz")
        image = read_image(hippocampus / "imagesTr" / f"{pair.name}.nii.gz")
        voxels = slicer.util.arrayFromVolume(pair.volumeNode)
        np.testing.assert_array_equal(voxels, image.array[0].T)
        for value, name in NAMES.items():
            np.testing.assert_array_equal(
                segment_array(pair.segmentationNode, name, pair.volumeNode),
                value == label.array[0].T,
            )


def test_names_and_persons_are_those_that_the_command_line_reads(
    scene: Any, write_tiny_cases: Callable[..., Path]
) -> None:
    root = write_tiny_cases(3)
    names = ("liver_0001", "liver_0002", "liver_0003")
    for part in ("images", "labels"):
        for k, name in enumerate(names):
            (root / part / f"case_{k}.nii.gz").rename(root / part / f"{name}.nii.gz")
    (root / "groups.csv").write_text("case,person\nliver_0001,anna\nliver_0002,anna\n")
    pairs = importFolder(root)
    assert [(pair.name, pair.person) for pair in pairs] == list(zip(names, ("anna", "anna", "")))


def test_imported_cases_are_exported_to_identical_files(
    scene: Any, hippocampus: Path, tmp_path: Path
) -> None:
    for pair in importFolder(few_of(hippocampus, tmp_path)):
        writeVolume(pair.volumeNode, tmp_path / "image.nrrd")
        mapped = {name: name for name in NAMES.values()}
        write_segments(
            pair.segmentationNode, pair.volumeNode, mapped, NAMES, tmp_path / "label.nrrd"
        )
        for kind, read in (("image", read_image), ("label", read_label)):
            was = read(hippocampus / f"{kind}sTr" / f"{pair.name}.nii.gz")
            now = read(tmp_path / f"{kind}.nrrd")
            np.testing.assert_array_equal(now.array, was.array)
            np.testing.assert_allclose(now.affine, was.affine, atol=1e-5)


def test_what_was_assumed_about_persons_is_reported(scene: Any, tmp_path: Path) -> None:
    label = two_class_labels().T[None]
    for name in ("patient1_visit1", "patient1_visit2", "patient2_visit1"):
        volume = Volume(label, GRIDS["RAS"])
        write_image(tmp_path / "images" / f"{name}.nii.gz", volume)
        write_label(tmp_path / "labels" / f"{name}.nii.gz", volume)
    notes: list[str] = []
    pairs = importFolder(tmp_path, onNote=notes.append)
    assert [pair.person for pair in pairs] == ["patient1", "patient1", ""]
    assert any("3 cases show 2 persons according to the names of the cases" in n for n in notes)


def test_nodes_have_names_roles_and_style_of_the_preset(
    scene: Any, hippocampus: Path, tmp_path: Path
) -> None:
    preset = load_preset("hippocampus-mri")
    pairs = importFolder(few_of(hippocampus, tmp_path))
    first = pairs[0]
    segments = first.segmentationNode.GetSegmentation()
    assert [pair.role for pair in pairs] == ["validate", "train", "train"]
    assert first.segmentationNode.GetName() == f"{first.volumeNode.GetName()} segmentation"
    for k, (value, name) in enumerate(NAMES.items()):
        terminology = vtk.reference("")
        segments.GetNthSegment(k).GetTag("TerminologyEntry", terminology)
        color = [part / 255 for part in preset.colors[value]]
        assert segments.GetNthSegment(k).GetName() == name
        assert segments.GetNthSegment(k).GetColor() == pytest.approx(color)
        assert terminology == preset.terminology[value]


def test_progress_is_reported(scene: Any, tmp_path: Path) -> None:
    make_cases(tmp_path / "phantoms", "hippocampus", 3, seed=1, test=1)
    progress: list[tuple[int, int]] = []
    pairs = importFolder(tmp_path / "phantoms", lambda done, total: progress.append((done, total)))
    assert len(pairs) == 3
    assert progress == [(1, 3), (2, 3), (3, 3)]
    assert all(segment_array(p.segmentationNode, "Anterior", p.volumeNode).any() for p in pairs)


@pytest.mark.parametrize("grid", ["RAS", "oblique"])
def test_unnamed_labels_are_numbered(scene: Any, tmp_path: Path, grid: str) -> None:
    label = two_class_labels()
    write_image(tmp_path / "images" / "a ä.nii.gz", Volume(label.T[None].astype("f4"), GRIDS[grid]))
    write_label(tmp_path / "labels" / "a ä.nii.gz", Volume(label.T[None], GRIDS[grid]))
    (pair,) = importFolder(tmp_path)
    assert [segment.name for segment in segmentsOf(pair.segmentationNode)] == ["Label 1", "Label 2"]
    write_segments(
        pair.segmentationNode, pair.volumeNode, {"Label 2": "B"}, {2: "B"}, tmp_path / "l.nrrd"
    )
    writeVolume(pair.volumeNode, tmp_path / "i.nrrd")
    written, image = read_label(tmp_path / "l.nrrd"), read_image(tmp_path / "i.nrrd")
    np.testing.assert_array_equal(written.array == 2, image.array == 2)


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.int8])
@pytest.mark.parametrize(("suffix", "offset"), [(".nii.gz", 0.0), (".nii.gz", 0.3), (".nrrd", 0.0)])
def test_labels_and_images_of_any_integer_type_get_a_type_that_vtk_supports(
    scene: Any, tmp_path: Path, kind: type, suffix: str, offset: float
) -> None:
    voxels = two_class_labels()
    for folder, origin in (("images", 0.0), ("labels", offset)):
        (tmp_path / folder).mkdir()
        image = sitk.GetImageFromArray(voxels.astype(kind))
        image.SetOrigin((7 + origin, 8, 9))
        sitk.WriteImage(image, str(tmp_path / folder / f"a{suffix}"))
    (pair,) = importFolder(tmp_path)
    segment = pair.segmentationNode.GetSegmentation().GetNthSegment(0)
    images = pair.volumeNode.GetImageData(), segment.GetRepresentation("Binary labelmap")
    for each in images:
        assert each.GetScalarTypeAsString() in ("unsigned char", "short", "int", "float")
    found = [segment_array(pair.segmentationNode, f"Label {k}", pair.volumeNode) for k in (1, 2)]
    np.testing.assert_array_equal(found[0] + 2 * found[1], voxels)


def test_seg_nrrd_files_keep_their_segments(scene: Any, tmp_path: Path) -> None:
    # overlapping segments are stored in several layers
    label, grid = two_class_labels(), GRIDS["oblique"]
    saved = add_segmentation(
        [
            (oriented_image(label, grid), {1: "Kopf", 2: "Schwanz"}),
            (oriented_image(np.ones_like(label), grid), {1: "All of it"}),
        ]
    )
    (tmp_path / "labels").mkdir()
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(tmp_path / "labels" / "a.seg.nrrd"))
    assert storage.WriteData(saved)
    write_image(tmp_path / "images" / "a.nrrd", Volume(label.T[None].astype("f4"), grid))
    (pair,) = importFolder(tmp_path)
    names = [segment.name for segment in segmentsOf(pair.segmentationNode)]
    assert names == ["Kopf", "Schwanz", "All of it"]
    np.testing.assert_array_equal(
        segment_array(pair.segmentationNode, "Schwanz", pair.volumeNode), label == 2
    )
    assert segment_array(pair.segmentationNode, "All of it", pair.volumeNode).all()


def test_unreadable_case_is_reported_and_all_nodes_are_removed(
    scene: Any, write_tiny_cases: Any
) -> None:
    folder = write_tiny_cases(3)
    (folder / "labels" / "case_2.nii.gz").write_bytes(b"nothing")
    nodes = nodes_in(scene)
    with pytest.raises(GenSegError, match=r"case case_2: .*case_2\.nii\.gz"):
        importFolder(folder)
    assert nodes_in(scene) == nodes


def test_voxels_of_minus_one_are_reported_with_the_remedy(scene: Any, tmp_path: Path) -> None:
    """Other programs mark voxels to ignore by -1; what it means is for the user to say."""
    label = two_class_labels().T[None].astype(np.int16)
    write_image(tmp_path / "images" / "a.nii.gz", Volume(label.astype("f4"), GRIDS["RAS"]))
    label[0, 0, 0, 0] = -1
    write_image(tmp_path / "labels" / "a.nii.gz", Volume(label, GRIDS["RAS"]))
    text = r"case a: .*labels.a\.nii\.gz: label value -1 .* 1 voxels\); save .*\"Ignore\""
    with pytest.raises(GenSegError, match=text) as caught:
        importFolder(tmp_path)
    assert "\n" not in str(caught.value)


def test_folder_without_cases_is_reported(scene: Any, tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="no cases found"):
        importFolder(tmp_path)


def test_images_without_labels_are_skipped(scene: Any, write_tiny_cases: Any) -> None:
    folder = write_tiny_cases(2)
    (folder / "labels" / "case_1.nii.gz").unlink()
    assert [pair.name for pair in importFolder(folder)] == ["case_0"]


def test_channels_in_files_of_their_own_are_imported(scene: Any, tmp_path: Path) -> None:
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    label = np.zeros((1, 8, 8, 8), np.int16)
    label[0, 2:5, 2:5, 2:5] = 1
    for name, values in (("a_0000", 1), ("a_0001", 2)):
        array = np.full((1, 8, 8, 8), values, np.float32)
        array[0, 0, 0, 0] = 0
        write_image(tmp_path / "images" / f"{name}.nii.gz", Volume(array, affine))
    write_label(tmp_path / "labels" / "a.nii.gz", Volume(label, affine))
    (pair,) = importFolder(tmp_path)
    (further,) = furtherChannels(pair.volumeNode)
    assert slicer.util.arrayFromVolume(further).max() == 2


def test_segments_are_those_of_their_names_whatever_their_order_and_values(
    scene: Any, tmp_path: Path
) -> None:
    label = two_class_labels().T[None]
    swapped = np.choose(label, (0, 7, 4)).astype(np.int16)
    files = {"a": (label, {1: "Head", 2: "Tail"}), "b": (swapped, {4: "Tail", 7: "Head"})}
    for name, (voxels, names) in files.items():
        write_image(tmp_path / "images" / f"{name}.nrrd", Volume(label, GRIDS["RAS"]))
        write_label(tmp_path / "labels" / f"{name}.seg.nrrd", Volume(voxels, GRIDS["RAS"]), names)
    for pair in importFolder(tmp_path):
        for value, name in ((1, "Head"), (2, "Tail")):
            found = segment_array(pair.segmentationNode, name, pair.volumeNode)
            np.testing.assert_array_equal(found, value == label[0].T)


def test_an_nrrd_encoding_that_slicer_lacks_is_refused_with_the_remedy(
    scene: Any, write_tiny_cases: Any
) -> None:
    path = write_tiny_cases(2, suffix=".nrrd") / "images" / "case_1.nrrd"
    path.write_bytes(path.read_bytes().replace(b"encoding: gzip", b"encoding: bz2"))
    with pytest.raises(GenSegError, match=r"case case_1: .*encoding bz.* save .* gzip"):
        importFolder(path.parents[1])
