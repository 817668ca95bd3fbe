"""The plot of a training's metrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer
from GenSegSlicerLib.Charts import TrainingCharts
from GenSegSlicerLib.CurvesView import CurvesView
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.SliceViews import showIn3DSteps
from mrml_nodes import add_ball, nodes_in

from GenSegLib.steps import finish


def metrics(step: int, **values: Any) -> dict[str, Any]:
    return {"time": 0.0, "kind": "metrics", "phase": "joint", "step": step, **values}


def points_of(chart: Any) -> dict[str, list[tuple[float, float]]]:
    """The points of each series of a chart, by name."""
    found = {}
    for k in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(k)
        columns = (series.GetXColumnName(), series.GetYColumnName())
        table = series.GetTableNode()
        values = [slicer.util.arrayFromTableColumn(table, name).tolist() for name in columns]
        found[series.GetName()] = list(zip(*values))
    return found


def test_losses_and_dice_are_plotted_over_the_steps(scene: Any) -> None:
    charts = TrainingCharts()
    charts.add(metrics(10, segmenter_loss=0.9, generator_loss=1.5, gamma=0.3))
    charts.add(metrics(20, segmenter_loss=0.7))
    charts.add(metrics(20, validation_dice=0.6))
    assert points_of(charts.chartNode) == {
        "Segmenter loss": [(10, 0.9), (20, 0.7)],
        "Generator loss": [(10, 1.5)] * 2,  # VTK draws no line through a single point
        "Validation Dice": [(20, 0.6)] * 2,
    }


def test_curves_are_updated_while_they_are_shown(scene: Any) -> None:
    charts = TrainingCharts()
    chart = charts.chartNode
    charts.add(metrics(10, segmenter_loss=0.9))
    charts.add(metrics(20, segmenter_loss=0.7, validation_dice=0.5))
    charts.update()
    assert charts.chartNode is chart
    assert points_of(chart)["Segmenter loss"] == [(10, 0.9), (20, 0.7)]
    assert points_of(chart)["Validation Dice"] == [(20, 0.5)] * 2


def test_a_step_repeated_after_a_resume_replaces_the_earlier_value(scene: Any) -> None:
    charts = TrainingCharts()
    for step, loss in ((10, 0.9), (20, 0.8), (10, 0.5)):
        charts.add(metrics(step, segmenter_loss=loss))
    assert points_of(charts.chartNode)["Segmenter loss"] == [(10, 0.5), (20, 0.8)]


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "log", "message": "hello"},
        {"kind": "progress", "step": 3},
        {"kind": "metrics"},
        metrics(3, segmenter_loss=None, generator_loss="x"),
        {},
    ],
)
def test_other_events_are_ignored(scene: Any, event: dict[str, Any]) -> None:
    charts = TrainingCharts()
    charts.add(event)
    assert points_of(charts.chartNode) == {}


def test_no_node_is_added_before_the_chart_is_used(scene: Any) -> None:
    nodes = nodes_in(scene)
    TrainingCharts().add(metrics(10, segmenter_loss=0.9))
    assert nodes_in(scene) == nodes


def test_nodes_are_not_saved_and_tables_are_hidden(scene: Any) -> None:
    charts = TrainingCharts()
    charts.add(metrics(10, segmenter_loss=0.9))
    series = charts.chartNode.GetNthPlotSeriesNode(0)
    for node in (charts.chartNode, series, series.GetTableNode()):
        assert not node.GetSaveWithScene()
    assert series.GetHideFromEditors()
    assert series.GetTableNode().GetHideFromEditors()


def test_clear_leaves_an_empty_chart(scene: Any) -> None:
    charts = TrainingCharts()
    chart = charts.chartNode
    nodes = nodes_in(scene)
    charts.add(metrics(5, segmenter_loss=1.0))
    charts.add(metrics(10, segmenter_loss=0.9))
    charts.clear()
    assert nodes_in(scene) == nodes
    assert charts.chartNode is chart
    assert points_of(chart) == {}
    charts.add(metrics(10, segmenter_loss=0.4))
    charts.add(metrics(15, segmenter_loss=0.3))
    charts.update()
    assert points_of(chart) == {"Segmenter loss": [(10, 0.4), (15, 0.3)]}


def test_remove_deletes_all_nodes(scene: Any) -> None:
    nodes = nodes_in(scene)
    charts = TrainingCharts()
    charts.add(metrics(10, segmenter_loss=0.9))
    assert charts.chartNode is not None
    charts.remove()
    assert nodes_in(scene) == nodes


def test_curves_survive_closing_the_scene(scene: Any) -> None:
    charts = TrainingCharts()
    charts.add(metrics(10, segmenter_loss=0.9))
    assert charts.chartNode is not None
    scene.Clear(0)
    charts.add(metrics(20, segmenter_loss=0.7))
    assert points_of(charts.chartNode) == {"Segmenter loss": [(10, 0.9), (20, 0.7)]}


@pytest.fixture
def curves(scene: Any) -> Iterator[CurvesView]:
    """Curves of a training of five steps, shown in the layout."""
    node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "CurvesParameters")
    view = CurvesView()
    view.setParameters(GenSegSlicerParameterNode(node))
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    view.show([metrics(step, segmenter_loss=0.5) for step in range(5)])
    yield view
    view.remove()
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)


def layout() -> int:
    return int(slicer.app.layoutManager().layout)


def test_the_axes_follow_the_training(curves: CurvesView) -> None:
    for step in range(5, 500):
        curves.add(metrics(step, segmenter_loss=0.5))
    curves.update()
    assert slicer.app.layoutManager().plotWidget(0).plotView().last_step == 499


def test_hiding_the_curves_restores_the_layout(curves: CurvesView) -> None:
    assert curves.isShown
    curves.hide()
    assert not curves.isShown
    assert layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def test_a_layout_that_the_user_has_selected_since_is_kept(curves: CurvesView) -> None:
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    curves.hide()
    assert layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def test_a_loaded_scene_has_no_empty_plot_view(
    curves: CurvesView, scene: Any, tmp_path: Path
) -> None:
    shown, before = layout(), slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    scene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert layout() == shown
    reopened = CurvesView()
    reopened.setParameters(GenSegSlicerParameterNode(scene.GetFirstNodeByName("CurvesParameters")))
    assert layout() == before


def test_a_3d_result_gets_a_layout_with_a_3d_view(curves: CurvesView) -> None:
    finish(showIn3DSteps(add_ball((0, 0, 0), 5.0)))
    assert layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
