"""The forecast of the annotation loop in the panel: silent for three drafts, shown from four on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import slicer
from panel_driver import PanelDriver

from GenSegLib.annotation.folder import AnnotationFolder
from GenSegLib.annotation.records import AnnotationRecord, append_record

DICE = (0.60, 0.72, 0.78, 0.82)


def accept_draft(folder: AnnotationFolder, index: int) -> None:
    """Record a draft of a model that had learned from `index` + 2 cases."""
    folder.path.mkdir(parents=True, exist_ok=True)
    case, number = f"case {index}", index + 3
    record = AnnotationRecord(case, number, DICE[index], 90.0, model="m", trained_cases=index + 2)
    append_record(folder.records_file, record)


def points(panel: PanelDriver) -> dict[str, list[tuple[float, float]]]:
    """The points of each curve that is shown."""
    chart = panel.widget.panel.annotate.curves.chart.chartNode
    found = {}
    for k in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(k)
        columns = (series.GetXColumnName(), series.GetYColumnName())
        table = series.GetTableNode()
        values = [slicer.util.arrayFromTableColumn(table, column) for column in columns]
        found[series.GetName()] = list(zip(*(each.tolist() for each in values)))
    return found


def test_four_drafts_give_a_forecast_as_text_and_curve(
    host: Any, scene: Any, tmp_path: Path
) -> None:
    panel, folder = PanelDriver(host), AnnotationFolder(tmp_path)
    ui, section = panel.ui, panel.widget.panel.annotate
    panel.parameters.outputFolder = str(tmp_path)
    for index in range(3):
        accept_draft(folder, index)
    ui.annotateSection.collapsed = False
    host.process_events()
    assert ui.forecastLabel.isHidden() and ui.draftChartButton.enabled
    panel.press(ui.draftChartButton)
    assert "Forecast" not in points(panel) or not points(panel)["Forecast"]
    accept_draft(folder, 3)
    section.onNodesChanged()
    host.process_events()
    assert ui.forecastLabel.text == "about 4 to 13 more cases to 0.90"
    assert not ui.forecastLabel.isHidden()
    shown = points(panel)
    assert shown["Dice of the draft"] == [(n, pytest.approx(d)) for n, d in enumerate(DICE, 3)]
    curve = shown["Forecast"]
    assert curve[0][0] == 3 and curve[-1][0] == 16, "from the first draft to ten cases more"
    assert curve[0][1] < curve[-1][1] < 1
    panel.press(ui.draftChartButton)
    host.close_module("GenSegSlicer")
