"""GenSeg: train, review and apply segmentation models from a few segmented volumes."""

from __future__ import annotations

import sys
from typing import Any

import slicer
import vtk
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.Panel import Panel
from GenSegSlicerLib.SampleData import registerSampleData
from GenSegSlicerLib.SelfTest import GenSegSlicerTest
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

__all__ = ["GenSegSlicer", "GenSegSlicerLogic", "GenSegSlicerTest", "GenSegSlicerWidget"]


class GenSegSlicer(ScriptedLoadableModule):
    """Module description."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("GenSeg")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["The GenSeg contributors"]
        parent.helpText = _(
            "Trains a segmentation model from a few volumes that you have segmented. GenSeg "
            "generates additional image-mask pairs from them and trains the model on real and "
            "generated pairs. For research use only; GenSeg is not a medical device."
        )
        parent.acknowledgementText = _(
            "The method was published by Zhang et al., Nat Commun 2025, "
            "doi:10.1038/s41467-025-61754-6. GenSeg is built on PyTorch and MONAI."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


class GenSegSlicerWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Module widget: loads the `.ui` file and creates the panel."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: GenSegSlicerLogic | None = None
        self.panel: Panel | None = None
        self._isReloading = False

    def setup(self) -> None:
        """Create the panel when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/GenSegSlicer.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = GenSegSlicerLogic()
        self.panel = Panel(self.ui, self.logic)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneReady)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneReady)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)
        self.panel.setParameterNode(self.logic.getParameterNode())

    def enter(self) -> None:
        """Update the panel each time it is shown."""
        self.panel.setParameterNode(self.logic.getParameterNode())
        self.panel.enter()

    def exit(self) -> None:
        """Restore the slice views when the user switches to another module."""
        if self.panel is not None:
            self.panel.exit()

    def cleanup(self) -> None:
        """Remove observers and timers; a training continues unless the user chose otherwise.

        Slicer calls this when the module is reloaded, and when it quits (before `aboutToQuit`).
        """
        self.removeObservers()
        if self.panel is not None:
            if not self._isReloading:
                self.panel.onApplicationQuit()
            self.panel.cleanup()
            self.panel = None

    def onReload(self) -> None:
        """Reload the module together with GenSegSlicerLib."""
        self._isReloading = True
        for name in [name for name in sys.modules if name.split(".")[0] == "GenSegSlicerLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller: vtk.vtkObject, event: str) -> None:
        """Release the nodes of the scene."""
        self.panel.onSceneClosing()

    def onSceneStartImport(self, caller: vtk.vtkObject, event: str) -> None:
        """Ignore parameter changes while a scene is imported."""
        self.panel.onSceneImporting()

    def onSceneReady(self, caller: vtk.vtkObject, event: str) -> None:
        """Show the parameters of the new scene."""
        self.panel.onSceneReady(self.logic.getParameterNode())

    def onNodeRemoved(self, caller: vtk.vtkObject, event: str) -> None:
        """Remove pairs whose nodes were removed."""
        self.panel.onNodeRemoved()

    def onNodeAdded(self, caller: vtk.vtkObject, event: str) -> None:
        """List volumes that were added."""
        self.panel.onNodeAdded()
