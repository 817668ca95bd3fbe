"""Widgets that show what VTK renders, off the screen, whenever Qt asks them to paint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QSize
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from vtkmodules.util.numpy_support import vtk_to_numpy


def displayable_managers(factory: Any, names: Sequence[str], renderer: Any, node: Any) -> Any:
    """Let Slicer's displayable managers of these names draw the node's view."""
    factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    for name in names:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = factory.InstantiateDisplayableManagers(renderer)
    group.SetMRMLDisplayableNode(node)
    return group


class RenderedView(QWidget):
    """A view; its window and renderer are made when they are first needed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self._window: Any = None
        self._renderer: Any = None
        self._interactor: Any = None

    def renderWindow(self) -> Any:
        if self._window is None:
            self._window = vtk.vtkRenderWindow()
            self._window.SetOffScreenRendering(1)
            self._renderer = vtk.vtkRenderer()
            self._window.AddRenderer(self._renderer)
            self._interactor = vtk.vtkGenericRenderWindowInteractor()
            self._interactor.SetRenderWindow(self._window)
            self._fill(self._renderer)
        return self._window

    def renderer(self) -> Any:
        self.renderWindow()
        return self._renderer

    def interactor(self) -> Any:
        self.renderWindow()
        return self._interactor

    def forceRender(self) -> None:
        self.update()

    scheduleRender = forceRender

    def sizeHint(self) -> QSize:
        return QSize(300, 300)

    def _fill(self, renderer: Any) -> None:
        """Put into the renderer what the view shows."""

    def _prepare(self, width: int, height: int) -> None:
        """Bring what is shown up to date for a picture of that size."""

    def rendered(self, width: int, height: int) -> QImage:
        """The view as a picture."""
        window = self.renderWindow()
        window.SetSize(width, height)
        self._prepare(width, height)
        window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        output = grabber.GetOutput()
        columns, rows, _ = output.GetDimensions()
        pixels = vtk_to_numpy(output.GetPointData().GetScalars()).reshape(rows, columns, 3)
        upright = pixels[::-1].copy()
        return QImage(upright.data, columns, rows, 3 * columns, QImage.Format_RGB888).copy()

    def paintEvent(self, event: QPaintEvent) -> None:
        ratio = self.devicePixelRatioF()
        width, height = (max(1, round(each * ratio)) for each in (self.width, self.height))
        image = self.rendered(width, height)
        painter = QPainter(self)
        painter.drawImage(self.rect, image)
        painter.end()
