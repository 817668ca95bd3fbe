"""The application's scene, the logics attached to it, and its subject hierarchy."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import slicer
import vtk
from vtkmodules.util.misc import calldata_type
from vtkmodules.vtkCommonCore import vtkLogger, vtkObject

# Module name -> logic class of slicer-core. Each registers its node classes with the scene.
_LOGICS = {
    "Units": "vtkSlicerUnitsLogic",
    "Colors": "vtkSlicerColorLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Cameras": "vtkSlicerCamerasModuleLogic",
    "Models": "vtkSlicerModelsLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "SceneViews": "vtkSlicerSceneViewsModuleLogic",
}

# Node class -> subject hierarchy plugin that owns its items
_OWNERS = {
    "vtkMRMLLabelMapVolumeNode": "LabelMaps",
    "vtkMRMLVolumeNode": "Volumes",
    "vtkMRMLSegmentationNode": "Segmentations",
    "vtkMRMLModelNode": "Models",
    "vtkMRMLMarkupsNode": "Markups",
    "vtkMRMLTransformNode": "Transforms",
    "vtkMRMLTableNode": "Tables",
    "vtkMRMLTextNode": "Texts",
    "vtkMRMLPlotChartNode": "Plots",
}

_LONG_LONG = {
    vtk.VTK_LONG_LONG: "VTK_LONG_LONG",
    vtk.VTK_UNSIGNED_LONG_LONG: "VTK_UNSIGNED_LONG_LONG",
}


class ApplicationScene:
    """A scene with the logics of the application and its modules.

    Args:
        temporary: folder for the application's temporary files.
    """

    def __init__(self, temporary: Path) -> None:
        self.scene = slicer.vtkMRMLScene()
        self.application_logic = slicer.vtkSlicerApplicationLogic()
        self.application_logic.SetTemporaryPath(str(temporary))
        self._add_color_files(temporary)
        self.application_logic.SetMRMLScene(self.scene)
        self._add_cache(temporary)
        self.logics = {module: self._attach(module) for module in _LOGICS}
        self.application_logic.SetColorLogic(self.logics["Colors"])
        self._hierarchy_updater = SubjectHierarchyUpdater(self.scene)

    def _add_color_files(self, folder: Path) -> None:
        """Write the color table of label maps, a file that slicer-core does not include."""
        colors = folder / "share" / "ColorFiles"
        colors.mkdir(parents=True)
        lines = ["0 background 0 0 0 0"]
        for index in range(1, 257):  # hues a golden angle apart: neighbors look different
            rgb = colorsys.hsv_to_rgb(index * 0.381966 % 1, 0.45 + 0.5 * (index % 2), 0.9)
            lines.append(f"{index} {index} {' '.join(str(round(255 * c)) for c in rgb)} 255")
        (colors / "GenericColors.txt").write_text("\n".join(lines) + "\n")
        self.application_logic.SetHomeDirectory(str(folder))
        self.application_logic.SetShareDirectory("share")

    def _add_cache(self, temporary: Path) -> None:
        """Set the cache, into which scene bundles (.mrb) are unpacked."""
        cache = slicer.vtkCacheManager()
        cache.SetRemoteCacheDirectory(str(temporary))
        manager = slicer.vtkDataIOManager()
        manager.SetCacheManager(cache)
        self.scene.SetCacheManager(cache)
        self.scene.SetDataIOManager(manager)

    def _attach(self, module: str) -> Any:
        logic = getattr(slicer, _LOGICS[module])()
        with _no_vtk_messages():  # slicer-core includes no terminology files
            logic.SetMRMLApplicationLogic(self.application_logic)
            logic.SetMRMLScene(self.scene)
        self.application_logic.SetModuleLogic(module, logic)
        return logic


@contextmanager
def _no_vtk_messages() -> Iterator[None]:
    previous = vtkObject.GetGlobalWarningDisplay()
    vtkObject.SetGlobalWarningDisplay(0)
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    yield
    vtkObject.SetGlobalWarningDisplay(previous)
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_WARNING)


class SubjectHierarchyUpdater:
    """Add and remove items of data nodes, as the application's plugins do."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        scene.AddObserver(scene.NodeAddedEvent, self._added)
        scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._about_to_be_removed)
        for event in (scene.EndImportEvent, scene.EndCloseEvent, scene.EndBatchProcessEvent):
            scene.AddObserver(event, self._add_all)

    def _hierarchy(self) -> Any:
        return slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(self._scene)

    @calldata_type(vtk.VTK_OBJECT)
    def _added(self, _scene: Any, _event: str, node: Any) -> None:
        if not self._scene.IsBatchProcessing() and not self._scene.IsImporting():
            self._add(self._hierarchy(), node)

    @calldata_type(vtk.VTK_OBJECT)
    def _about_to_be_removed(self, _scene: Any, _event: str, node: Any) -> None:
        if self._scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        hierarchy = self._hierarchy()
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.RemoveItem(item, False, False)

    def _add_all(self, *_: Any) -> None:
        hierarchy = self._hierarchy()
        for index in range(self._scene.GetNumberOfNodes()):
            self._add(hierarchy, self._scene.GetNthNode(index))

    def _add(self, hierarchy: Any, node: Any) -> None:
        owner = next((name for kind, name in _OWNERS.items() if node.IsA(kind)), None)
        is_listed = node.GetHideFromEditors() or hierarchy.GetItemByDataNode(node)
        if owner is not None and not is_listed:
            item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
            hierarchy.SetItemOwnerPluginName(item, owner)


class OrientedImageDataResample(slicer.vtkOrientedImageDataResample):
    """Raise where VTK crashes the application: it resamples no 64-bit integers."""

    @staticmethod
    def ResampleOrientedImageToReferenceOrientedImage(image: Any, *arguments: Any) -> bool:
        _refuse_long_long(image)
        return slicer_resample.ResampleOrientedImageToReferenceOrientedImage(image, *arguments)

    @staticmethod
    def ResampleOrientedImageToReferenceGeometry(image: Any, *arguments: Any) -> bool:
        _refuse_long_long(image)
        return slicer_resample.ResampleOrientedImageToReferenceGeometry(image, *arguments)


slicer_resample = slicer.vtkOrientedImageDataResample


def _refuse_long_long(image: Any) -> None:
    if image.GetScalarType() in _LONG_LONG:
        name = _LONG_LONG[image.GetScalarType()]
        raise RuntimeError(f"Support for {name} not compiled: this crashes 3D Slicer")
