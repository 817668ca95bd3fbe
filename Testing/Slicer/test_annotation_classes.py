"""Classes of the annotation loop that the user has renamed, or says more about."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from annotation_loops import GRID, draw, records, states
from bright_model import bright_block
from GenSegSlicerLib.PartialAnnotation import annotationOf, setClassState

from GenSegLib.case_annotation import ClassState
from GenSegLib.errors import GenSegError

pytest_plugins = ["annotation_loops"]


def add_drawn(loop: Any, name: str, voxels: np.ndarray) -> None:
    """Draw a new segment of the open case."""
    case = loop.current.case
    segment = case.segmentationNode.GetSegmentation().AddEmptySegment("", name)
    details = (case.segmentationNode, segment, case.volumeNode)
    slicer.util.updateSegmentBinaryLabelmapFromArray(voxels.astype(np.uint8), *details)


def test_what_is_not_annotated_keeps_being_so_when_its_class_is_renamed(
    new_loop: Any, wait: Any
) -> None:
    chosen: dict[str, str] = {}
    loop = new_loop(model="", classMap=chosen)
    for name in "ab":
        _, bright = bright_block(name, GRID)
    loop.next()
    add_drawn(loop, "Liver", bright)
    add_drawn(loop, "Tumour", ~bright)
    loop.accept()
    draw(loop, bright)
    setClassState(loop.current.case.segmentationNode, "Tumour", ClassState.NOT_ANNOTATED)
    loop.accept()
    chosen["Tumour"] = "Tumor"
    for _ in loop.trainer.saver.save():
        pass
    cases = loop.workspace.folder.checked_cases().cases
    tumors = {case.name: case.annotation.state("Tumor").value for case in cases}
    assert tumors == {"a": "annotated", "b": "not annotated"}
    loop.open(loop.workspace.case("b"))
    said = annotationOf(loop.current.case.segmentationNode).classes
    assert said == {"Tumor": ClassState.NOT_ANNOTATED}, "as the panel shows it"


def test_a_case_that_is_ignored_as_a_whole_is_not_accepted(drafted: Any) -> None:
    loop, bright = drafted
    ignored = np.ones_like(bright)
    add_drawn(loop, "Ignore", ignored)
    with pytest.raises(GenSegError, match="no voxel of the label is annotated"):
        loop.accept()
    assert states(loop) == {"a": "draft"}


def test_a_draft_is_right_whatever_segments_its_classes_are_corrected_in(
    new_loop: Any, wait: Any
) -> None:
    _, bright = bright_block("a", GRID)
    left = bright.copy()
    left[:4] = False
    loop = new_loop(classMap={"left": "Bright", "right": "Bright"})
    loop.next()
    wait(loop)
    segmentation = loop.current.case.segmentationNode.GetSegmentation()
    segmentation.RemoveSegment(segmentation.GetNthSegmentID(0))
    add_drawn(loop, "left", left)
    add_drawn(loop, "right", bright & ~left)
    loop.accept()
    assert records(loop)[0].classes == {"Bright": 1.0}


def test_a_class_that_was_renamed_is_that_of_the_draft(new_loop: Any, wait: Any) -> None:
    bright_block("a", GRID)
    loop = new_loop(classMap={"Bright": "Lesion"})
    loop.next()
    wait(loop)
    loop.accept()
    assert records(loop)[0].classes == {"Bright": 1.0}
