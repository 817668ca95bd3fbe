"""A slice view: Slicer's slice logic and displayable managers, rendered off the screen."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from .mrml_widgets import SceneHolder
from .rendering import RenderedView, displayable_managers

_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
)


class qMRMLSliceView(RenderedView):
    """The picture: volumes from the slice logic, segmentations from their displayable manager."""

    def __init__(self, logic: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = logic
        self._mapper, self._picture = vtk.vtkImageMapper(), vtk.vtkActor2D()
        self._group: Any = None

    def _fill(self, renderer: Any) -> None:
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._picture.SetMapper(self._mapper)
        self._picture.SetLayerNumber(0)
        renderer.AddViewProp(self._picture)
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        node = self._logic.GetSliceNode()
        self._group = displayable_managers(factory, _MANAGERS, renderer, node)

    def _prepare(self, width: int, height: int) -> None:
        logic = self._logic
        logic.GetSliceNode().SetDimensions(width, height, 1)
        logic.ResizeSliceNode(width, height)
        logic.UpdatePipeline()
        composite = logic.GetSliceCompositeNode()
        shown = any(
            (
                composite.GetBackgroundVolumeID(),
                composite.GetForegroundVolumeID(),
                composite.GetLabelVolumeID(),
            )
        )
        self._picture.SetVisibility(shown)
        if shown:
            self._mapper.SetInputConnection(logic.GetImageDataConnection())


class qMRMLSliceWidget(SceneHolder, QWidget):
    """A slice view with its colored bar and offset slider."""

    mrmlSceneChanged = Signal(object)
    signatures = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}

    def __init__(self, slice_node: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(slicer.app.mrmlScene())
        self._logic.SetSliceNode(slice_node)
        self._view = qMRMLSliceView(self._logic, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._bar(slice_node))
        layout.addWidget(self._view)

    def _bar(self, slice_node: Any) -> QWidget:
        bar = QWidget(self)
        bar.setAutoFillBackground(True)
        color = QColor.fromRgbF(*slice_node.GetLayoutColor())
        bar.setStyleSheet(f"background: {color.name()}; color: white")
        row = QHBoxLayout(bar)
        row.setContentsMargins(4, 1, 4, 1)
        self._label = QLabel(slice_node.GetLayoutLabel(), bar)
        self._slider = QSlider(Qt.Horizontal, bar)
        self._text = QLabel(bar)
        for each in (self._label, self._slider, self._text):
            row.addWidget(each)
        self._slider.valueChanged.connect(self._slid)
        slice_node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._follow)
        return bar

    def _slid(self, position: int) -> None:
        self._logic.SetSliceOffset(position / 10)

    def _follow(self, *_: Any) -> None:
        offset = self._logic.GetSliceOffset()
        bounds = [0.0] * 6
        self._logic.GetLowestVolumeSliceBounds(bounds)
        self._slider.blockSignals(True)
        self._slider.setRange(int(bounds[4] * 10), int(bounds[5] * 10))
        self._slider.setValue(round(offset * 10))
        self._slider.blockSignals(False)
        self._text.setText(f"{offset:.1f} mm")
        self._view.update()

    def sliceLogic(self) -> Any:
        return self._logic

    logic = sliceLogic

    def sliceView(self) -> qMRMLSliceView:
        return self._view

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def fitSliceToBackground(self) -> None:
        width, height = self._view.width, self._view.height
        self._logic.FitSliceToBackground(width, height)
        self._logic.SnapSliceOffsetToIJK()
