"""The *Apply* and *Evaluate* sections of the panel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qt
import slicer
from bright_model import bright_block, make_bright_model
from fake_library import fake_library
from GenSegSlicerLib import CoarseSurfaces, LibraryProcess
from mrml_nodes import GRIDS
from panel_driver import PanelDriver
from panel_scenes import load_hippocampi


@pytest.fixture
def panel(host: Any, scene: Any) -> Iterator[PanelDriver]:
    """The panel without known runs and models."""
    qt.QSettings().remove("GenSegSlicer")
    driver = PanelDriver(host)
    yield driver
    host.close_module("GenSegSlicer")


def add_volume(name: str) -> Any:
    node = slicer.util.addVolumeFromArray(np.arange(27, dtype=np.int16).reshape(3, 3, 3))
    node.SetName(name)
    return node


def add_segmentation(name: str) -> Any:
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)


def test_without_a_model_apply_is_disabled(panel: PanelDriver) -> None:
    assert not panel.ui.applyButton.enabled
    assert "Select a model" in panel.ui.applyButton.toolTip
    assert panel.ui.modelSelector.currentText == "No models yet: train one or select a folder"


def test_invalid_model_folder_is_reported(panel: PanelDriver, tmp_path: Path) -> None:
    panel.ui.modelFolderEdit.currentPath = str(tmp_path)
    panel.host.process_events()
    assert "is not a model folder" in panel.ui.modelCardLabel.text
    assert not panel.ui.applyButton.enabled
    assert panel.ui.modelCardLabel.text in panel.ui.applyButton.toolTip


def test_several_volumes_need_new_segmentations(panel: PanelDriver) -> None:
    first, second = add_volume("first"), add_volume("second")
    panel.ui.inputVolumeSelector.setCurrentNode(first)
    panel.ui.furtherVolumesSelector.check(second)
    panel.host.process_events()
    assert list(panel.parameters.furtherVolumes) == [second]
    assert not panel.ui.outputSegmentationSelector.enabled
    assert "new segmentation" in panel.ui.outputSegmentationSelector.toolTip
    panel.ui.furtherVolumesSelector.uncheck(second)
    panel.host.process_events()
    assert panel.ui.outputSegmentationSelector.enabled


def test_output_mode_applies_to_existing_segmentations(panel: PanelDriver) -> None:
    assert not panel.ui.outputModeSelector.enabled
    panel.ui.outputSegmentationSelector.setCurrentNode(add_segmentation("mine"))
    panel.host.process_events()
    assert panel.ui.outputModeSelector.enabled
    panel.choose(panel.ui.outputModeSelector, "Keep")
    assert panel.parameters.outputMode == "add"


def test_evaluation_needs_two_segmentations(panel: PanelDriver) -> None:
    first, second = add_segmentation("first"), add_segmentation("second")
    ui = panel.ui
    assert "Select a segmentation and a reference." in ui.evaluateButton.toolTip
    ui.predictionSelector.setCurrentNode(first)
    ui.referenceSelector.setCurrentNode(first)
    panel.host.process_events()
    assert "Select two different segmentations." in ui.evaluateButton.toolTip
    ui.referenceSelector.setCurrentNode(second)
    panel.host.process_events()
    assert ui.evaluateButton.enabled


def test_evaluation_lists_segmentations_and_label_maps(panel: PanelDriver) -> None:
    add_volume("image")
    label_map = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "label map")
    segmentation = add_segmentation("segmentation")
    selector = panel.ui.predictionSelector
    offered = [selector.nodeFromIndex(index) for index in range(selector.nodeCount())]
    assert set(offered) == {label_map, segmentation}


def test_error_is_one_line_with_details(
    panel: PanelDriver, hippocampus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = fake_library(LibraryProcess, tmp_path, monkeypatch)
    replace("import sys; sys.exit('Traceback...\\ngenseg: error: no voxel agrees; look at both')")
    (_, first), (_, second) = load_hippocampi(hippocampus, 2)
    ui = panel.ui
    ui.evaluateSection.collapsed = False
    assert ui.evaluateDetailsSection.isHidden()
    ui.predictionSelector.setCurrentNode(first)
    ui.referenceSelector.setCurrentNode(second)
    panel.press(ui.evaluateButton)
    job = panel.widget.panel.evaluate.job
    panel.host.wait_until(lambda: not job.isActive, 60)
    assert ui.evaluateMessage.text == "no voxel agrees; look at both"
    assert not ui.evaluateDetailsSection.isHidden() and ui.evaluateDetailsSection.collapsed
    assert ui.evaluateDetailsText.plainText.startswith("Traceback...")
    slicer.mrmlScene.Clear(0)
    assert ui.evaluateDetailsSection.isHidden()


def segments_of(node: Any) -> list[str]:
    segmentation = node.GetSegmentation()
    count = segmentation.GetNumberOfSegments()
    return [segmentation.GetNthSegment(k).GetName() for k in range(count)]


def press_apply(panel: PanelDriver, meanwhile: Callable[[], object] = lambda: None) -> Any:
    """Press *Apply* and wait for the result."""
    panel.press(panel.ui.applyButton)
    job = panel.widget.panel.apply.job
    meanwhile()
    panel.host.wait_until(lambda: not job.isActive, 300)
    assert job.state == "finished", job.message
    return job


@pytest.fixture
def ready(panel: PanelDriver, tmp_path: Path) -> PanelDriver:
    """The panel with a model that segments bright voxels, and two volumes."""
    ui = panel.ui
    ui.applySection.collapsed = False
    ui.modelFolderEdit.currentPath = str(make_bright_model(tmp_path / "modèle"))
    for name in ("first", "second"):
        bright_block(name, GRIDS["oblique"])
    panel.press(ui.show3DCheckBox)
    ui.inputVolumeSelector.setCurrentNode(slicer.util.getNode("first"))
    panel.host.process_events()
    return panel


def test_results_are_added_to_or_replace_segments_and_shown_with_their_volume(
    ready: PanelDriver,
) -> None:
    ui = ready.ui
    assert not ui.mirrorCheckBox.enabled
    assert "trained without mirroring" in ui.mirrorCheckBox.toolTip
    ready.parameters.mirror = True  # of another model, so it is ignored
    ui.furtherVolumesSelector.check(slicer.util.getNode("second"))
    nodes = press_apply(ready).segmentationNodes
    assert [node.GetName() for node in nodes] == ["first by GenSeg", "second by GenSeg"]
    assert [row[:2] for row in ready.rows(ui.volumesTable)] == [
        ["first by GenSeg", "Bright"],
        ["second by GenSeg", "Bright"],
    ]
    ui.furtherVolumesSelector.uncheck(slicer.util.getNode("second"))
    ui.outputSegmentationSelector.setCurrentNode(nodes[0])
    ready.host.process_events()
    ready.choose(ui.outputModeSelector, "Keep")
    assert press_apply(ready).segmentationNodes == [nodes[0]]
    assert segments_of(nodes[0]) == ["Bright", "Bright_1"]
    segmentation = nodes[0].GetSegmentation()
    assert [segmentation.GetNthSegmentID(k) for k in range(2)] == ["Bright", "Bright_1"]
    ready.choose(ui.outputModeSelector, "Replace")
    second = slicer.util.getNode("second")
    press_apply(ready, meanwhile=lambda: slicer.util.setSliceViewerLayers(background=second))
    assert segments_of(nodes[0]) == ["Bright"]
    assert ui.applyMessage.text == "Done: first by GenSeg"
    tables = slicer.util.getNodesByClass("vtkMRMLTableNode")
    assert [table.GetName() for table in tables] == [
        "Volumes of 2 segmentations",
        "Volumes of first by GenSeg",
    ]
    shown = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed").GetBackgroundVolumeID()
    assert slicer.mrmlScene.GetNodeByID(shown).GetName() == "first"


def wait_for_surfaces(panel: PanelDriver, node: Any) -> None:
    segmentation = node.GetSegmentation()
    panel.host.wait_until(lambda: segmentation.ContainsRepresentation("Closed surface"))


def test_a_new_result_hides_the_earlier_one_and_a_large_one_is_shown_with_less_detail(
    ready: PanelDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.press(ready.ui.show3DCheckBox)
    (first,) = press_apply(ready).segmentationNodes
    wait_for_surfaces(ready, first)
    ready.ui.outputSegmentationSelector.setCurrentNode(None)
    ready.host.process_events()
    monkeypatch.setattr(CoarseSurfaces, "_LARGE_VOXELS", 10)
    monkeypatch.setattr(CoarseSurfaces, "_COARSE_VOXELS", 20)
    (second,) = press_apply(ready).segmentationNodes
    wait_for_surfaces(ready, second)
    surfaces = [
        node.GetSegmentation().GetNthSegment(0).GetRepresentation("Closed surface")
        for node in (first, second)
    ]
    points = [surface.GetNumberOfPoints() for surface in surfaces]
    assert 0 < points[1] < points[0]
    assert "shown in 3D with less detail" in ready.ui.applyMessage.text
    assert not first.GetDisplayNode().GetVisibility()
    assert second.GetDisplayNode().GetVisibility()


def test_result_is_loaded_after_the_module_was_reloaded(ready: PanelDriver) -> None:
    ready.press(ready.ui.applyButton)
    job = ready.widget.panel.apply.job
    ready.widget.onReload()
    ready.host.wait_until(lambda: not job.isActive, 300)
    assert segments_of(slicer.util.getNode("first by GenSeg")) == ["Bright"]


def test_a_mirrored_model_is_applied_and_its_warnings_are_shown(
    ready: PanelDriver, tmp_path: Path
) -> None:
    ui = ready.ui
    ui.modelFolderEdit.currentPath = str(make_bright_model(tmp_path / "mirrored", (0,)))
    dark = slicer.util.addVolumeFromArray(np.full((24, 24, 24), 10, np.int16))
    dark.SetName("dark")
    ui.inputVolumeSelector.setCurrentNode(dark)
    ready.host.process_events()
    ready.press(ui.mirrorCheckBox)
    press_apply(ready)
    done, *warnings = ui.applyMessage.text.splitlines()
    assert done == "Done: dark by GenSeg"
    assert "dark: the segmentation is empty: the model found no Bright" in warnings
