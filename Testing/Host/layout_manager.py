"""`slicer.app.layoutManager()`: the views that Slicer's own layout descriptions ask for."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import slicer
import vtk
from PySide6.QtCore import Property, QObject, Qt, Signal
from PySide6.QtWidgets import QSplitter, QTabWidget, QVBoxLayout, QWidget

from .other_views import qMRMLThreeDWidget
from .plot_view import plot_widget
from .slice_view import qMRMLSliceWidget
from .table_views import table_widget

_MAKERS = {
    "vtkMRMLSliceNode": qMRMLSliceWidget,
    "vtkMRMLViewNode": qMRMLThreeDWidget,
    "vtkMRMLPlotViewNode": plot_widget,
    "vtkMRMLTableViewNode": table_widget,
}


class LayoutManager(QObject):
    """Makes a widget for each view of the layout, and arranges them."""

    layoutChanged = Signal(int)

    def __init__(self, scene: Any, application_logic: Any) -> None:
        super().__init__()
        self._scene = scene
        self._application_logic = application_logic
        self._widgets: dict[str, QWidget] = {}
        self._viewport: QWidget | None = None
        self._slice_logics, self._view_logics = vtk.vtkCollection(), vtk.vtkCollection()
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(scene)
        application_logic.SetSliceLogics(self._slice_logics)
        application_logic.SetViewLogics(self._view_logics)
        self._node = self._logic.GetLayoutNode()
        self._shown = -1

    def start(self) -> None:
        """Show the first layout; `slicer.app` has to be there by now."""
        self._node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_modified)
        self.setLayout(self._node.SlicerLayoutFourUpView)

    def layoutLogic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return self._scene

    def mrmlSliceLogics(self) -> Any:
        return self._slice_logics

    def setLayout(self, layout: int) -> None:
        self._node.SetViewArrangement(layout)

    layout = Property("int", lambda self: self._node.GetViewArrangement(), setLayout)

    def _on_modified(self, *_: Any) -> None:
        arrangement = self._node.GetViewArrangement()
        if arrangement == self._shown:
            return
        self._shown = arrangement
        self._make_widgets()
        if self._viewport is not None:
            self._arrange()
        self.layoutChanged.emit(arrangement)

    def _make_widgets(self) -> None:
        nodes = self._logic.GetViewNodes()
        for index in range(nodes.GetNumberOfItems()):
            node = nodes.GetItemAsObject(index)
            if node.GetID() not in self._widgets and node.GetClassName() in _MAKERS:
                widget = _MAKERS[node.GetClassName()](node)
                self._widgets[node.GetID()] = widget
                if isinstance(widget, qMRMLSliceWidget):
                    self._slice_logics.AddItem(widget.sliceLogic())

    def viewport(self) -> QWidget:
        """The widget that holds the views."""
        if self._viewport is None:
            self._viewport = QWidget()
            QVBoxLayout(self._viewport).setContentsMargins(0, 0, 0, 0)
            self._arrange()
        return self._viewport

    def _arrange(self) -> None:
        for widget in self._widgets.values():
            widget.setParent(None)
        layout = self._viewport.layout()
        while layout.count():
            layout.takeAt(0).widget().delete()
        description = self._node.GetCurrentLayoutDescription()
        layout.addWidget(self._arranged(ElementTree.fromstring(description)))

    def _arranged(self, element: ElementTree.Element) -> QWidget:
        """The widget of a `layout` or `view` element."""
        if element.tag == "view":
            return self._widget_of(element)
        parts = [self._arranged(item[0]) for item in element.findall("item")]
        if element.get("type") == "tab":
            holder: Any = QTabWidget()
            for part in parts:
                holder.addTab(part, "")
        else:
            vertical = element.get("type") == "vertical"
            holder = QSplitter(Qt.Vertical if vertical else Qt.Horizontal)
            for part in parts:
                holder.addWidget(part)
            holder.setSizes([1000] * len(parts))
        return holder

    def _widget_of(self, element: ElementTree.Element) -> QWidget:
        nodes = self._scene.GetNodesByClass(element.get("class"))
        nodes.UnRegister(None)
        for index in range(nodes.GetNumberOfItems()):
            node = nodes.GetItemAsObject(index)
            names = (node.GetSingletonTag(), node.GetLayoutName())
            if element.get("singletontag") in names and node.GetID() in self._widgets:
                widget = self._widgets[node.GetID()]
                widget.setVisible(True)
                return widget
        return QWidget()

    def _of_class(self, kind: str) -> list[QWidget]:
        found = ((self._scene.GetNodeByID(each), w) for each, w in self._widgets.items())
        return [w for node, w in found if node is not None and node.GetClassName() == kind]

    def sliceViewNames(self) -> tuple[str, ...]:
        widgets = self._of_class("vtkMRMLSliceNode")
        return tuple(each.mrmlSliceNode().GetLayoutName() for each in widgets)

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        widgets = self._of_class("vtkMRMLSliceNode")
        return next((e for e in widgets if e.mrmlSliceNode().GetLayoutName() == name), None)

    def viewWidget(self, node: Any) -> QWidget | None:
        return self._widgets.get(node.GetID()) if node is not None else None

    def _nth(self, kind: str, index: int) -> Any:
        widgets = self._of_class(kind)
        return widgets[index] if 0 <= index < len(widgets) else None

    def threeDWidget(self, index: int) -> Any:
        return self._nth("vtkMRMLViewNode", index)

    def plotWidget(self, index: int) -> Any:
        return self._nth("vtkMRMLPlotViewNode", index)

    def tableWidget(self, index: int) -> Any:
        return self._nth("vtkMRMLTableViewNode", index)

    threeDViewCount = Property("int", lambda self: len(self._of_class("vtkMRMLViewNode")))
    plotViewCount = Property("int", lambda self: len(self._of_class("vtkMRMLPlotViewNode")))
    tableViewCount = Property("int", lambda self: len(self._of_class("vtkMRMLTableViewNode")))

    def resetSliceViews(self) -> None:
        for each in self._of_class("vtkMRMLSliceNode"):
            each.fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        for each in self._of_class("vtkMRMLViewNode"):
            each.threeDView().resetFocalPoint()
            each.threeDView().resetCamera()

    def pauseRender(self) -> None:
        """The host's views draw only when Qt asks them to."""

    resumeRender = pauseRender

    def setRenderPaused(self, paused: bool) -> None:
        """See `pauseRender`."""
