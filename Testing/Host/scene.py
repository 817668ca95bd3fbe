"""The application's scene, with the logics that the application attaches to it."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import slicer

from .subject_hierarchy import SubjectHierarchyFollower

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


class ApplicationScene:
    """A scene and the logics of the application and of its modules.

    Args:
        temporary: folder for the application's own temporary files.
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
        self._follower = SubjectHierarchyFollower(self.scene)

    def _add_color_files(self, folder: Path) -> None:
        """The color table of label maps, which Slicer reads from a file that the packages lack."""
        colors = folder / "share" / "ColorFiles"
        colors.mkdir(parents=True)
        lines = ["0 background 0 0 0 0"]
        for index in range(1, 257):  # hues a golden angle apart are told from their neighbors
            rgb = colorsys.hsv_to_rgb(index * 0.381966 % 1, 0.45 + 0.5 * (index % 2), 0.9)
            lines.append(f"{index} {index} {' '.join(str(round(255 * c)) for c in rgb)} 255")
        (colors / "GenericColors.txt").write_text("\n".join(lines) + "\n")
        self.application_logic.SetHomeDirectory(str(folder))
        self.application_logic.SetShareDirectory("share")

    def _add_cache(self, temporary: Path) -> None:
        """Scenes in one file (.mrb) are unpacked into the cache."""
        cache = slicer.vtkCacheManager()
        cache.SetRemoteCacheDirectory(str(temporary))
        manager = slicer.vtkDataIOManager()
        manager.SetCacheManager(cache)
        self.scene.SetCacheManager(cache)
        self.scene.SetDataIOManager(manager)

    def _attach(self, module: str) -> Any:
        logic = getattr(slicer, _LOGICS[module])()
        with _silence():  # the packages bring no terminology files
            logic.SetMRMLApplicationLogic(self.application_logic)
            logic.SetMRMLScene(self.scene)
        self.application_logic.SetModuleLogic(module, logic)
        return logic


class _silence:
    """No messages of VTK while it lasts."""

    def __enter__(self) -> None:
        from vtkmodules.vtkCommonCore import vtkLogger, vtkObject

        self._before = vtkObject.GetGlobalWarningDisplay()
        vtkObject.SetGlobalWarningDisplay(0)
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)

    def __exit__(self, *_: object) -> None:
        from vtkmodules.vtkCommonCore import vtkLogger, vtkObject

        vtkObject.SetGlobalWarningDisplay(self._before)
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_WARNING)
