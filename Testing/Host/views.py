"""Slice and 3D views: Slicer's displayable managers, rendered off screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget
from vtkmodules.util.numpy_support import vtk_to_numpy

from .properties import registered

_SLICE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
)
_THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
)


@registered
class qMRMLWidget(QWidget):
    """A widget with a scene."""

    mrmlSceneChanged = Signal(object)
    signatures = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}

    def mrmlScene(self) -> Any:
        return vars(self).get("_scene")

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self.mrmlScene():
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class RenderedView(qMRMLWidget):
    """A view whose render window is created on first use."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self._window: Any = None
        self._renderer: Any = None
        self._interactor: Any = None
        self._managers: Any = None

    def renderWindow(self) -> Any:
        if self._window is None:
            self._window = vtk.vtkRenderWindow()
            self._window.SetOffScreenRendering(1)
            self._renderer = vtk.vtkRenderer()
            self._window.AddRenderer(self._renderer)
            self._interactor = vtk.vtkGenericRenderWindowInteractor()
            self._interactor.SetRenderWindow(self._window)
            self._add_props(self._renderer)
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

    def _add_props(self, renderer: Any) -> None:
        """Add what the view shows to the renderer."""

    def _update_for(self, width: int, height: int) -> None:
        """Update what is shown for an image of that size."""

    def _add_managers(self, factory: Any, names: Sequence[str], node: Any) -> None:
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for name in names:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._managers = factory.InstantiateDisplayableManagers(self._renderer)
        self._managers.SetMRMLDisplayableNode(node)

    def rendered(self, width: int, height: int) -> QImage:
        """Render an image of the view."""
        window = self.renderWindow()
        window.SetSize(width, height)
        self._update_for(width, height)
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


class qMRMLSliceView(RenderedView):
    """Volumes from the slice logic, segmentations from their displayable manager."""

    def __init__(self, logic: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = logic
        self._mapper, self._actor = vtk.vtkImageMapper(), vtk.vtkActor2D()

    def _add_props(self, renderer: Any) -> None:
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor.SetMapper(self._mapper)
        self._actor.SetLayerNumber(0)
        renderer.AddViewProp(self._actor)
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        self._add_managers(factory, _SLICE_MANAGERS, self._logic.GetSliceNode())

    def _update_for(self, width: int, height: int) -> None:
        logic, composite = self._logic, self._logic.GetSliceCompositeNode()
        logic.GetSliceNode().SetDimensions(width, height, 1)
        logic.ResizeSliceNode(width, height)
        logic.UpdatePipeline()
        has_volume = bool(
            composite.GetBackgroundVolumeID()
            or composite.GetForegroundVolumeID()
            or composite.GetLabelVolumeID()
        )
        self._actor.SetVisibility(has_volume)
        if has_volume:
            self._mapper.SetInputConnection(logic.GetImageDataConnection())


class qMRMLSliceWidget(qMRMLWidget):
    """A slice view in the layout."""

    def __init__(self, slice_node: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(slicer.app.mrmlScene())
        self._logic.SetSliceNode(slice_node)
        self._view = qMRMLSliceView(self._logic, self)
        QVBoxLayout(self).addWidget(self._view)

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
        self._logic.FitSliceToBackground(self._view.width, self._view.height)
        self._logic.SnapSliceOffsetToIJK()


class qMRMLThreeDView(RenderedView):
    """Models and segmentations in 3D."""

    def __init__(self, view_node: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = view_node

    def _add_props(self, renderer: Any) -> None:
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        self._add_managers(factory, _THREE_D_MANAGERS, self._node)
        renderer.ResetCamera()

    def mrmlViewNode(self) -> Any:
        return self._node

    def resetFocalPoint(self) -> None:
        """Center the camera on the visible props, without the box and its labels."""
        node, renderer = self._node, self.renderer()
        visibility = node.GetBoxVisible(), node.GetAxisLabelsVisible()
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        bounds = [0.0] * 6
        renderer.ComputeVisiblePropBounds(bounds)
        if bounds[0] <= bounds[1]:
            center = [(bounds[k] + bounds[k + 1]) / 2 for k in (0, 2, 4)]
            renderer.GetActiveCamera().SetFocalPoint(*center)
        node.SetBoxVisible(visibility[0])
        node.SetAxisLabelsVisible(visibility[1])
        node.InvokeEvent(node.ResetFocalPointRequestedEvent)

    def resetCamera(
        self, rotation: bool = True, translation: bool = True, distance: bool = True
    ) -> None:
        self.cameraNode().Reset(rotation, translation, distance, self.renderer())

    def cameraNode(self) -> Any:
        return slicer.modules.cameras.logic().GetViewActiveCameraNode(self._node)


class qMRMLThreeDWidget(qMRMLWidget):
    """A 3D view in the layout."""

    def __init__(self, view_node: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = qMRMLThreeDView(view_node, self)
        QVBoxLayout(self).addWidget(self._view)

    def threeDView(self) -> qMRMLThreeDView:
        return self._view

    def mrmlViewNode(self) -> Any:
        return self._view.mrmlViewNode()
