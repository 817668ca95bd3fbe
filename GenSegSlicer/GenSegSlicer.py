"""GenSeg: train a segmentation model from a handful of segmented volumes, look, and apply it."""

from __future__ import annotations

import sys
from typing import Any

import slicer
import vtk
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.SampleData import registerSampleData
from GenSegSlicerLib.SelfTest import GenSegSlicerTest
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

__all__ = ["GenSegSlicer", "GenSegSlicerLogic", "GenSegSlicerTest", "GenSegSlicerWidget"]


class GenSegSlicer(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("GenSeg")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["The GenSeg contributors"]
        parent.helpText = _(
            "Learns to segment from a handful of volumes that you have segmented: it generates "
            "further image-mask pairs from them and trains a model on real and generated pairs "
            "together. Research use only: GenSeg is no medical device."
        )
        parent.acknowledgementText = _(
            "The method is that of Zhang et al., Nat Commun 2025, "
            "doi:10.1038/s41467-025-61754-6. Built on PyTorch and MONAI."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


class GenSegSlicerWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: loads the `.ui` file and hands its sections to the classes of GenSegSlicerLib."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: GenSegSlicerLogic | None = None
        self.panel: Any = None

    def setup(self) -> None:
        """Make the panel; called when it is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        from GenSegSlicerLib.Panel import Panel

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
        slicer.app.connect("aboutToQuit()", self.panel.slicerCloses)
        self.panel.setParameterNode(self.logic.getParameterNode())

    def enter(self) -> None:
        """Bring the panel up to date; called each time it is shown."""
        self.panel.setParameterNode(self.logic.getParameterNode())
        self.panel.enter()

    def exit(self) -> None:
        """Give the slice views back; called when the user goes to another module."""
        if self.panel is not None:
            self.panel.exit()

    def cleanup(self) -> None:
        """Let go of observers and timers; a running training goes on."""
        self.removeObservers()
        if self.panel is not None:
            slicer.app.disconnect("aboutToQuit()", self.panel.slicerCloses)
            self.panel.cleanup()
            self.panel = None

    def onReload(self) -> None:
        """Reload the module together with its library."""
        for name in [name for name in sys.modules if name.split(".")[0] == "GenSegSlicerLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller: vtk.vtkObject, event: str) -> None:
        """Let go of nodes that are about to vanish."""
        self.panel.sceneCloses()

    def onSceneStartImport(self, caller: vtk.vtkObject, event: str) -> None:
        """Keep still while the choices of a saved scene come in one after the other."""
        self.panel.setParameterNode(None)

    def onSceneReady(self, caller: vtk.vtkObject, event: str) -> None:
        """Show what the closed or loaded scene says."""
        self.panel.setParameterNode(self.logic.getParameterNode())

    def onNodeRemoved(self, caller: vtk.vtkObject, event: str) -> None:
        """Forget pairs whose nodes are gone."""
        self.panel.nodeRemoved()
