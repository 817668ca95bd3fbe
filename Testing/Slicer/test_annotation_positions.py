"""Labels and images of the annotation loop keep to each other when volumes move or change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
from annotation_loops import GRID, cases, correct, end_session, image_folder, records, voxels_of
from bright_model import COLOR_2D, bright_block
from mrml_nodes import RIGID, add_segmentation, add_transform, add_volume, oriented_image
from photo_files import PICTURE, square

from GenSegLib.datasets.case_labels import read_case_label
from GenSegLib.datasets.channels import read_channels
from GenSegLib.datasets.image_io import read_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.steps import finish

pytest_plugins = ["annotation_loops"]


def shift(volume: Any, segmentation: Any) -> None:
    """Move a volume with its segmentation, as a registration that is hardened."""
    matrix = np.eye(4)
    matrix[0, 3] = 2.1  # mm, 3 voxels
    add_transform(matrix, volume, segmentation)
    volume.HardenTransform()
    segmentation.HardenTransform()


def label_lies_on_block(loop: Any) -> bool:
    """Whether the label of case a, as it is trained, is the bright block of its image."""
    case = read_cases(loop.workspace.folder.path).cases[0]
    image = read_channels(case.images)
    label = read_case_label(case, image, {1: "Bright"}, print)
    return np.array_equal(label.array[0] > 0, image.array[0] > 500)


def test_the_image_of_a_volume_that_was_moved_is_written_again(drafted: Any) -> None:
    loop, _ = drafted
    loop.accept()
    case = loop.workspace.case("a")
    shift(case.volumeNode, case.segmentationNode)
    for _ in loop.trainer.saver.save():
        pass
    assert label_lies_on_block(loop)


def test_the_image_is_written_again_after_its_transform_was_removed(
    new_loop: Any, wait: Any
) -> None:
    volume, _ = bright_block("a", GRID)
    add_transform(RIGID, volume)
    loop = new_loop()
    loop.next()
    wait(loop)
    loop.accept()
    case = loop.workspace.case("a")
    for node in (volume, case.segmentationNode):
        node.SetAndObserveTransformNodeID(None)
    loop.open(loop.workspace.case("a"))
    loop.accept()
    assert label_lies_on_block(loop)


def test_an_image_of_a_folder_that_was_moved_is_written(
    new_loop: Any, wait: Any, tmp_path: Path
) -> None:
    folder = image_folder(tmp_path / "images", lambda name: bright_block(name, GRID))
    loop = new_loop(imageFolder=folder)
    loop.next()
    wait(loop)
    shift(loop.current.case.volumeNode, loop.current.case.segmentationNode)
    loop.accept()
    assert label_lies_on_block(loop)


def test_a_draft_of_before_a_registration_is_opened_at_the_same_voxels(
    new_loop: Any, wait: Any, host: Any, drafts: Any
) -> None:
    bright_block("a", GRID)
    volume, bright = bright_block("b", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    host.wait_until(lambda: not drafts.isBusy and cases(loop)[1] == ("b", "draft"), 60)
    add_transform(RIGID, volume)
    loop.accept()
    wait(loop)
    assert np.array_equal(voxels_of(loop), bright)
    loop.accept()
    assert records(loop)[-1].dice == 1


def test_a_correction_of_before_a_registration_is_opened_at_the_same_voxels(
    drafted: Any, new_loop: Any
) -> None:
    loop, bright = drafted
    case = loop.current.case
    add_transform(RIGID, case.volumeNode, case.segmentationNode)
    corrected = correct(loop, bright)
    loop.leave()
    end_session(loop)
    bright_block("a", GRID)
    again = new_loop()
    again.next()
    assert np.array_equal(voxels_of(again), corrected)


def test_a_checked_label_of_before_a_registration_is_opened_at_the_same_voxels(
    drafted: Any, new_loop: Any
) -> None:
    loop, bright = drafted
    loop.accept()
    end_session(loop)
    volume, _ = bright_block("a", GRID)
    add_transform(RIGID, volume)
    again = new_loop()
    again.open(again.workspace.case("a"))
    assert np.array_equal(voxels_of(again), bright)


def show_frame(volume: Any, mask: np.ndarray) -> None:
    """Replace the voxels of a volume, as the proxy of a sequence does at another frame."""
    slicer.util.updateVolumeFromArray(volume, np.where(mask, 900, 10).astype(np.int16))


def test_voxels_that_changed_while_a_case_was_open_are_asked_about(drafted: Any) -> None:
    loop, bright = drafted
    volume = loop.current.case.volumeNode
    show_frame(volume, np.roll(bright, 3, axis=0))
    loop.accept()
    kind, text = loop.message
    assert kind == "warning" and text.startswith("The voxels of a have changed since it was opened")
    show_frame(volume, bright)
    loop.accept()
    assert label_lies_on_block(loop)


def test_changed_voxels_are_taken_over_at_the_second_accept(drafted: Any) -> None:
    loop, bright = drafted
    show_frame(loop.current.case.volumeNode, np.roll(bright, 3, axis=0))
    loop.accept()
    loop.accept()
    assert cases(loop) == [("a", "checked")]
    assert not label_lies_on_block(loop)


def test_another_frame_is_another_case_without_the_segmentation_of_the_first(
    drafted: Any, wait: Any
) -> None:
    loop, bright = drafted
    volume = loop.current.case.volumeNode
    loop.accept()
    frame = np.roll(bright, 3, axis=0)
    show_frame(volume, frame)
    assert cases(loop) == [("a_2", "to do"), ("a", "checked")]
    for _ in loop.trainer.saver.save():
        pass
    assert label_lies_on_block(loop)
    loop.next()
    wait(loop)
    assert np.array_equal(voxels_of(loop), frame)
    loop.accept()
    show_frame(volume, bright)
    assert cases(loop) == [("a", "checked"), ("a_2", "checked")]


def test_a_correction_is_saved_for_the_voxels_that_were_opened(drafted: Any, new_loop: Any) -> None:
    loop, bright = drafted
    corrected = correct(loop, bright)
    show_frame(loop.current.case.volumeNode, np.roll(bright, 3, axis=0))
    loop.leave()
    end_session(loop)
    bright_block("a", GRID)
    again = new_loop()
    again.next()
    assert np.array_equal(voxels_of(again), corrected)


def second_channel(loop: Any) -> np.ndarray:
    (case,) = loop.workspace.folder.checked_cases().cases
    return read_channels(case.images).array[1]


def test_a_further_channel_that_changed_or_moved_is_written_again(new_loop: Any, wait: Any) -> None:
    for channel in ("0000", "0001", "0002"):
        voxels = np.where(square(size=10), 200, 20).astype(np.int16)
        add_volume(voxels, PICTURE, f"x_{channel}")
    loop = new_loop(model=str(COLOR_2D), preset="generic-2d-color")
    loop.next()
    wait(loop)
    loop.accept()
    node = slicer.util.getNode("x_0001")
    slicer.util.arrayFromVolume(node)[:] = 99
    slicer.util.arrayFromVolumeModified(node)
    for shown in ({99}, {0, 99}):
        assert cases(loop) == [("x_0000", "checked")]
        loop.open(loop.workspace.case("x_0000"))
        loop.accept()
        assert set(np.unique(second_channel(loop))) == shown
        node.SetOrigin(*(place + 4 for place in node.GetOrigin()[:2]), node.GetOrigin()[2])


def test_classes_that_are_new_in_two_cases_at_once_get_values_of_their_own(new_loop: Any) -> None:
    bright_block("a", GRID)
    volume, bright = bright_block("b", GRID)
    loop = new_loop(model="")
    loop.open(loop.workspace.case("a"))
    opened = loop.current.case.segmentationNode
    details = (opened, opened.GetSegmentation().AddEmptySegment("", "Cyst"), volume)
    slicer.util.updateSegmentBinaryLabelmapFromArray(bright.astype(np.uint8), *details)
    image = oriented_image(bright.astype(np.uint8), GRID)
    node = add_segmentation([(image, {1: "Kidney"})])
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    steps = loop._saver.takeOverSteps(loop.current)
    for _ in range(40):
        next(steps)
    for _ in loop.trainer.saver.save():
        pass
    finish(steps)
    folder = loop.workspace.folder
    assert folder.checked_cases().labels == {1: "Kidney", 2: "Cyst"}
    assert set(np.unique(read_label(folder.file("labels", "a")).array)) == {0, 2}
