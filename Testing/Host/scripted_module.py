"""The base classes of scripted modules."""

from __future__ import annotations

import inspect
import logging
import sys
import unittest
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QPushButton, QVBoxLayout

from .collapsible import ctkCollapsibleButton


class ScriptedLoadableModule:
    """A module's metadata; `parent` is the application's module object."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = ""
        parent.categories = []
        parent.dependencies = []
        parent.contributors = []
        parent.helpText = ""
        parent.acknowledgementText = ""
        icons = Path(parent.path).parent / "Resources" / "Icons"
        for icon in (icons / f"{self.moduleName}{ending}" for ending in (".svg", ".png")):
            if icon.is_file():
                parent.icon = QIcon(str(icon))
                break
        if not hasattr(slicer, "selfTests"):
            slicer.selfTests = {}
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:
        app = slicer.app
        address = app.moduleDocumentationUrl(self.moduleName)
        if docPage:
            address = app.documentationBaseUrl + docPage
        return f'<p>For more information, see the <a href="{address}">online documentation</a>.</p>'

    def runTest(self, msec: int = 100, **kwargs: Any) -> None:
        module = sys.modules[type(self).__module__]
        test = getattr(module, self.moduleName + "Test")()
        test.messageDelay = msec
        test.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """A module's panel; `parent` is the application's widget, whose layout it fills."""

    def __init__(self, parent: Any = None) -> None:
        name = type(self).__name__
        self.moduleName = name[: -len("Widget")] if name.endswith("Widget") else name
        self.developerMode = slicer.util.settingsValue(
            "Developer/DeveloperMode", False, converter=slicer.util.toBool
        )
        is_standalone = parent is None
        if is_standalone:
            parent = slicer.qMRMLWidget()
            parent.setLayout(QVBoxLayout())
            parent.setMRMLScene(slicer.mrmlScene)
        self.parent = parent
        self.layout = parent.layout()
        if is_standalone:
            self.setup()
            parent.show()
        slicer.app.moduleManager().connect(
            "moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded
        )

    def resourcePath(self, filename: str) -> str:
        return str(Path(inspect.getfile(type(self))).parent / "Resources" / filename)

    def setup(self) -> None:
        if self.developerMode:
            self.setupDeveloperSection()

    def setupDeveloperSection(self) -> None:
        self.reloadCollapsibleButton = ctkCollapsibleButton("Reload && Test")
        self.layout.addWidget(self.reloadCollapsibleButton)
        inner = QVBoxLayout(self.reloadCollapsibleButton)
        self.reloadButton = QPushButton("Reload")
        self.reloadButton.connect("clicked()", self.onReload)
        inner.addWidget(self.reloadButton)

    def cleanup(self) -> None:
        """Override to release resources before the panel is deleted."""

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:
        if moduleName == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect(
                "moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded
            )

    def onReload(self) -> None:
        logging.debug("Reloading scripted module: %s", self.moduleName)
        slicer.util.reloadScriptedModule(self.moduleName)

    def onTest(self, **kwargs: Any) -> None:
        slicer.selfTests[self.moduleName](**kwargs)

    def onReloadAndTest(self, **kwargs: Any) -> None:
        self.onReload()
        self.onTest(**kwargs)

    def onEditSource(self) -> None:
        raise NotImplementedError("the desktop host opens no editor")


class ScriptedLoadableModuleLogic:
    """A module's logic, with a parameter node in the scene."""

    def __init__(self, parent: Any = None) -> None:
        self.isSingletonParameterNode = True
        name = type(self).__name__
        self.moduleName = name[: -len("Logic")] if name.endswith("Logic") else name

    def getParameterNode(self) -> Any:
        if self.isSingletonParameterNode:
            found = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if found is not None:
                found.SetAttribute("ModuleName", self.moduleName)  # closing the scene removed it
                return found
        else:
            found = self.getAllParameterNodes()
            if found:
                return found[0]
        return slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list[Any]:
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [each for each in nodes if each.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self) -> Any:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A module's self-test."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.messageDelay = 0

    def setUp(self) -> None:
        """Override to prepare each test."""

    def tearDown(self) -> None:
        """Override to clean up after each test."""

    def runTest(self) -> None:
        """Override to run the tests of *Reload and Test*."""
        logging.warning("No test is defined in %s", type(self).__name__)

    def delayDisplay(
        self, message: str, requestedDelay: int | None = None, msec: int | None = None
    ) -> None:
        logging.info(message)
        QApplication.processEvents()

    def takeScreenshot(self, name: str, description: str, type: int = -1) -> None:
        raise NotImplementedError("the desktop host takes no screenshots")
