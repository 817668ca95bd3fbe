"""The host's application: scene, files, modules, packages and exit."""

from __future__ import annotations

import inspect
import re
import subprocess
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


def test_closing_the_scene_keeps_the_singletons_and_emits_its_events(scene: Any) -> None:
    _volume()
    emitted: list[str] = []
    events = {"start": scene.StartCloseEvent, "end": scene.EndCloseEvent}
    tags = [
        scene.AddObserver(event, lambda *_, name=name: emitted.append(name))
        for name, event in events.items()
    ]
    scene.Clear(0)
    for tag in tags:
        scene.RemoveObserver(tag)
    assert emitted == ["start", "end"]
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    for name in ("vtkMRMLSelectionNodeSingleton", "vtkMRMLSliceNodeRed"):
        assert scene.GetNodeByID(name) is not None


def test_volumes_and_segmentations_are_saved_and_loaded(scene: Any, tmp_path: Path) -> None:
    node = _volume()
    path = str(tmp_path / "Bild ä.nrrd")
    assert slicer.util.saveNode(node, path)
    loaded = slicer.util.loadVolume(path, {"name": "again"})
    assert loaded.GetName() == "again"
    assert np.array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(node))
    np.testing.assert_allclose(loaded.GetSpacing(), node.GetSpacing())
    np.testing.assert_allclose(loaded.GetOrigin(), node.GetOrigin())
    colors = slicer.util.loadLabelVolume(path).GetDisplayNode().GetColorNode()
    assert colors.GetID() == "vtkMRMLColorTableNodeFileGenericColors.txt"
    assert len({colors.GetLookupTable().GetTableValue(value)[:3] for value in range(1, 9)}) == 8
    path = str(tmp_path / "segments.seg.nrrd")
    assert slicer.util.saveNode(_segmentation(node), path)
    loaded = slicer.util.loadSegmentation(path)
    assert (loaded.GetName(), loaded.GetSegmentation().GetNthSegment(0).GetName()) == (
        "segments",
        "Anterior part",
    )


@pytest.mark.parametrize("array", [vtk.vtkLongLongArray, vtk.vtkUnsignedLongLongArray])
def test_resampling_64_bit_labels_raises_where_slicer_crashes(array: Any) -> None:
    scalars = array()
    scalars.SetNumberOfTuples(8)
    scalars.Fill(1)
    image, reference, output = (slicer.vtkOrientedImageData() for _ in range(3))
    image.SetDimensions(2, 2, 2)
    image.GetPointData().SetScalars(scalars)
    reference.SetDimensions(4, 4, 4)
    reference.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    resample = slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage
    with pytest.raises(RuntimeError, match="LONG_LONG not compiled"):
        resample(image, reference, output)


def test_loading_a_missing_file_raises(scene: Any, tmp_path: Path) -> None:
    vtk.vtkObject.GlobalWarningDisplayOff()
    try:
        with pytest.raises(RuntimeError, match="Failed to load node"):
            slicer.util.loadVolume(str(tmp_path / "no.nrrd"))
    finally:
        vtk.vtkObject.GlobalWarningDisplayOn()


def test_data_nodes_have_items_in_the_subject_hierarchy(scene: Any) -> None:
    volume = _volume()
    segmentation = _segmentation(volume)
    hierarchy = scene.GetSubjectHierarchyNode()
    items = [hierarchy.GetItemByDataNode(each) for each in (volume, segmentation)]
    owners = [hierarchy.GetItemOwnerPluginName(each) for each in items]
    assert owners == ["Volumes", "Segmentations"]
    scene.RemoveNode(volume)
    assert hierarchy.GetItemDataNode(items[0]) is None


def test_a_scene_bundle_is_saved_and_loaded_with_its_studies(scene: Any, tmp_path: Path) -> None:
    volume = _volume("image")
    _segmentation(volume)
    hierarchy = scene.GetSubjectHierarchyNode()
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume), study)
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    scene.Clear(0)
    slicer.util.loadScene(path)
    assert slicer.util.getNode("image").GetImageData().GetDimensions() == (6, 5, 4)
    assert slicer.util.getNode("segmentation").GetSegmentation().GetNumberOfSegments() == 1
    hierarchy = scene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(slicer.util.getNode("image"))
    assert hierarchy.GetItemName(hierarchy.GetItemParent(item)) == "study"


