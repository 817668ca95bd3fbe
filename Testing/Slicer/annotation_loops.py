"""Annotation loops without their panel, and volumes with a bright block that a model finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from bright_model import bright_block, make_bright_model
from GenSegSlicerLib.AnnotationLogic import AnnotationLogic
from GenSegSlicerLib.AnnotationWorkspace import AnnotationSettings
from GenSegSlicerLib.DraftPredictor import DraftPredictor
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from mrml_nodes import GRIDS, SHAPE, add_volume

from GenSegLib.annotation.records import read_records

GRID = GRIDS["anisotropic"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that segments bright voxels."""
    return make_bright_model(tmp_path_factory.mktemp("models") / "bright")


@pytest.fixture(scope="module")
def drafts(host: Any) -> Iterator[DraftPredictor]:
    """The process that predicts drafts, shared by the tests."""
    predictor = DraftPredictor()
    yield predictor
    predictor.stop()


@pytest.fixture
def new_loop(
    host: Any, scene: Any, tmp_path: Path, model: Path, drafts: DraftPredictor
) -> Iterator[Callable[..., AnnotationLogic]]:
    """Returns loops on one output folder; each is ended after the test."""
    loops: list[AnnotationLogic] = []

    def create(**changes: Any) -> AnnotationLogic:
        chosen = AnnotationSettings(
            str(tmp_path / "out"), model=str(model), trainWhen="button", training={}
        )
        chosen = replace(chosen, **changes)
        loop = AnnotationLogic(GenSegSlicerLogic(), lambda: chosen, drafts)
        loops.append(loop)
        return loop

    yield create
    for loop in loops:
        loop.leave()
    host.wait_until(lambda: not drafts.isBusy, 60)  # its result is not for the next test
    for loop in loops:
        loop.trainer.release()
        loop.workspace.close()


@pytest.fixture
def wait(host: Any) -> Callable[[AnnotationLogic], None]:
    """Wait until a loop has opened the next case, or failed."""
    return lambda loop: host.wait_until(lambda: not loop.isWaiting, 240)


@pytest.fixture
def drafted(
    new_loop: Callable[..., AnnotationLogic], wait: Callable[[AnnotationLogic], None]
) -> tuple[AnnotationLogic, np.ndarray]:
    """A loop with the draft of a volume named a open, and the mask of its bright block."""
    _, bright = bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    return loop, bright


def begun_loop(new_loop: Any, wait: Any, names: str = "abc") -> Any:
    """A loop on volumes whose first draft is open."""
    for name in names:
        bright_block(name, GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    return loop


def end_session(loop: AnnotationLogic) -> None:
    """Leave the folder of a loop and close the scene, as when Slicer is closed."""
    loop.workspace.close()
    slicer.mrmlScene.Clear(0)


def voxels_of(loop: AnnotationLogic) -> np.ndarray:
    """Voxels of the first segment of the open case."""
    case = loop.current.case
    segment = case.segmentationNode.GetSegmentation().GetNthSegmentID(0)
    return slicer.util.arrayFromSegmentBinaryLabelmap(
        case.segmentationNode, segment, case.volumeNode
    )


def draw(loop: AnnotationLogic, mask: np.ndarray) -> None:
    """Replace the voxels of the first segment of the open case."""
    case = loop.current.case
    segment = case.segmentationNode.GetSegmentation().GetNthSegmentID(0)
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        mask.astype(np.uint8), case.segmentationNode, segment, case.volumeNode
    )


def states(loop: AnnotationLogic) -> dict[str, str]:
    return {case.title: case.state.value for case in loop.workspace.cases()}


def records(loop: AnnotationLogic) -> tuple[Any, ...]:
    return read_records(loop.workspace.folder.records_file).records


def other_block(name: str) -> tuple[Any, np.ndarray]:
    """Add a volume of another patient, with a bright block in another place, and its mask."""
    bright = np.zeros(SHAPE[::-1], bool)
    bright[7:9, 5:9, 1:4] = True
    return add_volume(np.where(bright, 900, 10).astype(np.int16), GRID, name), bright


def image_folder(path: Path, make: Callable[[str], Any]) -> str:
    """Write volumes named a and b to a folder."""
    path.mkdir()
    for name in "ab":
        volume, _ = make(name)
        slicer.util.saveNode(volume, str(path / f"{name}.nrrd"))
    slicer.mrmlScene.Clear(0)
    return str(path)


def cases(loop: Any) -> list[tuple[str, str]]:
    return [(case.name, case.state.value) for case in loop.workspace.cases()]


def correct(loop: Any, mask: np.ndarray) -> np.ndarray:
    """Draw a part of a mask as the open case's segment, and return it."""
    corrected = mask.copy()
    corrected[2:4] = False
    draw(loop, corrected)
    return corrected
