"""The *Training cases* section of the panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
from panel_driver import PanelDriver
from panel_scenes import load_hippocampi, phantom_folder

from GenSegLib.datasets.image_io import read_label, write_label

pytest_plugins = ["panel_driver"]


def test_empty_table_shows_what_to_do(panel: PanelDriver) -> None:
    assert "No pairs yet" in panel.ui.casesMessage.text
    assert not panel.ui.trainButton.enabled
    assert "add at least two pairs" in panel.ui.trainButton.toolTip


def test_pairs_are_added_from_the_scene(panel: PanelDriver, hippocampus: Path) -> None:
    load_hippocampi(hippocampus, 3)
    panel.press(panel.ui.addFromSceneButton)
    panel.wait_for_checks()
    rows = panel.rows(panel.ui.casesTable)
    assert [row[2:4] for row in rows] == [["Train", "OK"]] * 3
    assert all(row[1] == f"{row[0]} segmentation" for row in rows)


def test_adding_again_adds_nothing(panel: PanelDriver, hippocampus: Path) -> None:
    load_hippocampi(hippocampus, 2)
    panel.press(panel.ui.addFromSceneButton)
    panel.press(panel.ui.addFromSceneButton)
    panel.wait_for_checks()
    assert panel.ui.casesTable.rowCount == 2
    assert "No additional pairs" in panel.ui.casesMessage.text
    panel.select_rows(panel.ui.casesTable, [0])
    panel.press(panel.ui.roleValidateButton)
    panel.wait_for_checks()
    assert "No additional pairs" not in panel.ui.casesMessage.text


def test_one_pair_is_not_enough(panel: PanelDriver, hippocampus: Path) -> None:
    load_hippocampi(hippocampus, 1)
    panel.press(panel.ui.addFromSceneButton)
    panel.wait_for_checks()
    assert panel.ui.casesMessage.text == "One training pair; training needs at least two."
    assert "at least two pairs" in panel.ui.trainButton.toolTip


def test_role_of_selected_pairs_is_set(panel: PanelDriver, hippocampus: Path) -> None:
    load_hippocampi(hippocampus, 4)
    panel.press(panel.ui.addFromSceneButton)
    panel.select_rows(panel.ui.casesTable, [1, 3])
    panel.press(panel.ui.roleValidateButton)
    assert list(panel.parameters.pairRoles) == ["train", "validate", "train", "validate"]
    assert [row[2] for row in panel.rows(panel.ui.casesTable)][1] == "Validate"


def test_role_of_one_pair_is_set(panel: PanelDriver, hippocampus: Path) -> None:
    load_hippocampi(hippocampus, 2)
    panel.press(panel.ui.addFromSceneButton)
    panel.choose(panel.ui.casesTable.cellWidget(0, 2), "Ignore")
    panel.host.process_events()
    assert list(panel.parameters.pairRoles) == ["ignore", "train"]
    assert "add at least two pairs" in panel.ui.trainButton.toolTip


def test_removed_pairs_stay_in_the_scene(panel: PanelDriver, hippocampus: Path) -> None:
    pairs = load_hippocampi(hippocampus, 3)
    panel.press(panel.ui.addFromSceneButton)
    panel.select_rows(panel.ui.casesTable, [0, 2])
    panel.press(panel.ui.removePairsButton)
    assert [row[0] for row in panel.rows(panel.ui.casesTable)] == [pairs[1][0].GetName()]
    assert slicer.mrmlScene.IsNodePresent(pairs[0][0])


def test_selected_nodes_are_added_as_a_pair(panel: PanelDriver, hippocampus: Path) -> None:
    (volume, segmentation), *_ = load_hippocampi(hippocampus, 2)
    panel.ui.pairVolumeSelector.setCurrentNode(volume)
    panel.ui.pairSegmentationSelector.setCurrentNode(segmentation)
    panel.press(panel.ui.addPairButton)
    assert panel.rows(panel.ui.casesTable)[0][:2] == [volume.GetName(), segmentation.GetName()]


def test_segmentation_is_changed_in_the_table(panel: PanelDriver, hippocampus: Path) -> None:
    pairs = load_hippocampi(hippocampus, 2)
    panel.press(panel.ui.addFromSceneButton)
    panel.ui.casesTable.cellDoubleClicked.emit(0, 1)
    box = panel.ui.casesTable.cellWidget(0, 1)
    box.setCurrentNode(pairs[1][1])
    panel.host.process_events()
    assert panel.rows(panel.ui.casesTable)[0][1] == pairs[1][1].GetName()
    assert panel.parameters.pairSegmentations[0] is pairs[1][1]


def test_a_node_that_is_removed_while_another_is_chosen_does_not_change_a_pair(
    panel: PanelDriver, hippocampus: Path
) -> None:
    """A combo box selects another node when its current one is removed."""
    pairs = load_hippocampi(hippocampus, 2)
    panel.press(panel.ui.addFromSceneButton)
    panel.ui.casesTable.cellDoubleClicked.emit(0, 1)
    slicer.mrmlScene.RemoveNode(pairs[0][1])
    panel.host.process_events()
    assert list(panel.parameters.pairSegmentations) == [pairs[1][1]]
    assert [row[:2] for row in panel.rows(panel.ui.casesTable)] == [
        [node.GetName() for node in pairs[1]]
    ]


def test_invalid_pair_is_reported(panel: PanelDriver, hippocampus: Path) -> None:
    pairs = load_hippocampi(hippocampus, 2)
    slicer.util.arrayFromVolume(pairs[1][0])[:] = 7
    slicer.util.arrayFromVolumeModified(pairs[1][0])
    panel.press(panel.ui.addFromSceneButton)
    panel.wait_for_checks()
    status = [row[3] for row in panel.rows(panel.ui.casesTable)]
    assert status.count("Error") == 1
    assert pairs[1][0].GetName() in panel.ui.casesMessage.text
    assert not panel.ui.trainButton.enabled


def test_volume_outlier_is_a_warning(panel: PanelDriver, tmp_path: Path) -> None:
    folder = phantom_folder(tmp_path, cases=6)
    path = sorted((folder / "labelsTr").glob("*.nii.gz"))[2]
    label = read_label(path)
    inside = np.flatnonzero(label.array[0].any(axis=(1, 2)))
    label.array[:, inside[len(inside) // 4] :] = 0
    write_label(path, label)
    panel.ui.importFolderButton.directorySelected.emit(str(folder))
    panel.wait_for_checks()
    panel.host.wait_until(lambda: "check the segmentation" in panel.ui.casesMessage.text, 10)
    status = [row[3] for row in panel.rows(panel.ui.casesTable)]
    assert status == ["OK", "OK", "Warning", "OK", "OK", "OK"]
    assert "6 pairs" in panel.ui.casesMessage.text
    panel.choose(panel.ui.casesTable.cellWidget(2, 2), "Ignore")
    panel.wait_for_checks()
    panel.host.wait_until(lambda: "check the" not in panel.ui.casesMessage.text, 10)


def test_folder_is_imported(panel: PanelDriver, tmp_path: Path) -> None:
    folder = phantom_folder(tmp_path, cases=3)
    panel.ui.importFolderButton.directorySelected.emit(str(folder))
    panel.wait_for_checks()
    assert [row[2:4] for row in panel.rows(panel.ui.casesTable)] == [["Train", "OK"]] * 3
    assert [row[2] for row in panel.rows(panel.ui.segmentsTable)] == ["Anterior", "Posterior"]
    first = panel.widget.panel.cases.pairs[0].volumeNode
    red = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    assert red.GetBackgroundVolumeID() == first.GetID()  # shown at once


def test_folder_without_cases_is_reported(panel: PanelDriver, tmp_path: Path) -> None:
    panel.ui.importFolderButton.directorySelected.emit(str(tmp_path))
    assert str(tmp_path) in panel.ui.casesMessage.text
    assert "\n" not in panel.ui.casesMessage.text
    assert panel.ui.casesTable.rowCount == 0


def test_pair_of_a_removed_node_is_removed(panel: PanelDriver, hippocampus: Path) -> None:
    pairs = load_hippocampi(hippocampus, 2)
    panel.press(panel.ui.addFromSceneButton)
    slicer.mrmlScene.RemoveNode(pairs[0][0])
    panel.host.process_events()
    assert [row[0] for row in panel.rows(panel.ui.casesTable)] == [pairs[1][0].GetName()]


def test_nodes_in_two_pairs_are_an_error_until_one_is_ignored(
    panel: PanelDriver, hippocampus: Path
) -> None:
    pairs = load_hippocampi(hippocampus, 2)
    panel.press(panel.ui.addFromSceneButton)
    panel.ui.pairVolumeSelector.setCurrentNode(pairs[0][0])
    panel.ui.pairSegmentationSelector.setCurrentNode(pairs[1][1])
    panel.press(panel.ui.addPairButton)
    panel.wait_for_checks()
    assert [row[3] for row in panel.rows(panel.ui.casesTable)] == ["Error"] * 3
    panel.choose(panel.ui.casesTable.cellWidget(2, 2), "Ignore")
    panel.wait_for_checks()
    assert [row[3] for row in panel.rows(panel.ui.casesTable)] == ["OK", "OK", "Ignored"]


def test_segmentation_of_another_volume_is_a_warning(panel: PanelDriver, hippocampus: Path) -> None:
    (volume, _), (other, segmentation) = load_hippocampi(hippocampus, 2)
    panel.ui.pairVolumeSelector.setCurrentNode(volume)
    panel.ui.pairSegmentationSelector.setCurrentNode(segmentation)
    panel.press(panel.ui.addPairButton)
    panel.wait_for_checks()
    panel.host.wait_until(lambda: "made on" in panel.ui.casesMessage.text, 10)
    assert [row[3] for row in panel.rows(panel.ui.casesTable)] == ["Warning"]
    assert f"made on {other.GetName()}" in panel.ui.casesMessage.text


def test_a_patient_without_a_lesion_is_a_warning_in_the_table(
    panel: PanelDriver, tmp_path: Path
) -> None:
    folder = phantom_folder(tmp_path, cases=3)
    path = sorted((folder / "labelsTr").glob("*.nii.gz"))[1]
    label = read_label(path)
    label.array[:] = 0
    write_label(path, label)
    panel.ui.importFolderButton.directorySelected.emit(str(folder))
    panel.wait_for_checks()
    panel.host.wait_until(lambda: "the label is empty" in panel.ui.casesMessage.text, 10)
    assert [row[3] for row in panel.rows(panel.ui.casesTable)] == ["OK", "Warning", "OK"]
    assert panel.widget.panel.cases.problem() == ""


def test_the_warning_about_a_person_on_both_sides_follows_the_table(
    panel: PanelDriver, hippocampus: Path
) -> None:
    load_hippocampi(hippocampus, 3)
    panel.press(panel.ui.addFromSceneButton)
    panel.select_rows(panel.ui.casesTable, [2])
    panel.press(panel.ui.roleValidateButton)
    panel.wait_for_checks()

    def enter(row: int, person: str) -> None:
        box = panel.ui.casesTable.cellWidget(row, 4)
        box.text = person
        box.editingFinished.emit()
        panel.host.process_events()
        panel.wait_for_checks()

    enter(0, "anna")
    enter(2, "anna")
    warning = "anna appears in training case"
    panel.host.wait_until(lambda: warning in panel.ui.casesMessage.text, 10)
    panel.select_rows(panel.ui.casesTable, [0])
    panel.press(panel.ui.roleValidateButton)
    panel.host.wait_until(lambda: warning not in panel.ui.casesMessage.text, 10)


def test_only_edited_pairs_are_checked_again(panel: PanelDriver, hippocampus: Path) -> None:
    pairs = load_hippocampi(hippocampus, 3)
    panel.press(panel.ui.addFromSceneButton)
    panel.wait_for_checks()
    pairs[1][1].GetSegmentation().GetNthSegment(0).SetName("Head")
    panel.widget.panel.cases.reload()
    waiting = [pair.volumeNode for pair in panel.widget.panel.cases.pairs if not pair.status]
    assert waiting == [pairs[1][0]]
    panel.wait_for_checks()
    assert "Head" in [row[0] for row in panel.rows(panel.ui.segmentsTable)]


def test_closing_the_scene_clears_the_tables(panel: PanelDriver, hippocampus: Path) -> None:
    load_hippocampi(hippocampus, 2)
    panel.press(panel.ui.addFromSceneButton)
    slicer.mrmlScene.Clear(0)
    panel.host.process_events()
    assert panel.ui.casesTable.rowCount == panel.ui.segmentsTable.rowCount == 0
    assert "No pairs yet" in panel.ui.casesMessage.text


def test_saved_scene_restores_the_panel(
    panel: PanelDriver, hippocampus: Path, tmp_path: Path
) -> None:
    load_hippocampi(hippocampus, 3)
    panel.press(panel.ui.addFromSceneButton)
    panel.select_rows(panel.ui.casesTable, [2])
    panel.press(panel.ui.roleValidateButton)
    panel.choose(panel.ui.segmentsTable.cellWidget(1, 2), "Not used")
    panel.choose(panel.ui.effortSelector, "Time budget")
    panel.ui.timeBudgetSpinBox.setValue(7)
    panel.ui.seedSpinBox.setValue(5)
    table, segments = panel.rows(panel.ui.casesTable), panel.rows(panel.ui.segmentsTable)
    scene_file = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(scene_file))
    slicer.mrmlScene.Clear(0)
    assert panel.ui.seedSpinBox.value == 0
    slicer.util.loadScene(str(scene_file))
    panel.wait_for_checks()
    restored = panel.rows(panel.ui.casesTable)
    assert [row[:3] for row in restored] == [row[:3] for row in table]
    assert panel.rows(panel.ui.segmentsTable) == segments
    assert panel.ui.effortSelector.currentText == "Time budget"
    assert (panel.ui.timeBudgetSpinBox.value, panel.ui.seedSpinBox.value) == (7, 5)


def test_added_scene_does_not_replace_pairs_and_folder(
    panel: PanelDriver, hippocampus: Path, tmp_path: Path
) -> None:
    load_hippocampi(hippocampus, 2)
    panel.press(panel.ui.addFromSceneButton)
    panel.parameters.outputFolder = "of the other scene"
    scene_file = tmp_path / "other.mrb"
    assert slicer.util.saveScene(str(scene_file))
    slicer.mrmlScene.Clear(0)
    load_hippocampi(hippocampus, 3)
    panel.press(panel.ui.addFromSceneButton)
    panel.parameters.outputFolder = "mine"
    panel.select_rows(panel.ui.casesTable, [0])
    panel.press(panel.ui.roleValidateButton)
    slicer.util.loadScene(str(scene_file), {"clear": False})
    panel.host.process_events()
    assert panel.parameters.outputFolder == "mine"
    assert list(panel.parameters.pairRoles) == ["validate", *["train"] * 4]
    assert len({node.GetID() for node in panel.parameters.pairVolumes}) == 5
    assert panel.ui.casesTable.rowCount == 5


def test_person_of_a_volume_is_assumed_by_its_name_and_can_be_entered(
    panel: PanelDriver, hippocampus: Path, tmp_path: Path
) -> None:
    pairs = load_hippocampi(hippocampus, 3)
    for (volume, _), name in zip(pairs, ("patient1_visit1", "patient1_visit2", "patient2")):
        volume.SetName(name)
    panel.press(panel.ui.addFromSceneButton)
    boxes = [panel.ui.casesTable.cellWidget(row, 4) for row in range(3)]
    assert [box.text for box in boxes] == ["", "", ""]
    assert [box.placeholderText for box in boxes] == ["patient1", "patient1", ""]
    boxes[2].text = "patient1"
    boxes[2].editingFinished.emit()
    panel.host.process_events()
    assert panel.ui.casesTable.cellWidget(2, 4).text == "patient1"
    scene_file = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(scene_file))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(scene_file))
    panel.host.process_events()
    assert [row[4] for row in panel.rows(panel.ui.casesTable)] == ["", "", "patient1"]
