"""The module logic by script: invalid arguments, and cases that are written step by step.

Whole workflows are in `test_self_test` (by script) and `test_panel_journey`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from GenSegSlicerLib.CaseWriter import CaseWriter
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.TrainingPair import TrainingPair
from mrml_nodes import (
    GRIDS,
    add_segmentation,
    add_volume,
    noise,
    oriented_image,
    two_class_labels,
)
from panel_scenes import load_hippocampi

from GenSegLib.cases import Role
from GenSegLib.config import TrainConfig
from GenSegLib.datasets.image_io import read_label
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder

CLASSES = {"Anterior": "Anterior", "Posterior": "Posterior"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "hart"}, "unknown preset 'hart'"),
        ({"settings": {"final_steps": 0}}, "final_steps must be 1 or more"),
        ({"settings": {"speed": 3}}, "there is no setting 'speed'"),
        ({"effort": "heroic"}, "effort must be one of"),
        ({"classMap": {"Anterior": ""}}, "No segment is mapped"),
    ],
)
def test_invalid_training_is_rejected_in_one_line(
    host: Any, scene: Any, hippocampus: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    load_hippocampi(hippocampus, 2)
    logic = GenSegSlicerLogic()
    arguments = {"preset": "hippocampus-mri", **changes}
    with pytest.raises(GenSegError, match=message) as error:
        logic.train(logic.findPairs(), outputFolder=tmp_path / "runs", **arguments)
    assert "\n" not in str(error.value)
    assert logic.trainingJob is None
    assert not (tmp_path / "runs").exists()


def test_training_needs_training_pairs(scene: Any, tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="No pair has the role Train"):
        GenSegSlicerLogic().train([], "hippocampus-mri", tmp_path)


def test_other_folders_are_not_resumed_or_attached(host: Any, tmp_path: Path) -> None:
    logic = GenSegSlicerLogic()
    for action in (logic.resume, logic.attach):
        with pytest.raises(GenSegError, match="is not a run folder"):
            action(tmp_path)


def test_pairs_are_written_one_per_step(
    host: Any, scene: Any, hippocampus: Path, tmp_path: Path
) -> None:
    load_hippocampi(hippocampus, 50)
    writer = CaseWriter(
        GenSegSlicerLogic().findPairs(), load_preset("hippocampus-mri"), TrainConfig(), CLASSES
    )
    for _ in writer.steps(tmp_path / "run"):
        host.process_events()
    assert len(list((tmp_path / "run" / "inputs" / "images").iterdir())) == 50


def test_volumes_of_one_person_are_on_one_side(
    host: Any, scene: Any, hippocampus: Path, tmp_path: Path
) -> None:
    """By their names, or by the persons that the user or the list of an imported folder states."""
    load_hippocampi(hippocampus, 6)
    pairs = GenSegSlicerLogic().findPairs()
    for k, pair in enumerate(pairs[:4]):
        pair.volumeNode.SetName(f"patient{k // 2}_frame{k % 2}")
    for pair in pairs[4:]:
        pair.person = "anna"
    writer = CaseWriter(pairs, load_preset("hippocampus-mri"), TrainConfig(), CLASSES)
    for _ in writer.steps(tmp_path / "run"):
        host.process_events()
    cases = RunFolder(tmp_path / "run").cases
    assert [case.person for case in cases.cases] == [
        *("patient0", "patient0", "patient1", "patient1", "anna", "anna"),
    ]
    sides = [{case.person for case in cases.of_role(role)} for role in (Role.TRAIN, Role.VALIDATE)]
    assert [len(side) for side in sides] == [2, 1]
    assert not set.intersection(*sides)


UNUSABLE = "x" * 300  # the system refuses to examine such a path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outputFolder": UNUSABLE}, "cannot be used as output folder"),
        ({"outputFolder": None}, "outputFolder must be the path"),
        ({"outputFolder": ""}, "outputFolder must be the path"),
        ({"preset": None}, "unknown preset 'None'"),
        ({"role": "teach"}, "role must be one of train, validate, ignore, not 'teach'"),
        ({"segmentationNode": None}, "None is not a segmentation"),
    ],
)
def test_invalid_arguments_of_a_training_leave_the_logic_usable(
    host: Any, scene: Any, hippocampus: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    load_hippocampi(hippocampus, 2)
    logic = GenSegSlicerLogic()
    pairs = logic.findPairs()
    arguments = {"preset": "hippocampus-mri", "outputFolder": tmp_path / "runs"}
    for name, value in changes.items():
        if name in arguments:
            arguments[name] = tmp_path / value if value == UNUSABLE else value
        else:
            setattr(pairs[0], name, value)
    with pytest.raises(GenSegError, match=message):
        logic.train(pairs, **arguments)
    assert logic.trainingJob is None
    logic.stop()


def test_wrong_arguments_are_rejected_by_every_method(host: Any, scene: Any) -> None:
    logic = GenSegSlicerLogic()
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segments")
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "volume")
    pair = TrainingPair(volume, segmentation, "teach")
    for call in (
        *(lambda: logic.resume(None), lambda: logic.attach(7), lambda: logic.addRun("")),
        *(lambda: logic.importFolder(None), lambda: logic.apply(None, volume)),
        *(lambda: logic.evaluate(segmentation, volume), lambda: logic.evaluate("a", "b")),
        *(lambda: logic.checkPairs([pair], {}), lambda: logic.checkPairs([volume], {})),
        lambda: logic.train([volume], "hippocampus-mri", "runs"),
    ):
        with pytest.raises(GenSegError):
            call()


def test_the_only_case_with_a_class_is_for_training(scene: Any, tmp_path: Path) -> None:
    label = two_class_labels()
    for k in range(6):
        name, image = f"case {k}", oriented_image(np.where(label == 2, 0, label), GRIDS["RAS"])
        names = {1: "Anterior"}
        if k == 4:
            image, names = oriented_image(label, GRIDS["RAS"]), {1: "Anterior", 2: "Posterior"}
        add_volume(noise(seed=k), GRIDS["RAS"], name)
        add_segmentation([(image, names)], f"{name} segmentation")
    pairs = GenSegSlicerLogic().findPairs()
    for seed in range(5):
        config = TrainConfig(seed=seed)
        writer = CaseWriter(pairs, load_preset("hippocampus-mri"), config, CLASSES)
        for _ in writer.steps(tmp_path / f"run {seed}"):
            pass
        roles = {case.name: case.role for case in RunFolder(tmp_path / f"run {seed}").cases.cases}
        assert roles["case 4"] == Role.TRAIN
        assert Role.VALIDATE in roles.values()


def write_run(pairs: list[TrainingPair], folder: Path) -> RunFolder:
    writer = CaseWriter(pairs, load_preset("hippocampus-mri"), TrainConfig(), CLASSES)
    for _ in writer.steps(folder):
        pass
    return RunFolder(folder)


def pair_of(name: str, seed: int, values: tuple[int, ...] = (1, 2)) -> TrainingPair:
    """A pair whose segmentation has these label values alone."""
    label = two_class_labels()
    label[~np.isin(label, values)] = 0
    image = oriented_image(label, GRIDS["RAS"])
    segmentation = add_segmentation([(image, {1: "Anterior", 2: "Posterior"})], f"{name} segments")
    return TrainingPair(add_volume(noise(seed=seed), GRIDS["RAS"], name), segmentation)


def test_a_patient_without_any_class_is_written_with_an_empty_label(
    scene: Any, tmp_path: Path
) -> None:
    pairs = [pair_of("a", 0), pair_of("b", 1), pair_of("healthy", 2, ())]
    cases = {case.name: case for case in write_run(pairs, tmp_path / "run").cases.cases}
    assert len(cases) == 3
    assert not read_label(cases["healthy"].label).array.any()
    assert read_label(cases["a"].label).array.any()


def test_classes_that_no_pair_shows_are_left_out(scene: Any, tmp_path: Path) -> None:
    run = write_run([pair_of("a", 0, (2,)), pair_of("b", 1, (2,))], tmp_path / "run")
    assert run.cases.labels == run.preset.labels == {2: "Posterior"}


def test_volumes_with_the_same_voxels_are_on_one_side(scene: Any, tmp_path: Path) -> None:
    pairs = [pair_of(name, seed) for name, seed in (("a", 0), ("b", 1), ("c", 2), ("d", 0))]
    cases = write_run(pairs, tmp_path / "run").cases.cases
    assert cases[0].person_or_name == cases[3].person_or_name
    assert cases[0].role is cases[3].role


def test_volumes_with_the_same_voxels_in_other_axes_are_on_one_side(
    scene: Any, tmp_path: Path
) -> None:
    pairs = [pair_of(name, seed) for seed, name in enumerate("abcd")]
    flipped = pairs[3].volumeNode
    slicer.util.updateVolumeFromArray(flipped, np.ascontiguousarray(noise()[:, ::-1, ::-1]))
    matrix = GRIDS["RAS"] @ np.diag([-1, -1, 1, 1])
    flipped.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    pairs[3].segmentationNode.GetSegmentation().RemoveAllSegments()
    cases = write_run(pairs, tmp_path / "run").cases.cases
    assert cases[0].person_or_name == cases[3].person_or_name
    assert cases[0].role is cases[3].role