def test_the_application_and_slicer_util_have_the_recorded_names() -> None:
    behavior = recorded_behavior()
    names = behavior["slicer.app.pythonConsole etc: attributes of slicer.app"]
    assert [each for each in names if not hasattr(slicer.app, each)] == []
    names = behavior["slicer.util names"]
    assert [each for each in names if not hasattr(slicer.util, each)] == []
    assert Path(slicer.app.temporaryPath).is_dir()
    assert slicer.app.mrmlScene() is slicer.mrmlScene


def test_the_functions_of_slicer_packaging_have_the_recorded_parameters() -> None:
    omitted = {"load_pyproject_dependencies"}
    for name, signature in recorded_behavior()["slicer.packaging functions"].items():
        if name not in omitted and "blocking" not in signature:  # pip_install always raises
            recorded = re.findall(r"(\w+): ", signature)
            function = getattr(slicer.packaging, name)
            assert list(inspect.signature(function).parameters) == recorded


def test_packages_are_checked_but_not_installed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="installs no packages"):
        slicer.util.pip_install("no-such-package")
    assert slicer.packaging.pip_check("numpy>=1")
    assert not slicer.packaging.pip_check("numpy>=999")
    path = tmp_path / "requirements.txt"
    path.write_text("# required\nmonai>=1.4  # for training\n--no-deps\n\n")
    assert [str(each) for each in slicer.packaging.load_requirements(path)] == ["monai>=1.4"]


def test_texts_are_not_translated() -> None:
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
    """The file of a small scripted module, which records calls in `slicer.hostTestCalls`."""
    name = "HostExample"
    monkeypatch.setattr(slicer, "hostTestCalls", [], raising=False)
    path = tmp_path / f"{name}.py"
    path.write_text(_MODULE.format(name=name, title="First"))
    yield path
    if slicer.app.moduleManager().isLoaded(name):
        host.close_module(name)
    slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetSingletonNode(name, _PARAMETER_NODE))
    sys.modules.pop(name, None)
    if str(tmp_path) in sys.path:
        sys.path.remove(str(tmp_path))


def test_a_module_is_loaded_entered_and_found(module_file: Path, host: Any, scene: Any) -> None:
    widget = host.open_module(module_file)
    module = slicer.modules.hostexample
    assert (module.title, module.categories, module.name) == ("First", ("Examples",), "HostExample")
    assert slicer.util.getModuleWidget("HostExample") is widget
    assert slicer.util.getModuleLogic("HostExample") is widget.logic
    assert slicer.hostTestCalls == ["setup", "enter"]
    node = widget.logic.getParameterNode()
    assert widget.logic.getParameterNode() is node
    assert node.GetAttribute("ModuleName") == "HostExample"
    assert widget.logic.getAllParameterNodes() == [node]


def test_a_reloaded_module_has_its_new_source(module_file: Path, host: Any, scene: Any) -> None:
    host.open_module(module_file)
    module_file.write_text(_MODULE.format(name="HostExample", title="Second edition"))
    slicer.util.reloadScriptedModule("HostExample")
    assert slicer.modules.HostExampleWidget.label.text == "Second edition"
    assert slicer.hostTestCalls == ["setup", "enter", "cleanup", "setup"]
    host.close_module("HostExample")
    assert slicer.hostTestCalls[-1] == "cleanup"
    assert not hasattr(slicer.modules, "hostexample")


_EXIT = """
import sys
import Host
host = Host.install()
import slicer
slicer.hostTestCalls = []
slicer.app.connect("aboutToQuit()", lambda: print(slicer.hostTestCalls, "then aboutToQuit"))
host.open_module(sys.argv[1])
"""


def test_modules_are_unloaded_before_the_application_quits(module_file: Path) -> None:
    command = [sys.executable, "-c", _EXIT, str(module_file)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "['setup', 'enter', 'cleanup'] then aboutToQuit", done.stderr
