"""The host's application: scene, files, modules, packages, translations."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from Host.facts import recorded_behavior

_PARAMETER_NODE = "vtkMRMLScriptedModuleNode"


def _volume(name: str = "volume") -> Any:
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    node = slicer.util.addVolumeFromArray(array, name=name)
    node.SetSpacing(1, 2, 2.5)
    node.SetOrigin(10, -20, 30)
    return node


def _segmentation(volume: Any, name: str = "segmentation") -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = node.GetSegmentation().AddEmptySegment("part", "Anterior part", [1.0, 0.0, 0.0])
    mask = (slicer.util.arrayFromVolume(volume) > 60).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment, volume)
    return node


def test_closing_the_scene_keeps_the_singletons(scene: Any) -> None:
    _volume()
    scene.Clear(0)
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    for name in ("vtkMRMLSelectionNodeSingleton", "vtkMRMLSliceNodeRed"):
        assert scene.GetNodeByID(name) is not None


def test_closing_the_scene_is_told_before_and_after(scene: Any) -> None:
    told: list[str] = []
    events = {"start": scene.StartCloseEvent, "end": scene.EndCloseEvent}
    tags = [
        scene.AddObserver(event, lambda *_, name=name: told.append(name))
        for name, event in events.items()
    ]
    scene.Clear(0)
    for tag in tags:
        scene.RemoveObserver(tag)
    assert told == ["start", "end"]


def test_a_volume_goes_to_a_file_and_back(scene: Any, tmp_path: Path) -> None:
    node = _volume()
    path = str(tmp_path / "Bild ä.nrrd")
    assert slicer.util.saveNode(node, path)
    loaded = slicer.util.loadVolume(path, {"name": "again"})
    assert loaded.GetName() == "again"
    assert np.array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(node))
    np.testing.assert_allclose(loaded.GetSpacing(), node.GetSpacing())
    np.testing.assert_allclose(loaded.GetOrigin(), node.GetOrigin())


def test_a_loaded_label_map_has_the_colors_that_slicer_gives_it(scene: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "label.nrrd")
    assert slicer.util.saveNode(_volume(), path)
    colors = slicer.util.loadLabelVolume(path).GetDisplayNode().GetColorNode()
    assert colors.GetID() == "vtkMRMLColorTableNodeFileGenericColors.txt"
    assert len({colors.GetLookupTable().GetTableValue(value)[:3] for value in range(1, 9)}) == 8


def test_a_segmentation_goes_to_a_file_and_back(scene: Any, tmp_path: Path) -> None:
    node = _segmentation(_volume())
    path = str(tmp_path / "segments.seg.nrrd")
    assert slicer.util.saveNode(node, path)
    loaded = slicer.util.loadSegmentation(path)
    assert loaded.GetSegmentation().GetNthSegment(0).GetName() == "Anterior part"


def test_a_file_that_is_not_there_is_an_error(scene: Any, tmp_path: Path) -> None:
    vtk.vtkObject.GlobalWarningDisplayOff()
    try:
        with pytest.raises(RuntimeError, match="Failed to load node"):
            slicer.util.loadVolume(str(tmp_path / "no.nrrd"))
    finally:
        vtk.vtkObject.GlobalWarningDisplayOn()


def test_a_scene_bundle_goes_to_a_file_and_back(scene: Any, tmp_path: Path) -> None:
    _segmentation(_volume("image"))
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    scene.Clear(0)
    slicer.util.loadScene(path)
    assert slicer.util.getNode("image").GetImageData().GetDimensions() == (6, 5, 4)
    assert slicer.util.getNode("segmentation").GetSegmentation().GetNumberOfSegments() == 1


def test_data_nodes_have_items_in_the_subject_hierarchy(scene: Any) -> None:
    volume = _volume()
    segmentation = _segmentation(volume)
    hierarchy = scene.GetSubjectHierarchyNode()
    items = [hierarchy.GetItemByDataNode(each) for each in (volume, segmentation)]
    owners = [hierarchy.GetItemOwnerPluginName(each) for each in items]
    assert owners == ["Volumes", "Segmentations"]
    scene.RemoveNode(volume)
    assert hierarchy.GetItemDataNode(items[0]) is None


def test_a_study_of_the_subject_hierarchy_survives_a_saved_scene(
    scene: Any, tmp_path: Path
) -> None:
    hierarchy = scene.GetSubjectHierarchyNode()
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(_volume("image")), study)
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    scene.Clear(0)
    slicer.util.loadScene(path)
    hierarchy = scene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(slicer.util.getNode("image"))
    assert hierarchy.GetItemName(hierarchy.GetItemParent(item)) == "study"


def test_the_application_has_what_the_recording_names() -> None:
    app = slicer.app
    assert isinstance(app.slicerHome, str)
    assert Path(app.temporaryPath).is_dir()
    assert app.mrmlScene() is slicer.mrmlScene
    assert app.testingEnabled()
    for name in ("extensionsInstallPath", "applicationVersion", "revision", "platform"):
        assert isinstance(getattr(app, name), str)


def test_the_application_and_slicer_util_have_the_recorded_names() -> None:
    behavior = recorded_behavior()
    names = behavior["slicer.app.pythonConsole etc: attributes of slicer.app"]
    assert [each for each in names if not hasattr(slicer.app, each)] == []
    names = behavior["slicer.util names"]
    assert [each for each in names if not hasattr(slicer.util, each)] == []


def test_the_functions_of_packages_take_the_recorded_parameters() -> None:
    left_out = {"load_pyproject_dependencies"}
    for name, signature in recorded_behavior()["slicer.packaging functions"].items():
        if name in left_out or "blocking" in signature:  # pip_install and pip_uninstall refuse all
            continue
        wanted = re.findall(r"(\w+): ", signature)
        assert list(inspect.signature(getattr(slicer.packaging, name)).parameters) == wanted


def test_no_package_is_installed_or_removed() -> None:
    with pytest.raises(RuntimeError, match="installs no packages"):
        slicer.util.pip_install("no-such-package")
    assert slicer.packaging.pip_check("numpy>=1")
    assert not slicer.packaging.pip_check("numpy>=999")


def test_the_requirements_of_a_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("# what is needed\nmonai>=1.4  # for training\n--no-deps\n\n")
    assert [str(each) for each in slicer.packaging.load_requirements(path)] == ["monai>=1.4"]


def test_a_text_stays_as_it_is_without_translations() -> None:
    from slicer.i18n import tr as _
    from slicer.i18n import translate

    assert (_("Train"), translate("GenSeg", "Stop")) == ("Train", "Stop")


@pytest.mark.parametrize("name", ["", "Widget", "Logic", "Test"])
def test_the_base_classes_of_modules_have_the_recorded_methods(name: str) -> None:
    base = f"ScriptedLoadableModule{name}"
    kind = getattr(slicer.ScriptedLoadableModule, base)
    for method, signature in recorded_behavior()[f"{base} methods"].items():
        parameters = inspect.signature(getattr(kind, method)).parameters.values()
        bare = [str(each.replace(annotation=inspect.Parameter.empty)) for each in parameters]
        assert f"({', '.join(bare)})" == signature, method


_MODULE = """
from slicer.ScriptedLoadableModule import *
import qt, slicer

