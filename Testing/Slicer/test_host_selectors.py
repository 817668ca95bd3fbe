"""Node selectors of the host follow the scene as Slicer's do."""

from __future__ import annotations

from typing import Any

import pytest
import qt
import slicer

VOLUME = "vtkMRMLScalarVolumeNode"


@pytest.fixture
def selector(scene: Any) -> Any:
    widget = slicer.qMRMLNodeComboBox()
    widget.nodeTypes = [VOLUME]
    return widget


def _add(name: str, kind: str = VOLUME) -> Any:
    return slicer.mrmlScene.AddNewNodeByClass(kind, name)


def _names(selector: Any) -> list[str]:
    return [each.GetName() for each in selector.nodes()]


def test_it_is_disabled_until_it_has_a_scene(selector: Any) -> None:
    assert not selector.enabled
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.enabled


def test_the_recorded_sequence_of_a_choice_and_its_removal(selector: Any) -> None:
    """Recorded in a running Slicer: current node, its id, none after removal; the events."""
    events: list[str | None] = []
    selector.connect(
        "currentNodeChanged(vtkMRMLNode*)", lambda node: events.append(node and node.GetName())
    )
    selector.setMRMLScene(slicer.mrmlScene)
    node = _add("A")
    selector.setCurrentNode(node)
    assert [selector.currentNode().GetName(), selector.currentNodeID == node.GetID()] == ["A", True]
    slicer.mrmlScene.RemoveNode(node)
    assert selector.currentNode() is None
    assert events == ["A", None]


def test_it_lists_the_types_that_it_is_for(selector: Any) -> None:
    selector.setMRMLScene(slicer.mrmlScene)
    _add("volume")
    _add("labels", "vtkMRMLLabelMapVolumeNode")
    _add("segments", "vtkMRMLSegmentationNode")
    assert _names(selector) == ["volume", "labels"]
    selector.showChildNodeTypes = False
    assert _names(selector) == ["volume"]


def test_it_leaves_hidden_nodes_out(selector: Any) -> None:
    selector.setMRMLScene(slicer.mrmlScene)
    node = _add("volume")
    node.SetHideFromEditors(True)
    assert _names(selector) == []
    selector.showHidden = True
    assert _names(selector) == ["volume"]


def test_a_node_chosen_before_there_is_a_scene_is_kept_in_mind(selector: Any) -> None:
    _add("first")
    second = _add("second")
    selector.setCurrentNodeID(second.GetID())
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is second


def test_a_scene_with_nodes_gives_the_first_one(selector: Any) -> None:
    first = _add("first")
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is first


def test_with_none_enabled_a_scene_gives_none(selector: Any) -> None:
    _add("first")
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is None
    assert selector.comboBox().currentText == "None"


def test_the_next_node_follows_a_removed_one(selector: Any) -> None:
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    first, second = _add("first"), _add("second")
    selector.setCurrentNode(first)
    slicer.mrmlScene.RemoveNode(first)
    assert selector.currentNode() is second


def test_a_renamed_node_is_shown_by_its_new_name(selector: Any) -> None:
    selector.setMRMLScene(slicer.mrmlScene)
    node = _add("old")
    selector.setCurrentNode(node)
    changed: list[Any] = []
    selector.currentNodeChanged.connect(changed.append)
    node.SetName("new")
    assert selector.comboBox().currentText == "new"
    assert changed == [node]


def test_a_closed_scene_leaves_nothing_to_choose(selector: Any) -> None:
    selector.setMRMLScene(slicer.mrmlScene)
    selector.setCurrentNode(_add("volume"))
    slicer.mrmlScene.Clear(0)
    assert (selector.currentNode(), selector.nodeCount()) == (None, 0)


def test_an_attribute_narrows_the_choice(selector: Any) -> None:
    selector.setMRMLScene(slicer.mrmlScene)
    _add("plain")
    _add("marked").SetAttribute("GenSeg", "1")
    selector.addAttribute(VOLUME, "GenSeg", "1")
    assert _names(selector) == ["marked"]


def test_create_new_adds_a_node_and_chooses_it(selector: Any) -> None:
    selector.baseName = "Prediction"
    selector.setMRMLScene(slicer.mrmlScene)
    box = selector.comboBox()
    box.activated.emit(box.findText("Create new Volume"))
    assert selector.currentNode().GetName() == "Prediction"


def test_a_deleted_selector_hears_no_more_of_the_scene(
    selector: Any, host: Any, capfd: pytest.CaptureFixture
) -> None:
    selector.setMRMLScene(slicer.mrmlScene)
    _add("before")
    selector.deleteLater()
    host.process_events()
    _add("after").SetName("renamed")
    assert capfd.readouterr().err == ""


def test_several_nodes_are_ticked(scene: Any) -> None:
    selector = slicer.qMRMLCheckableNodeComboBox()
    selector.nodeTypes = [VOLUME]
    selector.setMRMLScene(scene)
    changes: list[int] = []
    selector.connect("checkedNodesChanged()", lambda: changes.append(1))
    first, second = _add("first"), _add("second")
    selector.check(first)
    selector.setCheckState(second, qt.Qt.Checked)
    assert (selector.checkedNodes(), len(changes)) == ((first, second), 2)
    scene.RemoveNode(first)
    assert (selector.checkedNodes(), len(changes)) == ((second,), 3)
