"""The complete workflow in the panel: training, review, inference and evaluation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qt
import slicer
from application_fixtures import reset_application
from GenSegSlicerLib.RunHistory import runTitle
from panel_driver import PanelDriver
from panel_scenes import load_hippocampi, tiny_preset
from small_trainings import JobRecorder

from GenSegLib.runs import RunFolder

CASES = 5


@dataclass
class Journey:
    """State of the panel during the workflow."""

    panel: PanelDriver
    folder: Path
    volume: Any
    reference: Any
    seen: dict[str, list[str]] = field(default_factory=dict)
    train_tool_tip: str = ""
    training: JobRecorder | None = None
    result: Any = None

    def watch(self, job: Any, timeout_s: float) -> None:
        """Wait for the end of a job and record the texts of the panel."""
        ui = self.panel.ui
        watched = {
            "bar": lambda: ui.trainProgressBar.format.replace("%p", str(ui.trainProgressBar.value)),
            "remaining": lambda: ui.remainingLabel.text,
            "dice": lambda: ui.diceLabel.text,
        }

        def has_ended() -> bool:
            for name, read in watched.items():
                texts = self.seen.setdefault(name, [])
                if not texts or texts[-1] != read():
                    texts.append(read())
            return not job.isActive

        self.panel.host.wait_until(has_ended, timeout_s)


@pytest.fixture(scope="module")
def journey(
    host: Any, hippocampus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Journey]:
    """The panel after a training on five real cases."""
    reset_application()
    qt.QSettings().remove("GenSegSlicer")
    panel, ui = PanelDriver(host), None
    ui = panel.ui
    *_, (volume, reference) = load_hippocampi(hippocampus, CASES + 1)
    folder = tmp_path_factory.mktemp("Läufe mit Leerzeichen")
    way = Journey(panel, folder, volume, reference)
    panel.press(ui.addFromSceneButton)
    network = {"channels": [16, 32], "strides": [2]}  # Dice 0.65 after 100 steps
    panel.parameters.preset = str(tiny_preset(folder, network=network, final_steps=150))
    panel.select_rows(ui.casesTable, [CASES])
    panel.press(ui.removePairsButton)
    panel.select_rows(ui.casesTable, [CASES - 1])
    panel.press(ui.roleValidateButton)
    ui.outputFolderEdit.currentPath = str(folder)
    panel.wait_for_checks()
    panel.choose(ui.effortSelector, "Quick")
    panel.press(ui.trainButton)
    way.train_tool_tip = ui.trainButton.toolTip
    way.training = JobRecorder(host, panel.widget.panel.runs.job)
    way.watch(way.training.job, 300)
    yield way
    host.close_module("GenSegSlicer")
    slicer.mrmlScene.Clear(0)


@pytest.fixture(scope="module")
def applied(journey: Journey) -> Journey:
    """The panel after *Apply*."""
    ui = journey.panel.ui
    ui.applySection.collapsed = ui.evaluateSection.collapsed = False
    ui.inputVolumeSelector.setCurrentNode(journey.volume)
    journey.panel.press(ui.uncertaintyCheckBox)
    journey.panel.press(ui.applyButton)
    job = journey.panel.widget.panel.apply.job
    journey.watch(job, 120)
    assert job.state == "finished", job.message
    journey.result = job.segmentationNodes[0]
    return journey


def run_of(journey: Journey) -> Path:
    return Path(journey.panel.parameters.runFolder)


def test_run_is_a_subfolder_of_the_output_folder_and_is_remembered(journey: Journey) -> None:
    run, logic = run_of(journey), journey.panel.widget.logic
    assert run.parent == journey.folder
    assert RunFolder.open(run).read_status()["state"] == "finished"
    assert RunFolder.open(run).config.batch_size == 1, "of few cases"
    assert (logic.runs(), logic.models()) == ([run], [run / "model"])


def test_roles_classes_and_cases_are_written_to_the_run_which_can_be_moved(
    journey: Journey,
) -> None:
    run = run_of(journey)
    cases = json.loads((run / "cases.json").read_text(encoding="utf-8"))
    assert [case["role"] for case in cases["cases"]] == ["train"] * 4 + ["validate"]
    assert cases["labels"] == {"1": "Anterior", "2": "Posterior"}
    assert all((run / case["image"]).is_file() for case in cases["cases"])
    assert not any(Path(case["image"]).is_absolute() for case in cases["cases"])


def test_second_training_is_disabled_during_training(journey: Journey) -> None:
    assert "another training is running" in journey.train_tool_tip


def test_progress_bar_shows_phases_and_never_decreases(journey: Journey) -> None:
    training = journey.training
    assert training.states == ["preparing", "running", "finished"]
    assert training.phases == ["warm-up", "joint", "final"]
    assert training.fractions == sorted(training.fractions)
    texts = journey.seen["bar"]
    values = [int(text.split()[-1].rstrip("%")) for text in texts]
    assert values == sorted(values)
    assert values[-1] == 1000
    assert any("Final training" in text for text in texts)


def test_remaining_time_and_validation_dice_are_shown(journey: Journey) -> None:
    assert any(text.endswith("left") for text in journey.seen["remaining"])
    assert any(text.startswith("Validation Dice: 0.") for text in journey.seen["dice"])


def test_finished_training_is_reported(journey: Journey) -> None:
    ui = journey.panel.ui
    assert "model is ready" in ui.trainMessage.text
    assert ui.reportButton.enabled
    assert (run_of(journey) / "report.html").is_file()


def test_new_model_is_selected_for_apply(journey: Journey) -> None:
    assert Path(journey.panel.parameters.modelFolder) == run_of(journey) / "model"
    assert journey.panel.ui.modelSelector.currentText == runTitle(run_of(journey))


def test_log_shows_validation_and_end(journey: Journey) -> None:
    log = journey.panel.ui.logText.plainText
    assert "validation Dice" in log
    assert log.rstrip().endswith("Training is finished")


def test_curves_are_shown_in_a_plot(journey: Journey) -> None:
    journey.panel.press(journey.panel.ui.chartButton)
    chart = slicer.app.applicationLogic().GetSelectionNode().GetActivePlotChartID()
    assert slicer.mrmlScene.GetNodeByID(chart).GetNumberOfPlotSeriesNodes() > 0
    assert journey.panel.ui.chartButton.checked
    journey.panel.press(journey.panel.ui.chartButton)
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def test_generated_pair_is_shown_beside_a_real_one(journey: Journey) -> None:
    panel, ui = journey.panel, journey.panel.ui
    ui.reviewSection.collapsed = False
    panel.host.process_events()
    assert ui.reviewSelector.count > 6
    left = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed").GetBackgroundVolumeID()
    right = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeYellow").GetBackgroundVolumeID()
    names = [slicer.mrmlScene.GetNodeByID(each).GetName() for each in (left, right)]
    assert names == ["GenSeg real (image)", "GenSeg generated (image)"]


def test_rejections_are_written_and_undone(journey: Journey) -> None:
    panel, ui = journey.panel, journey.panel.ui
    ui.reviewSection.collapsed = False
    panel.host.process_events()
    feedback = run_of(journey) / "feedback.json"
    ui.reviewSelector.setCurrentIndex(0)
    panel.press(ui.rejectButton)
    panel.press(ui.rejectKindButton)
    written = json.loads(feedback.read_text())
    assert len(written["rejected_pairs"]) == 1 and len(written["rejected_kinds"]) == 1
    assert ui.rejectButton.text == "Rejected"
    assert "rejected" in ui.reviewDescription.text
    assert "Training is finished, so the model does not change" in ui.reviewMessage.text
    panel.press(ui.rejectButton)
    panel.press(ui.restoreKindButton)
    written = json.loads(feedback.read_text())
    assert written == {"rejected_pairs": [], "rejected_kinds": {}}
    panel.press(ui.reviewNextButton)
    assert ui.reviewMessage.text == ""  # it was about the previous item


def test_stepping_wraps_around(journey: Journey) -> None:
    panel, ui = journey.panel, journey.panel.ui
    ui.reviewSection.collapsed = False
    panel.host.process_events()
    ui.reviewSelector.setCurrentIndex(0)
    panel.press(ui.reviewPreviousButton)
    assert ui.reviewSelector.currentIndex == ui.reviewSelector.count - 1
    assert not ui.rejectButton.enabled  # predictions cannot be rejected
    panel.press(ui.reviewNextButton)
    assert ui.reviewSelector.currentIndex == 0


def test_views_are_restored_in_other_modules(
    journey: Journey,
) -> None:
    panel, ui = journey.panel, journey.panel.ui
    ui.reviewSection.collapsed = False
    ui.reviewSelector.setCurrentIndex(1)
    panel.host.process_events()
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    panel.widget.exit()
    assert layout.GetViewArrangement() != layout.SlicerLayoutSideBySideView
    panel.widget.enter()
    panel.host.process_events()
    assert layout.GetViewArrangement() == layout.SlicerLayoutSideBySideView
    assert ui.reviewSelector.currentIndex == 1


def test_new_previews_keep_the_slice_positions(journey: Journey) -> None:
    panel, ui = journey.panel, journey.panel.ui
    ui.reviewSection.collapsed = False
    panel.host.process_events()
    picture, count = ui.reviewSelector.currentText, ui.reviewSelector.count
    red = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
    red.SetFieldOfView(11.0, 12.0, 1.0)
    last = max((run_of(journey) / "previews").iterdir())
    shutil.copytree(last, last.with_name(f"{int(last.name) + 1:06d}"))
    panel.widget.panel.review.refresh()
    assert ui.reviewSelector.count > count
    assert ui.reviewSelector.currentText == picture
    assert red.GetFieldOfView()[:2] == (11.0, 12.0)


def test_collapsing_review_restores_the_views(journey: Journey) -> None:
    panel, ui = journey.panel, journey.panel.ui
    ui.reviewSection.collapsed = False
    panel.host.process_events()
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == layout.SlicerLayoutSideBySideView
    assert not journey.reference.GetDisplayNode().GetVisibility()
    ui.reviewSection.collapsed = True
    panel.host.process_events()
    assert layout.GetViewArrangement() != layout.SlicerLayoutSideBySideView
    assert journey.reference.GetDisplayNode().GetVisibility()
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")]
    assert not any(name.startswith("GenSeg ") for name in names)


def test_model_card_is_shown(applied: Journey) -> None:
    card = applied.panel.ui.modelCardLabel.text
    for part in ("hippocampus", "MR", "Anterior", "Posterior", "5"):
        assert part in card


def mask_of(node: Any, segment: str, volume: Any) -> np.ndarray:
    """The voxels of a segment on the grid of a volume."""
    identifier = node.GetSegmentation().GetSegmentIdBySegmentName(segment)
    assert identifier
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, identifier, volume) > 0


def dice_of(journey: Journey, segment: str) -> float:
    one, other = (mask_of(n, segment, journey.volume) for n in (journey.result, journey.reference))
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_result_overlaps_the_reference(applied: Journey) -> None:
    assert applied.result.GetNodeReference("referenceImageGeometryRef") is applied.volume
    found, truth = (
        np.any([mask_of(node, name, applied.volume) for name in ("Anterior", "Posterior")], axis=0)
        for node in (applied.result, applied.reference)
    )
    dice = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    chance = 2 * truth.mean() * found.mean() / (truth.mean() + found.mean())
    assert dice > max(0.4, 3 * chance)


def test_result_is_shown_in_3d_with_preset_colors(applied: Journey) -> None:
    result = applied.result
    segmentation = result.GetSegmentation()
    applied.panel.host.wait_until(lambda: segmentation.ContainsRepresentation("Closed surface"))
    assert result.GetDisplayNode().GetVisibility3D()
    color = result.GetSegmentation().GetNthSegment(0).GetColor()
    assert np.allclose(np.array(color) * 255, (230, 120, 70), atol=1)


def test_volumes_are_shown_in_a_table(applied: Journey) -> None:
    shown = applied.panel.ui.volumesTable
    assert not shown.isHidden()
    rows = applied.panel.rows(shown)
    assert [row[0] for row in rows] == ["Anterior", "Posterior"]
    table = slicer.util.getNode(f"Volumes of {applied.result.GetName()}")
    volumes = slicer.util.arrayFromTableColumn(table, "Volume (ml)")
    assert [row[1] for row in rows] == [f"{volume:.3f}" for volume in volumes]


def test_uncertainty_volume_is_created(applied: Journey) -> None:
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
    (name,) = (name for name in names if "ncertainty" in name)
    assert name in applied.panel.ui.applyMessage.text
    red = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    assert slicer.mrmlScene.GetNodeByID(red.GetForegroundVolumeID()).GetName() == name


def test_unsuitable_volume_is_reported(applied: Journey) -> None:
    ui = applied.panel.ui
    assert ui.fitMessage.text == ""
    ct = slicer.modules.volumes.logic().CloneVolume(applied.volume, "CT")
    array = slicer.util.arrayFromVolume(ct)
    slicer.util.updateVolumeFromArray(ct, array.astype(np.int16) - 1000)
    ui.inputVolumeSelector.setCurrentNode(ct)
    applied.panel.host.process_events()
    assert "CT" in ui.fitMessage.text
    ui.inputVolumeSelector.setCurrentNode(applied.volume)
    applied.panel.host.process_events()
    assert ui.fitMessage.text == ""


def test_result_is_evaluated(applied: Journey) -> None:
    panel, ui = applied.panel, applied.panel.ui
    assert ui.predictionSelector.currentNode() is applied.result  # selected automatically
    ui.referenceSelector.setCurrentNode(applied.reference)
    panel.press(ui.evaluateButton)
    job = panel.widget.panel.evaluate.job
    applied.watch(job, 120)
    assert job.state == "finished", job.message
    assert not ui.scoresTable.isHidden()
    rows = panel.rows(ui.scoresTable)
    assert [row[0] for row in rows] == ["Anterior", "Posterior"]
    assert job.tableNode.GetColumnName(1) == "Dice"
    dices = [dice_of(applied, segment) for segment in ("Anterior", "Posterior")]
    assert [row["dice"] for row in job.rows] == pytest.approx(dices)
    assert [row[1] for row in rows] == [f"{dice:.3f}" for dice in dices]
