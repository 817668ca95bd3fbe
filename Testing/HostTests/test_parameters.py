"""Typed parameters in a node of the scene, and the widgets connected to them."""

from __future__ import annotations

from typing import Annotated, Any

import ctk
import pytest
import qt
import slicer
from slicer.parameterNodeWrapper import (
    Decimals,
    Default,
    WithinRange,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)


@parameterNodeWrapper
class Parameters:
    """One parameter of each type."""

    name: str = "a name"
    steps: int
    rate: Annotated[float, WithinRange(0, 10), Decimals(3)] = 0.5
    mirror: bool
    preset: Annotated[str, Default("hippocampus")]
    volume: slicer.vtkMRMLScalarVolumeNode
    pairs: list[slicer.vtkMRMLScalarVolumeNode]
    roles: list[str]
    classes: dict[str, str]


@pytest.fixture
def parameters(scene: Any) -> Any:
    return Parameters(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "parameters"))


def test_the_defaults_are_written_to_the_node(parameters: Any) -> None:
    assert (parameters.name, parameters.rate, parameters.steps) == ("a name", 0.5, 0)
    assert parameters.parameterNode.GetParameter("preset") == "hippocampus"
    assert (parameters.volume, list(parameters.roles)) == (None, [])
    assert isParameterNodeWrapper(parameters)


@pytest.mark.parametrize(
    ("name", "value"), [("steps", 1.5), ("mirror", 1), ("name", None), ("rate", 11.0)]
)
def test_a_value_of_another_type_or_range_is_refused(
    parameters: Any, name: str, value: object
) -> None:
    with pytest.raises((TypeError, ValueError), match="Value must"):
        setattr(parameters, name, value)


def test_lists_and_dictionaries_write_themselves_on_changes(parameters: Any) -> None:
    import vtk

    events: list[str] = []
    parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: events.append("modified"))
    parameters.roles.append("train")
    parameters.roles[0] = "validate"
    assert (parameters.roles, len(events)) == (["validate"], 2)
    parameters.classes["left"] = "Anterior"
    assert parameters.classes == {"left": "Anterior"}
    with pytest.raises(TypeError):
        parameters.classes.get("right", "")


def test_a_removed_node_leaves_none(parameters: Any, scene: Any) -> None:
    parameters.volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    scene.RemoveNode(parameters.volume)
    assert parameters.volume is None


def test_all_values_survive_a_saved_scene(parameters: Any, scene: Any, tmp_path: Any) -> None:
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Bild ä")
    parameters.volume, parameters.pairs = volume, [volume, volume]
    parameters.classes, parameters.roles = {"a b": "c;d"}, ["train", "ignore"]
    parameters.name, parameters.rate, parameters.mirror = "Läufe 1", 2.5, True
    path = tmp_path / "scene.mrml"
    assert slicer.util.saveScene(str(path))
    scene.Clear(0)
    slicer.util.loadScene(str(path))
    loaded = Parameters(slicer.util.getNode("parameters"))
    assert (loaded.volume.GetName(), len(loaded.pairs)) == ("Bild ä", 2)
    assert (loaded.classes, loaded.roles) == ({"a b": "c;d"}, ["train", "ignore"])
    assert (loaded.name, loaded.rate, loaded.mirror) == ("Läufe 1", 2.5, True)


def _panel() -> dict[str, Any]:
    widgets = {
        "name": qt.QLineEdit(),
        "steps": qt.QSpinBox(),
        "rate": ctk.ctkSliderWidget(),
        "mirror": qt.QCheckBox(),
        "volume": slicer.qMRMLNodeComboBox(),
    }
    widgets["volume"].noneEnabled = True
    widgets["volume"].setMRMLScene(slicer.mrmlScene)
    return widgets


def test_widgets_show_the_parameters(parameters: Any) -> None:
    widgets = _panel()
    parameters.connectParametersToGui(widgets)
    parameters.name, parameters.rate = "other", 2.0
    assert (widgets["name"].text, widgets["rate"].value) == ("other", 2.0)
    assert (widgets["rate"].maximum, widgets["rate"].decimals) == (10.0, 3)


def test_parameters_are_set_by_the_widgets_until_they_are_disconnected(
    parameters: Any, scene: Any
) -> None:
    widgets = _panel()
    tag = parameters.connectParametersToGui(widgets)
    widgets["steps"].value = 12
    widgets["mirror"].checked = True
    widgets["volume"].setCurrentNode(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"))
    assert (parameters.steps, parameters.mirror) == (12, True)
    assert parameters.volume is widgets["volume"].currentNode()
    parameters.disconnectGui(tag)
    widgets["steps"].value = 13
    parameters.name = "other"
    assert (parameters.steps, widgets["name"].text) == (12, "a name")


def test_widgets_are_found_by_their_dynamic_property(parameters: Any) -> None:
    panel = qt.QWidget()
    box = qt.QCheckBox(panel)
    box.setProperty("SlicerParameterName", "mirror")
    parameters.connectGui(panel)
    box.checked = True
    assert parameters.mirror


@pytest.mark.parametrize(
    ("name", "kind"), [("name", ctk.ctkPathLineEdit), ("name", qt.QSpinBox), ("steps", qt.QSlider)]
)
def test_a_widget_that_slicer_cannot_connect_is_refused(
    parameters: Any, name: str, kind: Any
) -> None:
    with pytest.raises(RuntimeError):
        parameters.connectParametersToGui({name: kind()})
