"""When the annotation loop trains, on which cases, and which model is the newest."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import slicer
from annotation_loops import GRID
from bright_model import bright_block, make_bright_model
from GenSegSlicerLib import AnnotationOrder
from GenSegSlicerLib.AnnotationTraining import CheckedCasesWriter, newestModel
from GenSegSlicerLib.AnnotationWorkspace import AnnotationSettings
from GenSegSlicerLib.Job import Observers
from GenSegSlicerLib.TrainingPair import TrainingPair
from mrml_nodes import add_segmentation, oriented_image

from GenSegLib.annotation.folder import AnnotationFolder, CaseEntry
from GenSegLib.cases import CaseSet
from GenSegLib.files import write_json
from GenSegLib.models.folder import METADATA, ModelMetadata, write_model_files
from GenSegLib.models.training_record import TrainingRecord
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder, State
from GenSegLib.steps import finish

pytest_plugins = ["annotation_loops"]


class FakeLogic:
    """Counts the trainings that are started, beside another one that runs."""

    def __init__(self) -> None:
        self.trainingJob = SimpleNamespace(isActive=False, state="", observers=Observers())
        self.started, self.writer = 0, None
        self.startTraining = self._start

    def _start(self, writer: Any, *arguments: Any) -> Any:
        self.writer = writer
        self.started += 1
        return SimpleNamespace(isActive=True, state="running", observers=Observers())


def accept(loop: Any, wait: Any) -> None:
    if loop.current is None:
        loop.next()
        wait(loop)
    loop.accept()
    wait(loop)


def test_cases_accepted_during_another_training_are_learned_when_that_ends(
    new_loop: Any, wait: Any
) -> None:
    for name in "abc":
        bright_block(name, GRID)
    loop, logic = new_loop(trainWhen="now"), FakeLogic()
    other, loop.trainer._logic = logic.trainingJob, logic
    other.isActive = True
    accept(loop, wait)
    accept(loop, wait)
    assert logic.started == 0
    other.isActive, other.state = False, "finished"
    other.observers.notify(other)
    assert logic.started == 1
    other.observers.notify(other)
    assert logic.started == 1, "it is no longer observed"


def test_cases_from_before_a_restart_count(new_loop: Any, wait: Any) -> None:
    for name in "abc":
        bright_block(name, GRID)
    started = []
    for count in (2, 1):
        loop, logic = new_loop(trainWhen="every", every=3), FakeLogic()
        loop.trainer._logic = logic
        for _ in range(count):
            accept(loop, wait)
        loop.leave()
        loop.workspace.close()
        started.append(logic.started)
    assert started == [0, 1]


@pytest.mark.parametrize("is_waiting", [False, True])
def test_a_training_that_fails_is_mentioned_below_what_is_to_do(
    new_loop: Any, wait: Any, is_waiting: bool
) -> None:
    for name in "abc":
        bright_block(name, GRID)
    loop, logic = new_loop(trainWhen="now"), FakeLogic()
    loop.trainer._logic = logic
    accept(loop, wait)
    loop.accept()
    if not is_waiting:
        wait(loop)
    job = loop.trainer._job
    job.isActive, job.state, job.message = False, "failed", "b: the disk is full"
    job.observers.notify(job)
    wait(loop)
    kind, text = loop.message
    assert kind == "warning"
    assert text == "Correct the draft of c, then accept it\nNo new model: b: the disk is full"


def writer_of(folder: AnnotationFolder, run: Path) -> CaseSet:
    """Cases of a training on the checked ones."""
    writer = CheckedCasesWriter(folder, load_preset("generic-mri"), {}, {}, lambda: ())
    finish(writer.steps(run))
    return RunFolder.open(run).cases


def entry(name: str, content: str, *classes: str) -> CaseEntry:
    labels = {str(value): each for value, each in enumerate(classes, start=1)}
    files = f"images/{name}.nrrd", f"labels/{name}.nrrd"
    return CaseEntry(name, "checked", *files, labels, content)


@pytest.mark.parametrize("only", ["p", "q", "r", "s"])
def test_the_only_case_with_a_class_is_for_training(scene: Any, tmp_path: Path, only: str) -> None:
    folder = AnnotationFolder(tmp_path)
    for name in "pqrs":
        folder.add(entry(name, name, "Liver", *(["Cyst"] if name == only else [])))
    cases = writer_of(folder, tmp_path / "run")
    folder.unlock()
    roles = {case.name: case.role.value for case in cases.cases}
    assert roles[only] == "train" and "validate" in roles.values()


def test_the_same_image_is_on_one_side(scene: Any, tmp_path: Path) -> None:
    folder = AnnotationFolder(tmp_path)
    for name, content in zip("pqrs", ("1", "2", "1", "2")):
        folder.add(entry(name, content, "Liver"))
    roles = {case.name: case.role for case in writer_of(folder, tmp_path / "run").cases}
    folder.unlock()
    assert roles["p"] is roles["r"] and roles["q"] is roles["s"]


def finished_run(folder: Path, time: float, started_from: str = "") -> None:
    """A finished run with a model, whose files are of a time."""
    folder.mkdir()
    make_bright_model(folder / "model")
    metadata = ModelMetadata.load(folder / "model")
    record = TrainingRecord(started_from=started_from)
    write_model_files(folder / "model", replace(metadata, name=folder.name, training=record))
    write_json(folder / "status.json", {"state": State.FINISHED.value})
    os.utime(folder / "model" / METADATA, (time, time))


def test_the_newest_model_is_the_one_that_finished_last(scene: Any, tmp_path: Path) -> None:
    finished_run(tmp_path / "old", 1000)
    finished_run(tmp_path / "new", 2000)
    path, _ = newestModel(tmp_path)
    assert path == tmp_path / "new" / "model"


def test_a_model_that_another_one_started_from_is_not_the_newest(
    scene: Any, tmp_path: Path
) -> None:
    finished_run(tmp_path / "first", 3000)  # then the clock was set back
    finished_run(tmp_path / "second", 1000, started_from="first")
    finished_run(tmp_path / "third", 2000, started_from="second")
    path, _ = newestModel(tmp_path)
    assert path == tmp_path / "third" / "model"


class FakeRanking:
    """A ranking that ends when the test says so."""

    def __init__(self, model: Path, strategy: str, cases: dict[str, Any], *_: Any) -> None:
        self.model, self.strategy, self.order = model, strategy, sorted(cases, reverse=True)
        self.isActive, self.state, self.message, self.observers = True, "", "", Observers()

    def start(self) -> None:
        pass

    def cancel(self) -> None:
        self.isActive = False

    def end(self) -> None:
        self.isActive, self.state = False, "finished"
        self.observers.notify(self)


def test_a_newer_model_ranks_in_the_background(
    new_loop: Any, wait: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rankings: list[FakeRanking] = []

    def rank(*arguments: Any) -> FakeRanking:
        rankings.append(FakeRanking(*arguments))
        return rankings[-1]

    monkeypatch.setattr(AnnotationOrder, "RankingJob", rank)
    for name in "abc":
        bright_block(name, GRID)
    loop = new_loop(strategy="unsure")
    loop.next()
    assert loop.isWaiting and loop.current is None
    rankings[0].end()
    wait(loop)
    assert loop.current.case.title == "c"
    newer = replace(loop.workspace.settings, model=str(make_bright_model(tmp_path / "newer")))
    loop.workspace._settings = lambda: newer
    loop.accept()
    wait(loop)
    assert loop.current.case.title == "b", "the order of the earlier model"
    second = rankings[-1]
    assert second.isActive and second.model == tmp_path / "newer"
    second.order = ["a", "b"]
    second.end()
    loop.skip()
    wait(loop)
    assert loop.current.case.title == "a"


def test_volumes_of_one_dicom_patient_are_on_one_side(
    scene: Any, new_loop: Any, wait: Any, tmp_path: Path
) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "somebody")
    hierarchy.SetItemAttribute(patient, "DICOM.PatientID", "4711")
    study = hierarchy.CreateStudyItem(patient, "study")
    for k, name in enumerate("abc"):
        volume, _ = bright_block(name, GRID)
        slicer.util.arrayFromVolume(volume)[0, 0, 0] = k
        if name != "c":
            hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume), study)
    loop, logic = new_loop(), FakeLogic()
    loop.trainer._logic = logic
    for _ in range(3):
        accept(loop, wait)
    loop.train()
    finish(logic.writer.steps(tmp_path / "run"))
    persons = {case.name: case.person for case in RunFolder.open(tmp_path / "run").cases.cases}
    assert persons["a"] == persons["b"] == "patient 1"
    assert persons["c"] != "patient 1"


def drawn_pairs(roles: dict[str, str]) -> list[TrainingPair]:
    """Volumes with different voxels and a drawn segmentation, by name, with their roles."""
    pairs = []
    for k, (name, role) in enumerate(roles.items()):
        volume, bright = bright_block(name, GRID)
        slicer.util.arrayFromVolume(volume)[0, 0, 0] = k
        node = add_segmentation([(oriented_image(bright.astype(np.uint8), GRID), {1: "Bright"})])
        pairs.append(TrainingPair(volume, node, role))
    return pairs


def test_roles_of_the_training_pairs_are_those_of_the_cases(new_loop: Any, tmp_path: Path) -> None:
    roles = {"a": "train", "b": "validate", "c": "ignore", "d": "train"}
    loop, logic = new_loop(pairs=drawn_pairs(roles)), FakeLogic()
    loop.trainer._logic = logic
    loop.train()
    finish(logic.writer.steps(tmp_path / "run"))
    cases = RunFolder.open(tmp_path / "run").cases.cases
    assert {case.name: case.role.value for case in cases} == {
        name: role for name, role in roles.items() if role != "ignore"
    }
    assert "c" not in loop.workspace.folder.entries()


def test_cases_of_a_training_are_written_though_the_panel_is_reloaded(
    new_loop: Any, tmp_path: Path
) -> None:
    loop, logic = new_loop(pairs=drawn_pairs(dict.fromkeys("abc", "train"))), FakeLogic()
    loop.trainer._logic, folder = logic, loop.workspace.folder
    loop.train()
    steps = logic.writer.steps(tmp_path / "run")
    next(steps)
    loop.workspace._settings = AnnotationSettings  # as without a parameter node
    loop.stop()
    finish(steps)
    assert len(RunFolder.open(tmp_path / "run").cases.cases) == 3
    assert not (folder.path / "lock").exists(), "the next panel can use the folder"
