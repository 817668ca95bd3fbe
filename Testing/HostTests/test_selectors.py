"""Node selectors of the host behave as Slicer's do."""

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


def test_the_recorded_sequence_of_a_selection_and_a_removal(selector: Any) -> None:
    """Recorded in a running Slicer: current node, its ID, none after removal; the events."""
    events: list[str | None] = []
    selector.connect(
        "currentNodeChanged(vtkMRMLNode*)", lambda node: events.append(node and node.GetName())
    )
    assert not selector.enabled, "there is no scene"
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.enabled
    node = _add("A")
    selector.setCurrentNode(node)
    assert [selector.currentNode().GetName(), selector.currentNodeID == node.GetID()] == ["A", True]
    slicer.mrmlScene.RemoveNode(node)
    assert selector.currentNode() is None
    assert events == ["A", None]


def test_setting_another_node_activates_it_as_in_slicer(selector: Any) -> None:
    selector.setMRMLScene(slicer.mrmlScene)
    first, second = _add("A"), _add("B")
    events: list[str] = []
    selector.setCurrentNode(first)
    selector.connect("nodeActivated(vtkMRMLNode*)", lambda node: events.append(node.GetName()))
    for node in (second, second, None):
        selector.setCurrentNode(node)
    assert events == ["B"]
    selector.setCurrentNode(first)
    events.clear()
    slicer.mrmlScene.RemoveNode(first)  # another node is selected, but not activated
    assert events == []


def test_nodes_are_listed_by_type_visibility_and_attribute(selector: Any) -> None:
    selector.setMRMLScene(slicer.mrmlScene)
    _add("volume")
    _add("labels", "vtkMRMLLabelMapVolumeNode")
    _add("segments", "vtkMRMLSegmentationNode")
    _add("hidden").SetHideFromEditors(True)
    _add("marked").SetAttribute("GenSeg", "1")
    assert _names(selector) == ["volume", "labels", "marked"]
    selector.showChildNodeTypes = False
    assert _names(selector) == ["volume", "marked"]
    selector.showHidden = True
    assert _names(selector) == ["volume", "hidden", "marked"]
    selector.addAttribute(VOLUME, "GenSeg", "1")
    assert _names(selector) == ["marked"]


@pytest.mark.parametrize(
    ("none_enabled", "requested", "current"),
    [(False, None, "first"), (True, None, None), (False, "second", "second")],
)
def test_the_node_that_is_selected_when_the_scene_is_set(
    none_enabled: bool, requested: str | None, current: str | None, selector: Any
) -> None:
    nodes = {name: _add(name) for name in ("first", "second")}
    selector.noneEnabled = none_enabled
    if requested:
        selector.setCurrentNodeID(nodes[requested].GetID())
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is nodes.get(current)
    assert selector.comboBox().currentText == (current or "None")


def test_the_next_node_is_selected_after_a_removal(selector: Any) -> None:
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    first, second = _add("first"), _add("second")
    selector.setCurrentNode(first)
    slicer.mrmlScene.RemoveNode(first)
    assert selector.currentNode() is second
    slicer.mrmlScene.Clear(0)
    assert (selector.currentNode(), selector.nodeCount()) == (None, 0)


def test_renaming_the_current_node_emits_current_node_changed(selector: Any) -> None:
    selector.setMRMLScene(slicer.mrmlScene)
    node = _add("old")
    selector.setCurrentNode(node)
    changed: list[Any] = []
    selector.currentNodeChanged.connect(changed.append)
    node.SetName("new")
    assert selector.comboBox().currentText == "new"
    assert changed == [node]


def test_a_selector_is_as_wide_as_its_longest_name_at_first_show(selector: Any) -> None:
    _add("1.2.840.113619.2.55.3.604688119.971.1262804 " * 3)
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.minimumSizeHint.width() > 600


def test_create_new_adds_a_node_and_selects_it(selector: Any) -> None:
    selector.baseName = "Prediction"
    selector.setMRMLScene(slicer.mrmlScene)
    box = selector.comboBox()
    box.activated.emit(box.findText("Create new Volume"))
    assert selector.currentNode().GetName() == "Prediction"


def test_a_deleted_selector_no_longer_observes_the_scene(
    selector: Any, host: Any, capfd: pytest.CaptureFixture
) -> None:
    selector.setMRMLScene(slicer.mrmlScene)
    _add("before")
    selector.deleteLater()
    host.process_events()
    _add("after").SetName("renamed")
    assert capfd.readouterr().err == ""


def test_several_nodes_are_checked(scene: Any) -> None:
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
