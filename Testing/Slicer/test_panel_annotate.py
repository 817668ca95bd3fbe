"""The annotation loop in the panel: a scripted user corrects drafts, and every correction trains.

Real MRML nodes, Slicer's own Segment Editor logic, and real training runs of seconds on phantoms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer
from annotation_user import AnnotationUser
from application_fixtures import reset_application
from GenSegSlicerLib import AnnotateSection
from panel_driver import PanelDriver
from panel_scenes import phantom_folder, tiny_preset

from GenSegLib.annotation.records import read_records
from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import ModelMetadata

CASES, SEGMENTED, ROUNDS = 8, 2, 5
EVERY = 2  # cases a training starts
STEPS = {"warmup_steps": 1, "joint_steps": 2, "final_steps": 30}


@dataclass
class Loop:
    """The panel after a user has gone through the loop."""

    user: AnnotationUser
    folder: Path
    states: list[dict[str, list[str]]] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @property
    def records(self) -> tuple[Any, ...]:
        return read_records(self.folder / "annotation" / "annotations.jsonl").records


@pytest.fixture(scope="module")
def loop(host: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """Two segmented volumes and six others, of which five are annotated in as many rounds."""
    reset_application()
    qt.QSettings().remove("GenSegSlicer")
    folder = tmp_path_factory.mktemp("Schleife mit Leerzeichen")
    phantoms = phantom_folder(folder, cases=CASES, test=0)
    with pytest.MonkeyPatch.context() as patch:
        PanelDriver(host)
        patch.setattr(AnnotateSection, "lengthOfTraining", lambda parameters: STEPS)
        user = AnnotationUser(host, phantoms, folder / "runs", tiny_preset(folder))
        user.panel.choose(user.ui.trainWhenSelector, "After several cases")
        user.ui.trainEverySpinBox.setValue(EVERY)
        done = Loop(user, folder / "runs")
        user.load(SEGMENTED, CASES)
        done.states.append(user.rows())
        user.next()
        for number in range(1, ROUNDS + 1):
            done.messages.append(user.ui.annotateMessage.text)
            draft = user.loop.current.draft
            done.drafts.append(draft.model if draft is not None else "")
            user.correct()
            user.accept()
            if number % EVERY == 0:
                user.wait_for_training()
            done.states.append(user.rows())
        yield done
    host.close_module("GenSegSlicer")
    slicer.mrmlScene.Clear(0)


def test_the_table_shows_what_is_to_do_and_what_is_checked(loop: Loop) -> None:
    before = loop.states[0]
    assert before["hippocampus_001"][:2] == ["accepted", "Anterior, Posterior"]
    assert before["hippocampus_003"][:2] == ["to do", ""]
    assert loop.states[-1]["hippocampus_003"][:2] == ["accepted", "Anterior, Posterior"]


def test_without_a_model_the_first_case_is_drawn_in_empty_segments(loop: Loop) -> None:
    assert loop.drafts[0] == ""
    assert "Segment hippocampus_003" in loop.messages[0]


def test_later_cases_are_drafted_by_the_newest_finished_model(loop: Loop) -> None:
    first, second = sorted(path.name for path in loop.folder.glob("tiny-*"))
    assert loop.drafts == ["", "", "", first, first]
    assert loop.user.loop.current.draft.model == second
    assert "Correct the draft of" in loop.messages[3]


def test_trainings_continue_from_the_last_model_with_all_checked_cases(loop: Loop) -> None:
    runs = sorted(loop.folder.glob("tiny-*"))
    assert [ModelMetadata.load(run / "model").cases for run in runs] == [4, 6]
    log = (runs[1] / "process.log").read_text(encoding="utf-8")
    assert runs[0].name in log, "the model that it starts from, or has tried"


def test_dice_and_time_of_each_draft_are_recorded_and_shown(loop: Loop) -> None:
    records = loop.records
    assert [record.number for record in records] == [3, 4, 5, 6, 7]
    assert [record.trained_cases for record in records] == [0, 0, 0, 4, 4]
    assert all(record.dice is None for record in records[:3])
    for record in records[3:]:
        assert 0 <= record.dice <= 1
        assert set(record.classes) == {"Anterior", "Posterior"}
    last = records[-1]
    assert loop.states[-1][last.case][2:] == [f"{last.dice:.3f}", f"{last.seconds / 60:.1f}"]


def test_accepted_cases_are_training_pairs(loop: Loop) -> None:
    pairs = loop.user.panel.rows(loop.user.ui.casesTable)
    assert {row[0] for row in pairs} >= {record.case for record in loop.records}


def test_the_editor_edits_the_draft_on_its_volume(loop: Loop) -> None:
    editor, case = loop.user.section.view.editor, loop.user.current
    assert editor.segmentationNode() is case.segmentationNode
    assert editor.sourceVolumeNode() is case.volumeNode
    red = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    assert red.GetBackgroundVolumeID() == case.volumeNode.GetID()
    names = {row[0] for row in loop.user.panel.rows(loop.user.ui.annotateTable)}
    assert case.title in names


def test_cases_are_accepted_with_the_keyboard(loop: Loop) -> None:
    assert loop.user.ui.acceptButton.shortcut.toString() == "Ctrl+Return"


def test_the_curve_of_the_drafts_is_plotted(loop: Loop) -> None:
    user = loop.user
    user.panel.press(user.ui.draftChartButton)
    chart = user.section.curves.chart.chartNode
    series = [chart.GetNthPlotSeriesNode(k) for k in range(chart.GetNumberOfPlotSeriesNodes())]
    points = {
        each.GetName(): slicer.util.arrayFromTableColumn(each.GetTableNode(), each.GetYColumnName())
        for each in series
    }
    dice = [record.dice for record in loop.records if record.dice is not None]
    assert list(points["Dice of the draft"][: len(dice)]) == pytest.approx(dice)
    assert len(points["Minutes / 10"]) == len(loop.records)
    user.panel.press(user.ui.draftChartButton)
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def test_what_could_not_be_done_stays_visible_when_a_draft_arrives(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, case = loop.user, loop.user.current
    before = user.loop.message

    def fail(current: object, action: str) -> None:
        raise GenSegError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(user.loop._saver, "record", fail)
        user.panel.press(user.ui.skipButton)
    user.loop.observers.notify(user.loop)
    assert "the disk is full" in user.ui.annotateMessage.text
    assert user.current is case and user.ui.skipButton.enabled
    user.loop.message = before


def test_the_last_case_ends_the_loop(loop: Loop) -> None:
    user, case = loop.user, loop.user.current
    user.panel.parameters.annotateWhen = "button"
    user.draw("Anterior", user.truth() == 1)  # the draft of so short a training may be empty
    user.accept()
    record = loop.records[-1]
    assert (record.case, record.action) == (case.name, "accepted")
    assert user.current is None
    assert "All cases have been accepted" in user.ui.annotateMessage.text
