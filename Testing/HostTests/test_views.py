"""The host's views render the scene with Slicer's displayable managers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import qt
import slicer


def _pixels(image: Any) -> np.ndarray:
    image = image.convertToFormat(qt.QImage.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


@pytest.fixture
def bright_volume(scene: Any) -> Any:
    node = slicer.util.addVolumeFromArray(np.full((20, 20, 20), 100, np.int16), name="bright")
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevelMinMax(0, 100)
    return node


def _slice_image(name: str = "Red") -> np.ndarray:
    widget = slicer.app.layoutManager().sliceWidget(name)
    widget.resize(120, 120)
    widget.sliceLogic().FitSliceToAll(100, 100)
    return _pixels(widget.sliceView().rendered(100, 100))


def test_the_first_layout_has_slice_and_3d_views() -> None:
    manager = slicer.app.layoutManager()
    assert set(manager.sliceViewNames()) >= {"Red", "Green", "Yellow"}
    assert manager.threeDViewCount >= 1


def test_a_slice_view_shows_the_background_volume_until_the_scene_is_closed(
    bright_volume: Any,
) -> None:
    slicer.util.setSliceViewerLayers(background=bright_volume)
    assert _slice_image()[50, 50].tolist() == [255, 255, 255]
    slicer.mrmlScene.Clear(0)
    assert _slice_image().max() == 0


def test_a_slice_view_shows_a_segmentation_in_its_color(bright_volume: Any) -> None:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(bright_volume)
    segment = node.GetSegmentation().AddEmptySegment("part", "part", [1.0, 0.0, 0.0])
    mask = np.ones((20, 20, 20), np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment, bright_volume)
    node.GetDisplayNode().SetOpacity2DFill(1.0)
    slicer.util.setSliceViewerLayers(background=bright_volume)
    assert _slice_image()[50, 50].tolist() == [255, 0, 0]


def test_the_3d_view_shows_a_surface(scene: Any) -> None:
    import vtk

    source = vtk.vtkSphereSource()
    source.SetRadius(80)
    source.Update()
    node = slicer.modules.models.logic().AddModel(source.GetOutput())
    node.GetDisplayNode().SetColor(0, 1, 0)
    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    view.renderer().ResetCamera()
    image = _pixels(view.rendered(100, 100)).astype(int)
    green = image[..., 1] - image[..., [0, 2]].max(axis=-1)
    assert (green > 40).mean() > 0.1


def test_a_chart_is_shown_in_a_plot_view(scene: Any) -> None:
    table = scene.AddNewNodeByClass("vtkMRMLTableNode")
    slicer.util.updateTableFromArray(table, (np.arange(5.0), np.arange(5.0)), ["step", "loss"])
    series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "loss")
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("step")
    series.SetYColumnName("loss")
    series.SetPlotType(series.PlotTypeScatter)
    series.SetColor(1.0, 0.0, 0.0)
    series.SetLineWidth(6)
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode")
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    before = slicer.app.layoutManager().layout
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    view = slicer.app.layoutManager().plotWidget(0).plotView()
    image = _pixels(view.rendered(300, 200)).astype(int)
    slicer.app.layoutManager().setLayout(before)
    red = (image[..., 0] > 200) & (image[..., 1:].max(axis=-1) < 80)
    assert red.sum() > 300
