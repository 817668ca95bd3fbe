"""Typed parameters in a node of the scene, and the widgets that they are bound to."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any, Optional, Union

import ctk
import pytest
import qt
import slicer
from slicer.parameterNodeWrapper import (
    Choice,
    Decimals,
    Default,
    WithinRange,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)


class Effort(enum.Enum):
    QUICK = "quick"
    THOROUGH = "thorough"


@parameterNodeWrapper
class Parameters:
    """One parameter of each type."""

    name: str = "a name"
    steps: int
    rate: Annotated[float, WithinRange(0, 10), Decimals(3)] = 0.5
    mirror: bool
    folder: Path
    effort: Effort
    preset: Annotated[str, Choice(["liver", "hippocampus"]), Default("hippocampus")]
    volume: slicer.vtkMRMLScalarVolumeNode
    pairs: list[slicer.vtkMRMLScalarVolumeNode]
    roles: list[str]
    classes: dict[str, str]
    budget: Optional[int]  # noqa: UP045 - Slicer 5.8 has Python 3.9
    prediction: Union[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007


@pytest.fixture
def parameters(scene: Any) -> Any:
    return Parameters(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "parameters"))


def _modified(parameters: Any) -> list[str]:
    import vtk

    events: list[str] = []
    parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: events.append("modified"))
    return events


def test_the_defaults_stand_in_the_node(parameters: Any) -> None:
    values = (parameters.name, parameters.rate, parameters.preset, parameters.effort)
    assert values == ("a name", 0.5, "hippocampus", Effort.QUICK)
    assert parameters.parameterNode.GetParameter("preset") == "hippocampus"
    assert (parameters.volume, parameters.budget, list(parameters.roles)) == (None, None, [])
    assert isParameterNodeWrapper(parameters)


@pytest.mark.parametrize(
    ("name", "value"), [("steps", 1.5), ("mirror", 1), ("name", None), ("folder", "/tmp")]
)
def test_a_value_of_another_type_is_refused(parameters: Any, name: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        setattr(parameters, name, value)


@pytest.mark.parametrize(("name", "value"), [("rate", 11.0), ("preset", "brain")])
def test_a_value_that_is_not_allowed_is_refused(parameters: Any, name: str, value: object) -> None:
    with pytest.raises(ValueError, match="Value must"):
        setattr(parameters, name, value)


def test_a_list_writes_itself_when_it_is_changed(parameters: Any) -> None:
    events = _modified(parameters)
    parameters.roles.append("train")
    parameters.roles[0] = "validate"
    assert (parameters.roles, len(events)) == (["validate"], 2)


def test_a_dictionary_writes_itself_and_its_get_takes_no_default(parameters: Any) -> None:
    parameters.classes["left"] = "Anterior"
    assert parameters.classes == {"left": "Anterior"}
    with pytest.raises(TypeError):
        parameters.classes.get("right", "")


def test_a_removed_node_leaves_none(parameters: Any, scene: Any) -> None:
    parameters.volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    scene.RemoveNode(parameters.volume)
    assert parameters.volume is None


def test_all_survive_a_saved_and_loaded_scene(parameters: Any, scene: Any, tmp_path: Path) -> None:
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Bild ä")
    parameters.volume, parameters.pairs = volume, [volume, volume]
    parameters.prediction = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "prediction")
    parameters.classes, parameters.roles = {"a b": "c;d"}, ["train", "ignore"]
    parameters.folder, parameters.effort = Path("/data/Läufe 1"), Effort.THOROUGH
    parameters.budget = 30
    path = tmp_path / "scene.mrml"
    assert slicer.util.saveScene(str(path))
    scene.Clear(0)
    slicer.util.loadScene(str(path))
    again = Parameters(slicer.util.getNode("parameters"))
    assert (again.volume.GetName(), len(again.pairs)) == ("Bild ä", 2)
    assert again.prediction.GetName() == "prediction"
    assert (again.classes, again.roles) == ({"a b": "c;d"}, ["train", "ignore"])
    assert (again.folder, again.effort, again.budget) == (
        Path("/data/Läufe 1"),
        Effort.THOROUGH,
        30,
    )


def _panel() -> dict[str, Any]:
    widgets = {
        "name": qt.QLineEdit(),
        "steps": qt.QSpinBox(),
        "rate": ctk.ctkSliderWidget(),
        "mirror": qt.QCheckBox(),
        "folder": ctk.ctkPathLineEdit(),
        "effort": qt.QComboBox(),
        "preset": qt.QComboBox(),
        "volume": slicer.qMRMLNodeComboBox(),
    }
    widgets["volume"].noneEnabled = True
    widgets["volume"].setMRMLScene(slicer.mrmlScene)
    return widgets


def test_widgets_show_the_parameters(parameters: Any) -> None:
    widgets = _panel()
    parameters.connectParametersToGui(widgets)
    parameters.name, parameters.effort, parameters.rate = "other", Effort.THOROUGH, 2.0
    shown = (widgets["name"].text, widgets["effort"].currentText, widgets["rate"].value)
    assert shown == ("other", "THOROUGH", 2.0)
    assert (widgets["rate"].maximum, widgets["rate"].decimals) == (10.0, 3)


def test_parameters_follow_the_widgets(parameters: Any, scene: Any) -> None:
    widgets = _panel()
    parameters.connectParametersToGui(widgets)
    widgets["steps"].value = 12
    widgets["mirror"].checked = True
    widgets["folder"].currentPath = "/data/a b"
    widgets["preset"].currentText = "liver"
    widgets["volume"].setCurrentNode(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"))
    got = (parameters.steps, parameters.mirror, parameters.folder, parameters.preset)
    assert got == (12, True, Path("/data/a b"), "liver")
    assert parameters.volume is widgets["volume"].currentNode()


def test_a_disconnected_panel_changes_nothing(parameters: Any) -> None:
    widgets = _panel()
    parameters.disconnectGui(parameters.connectParametersToGui(widgets))
    widgets["steps"].value = 12
    parameters.name = "other"
    assert (parameters.steps, widgets["name"].text) == (0, "a name")


def test_widgets_are_found_by_their_dynamic_property(parameters: Any) -> None:
    panel = qt.QWidget()
    box = qt.QCheckBox(panel)
    box.setProperty("SlicerParameterName", "mirror")
    parameters.connectGui(panel)
    box.checked = True
    assert parameters.mirror


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("name", lambda: ctk.ctkPathLineEdit()),
        ("name", lambda: qt.QComboBox()),
        ("steps", lambda: qt.QSlider()),
    ],
)
def test_what_slicer_cannot_bind_is_refused(parameters: Any, name: str, make: Any) -> None:
    with pytest.raises(RuntimeError):
        parameters.connectParametersToGui({name: make()})
