"""Scans without labels and the target scanner, from the panel to the files of a training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import qt
import slicer
from application_fixtures import reset_application
from GenSegSlicerLib.CaseWriter import CaseWriter
from GenSegSlicerLib.PairFinder import importFolder
from GenSegSlicerLib.Segments import segmentsOf
from GenSegSlicerLib.UnlabeledScans import UnlabeledScans
from mrml_nodes import GRIDS, add_volume, noise
from panel_driver import PanelDriver
from panel_scenes import load_pair, phantom_folder, tiny_preset
from photo_files import photo_folder
from training_pairs import SAME, pair_of
from volume_files import write_patient_series

from GenSegLib.cases import CaseSet, Role
from GenSegLib.config import TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegLib.steps import finish

SIMILAR = "Similar scanners or cameras"


@dataclass
class Adapted:
    """The panel after a training that has adapted to scans."""

    panel: PanelDriver
    line: str
    run: RunFolder


@pytest.fixture(scope="module")
def adapted(host: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adapted]:
    """Trained on three phantoms, for similar scanners, with scans of the scene and of a folder.

    Selected are a scan and, inadvertently, a training case; the folder has all images.
    """
    reset_application()
    qt.QSettings().remove("GenSegSlicer")
    folder = tmp_path_factory.mktemp("Anpassung mit Leerzeichen")
    images = sorted((phantom_folder(folder, cases=5, test=0) / "imagesTr").glob("*.nii.gz"))
    labels = folder / "phantoms" / "labelsTr"
    for path in images[:3]:
        training_case, _ = load_pair(path, labels / path.name, path.name.split(".")[0])
    scan = slicer.util.loadVolume(str(images[3]), {"name": "scan"})
    panel = PanelDriver(host)
    ui = panel.ui
    panel.press(ui.addFromSceneButton)
    preset = tiny_preset(folder, warmup_steps=0, joint_steps=4, final_steps=6)
    panel.parameters.preset = str(preset)
    panel.parameters.outputFolder = str(folder / "runs")
    panel.choose(ui.targetScannerSelector, SIMILAR)
    for node in (scan, training_case):
        ui.adaptVolumesSelector.check(node)
    ui.adaptFolderEdit.currentPath = str(images[0].parent)
    panel.wait_for_checks()
    line = ui.generationLabel.text
    panel.press(ui.trainButton)
    job = panel.widget.panel.runs.job
    host.wait_until(lambda: not job.isActive, 300)
    assert job.state == "finished", f"{job.message}\n{job.details}"
    yield Adapted(panel, line, RunFolder.open(job.runFolder))
    slicer.mrmlScene.Clear(0)


def test_a_line_says_what_the_model_is_for(adapted: Adapted) -> None:
    assert "for images of similar scanners or cameras, too: regions get other" in adapted.line
    assert "imitating the contrasts of 6 unlabeled images" in adapted.line


def test_scans_of_scene_and_folder_are_learned_from_without_training_cases(
    adapted: Adapted,
) -> None:
    cases = adapted.run.cases
    assert len(cases.labeled) == 3
    files = {case.image.name for case in cases.of_role(Role.UNLABELED)}
    assert files == {"scan.nrrd", "hippocampus_005.nii.gz"}, "the others are labeled, or twice"
    assert adapted.run.config.self_training
    text = adapted.panel.ui.logText.plainText
    assert "not good enough yet to judge unlabeled cases" in text, "after a few steps"


def test_the_model_is_for_similar_scanners(adapted: Adapted) -> None:
    assert (adapted.run.config.generator, adapted.run.config.target_scanner) == ("regions", 0.5)
    assert adapted.run.preset.intensity.kind == "robust"


def test_the_choices_are_saved_with_the_scene(adapted: Adapted, tmp_path: Path) -> None:
    panel, path = adapted.panel, tmp_path / "scene.mrb"
    folder = panel.parameters.adaptFolder
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear(0)
    panel.host.process_events()
    assert panel.ui.adaptFolderEdit.currentPath == ""
    slicer.util.loadScene(str(path))
    panel.host.process_events()
    names = [node.GetName() for node in panel.ui.adaptVolumesSelector.checkedNodes()]
    assert sorted(names) == ["hippocampus_003", "scan"]
    assert panel.ui.targetScannerSelector.currentText == SIMILAR
    assert panel.ui.adaptFolderEdit.currentPath == folder


@pytest.fixture
def panel(host: Any, scene: Any, tmp_path: Path) -> Iterator[PanelDriver]:
    """The panel with two checked pairs."""
    driver = PanelDriver(host)
    for name in "ab":
        volume = add_volume(noise(seed=ord(name)), GRIDS["anisotropic"], name)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{name} seg")
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        segment = node.GetSegmentation().AddEmptySegment("", "Anterior")
        mask = np.zeros(noise().shape, np.uint8)
        mask[3:6, 3:6, 3:6] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment, volume)
    driver.press(driver.ui.addFromSceneButton)
    driver.parameters.outputFolder = str(tmp_path)
    driver.wait_for_checks()
    yield driver
    host.close_module("GenSegSlicer")


def test_scans_that_do_not_fit_are_named_before_the_training(
    panel: PanelDriver, tmp_path: Path
) -> None:
    ui = panel.ui
    assert ui.trainButton.enabled
    picture = add_volume(noise()[:1], GRIDS["RAS"], "picture")
    ui.adaptVolumesSelector.check(picture)
    panel.host.process_events()
    assert not ui.trainButton.enabled
    assert "picture is a 2-D image and a is not" in ui.trainReason.text
    ui.adaptVolumesSelector.uncheck(picture)
    (tmp_path / "nothing").mkdir()
    for path, message in ((tmp_path / "nothing", "no images"), (tmp_path / "x", "no such folder")):
        ui.adaptFolderEdit.currentPath = str(path)
        panel.host.process_events()
        assert not ui.trainButton.enabled
        assert message in ui.trainReason.text and "\n" not in ui.trainReason.text
    ui.adaptFolderEdit.currentPath = ""
    panel.host.process_events()
    assert ui.trainButton.enabled


def test_a_removed_scan_is_no_longer_used(panel: PanelDriver) -> None:
    scan = add_volume(noise(seed=9), GRIDS["anisotropic"], "scan")
    panel.ui.adaptVolumesSelector.check(scan)
    panel.host.process_events()
    assert "also learning from 1 unlabeled image under" in panel.ui.generationLabel.text
    slicer.mrmlScene.RemoveNode(scan)
    panel.host.process_events()
    panel.widget.panel.refresh()
    assert "unlabeled" not in panel.ui.generationLabel.text
    assert panel.ui.trainButton.enabled


def test_pictures_whose_voxels_were_released_are_read_from_their_files(
    scene: Any, tmp_path: Path
) -> None:
    pairs = importFolder(photo_folder(tmp_path / "photos"))
    scans = UnlabeledScans((pairs[2].volumeNode,))
    preset = load_preset("generic-2d-color")
    config = TrainConfig.for_preset(preset, self_training=True)
    (segment,) = segmentsOf(pairs[0].segmentationNode)
    arguments = (pairs[:2], preset, config, {segment.name: "Bright"}, None)
    for _ in CaseWriter(*arguments, scans).steps(tmp_path / "run"):
        pass
    listed = json.loads((tmp_path / "run" / "cases.json").read_text())["cases"]
    (scan,) = [case for case in listed if case["role"] == "unlabeled"]
    assert Path(scan["image"]).name == "p2.jpg" and scan["label"] is None


def written(scans: UnlabeledScans, run: Path) -> CaseSet:
    """The cases of a run with a validation case of patient 1, a training case and scans."""
    validated, trained = pair_of("patient1_visit1", 0), pair_of("patient2", 1)
    validated.role = "validate"
    validated.volumeNode.SetAttribute("DICOM.instanceUIDs", "1.2")
    preset = load_preset("generic-mri")
    config = TrainConfig.for_preset(preset, self_training=True)
    finish(CaseWriter([validated, trained], preset, config, SAME, None, scans).steps(run))
    return RunFolder.open(run).cases


def test_scans_of_validation_persons_are_not_learned_from(scene: Any, tmp_path: Path) -> None:
    scan = add_volume(noise(seed=2), GRIDS["RAS"], "patient1_visit2")
    with pytest.raises(GenSegError, match="All scans to adapt to show persons in the validation"):
        written(UnlabeledScans((scan,)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_files_of_validation_patients_are_not_learned_from(
    scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the names of files and volumes are."""
    database = SimpleNamespace(isOpen=True, instanceValue=lambda uid, tag: "X-4711")
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    for name, patient_id in (("follow-up", "X-4711"), ("other", "Y")):
        write_patient_series(tmp_path / "scans" / name, patient_id)
    cases = written(UnlabeledScans(folder=tmp_path / "scans"), tmp_path / "run")
    assert [case.name for case in cases.of_role(Role.UNLABELED)] == ["other"]
    assert "4711" not in (tmp_path / "run" / "cases.json").read_text()
