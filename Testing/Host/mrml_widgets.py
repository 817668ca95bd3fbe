"""qMRML's containers: widgets that hand a scene to the widgets in them."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from .collapsible import Collapsible
from .ui_loader import offered


class SceneHolder:
    """What qMRML widgets share: a scene, and a signal when it changes."""

    def mrmlScene(self) -> Any:
        return vars(self).get("_scene")

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self.mrmlScene():
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


@offered
class qMRMLWidget(SceneHolder, QWidget):
    """The top of a module's panel."""

    mrmlSceneChanged = Signal(object)
    signatures = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}


@offered
class qMRMLCollapsibleButton(SceneHolder, Collapsible):
    """A foldable section that hands its scene on."""

    mrmlSceneChanged = Signal(object)
    signatures = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}
