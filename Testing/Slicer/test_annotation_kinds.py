"""The annotation loop with unusual segmentations, volumes and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from annotation_loops import GRID, begun_loop, draw, end_session, records, states, voxels_of
from bright_model import COLOR_2D, bright_block
from GenSegSlicerLib import CaseContents, SegmentationStates
from GenSegSlicerLib.AnnotatedLabels import annotatedLabelSteps
from GenSegSlicerLib.AnnotationTraining import CheckedCasesWriter
from GenSegSlicerLib.CaseContents import contentOf
from GenSegSlicerLib.Geometry import fileIJKToRAS
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.PartialAnnotation import annotationOf, setDrawnPart
from GenSegSlicerLib.SegmentationStates import isEdited, rememberPrediction
from GenSegSlicerLib.SegmentNodes import MODEL_ATTRIBUTE
from GenSegSlicerLib.Segments import segmentsOf
from GenSegSlicerLib.TrainingPair import TrainingPair
from mrml_nodes import SHAPE, add_label_map, add_segmentation, add_volume, oriented_image
from photo_files import PICTURE, photo_folder, square

from GenSegLib.case_annotation import PLANES
from GenSegLib.datasets.annotated_voxels import finalize_label
from GenSegLib.datasets.channels import read_channels
from GenSegLib.datasets.image_io import read_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.images.volume import Volume
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegLib.steps import finish

pytest_plugins = ["annotation_loops"]

OUTER, INNER = (slice(2, 8), slice(2, 10), slice(2, 12)), (slice(4, 6), slice(4, 7), slice(5, 8))


def mask(box: tuple[slice, ...]) -> np.ndarray:
    voxels = np.zeros(SHAPE[::-1], np.uint8)
    voxels[box] = 1
    return voxels


def add_drawn(loop: Any, name: str, voxels: np.ndarray) -> None:
    """Draw a new segment of the open case."""
    case = loop.current.case
    segment = case.segmentationNode.GetSegmentation().AddEmptySegment("", name)
    details = (case.segmentationNode, segment, case.volumeNode)
    slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, *details)


def segment_names(loop: Any) -> list[str]:
    return [segment.name for segment in segmentsOf(loop.current.case.segmentationNode)]


def test_a_segment_of_no_class_is_named_before_it_is_left_out(new_loop: Any, wait: Any) -> None:
    bright_block("a", GRID)
    loop = new_loop(model="", preset="liver-ct")
    loop.next()
    assert loop.message == (
        "info",
        f"Segment a, then accept it (anatomy: {load_preset('liver-ct').title}; select another in "
        "Training)",
    )
    add_drawn(loop, "Spleen", mask(INNER))
    loop.accept()
    kind, text = loop.message
    assert kind == "warning" and text.startswith("Spleen in a will not be used in training")
    assert states(loop) == {"a": "to do"}
    loop.accept()
    assert states(loop) == {"a": "checked"}


def test_a_segment_that_the_user_does_not_use_is_no_question(new_loop: Any) -> None:
    bright_block("a", GRID)
    loop = new_loop(model="", preset="liver-ct", classMap={"Spleen": ""})
    loop.next()
    draw(loop, mask(OUTER))
    add_drawn(loop, "Spleen", mask(INNER))
    loop.accept()
    assert states(loop) == {"a": "checked"}


@pytest.mark.parametrize("names", [("Liver", "Tumor"), ("Tumor", "Liver")])
def test_nested_segments_are_not_flattened(
    new_loop: Any, names: tuple[str, str], tmp_path: Path
) -> None:
    bright_block("a", GRID)
    loop = new_loop(model="")
    loop.next()
    for name in names:
        add_drawn(loop, name, mask(OUTER if name == "Liver" else INNER))
    loop.accept()
    cases = read_cases(loop.workspace.folder.path)
    assert cases.includes == {"Liver": ("Tumor",)}
    label = read_label(cases.cases[0].label).array
    values = {name: value for value, name in cases.labels.items()}
    assert (label == values["Tumor"]).sum() == mask(INNER).sum()
    assert (label > 0).sum() == mask(OUTER).sum()


def test_nested_classes_are_flattened_if_the_user_says_so(new_loop: Any) -> None:
    bright_block("a", GRID)
    loop = new_loop(model="", trainsNested=False)
    loop.next()
    for name, box in (("Liver", OUTER), ("Tumor", INNER)):
        add_drawn(loop, name, mask(box))
    loop.accept()
    assert not read_cases(loop.workspace.folder.path).includes


def test_volumes_whose_names_differ_in_case_have_files_of_their_own(new_loop: Any) -> None:
    bright_block("Liver", GRID)
    bright_block("liver", GRID)
    assert [case.name for case in new_loop().workspace.cases()] == ["Liver", "liver_2"]


def test_a_volume_whose_case_has_a_name_keeps_it_before_others(new_loop: Any, wait: Any) -> None:
    first, _ = bright_block("a", GRID)
    bright_block("b", GRID)
    loop = new_loop()
    loop.open(loop.workspace.case("b"))
    wait(loop)
    first.SetName("b")
    assert [case.name for case in loop.workspace.cases()] == ["b_2", "b"]


def test_drawn_slices_of_oblique_volumes_are_those_of_the_training(scene: Any) -> None:
    generator = np.random.default_rng(0)
    label = np.zeros((5, 6, 7), np.uint8)
    label[2:4, 3:5, 1:3] = 1
    for _ in range(20):
        rotation, _upper = np.linalg.qr(generator.normal(size=(3, 3)))
        grid = np.eye(4)
        grid[:3, :3] = rotation @ np.diag([0.7, 1.1, 3])
        volume = add_volume(np.zeros(label.shape, np.int16), grid)
        node = add_segmentation([(oriented_image(label, grid), {1: "Bright"})])
        for plane in PLANES:
            setDrawnPart(node, plane)
            shown = finish(annotatedLabelSteps(node, volume, [(segmentsOf(node)[0], 1)]))
            image = Volume(label.T[None].astype(np.int16), fileIJKToRAS(volume))
            trained = finalize_label(image, annotationOf(node)).array[0].T
            assert np.array_equal(shown, trained)


def test_a_label_map_must_be_converted_first(new_loop: Any) -> None:
    volume, bright = bright_block("a", GRID)
    label = add_label_map(bright.astype(np.uint8), GRID, "a-label")
    loop = new_loop(pairs=[TrainingPair(volume, label)])
    with pytest.raises(GenSegError, match="a is segmented by a label map") as error:
        loop.open(loop.workspace.case("a"))
    assert "\n" not in str(error.value)
    assert loop.current is None


def test_a_result_of_apply_stays_beside_the_draft(new_loop: Any, wait: Any, model: Path) -> None:
    volume, _ = bright_block("a", GRID)
    (node,) = GenSegSlicerLogic().apply(model, volume, wait=True).segmentationNodes
    node.SetAttribute(MODEL_ATTRIBUTE, "organs")
    loop = new_loop()
    loop.next()
    wait(loop)
    draft = loop.current.case.segmentationNode
    assert draft is not node and node.GetScene() is not None
    assert not node.GetDisplayNode().GetVisibility()
    assert loop.workspace.case("a").segmentationNode is draft


def test_a_correction_of_a_checked_case_survives_the_process(drafted: Any, new_loop: Any) -> None:
    loop, bright = drafted
    loop.accept()
    loop.open(loop.workspace.case("a"))
    bright[2:4] = False
    draw(loop, bright)
    loop.save()
    end_session(loop)
    bright_block("a", GRID)
    reopened = new_loop()
    reopened.open(reopened.workspace.case("a"))
    assert np.array_equal(voxels_of(reopened), bright)
    assert states(reopened) == {"a": "checked"}
    reopened.accept()
    (case,) = reopened.workspace.folder.checked_cases().cases
    assert read_label(case.label).array.sum() == bright.sum()
    assert not list((reopened.workspace.folder.path / "edits").iterdir())


def test_a_correction_in_progress_keeps_segments_without_a_class(new_loop: Any) -> None:
    bright_block("a", GRID)
    loop = new_loop(model="", preset="liver-ct")
    loop.next()
    add_drawn(loop, "Spleen", mask(INNER))
    loop.save()
    end_session(loop)
    bright_block("a", GRID)
    reopened = new_loop(model="", preset="liver-ct")
    reopened.next()
    assert "Spleen" in segment_names(reopened)


def test_the_time_of_a_case_that_was_left_counts(new_loop: Any, wait: Any) -> None:
    loop = begun_loop(new_loop, wait, "ab")
    draw(loop, ~voxels_of(loop))
    loop.current.timer._seconds = 60
    loop.open(loop.workspace.case("b"))
    wait(loop)
    loop.open(loop.workspace.case("a"))
    assert loop.current.timer.seconds == pytest.approx(60, abs=5)
    loop.leave()
    loop.workspace.close()
    restarted = new_loop()
    restarted.next()
    assert restarted.current.timer.seconds == pytest.approx(60, abs=5), "after a restart, too"
    restarted.accept()
    assert records(restarted)[-1].seconds == pytest.approx(60, abs=5)


def test_images_that_come_meanwhile_are_listed(new_loop: Any, tmp_path: Path) -> None:
    images = photo_folder(tmp_path / "Bilder mit Ümlaut") / "images"
    loop = new_loop(imageFolder=str(images), model=str(COLOR_2D), preset="generic-2d-color")
    assert list(states(loop)) == ["p0", "p1", "p2"]
    (images / "p9.jpg").write_bytes((images / "p0.jpg").read_bytes())
    assert list(states(loop)) == ["p0", "p1", "p2", "p9"]


def test_photos_of_a_folder_are_not_copied(new_loop: Any, wait: Any, tmp_path: Path) -> None:
    images = photo_folder(tmp_path / "photos") / "images"
    loop = new_loop(imageFolder=str(images), model=str(COLOR_2D), preset="generic-2d-color")
    loop.next()
    wait(loop)
    loop.accept()
    (case,) = loop.workspace.folder.checked_cases().cases
    assert case.image == images / "p0.jpg"
    assert read_label(case.label, None).array.any()


def test_labels_are_written_again_when_the_classes_of_segments_change(
    new_loop: Any, wait: Any
) -> None:
    chosen: dict[str, str] = {}
    bright_block("a", GRID)
    loop = new_loop(model="", classMap=chosen)
    loop.next()
    add_drawn(loop, "Kidney", mask(INNER))
    loop.accept()
    chosen["Kidney"] = "Renal"
    for _ in loop.trainer.saver.save():
        pass
    assert list(read_cases(loop.workspace.folder.path).labels.values()) == ["Renal"]


def test_a_class_that_is_no_longer_used_is_not_learned_from_any_case(
    new_loop: Any, tmp_path: Path
) -> None:
    chosen: dict[str, str] = {}
    loop = new_loop(model="", classMap=chosen)
    for name in "ab":
        bright_block(name, GRID)
    loop.next()
    for _ in "ab":
        for segment, box in (("Liver", OUTER), ("Kidney", INNER)):
            add_drawn(loop, segment, mask(box))
        loop.accept()
    chosen["Kidney"] = ""
    assert loop.workspace.classes() == ["Liver"]
    unused = loop.workspace.unusedClasses()
    details = ({}, {}, loop.trainer.saver.save, {}, unused)
    writer = CheckedCasesWriter(loop.workspace.folder, load_preset("generic-mri"), *details)
    finish(writer.steps(tmp_path / "run"))
    cases = RunFolder.open(tmp_path / "run").cases
    assert list(cases.labels.values()) == ["Liver"]


CHANNELS = ("0000", "0001", "0002")


def add_gray_channels(name: str, brightness: int = 200, size: int = 10) -> None:
    """A 2-D image whose three channels are volumes of their own."""
    for channel in CHANNELS:
        voxels = np.where(square(size=size), brightness, 20).astype(np.int16)
        add_volume(voxels, PICTURE, f"{name}_{channel}")


def color_loop(new_loop: Any, **changes: Any) -> Any:
    return new_loop(model=str(COLOR_2D), preset="generic-2d-color", **changes)


@pytest.fixture
def channel_folder(scene: Any, tmp_path: Path) -> Path:
    """Images of three channels in files of their own."""
    folder = tmp_path / "drei Kanäle"
    folder.mkdir()
    for name in "ab":
        add_gray_channels(name)
        for channel in CHANNELS:
            node = slicer.util.getNode(f"{name}_{channel}")
            slicer.util.saveNode(node, str(folder / f"{name}_{channel}.nrrd"))
    slicer.mrmlScene.Clear(0)
    return folder


def test_channels_of_a_folder_are_one_case(new_loop: Any, wait: Any, channel_folder: Path) -> None:
    assert states(new_loop(imageFolder=str(channel_folder), model="")) == dict.fromkeys(
        "ab", "to do"
    )
    loop = color_loop(new_loop, imageFolder=str(channel_folder))
    loop.next()
    wait(loop)
    assert loop.current.case.title == "a"
    assert voxels_of(loop).sum() == square().sum()
    loop.accept()
    wait(loop)
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
    assert sorted(names) == ["b", "b_0001", "b_0002"], "the channels of a are unloaded, too"
    (case,) = loop.workspace.folder.checked_cases().cases
    assert read_channels(case.images).array.shape[0] == 3


def test_channels_of_a_checked_case_are_kept(
    new_loop: Any, wait: Any, channel_folder: Path
) -> None:
    loop = color_loop(new_loop, imageFolder=str(channel_folder))
    loop.next()
    wait(loop)
    loop.accept()
    loop.leave()
    end_session(loop)
    reopened = color_loop(new_loop)
    reopened.open(reopened.workspace.case("a"))
    reopened.accept()
    (case,) = reopened.workspace.folder.checked_cases().cases
    assert read_channels(case.images).array.shape[0] == 3


def test_volumes_with_further_channels_are_ranked(host: Any, new_loop: Any, wait: Any) -> None:
    add_gray_channels("a")
    add_gray_channels("b", 201)
    add_gray_channels("odd", size=26)
    loop = color_loop(new_loop)
    loop.next()
    wait(loop)
    loop.accept()
    wait(loop)
    loop.leave()
    loop.workspace.close()
    ranked = color_loop(new_loop, strategy="different")
    ranked.next()
    host.wait_until(lambda: not ranked.isWaiting, 180)
    assert ranked.message[0] == "info", ranked.message
    assert ranked.current.case.title == "odd_0000"


def test_voxels_are_looked_at_again_only_after_they_changed(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, bright = bright_block("a", GRID)
    image = oriented_image(bright.astype(np.uint8), GRID)
    node = add_segmentation([(image, {1: "Bright"})])
    rememberPrediction(node)
    assert not isEdited(node)
    content = contentOf(volume)
    with monkeypatch.context() as patch:
        patch.setattr(SegmentationStates, "_measure", None)
        patch.setattr(CaseContents, "voxelsOf", None)
        assert not isEdited(node) and contentOf(volume) == content
    slicer.util.arrayFromVolume(volume)[0, 0, 0] = 77
    slicer.util.arrayFromVolumeModified(volume)
    bright[2] = False
    details = (node, node.GetSegmentation().GetNthSegmentID(0), volume)
    slicer.util.updateSegmentBinaryLabelmapFromArray(bright.astype(np.uint8), *details)
    assert isEdited(node) and contentOf(volume) != content


def test_a_class_that_is_added_later_is_said_to_be_missing_in_the_cases_before(
    new_loop: Any, wait: Any
) -> None:
    loop = begun_loop(new_loop, wait)
    loop.accept()
    wait(loop)
    assert "is new" not in loop.message[1]
    add_drawn(loop, "Cyst", mask((slice(7, 9), slice(9, 11), slice(10, 12))))
    loop.accept()
    wait(loop)
    assert "Cyst is a new class: earlier accepted cases count as not having it" in loop.message[1]
    assert list(loop.workspace.folder.checked_cases().labels.values()) == ["Bright", "Cyst"]