CALLS = []

class {name}(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "{title}"
        parent.categories = ["Examples"]

class {name}Widget(ScriptedLoadableModuleWidget):
    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = {name}Logic()
        self.label = qt.QLabel("{title}")
        self.layout.addWidget(self.label)
        slicer.hostTestCalls.append("setup")
    def enter(self): slicer.hostTestCalls.append("enter")
    def exit(self): slicer.hostTestCalls.append("exit")
    def cleanup(self): slicer.hostTestCalls.append("cleanup")

class {name}Logic(ScriptedLoadableModuleLogic):
    pass
"""


@pytest.fixture
def module_file(tmp_path: Path, host: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file of a small scripted module; what its panel is told lies in slicer.hostTestCalls."""
    name = "HostExample"
    monkeypatch.setattr(slicer, "hostTestCalls", [], raising=False)
    path = tmp_path / f"{name}.py"
    path.write_text(_MODULE.format(name=name, title="First"))
    yield path
    if slicer.app.moduleManager().isLoaded(name):
        host.close_module(name)
    slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetSingletonNode(name, _PARAMETER_NODE))
    sys.modules.pop(name, None)
    sys.path.remove(str(tmp_path))


def test_a_module_is_loaded_opened_and_found(module_file: Path, host: Any, scene: Any) -> None:
    widget = host.open_module(module_file)
    module = slicer.modules.hostexample
    assert (module.title, module.categories, module.name) == ("First", ("Examples",), "HostExample")
    assert slicer.util.getModuleWidget("HostExample") is widget
    assert slicer.util.getModuleLogic("HostExample") is widget.logic
    assert slicer.hostTestCalls == ["setup", "enter"]


def test_a_reloaded_module_has_its_new_source(module_file: Path, host: Any, scene: Any) -> None:
    host.open_module(module_file)
    module_file.write_text(_MODULE.format(name="HostExample", title="Second edition"))
    slicer.util.reloadScriptedModule("HostExample")
    assert slicer.modules.HostExampleWidget.label.text == "Second edition"
    assert slicer.hostTestCalls == ["setup", "enter", "cleanup", "setup"]


def test_an_unloaded_module_cleans_up(module_file: Path, host: Any, scene: Any) -> None:
    host.open_module(module_file)
    host.close_module("HostExample")
    assert slicer.hostTestCalls[-1] == "cleanup"
    assert not hasattr(slicer.modules, "hostexample")


def test_the_logic_keeps_one_parameter_node(module_file: Path, host: Any, scene: Any) -> None:
    logic = host.open_module(module_file).logic
    node = logic.getParameterNode()
    assert logic.getParameterNode() is node
    assert node.GetAttribute("ModuleName") == "HostExample"
    assert logic.getAllParameterNodes() == [node]
