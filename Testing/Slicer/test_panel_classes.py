"""Classes in the *Training cases* section: which segments are which classes of the preset."""

from __future__ import annotations

from pathlib import Path

from panel_driver import PanelDriver
from panel_scenes import load_hippocampi
from training_pairs import pair_of

pytest_plugins = ["panel_driver"]


def test_classes_are_suggested_by_name(panel: PanelDriver, hippocampus: Path) -> None:
    load_hippocampi(hippocampus, 2)
    panel.press(panel.ui.addFromSceneButton)
    assert panel.rows(panel.ui.segmentsTable) == [
        ["Anterior", "2 of 2", "Anterior"],
        ["Posterior", "2 of 2", "Posterior"],
    ]


def test_segment_missing_in_a_case_is_shown(panel: PanelDriver, hippocampus: Path) -> None:
    pairs = load_hippocampi(hippocampus, 3)
    segmentation = pairs[0][1].GetSegmentation()
    segmentation.RemoveSegment(segmentation.GetSegmentIdBySegmentName("Posterior"))
    panel.press(panel.ui.addFromSceneButton)
    assert ["Posterior", "2 of 3", "Posterior"] in panel.rows(panel.ui.segmentsTable)
    assert "Posterior is missing in 1 of the cases" in panel.ui.segmentsMessage.text


def test_segment_can_be_left_out(panel: PanelDriver, hippocampus: Path) -> None:
    load_hippocampi(hippocampus, 2)
    panel.press(panel.ui.addFromSceneButton)
    panel.choose(panel.ui.segmentsTable.cellWidget(1, 2), "Not used")
    assert dict(panel.parameters.classMap) == {"Anterior": "Anterior", "Posterior": ""}
    assert "No segment is mapped to Posterior" in panel.ui.segmentsMessage.text


def test_custom_anatomy_has_editable_classes(panel: PanelDriver, hippocampus: Path) -> None:
    load_hippocampi(hippocampus, 2)
    panel.press(panel.ui.addFromSceneButton)
    panel.choose(panel.ui.presetSelector, "Custom: Any structure, MRI")
    assert dict(panel.parameters.classMap) == {"Anterior": "Anterior", "Posterior": "Posterior"}
    box = panel.ui.segmentsTable.cellWidget(0, 2)
    assert box.editable
    box.lineEdit().setText("Hippocampus")
    box.lineEdit().editingFinished.emit()
    assert panel.parameters.classMap["Anterior"] == "Hippocampus"
    other = panel.ui.segmentsTable.cellWidget(1, 2)
    other.lineEdit().setText("hippocampus")
    other.lineEdit().editingFinished.emit()
    assert panel.parameters.classMap["Posterior"] == "Hippocampus"


def test_a_segment_named_ignore_marks_ignored_voxels_unless_it_is_not_used(
    panel: PanelDriver,
) -> None:
    segmentation = pair_of("case").segmentationNode.GetSegmentation()
    segmentation.GetNthSegment(1).SetName("Ignore")
    panel.press(panel.ui.addFromSceneButton)
    panel.choose(panel.ui.presetSelector, "Custom: Any structure, MRI")
    for choice, chosen in (("Not used", ""), ("Ignore", "Ignore")):
        box = panel.ui.segmentsTable.cellWidget(1, 2)
        panel.choose(box, choice)
        box.activated.emit(box.currentIndex)
        assert dict(panel.parameters.classMap) == {"Organ": "Organ", "Ignore": chosen}


def test_segment_names_become_classes_of_a_custom_anatomy(
    panel: PanelDriver, hippocampus: Path
) -> None:
    for _, segmentation in load_hippocampi(hippocampus, 2):
        for index, name in enumerate(("Tête gauche", "尾部")):
            segmentation.GetSegmentation().GetNthSegment(index).SetName(name)
    panel.press(panel.ui.addFromSceneButton)
    panel.wait_for_checks()
    assert [row[3] for row in panel.rows(panel.ui.casesTable)] == ["Error"] * 2
    panel.choose(panel.ui.presetSelector, "Custom: Any structure, MRI")
    panel.wait_for_checks()
    assert [row[3] for row in panel.rows(panel.ui.casesTable)] == ["OK"] * 2
    assert dict(panel.parameters.classMap) == {"Tête gauche": "Tête gauche", "尾部": "尾部"}
    panel.choose(panel.ui.presetSelector, "Hippocampus, T1 MRI")
    panel.wait_for_checks()
    assert [row[3] for row in panel.rows(panel.ui.casesTable)] == ["Error"] * 2


def test_optional_class_is_not_required(panel: PanelDriver, hippocampus: Path) -> None:
    for _, segmentation in load_hippocampi(hippocampus, 2):
        segmentation.GetSegmentation().RemoveSegment(
            segmentation.GetSegmentation().GetNthSegmentID(1)
        )
        segmentation.GetSegmentation().GetNthSegment(0).SetName("Liver")
    panel.press(panel.ui.addFromSceneButton)
    assert "No segment matches a class of Hippocampus" in panel.ui.segmentsMessage.text
    panel.choose(panel.ui.presetSelector, "Liver, CT")  # lesions are optional
    assert panel.ui.segmentsMessage.text == ""


def test_segments_of_another_anatomy_are_reported(panel: PanelDriver, hippocampus: Path) -> None:
    for _, segmentation in load_hippocampi(hippocampus, 2):
        segmentation.GetSegmentation().GetNthSegment(0).SetName("Kidney")
        segmentation.GetSegmentation().GetNthSegment(1).SetName("Cyst")
    panel.press(panel.ui.addFromSceneButton)
    assert panel.ui.segmentsMessage.text == (
        "No segment matches a class of Hippocampus, T1 MRI; select another anatomy in Training"
    )


def test_classes_by_number_are_reported(panel: PanelDriver, hippocampus: Path) -> None:
    for _, segmentation in load_hippocampi(hippocampus, 2):
        for index in range(2):
            segmentation.GetSegmentation().GetNthSegment(index).SetName(f"Label {index + 1}")
    panel.press(panel.ui.addFromSceneButton)
    assert dict(panel.parameters.classMap) == {"Label 1": "Anterior", "Label 2": "Posterior"}
    assert (
        "no names; their values are assumed to be those of preset hippocampus-mri (1 Anterior"
        in (panel.ui.segmentsMessage.text)
    )
